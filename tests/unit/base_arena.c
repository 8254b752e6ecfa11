#include "common/base/arena.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define LIMIT 4096

static const struct alloc_row {
    size_t used, count, size; /* `used` bytes are gone before */
    bool fits;
} alloc_rows[] = {
    {0, 1, LIMIT, true},
    {0, LIMIT, 1, true},
    {0, 1, LIMIT + 1, false},
    {0, 64, 64, true},
    {0, 64, 65, false},
    {0, 0, 8, true},
    {LIMIT, 0, 8, true},
    {LIMIT, 1, 1, false},
    {LIMIT - 16, 1, 16, true},
    {LIMIT - 16, 1, 17, false},
    {0, SIZE_MAX, 1, false},
    {0, SIZE_MAX, 2, false},
    {0, SIZE_MAX / 2 + 1, 2, false}, /* comes to 0 without the overflow check */
    {0, 1, SIZE_MAX - 7, false},     /* comes to 0 when it is rounded up */
    {16, 1, SIZE_MAX - 30, false},
};
START_TEST(arena_alloc_limits)
{
    const struct alloc_row *r = &alloc_rows[_i];
    CLEANUP(arena_done) struct arena a = test_arena(LIMIT);
    ck_assert_ptr_nonnull(arena_alloc(&a, r->used, 1));
    void *p = arena_alloc(&a, r->count, r->size);
    ck_assert_int_eq(p != NULL, r->fits);
    ck_assert_uint_le(a.used, a.limit);
    if (!r->fits)
        ck_assert_uint_eq(a.used, r->used);
}
END_TEST

START_TEST(arena_alloc_aligned_and_zeroed)
{
    CLEANUP(arena_done) struct arena a = test_arena(LIMIT);
    char *before = NULL;
    for (size_t size = 1; size <= 40; size++) {
        char *p = arena_alloc(&a, size, 1);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
        ck_assert(p >= before); /* never inside the one before */
        memset(p, 'x', size);
        before = p + size;
    }
    arena_reset(&a);
    const char *again = arena_alloc(&a, LIMIT, 1);
    ck_assert_ptr_eq(again, a.base);
    for (size_t i = 0; i < LIMIT; i++)
        ck_assert_int_eq(again[i], 0);
}
END_TEST

static const struct copy_row {
    struct slice text;
    size_t used;
    bool fits;
} copy_rows[] = {
    {SLICE_INIT("abc"), 0, true},
    {SLICE_INIT(""), 0, true},
    {{0}, 0, true},
    {SLICE_INIT("a\0b"), 0, true},
    {SLICE_INIT("123456789012345"), LIMIT - 16, true},
    {SLICE_INIT("1234567890123456"), LIMIT - 16, false}, /* its NUL does not fit */
};
START_TEST(arena_copy_texts)
{
    const struct copy_row *r = &copy_rows[_i];
    CLEANUP(arena_done) struct arena a = test_arena(LIMIT);
    ck_assert_ptr_nonnull(arena_alloc(&a, r->used, 1));
    struct slice copy = arena_copy(&a, r->text);
    ck_assert_int_eq(copy.ptr != NULL, r->fits);
    if (!r->fits)
        return;
    ck_assert_slice_eq(copy, r->text);
    ck_assert_ptr_ne(copy.ptr, r->text.ptr);
    ck_assert_int_eq(copy.ptr[copy.len], '\0');
}
END_TEST

static const struct buf_row {
    size_t cap, used;
    bool fits;
} buf_rows[] = {
    {100, 0, true},         {0, 0, true},
    {LIMIT, 0, true},       {LIMIT + 1, 0, false},
    {16, LIMIT - 16, true}, {17, LIMIT - 16, false},
    {SIZE_MAX, 0, false},   {SIZE_MAX - 14, 0, false},
};
START_TEST(arena_buf_limits)
{
    const struct buf_row *r = &buf_rows[_i];
    CLEANUP(arena_done) struct arena a = test_arena(LIMIT);
    ck_assert_ptr_nonnull(arena_alloc(&a, r->used, 1));
    struct buf b = arena_buf(&a, r->cap);
    ck_assert_int_eq(b.full, !r->fits);
    ck_assert_uint_eq(b.cap, r->fits ? r->cap : 0);
    buf_add_char(&b, 'x');
    ck_assert_int_eq(b.full, r->cap == 0 || !r->fits);
    ck_assert_uint_ge(a.used, r->used + (r->fits ? r->cap : 0));
}
END_TEST

static const struct trim_row {
    size_t limit, touched;
    bool given_back; /* what lies above ARENA_KEEP */
} trim_rows[] = {
    {MIB(1), ARENA_KEEP, false},
    {MIB(1), ARENA_KEEP + 1, true},
    {MIB(1), MIB(1), true},
    {MIB(1), 0, false},
};
START_TEST(arena_trim_keeps_the_beginning)
{
    const struct trim_row *r = &trim_rows[_i];
    CLEANUP(arena_done) struct arena a = test_arena(r->limit);
    memset(a.base, 'x', r->limit);
    arena_trim(&a, r->touched);
    ck_assert_int_eq(a.base[0], 'x');
    ck_assert_int_eq(a.base[ARENA_KEEP - 1], 'x');
    ck_assert_int_eq(a.base[ARENA_KEEP], r->given_back ? 0 : 'x');
    ck_assert_int_eq(a.base[r->limit - 1], r->given_back ? 0 : 'x');
}
END_TEST

START_TEST(arena_trim_of_a_small_arena)
{
    CLEANUP(arena_done) struct arena a = test_arena(ARENA_KEEP);
    memset(a.base, 'x', ARENA_KEEP);
    arena_trim(&a, ARENA_KEEP + 1);
    ck_assert_int_eq(a.base[ARENA_KEEP - 1], 'x');
}
END_TEST

START_TEST(arena_reset_trims_what_was_used)
{
    CLEANUP(arena_done) struct arena a = test_arena(MIB(1));
    char *p = arena_alloc(&a, ARENA_KEEP + 16, 1);
    ck_assert_ptr_nonnull(p);
    memset(p, 'x', ARENA_KEEP + 16);
    arena_reset(&a);
    ck_assert_uint_eq(a.used, 0);
    ck_assert_int_eq(a.base[ARENA_KEEP - 1], 'x');
    ck_assert_int_eq(a.base[ARENA_KEEP], 0);
}
END_TEST

static const size_t refused_limits[] = {0, SIZE_MAX / 2};
START_TEST(arena_init_refused)
{
    struct arena a = {0};
    struct err err = {0};
    ck_assert(!arena_init(&a, refused_limits[_i], &err));
    ck_assert_ptr_eq(err.kind, &ERR_INTERNAL);
    ck_assert_ptr_null(a.base);
    arena_done(&a); /* takes one that never was, and is fine twice */
    arena_done(&a);
}
END_TEST

void base_arena(struct suite *s)
{
    suite_rows(s, arena_alloc_limits, COUNT(alloc_rows));
    suite_test(s, arena_alloc_aligned_and_zeroed);
    suite_rows(s, arena_copy_texts, COUNT(copy_rows));
    suite_rows(s, arena_buf_limits, COUNT(buf_rows));
    suite_rows(s, arena_trim_keeps_the_beginning, COUNT(trim_rows));
    suite_test(s, arena_trim_of_a_small_arena);
    suite_test(s, arena_reset_trims_what_was_used);
    suite_rows(s, arena_init_refused, COUNT(refused_limits));
}
