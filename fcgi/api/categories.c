#include "fcgi/api/categories.h"

#include "fcgi/api/categories_store.h"

static const struct view_field category_fields[] = {
    VIEW_FIELD(category, key, TEXT),
    VIEW_FIELD(category, products, I64),
};
static const struct view category_view = {"Category", ARRAY(category_fields)};

bool category_list_handler(struct ctx *ctx, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct buf *body = &ctx->reply->body;
    struct category row;
    if (!category_list(ctx->db, ctx->arena, &rows, err))
        return false;
    buf_add(body, SLICE("{\"items\":["));
    for (const char *between = ""; category_next(&rows, &row, err); between = ",") {
        buf_add_cstr(body, between);
        view_write(body, &category_view, &row);
    }
    buf_add(body, SLICE("],\"next_cursor\":null}")); /* all of them: a shop has few */
    return db_rows_ok(&rows) && reply_json(ctx, 200, err);
}
