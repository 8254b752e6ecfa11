#include "fcgi/api/product_history.h"

#include "fcgi/api/audit_store.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/page.h"
#include "fcgi/api/products_store.h"

#define LIMIT_DEFAULT 20
/* As many of the longest changes as fit an answer. */
#define LIMIT_MAX     50

/* What product_changes_write() makes. */
static const char changes_schema[] =
    "\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\","
    "\"required\":[\"before\",\"after\"],\"properties\":{"
    "\"before\":{\"type\":[\"string\",\"integer\",\"null\"]},"
    "\"after\":{\"type\":[\"string\",\"integer\",\"null\"]}}}";
static const struct view_field change_fields[] = {
    VIEW_FIELD(audit_event, id, I64),
    VIEW_FIELD(audit_event, action, TEXT, .choices = PRODUCT_ACTION_NAMES),
    VIEW_FIELD(audit_event, version, I64),
    VIEW_FIELD(audit_event, at, TIME),
    VIEW_FIELD(audit_event, user_id, TEXT, .nullable = true),
    VIEW_FIELD(audit_event, username, TEXT, .nullable = true),
    VIEW_FIELD(audit_event, request_id, TEXT),
    VIEW_FIELD(audit_event, changes, JSON, .schema = changes_schema),
};
const struct view change_view = {"Change", ARRAY(change_fields)};

struct history_query {
    struct slice cursor;
    struct opt_i64 limit;
};

static const struct query_param history_params[] = {
    QUERY_I64_OR(history_query, limit, 1, LIMIT_MAX, LIMIT_DEFAULT, "changes a page"),
    QUERY_TEXT(history_query, cursor, 1, CURSOR_TEXT_MAX, "next_cursor of the page before"),
};
const struct query_table product_history_query = {ARRAY(history_params)};

static struct slice cursor_binding(const struct ctx *ctx, int64_t id)
{
    struct buf out = arena_buf(ctx->arena, 64);
    buf_add_format(&out, "history " PRODUCT_NOUN " %lld", (long long)id);
    return buf_slice(&out);
}

static bool list(struct ctx *ctx, const void *source, const struct cursor *after, int64_t limit,
                 struct db_rows *ret, struct err *err)
{
    return audit_list(ctx->db, ctx->arena, PRODUCT_NOUN, *(const int64_t *)source,
                      after ? after->id : 0, limit, ret, err);
}

static bool next(struct db_rows *rows, void *ret_row, struct err *err)
{
    return audit_next(rows, ret_row, err);
}

static struct cursor key(const void *source, const void *row)
{
    (void)source;
    return (struct cursor){.id = ((const struct audit_event *)row)->id};
}

bool product_history_handler(struct ctx *ctx, struct err *err)
{
    struct history_query q = {0};
    struct audit_event row;
    struct product product;
    int64_t id = 0, count = 0;
    if (!ctx_has_cursor_keys(ctx, err) || !ctx_query(ctx, &q, err) ||
        !ctx_id(ctx, 0, &ERR_PRODUCT_ABSENT, &id, err))
        return false;
    const struct page page = {.binding = cursor_binding(ctx, id),
                              .cursor = q.cursor,
                              .limit = q.limit.value,
                              .source = &id,
                              .row = &row,
                              .view = &change_view,
                              .list = list,
                              .next = next,
                              .key = key};
    return page_write(ctx, &page, &count, err) &&
           /* What was imported and never changed has no history, but it is there. */
           (count > 0 || product_find_any(ctx->db, ctx->arena, id, &product, err)) &&
           page_end(ctx, err);
}
