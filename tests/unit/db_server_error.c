#include "common/db/server_error.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct row {
    unsigned number;
    const char *message, *want;
} rows[] = {
    {1062, "Duplicate entry 'U-1' for key 'products.uq_products_sku'",
     "1062 Duplicate entry '...' for key 'products.uq_products_sku'"},
    {1062, "Duplicate entry '' for key 'k'", "1062 Duplicate entry '...' for key 'k'"},
    /* The value says what stands behind it. */
    {1062, "Duplicate entry 'a' for key 'b' for key 'uq'",
     "1062 Duplicate entry '...' for key 'uq'"},
    {1062, "Duplicate entry 'it's' for key 'uq'", "1062 Duplicate entry '...' for key 'uq'"},
    {1062, "Duplicate entry 'cut in the mid", "1062 Duplicate entry '..."},
    {1586, "Duplicate entry 'secret' for key 'uq'", "1586 Duplicate entry '...' for key 'uq'"},
    {1366, "Incorrect string value: '\\xF0\\x9F' for column 'name' at row 1",
     "1366 Incorrect string value: '...' for column 'name' at row 1"},
    {1366, "Incorrect string value: '\\xF0' for column `cbu`.`products`.`name` at row 1",
     "1366 Incorrect string value: '...' for column `cbu`.`products`.`name` at row 1"},
    {1292, "Truncated incorrect DOUBLE value: 'secret'",
     "1292 Truncated incorrect DOUBLE value: '...'"},
    {1292, "Incorrect datetime value: 'secret' for column 'at' at row 1",
     "1292 Incorrect datetime value: '...' for column 'at' at row 1"},
    {1064, "You have an error near 'WHERE name = 'secret'' at line 1",
     "1064 You have an error near '...' at line 1"},
    {1690, "BIGINT UNSIGNED value is out of range in '(5 - 7)'",
     "1690 BIGINT UNSIGNED value is out of range in '...'"},
    {1411, "Incorrect datetime value: 'x' for function str_to_date",
     "1411 Incorrect datetime value: '...' for function str_to_date"},
    /* Only names. */
    {1146, "Table 'cbu.products' doesn't exist", "1146 Table 'cbu.products' doesn't exist"},
    {1048, "Column 'sku' cannot be null", "1048 Column 'sku' cannot be null"},
    {1045, "Access denied for user 'cbu'@'10.0.0.1' (using password: YES)",
     "1045 Access denied for user 'cbu'@'10.0.0.1' (using password: YES)"},
    {1213, "Deadlock found", "1213 Deadlock found"},
    {1062, "no quotes here", "1062 no quotes here"},
    {2013, "", "2013 "},
};
START_TEST(server_error_without_values)
{
    char storage[256];
    struct buf out = BUF(storage);
    server_error_add(&out, rows[_i].number, slice_from_cstr(rows[_i].message));
    ck_assert_text_eq(buf_slice(&out), rows[_i].want);
}
END_TEST

/* As long as a message may be, and of any number: it fits what a cause may hold. */
START_TEST(server_error_is_bounded)
{
    char message[512];
    static const unsigned numbers[] = {1062, 1146};
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (char)(i == 300 || i == 301 ? '\'' : 'm');
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char storage[512];
        struct buf out = BUF(storage);
        server_error_add(&out, numbers[i], (struct slice){message, sizeof message});
        ck_assert_uint_le(out.len, 420);
        ck_assert(!out.full);
    }
}
END_TEST

void db_server_error(struct suite *s)
{
    suite_rows(s, server_error_without_values, COUNT(rows));
    suite_test(s, server_error_is_bounded);
}
