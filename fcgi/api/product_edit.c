#include "fcgi/api/product_edit.h"

#include "fcgi/api/audit_store.h"
#include "fcgi/api/categories_store.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/idempotency.h"
#include "fcgi/api/product_changes.h"
#include "fcgi/api/product_input.h"
#include "fcgi/api/products.h"

/* How often a change starts again because others came between its reading and its writing; only who
 * sends `If-Match: *` or a list of tags is not told at once. */
#define EDIT_TRIES 3

/* What is done; the names are those of PRODUCT_ACTION_NAMES. */
enum action { CREATED, CHANGED, DELETED, RESTORED };
static const char *const action_names[] = {"created", "changed", "deleted", "restored"};

/* One change while it is made. */
struct edit {
    struct ctx *ctx;
    enum action action;
    struct idempotency key;
    int64_t id;                 /* of the product; CREATED: once it is there */
    struct product before;      /* all but CREATED */
    struct product_input input; /* CREATED and CHANGED: what the product shall be */
    int64_t category_id;        /* of `input` */
    struct buf changes;         /* room for the audit log's text, used anew by each try */
};

/* ---- the transaction: product, audit row, answer ---- */

static bool write_product(struct edit *e, struct err *err)
{
    struct db *db = e->ctx->db;
    struct arena *arena = e->ctx->arena;
    int64_t version = e->before.version;
    switch (e->action) {
    case CREATED:
        return product_insert(db, arena, &e->input, e->category_id, &e->id, err);
    case CHANGED:
        return product_update(db, arena, e->id, version, &e->input, e->category_id, err);
    case DELETED:
        return product_delete(db, arena, e->id, version, err);
    case RESTORED:
        return product_restore(db, arena, e->id, version, err);
    }
    return err_fail(err, &ERR_INTERNAL, "no such action");
}

static bool write_audit(struct edit *e, const struct product *after, struct err *err)
{
    const struct ctx *ctx = e->ctx;
    if (!e->changes.ptr)
        e->changes = arena_buf(ctx->arena, PRODUCT_CHANGES_BYTES);
    buf_cut(&e->changes, 0);
    product_changes_write(&e->changes, e->action == CREATED ? NULL : &e->before, after);
    const struct audit_entry entry = {.noun = PRODUCT_NOUN,
                                      .noun_id = after->id,
                                      .version = after->version,
                                      .action = action_names[e->action],
                                      .user_id = ctx->caller.subject,
                                      .username = ctx->caller.username,
                                      .request_id = ctx->request->request_id,
                                      .changes = buf_slice(&e->changes)};
    if (e->changes.full)
        return err_fail(err, &ERR_INTERNAL, "changes above %zu bytes", e->changes.cap);
    return audit_insert(ctx->db, ctx->arena, &entry, err);
}

static bool reply_product(struct ctx *ctx, enum action action, const struct product *product,
                          struct err *err)
{
    struct slice etag = product_etag(product, ctx->arena);
    if (action == DELETED)
        return reply_no_content(ctx, etag, err);
    if (action == CREATED) {
        struct buf location = arena_buf(ctx->arena, 64);
        buf_add_format(&location, "/v1/products/%lld", (long long)product->id);
        reply_header(ctx->reply, "Location", buf_slice(&location));
    }
    return reply_change(ctx, action == CREATED ? 201 : 200, &product_view, product, etag, err);
}

/* All that can fail comes before the commit: what is committed is answered. */
static bool edit_steps(void *arg, struct err *err)
{
    struct edit *e = arg;
    struct product after;
    return write_product(e, err) &&
           product_find_any(e->ctx->db, e->ctx->arena, e->id, &after, err) &&
           write_audit(e, &after, err) && reply_product(e->ctx, e->action, &after, err);
}

/* Names the product that has the SKU: it may be one that no list shows. */
static void add_sku_fault(struct ctx *ctx, struct slice sku)
{
    struct product owner;
    struct err unimportant = {0};
    if (product_find_sku(ctx->db, ctx->arena, sku, &owner, &unimportant))
        fault_add(&ctx->faults, ctx->arena, "/", SLICE("sku"), "taken", "belongs to product %lld%s",
                  (long long)owner.id, product_is_deleted(&owner) ? ", which is deleted" : "");
}

static bool transact(struct edit *e, struct err *err)
{
    if (idempotency_transact(e->ctx, &e->key, edit_steps, e, err))
        return true;
    if (err->kind == &ERR_SKU_TAKEN)
        add_sku_fault(e->ctx, e->input.sku);
    return false;
}

/* ---- what must be true before ---- */

static bool find_category(struct edit *e, struct err *err)
{
    return category_ensure(e->ctx->db, e->ctx->arena, e->input.category, &e->category_id, err);
}

/* Reads what shall be changed, in a state in which that is possible. */
static bool find_product(struct edit *e, struct err *err)
{
    struct ctx *ctx = e->ctx;
    if (!ctx_id(ctx, 0, &ERR_PRODUCT_ABSENT, &e->id, err) ||
        !product_find_any(ctx->db, ctx->arena, e->id, &e->before, err))
        return false;
    bool deleted = product_is_deleted(&e->before);
    if (e->action == RESTORED && !deleted)
        return err_fail(err, &ERR_PRODUCT_NOT_DELETED, "product %lld", (long long)e->id);
    if (e->action != RESTORED && deleted)
        return err_fail(err, &ERR_PRODUCT_DELETED, "product %lld", (long long)e->id);
    return true;
}

static struct product_input input_of(const struct product *p)
{
    return (struct product_input){.sku = p->sku,
                                  .name = p->name,
                                  .description = p->description,
                                  .brand = p->brand,
                                  .category = p->category,
                                  .currency = p->currency,
                                  .price_minor = p->price_minor,
                                  .stock = p->stock,
                                  .status = slice_equal(p->status, SLICE("draft"))};
}

/* What the product shall be: the body, or the product as it is with the body as a patch. */
static bool read_input(struct edit *e, struct err *err)
{
    struct ctx *ctx = e->ctx;
    const struct slice body = ctx->request->body;
    const char *currency = ctx->api->shop_currency;
    if (e->action != CREATED && e->action != CHANGED)
        return true;
    if (!ctx->route->body->patch)
        return product_input_read(body, currency, ctx->arena, &e->input, &ctx->faults, err);
    e->input = input_of(&e->before);
    return product_input_patch(body, currency, ctx->arena, &e->input, &ctx->faults, err);
}

/* Preconditions are judged last: what fails anyway says why (RFC 9110 section 13.2.1). */
static bool check_if_match(const struct edit *e, struct err *err)
{
    struct slice etag = product_etag(&e->before, e->ctx->arena);
    return etag_matches(e->ctx->request->if_match, etag) ||
           err_fail(err, &ERR_PRECONDITION_FAILED, "now %.*s", SLICE_ARG(etag));
}

static bool is_unchanged(const struct edit *e)
{
    struct product_input before = input_of(&e->before);
    return e->action == CHANGED && product_input_equal(&before, &e->input);
}

/* Makes the change of the version that was read. `*ret_again`: another one came between. */
static bool edit_once(struct edit *e, bool *ret_again, struct err *err)
{
    if (!find_product(e, err) || !read_input(e, err) || !check_if_match(e, err))
        return false;
    if (is_unchanged(e))
        return reply_product(e->ctx, CHANGED, &e->before, err);
    if ((e->action == CHANGED && !find_category(e, err)) || !transact(e, err)) {
        *ret_again = err->kind == &ERR_PRECONDITION_FAILED;
        return false;
    }
    return true;
}

static bool edit_product(struct ctx *ctx, enum action action, struct err *err)
{
    struct edit e = {.ctx = ctx, .action = action};
    struct err failed = {0};
    bool again = true;
    if (ctx->route->needs & ROUTE_IDEMPOTENT && !idempotency_find(ctx, &e.key, err))
        return false;
    if (e.key.replayed)
        return true;
    for (int i = 0; i < EDIT_TRIES && again; i++) {
        again = false;
        failed = (struct err){0};
        if (edit_once(&e, &again, &failed))
            return true;
    }
    return err_fail(err, again ? &ERR_DATABASE_BUSY : failed.kind, "%s", failed.cause);
}

/* ---- the handlers ---- */

bool product_create_handler(struct ctx *ctx, struct err *err)
{
    struct edit e = {.ctx = ctx, .action = CREATED};
    if (!idempotency_find(ctx, &e.key, err))
        return false;
    return e.key.replayed || (read_input(&e, err) && find_category(&e, err) && transact(&e, err));
}

bool product_replace_handler(struct ctx *ctx, struct err *err)
{
    return edit_product(ctx, CHANGED, err);
}

bool product_patch_handler(struct ctx *ctx, struct err *err)
{
    return edit_product(ctx, CHANGED, err);
}

bool product_delete_handler(struct ctx *ctx, struct err *err)
{
    return edit_product(ctx, DELETED, err);
}

bool product_restore_handler(struct ctx *ctx, struct err *err)
{
    return edit_product(ctx, RESTORED, err);
}
