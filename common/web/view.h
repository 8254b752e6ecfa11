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
};

struct view_field {
    struct slice opening; /* `"name":` */
    enum view_kind kind;
    size_t offset;
};

struct view {
    const char *name; /* of the schema in the API document */
    const struct view_field *fields;
    size_t count;
};

#define VIEW_FIELD(type, member, kind)                                                             \
    {                                                                                              \
        SLICE_INIT("\"" #member "\":"), VIEW_KIND_##kind, offsetof(struct type, member)            \
    }

/* Appends `{"name":value,...}` for the row. */
void view_write(struct buf *out, const struct view *view, const void *row);

#endif
