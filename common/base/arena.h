/* arena.h - memory that is released all at once: one arena a request, so handlers never free.
 * The limit is the most memory one request can make a worker hold. Not for use by two threads. */
#ifndef COMMON_BASE_ARENA_H
#define COMMON_BASE_ARENA_H

#include "common/base/buf.h"
#include "common/base/err.h"

struct arena {
    char *base;
    size_t used, limit;
};

/* Reserves `limit` bytes of address space; pages are touched (and paid for) only as they are used.
 * Errors: ERR_INTERNAL when the kernel gives none. Release with arena_done(). */
bool arena_init(struct arena *a, size_t limit, struct err *err) MUST_USE;
void arena_done(struct arena *a);

/* Zeroed, aligned for any type, valid until arena_reset(); NULL when the limit is reached. */
void *arena_alloc(struct arena *a, size_t count, size_t size) MUST_USE;
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), 1, sizeof(type)))
/* A copy with a NUL behind its last byte; ptr is NULL when the limit is reached. */
struct slice arena_copy(struct arena *a, struct slice s) MUST_USE;
/* An empty builder over `cap` bytes of the arena; born `full` when the limit is reached. */
struct buf arena_buf(struct arena *a, size_t cap) MUST_USE;

/* Ends the life of everything allocated. */
void arena_reset(struct arena *a);

/* Gives the pages above the first ARENA_KEEP bytes back to the system when the first `touched`
 * bytes were written, so that one big request does not stay on the bill; ends no allocation's life
 * but the contents above ARENA_KEEP. arena_reset() does it with what was allocated. */
void arena_trim(const struct arena *a, size_t touched);
#define ARENA_KEEP KIB(256)

#endif
