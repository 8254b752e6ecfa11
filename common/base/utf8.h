/* utf8.h - UTF-8 as RFC 3629 defines it: shortest form only, no surrogates, at most U+10FFFF. Pure.
 */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H

#include "common/base/slice.h"

/* Length in bytes of the well-formed sequence that starts at `at` (1 to 4); 0 when there is none.
 */
size_t utf8_sequence(struct slice s, size_t at);
/* Byte position of the first malformed sequence; s.len when all of it is well formed. */
size_t utf8_valid_prefix(struct slice s);
bool utf8_valid(struct slice s);
/* Code points in well-formed text. */
size_t utf8_length(struct slice s);

#endif
