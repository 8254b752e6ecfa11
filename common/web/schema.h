/* schema.h - what a JSON object of input must look like, as a table: parsing, the error text and
 * the API document agree, and no caller ever sees a cJSON tree. Sources: RFC 8259, RFC 6901. */
#ifndef COMMON_WEB_SCHEMA_H
#define COMMON_WEB_SCHEMA_H

#include "common/web/fault.h"

#include <stdint.h>

enum field_kind {
    FIELD_KIND_TEXT,   /* struct slice; any text, line breaks and tabs included */
    FIELD_KIND_LINE,   /* struct slice; no control characters, and not blank if it needs a length */
    FIELD_KIND_KEY,    /* struct slice; a LINE without blanks at its ends, for values compared */
    FIELD_KIND_I64,    /* int64_t */
    FIELD_KIND_CHOICE, /* int64_t: position in `choices` */
};
enum field_need { REQUIRED, OPTIONAL };

struct field {
    const char *name;
    enum field_kind kind;
    enum field_need need;
    size_t offset;
    int64_t min, max; /* text: code points; number: range */
    const char *choices;
};

struct schema {
    const char *name; /* in the API document */
    const struct field *fields;
    size_t count;
    bool patch; /* the object is an RFC 7396 merge patch, for schema_patch() */
};

#define FIELD_TEXT(type, member, need, min, max)                                                   \
    {                                                                                              \
#member, FIELD_KIND_TEXT, need, offsetof(struct type, member), min, max, NULL              \
    }
#define FIELD_LINE(type, member, need, min, max)                                                   \
    {                                                                                              \
#member, FIELD_KIND_LINE, need, offsetof(struct type, member), min, max, NULL              \
    }
#define FIELD_KEY(type, member, need, min, max)                                                    \
    {                                                                                              \
#member, FIELD_KIND_KEY, need, offsetof(struct type, member), min, max, NULL               \
    }
#define FIELD_I64(type, member, need, min, max)                                                    \
    {                                                                                              \
#member, FIELD_KIND_I64, need, offsetof(struct type, member), min, max, NULL               \
    }
#define FIELD_CHOICE(type, member, need, choices)                                                  \
    {                                                                                              \
#member, FIELD_KIND_CHOICE, need, offsetof(struct type, member), 0, 0, choices             \
    }

/* Reads one JSON object into the struct behind `ret`, whose members hold their defaults already;
 * texts are copied into `arena`. Refuses what json_check.h refuses, unknown and repeated members,
 * wrong types, values out of range; an OPTIONAL member may be null and then keeps its default.
 * Errors: ERR_JSON_INVALID (the place in the cause and as the one fault), ERR_BODY_INVALID with an
 * entry in `faults` for each member. On an error the struct may be half filled. */
bool schema_read(const struct schema *schema, struct slice json, struct arena *arena, void *ret,
                 struct faults *faults, struct err *err) MUST_USE;

/* Applies a JSON merge patch (RFC 7396) to the struct behind `io`: a member that is not there stays
 * as it is, null gives an OPTIONAL one the value it has in the struct behind `defaults`, and a
 * REQUIRED one cannot be removed. Otherwise like schema_read(). */
bool schema_patch(const struct schema *schema, struct slice json, struct arena *arena,
                  const void *defaults, void *io, struct faults *faults, struct err *err) MUST_USE;

#endif
