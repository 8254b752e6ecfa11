/* base64url.h - RFC 4648 section 5 without padding, as in JOSE and in our cursors. Pure. */
#ifndef COMMON_BASE_BASE64URL_H
#define COMMON_BASE_BASE64URL_H

#include "common/base/buf.h"

void base64url_add(struct buf *b, struct slice bytes);
/* Appends the decoded bytes; false (and nothing appended) on padding, blanks, any other character,
 * an impossible length, or unused bits that are not zero (so each value has one spelling only). */
bool base64url_decode(struct buf *b, struct slice text) MUST_USE;

#endif
