/* products_store.h - products in the database: the row structs and the statements beside them. */
#ifndef FCGI_API_PRODUCTS_STORE_H
#define FCGI_API_PRODUCTS_STORE_H

#include "common/db/db.h"
#include "common/web/query.h"
#include "fcgi/api/cursor.h"
#include "fcgi/api/product_input.h"

/* One product as clients see it; texts are borrowed from rows or arena. */
struct product {
    int64_t id, price_minor, stock, version;
    struct slice sku, name, description, brand /* ptr NULL: none */, category, currency, status;
    bool in_stock;
    struct slice created_at, updated_at; /* "2026-11-22 21:07:11.123", UTC */
};

/* In the order of the names in PRODUCT_SORT_NAMES. */
enum product_sort {
    PRODUCT_SORT_NEWEST,
    PRODUCT_SORT_PRICE,
    PRODUCT_SORT_PRICE_DOWN,
    PRODUCT_SORT_NAME
};
#define PRODUCT_SORT_NAMES "newest|price|-price|name"

struct product_filter {
    struct slice category, brand; /* ptr NULL: any */
    struct opt_i64 price_min, price_max, in_stock;
};

/* Reads a listed product. Errors: ERR_PRODUCT_ABSENT, those of db_read(). */
bool product_find(struct db *db, struct arena *arena, int64_t id, struct product *ret,
                  struct err *err) MUST_USE;
/* The same for any product: drafts and deleted ones, too. */
bool product_find_any(struct db *db, struct arena *arena, int64_t id, struct product *ret,
                      struct err *err) MUST_USE;
#define PRODUCT_NOUN    "product" /* in the audit log */
#define PRODUCT_DELETED "deleted" /* the status of a deleted product */
bool product_is_deleted(const struct product *product);

/* Makes a product of version 1; `category_id` comes from category_ensure().
 * Errors: ERR_SKU_TAKEN, those of db_write(). */
bool product_insert(struct db *db, struct arena *arena, const struct product_input *product,
                    int64_t category_id, int64_t *ret_id, struct err *err) MUST_USE;
/* Change the product if it is still at this version, and give it the next. The one that is updated
 * or deleted must not be deleted, the one that is restored must be.
 * Errors: ERR_PRECONDITION_FAILED: it is at another version; ERR_SKU_TAKEN, those of db_write(). */
bool product_update(struct db *db, struct arena *arena, int64_t id, int64_t version,
                    const struct product_input *product, int64_t category_id,
                    struct err *err) MUST_USE;
bool product_delete(struct db *db, struct arena *arena, int64_t id, int64_t version,
                    struct err *err) MUST_USE;
bool product_restore(struct db *db, struct arena *arena, int64_t id, int64_t version,
                     struct err *err) MUST_USE;
/* The product that has this SKU, whatever its state. Errors: ERR_PRODUCT_ABSENT. */
bool product_find_sku(struct db *db, struct arena *arena, struct slice sku, struct product *ret,
                      struct err *err) MUST_USE;

/* One page of listed products in order, at most `limit` rows; `after` NULL starts at the top. Read
 * the rows with product_next(). */
bool product_list(struct db *db, struct arena *arena, const struct product_filter *filter,
                  enum product_sort sort, const struct cursor *after, int64_t limit,
                  struct db_rows *ret, struct err *err) MUST_USE;
bool product_next(struct db_rows *rows, struct product *ret, struct err *err) MUST_USE;
/* The sort key of a row, for the cursor. */
struct cursor product_cursor(const struct product *product, enum product_sort sort);

/* Counts matching products, but no further than PRODUCT_COUNT_MAX + 1. */
bool product_count(struct db *db, struct arena *arena, const struct product_filter *filter,
                   int64_t *ret, struct err *err) MUST_USE;
#define PRODUCT_COUNT_MAX 10000

/* An INSERT of many products, grown one by one, that replaces those whose SKU is there already: a
 * replaced product keeps its id, is no longer deleted, and gets a new version if anything differs.
 * `category_id` comes from category_ensure(). */
struct sql product_upsert_start(struct arena *arena, size_t cap);
void product_upsert_add(struct sql *sql, const struct product_input *product, int64_t category_id);
void product_upsert_finish(struct sql *sql);

#endif
