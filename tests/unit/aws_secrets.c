#include "common/aws/secrets.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_http.h"

#include <string.h>

#define ARN "arn:aws:secretsmanager:us-east-2:123456789012:secret:cbu/db-AbCdEf"

START_TEST(secrets_know_their_region)
{
    ck_assert_text_eq(secrets_region_of(SLICE(ARN)), "us-east-2");
    ck_assert_text_eq(secrets_region_of(SLICE("cbu/db")), NULL);
    ck_assert_text_eq(secrets_region_of(SLICE("arn:aws")), NULL);
    ck_assert_text_eq(secrets_region_of((struct slice){0}), NULL);
}
END_TEST

static const struct read_row {
    const char *name;
    int status;
    const char *body;
    const struct err_kind *want;
} read_rows[] = {
    {"good", 200, "{\"ARN\":\"x\",\"VersionId\":\"v\",\"SecretString\":\"s\",\"CreatedDate\":1.5}",
     NULL},
    {"absent, AWS's status", 400, "{\"__type\":\"ResourceNotFoundException\"}", &ERR_SECRET_ABSENT},
    {"absent, another's", 404, "{\"__type\":\"ResourceNotFoundException\"}", &ERR_SECRET_ABSENT},
    {"denied", 400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"no\"}", &ERR_AWS_REFUSED},
    {"an error that calls itself 200", 200, "{\"__type\":\"AccessDeniedException\"}",
     &ERR_AWS_REFUSED},
    {"binary", 200, "{\"VersionId\":\"v\",\"SecretBinary\":\"AAAA\"}", &ERR_AWS_ANSWER},
    {"no version", 200, "{\"SecretString\":\"s\"}", &ERR_AWS_ANSWER},
    {"XML of another service", 200, "<ListAllMyBucketsResult/>", &ERR_AWS_ANSWER},
    {"HTML", 502, "<html>Bad Gateway</html>", &ERR_AWS_ANSWER},
    {"a number", 200, "{\"VersionId\":\"v\",\"SecretString\":5}", &ERR_AWS_ANSWER},
    {"cut", 200, "{\"VersionId\":\"v\",\"SecretStr", &ERR_AWS_ANSWER},
    {"nothing", 200, "", &ERR_AWS_ANSWER},
    {"a redirect", 301, "", &ERR_AWS_ANSWER},
};
START_TEST(secrets_answers)
{
    const struct read_row *r = &read_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct secret_value got = {0};
    bool good = secrets_read_answer(r->status, slice_from_cstr(r->body), &arena, &got, &err);
    ck_assert_msg(good == !r->want && err.kind == r->want, "%s: %s", r->name, err.cause);
    ck_assert_text_eq(got.text, good ? "s" : NULL);
    ck_assert_text_eq(got.version_id, good ? "v" : NULL);
    if (strcmp(r->name, "denied") == 0)
        ck_assert_str_eq(err.cause, "GetSecretValue: AccessDeniedException: no");
    arena_done(&arena);
}
END_TEST

START_TEST(secrets_are_asked_for)
{
    static const struct fake_http_answer answers[] = {
        {.status = 400, .body = "{\"__type\":\"ThrottlingException\"}"},
        {.status = 200, .body = "{\"VersionId\":\"v\",\"SecretString\":\"s\"}"},
        {.status = 200, .body = "{\"VersionId\":\"w\",\"SecretString\":\"t\"}"}};
    static const struct aws_credentials credentials = {SLICE_INIT("AKID"), SLICE_INIT("S"), {0}};
    const struct secrets_place there = {SLICE("us-east-2"), {0}},
                               here = {SLICE("eu-west-1"), SLICE("http://127.0.0.1:5000")};
    struct fake_http f;
    struct arena arena = test_arena(KIB(512));
    struct err err = {0};
    struct secret_value got = {0};
    fake_http_open(&f, ARRAY(answers));
    ck_assert_msg(secrets_get(&f.client, &credentials, &there, SLICE(ARN), SECRET_CURRENT, &arena,
                              &got, &err),
                  "%s", err.cause);
    ck_assert_text_eq(got.text, "s");
    ck_assert_msg(secrets_get(&f.client, &credentials, &here, SLICE("a\"b"), SECRET_PREVIOUS,
                              &arena, &got, &err),
                  "%s", err.cause);
    ck_assert_str_eq(f.requests[0].url, "https://secretsmanager.us-east-2.amazonaws.com/");
    ck_assert_str_eq(f.requests[1].body,
                     "{\"SecretId\":\"" ARN "\",\"VersionStage\":\"AWSCURRENT\"}");
    ck_assert_str_eq(f.requests[1].target, "secretsmanager.GetSecretValue");
    ck_assert_str_eq(f.requests[2].url, "http://127.0.0.1:5000/");
    ck_assert_str_eq(f.requests[2].body,
                     "{\"SecretId\":\"a\\\"b\",\"VersionStage\":\"AWSPREVIOUS\"}");
    ck_assert(strstr(f.requests[2].authorization, "/eu-west-1/secretsmanager/aws4_request"));
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

static const struct login_row {
    const char *name, *text, *user, *password; /* password NULL: refused */
} login_rows[] = {
    {"as RDS writes it",
     "{\"engine\":\"mysql\",\"host\":\"h\",\"port\":3306,\"username\":\"cbu\",\"password\":\"p\"}",
     "cbu", "p"},
    {"no user", "{\"password\":\"p\"}", NULL, "p"},
    {"plain text", "pa ss:word", NULL, "pa ss:word"},
    {"no password", "{\"username\":\"cbu\"}", NULL, NULL},
    {"an empty one", "{\"password\":\"\"}", NULL, NULL},
    {"empty", "", NULL, NULL},
    {"broken JSON", "{\"password\":\"p\"", NULL, NULL},
    {"two passwords", "{\"password\":\"p\",\"password\":\"q\"}", NULL, NULL},
};
START_TEST(secrets_of_databases)
{
    const struct login_row *r = &login_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct database_login got = {0};
    bool good = secrets_read_login(slice_from_cstr(r->text), &arena, &got, &err);
    ck_assert_msg(good == (r->password != NULL), "%s: %s", r->name, err.cause);
    ck_assert_text_eq(got.user, r->user);
    ck_assert_text_eq(got.password, r->password);
    arena_done(&arena);
}
END_TEST

static const struct text_row {
    const char *text, *want; /* NULL: refused */
} text_rows[] = {
    {"0123456789abcdef", "0123456789abcdef"},
    {"{\"key\":\"0123456789abcdef\",\"x\":1}", "0123456789abcdef"},
    {" {\"key\":\"0123456789abcdef\"}", "0123456789abcdef"},
    {"{\"Key\":\"0123456789abcdef\"}", NULL},
    {"{\"key\":\"short\"}", NULL},
    {"short", NULL},
    {"", NULL},
};
START_TEST(secrets_of_one_value)
{
    const struct text_row *r = &text_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct slice got = {0};
    ck_assert_int_eq(secrets_read_text(slice_from_cstr(r->text), "key", 16, &arena, &got, &err),
                     r->want != NULL);
    ck_assert_text_eq(got, r->want);
    arena_done(&arena);
}
END_TEST

void aws_secrets(struct suite *s)
{
    suite_test(s, secrets_know_their_region);
    suite_rows(s, secrets_answers, COUNT(read_rows));
    suite_test(s, secrets_are_asked_for);
    suite_rows(s, secrets_of_databases, COUNT(login_rows));
    suite_rows(s, secrets_of_one_value, COUNT(text_rows));
}
