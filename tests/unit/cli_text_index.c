#include "fcgi/cli/text_index.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>

static int64_t put(struct text_index *index, struct slice text, int64_t number)
{
    int64_t before = -1;
    struct err err = {0};
    ck_assert_msg(text_index_put(index, text, number, &before, &err), "%s", err.cause);
    return before;
}

START_TEST(text_index_empty)
{
    struct text_index index = {0};
    ck_assert_int_eq(text_index_get(&index, SLICE("a")), 0);
    ck_assert_int_eq(text_index_get(&index, SLICE("")), 0);
    text_index_done(&index);
    text_index_done(&index);
}
END_TEST

START_TEST(text_index_overwrites)
{
    struct text_index index = {0};
    ck_assert_int_eq(put(&index, SLICE("a"), 3), 0);
    ck_assert_int_eq(put(&index, SLICE("b"), 4), 0);
    ck_assert_int_eq(put(&index, SLICE("a"), 9), 3);
    ck_assert_int_eq(put(&index, SLICE("a"), INT64_MAX), 9);
    ck_assert_int_eq(text_index_get(&index, SLICE("a")), INT64_MAX);
    ck_assert_int_eq(text_index_get(&index, SLICE("b")), 4);
    ck_assert_int_eq(text_index_get(&index, SLICE("c")), 0);
    ck_assert_uint_eq(index.count, 2);
    text_index_done(&index);
    ck_assert_int_eq(text_index_get(&index, SLICE("a")), 0);
}
END_TEST

/* Texts are told apart by every byte, a NUL and the length included. */
START_TEST(text_index_bytes)
{
    static const struct slice texts[] = {SLICE_INIT(""),     SLICE_INIT("\0"), SLICE_INIT("\0\0"),
                                         SLICE_INIT("a"),    SLICE_INIT("A"),  SLICE_INIT("a\0"),
                                         SLICE_INIT("a\0b"), SLICE_INIT("a "), SLICE_INIT(" a")};
    struct text_index index = {0};
    for (size_t i = 0; i < COUNT(texts); i++)
        ck_assert_int_eq(put(&index, texts[i], (int64_t)i + 1), 0);
    for (size_t i = 0; i < COUNT(texts); i++)
        ck_assert_int_eq(text_index_get(&index, texts[i]), (int64_t)i + 1);
    text_index_done(&index);
}
END_TEST

#define MANY 20000
START_TEST(text_index_grows)
{
    struct text_index index = {0};
    char text[32];
    for (int i = 1; i <= MANY; i++) {
        snprintf(text, sizeof text, "SKU-%d", i);
        ck_assert_int_eq(put(&index, slice_from_cstr(text), i), 0);
        ck_assert_uint_le(index.count, index.cap / 2);
    }
    ck_assert_uint_eq(index.count, MANY);
    ck_assert_uint_eq(index.cap & (index.cap - 1), 0);
    for (int i = 1; i <= MANY; i++) {
        snprintf(text, sizeof text, "SKU-%d", i);
        ck_assert_int_eq(text_index_get(&index, slice_from_cstr(text)), i);
    }
    ck_assert_int_eq(text_index_get(&index, SLICE("SKU-0")), 0);
    text_index_done(&index);
}
END_TEST

void cli_text_index(struct suite *s)
{
    suite_test(s, text_index_empty);
    suite_test(s, text_index_overwrites);
    suite_test(s, text_index_bytes);
    suite_test(s, text_index_grows);
}
