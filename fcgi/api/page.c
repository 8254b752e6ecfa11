#include "fcgi/api/page.h"

/* Writes the items and leaves the last one's key in `*ret_last`; `*ret_more`: there are others. */
static bool write_items(struct ctx *ctx, const struct page *page, struct db_rows *rows,
                        struct cursor *ret_last, int64_t *ret_count, bool *ret_more,
                        struct err *err)
{
    struct buf *body = &ctx->reply->body;
    int64_t count = 0;
    bool more = false;
    buf_add(body, SLICE("{\"items\":["));
    while (page->next(rows, page->row, err)) {
        more = count == page->limit;
        if (more)
            break;
        buf_add(body, count++ > 0 ? SLICE(",") : SLICE(""));
        view_write(body, page->view, page->row);
        *ret_last = page->key(page->source, page->row);
    }
    buf_add_char(body, ']');
    *ret_count = count;
    *ret_more = more;
    return db_rows_ok(rows);
}

bool page_write(struct ctx *ctx, const struct page *page, int64_t *ret_count, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct cursor after = {0}, last = {0};
    const bool first = !page->cursor.ptr;
    int64_t count = 0;
    bool more = false;
    if (!first &&
        !cursor_read(&ctx->api->cursor_keys, page->binding, page->cursor, ctx->arena, &after, err))
        return false;
    /* One row more than shown tells whether there is a next page. */
    if (!page->list(ctx, page->source, first ? NULL : &after, page->limit + 1, &rows, err) ||
        !write_items(ctx, page, &rows, &last, &count, &more, err) ||
        !reply_next_cursor(ctx, page->binding, more ? &last : NULL, err))
        return false;
    if (ret_count)
        *ret_count = count;
    return true;
}

bool page_end(struct ctx *ctx, struct err *err)
{
    buf_add_char(&ctx->reply->body, '}');
    return reply_json(ctx, 200, err);
}
