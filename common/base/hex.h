/* hex.h - bytes as lowercase hexadecimal digits. Pure. */
#ifndef COMMON_BASE_HEX_H
#define COMMON_BASE_HEX_H

#include "common/base/buf.h"

void hex_add(struct buf *b, struct slice bytes); /* two digits a byte */
/* The value of one digit of either case; -1 when it is none. */
int hex_digit(char c);
/* Appends the bytes that `digits` spell, either case; false (and nothing appended) when the text is
 * odd or has another character. Not constant-time: not for secrets. */
bool hex_decode(struct buf *b, struct slice digits) MUST_USE;

#endif
