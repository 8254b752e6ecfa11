/* driver.h - what db.c needs from a MySQL client library, as a struct of functions: production uses
 * the one of mysql.h, unit tests fill it with canned results and failures. */
#ifndef COMMON_DB_DRIVER_H
#define COMMON_DB_DRIVER_H

#include "common/base/slice.h"
#include "common/db/target.h"

#include <stdint.h>

struct db_driver {
    void *(*create)(void *ctx); /* a link, not yet connected; NULL when memory is short */
    void (*destroy)(void *link);
    /* Both return 0 or a MySQL error number (client errors are 2000 and up). */
    unsigned (*connect)(void *link, const struct db_target *target);
    unsigned (*query)(void *link, struct slice sql, void **ret_result); /* NULL: no rows */
    void (*disconnect)(void *link);
    const char *(*error_text)(void *link);  /* of the last failure; borrowed until the next call */
    const char *(*server_info)(void *link); /* "10.11.19-MariaDB-..." while connected */
    int64_t (*affected_rows)(void *link);
    int64_t (*insert_id)(void *link);
    /* Cells are borrowed until result_free(); ptr NULL is SQL NULL. False behind the last row. */
    bool (*next_row)(void *result, struct slice *ret_cells, size_t count);
    size_t (*column_count)(void *result);
    void (*result_free)(void *result);
    void *ctx; /* handed to create */
    /* `query` in its three steps, for who wants to know that an answer takes long; NULL: only
     * whole. `is_answered` waits up to `wait_ms`; also true when the connection is lost. */
    unsigned (*send)(void *link, struct slice sql);
    bool (*is_answered)(void *link, int wait_ms);
    unsigned (*receive)(void *link, void **ret_result);
};

#endif
