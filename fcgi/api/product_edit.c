#include "fcgi/api/product_edit.h"

#include "fcgi/api/audit_store.h"
#include "fcgi/api/categories_store.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/product_changes.h"
#include "fcgi/api/product_input.h"
#include "fcgi/api/products.h"

/* One change while it is made. */
struct edit {
    struct ctx *ctx;
    struct product_input input;
    int64_t category_id;
};

static bool audit(struct edit *e, const char *action, const struct product *before,
                  const struct product *after, struct err *err)
{
    struct ctx *ctx = e->ctx;
    struct buf changes = arena_buf(ctx->arena, PRODUCT_CHANGES_BYTES);
    product_changes_write(&changes, before, after);
    const struct audit_entry entry = {.noun = "product",
                                      .noun_id = after->id,
                                      .version = after->version,
                                      .action = action,
                                      .user_id = ctx->caller.subject,
                                      .username = ctx->caller.username,
                                      .request_id = ctx->request->request_id,
                                      .changes = buf_slice(&changes)};
    if (changes.full)
        return err_fail(err, &ERR_INTERNAL, "changes above %zu bytes", changes.cap);
    return audit_insert(ctx->db, ctx->arena, &entry, err);
}

static bool reply_product(struct ctx *ctx, int status, const struct product *product,
                          struct err *err)
{
    struct slice etag = product_etag(product, ctx->arena);
    if (status == 201) {
        struct buf location = arena_buf(ctx->arena, 64);
        buf_add_format(&location, "/v1/products/%lld", (long long)product->id);
        reply_header(ctx->reply, "Location", buf_slice(&location));
    }
    return reply_change(ctx, status, &product_view, product, etag, err);
}

static bool create_steps(void *arg, struct err *err)
{
    struct edit *e = arg;
    struct ctx *ctx = e->ctx;
    struct product made;
    int64_t id = 0;
    reply_reset(ctx->reply);
    return product_insert(ctx->db, ctx->arena, &e->input, e->category_id, &id, err) &&
           product_find_any(ctx->db, ctx->arena, id, &made, err) &&
           audit(e, "created", NULL, &made, err) && reply_product(ctx, 201, &made, err);
}

bool product_create_handler(struct ctx *ctx, struct err *err)
{
    struct edit e = {.ctx = ctx};
    return product_input_read(ctx->request->body, ctx->api->shop_currency, ctx->arena, &e.input,
                              &ctx->faults, err) &&
           category_ensure(ctx->db, ctx->arena, e.input.category, &e.category_id, err) &&
           db_transact(ctx->db, create_steps, &e, err);
}
