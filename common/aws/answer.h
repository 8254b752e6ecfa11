/* answer.h - reads what services answer: JSON objects and error documents. The bytes are untrusted:
 * whatever they are, the reader ends, stays within the arena, and takes nothing it does not know.
 * Pure but for the arena. */
#ifndef COMMON_AWS_ANSWER_H
#define COMMON_AWS_ANSWER_H

#include "common/aws/errors.h"
#include "common/base/arena.h"

#include <stdint.h>

/* A text member of a JSON object that its reader wants. Absent or null leaves `*at` as it is. */
struct answer_field {
    const char *name;
    struct slice *at; /* gets a copy in the arena */
    bool required;    /* must be there and not empty */
};

/* Reads the members of one JSON object; members that no field names are passed over. Errors:
 * ERR_AWS_ANSWER when it is no JSON object, a wanted member is no text or is there twice, a
 * required one is missing, or the arena is full. The cause never quotes a value. */
bool answer_read_json(struct slice body, const struct answer_field *fields, size_t count,
                      struct arena *arena, struct err *err) MUST_USE;

/* The service's name for what is wrong: `__type` (or `code`) of a JSON answer, without the
 * namespace in front of '#' and the address behind ':'; `Code` of S3's XML. It has letters, digits
 * and dots only, at most ANSWER_CODE_MAX; empty when the body names none. Lives in the arena. */
struct slice answer_error_code(struct slice body, struct arena *arena) MUST_USE;
#define ANSWER_CODE_MAX 64

/* The service's own words for it, for the log: the first line of `message` (or `Message`), in
 * printable ASCII, at most ANSWER_MESSAGE_MAX. A refused signature is explained with the request
 * that was signed, session token and all, on further lines; and a word of more than
 * ANSWER_WORD_MAX could be such a token by itself, so the text ends in front of it. Empty when
 * there is none. Lives in the arena. */
struct slice answer_error_message(struct slice body, struct arena *arena) MUST_USE;
#define ANSWER_MESSAGE_MAX 400
#define ANSWER_WORD_MAX    200

/* Unix seconds of an RFC 3339 time in UTC ("2026-11-22T21:07:11Z", fraction allowed), and of an
 * HTTP date ("Sun, 22 Nov 2026 21:07:11 GMT"). -1 when the text is neither. */
int64_t answer_time_rfc3339(struct slice text);
int64_t answer_time_http(struct slice text);

#endif
