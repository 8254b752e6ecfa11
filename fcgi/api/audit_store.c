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
