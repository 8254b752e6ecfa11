#include "fcgi/api/product_history.h"

#include "fcgi/api/audit_store.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/products_store.h"

#define LIMIT_DEFAULT 20
/* As many of the longest changes as fit an answer. */
#define LIMIT_MAX     50

/* What product_changes_write() makes. */
static const char changes_schema[] =
    "\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"before\",\"after\"],\"properties\":{"
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
    QUERY_I64(history_query, limit, 1, LIMIT_MAX, "changes a page; 20 unless given"),
    QUERY_TEXT(history_query, cursor, 1, CURSOR_TEXT_MAX, "next_cursor of the page before"),
};
const struct query_table product_history_query = {ARRAY(history_params)};

static struct slice cursor_binding(const struct ctx *ctx, int64_t id)
{
    struct buf out = arena_buf(ctx->arena, 64);
    buf_add_format(&out, "history " PRODUCT_NOUN " %lld", (long long)id);
    return buf_slice(&out);
}

/* Writes the items and leaves the last one's id in `*ret_last`; `*ret_more`: there are others. */
static bool write_items(struct ctx *ctx, struct db_rows *rows, int64_t limit,
                        struct cursor *ret_last, bool *ret_more, struct err *err)
{
    struct buf *body = &ctx->reply->body;
    struct audit_event row;
    int64_t count = 0;
    buf_add(body, SLICE("{\"items\":["));
    for (*ret_more = false; audit_next(rows, &row, err); count++) {
        if (count == limit) {
            *ret_more = true;
            break;
        }
        buf_add(body, count > 0 ? SLICE(",") : SLICE(""));
        view_write(body, &change_view, &row);
        ret_last->id = row.id;
    }
    buf_add_char(body, ']');
    return db_rows_ok(rows);
}

bool product_history_handler(struct ctx *ctx, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct history_query q = {.limit.value = LIMIT_DEFAULT};
    struct cursor after = {0}, last = {0};
    struct product product;
    int64_t id = 0;
    bool more = false;
    if (!ctx_has_cursor_keys(ctx, err) || !ctx_query(ctx, &q, err) ||
        !ctx_id(ctx, 0, &ERR_PRODUCT_ABSENT, &id, err))
        return false;
    struct slice binding = cursor_binding(ctx, id);
    if ((q.cursor.ptr &&
         !cursor_read(&ctx->api->cursor_keys, binding, q.cursor, ctx->arena, &after, err)) ||
        /* One row more than shown tells whether there is a next page. */
        !audit_list(ctx->db, ctx->arena, PRODUCT_NOUN, id, after.id, q.limit.value + 1, &rows,
                    err) ||
        !write_items(ctx, &rows, q.limit.value, &last, &more, err) ||
        /* What was imported and never changed has no history, but it is there. */
        (last.id == 0 && !product_find_any(ctx->db, ctx->arena, id, &product, err)) ||
        !reply_next_cursor(ctx, binding, more ? &last : NULL, err))
        return false;
    buf_add_char(&ctx->reply->body, '}');
    return reply_json(ctx, 200, err);
}
