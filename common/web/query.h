/* query.h - query parameters by table: parsing, error text and API document agree.
 * Every fault of a query is found in one pass: unknown and repeated names, bad escapes, wrong
 * types, values out of range. Pure but for the arena. */
#ifndef COMMON_WEB_QUERY_H
#define COMMON_WEB_QUERY_H

#include "common/web/fault.h"

#include <stdint.h>

/* A value that may be absent. */
struct opt_i64 {
    bool set;
    int64_t value;
};

enum query_kind {
    QUERY_KIND_I64,    /* struct opt_i64; min..max */
    QUERY_KIND_BOOL,   /* struct opt_i64, 0 or 1; "true" or "false" */
    QUERY_KIND_CHOICE, /* struct opt_i64: position in `choices` */
    QUERY_KIND_LIST,   /* struct opt_i64: bit mask over `choices`, from "a,b" */
    QUERY_KIND_TEXT,   /* struct slice; min..max code points; ptr NULL when absent */
    QUERY_KIND_KEY,    /* a TEXT without blanks at its ends, as keys are (the database pads) */
};

struct query_param {
    const char *name;
    enum query_kind kind;
    size_t offset;
    int64_t min, max;
    const char *choices; /* separated by '|' */
    const char *help;
    struct opt_i64 fallback; /* of an I64 or CHOICE: the value unless given */
};

struct query_table {
    const struct query_param *params;
    size_t count;
};

#define QUERY_I64(type, member, min, max, help)                                                    \
    {                                                                                              \
#member, QUERY_KIND_I64, offsetof(struct type, member), min, max, NULL, help,              \
        {                                                                                          \
            false, 0                                                                               \
        }                                                                                          \
    }
#define QUERY_BOOL(type, member, help)                                                             \
    {                                                                                              \
#member, QUERY_KIND_BOOL, offsetof(struct type, member), 0, 1, NULL, help,                 \
        {                                                                                          \
            false, 0                                                                               \
        }                                                                                          \
    }
#define QUERY_CHOICE(type, member, choices, help)                                                  \
    {                                                                                              \
#member, QUERY_KIND_CHOICE, offsetof(struct type, member), 0, 0, choices, help,            \
        {                                                                                          \
            false, 0                                                                               \
        }                                                                                          \
    }
#define QUERY_LIST(type, member, choices, help)                                                    \
    {                                                                                              \
#member, QUERY_KIND_LIST, offsetof(struct type, member), 0, 0, choices, help,              \
        {                                                                                          \
            false, 0                                                                               \
        }                                                                                          \
    }
/* An I64 or CHOICE (by position) with a value unless given. */
#define QUERY_I64_OR(type, member, min, max, value, help)                                          \
    {                                                                                              \
#member, QUERY_KIND_I64, offsetof(struct type, member), min, max, NULL, help,              \
        {                                                                                          \
            true, value                                                                            \
        }                                                                                          \
    }
#define QUERY_CHOICE_OR(type, member, choices, position, help)                                     \
    {                                                                                              \
#member, QUERY_KIND_CHOICE, offsetof(struct type, member), 0, 0, choices, help,            \
        {                                                                                          \
            true, position                                                                         \
        }                                                                                          \
    }
#define QUERY_TEXT(type, member, min, max, help)                                                   \
    {                                                                                              \
#member, QUERY_KIND_TEXT, offsetof(struct type, member), min, max, NULL, help,             \
        {                                                                                          \
            false, 0                                                                               \
        }                                                                                          \
    }

#define QUERY_KEY(type, member, min, max, help)                                                    \
    {                                                                                              \
#member, QUERY_KIND_KEY, offsetof(struct type, member), min, max, NULL, help,              \
        {                                                                                          \
            false, 0                                                                               \
        }                                                                                          \
    }

/* Fills the struct behind `ret` (zeroed by the caller); what has a fallback and is not given has
 * its value, but is not `set`. With a NULL table every parameter is unknown. Errors:
 * ERR_QUERY_INVALID with an entry in `faults` for each bad parameter. */
bool query_read(const struct query_table *table, struct slice query, struct arena *arena, void *ret,
                struct faults *faults, struct err *err) MUST_USE;

#endif
