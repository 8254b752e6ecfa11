/* json_check.h - a strict JSON check that stands in front of cJSON.
 * cJSON 1.7.15 accepts malformed numbers, raw control characters, form feeds and invalid UTF-8, and
 * cuts strings at an escaped NUL; this check refuses all of those, so what reaches it is RFC 8259
 * JSON in well-formed UTF-8 without U+0000. Duplicate members are the schema's business. Pure. */
#ifndef COMMON_BASE_JSON_CHECK_H
#define COMMON_BASE_JSON_CHECK_H

#include "common/base/slice.h"

#define JSON_DEPTH_MAX 64

struct json_fault {
    size_t at;        /* byte position of the first fault */
    const char *what; /* "control character in a string" */
};

/* True when `text` is one JSON value with nothing but blanks around it. */
bool json_check(struct slice text, struct json_fault *ret);

/* Goes through the members of a text that json_check() has found to be an object: `*at` is 0 at
 * first and belongs to this function; `*ret` is the next member's value as it is written. False
 * behind the last. For what a parsed tree has lost: the digits of a number. */
bool json_next_value(struct slice object, size_t *at, struct slice *ret);

#endif
