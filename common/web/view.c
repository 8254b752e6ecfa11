#include "common/web/view.h"

#include "common/base/json_write.h"

/* The database's DATETIME(3) text, which is UTC by our connect statement, as RFC 3339. */
static void add_time(struct buf *out, struct slice text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++)
        buf_add_char(out, (char)(text.ptr[i] == ' ' ? 'T' : text.ptr[i]));
    buf_add(out, SLICE("Z\""));
}

static void add_value(struct buf *out, const struct view_field *field, const void *at)
{
    const struct slice *text = at;
    if (field->kind == VIEW_KIND_I64)
        buf_add_i64(out, *(const int64_t *)at);
    else if (field->kind == VIEW_KIND_BOOL)
        buf_add(out, *(const bool *)at ? SLICE("true") : SLICE("false"));
    else if (field->kind == VIEW_KIND_ONE)
        view_write(out, field->view, at);
    else if (!text->ptr)
        buf_add(out, SLICE("null"));
    else if (field->kind == VIEW_KIND_JSON)
        buf_add(out, *text);
    else if (field->kind == VIEW_KIND_TIME)
        add_time(out, *text);
    else
        json_add_string(out, *text);
}

void view_write_members(struct buf *out, const struct view *view, const void *row)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct view_field *field = &view->fields[i];
        if (i > 0)
            buf_add_char(out, ',');
        buf_add(out, field->opening);
        add_value(out, field, (const char *)row + field->offset);
    }
}

void view_write(struct buf *out, const struct view *view, const void *row)
{
    buf_add_char(out, '{');
    view_write_members(out, view, row);
    buf_add_char(out, '}');
}
