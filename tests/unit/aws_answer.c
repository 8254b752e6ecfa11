#include "common/aws/answer.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct json_row {
    const char *name, *body;
    const char *a, *b, *cause; /* of the members "a" (required) and "b"; cause NULL: good */
} json_rows[] = {
    {"both", "{\"a\":\"1\",\"b\":\"2\"}", "1", "2", NULL},
    {"the other one may be absent", " {\"a\" : \"1\"} ", "1", NULL, NULL},
    {"or null", "{\"a\":\"1\",\"b\":null}", "1", NULL, NULL},
    {"unknown members of any kind", "{\"x\":[{\"a\":1}],\"a\":\"1\",\"y\":1e9}", "1", NULL, NULL},
    {"escapes", "{\"a\":\"\\u0041\\n\\\"\"}", "A\n\"", NULL, NULL},
    {"names are exact", "{\"A\":\"1\"}", NULL, NULL, "a is missing"},
    {"required and null", "{\"a\":null}", NULL, NULL, "a is missing"},
    {"required and empty", "{\"a\":\"\"}", NULL, NULL, "a is missing"},
    {"a number", "{\"a\":1}", NULL, NULL, "a is no text"},
    {"an object", "{\"a\":\"1\",\"b\":{}}", "1", NULL, "b is no text"},
    {"twice", "{\"a\":\"1\",\"a\":\"2\"}", NULL, NULL, "a is there twice"},
    {"an array", "[\"a\"]", NULL, NULL, "no JSON object"},
    {"a text", "\"a\"", NULL, NULL, "no JSON object"},
    {"nothing", "", NULL, NULL, "no JSON: value expected at the end at byte 0"},
    {"XML", "<Error/>", NULL, NULL, "no JSON: value expected at byte 0"},
    {"cut", "{\"a\":\"1", NULL, NULL, "no JSON: string without an end at byte 7"},
    {"an escaped NUL", "{\"a\":\"1\\u0000\"}", NULL, NULL,
     "no JSON: escaped NUL in a string at byte 13"},
};
START_TEST(answer_reads_json)
{
    const struct json_row *r = &json_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct slice a = {0}, b = {0};
    const struct answer_field fields[] = {{"a", &a, true}, {"b", &b, false}};
    bool good = answer_read_json(slice_from_cstr(r->body), ARRAY(fields), &arena, &err);
    ck_assert_msg(good == !r->cause, "%s: %s", r->name, err.cause);
    ck_assert_str_eq(err.cause, r->cause ? r->cause : "");
    ck_assert(good || err.kind == &ERR_AWS_ANSWER);
    ck_assert_text_eq(a, r->a);
    ck_assert_text_eq(b, r->b);
    arena_done(&arena);
}
END_TEST

START_TEST(answer_does_not_outgrow_the_arena)
{
    struct arena arena = test_arena(KIB(4));
    struct err err = {0};
    struct slice a = {0};
    const struct answer_field field = {"a", &a, true};
    char body[KIB(8)];
    struct buf out = BUF(body);
    buf_add(&out, SLICE("{\"a\":\""));
    while (out.len < KIB(5))
        buf_add_char(&out, 'x');
    buf_add(&out, SLICE("\"}"));
    ck_assert(!answer_read_json(buf_slice(&out), &field, 1, &arena, &err));
    ck_assert_str_eq(err.cause, "a is too large");
    arena_done(&arena);
}
END_TEST

static const struct code_row {
    const char *body, *code;
} code_rows[] = {
    {"{\"__type\":\"ResourceNotFoundException\",\"Message\":\"x\"}", "ResourceNotFoundException"},
    {"{\"__type\":\"com.amazonaws.secretsmanager#ThrottlingException\"}", "ThrottlingException"},
    {"\n {\"__type\":\"a.b#C:http://internal.amazon.com/coral/\"}", "C"},
    {"{\"code\":\"Denied\",\"message\":\"x\"}", "Denied"},
    {"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>x</Message></Error>",
     "NoSuchKey"},
    {"<Error>\n  <Code>SlowDown</Code>\n</Error>", "SlowDown"},
    {"<Error><Code>SlowDown</Code>", NULL}, /* cut */
    {"<Code>SlowDown</Code>", NULL},
    {"<Error><Code>No Such &amp; Key</Code></Error>", NULL},
    {"<Error><Code></Code></Error>", NULL},
    {"<Error></Error><Code>X</Code>", NULL},
    {"<Error>", NULL},
    {"<", NULL},
    {"{\"__type\":1}", NULL},
    {"{\"__type\":\"\"}", NULL},
    {"{\"__type\":\"#\"}", NULL},
    {"{\"__type\":\"with blank\"}", NULL},
    {"{\"__type\":\"x\xE2\x82\xAC\"}", NULL},
    {"{\"__type\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NULL},
    {"{\"SecretString\":\"{\\\"__type\\\":\\\"X\\\"}\"}", NULL},
    {"{", NULL},
    {"", NULL},
    {"Bad Gateway", NULL},
};
START_TEST(answer_names_the_error)
{
    const struct code_row *r = &code_rows[_i];
    struct arena arena = test_arena(KIB(64));
    ck_assert_text_eq(answer_error_code(slice_from_cstr(r->body), &arena), r->code);
    arena_done(&arena);
}
END_TEST

#define TEN(x)     x x x x x x x x x x
#define HUNDRED(x) TEN(TEN(x))
#define DENIED                                                                                     \
    "User: arn:aws:sts::123456789012:assumed-role/Task/0123 is not authorized to perform: "        \
    "secretsmanager:GetSecretValue on resource: cbu/database"
static const struct code_row message_rows[] = {
    {"{\"__type\":\"AccessDeniedException\",\"Message\":\"" DENIED "\"}", DENIED},
    {"{\"__type\":\"X\",\"message\":\"Access to KMS is not allowed\"}",
     "Access to KMS is not allowed"},
    {"{\"message\":\"\",\"Message\":\"capital\"}", "capital"},
    {"<Error><Code>X</Code><Message>in XML</Message></Error>", "in XML"},
    {"<Message>outside</Message>", ""},
    {"{\"__type\":\"X\"}", ""},
    {"{\"message\":5}", ""},
    {"{\"message\":\"cut", ""},
    {"Bad Gateway", ""},
    {"", ""},
    {"{\"message\":\"bell\\u0007 \xE2\x82\xAC tab\\t.\"}", "bell? ??? tab?."},
    /* what AWS says of a signature: the request, with the session token in it */
    {"{\"message\":\"The signature does not match.\\n\\nx-amz-security-token:SECRET\"}",
     "The signature does not match."},
    {"<Error><Message>does not match\r\nSECRET</Message></Error>", "does not match"},
    {"{\"message\":\"" HUNDRED("ab") "\"}", HUNDRED("ab")},
    {"{\"message\":\"token " HUNDRED("ab") "c\"}", "token "},
    {"{\"message\":\"" TEN(HUNDRED("words ")) "\"}",
     TEN("words words words words words words ") "words words words words words words word"},
};
START_TEST(answer_quotes_the_message)
{
    const struct code_row *r = &message_rows[_i];
    struct arena arena = test_arena(KIB(64));
    ck_assert_text_eq(answer_error_message(slice_from_cstr(r->body), &arena), r->code);
    arena_done(&arena);
}
END_TEST

static const struct time_row {
    const char *text;
    int64_t rfc3339, http;
} time_rows[] = {
    {"2026-11-22T21:07:11Z", 1795381631, -1},
    {"2026-11-22T21:07:11.123Z", 1795381631, -1},
    {"1970-01-01T00:00:00Z", 0, -1},
    {"2026-11-22T21:07:11", -1, -1},
    {"2026-11-22T21:07:11+01:00", -1, -1},
    {"2026-11-22T21:07:11.Z", -1, -1},
    {"2026-11-22T21:07:11Zx", -1, -1},
    {"2026-13-22T21:07:11Z", -1, -1},
    {"Sun, 22 Nov 2026 21:07:11 GMT", -1, 1795381631},
    {"Sun, 22 Nov 2026 21:07:11 +0000", -1, -1},
    {"Sun, 22 Nov 2026 21:07:11 GMT ", -1, -1},
    {"1795381631", -1, -1},
    {"", -1, -1},
    {"2026-11-22T21:07:11.00000000000000000000000000000000000000000000000000Z", -1, -1},
};
START_TEST(answer_reads_times)
{
    const struct time_row *r = &time_rows[_i];
    ck_assert_int_eq(answer_time_rfc3339(slice_from_cstr(r->text)), r->rfc3339);
    ck_assert_int_eq(answer_time_http(slice_from_cstr(r->text)), r->http);
}
END_TEST

void aws_answer(struct suite *s)
{
    suite_rows(s, answer_reads_json, COUNT(json_rows));
    suite_test(s, answer_does_not_outgrow_the_arena);
    suite_rows(s, answer_names_the_error, COUNT(code_rows));
    suite_rows(s, answer_quotes_the_message, COUNT(message_rows));
    suite_rows(s, answer_reads_times, COUNT(time_rows));
}
