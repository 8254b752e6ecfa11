#include "common/base/number.h"
#include "tests/unit/suites.h"

static const struct row {
    struct slice text;
    enum number_result want;
    int64_t value;
    int64_t min, max; /* both 0: all of int64_t */
} rows[] = {
    {SLICE_INIT("0"), NUMBER_OK, 0, 0, 0},
    {SLICE_INIT("7"), NUMBER_OK, 7, 0, 0},
    {SLICE_INIT("-7"), NUMBER_OK, -7, 0, 0},
    {SLICE_INIT("10"), NUMBER_OK, 10, 0, 0},
    {SLICE_INIT("9223372036854775807"), NUMBER_OK, INT64_MAX, 0, 0},
    {SLICE_INIT("9223372036854775808"), NUMBER_OUT_OF_RANGE, 0, 0, 0},
    {SLICE_INIT("9223372036854775817"), NUMBER_OUT_OF_RANGE, 0, 0, 0},
    {SLICE_INIT("-9223372036854775808"), NUMBER_OK, INT64_MIN, 0, 0},
    {SLICE_INIT("-9223372036854775809"), NUMBER_OUT_OF_RANGE, 0, 0, 0},
    {SLICE_INIT("18446744073709551616"), NUMBER_OUT_OF_RANGE, 0, 0, 0}, /* 2^64 */
    {SLICE_INIT("99999999999999999999999999999999999999999"), NUMBER_OUT_OF_RANGE, 0, 0, 0},
    {SLICE_INIT("1"), NUMBER_OK, 1, 1, 100},
    {SLICE_INIT("100"), NUMBER_OK, 100, 1, 100},
    {SLICE_INIT("0"), NUMBER_OUT_OF_RANGE, 0, 1, 100},
    {SLICE_INIT("101"), NUMBER_OUT_OF_RANGE, 0, 1, 100},
    {SLICE_INIT("-1"), NUMBER_OUT_OF_RANGE, 0, 1, 100},
    {SLICE_INIT("-5"), NUMBER_OK, -5, -5, -2},
    {SLICE_INIT("-6"), NUMBER_OUT_OF_RANGE, 0, -5, -2},
    {SLICE_INIT(""), NUMBER_MALFORMED, 0, 0, 0},
    {{0}, NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("-"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("--1"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("+1"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("-0"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("00"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("01"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("-01"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT(" 1"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("1 "), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("1\n"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("1\0"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("1.0"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("1e3"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("0x10"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("1,000"), NUMBER_MALFORMED, 0, 0, 0},
    {SLICE_INIT("\xD9\xA1"), NUMBER_MALFORMED, 0, 0, 0}, /* U+0661, an Arabic one */
    {SLICE_INIT("99999999999999999999x"), NUMBER_MALFORMED, 0, 0, 0},
};
START_TEST(number_parse)
{
    const struct row *r = &rows[_i];
    bool any = r->min == 0 && r->max == 0;
    int64_t value = 42;
    ck_assert_int_eq(
        number_parse_i64(r->text, any ? INT64_MIN : r->min, any ? INT64_MAX : r->max, &value),
        r->want);
    ck_assert_int_eq(value, r->want == NUMBER_OK ? r->value : 42);
}
END_TEST

void base_number(struct suite *s)
{
    suite_rows(s, number_parse, COUNT(rows));
}
