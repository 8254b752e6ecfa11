#include "common/base/err.h"
#include "tests/unit/suites.h"

#include <ctype.h>
#include <string.h>

START_TEST(err_keeps_the_first)
{
    struct err err = {0};
    ck_assert(!err_fail(&err, &ERR_DATABASE_DOWN, "%s %d", "first", 1));
    ck_assert(!err_fail(&err, &ERR_INTERNAL, "second"));
    ck_assert_ptr_eq(err.kind, &ERR_DATABASE_DOWN);
    ck_assert_str_eq(err.cause, "first 1");
}
END_TEST

START_TEST(err_cuts_a_long_cause)
{
    struct err err = {0};
    char cause[400];
    memset(cause, 'c', sizeof cause - 1);
    cause[sizeof cause - 1] = '\0';
    ck_assert(!err_fail(&err, &ERR_INTERNAL, "%s", cause));
    ck_assert_uint_eq(strlen(err.cause), sizeof err.cause - 1);
}
END_TEST

static const struct err_kind *const kinds[] = {
#define KIND_ROW(name, status, code, message) &(name),
    ERR_KINDS(KIND_ROW)};

/* What clients rely on: a code is a word for programs, a message a sentence for people. */
START_TEST(err_kinds_are_presentable)
{
    const struct err_kind *kind = kinds[_i];
    ck_assert_int_ge(kind->status, 400);
    ck_assert_int_lt(kind->status, 600);
    for (const char *c = kind->code; *c; c++)
        ck_assert_msg(islower((unsigned char)*c) || *c == '_', "%s", kind->code);
    ck_assert_msg(isupper((unsigned char)kind->message[0]), "%s", kind->message);
    ck_assert_msg(kind->message[strlen(kind->message) - 1] == '.', "%s", kind->message);
    for (int i = 0; i < _i; i++)
        ck_assert_str_ne(kinds[i]->code, kind->code);
}
END_TEST

void base_err(struct suite *s)
{
    suite_test(s, err_keeps_the_first);
    suite_test(s, err_cuts_a_long_cause);
    suite_rows(s, err_kinds_are_presentable, COUNT(kinds));
}
