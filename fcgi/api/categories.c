#include "fcgi/api/categories.h"

#include "fcgi/api/categories_store.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     500

static const struct view_field category_fields[] = {
    VIEW_FIELD(category, key, TEXT),
    VIEW_FIELD(category, products, I64),
};
const struct view category_view = {"Category", ARRAY(category_fields)};

struct list_query {
    struct slice cursor;
    struct opt_i64 limit;
};

static const struct query_param list_params[] = {
    QUERY_I64(list_query, limit, 1, LIMIT_MAX, "categories a page; 100 unless given"),
    QUERY_TEXT(list_query, cursor, 1, CURSOR_TEXT_MAX, "next_cursor of the page before"),
};
const struct query_table category_list_query = {ARRAY(list_params)};

static const struct slice binding = SLICE_INIT("categories");

/* Writes the items and leaves the last one's key in `*ret_last`; `*ret_more`: there are others. */
static bool write_items(struct ctx *ctx, struct db_rows *rows, int64_t limit,
                        struct cursor *ret_last, bool *ret_more, struct err *err)
{
    struct buf *body = &ctx->reply->body;
    struct category row;
    int64_t count = 0;
    buf_add(body, SLICE("{\"items\":["));
    for (*ret_more = false; category_next(rows, &row, err); count++) {
        if (count == limit) {
            *ret_more = true;
            break;
        }
        buf_add(body, count > 0 ? SLICE(",") : SLICE(""));
        view_write(body, &category_view, &row);
        ret_last->text = row.key;
    }
    buf_add_char(body, ']');
    return db_rows_ok(rows);
}

bool category_list_handler(struct ctx *ctx, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct list_query q = {.limit.value = LIMIT_DEFAULT};
    struct cursor after = {0}, last = {0};
    bool more = false;
    if (!ctx_has_cursor_keys(ctx, err) || !ctx_query(ctx, &q, err) ||
        (q.cursor.ptr &&
         !cursor_read(&ctx->api->cursor_keys, binding, q.cursor, ctx->arena, &after, err)) ||
        /* One row more than shown tells whether there is a next page. */
        !category_list(ctx->db, ctx->arena, after.text, q.limit.value + 1, &rows, err) ||
        !write_items(ctx, &rows, q.limit.value, &last, &more, err) ||
        !reply_next_cursor(ctx, binding, more ? &last : NULL, err))
        return false;
    buf_add_char(&ctx->reply->body, '}');
    return reply_json(ctx, 200, err);
}
