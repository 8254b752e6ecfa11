#include "common/run/trace.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/fake_world.h"

START_TEST(trace_adds_up_phases)
{
    struct fake_world fake;
    struct trace_shown shown = {0};
    struct trace t;
    fake_world_init(&fake);
    trace_begin(&t, &fake.world, &shown);
    ck_assert_int_eq(atomic_load(&shown.phase), TRACE_READ);
    ck_assert_int_eq(atomic_load(&shown.route), -1);
    ck_assert_int_eq(atomic_load(&shown.begun_ms), fake.monotonic_ms);
    fake_world_pass(&fake, 1);
    ck_assert_int_eq(trace_enter(&t, TRACE_WORK), TRACE_READ);
    fake_world_pass(&fake, 10);
    for (int i = 0; i < 2; i++) { /* a phase within another, twice */
        enum trace_phase before = trace_enter(&t, TRACE_SQL);
        ck_assert_int_eq(atomic_load(&shown.phase), TRACE_SQL);
        fake_world_pass(&fake, 100);
        trace_enter(&t, before);
    }
    trace_route(&t, 3);
    fake_world_pass(&fake, 20);
    trace_enter(&t, TRACE_WRITE);
    fake_world_pass(&fake, 3);
    ck_assert_int_eq(trace_end(&t), 234000);
    ck_assert_int_eq(t.spent_us[TRACE_READ], 1000);
    ck_assert_int_eq(t.spent_us[TRACE_WORK], 30000);
    ck_assert_int_eq(t.spent_us[TRACE_SQL], 200000);
    ck_assert_int_eq(t.spent_us[TRACE_WRITE], 3000);
    ck_assert_int_eq(atomic_load(&shown.phase), TRACE_NONE);
    ck_assert_int_eq(atomic_load(&shown.route), 3);
}
END_TEST

START_TEST(trace_may_be_absent)
{
    ck_assert_int_eq(trace_enter(NULL, TRACE_SQL), TRACE_NONE);
    trace_route(NULL, 1);
    trace_statement(NULL, SLICE("SELECT 1"), 1);
    ck_assert_int_eq(trace_now_us(NULL), 0);
}
END_TEST

/* What a statement is called never holds a value of it. */
static const struct statement_row {
    const char *statement, *name;
} statement_rows[] = {
    {"SELECT id, name FROM products WHERE id = 1", "SELECT products"},
    {"INSERT INTO products (name) VALUES ('x')", "INSERT products"},
    {"UPDATE products SET name = 'x'", "UPDATE products"},
    {"DELETE FROM sessions WHERE id = 1", "DELETE sessions"},
    {"COMMIT", "COMMIT"},
    {"SELECT 'secret FROM elsewhere'", "SELECT"},
    {"SELECT \"secret FROM elsewhere\"", "SELECT"},
    {"SELECT x from lower_case", "SELECT"},
    {"SELECT 1 FROM", "SELECT"},
    {"SELECT a,b FROM (SELECT 1 FROM inner_table) x", "SELECT inner_table"},
    {"SELECT 'it\\'s FROM a', \"and UPDATE b\", '' FROM products", "SELECT products"},
    {"SELECT 'no end FROM a", "SELECT"},
    {"SELECT 'no end\\", "SELECT"},
    {"", ""},
    {"SELECT 1 FROM a_table_whose_name_is_longer_than_anything_that_there_is", ""},
};
START_TEST(trace_names_statements)
{
    const struct statement_row *r = &statement_rows[_i];
    struct fake_world fake;
    struct trace t;
    fake_world_init(&fake);
    trace_begin(&t, &fake.world, NULL);
    trace_statement(&t, slice_from_cstr(r->statement), TRACE_NAMED_US - 1);
    ck_assert_str_eq(t.slowest, ""); /* not worth a name */
    trace_statement(&t, slice_from_cstr(r->statement), TRACE_NAMED_US);
    ck_assert_str_eq(t.slowest, r->name);
    trace_statement(&t, SLICE("ROLLBACK"), TRACE_NAMED_US - 1); /* the slowest counts */
    ck_assert_str_eq(t.slowest, r->name);
    trace_statement(&t, SLICE("ROLLBACK"), TRACE_NAMED_US + 1);
    ck_assert_str_eq(t.slowest, "ROLLBACK");
}
END_TEST

START_TEST(trace_phase_names)
{
    ck_assert_str_eq(trace_phase_name(TRACE_NONE), "none");
    ck_assert_str_eq(trace_phase_name(TRACE_WRITE), "write");
    ck_assert_str_eq(trace_phase_name(TRACE_PHASE_COUNT), "invalid");
    ck_assert_str_eq(trace_phase_name(-1), "invalid");
}
END_TEST

void run_trace(struct suite *s)
{
    suite_test(s, trace_adds_up_phases);
    suite_test(s, trace_may_be_absent);
    suite_rows(s, trace_names_statements, COUNT(statement_rows));
    suite_test(s, trace_phase_names);
}
