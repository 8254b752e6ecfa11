#include "tests/unit/support/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Check ends a test after 4 seconds otherwise, which is little on a busy machine. */
#define TIMEOUT_S 60

static bool is_selected(const struct suite *s, const char *test)
{
    char name[256];
    snprintf(name, sizeof name, "%s/%s", s->name, test);
    return strstr(name, s->selection) != NULL;
}

static void add(struct suite *s, const char *title, const TTest *test, size_t rows)
{
    TCase *tcase = tcase_create(title);
    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_loop_test(tcase, test, 0, (int)rows);
    if (!s->check)
        s->check = suite_create(s->name);
    suite_add_tcase(s->check, tcase);
}

void suite_test(struct suite *s, const TTest *test)
{
    suite_rows(s, test, 1);
}

void suite_rows(struct suite *s, const TTest *test, size_t rows)
{
    if (is_selected(s, test->name))
        add(s, test->name, test, rows);
}

START_TEST(skipped) {}
END_TEST

void suite_skip(struct suite *s, const char *what)
{
    if (!is_selected(s, what))
        return;
    fprintf(stderr, "skipped %s/%s\n", s->name, what);
    add(s, what, skipped, 1);
}
