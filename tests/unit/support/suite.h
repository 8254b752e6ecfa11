/* suite.h - how a file of unit tests names its tests to the harness (tests/unit/main.c).
 * Each test becomes a test case of its own, so that one can be selected: "base/slice/slice_trim".
 * A failed check ends its test at once, so no test needs to release what it holds after one. */
#ifndef TESTS_UNIT_SUPPORT_SUITE_H
#define TESTS_UNIT_SUPPORT_SUITE_H

#include <check.h>
#include <stddef.h>

struct suite {
    const char *name;      /* "base/slice" */
    const char *selection; /* part of the names to run; "" for all */
    Suite *check;          /* NULL while no test is selected: Check cannot free an unused suite */
};

void suite_test(struct suite *s, const TTest *test);
/* Runs the test once for each row of its table; the test finds the row's number in `_i`. */
void suite_rows(struct suite *s, const TTest *test, size_t rows);
/* Stands for a test that cannot run here; `what` is a literal, its name and why: "corpus: no
 * files". The reports show it as skipped, never as passed (tests/runner/report.py knows it by its
 * name). */
void suite_skip(struct suite *s, const char *what);

#endif
