#include "fcgi/api/categories.h"

#include "fcgi/api/categories_store.h"
#include "fcgi/api/page.h"

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
    QUERY_I64_OR(list_query, limit, 1, LIMIT_MAX, LIMIT_DEFAULT, "categories a page"),
    QUERY_TEXT(list_query, cursor, 1, CURSOR_TEXT_MAX, "next_cursor of the page before"),
};
const struct query_table category_list_query = {ARRAY(list_params)};

static const struct slice binding = SLICE_INIT("categories");

static bool list(struct ctx *ctx, const void *source, const struct cursor *after, int64_t limit,
                 struct db_rows *ret, struct err *err)
{
    (void)source;
    return category_list(ctx->db, ctx->arena, after ? after->text : (struct slice){0}, limit, ret,
                         err);
}

static bool next(struct db_rows *rows, void *ret_row, struct err *err)
{
    return category_next(rows, ret_row, err);
}

static struct cursor key(const void *source, const void *row)
{
    (void)source;
    return (struct cursor){.text = ((const struct category *)row)->key};
}

bool category_list_handler(struct ctx *ctx, struct err *err)
{
    struct list_query q = {0};
    struct category row;
    if (!ctx_has_cursor_keys(ctx, err) || !ctx_query(ctx, &q, err))
        return false;
    const struct page page = {.binding = binding,
                              .cursor = q.cursor,
                              .limit = q.limit.value,
                              .row = &row,
                              .view = &category_view,
                              .list = list,
                              .next = next,
                              .key = key};
    return page_write(ctx, &page, NULL, err) && page_end(ctx, err);
}
