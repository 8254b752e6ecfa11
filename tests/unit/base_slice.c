#include "common/base/slice.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

START_TEST(slice_of_null)
{
    ck_assert_ptr_null(slice_from_cstr(NULL).ptr);
    ck_assert_uint_eq(slice_from_cstr(NULL).len, 0);
    ck_assert_ptr_nonnull(slice_from_cstr("").ptr);
    ck_assert_uint_eq(SLICE("a\0b").len, 3);
}
END_TEST

static const struct compare_row {
    struct slice a, b;
    bool equal, ignoring_case, starts;
} compare_rows[] = {
    {SLICE_INIT(""), SLICE_INIT(""), true, true, true},
    {{0}, SLICE_INIT(""), true, true, true},
    {{0}, {0}, true, true, true},
    {SLICE_INIT("abc"), SLICE_INIT("abc"), true, true, true},
    {SLICE_INIT("abc"), SLICE_INIT("abd"), false, false, false},
    {SLICE_INIT("aBc"), SLICE_INIT("AbC"), false, true, false},
    {SLICE_INIT("abc"), SLICE_INIT("ab"), false, false, true},
    {SLICE_INIT("ab"), SLICE_INIT("abc"), false, false, false},
    {SLICE_INIT("abc"), SLICE_INIT(""), false, false, true},
    {SLICE_INIT("abc"), {0}, false, false, true},
    {SLICE_INIT("a\0b"), SLICE_INIT("a\0c"), false, false, false},
    {SLICE_INIT("a\0b"), SLICE_INIT("a\0b"), true, true, true},
};
START_TEST(slice_compare)
{
    const struct compare_row *r = &compare_rows[_i];
    ck_assert_int_eq(slice_equal(r->a, r->b), r->equal);
    ck_assert_int_eq(slice_equal_ignore_case(r->a, r->b), r->ignoring_case);
    ck_assert_int_eq(slice_starts_with(r->a, r->b), r->starts);
}
END_TEST

static const struct contains_row {
    struct slice text;
    char byte;
    bool want;
} contains_rows[] = {
    {SLICE_INIT("abc"), 'a', true},
    {SLICE_INIT("abc"), 'c', true},
    {SLICE_INIT("abc"), 'd', false},
    {SLICE_INIT("abc"), '\0', false},
    {SLICE_INIT("a\0c"), '\0', true},
    {SLICE_INIT(""), '\0', false},
    {{0}, 'a', false},
};
START_TEST(slice_contains)
{
    const struct contains_row *r = &contains_rows[_i];
    ck_assert_int_eq(slice_contains_byte(r->text, r->byte), r->want);
}
END_TEST

static const struct after_row {
    size_t count;
    const char *want; /* NULL: exhausted */
} after_rows[] = {{0, "abc"}, {1, "bc"}, {2, "c"}, {3, NULL}, {4, NULL}, {SIZE_MAX, NULL}};
START_TEST(slice_after_count)
{
    const struct after_row *r = &after_rows[_i];
    ck_assert_text_eq(slice_after(SLICE("abc"), r->count), r->want);
}
END_TEST

static const struct trim_row {
    const char *text, *want;
} trim_rows[] = {
    {"", ""},     {" ", ""},          {" \t ", ""},   {"a", "a"},
    {" a ", "a"}, {"\ta b\t", "a b"}, {"\na", "\na"}, {"a \r", "a \r"},
};
START_TEST(slice_trim_ends)
{
    const struct trim_row *r = &trim_rows[_i];
    ck_assert_slice_eq(slice_trim(slice_from_cstr(r->text)), slice_from_cstr(r->want));
}
END_TEST

static const struct cut_row {
    const char *text; /* NULL: the zero slice */
    const char *parts[4];
} cut_rows[] = {
    {NULL, {NULL}},         {"", {""}},          {",", {"", ""}},
    {"a", {"a"}},           {"a,b", {"a", "b"}}, {"a,,b", {"a", "", "b"}},
    {",a,", {"", "a", ""}},
};
START_TEST(slice_cut_parts)
{
    const struct cut_row *r = &cut_rows[_i];
    struct slice rest = slice_from_cstr(r->text), part = SLICE("untouched");
    size_t count = 0;
    while (slice_cut(&rest, ',', &part)) {
        ck_assert_uint_lt(count, COUNT(r->parts));
        ck_assert_ptr_nonnull(r->parts[count]);
        ck_assert_text_eq(part, r->parts[count]);
        count++;
    }
    ck_assert_ptr_null(rest.ptr);
    ck_assert(count == COUNT(r->parts) || !r->parts[count]);
    ck_assert_ptr_null(part.ptr); /* whoever does not look at what it returned has an empty part */
}
END_TEST

void base_slice(struct suite *s)
{
    suite_test(s, slice_of_null);
    suite_rows(s, slice_compare, COUNT(compare_rows));
    suite_rows(s, slice_contains, COUNT(contains_rows));
    suite_rows(s, slice_after_count, COUNT(after_rows));
    suite_rows(s, slice_trim_ends, COUNT(trim_rows));
    suite_rows(s, slice_cut_parts, COUNT(cut_rows));
}
