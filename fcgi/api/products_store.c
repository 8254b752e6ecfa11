#include "fcgi/api/products_store.h"

#include "fcgi/api/errors.h"

/* Enough for every filter at its longest, escaped, and a name in the cursor. */
#define LIST_SQL_BYTES KIB(16)

#define PRODUCT_COLUMNS                                                                            \
    "p.id, p.sku, p.name, p.description, p.brand, c.category_key, p.price_minor, p.currency, "     \
    "p.stock, p.in_stock,"                                                                         \
    " IF(p.deleted_at IS NULL, IF(p.status = 0, 'active', 'draft'), '" PRODUCT_DELETED "'),"       \
    " p.version, p.created_at, p.updated_at"
#define PRODUCT_COLUMN_COUNT 14

/* The struct's members in the order of PRODUCT_COLUMNS. */
static void product_outs(struct product *p, struct db_out ret[PRODUCT_COLUMN_COUNT])
{
    const struct db_out outs[PRODUCT_COLUMN_COUNT] = {
        DB_GET_I64(&p->id),           DB_GET_TEXT(&p->sku),           DB_GET_TEXT(&p->name),
        DB_GET_TEXT(&p->description), DB_GET_TEXT_OR_NULL(&p->brand), DB_GET_TEXT(&p->category),
        DB_GET_I64(&p->price_minor),  DB_GET_TEXT(&p->currency),      DB_GET_I64(&p->stock),
        DB_GET_BOOL(&p->in_stock),    DB_GET_TEXT(&p->status),        DB_GET_I64(&p->version),
        DB_GET_TEXT(&p->created_at),  DB_GET_TEXT(&p->updated_at),
    };
    for (size_t i = 0; i < COUNT(outs); i++)
        ret[i] = outs[i];
}

#define FIND_SQL                                                                                   \
    "SELECT " PRODUCT_COLUMNS " FROM products p JOIN categories c ON c.id = p.category_id"

static bool find(struct db *db, struct arena *arena, const char *sql, struct db_in key,
                 struct product *ret, struct err *err)
{
    const struct db_in in[] = {key};
    struct product row = {0};
    struct db_out out[PRODUCT_COLUMN_COUNT];
    product_outs(&row, out);
    if (!db_read_one(db, arena, sql, ARRAY(in), ARRAY(out), &ERR_PRODUCT_ABSENT, err))
        return false;
    *ret = row;
    return true;
}

bool product_find(struct db *db, struct arena *arena, int64_t id, struct product *ret,
                  struct err *err)
{
    return find(db, arena, FIND_SQL " WHERE p.id = ? AND p.listed = 1", DB_I64(id), ret, err);
}

bool product_find_any(struct db *db, struct arena *arena, int64_t id, struct product *ret,
                      struct err *err)
{
    return find(db, arena, FIND_SQL " WHERE p.id = ?", DB_I64(id), ret, err);
}

bool product_find_sku(struct db *db, struct arena *arena, struct slice sku, struct product *ret,
                      struct err *err)
{
    return find(db, arena, FIND_SQL " WHERE p.sku = ?", DB_TEXT(sku), ret, err);
}

bool product_is_deleted(const struct product *product)
{
    return slice_equal(product->status, SLICE(PRODUCT_DELETED));
}

/* How each sort reads. A row comparison `(a, id) > (?, ?)` would make MariaDB scan the index from
 * its start, so the key condition is spelled out. Both optimizers turn this form into ranges over
 * the whole index, so rows with the same key before the cursor are not read again;
 * `a >= ? AND (a > ? OR id > ?)` would read all of them for every page. */
static const struct sort_row {
    const char *index, *category_index;
    const char *after_number, *after_text; /* takes key, key, id; NULL where the key is the id */
    const char *order;
} sort_rows[] = {
    [PRODUCT_SORT_NEWEST] = {"ix_products_newest", "ix_products_category_newest", NULL, NULL,
                             " ORDER BY p.id DESC"},
    [PRODUCT_SORT_PRICE] = {"ix_products_price", "ix_products_category_price",
                            " AND (p.price_minor > ? OR (p.price_minor = ? AND p.id > ?))", NULL,
                            " ORDER BY p.price_minor, p.id"},
    [PRODUCT_SORT_PRICE_DOWN] = {"ix_products_price", "ix_products_category_price",
                                 " AND (p.price_minor < ? OR (p.price_minor = ? AND p.id < ?))",
                                 NULL, " ORDER BY p.price_minor DESC, p.id DESC"},
    [PRODUCT_SORT_NAME] = {"ix_products_name", "ix_products_category_name", NULL,
                           " AND (p.name > ? OR (p.name = ? AND p.id > ?))",
                           " ORDER BY p.name, p.id"},
};

static void add_conditions(struct sql *sql, const struct product_filter *f)
{
    sql_add_plain(sql, " WHERE p.listed = 1");
    if (f->category.ptr)
        sql_add(sql, " AND p.category_id = (SELECT id FROM categories WHERE category_key = ?)",
                &DB_TEXT(f->category), 1);
    if (f->brand.ptr)
        sql_add(sql, " AND p.brand = ?", &DB_TEXT(f->brand), 1);
    if (f->price_min.set)
        sql_add(sql, " AND p.price_minor >= ?", &DB_I64(f->price_min.value), 1);
    if (f->price_max.set)
        sql_add(sql, " AND p.price_minor <= ?", &DB_I64(f->price_max.value), 1);
    if (f->in_stock.set)
        sql_add(sql, " AND p.in_stock = ?", &DB_I64(f->in_stock.value), 1);
}

static void add_after(struct sql *sql, const struct sort_row *row, const struct cursor *after)
{
    struct db_in key = row->after_text ? DB_TEXT(after->text) : DB_I64(after->number);
    if (row->after_text)
        sql_add(sql, row->after_text, (const struct db_in[]){key, key, DB_I64(after->id)}, 3);
    else if (row->after_number)
        sql_add(sql, row->after_number, (const struct db_in[]){key, key, DB_I64(after->id)}, 3);
    else
        sql_add(sql, " AND p.id < ?", &DB_I64(after->id), 1);
}

/* Without a filter, or with a category alone, one index holds exactly the rows of the page in their
 * order; naming it keeps the cost flat whatever the optimizer's statistics say. Other filters are
 * left to the optimizer, which knows how selective they are. */
static void add_index(struct sql *sql, const struct product_filter *f, const struct sort_row *row)
{
    if (f->brand.ptr || f->in_stock.set || f->price_min.set || f->price_max.set)
        return;
    sql_add_plain(sql, " FORCE INDEX (");
    sql_add_plain(sql, f->category.ptr ? row->category_index : row->index);
    sql_add_plain(sql, ")");
}

bool product_list(struct db *db, struct arena *arena, const struct product_filter *filter,
                  enum product_sort sort, const struct cursor *after, int64_t limit,
                  struct db_rows *ret, struct err *err)
{
    const struct sort_row *row = &sort_rows[sort];
    struct sql sql = sql_start(arena, LIST_SQL_BYTES);
    /* STRAIGHT_JOIN: products first. Started from categories, the order would need a sort. */
    sql_add_plain(&sql, "SELECT STRAIGHT_JOIN " PRODUCT_COLUMNS " FROM products p");
    add_index(&sql, filter, row);
    sql_add_plain(&sql, " JOIN categories c ON c.id = p.category_id");
    add_conditions(&sql, filter);
    if (after)
        add_after(&sql, row, after);
    sql_add_plain(&sql, row->order);
    sql_add(&sql, " LIMIT ?", &DB_I64(limit), 1);
    return db_read(db, &sql, ret, err);
}

bool product_next(struct db_rows *rows, struct product *ret, struct err *err)
{
    struct db_out out[PRODUCT_COLUMN_COUNT];
    product_outs(ret, out);
    return db_next(rows, ARRAY(out), err);
}

struct cursor product_cursor(const struct product *product, enum product_sort sort)
{
    struct cursor cursor = {.id = product->id};
    if (sort == PRODUCT_SORT_NAME)
        cursor.text = product->name;
    else if (sort != PRODUCT_SORT_NEWEST)
        cursor.number = product->price_minor;
    return cursor;
}

bool product_count(struct db *db, struct arena *arena, const struct product_filter *filter,
                   int64_t *ret, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct sql sql = sql_start(arena, LIST_SQL_BYTES);
    sql_add_plain(&sql, "SELECT COUNT(*) FROM (SELECT 1 FROM products p");
    add_conditions(&sql, filter);
    sql_add(&sql, " LIMIT ?) AS counted", &DB_I64(PRODUCT_COUNT_MAX + 1), 1);
    return db_read(db, &sql, &rows, err) && (db_next(&rows, &DB_GET_I64(ret), 1, err) ||
                                             err_fail(err, &ERR_INTERNAL, "no row from COUNT"));
}

/* One product with every text at its longest and escaped is below this. */
#define WRITE_SQL_BYTES KIB(24)

/* The SKU is the only unique column that an input can collide in. */
static bool write_product(struct db *db, const struct sql *sql, struct db_written *ret,
                          struct err *err)
{
    struct err failed = {0};
    *ret = (struct db_written){0};
    if (db_write(db, sql, ret, &failed))
        return true;
    return err_fail(err, ret->server_errno == DB_DUPLICATE_KEY ? &ERR_SKU_TAKEN : failed.kind, "%s",
                    failed.cause);
}

bool product_insert(struct db *db, struct arena *arena, const struct product_input *product,
                    int64_t category_id, int64_t *ret_id, struct err *err)
{
    struct db_written written;
    struct sql sql = product_upsert_start(arena, WRITE_SQL_BYTES);
    product_upsert_add(&sql, product, category_id);
    if (!write_product(db, &sql, &written, err))
        return false;
    *ret_id = written.insert_id;
    return true;
}

/* Runs a change of one product at one version; its end says which. */
static bool write_version(struct db *db, struct sql *sql, const char *state, int64_t id,
                          int64_t version, struct err *err)
{
    const struct db_in in[] = {DB_I64(id), DB_I64(version)};
    struct db_written written;
    sql_add(sql,
            "version = version + 1, updated_at = UTC_TIMESTAMP(3) WHERE id = ? AND version = ?",
            ARRAY(in));
    sql_add_plain(sql, state);
    if (!write_product(db, sql, &written, err))
        return false;
    return written.affected == 1 ||
           err_fail(err, &ERR_PRECONDITION_FAILED, "product %lld is not at version %lld any more",
                    (long long)id, (long long)version);
}

bool product_update(struct db *db, struct arena *arena, int64_t id, int64_t version,
                    const struct product_input *p, int64_t category_id, struct err *err)
{
    const struct db_in in[] = {
        DB_TEXT(p->sku),           DB_TEXT(p->name),    DB_TEXT(p->description),
        DB_TEXT_OR_NULL(p->brand), DB_I64(category_id), DB_I64(p->price_minor),
        DB_TEXT(p->currency),      DB_I64(p->stock),    DB_I64(p->status),
    };
    struct sql sql = sql_start(arena, WRITE_SQL_BYTES);
    sql_add(&sql,
            "UPDATE products SET sku = ?, name = ?, description = ?, brand = ?, category_id = ?,"
            " price_minor = ?, currency = ?, stock = ?, status = ?, ",
            ARRAY(in));
    return write_version(db, &sql, " AND deleted_at IS NULL", id, version, err);
}

bool product_delete(struct db *db, struct arena *arena, int64_t id, int64_t version,
                    struct err *err)
{
    struct sql sql = sql_start(arena, KIB(1));
    sql_add_plain(&sql, "UPDATE products SET deleted_at = UTC_TIMESTAMP(3), ");
    return write_version(db, &sql, " AND deleted_at IS NULL", id, version, err);
}

bool product_restore(struct db *db, struct arena *arena, int64_t id, int64_t version,
                     struct err *err)
{
    struct sql sql = sql_start(arena, KIB(1));
    sql_add_plain(&sql, "UPDATE products SET deleted_at = NULL, ");
    return write_version(db, &sql, " AND deleted_at IS NOT NULL", id, version, err);
}

struct sql product_upsert_start(struct arena *arena, size_t cap)
{
    struct sql sql = sql_start(arena, cap);
    sql_add_plain(&sql, "INSERT INTO products (sku, name, description, brand, category_id,"
                        " price_minor, currency, stock, status, created_at, updated_at) VALUES");
    return sql;
}

void product_upsert_add(struct sql *sql, const struct product_input *p, int64_t category_id)
{
    const struct db_in in[] = {
        DB_TEXT(p->sku),           DB_TEXT(p->name),    DB_TEXT(p->description),
        DB_TEXT_OR_NULL(p->brand), DB_I64(category_id), DB_I64(p->price_minor),
        DB_TEXT(p->currency),      DB_I64(p->stock),    DB_I64(p->status),
    };
    bool first = sql->text.len > 0 && sql->text.ptr[sql->text.len - 1] != ')';
    sql_add(sql,
            first ? "(?,?,?,?,?,?,?,?,?,UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))"
                  : ",(?,?,?,?,?,?,?,?,?,UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))",
            ARRAY(in));
}

/* Whether the row is there already as it comes in. Texts are compared as bytes: to the collation
 * "Cafe" is "café". */
#define PRODUCT_IS_UNCHANGED                                                                       \
    "CAST(name AS BINARY) = CAST(VALUES(name) AS BINARY)"                                          \
    " AND CAST(description AS BINARY) = CAST(VALUES(description) AS BINARY)"                       \
    " AND CAST(brand AS BINARY) <=> CAST(VALUES(brand) AS BINARY)"                                 \
    " AND category_id = VALUES(category_id) AND price_minor = VALUES(price_minor)"                 \
    " AND currency = VALUES(currency) AND stock = VALUES(stock)"                                   \
    " AND status = VALUES(status) AND deleted_at IS NULL"

/* Assignments run from left to right and see the ones before them, so what compares old with new
 * comes first. */
void product_upsert_finish(struct sql *sql)
{
    sql_add_plain(sql,
                  " ON DUPLICATE KEY UPDATE"
                  " version = version + IF(" PRODUCT_IS_UNCHANGED ", 0, 1),"
                  " updated_at = IF(" PRODUCT_IS_UNCHANGED ", updated_at, VALUES(updated_at)),"
                  " name = VALUES(name), description = VALUES(description), brand = VALUES(brand),"
                  " category_id = VALUES(category_id), price_minor = VALUES(price_minor),"
                  " currency = VALUES(currency), stock = VALUES(stock), status = VALUES(status),"
                  " deleted_at = NULL");
}
