#include "common/db/sql.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdlib.h>
#include <string.h>

static const struct value_row {
    struct db_in in;
    const char *want;
} value_rows[] = {
    {{.kind = DB_IN_NULL}, "NULL"},
    {{.kind = DB_IN_I64, .number = 0}, "0"},
    {{.kind = DB_IN_I64, .number = -5}, "-5"},
    {{.kind = DB_IN_I64, .number = INT64_MIN}, "-9223372036854775808"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("")}, "''"},
    {{.kind = DB_IN_TEXT, .text = {0}}, "''"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("abc")}, "'abc'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("it's")}, "'it\\'s'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("'' OR 1=1 -- ")}, "'\\'\\' OR 1=1 -- '"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("\\' OR 1")}, "'\\\\\\' OR 1'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("a\\")}, "'a\\\\'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("say \"x\"")}, "'say \\\"x\\\"'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("\0\n\r\x1a")}, "'\\0\\n\\r\\Z'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("a\0b")}, "'a\\0b'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("\t\b%_?;`")}, "'\t\b%_?;`'"},
    {{.kind = DB_IN_TEXT, .text = SLICE_INIT("\xC3\xA9\xF0\x9F\x98\x80")},
     "'\xC3\xA9\xF0\x9F\x98\x80'"},
    {{.kind = DB_IN_BYTES, .text = SLICE_INIT("")}, "x''"},
    {{.kind = DB_IN_BYTES, .text = SLICE_INIT("\0'\xFF")}, "x'0027ff'"},
};
START_TEST(sql_values)
{
    const struct value_row *r = &value_rows[_i];
    char storage[64];
    struct sql sql = {.text = BUF(storage)};
    struct err err = {0};
    sql_add(&sql, "<?>", &r->in, 1);
    ck_assert_msg(sql_ready(&sql, &err), "%s", err.cause);
    const struct slice value = {storage + 1, sql.text.len - 2};
    ck_assert_slice_eq(value, slice_from_cstr(r->want));
}
END_TEST

START_TEST(sql_value_macros)
{
    char storage[128];
    struct sql sql = {.text = BUF(storage)};
    const struct slice none = {0}, empty = SLICE("");
    const struct db_in in[] = {
        DB_NULL,
        DB_I64(7),
        DB_TEXT(SLICE("a")),
        DB_BYTES(SLICE("a")),
        DB_TEXT_OR_NULL(none),
        DB_TEXT_OR_NULL(empty),
    };
    sql_add(&sql, "?,?,?,?,?,?", ARRAY(in));
    ck_assert_text_eq(buf_slice(&sql.text), "NULL,7,'a',x'61',NULL,''");
}
END_TEST

/* A text value that is not UTF-8 could end the literal in another charset; it never goes out. */
static const struct slice malformed[] = {SLICE_INIT("\xFF"), SLICE_INIT("a\xC3"),
                                         SLICE_INIT("\xBF'\x27"), SLICE_INIT("\xED\xA0\x80")};
START_TEST(sql_refuses_malformed_text)
{
    char storage[64];
    struct sql sql = {.text = BUF(storage)};
    struct err err = {0};
    sql_add(&sql, "SELECT ?", &DB_TEXT(malformed[_i]), 1);
    ck_assert(!sql_ready(&sql, &err));
    ck_assert_ptr_eq(err.kind, &ERR_INTERNAL);
}
END_TEST

static const struct count_row {
    const char *fragment;
    size_t values;
    bool good;
    const char *want;
} count_rows[] = {
    {"SELECT 1", 0, true, "SELECT 1"},
    {"", 0, true, ""},
    {"?", 1, true, "1"},
    {"a = ?", 1, true, "a = 1"},
    {"? = a", 1, true, "1 = a"},
    {"??", 2, true, "11"},
    {"SELECT 1", 1, false, NULL},
    {"SELECT ?", 0, false, NULL},
    {"SELECT ?, ?", 1, false, NULL},
    {"SELECT ?", 2, false, NULL},
    {"", 1, false, NULL},
};
START_TEST(sql_counts_placeholders)
{
    const struct count_row *r = &count_rows[_i];
    const struct db_in in[] = {DB_I64(1), DB_I64(1)};
    char storage[64];
    struct sql sql = {.text = BUF(storage)};
    struct err err = {0};
    sql_add(&sql, r->fragment, in, r->values);
    ck_assert_int_eq(sql_ready(&sql, &err), r->good);
    ck_assert_ptr_eq(err.kind, r->good ? NULL : &ERR_INTERNAL);
    if (r->good)
        ck_assert_text_eq(buf_slice(&sql.text), r->want);
}
END_TEST

START_TEST(sql_of_several_fragments)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct sql sql = sql_start(&arena, 256);
    struct err err = {0};
    const struct db_in in[] = {DB_I64(5), DB_TEXT(SLICE("a?b"))}; /* no placeholder in a value */
    sql_add_plain(&sql, "SELECT 1 FROM t");
    sql_add(&sql, " WHERE a = ? AND b = ?", ARRAY(in));
    sql_add(&sql, " LIMIT ?", &DB_I64(10), 1);
    ck_assert(sql_ready(&sql, &err));
    ck_assert_text_eq(buf_slice(&sql.text), "SELECT 1 FROM t WHERE a = 5 AND b = 'a?b' LIMIT 10");
}
END_TEST

START_TEST(sql_keeps_the_first_fault)
{
    char storage[64];
    struct sql sql = {.text = BUF(storage)};
    struct err err = {0};
    sql_add(&sql, "?", &DB_TEXT(SLICE("\xFF")), 1);
    sql_add(&sql, "?", NULL, 0);
    ck_assert(!sql_ready(&sql, &err));
    ck_assert_ptr_nonnull(strstr(err.cause, "not UTF-8"));
}
END_TEST

static const struct full_row {
    size_t cap;
    bool good;
} full_rows[] = {{10, true}, {9, false}, {8, false}, {1, false}, {0, false}};
START_TEST(sql_full)
{
    char storage[16];
    struct sql sql = {.text = {storage, 0, full_rows[_i].cap, false}};
    struct err err = {0};
    sql_add(&sql, "SELECT ?", &DB_TEXT(SLICE("a")), 1);
    ck_assert_int_eq(sql_ready(&sql, &err), full_rows[_i].good);
}
END_TEST

START_TEST(sql_without_memory)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct sql sql = sql_start(&arena, KIB(8));
    struct err err = {0};
    sql_add(&sql, "SELECT ?", NULL, 0);
    ck_assert(!sql_ready(&sql, &err));
}
END_TEST

/* The cause quotes the statement, which has no NUL behind it: nothing beyond it may be read, be it
 * another request's data or no memory at all. */
START_TEST(sql_fault_quotes_no_more_than_the_statement)
{
    char *storage = malloc(6);
    ck_assert_ptr_nonnull(storage);
    struct sql sql = {.text = {storage, 0, 6, false}, .fault = "test"};
    struct err err = {0};
    buf_add_cstr(&sql.text, "SELECT");
    ck_assert(!sql_ready(&sql, &err));
    ck_assert_str_eq(err.cause, "sql: test in: SELECT");
    free(storage);
}
END_TEST

void db_sql(struct suite *s)
{
    suite_rows(s, sql_values, COUNT(value_rows));
    suite_test(s, sql_value_macros);
    suite_rows(s, sql_refuses_malformed_text, COUNT(malformed));
    suite_rows(s, sql_counts_placeholders, COUNT(count_rows));
    suite_test(s, sql_of_several_fragments);
    suite_test(s, sql_keeps_the_first_fault);
    suite_rows(s, sql_full, COUNT(full_rows));
    suite_test(s, sql_without_memory);
    suite_test(s, sql_fault_quotes_no_more_than_the_statement);
}
