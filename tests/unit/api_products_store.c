#include "fcgi/api/products_store.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
#include <string.h>

#define HEAD                                                                                       \
    "INSERT INTO products (sku, name, description, brand, category_id, price_minor, currency,"     \
    " stock, status, created_at, updated_at) VALUES"
#define NOW ",UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))"
#define END " ON DUPLICATE KEY UPDATE "

static const struct product_input plain = {
    .sku = SLICE_INIT("T-1"),
    .name = SLICE_INIT("Tea"),
    .description = SLICE_INIT(""),
    .category = SLICE_INIT("tea"),
    .currency = SLICE_INIT("USD"),
    .price_minor = 100,
    .stock = 3,
};
static const struct product_input hostile = {
    .sku = SLICE_INIT("')"),
    .name = SLICE_INIT("It's a \"kettle\"); DROP TABLE products; -- ?"),
    .description = SLICE_INIT("One\nTwo\\\x1a ?"),
    .brand = SLICE_INIT("\\"),
    .category = SLICE_INIT("never in the statement"),
    .currency = SLICE_INIT("EUR"),
    .price_minor = 999999999999,
    .stock = 0,
    .status = 1,
};
#define PLAIN_VALUES "('T-1','Tea','',NULL,7,100,'USD',3,0" NOW
#define HOSTILE_VALUES                                                                             \
    "('\\')','It\\'s a \\\"kettle\\\"); DROP TABLE products; -- ?','One\\nTwo\\\\\\Z ?',"          \
    "'\\\\',8,999999999999,'EUR',0,1" NOW

/* The statement up to its last END, which no value can hold unescaped. */
static struct slice values_of(struct sql *sql)
{
    const char *text = buf_cstr(&sql->text), *end = strstr(text, END);
    ck_assert_ptr_nonnull(end);
    ck_assert_ptr_null(strstr(end + 1, END));
    return (struct slice){text, (size_t)(end - text)};
}

static const struct upsert_row {
    const struct product_input *products[3];
    const char *want;
} upsert_rows[] = {
    {{&plain}, HEAD PLAIN_VALUES},
    {{&hostile}, HEAD HOSTILE_VALUES},
    {{&plain, &hostile, &plain}, HEAD PLAIN_VALUES "," HOSTILE_VALUES "," PLAIN_VALUES},
};
START_TEST(upsert_text)
{
    const struct upsert_row *r = &upsert_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct sql sql = product_upsert_start(&arena, KIB(16));
    for (size_t i = 0; i < COUNT(r->products) && r->products[i]; i++)
        product_upsert_add(&sql, r->products[i], r->products[i] == &plain ? 7 : 8);
    product_upsert_finish(&sql);
    ck_assert_msg(sql_ready(&sql, &err), "%s", err.cause);
    ck_assert_text_eq(values_of(&sql), r->want);
    arena_done(&arena);
}
END_TEST

/* Every column is taken over but those that a replaced product keeps (id, sku, created_at), and the
 * two that compare old with new come first: an assignment sees the ones before it. */
START_TEST(upsert_assignments)
{
    static const char *const taken[] = {"name",        "description", "brand",
                                        "category_id", "price_minor", "currency",
                                        "stock",       "status",      "deleted_at"};
    struct arena arena = test_arena(KIB(64));
    struct sql sql = product_upsert_start(&arena, KIB(16));
    product_upsert_add(&sql, &plain, 7);
    size_t before = sql.text.len;
    product_upsert_finish(&sql);
    ck_assert_uint_lt(sql.text.len - before, KIB(2)); /* import.c leaves as much for it */
    const char *end = strstr(buf_cstr(&sql.text), END);
    const char *version = strstr(end, " version = version + IF("), *updated_at;
    ck_assert_ptr_nonnull(version);
    ck_assert_ptr_nonnull(updated_at = strstr(end, " updated_at = IF("));
    for (size_t i = 0; i < COUNT(taken); i++) {
        char text[64], compared[64];
        bool deleted = strcmp(taken[i], "deleted_at") == 0;
        snprintf(text, sizeof text, deleted ? ", %s = NULL" : ", %s = VALUES(%s)", taken[i],
                 taken[i]);
        const char *assignment = strstr(end, text);
        ck_assert_msg(assignment != NULL, "%s is not taken over", taken[i]);
        ck_assert(assignment > version && assignment > updated_at);
        snprintf(compared, sizeof compared, deleted ? "%s IS NULL" : "VALUES(%s)", taken[i]);
        ck_assert_msg(strstr(end, compared) < assignment, "%s is not compared", taken[i]);
    }
    ck_assert_ptr_null(strstr(end, " id = "));
    ck_assert_ptr_null(strstr(end, "sku"));
    ck_assert_ptr_null(strstr(end, "created_at = "));
    arena_done(&arena);
}
END_TEST

/* The row that did not fit can be taken back, and the statement without it is whole. */
START_TEST(upsert_row_taken_back)
{
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct sql sql = product_upsert_start(&arena, KIB(16));
    product_upsert_add(&sql, &plain, 7);
    size_t before = sql.text.len;
    product_upsert_add(&sql, &hostile, 8);
    buf_cut(&sql.text, before);
    product_upsert_add(&sql, &plain, 7);
    buf_cut(&sql.text, before);
    product_upsert_finish(&sql);
    ck_assert(sql_ready(&sql, &err));
    ck_assert_text_eq(values_of(&sql), HEAD PLAIN_VALUES);
    arena_done(&arena);
}
END_TEST

START_TEST(upsert_too_long)
{
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct sql sql = product_upsert_start(&arena, 256);
    product_upsert_add(&sql, &plain, 7);
    product_upsert_finish(&sql);
    ck_assert(!sql_ready(&sql, &err));
    ck_assert_ptr_eq(err.kind, &ERR_INTERNAL);
    arena_done(&arena);
}
END_TEST

/* The key of each sort, and nothing of the others. */
static const struct key_row {
    enum product_sort sort;
    struct cursor want;
} key_rows[] = {
    {PRODUCT_SORT_NEWEST, {.id = 5}},
    {PRODUCT_SORT_PRICE, {.id = 5, .number = 100}},
    {PRODUCT_SORT_PRICE_DOWN, {.id = 5, .number = 100}},
    {PRODUCT_SORT_NAME, {.id = 5, .text = SLICE_INIT("Tea")}},
};
START_TEST(store_cursor_keys)
{
    const struct key_row *r = &key_rows[_i];
    const struct product product = {.id = 5, .price_minor = 100, .name = SLICE("Tea")};
    struct cursor got = product_cursor(&product, r->sort);
    ck_assert_int_eq(got.id, r->want.id);
    ck_assert_int_eq(got.number, r->want.number);
    ck_assert_slice_eq(got.text, r->want.text);
}
END_TEST

void api_products_store(struct suite *s)
{
    suite_rows(s, upsert_text, COUNT(upsert_rows));
    suite_test(s, upsert_assignments);
    suite_test(s, upsert_row_taken_back);
    suite_test(s, upsert_too_long);
    suite_rows(s, store_cursor_keys, COUNT(key_rows));
}
