/* buf.h - text under construction in storage of fixed size.
 * Pure. The storage is the caller's and never grows; once something does not fit, `full` stays set
 * and later appends do nothing, so a run of appends needs one check at its end. */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include "common/base/macros.h"
#include "common/base/slice.h"

#include <stdint.h>

struct buf {
    char *ptr;
    size_t len, cap;
    bool full;
};

#define BUF(array) ((struct buf){(array), 0, sizeof(array), false})

void buf_add(struct buf *b, struct slice s);
void buf_add_cstr(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_i64(struct buf *b, int64_t value); /* decimal */
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_format(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Forgets what was added after the buffer was `len` long, a truncation included. */
void buf_cut(struct buf *b, size_t len);
struct slice buf_slice(const struct buf *b); /* borrows the storage */
/* The text with a NUL behind it, in the storage; NULL when it does not fit. */
const char *buf_cstr(struct buf *b) MUST_USE;

#endif
