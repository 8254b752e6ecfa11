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

#endif
