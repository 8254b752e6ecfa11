#include "common/base/buf.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct add_row {
    size_t cap;
    const char *parts[4];
    const char *want;
    bool full;
} add_rows[] = {
    {5, {"abc", "de"}, "abcde", false},
    {5, {"abc", "def"}, "abc", true},
    {5, {"abc", "def", "g"}, "abc", true}, /* sticky: what would fit is not added either */
    {5, {"abcdef"}, "", true},
    {0, {""}, "", false},
    {0, {"a"}, "", true},
    {5, {"abcde", "", ""}, "abcde", false},
};
START_TEST(buf_add_parts)
{
    const struct add_row *r = &add_rows[_i];
    char storage[8] = "#######";
    struct buf b = {storage, 0, r->cap, false};
    for (size_t i = 0; i < COUNT(r->parts) && r->parts[i]; i++)
        buf_add_cstr(&b, r->parts[i]);
    ck_assert_text_eq(buf_slice(&b), r->want);
    ck_assert_int_eq(b.full, r->full);
    ck_assert_int_eq(storage[r->cap], '#');
}
END_TEST

START_TEST(buf_add_nothing)
{
    char storage[4];
    struct buf b = BUF(storage);
    buf_add(&b, (struct slice){0});
    buf_add_cstr(&b, NULL);
    buf_add_char(&b, '\0');
    ck_assert_slice_eq(buf_slice(&b), SLICE("\0"));
    ck_assert(!b.full);
}
END_TEST

static const struct number_row {
    int64_t value;
    const char *want;
} number_rows[] = {
    {0, "0"},
    {9, "9"},
    {10, "10"},
    {-1, "-1"},
    {1000000, "1000000"},
    {INT64_MAX, "9223372036854775807"},
    {INT64_MIN, "-9223372036854775808"},
};
START_TEST(buf_add_number)
{
    const struct number_row *r = &number_rows[_i];
    char storage[20];
    struct buf b = BUF(storage);
    buf_add_i64(&b, r->value);
    ck_assert_text_eq(buf_slice(&b), r->want);
    ck_assert(!b.full);
}
END_TEST

START_TEST(buf_add_unsigned)
{
    char storage[20];
    struct buf b = BUF(storage);
    buf_add_u64(&b, UINT64_MAX);
    ck_assert_text_eq(buf_slice(&b), "18446744073709551615");
    buf_add_u64(&b, 0);
    ck_assert(b.full);
}
END_TEST

static const struct format_row {
    size_t cap;
    const char *text, *want;
    bool full;
} format_rows[] = {
    {8, "abc", "<abc:7>", false}, /* 7 bytes, and the NUL that vsnprintf() needs */
    {7, "abc", "", true},
    {8, "abcd", "", true},
    {0, "", "", true},
};
START_TEST(buf_add_formatted)
{
    const struct format_row *r = &format_rows[_i];
    char storage[9] = "########";
    struct buf b = {storage, 0, r->cap, false};
    buf_add_format(&b, "<%s:%d>", r->text, 7);
    ck_assert_text_eq(buf_slice(&b), r->want);
    ck_assert_int_eq(b.full, r->full);
    ck_assert_int_eq(storage[8], '\0');
}
END_TEST

START_TEST(buf_format_after_full)
{
    char storage[8];
    struct buf b = BUF(storage);
    buf_add_cstr(&b, "too long for it");
    buf_add_format(&b, "%d", 1);
    ck_assert_uint_eq(b.len, 0);
}
END_TEST

static const struct cut_row {
    size_t to;
    const char *want;
    bool full;
} cut_rows[] = {{0, "", false}, {2, "ab", false}, {3, "abc", false}, {4, "abc", true}};
START_TEST(buf_cut_back)
{
    const struct cut_row *r = &cut_rows[_i];
    char storage[4];
    struct buf b = BUF(storage);
    buf_add_cstr(&b, "abc");
    buf_add_cstr(&b, "de");
    buf_cut(&b, r->to);
    ck_assert_text_eq(buf_slice(&b), r->want);
    ck_assert_int_eq(b.full, r->full);
}
END_TEST

START_TEST(buf_as_cstr)
{
    char storage[4] = "###";
    struct buf b = BUF(storage);
    buf_add_cstr(&b, "abc");
    ck_assert_str_eq(buf_cstr(&b), "abc");
    buf_add_char(&b, 'd');
    ck_assert(!b.full);
    ck_assert_ptr_null(buf_cstr(&b)); /* no room for the NUL */
    buf_add_char(&b, 'e');
    ck_assert_ptr_null(buf_cstr(&b));
}
END_TEST

void base_buf(struct suite *s)
{
    suite_rows(s, buf_add_parts, COUNT(add_rows));
    suite_test(s, buf_add_nothing);
    suite_rows(s, buf_add_number, COUNT(number_rows));
    suite_test(s, buf_add_unsigned);
    suite_rows(s, buf_add_formatted, COUNT(format_rows));
    suite_test(s, buf_format_after_full);
    suite_rows(s, buf_cut_back, COUNT(cut_rows));
    suite_test(s, buf_as_cstr);
}
