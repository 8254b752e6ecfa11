#include "fcgi/api/products.h"

#include "common/base/json_write.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/product_input.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     100

static const struct view_field product_fields[] = {
    VIEW_FIELD(product, id, I64),
    VIEW_FIELD(product, sku, TEXT),
    VIEW_FIELD(product, name, TEXT),
    VIEW_FIELD(product, description, TEXT),
    VIEW_FIELD(product, brand, TEXT, .nullable = true),
    VIEW_FIELD(product, category, TEXT),
    VIEW_FIELD(product, price_minor, I64),
    VIEW_FIELD(product, currency, TEXT),
    VIEW_FIELD(product, stock, I64),
    VIEW_FIELD(product, in_stock, BOOL),
    VIEW_FIELD(product, status, TEXT, .choices = PRODUCT_STATUS_NAMES "|" PRODUCT_DELETED),
    VIEW_FIELD(product, version, I64),
    VIEW_FIELD(product, created_at, TIME),
    VIEW_FIELD(product, updated_at, TIME),
};
const struct view product_view = {"Product", ARRAY(product_fields)};

struct total {
    int64_t total;
    bool total_is_estimate;
};
static const struct view_field total_fields[] = {
    VIEW_FIELD(total, total, I64),
    VIEW_FIELD(total, total_is_estimate, BOOL),
};
const struct view product_total_view = {"Total", ARRAY(total_fields)};

enum include { INCLUDE_TOTAL = 1 << 0 };

struct list_query {
    struct slice category, brand, cursor;
    struct opt_i64 price_min, price_max, in_stock, sort, limit, include;
};

static const struct query_param list_params[] = {
    QUERY_KEY(list_query, category, 1, 100, "only products of this category"),
    QUERY_KEY(list_query, brand, 1, 100, "only products of this brand"),
    QUERY_I64(list_query, price_min, 0, PRODUCT_PRICE_MAX, "least price, in minor units"),
    QUERY_I64(list_query, price_max, 0, PRODUCT_PRICE_MAX, "greatest price, in minor units"),
    QUERY_BOOL(list_query, in_stock, "only products in stock, or only those out of it"),
    QUERY_CHOICE(list_query, sort, PRODUCT_SORT_NAMES, "order; newest unless given"),
    QUERY_I64(list_query, limit, 1, LIMIT_MAX, "products a page; 20 unless given"),
    QUERY_TEXT(list_query, cursor, 1, CURSOR_TEXT_MAX, "next_cursor of the page before"),
    QUERY_LIST(list_query, include, "total", "extra members of the answer"),
};
const struct query_table product_list_query = {ARRAY(list_params)};

/* The shortest complete spelling of what a cursor belongs to: sort and filters. The page size and
 * extra members may change between pages. */
static struct slice cursor_binding(const struct ctx *ctx, const struct product_filter *f,
                                   enum product_sort sort)
{
    struct buf out = arena_buf(ctx->arena, KIB(2));
    buf_add_format(&out, "products %d", (int)sort);
    json_add_member(&out, "category", f->category);
    json_add_member(&out, "brand", f->brand);
    const struct opt_i64 numbers[] = {f->price_min, f->price_max, f->in_stock};
    for (size_t i = 0; i < COUNT(numbers); i++)
        buf_add_format(&out, " %d:%lld", numbers[i].set, (long long)numbers[i].value);
    return buf_slice(&out);
}

/* Writes the items and, when there is a row more than fits the page, leaves its predecessor's key
 * in
 * `*ret_last`. */
static bool write_items(struct ctx *ctx, struct db_rows *rows, int64_t limit,
                        enum product_sort sort, struct cursor *ret_last, bool *ret_more,
                        struct err *err)
{
    struct buf *body = &ctx->reply->body;
    struct product row = {0};
    int64_t count = 0;
    buf_add(body, SLICE("{\"items\":["));
    for (*ret_more = false; product_next(rows, &row, err); count++) {
        if (count == limit) {
            *ret_more = true;
            break;
        }
        if (count > 0)
            buf_add_char(body, ',');
        view_write(body, &product_view, &row);
        *ret_last = product_cursor(&row, sort);
    }
    buf_add_char(body, ']');
    return db_rows_ok(rows);
}

static bool write_total(struct ctx *ctx, const struct product_filter *filter, struct err *err)
{
    struct buf *body = &ctx->reply->body;
    int64_t total = 0;
    if (!product_count(ctx->db, ctx->arena, filter, &total, err))
        return false;
    bool beyond = total > PRODUCT_COUNT_MAX;
    const struct total answer = {beyond ? PRODUCT_COUNT_MAX : total, beyond};
    buf_add_char(body, ',');
    view_write_members(body, &product_total_view, &answer);
    return true;
}

static bool check_prices(struct ctx *ctx, const struct product_filter *f, struct err *err)
{
    if (!f->price_min.set || !f->price_max.set || f->price_min.value <= f->price_max.value)
        return true;
    fault_add(&ctx->faults, ctx->arena, "/query/", SLICE("price_max"), "range",
              "must not be below price_min");
    return err_fail(err, &ERR_QUERY_INVALID, "price_max below price_min");
}

bool product_list_handler(struct ctx *ctx, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct list_query q = {.limit.value = LIMIT_DEFAULT};
    if (!ctx_has_cursor_keys(ctx, err))
        return false;
    bool good = ctx_query(ctx, &q, err);
    const struct product_filter filter = {q.category, q.brand, q.price_min, q.price_max,
                                          q.in_stock};
    if (!check_prices(ctx, &filter, err) || !good) /* told beside the other faults */
        return false;
    enum product_sort sort = (enum product_sort)q.sort.value; /* absent: 0, the newest */
    struct slice binding = cursor_binding(ctx, &filter, sort);
    struct cursor after = {0}, last = {0};
    bool more = false;
    if ((q.cursor.ptr &&
         !cursor_read(&ctx->api->cursor_keys, binding, q.cursor, ctx->arena, &after, err)) ||
        /* One row more than shown tells whether there is a next page. */
        !product_list(ctx->db, ctx->arena, &filter, sort, q.cursor.ptr ? &after : NULL,
                      q.limit.value + 1, &rows, err) ||
        !write_items(ctx, &rows, q.limit.value, sort, &last, &more, err) ||
        !reply_next_cursor(ctx, binding, more ? &last : NULL, err))
        return false;
    if (q.include.value & INCLUDE_TOTAL && !write_total(ctx, &filter, err))
        return false;
    buf_add_char(&ctx->reply->body, '}');
    return reply_json(ctx, 200, err);
}

/* The version changes with every change of the product, and the id keeps tags of different products
 * apart. A change of the answer's shape itself must change the letter. */
struct slice product_etag(const struct product *product, struct arena *arena)
{
    struct buf tag = arena_buf(arena, 64);
    buf_add_format(&tag, "\"a%lld-%lld\"", (long long)product->id, (long long)product->version);
    return buf_slice(&tag);
}

/* Those who may edit see all that they may edit. */
static bool find_for_caller(const struct ctx *ctx, int64_t id, struct product *ret, struct err *err)
{
    if (caller_may(&ctx->caller, SCOPE_EDIT))
        return product_find_any(ctx->db, ctx->arena, id, ret, err);
    return product_find(ctx->db, ctx->arena, id, ret, err);
}

bool product_show_handler(struct ctx *ctx, struct err *err)
{
    struct product product;
    int64_t id = 0;
    if (!ctx_id(ctx, 0, &ERR_PRODUCT_ABSENT, &id, err) || !find_for_caller(ctx, id, &product, err))
        return false;
    struct slice etag = product_etag(&product, ctx->arena);
    return reply_row(ctx, &product_view, &product, &etag, err);
}
