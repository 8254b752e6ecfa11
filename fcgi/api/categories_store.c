#include "fcgi/api/categories_store.h"

bool category_list(struct db *db, struct arena *arena, struct slice after, int64_t limit,
                   struct db_rows *ret, struct err *err)
{
    /* The inner query walks one index; drafts and deleted products do not count. Named, because
     * MariaDB would look up every row by another index, category by category. */
    struct sql sql = sql_start(arena, KIB(2));
    sql_add_plain(
        &sql,
        "SELECT c.category_key, n.products FROM"
        " (SELECT category_id, COUNT(*) AS products FROM products"
        " FORCE INDEX (ix_products_category_newest) WHERE listed = 1 GROUP BY category_id) AS n"
        " JOIN categories c ON c.id = n.category_id");
    if (after.ptr)
        sql_add(&sql, " WHERE c.category_key > ?", &DB_TEXT(after), 1);
    sql_add(&sql, " ORDER BY c.category_key LIMIT ?", &DB_I64(limit), 1);
    return db_read(db, &sql, ret, err);
}

bool category_next(struct db_rows *rows, struct category *ret, struct err *err)
{
    const struct db_out out[] = {DB_GET_TEXT(&ret->key), DB_GET_I64(&ret->products)};
    return db_next(rows, ARRAY(out), err);
}

bool category_ensure(struct db *db, struct arena *arena, struct slice key, int64_t *ret,
                     struct err *err)
{
    static const char find[] = "SELECT id FROM categories WHERE category_key = ?";
    const struct db_in in[] = {DB_TEXT(key)};
    struct err absent = {0};
    if (db_read_one(db, arena, find, ARRAY(in), &DB_GET_I64(ret), 1, &ERR_NOT_FOUND, &absent))
        return true;
    if (absent.kind != &ERR_NOT_FOUND)
        return err_fail(err, absent.kind, "%s", absent.cause);
    /* IGNORE: another import may make it in the same moment; then its id is as good. */
    struct sql sql = sql_start(arena, KIB(1));
    sql_add(&sql,
            "INSERT IGNORE INTO categories (category_key, created_at) VALUES (?,"
            " UTC_TIMESTAMP(3))",
            ARRAY(in));
    return db_write(db, &sql, NULL, err) &&
           db_read_one(db, arena, find, ARRAY(in), &DB_GET_I64(ret), 1, &ERR_INTERNAL, err);
}
