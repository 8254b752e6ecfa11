/* audit_store.h - the audit log in the database: who changed what, for every noun. Rows are only
 * ever added, each in the transaction of its change. */
#ifndef FCGI_API_AUDIT_STORE_H
#define FCGI_API_AUDIT_STORE_H

#include "common/db/db.h"

/* One change; texts are borrowed. */
struct audit_entry {
    const char *noun; /* "product" */
    int64_t noun_id, version /* after the change */;
    const char *action;      /* "changed" */
    struct slice user_id;    /* `sub` of the token; ptr NULL: no person */
    struct slice username;   /* ptr NULL: unknown */
    struct slice request_id; /* as in the logs */
    struct slice changes;    /* a JSON object: {"name":{"before":...,"after":...}} */
};

/* Errors: those of db_write(). */
bool audit_insert(struct db *db, struct arena *arena, const struct audit_entry *entry,
                  struct err *err) MUST_USE;

/* A row of the log; texts are borrowed from the rows. */
struct audit_event {
    int64_t id, version;
    struct slice action, at, user_id, username, request_id, changes;
};

/* The changes of one row of a noun, the latest first, at most `limit`; those before the event
 * `before` (0: from the latest on). Read the rows with audit_next(). */
bool audit_list(struct db *db, struct arena *arena, const char *noun, int64_t noun_id,
                int64_t before, int64_t limit, struct db_rows *ret, struct err *err) MUST_USE;
bool audit_next(struct db_rows *rows, struct audit_event *ret, struct err *err) MUST_USE;

#endif
