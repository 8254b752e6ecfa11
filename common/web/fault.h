/* fault.h - what is wrong with an input, piece by piece, so that all of it is said at once.
 * The list lives in an arena and is bounded: a hostile body cannot make an answer of megabytes. */
#ifndef COMMON_WEB_FAULT_H
#define COMMON_WEB_FAULT_H

#include "common/base/arena.h"

#define FAULTS_MAX 32

struct fault {
    struct slice pointer; /* RFC 6901 pointer into the body, or "/query/NAME" */
    const char *code;     /* stable: required, unknown, repeated, type, range, length, ... */
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
               const char *code, const char *fmt, ...) PRINTF(6, 7);
/* `,"errors":[...]` in the shape of a problem; nothing when there are none. */
void faults_write(struct buf *out, const struct faults *faults);

#endif
