/* fuzz.h - what the fuzz targets share. Each is a libFuzzer program: clang -fsanitize=fuzzer. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/base/arena.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* One arena for all runs of a target, empty at the start of each. */
static inline struct arena *fuzz_arena(void)
{
    static struct arena arena;
    struct err err = {0};
    if (!arena.base && !arena_init(&arena, MIB(1), &err))
        abort();
    arena_reset(&arena);
    return &arena;
}

/* What must never be. A failure leaves the input behind, as a crash does. */
#define FUZZ_ASSERT(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#endif
