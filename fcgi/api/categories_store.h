/* categories_store.h - categories in the database. */
#ifndef FCGI_API_CATEGORIES_STORE_H
#define FCGI_API_CATEGORIES_STORE_H

#include "common/db/db.h"

struct category {
    struct slice key;
    int64_t products; /* listed ones */
};

/* Categories that have a listed product, by key, at most `limit`; those behind `after` (ptr NULL:
 * from the first). Read the rows with category_next(). */
bool category_list(struct db *db, struct arena *arena, struct slice after, int64_t limit,
                   struct db_rows *ret, struct err *err) MUST_USE;
bool category_next(struct db_rows *rows, struct category *ret, struct err *err) MUST_USE;

/* The id of the category with this key, which is made if there is none. */
bool category_ensure(struct db *db, struct arena *arena, struct slice key, int64_t *ret,
                     struct err *err) MUST_USE;

#endif
