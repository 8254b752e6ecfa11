/* idempotency.h - requests that may be repeated: one with an Idempotency-Key is done at most once,
 * and whoever repeats it gets the answer of the first. Only what was done is remembered: a refused
 * request leaves its key free.
 *
 * The key is the caller's own, and belongs to one route; path and body must be the same, too. Its
 * row is made first, by itself, and locked in the transaction of the change, which also writes the
 * answer into it. So a lock means "running", an answer means "done", and neither means that the one
 * who made it changed nothing, however it died: the server frees what a lost connection had locked.
 * Source: draft-ietf-httpapi-idempotency-key-header. */
#ifndef FCGI_API_IDEMPOTENCY_H
#define FCGI_API_IDEMPOTENCY_H

#include "fcgi/api/ctx.h"
#include "fcgi/api/idempotency_store.h"

struct idempotency {
    struct idempotency_id id;
    bool used;     /* the request has a key */
    bool known;    /* the key has a row */
    bool replayed; /* the reply is the answer of the first request; nothing is left to do */
};

/* Looks the request's key up, before anything else is judged.
 * Errors: ERR_IDEMPOTENCY_KEY_INVALID, ERR_IDEMPOTENCY_KEY_REUSED, those of db_read(). */
bool idempotency_find(struct ctx *ctx, struct idempotency *ret, struct err *err) MUST_USE;

/* db_transact() for a request that may have a key: `steps` make the change and write the reply,
 * which is kept with it; they do not run when the answer is there by now.
 * Errors: ERR_IDEMPOTENCY_IN_PROGRESS, ERR_IDEMPOTENCY_KEY_REUSED, those of db_transact(). */
bool idempotency_transact(struct ctx *ctx, struct idempotency *key, db_steps *steps, void *arg,
                          struct err *err) MUST_USE;

#endif
