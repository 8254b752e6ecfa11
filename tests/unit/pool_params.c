#include "fcgi/pool/params.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

START_TEST(params_are_sorted)
{
    char *strings[] = {"REQUEST_URI=/a?b=c", "SCRIPT_NAME=/x", "REQUEST_METHOD=GET", "HTTP_ACCEPT=",
                       "REQUEST_URIX=y",     "no value",       "CONTENT_LENGTH=3",   NULL};
    struct params params;
    params_read(strings, &params);
    ck_assert_text_eq(params.method, "GET");
    ck_assert_text_eq(params.uri, "/a?b=c");
    ck_assert_text_eq(params.content_length, "3");
    ck_assert_uint_eq(params.accept.len, 0);
    ck_assert_uint_eq(params.connection_close.len, 0);
}
END_TEST

START_TEST(params_may_be_none)
{
    char *strings[] = {NULL};
    struct params params;
    params_read(strings, &params);
    ck_assert_uint_eq(params.method.len, 0);
}
END_TEST

void pool_params(struct suite *s)
{
    suite_test(s, params_are_sorted);
    suite_test(s, params_may_be_none);
}
