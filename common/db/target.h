/* target.h - where the database is: DATABASE_URL taken apart.
 * mysql://user:password@host:port/name            TCP: TLS with a verified host name, always
 * mysql://user:password@localhost/name?socket=/p  Unix socket: no TLS needed
 * User, password, name and socket are percent-encoded. Pure. */
#ifndef COMMON_DB_TARGET_H
#define COMMON_DB_TARGET_H

#include "common/base/err.h"

#include <stdbool.h>

struct db_target { /* texts are NUL-terminated */
    char host[256], user[128], password[256], name[65], socket[108];
    unsigned port;       /* 3306 unless given */
    const char *ca_file; /* PEM bundle for TCP; borrowed */
    unsigned connect_timeout_s, io_timeout_s;
};

/* Fills host, user, password, name, socket and port. NULL when the URL is good, otherwise what is
 * wrong with it, as the end of a sentence that holds nothing of the URL. */
const char *db_target_parse(const char *url, struct db_target *ret);
void db_target_wipe(struct db_target *target); /* the password leaves memory */

#endif
