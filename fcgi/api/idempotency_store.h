/* idempotency_store.h - the keys of repeatable requests in the database, with the answers they got.
 */
#ifndef FCGI_API_IDEMPOTENCY_STORE_H
#define FCGI_API_IDEMPOTENCY_STORE_H

#include "common/db/db.h"

#define IDEMPOTENCY_HASH_BYTES 32

/* SHA-256 values. */
struct idempotency_id {
    unsigned char key[IDEMPOTENCY_HASH_BYTES];         /* of caller, route and key */
    unsigned char fingerprint[IDEMPOTENCY_HASH_BYTES]; /* of what is asked for */
};

struct idempotency_answer {
    int64_t status; /* 0: none yet */
    bool same;      /* it answered a request of the same fingerprint */
    struct slice content_type /* ptr NULL: no body */, headers, body;
};

/* Reads the row of the key; with `lock` it belongs to this transaction from then on. Texts are in
 * the arena. Errors: ERR_NOT_FOUND: no row; ERR_DATABASE_BUSY: another transaction has it. */
bool idempotency_read(struct db *db, struct arena *arena, const struct idempotency_id *id,
                      bool lock, struct idempotency_answer *ret, struct err *err) MUST_USE;
/* Makes sure that there is a row, which may be locked then. */
bool idempotency_insert(struct db *db, struct arena *arena, const struct idempotency_id *id,
                        struct err *err) MUST_USE;
/* Writes the answer into the locked row. */
bool idempotency_update(struct db *db, struct arena *arena, const struct idempotency_id *id,
                        const struct idempotency_answer *answer, struct err *err) MUST_USE;
/* Removes a few of the rows older than a day. */
bool idempotency_prune(struct db *db, struct arena *arena, struct err *err) MUST_USE;

#endif
