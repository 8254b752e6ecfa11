/* view.h - view tables: a row struct becomes a JSON object straight in the reply buffer.
 * The same tables describe the answers in the API document. Pure. */
#ifndef COMMON_WEB_VIEW_H
#define COMMON_WEB_VIEW_H

#include "common/base/buf.h"

enum view_kind {
    VIEW_KIND_I64,  /* int64_t */
    VIEW_KIND_TEXT, /* struct slice; ptr NULL is JSON null */
    VIEW_KIND_BOOL, /* bool */
    VIEW_KIND_JSON, /* struct slice that is a JSON object already */
    VIEW_KIND_TIME, /* struct slice "2026-11-22 21:07:11.123" (UTC) -> RFC 3339 */
    VIEW_KIND_ONE,  /* a struct inside the row, through `view` */
};

struct view;

struct view_field {
    struct slice opening; /* `"name":` */
    enum view_kind kind;
    bool nullable; /* for the API document: a TEXT or TIME that may be null */
    size_t offset;
    const struct view *view; /* of a ONE */
    /* For the API document. */
    const char *choices; /* of a TEXT: all it can be, separated by '|' */
    const char *schema;  /* of a JSON: its JSON Schema, members without braces */
};

struct view {
    const char *name; /* of the schema in the API document */
    const struct view_field *fields;
    size_t count;
};

/* What follows the kind sets further members: VIEW_FIELD(product, brand, TEXT, .nullable = true) */
#define VIEW_FIELD(type, member, kind_, ...)                                                       \
    {                                                                                              \
        .opening = SLICE_INIT("\"" #member "\":"), .kind = VIEW_KIND_##kind_,                      \
        .offset = offsetof(struct type, member), __VA_ARGS__                                       \
    }

/* Appends `{"name":value,...}` for the row. */
void view_write(struct buf *out, const struct view *view, const void *row);
/* The same without the braces, to stand among other members. */
void view_write_members(struct buf *out, const struct view *view, const void *row);

#endif
