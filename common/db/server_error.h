/* server_error.h - what a server says about a failed statement, without the values in it: its
 * messages quote them ("Duplicate entry 'U-1' for key 'uq_products_sku'"), and what clients send is
 * never in a log. Pure. Source: MySQL 8.0 Error Message Reference; MariaDB's has the same texts. */
#ifndef COMMON_DB_SERVER_ERROR_H
#define COMMON_DB_SERVER_ERROR_H

#include "common/base/buf.h"

/* Appends "1062 Duplicate entry '...' for key 'uq_products_sku'", at most 200 bytes of the message.
 * Names of keys, columns and tables stay. */
void server_error_add(struct buf *out, unsigned number, struct slice message);

#endif
