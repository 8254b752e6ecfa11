#include "fcgi/api/audit_store.h"

/* Beside the changes. */
#define HEAD_BYTES KIB(3)

bool audit_insert(struct db *db, struct arena *arena, const struct audit_entry *entry,
                  struct err *err)
{
    const struct db_in in[] = {
        DB_TEXT(slice_from_cstr(entry->noun)),
        DB_I64(entry->noun_id),
        DB_I64(entry->version),
        DB_TEXT(slice_from_cstr(entry->action)),
        DB_TEXT_OR_NULL(entry->user_id),
        DB_TEXT_OR_NULL(entry->username),
        DB_TEXT_OR_NULL(entry->request_id),
        DB_TEXT(entry->changes),
    };
    struct sql sql = sql_start(arena, HEAD_BYTES + 2 * entry->changes.len);
    sql_add(&sql,
            "INSERT INTO audit_log (noun, noun_id, version, action, at, user_id, username,"
            " request_id, changes) VALUES (?,?,?,?,UTC_TIMESTAMP(3),?,?,?,?)",
            ARRAY(in));
    return db_write(db, &sql, NULL, err);
}

bool audit_list(struct db *db, struct arena *arena, const char *noun, int64_t noun_id,
                int64_t before, int64_t limit, struct db_rows *ret, struct err *err)
{
    const struct db_in key[] = {DB_TEXT(slice_from_cstr(noun)), DB_I64(noun_id)};
    struct sql sql = sql_start(arena, KIB(1));
    sql_add(&sql,
            "SELECT id, version, action, at, user_id, username, request_id, changes FROM audit_log"
            " WHERE noun = ? AND noun_id = ?",
            ARRAY(key));
    if (before > 0)
        sql_add(&sql, " AND id < ?", &DB_I64(before), 1);
    sql_add(&sql, " ORDER BY id DESC LIMIT ?", &DB_I64(limit), 1);
    return db_read(db, &sql, ret, err);
}

bool audit_next(struct db_rows *rows, struct audit_event *ret, struct err *err)
{
    const struct db_out out[] = {
        DB_GET_I64(&ret->id),
        DB_GET_I64(&ret->version),
        DB_GET_TEXT(&ret->action),
        DB_GET_TEXT(&ret->at),
        DB_GET_TEXT_OR_NULL(&ret->user_id),
        DB_GET_TEXT_OR_NULL(&ret->username),
        DB_GET_TEXT_OR_NULL(&ret->request_id),
        DB_GET_TEXT(&ret->changes),
    };
    return db_next(rows, ARRAY(out), err);
}
