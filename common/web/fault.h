/* fault.h - what is wrong with an input, piece by piece, so that all of it is said at once.
 * The list lives in an arena and is bounded: a hostile body cannot make an answer of megabytes. */
#ifndef COMMON_WEB_FAULT_H
#define COMMON_WEB_FAULT_H

#include "common/base/arena.h"

#define FAULTS_MAX 32

/* What can be wrong: for programs, and as a sentence about the member or parameter for the API
 * document. Those of the service's own nouns stand in fcgi/api/errors.h, made by the same macros.
 */
struct fault_kind {
    const char *code; /* stable */
    const char *help;
};
#define FAULT_KINDS(X)                                                                             \
    X(FAULT_BLANKS, "blanks",                                                                      \
      "has no character that can be seen, or is a key with a space at an end")                     \
    X(FAULT_CHOICE, "choice", "is none of those that are allowed")                                 \
    X(FAULT_CONTROL, "control", "holds control characters")                                        \
    X(FAULT_ENCODING, "encoding", "is not percent-encoded UTF-8")                                  \
    X(FAULT_JSON, "json", "does not exist: the body is no JSON")                                   \
    X(FAULT_LENGTH, "length", "has too few or too many characters")                                \
    X(FAULT_RANGE, "range", "is a number out of its range")                                        \
    X(FAULT_REPEATED, "repeated", "is given more than once")                                       \
    X(FAULT_REQUIRED, "required", "is missing, or a patch would remove it")                        \
    X(FAULT_TYPE, "type", "has a value of the wrong type; an empty pointer is the whole body")     \
    X(FAULT_UNKNOWN, "unknown", "is none that this address has")

#define FAULT_DECLARE(name, code, help) extern const struct fault_kind name;
#define FAULT_DEFINE(name, code, help)  const struct fault_kind name = {code, help};
FAULT_KINDS(FAULT_DECLARE)

struct fault {
    struct slice pointer; /* RFC 6901 pointer into the body, or "/query/NAME" */
    const char *code;     /* of its kind */
    struct slice message; /* for people */
};

struct faults {
    struct fault items[FAULTS_MAX];
    size_t count; /* at most FAULTS_MAX; what came after is not kept */
};

/* Adds "prefix" + escaped `name` as the pointer and the formatted text as the message. A full list
 * drops the entry; a full arena leaves its texts empty, since readers tell by `count` whether
 * anything was wrong. */
void fault_add(struct faults *faults, struct arena *arena, const char *prefix, struct slice name,
               const struct fault_kind *kind, const char *fmt, ...) PRINTF(6, 7);
/* `,"errors":[...]` in the shape of a problem; nothing when there are none. */
void faults_write(struct buf *out, const struct faults *faults);

#endif
