/* json_schema.h - the tables of input and output as JSON Schema (2020-12), for the API document:
 * what is written there is what is read and answered. Pure. */
#ifndef COMMON_WEB_JSON_SCHEMA_H
#define COMMON_WEB_JSON_SCHEMA_H

#include "common/base/buf.h"
#include "common/web/query.h"
#include "common/web/schema.h"
#include "common/web/view.h"

/* What a member means, wherever it stands: a product's `sku` is the same in what is sent and in
 * what comes back, so it is explained once. */
struct note {
    const char *owner; /* name of the one view or schema it is about; NULL: of any */
    const char *name;  /* of the member */
    const char *help;
    const char *example; /* plain, without quotes; NULL: none */
    const char *only;    /* the one text it can be in this deployment; NULL: no such rule */
};
struct notes {
    const struct note *rows; /* the first that fits counts */
    size_t count;
};

/* NULL when nothing is noted about the member. */
const struct note *notes_find(const struct notes *notes, const char *owner, struct slice name);

/* An object as it is answered: every member is there, and no other. */
void json_schema_add_view(struct buf *out, const struct view *view, const struct notes *notes);
/* The members of a view alone, `"name":{...},...`, to stand among others. */
void json_schema_add_view_members(struct buf *out, const struct view *view,
                                  const struct notes *notes);
/* An object as it is read. */
void json_schema_add_input(struct buf *out, const struct schema *schema, const struct notes *notes);
/* The value of a query parameter, once it is decoded. */
void json_schema_add_param(struct buf *out, const struct query_param *param);

#endif
