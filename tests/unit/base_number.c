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

static const struct json_row {
    struct slice text;
    enum number_result want;
    int64_t value;
} json_rows[] = {
    {SLICE_INIT("0"), NUMBER_OK, 0},
    {SLICE_INIT("-0"), NUMBER_OK, 0},
    {SLICE_INIT("0.000e-9"), NUMBER_OK, 0},
    {SLICE_INIT("0e400"), NUMBER_OK, 0},
    {SLICE_INIT("0e99999999999999999999999"), NUMBER_OK, 0},
    {SLICE_INIT("7"), NUMBER_OK, 7},
    {SLICE_INIT("-7.0"), NUMBER_OK, -7},
    {SLICE_INIT("1e2"), NUMBER_OK, 100},
    {SLICE_INIT("1E+2"), NUMBER_OK, 100},
    {SLICE_INIT("10000e-2"), NUMBER_OK, 100},
    {SLICE_INIT("1.25e2"), NUMBER_OK, 125},
    {SLICE_INIT("0.00125e5"), NUMBER_OK, 125},
    {SLICE_INIT("9007199254740993"), NUMBER_OK, INT64_C(9007199254740993)}, /* no double */
    {SLICE_INIT("9223372036854775807"), NUMBER_OK, INT64_MAX},
    {SLICE_INIT("-9223372036854775808"), NUMBER_OK, INT64_MIN},
    {SLICE_INIT("-9.223372036854775808e18"), NUMBER_OK, INT64_MIN},
    {SLICE_INIT("9223372036854775808"), NUMBER_OUT_OF_RANGE, 0},
    {SLICE_INIT("-9223372036854775809"), NUMBER_OUT_OF_RANGE, 0},
    {SLICE_INIT("1e19"), NUMBER_OUT_OF_RANGE, 0},
    {SLICE_INIT("1e400"), NUMBER_OUT_OF_RANGE, 0},
    {SLICE_INIT("-1e99999999999999999999999"), NUMBER_OUT_OF_RANGE, 0},
    {SLICE_INIT("1.5"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1e-1"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1e-400"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1e-99999999999999999999999"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1.0000000000000000001"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("999999999999.00001"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("99999999999999999999.5"), NUMBER_MALFORMED, 0},
    /* no JSON numbers */
    {{0}, NUMBER_MALFORMED, 0},
    {SLICE_INIT("-"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("+1"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("01"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1."), NUMBER_MALFORMED, 0},
    {SLICE_INIT(".5"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1e"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1e+-1"), NUMBER_MALFORMED, 0},
    {SLICE_INIT("1 "), NUMBER_MALFORMED, 0},
    {SLICE_INIT("\"1\""), NUMBER_MALFORMED, 0},
    {SLICE_INIT("true"), NUMBER_MALFORMED, 0},
};
START_TEST(number_parse_json)
{
    const struct json_row *r = &json_rows[_i];
    int64_t value = 42;
    ck_assert_int_eq(number_parse_json_i64(r->text, &value), r->want);
    ck_assert_int_eq(value, r->want == NUMBER_OK ? r->value : 42);
}
END_TEST

void base_number(struct suite *s)
{
    suite_rows(s, number_parse_json, COUNT(json_rows));
    suite_rows(s, number_parse, COUNT(rows));
}
