/* assert.h - what Check's own assertions lack: slices, and memory that must be there. */
#ifndef TESTS_UNIT_SUPPORT_ASSERT_H
#define TESTS_UNIT_SUPPORT_ASSERT_H

#include "common/base/arena.h"

#include <check.h>

#define ck_assert_slice_eq(got, want)                                                              \
    do {                                                                                           \
        struct slice got_ = (got), want_ = (want);                                                 \
        ck_assert_msg(slice_equal(got_, want_), "%s is \"%.*s\", not \"%.*s\"", #got,              \
                      SLICE_ARG(got_), SLICE_ARG(want_));                                          \
    } while (0)
/* `want` is a C string; NULL stands for the empty slice without a pointer. */
#define ck_assert_text_eq(got, want)                                                               \
    do {                                                                                           \
        const char *text_ = (want);                                                                \
        struct slice slice_ = (got);                                                               \
        ck_assert_slice_eq(slice_, slice_from_cstr(text_));                                        \
        ck_assert_int_eq(slice_.ptr != NULL, text_ != NULL);                                       \
    } while (0)

/* An arena that exists; release with arena_done(). */
static inline struct arena test_arena(size_t limit)
{
    struct arena arena = {0};
    struct err err = {0};
    ck_assert_msg(arena_init(&arena, limit, &err), "%s", err.cause);
    return arena;
}

#endif
