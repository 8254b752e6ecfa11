#include "fcgi/api/idempotency_store.h"

#define HASH(bytes) DB_BYTES(((struct slice){(const char *)(bytes), IDEMPOTENCY_HASH_BYTES}))

/* More than one, so that a backlog shrinks; few, so that nobody who adds a key waits for it. */
#define PRUNE_ROWS 10

bool idempotency_read(struct db *db, struct arena *arena, const struct idempotency_id *id,
                      bool lock, struct idempotency_answer *ret, struct err *err)
{
#define READ_SQL                                                                                   \
    "SELECT COALESCE(status, 0), COALESCE(fingerprint = ?, 0), content_type,"                      \
    " COALESCE(headers, ''), COALESCE(body, '') FROM idempotency_keys WHERE id = ?"
    const struct db_in in[] = {HASH(id->fingerprint), HASH(id->key)};
    struct idempotency_answer row = {0};
    const struct db_out out[] = {DB_GET_I64(&row.status), DB_GET_BOOL(&row.same),
                                 DB_GET_TEXT_OR_NULL(&row.content_type), DB_GET_TEXT(&row.headers),
                                 DB_GET_TEXT(&row.body)};
    if (!db_read_one(db, arena, lock ? READ_SQL " FOR UPDATE NOWAIT" : READ_SQL, ARRAY(in),
                     ARRAY(out), &ERR_NOT_FOUND, err))
        return false;
    *ret = row;
    return true;
}

bool idempotency_insert(struct db *db, struct arena *arena, const struct idempotency_id *id,
                        struct err *err)
{
    /* IGNORE: the same request may make it in the same moment. */
    struct sql sql = sql_start(arena, 256);
    sql_add(&sql,
            "INSERT IGNORE INTO idempotency_keys (id, created_at) VALUES (?, UTC_TIMESTAMP(3))",
            &HASH(id->key), 1);
    return db_write(db, &sql, NULL, err);
}

bool idempotency_update(struct db *db, struct arena *arena, const struct idempotency_id *id,
                        const struct idempotency_answer *answer, struct err *err)
{
    const struct db_in in[] = {
        HASH(id->fingerprint),    DB_I64(answer->status), DB_TEXT_OR_NULL(answer->content_type),
        DB_TEXT(answer->headers), DB_TEXT(answer->body),  HASH(id->key),
    };
    struct db_written written = {0};
    struct sql sql = sql_start(arena, KIB(2) + 2 * (answer->headers.len + answer->body.len));
    sql_add(&sql,
            "UPDATE idempotency_keys SET fingerprint = ?, status = ?, content_type = ?,"
            " headers = ?, body = ? WHERE id = ?",
            ARRAY(in));
    return db_write(db, &sql, &written, err) &&
           (written.affected == 1 || err_fail(err, &ERR_DATABASE_BUSY, "the key's row is gone"));
}

bool idempotency_prune(struct db *db, struct arena *arena, struct err *err)
{
    struct sql sql = sql_start(arena, 256);
    sql_add(&sql,
            "DELETE FROM idempotency_keys WHERE created_at < UTC_TIMESTAMP(3) - INTERVAL 24 HOUR"
            " ORDER BY created_at LIMIT ?",
            &DB_I64(PRUNE_ROWS), 1);
    return db_write(db, &sql, NULL, err);
}
