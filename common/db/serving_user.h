/* serving_user.h - the user as whom the service works: `cbu migrate` sees to it that it is there,
 * with the password that the service will use, and that it may read and change rows of the
 * migrated database, and nothing else. Nothing is changed that is as it should be, so users made by
 * hand are left alone, and a run by a user who may not make others is fine.
 * The account is name@'%'; passwords are in no log and no message. */
#ifndef COMMON_DB_SERVING_USER_H
#define COMMON_DB_SERVING_USER_H

#include "common/db/db.h"

struct serving_user {
    struct db *admin;               /* may make users and grant; connected to the same server */
    const struct db_driver *driver; /* for trial logins */
    struct db_target *login;        /* user, password, and the migrated database at its server */
    /* An account that was there refuses the password. Rotation changes the server first and the
     * secret a moment later: reads the password again, into `login`. NULL: there is nowhere to. */
    bool (*read_again)(void *ctx, struct db_target *login, struct err *err);
    void *ctx;
    void (*report)(const char *done); /* what was changed, for people */
};

/* Errors: ERR_SERVING_USER when the server refuses a step, or takes none of them for good;
 * ERR_DATABASE_DOWN; those of read_again. */
bool serving_user_ensure(const struct serving_user *user, struct err *err) MUST_USE;

#endif
