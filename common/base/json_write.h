/* json_write.h - JSON text (RFC 8259) straight into a buffer, no tree. Pure.
 * Numbers, `true` and punctuation are appended with buf_add*(); only strings need care. */
#ifndef COMMON_BASE_JSON_WRITE_H
#define COMMON_BASE_JSON_WRITE_H

#include "common/base/buf.h"

/* Appends `s` as a JSON string, quotes included. Well-formed UTF-8 passes as it is; each byte that
 * is not becomes U+FFFD, so the output is valid JSON whatever came in. */
void json_add_string(struct buf *b, struct slice s);
/* Appends `"name":value`, with a comma before it unless it opens an object or array. */
void json_add_member(struct buf *b, const char *name, struct slice string_value);
void json_add_member_i64(struct buf *b, const char *name, int64_t value);
void json_add_member_bool(struct buf *b, const char *name, bool value);
/* Appends `"name":`, for a value that the caller writes; comma as above. */
void json_add_name(struct buf *b, const char *name);

#endif
