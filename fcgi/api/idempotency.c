#include "fcgi/api/idempotency.h"

#include "fcgi/api/errors.h"

#include <openssl/sha.h>

#define KEY_MAX 255

/* What the steps of a transaction need. */
struct keyed {
    struct ctx *ctx;
    struct idempotency *key;
    db_steps *steps;
    void *arg;
};

static bool is_visible_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

/* The parts with their lengths between them, so that none can borrow bytes from another. */
static bool hash(const struct slice *parts, size_t count, struct arena *arena,
                 unsigned char ret[IDEMPOTENCY_HASH_BYTES], struct err *err)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].len + 24;
    struct buf text = arena_buf(arena, size);
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, "%zu:", parts[i].len);
        buf_add(&text, parts[i]);
    }
    if (text.full || !SHA256((const unsigned char *)text.ptr, text.len, ret))
        return err_fail(err, &ERR_INTERNAL, "no hash of %zu bytes", size);
    return true;
}

static bool make_id(const struct ctx *ctx, struct slice key, struct idempotency_id *ret,
                    struct err *err)
{
    const struct route *route = ctx->route;
    const struct slice owner[] = {ctx->caller.subject,
                                  slice_from_cstr(http_method_name(route->method)),
                                  slice_from_cstr(route->path), key};
    const struct slice asked[] = {ctx->request->path, ctx->request->body};
    return hash(ARRAY(owner), ctx->arena, ret->key, err) &&
           hash(ARRAY(asked), ctx->arena, ret->fingerprint, err);
}

/* Answers with what is stored, if that is an answer. */
static bool replay(struct ctx *ctx, const struct idempotency_answer *answer,
                   struct idempotency *key, struct err *err)
{
    if (answer->status == 0)
        return true;
    if (!answer->same)
        return err_fail(err, &ERR_IDEMPOTENCY_KEY_REUSED, "another path or body");
    reply_reset(ctx->reply);
    ctx->reply->status = (int)answer->status;
    ctx->reply->content_type = answer->content_type.ptr; /* the arena puts a NUL behind it */
    buf_add(&ctx->reply->headers, answer->headers);
    reply_header(ctx->reply, "Idempotent-Replayed", SLICE("true"));
    buf_add(&ctx->reply->body, answer->body);
    key->replayed = true;
    return true;
}

bool idempotency_find(struct ctx *ctx, struct idempotency *ret, struct err *err)
{
    const struct slice text = ctx->request->idempotency_key;
    struct idempotency key = {.used = text.len > 0};
    struct idempotency_answer answer = {0};
    struct err absent = {0};
    if (text.len > KEY_MAX || !is_visible_ascii(text))
        return err_fail(err, &ERR_IDEMPOTENCY_KEY_INVALID, "a key of %zu bytes", text.len);
    if (key.used && !make_id(ctx, text, &key.id, err))
        return false;
    if (key.used)
        key.known = idempotency_read(ctx->db, ctx->arena, &key.id, false, &answer, &absent);
    if (absent.kind && absent.kind != &ERR_NOT_FOUND)
        return err_fail(err, absent.kind, "%s", absent.cause);
    if (key.known && !replay(ctx, &answer, &key, err))
        return false;
    *ret = key;
    return true;
}

/* The row is made outside of the transaction, or whoever else asks would have to wait for it. */
static bool claim(struct ctx *ctx, struct idempotency *key, struct err *err)
{
    struct err unimportant = {0};
    if (!key->used || key->known)
        return true;
    /* Who adds a row takes old ones away, so their number is that of a day; failing that, later. */
    (void)!idempotency_prune(ctx->db, ctx->arena, &unimportant);
    key->known = idempotency_insert(ctx->db, ctx->arena, &key->id, err);
    return key->known;
}

static bool lock(struct ctx *ctx, struct idempotency *key, struct err *err)
{
    struct idempotency_answer answer;
    struct err failed = {0};
    if (!key->used)
        return true;
    if (idempotency_read(ctx->db, ctx->arena, &key->id, true, &answer, &failed))
        return replay(ctx, &answer, key, err);
    if (failed.kind == &ERR_DATABASE_BUSY)
        return err_fail(err, &ERR_IDEMPOTENCY_IN_PROGRESS, "%s", failed.cause);
    if (failed.kind == &ERR_NOT_FOUND) /* it grew a day old in this moment */
        return err_fail(err, &ERR_DATABASE_BUSY, "the key's row is gone");
    return err_fail(err, failed.kind, "%s", failed.cause);
}

static bool keep_answer(struct ctx *ctx, const struct idempotency *key, struct err *err)
{
    const struct reply *reply = ctx->reply;
    const struct idempotency_answer answer = {.status = reply->status,
                                              .content_type = slice_from_cstr(reply->content_type),
                                              .headers = buf_slice(&reply->headers),
                                              .body = buf_slice(&reply->body)};
    return !key->used || idempotency_update(ctx->db, ctx->arena, &key->id, &answer, err);
}

static bool keyed_steps(void *arg, struct err *err)
{
    struct keyed *k = arg;
    reply_reset(k->ctx->reply);
    if (!lock(k->ctx, k->key, err))
        return false;
    return k->key->replayed || (k->steps(k->arg, err) && keep_answer(k->ctx, k->key, err));
}

bool idempotency_transact(struct ctx *ctx, struct idempotency *key, db_steps *steps, void *arg,
                          struct err *err)
{
    struct keyed k = {ctx, key, steps, arg};
    return claim(ctx, key, err) && db_transact(ctx->db, keyed_steps, &k, err);
}
