/* cursor.h - where a list goes on: the sort key of the last row shown, opaque to clients.
 * A cursor is authenticated (common/auth/mac.h) together with the query it belongs to, so it can
 * neither be forged nor carried over to another filter or sort. Pure but for the arena. */
#ifndef FCGI_API_CURSOR_H
#define FCGI_API_CURSOR_H

#include "common/auth/mac.h"
#include "common/base/arena.h"

#include <stdint.h>

struct cursor {
    int64_t id;        /* of the last row */
    struct slice text; /* its sort key where that is a text; else empty */
    int64_t number;    /* its sort key where that is a number */
};

/* `binding` spells the query: whatever must be equal for the cursor to be valid. The result lives
 * in the arena; ptr NULL when that is full. */
struct slice cursor_write(const struct mac_ring *ring, struct slice binding,
                          const struct cursor *cursor, struct arena *arena) MUST_USE;
/* Errors: ERR_CURSOR_INVALID. */
bool cursor_read(const struct mac_ring *ring, struct slice binding, struct slice text,
                 struct arena *arena, struct cursor *ret, struct err *err) MUST_USE;

#endif
