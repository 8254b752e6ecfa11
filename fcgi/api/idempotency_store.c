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
            " headers = ?, body = ?, created_at = UTC_TIMESTAMP(3) WHERE id = ?",
            ARRAY(in));
    return db_write(db, &sql, &written, err) &&
           (written.affected == 1 || err_fail(err, &ERR_DATABASE_BUSY, "the key's row is gone"));
}

/* ---- old rows ---- */

#define IS_OLD "created_at < UTC_TIMESTAMP(3) - INTERVAL 24 HOUR"

/* Rows to remove, and what finds out which. */
struct prune {
    struct db *db;
    struct arena *arena;
    struct db_in ids[PRUNE_ROWS];
    size_t count;
};

/* Keeps the ids that the statement finds. */
static bool read_ids(struct prune *p, const struct sql *sql, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct slice id = {0};
    const struct db_out out[] = {DB_GET_TEXT(&id)};
    p->count = 0;
    if (!db_read(p->db, sql, &rows, err))
        return false;
    while (p->count < PRUNE_ROWS && db_next(&rows, ARRAY(out), err))
        p->ids[p->count++] = DB_BYTES(arena_copy(p->arena, id));
    return db_rows_ok(&rows);
}

static void add_ids(struct sql *sql, const struct prune *p)
{
    for (size_t i = 0; i < p->count; i++)
        sql_add(sql, i > 0 ? ", ?" : "?", &p->ids[i], 1);
}

/* The named index: a scan of a small table, which both servers take for cheaper, would lock or meet
 * the rows of running requests, too. */
static bool prune_steps(void *arg, struct err *err)
{
    struct prune mine = *(const struct prune *)arg; /* the steps may be done again */
    struct sql lock = sql_start(mine.arena, KIB(2));
    struct sql remove = sql_start(mine.arena, KIB(2));
    sql_add_plain(&lock, "SELECT id FROM idempotency_keys FORCE INDEX (PRIMARY) WHERE id IN (");
    add_ids(&lock, &mine);
    sql_add_plain(&lock, ") AND " IS_OLD " FOR UPDATE SKIP LOCKED");
    if (!read_ids(&mine, &lock, err))
        return false;
    if (mine.count == 0)
        return true;
    sql_add_plain(&remove, "DELETE k FROM idempotency_keys AS k FORCE INDEX (PRIMARY) WHERE k.id"
                           " IN (");
    add_ids(&remove, &mine);
    sql_add_plain(&remove, ")");
    return db_write(mine.db, &remove, NULL, err);
}

bool idempotency_prune(struct db *db, struct arena *arena, struct err *err)
{
    struct prune old = {.db = db, .arena = arena};
    struct sql sql = sql_start(arena, 256);
    sql_add(&sql, "SELECT id FROM idempotency_keys WHERE " IS_OLD " ORDER BY created_at LIMIT ?",
            &DB_I64(PRUNE_ROWS), 1);
    return read_ids(&old, &sql, err) && (old.count == 0 || db_transact(db, prune_steps, &old, err));
}
