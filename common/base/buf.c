#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_add(struct buf *b, struct slice s)
{
    if (b->full || s.len > b->cap - b->len) {
        b->full = true; /* sticky: the caller asks once, at the end */
    } else if (s.len > 0) {
        memcpy(b->ptr + b->len, s.ptr, s.len);
        b->len += s.len;
    }
}

void buf_add_cstr(struct buf *b, const char *text)
{
    buf_add(b, slice_from_cstr(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, (struct slice){&c, 1});
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20]; /* UINT64_MAX has 20 */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_add(b, (struct slice){digits + at, sizeof digits - at});
}

void buf_add_i64(struct buf *b, int64_t value)
{
    if (value < 0)
        buf_add_char(b, '-');
    /* The unsigned negation is defined for INT64_MIN too. */
    buf_add_u64(b, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void buf_add_format(struct buf *b, const char *fmt, ...)
{
    if (b->full)
        return;
    size_t room = b->cap - b->len;
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(b->ptr + b->len, room, fmt, args);
    va_end(args);
    if (wanted < 0 || (size_t)wanted >= room) /* vsnprintf needs a byte for its NUL */
        b->full = true;
    else
        b->len += (size_t)wanted;
}

void buf_cut(struct buf *b, size_t len)
{
    if (len <= b->len) {
        b->len = len;
        b->full = false;
    }
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->ptr, b->len};
}

const char *buf_cstr(struct buf *b)
{
    if (b->full || b->len == b->cap)
        return NULL;
    b->ptr[b->len] = '\0';
    return b->ptr;
}
