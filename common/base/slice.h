/* slice.h - borrowed bytes with a length: how text travels through the service.
 * Pure. A slice owns nothing; it lives as long as the bytes it points at, and is not
 * NUL-terminated. A zero slice is the empty text. */
#ifndef COMMON_BASE_SLICE_H
#define COMMON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE(lit) ((struct slice){"" lit, sizeof(lit) - 1})
/* For tables with static storage, where a compound literal is no constant. */
#define SLICE_INIT(lit)                                                                            \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
#define SLICE_ARG(s) (int)(s).len, (s).len > 0 ? (s).ptr : "" /* for "%.*s" */

struct slice slice_from_cstr(const char *text); /* NULL gives the empty slice */
/* Copies the text with a NUL behind it; false when it does not fit or holds a NUL itself. */
bool slice_to_cstr(struct slice s, char *ret, size_t cap);
bool slice_equal(struct slice a, struct slice b);
bool slice_equal_ignore_case(struct slice a, struct slice b); /* ASCII letters only */
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_contains_byte(struct slice s, char byte);
struct slice slice_after(struct slice s, size_t count); /* without the first `count` bytes */
struct slice slice_trim(struct slice s);                /* without blanks and tabs at both ends */

/* Takes the part of `*rest` before the first `separator` and moves `*rest` behind it. Returns false
 * when `*rest` is exhausted (its ptr is then NULL, and so is the part's), so
 * `while (slice_cut(&rest, ',', &part))` visits every part, empty ones included. An empty text has
 * one empty part. */
bool slice_cut(struct slice *rest, char separator, struct slice *ret_part);

#endif
