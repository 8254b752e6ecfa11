/* mysql.h - the driver over libmariadb or libmysqlclient, whichever the build found.
 * Text protocol only, charset in the handshake, TLS with a verified host name on TCP. */
#ifndef COMMON_DB_MYSQL_H
#define COMMON_DB_MYSQL_H

#include "common/db/driver.h"

extern const struct db_driver db_driver_mysql;

#endif
