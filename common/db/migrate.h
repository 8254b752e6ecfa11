/* migrate.h - numbered SQL files, applied once, in order, by one process at a time.
 * schema_migrations remembers each file's SHA-256 and how many of its statements are done, so a run
 * that was interrupted goes on where it stopped. A file that was changed after it was applied is
 * refused; one whose statement failed may be corrected from that statement on. A run that is killed
 * loses nothing: rows change together with the note of it, and a change of tables (which commits by
 * itself) that was begun and is found done counts as done. Uses GET_LOCK, so never through RDS
 * Proxy. */
#ifndef COMMON_DB_MIGRATE_H
#define COMMON_DB_MIGRATE_H

#include "common/db/db.h"

#define MIGRATION_FILES_MAX 999
#define MIGRATION_BYTES_MAX KIB(256)

struct migration {
    int64_t version; /* the file name's number, from 1 without a gap */
    char name[128];  /* "0001_catalogue.sql" */
};

struct migrations {
    struct migration *items; /* in order */
    size_t count;
};

/* Lists the folder's NNNN_name.sql files. Release with migrations_done().
 * Errors: ERR_SETTINGS_INVALID for a missing folder, a foreign name, a gap or a repeated number. */
bool migrations_list(const char *dir, struct migrations *ret, struct err *err) MUST_USE;
void migrations_done(struct migrations *migrations);

/* Cuts the first statement off `*rest`: up to a `;` outside quotes and comments. Comments before it
 * are dropped. False when only blanks and comments are left. Pure. */
bool migration_statement(struct slice *rest, struct slice *ret);

/* Applies what is missing; `report` is told of each file it applies.
 * Errors: ERR_MIGRATION_CHANGED, ERR_MIGRATION_FAILED, ERR_SETTINGS_INVALID, ERR_DATABASE_DOWN. */
bool migrations_apply(struct db *db, const char *dir, void (*report)(const char *name),
                      struct err *err) MUST_USE;

#endif
