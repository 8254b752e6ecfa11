#include "common/base/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_ALIGN alignof(max_align_t)

bool arena_init(struct arena *a, size_t limit, struct err *err)
{
    void *base = mmap(NULL, limit, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return err_fail(err, &ERR_INTERNAL, "arena of %zu bytes: %s", limit, strerror(errno));
    *a = (struct arena){.base = base, .limit = limit};
    return true;
}

void arena_done(struct arena *a)
{
    if (a->base)
        munmap(a->base, a->limit);
    *a = (struct arena){0};
}

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, ARENA_ALIGN - 1, &bytes))
        return NULL;
    bytes -= bytes % ARENA_ALIGN;
    if (bytes > a->limit - a->used)
        return NULL;
    void *p = a->base + a->used;
    a->used += bytes;
    return memset(p, 0, bytes);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *copy = arena_alloc(a, s.len + 1, 1); /* s.len < SIZE_MAX: the bytes exist */
    if (!copy)
        return (struct slice){0};
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (struct slice){copy, s.len};
}

struct buf arena_buf(struct arena *a, size_t cap)
{
    size_t bytes = cap + ARENA_ALIGN - 1;
    bytes -= bytes % ARENA_ALIGN;
    if (bytes < cap || bytes > a->limit - a->used)
        return (struct buf){.full = true};
    /* Not zeroed: a builder is only ever read as far as it was written. */
    struct buf b = {.ptr = a->base + a->used, .cap = cap};
    a->used += bytes;
    return b;
}

void arena_reset(struct arena *a)
{
    arena_trim(a, a->used);
    a->used = 0;
}

void arena_trim(const struct arena *a, size_t touched)
{
    if (touched > ARENA_KEEP && a->limit > ARENA_KEEP)
        madvise(a->base + ARENA_KEEP, a->limit - ARENA_KEEP, MADV_DONTNEED);
}
