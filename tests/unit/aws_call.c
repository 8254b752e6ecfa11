#include "common/aws/call.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_http.h"

#include <string.h>

static const struct judge_row {
    const char *name;
    struct call_outcome outcome;
    enum call_next want;
} judge_rows[] = {
    {"200", {.status = 200}, CALL_TAKE},
    {"404", {.status = 404, .code = SLICE_INIT("ResourceNotFoundException")}, CALL_TAKE},
    {"301", {.status = 301}, CALL_TAKE},
    {"no answer", {.failure = &ERR_AWS_UNREACHABLE}, CALL_AGAIN},
    {"an unusable answer", {.failure = &ERR_AWS_ANSWER}, CALL_TAKE},
    {"a fault of ours", {.failure = &ERR_INTERNAL}, CALL_TAKE},
    {"429", {.status = 429}, CALL_AGAIN},
    {"500", {.status = 500}, CALL_AGAIN},
    {"501", {.status = 501}, CALL_TAKE},
    {"502", {.status = 502}, CALL_AGAIN},
    {"503", {.status = 503}, CALL_AGAIN},
    {"504", {.status = 504}, CALL_AGAIN},
    {"throttled", {.status = 400, .code = SLICE_INIT("ThrottlingException")}, CALL_AGAIN},
    {"slow down", {.status = 400, .code = SLICE_INIT("SlowDown")}, CALL_AGAIN},
    {"slow down, in botocore's newest words",
     {.status = 400, .code = SLICE_INIT("EC2ThrottledException")},
     CALL_AGAIN},
    {"bandwidth", {.status = 400, .code = SLICE_INIT("BandwidthLimitExceeded")}, CALL_AGAIN},
    {"a limit", {.status = 400, .code = SLICE_INIT("LimitExceededException")}, CALL_AGAIN},
    {"in progress",
     {.status = 400, .code = SLICE_INIT("TransactionInProgressException")},
     CALL_AGAIN},
    {"a timeout of theirs",
     {.status = 400, .code = SLICE_INIT("RequestTimeoutException")},
     CALL_AGAIN},
    {"denied", {.status = 400, .code = SLICE_INIT("AccessDeniedException")}, CALL_TAKE},
    {"bad signature, right clock",
     {.status = 400, .code = SLICE_INIT("InvalidSignatureException"), .clock_off_s = 3},
     CALL_TAKE},
    {"bad signature, wrong clock",
     {.status = 400, .code = SLICE_INIT("InvalidSignatureException"), .clock_off_s = 301},
     CALL_AGAIN_CLOCK},
    {"the clock is ahead",
     {.status = 403, .code = SLICE_INIT("RequestTimeTooSkewed"), .clock_off_s = -1200},
     CALL_AGAIN_CLOCK},
    {"a refused HEAD", {.status = 403, .clock_off_s = 1200}, CALL_AGAIN_CLOCK},
    {"the same, right clock", {.status = 403}, CALL_TAKE},
    {"corrected once already",
     {.status = 403,
      .code = SLICE_INIT("RequestTimeTooSkewed"),
      .clock_off_s = 900,
      .clock_corrected = true},
     CALL_TAKE},
    {"wrong clock, but not refused for it",
     {.status = 400, .code = SLICE_INIT("AccessDeniedException"), .clock_off_s = 900},
     CALL_TAKE},
};
START_TEST(call_judges)
{
    const struct judge_row *r = &judge_rows[_i];
    ck_assert_msg(call_judge(&r->outcome) == r->want, "%s", r->name);
}
END_TEST

START_TEST(call_pauses_grow_to_a_bound)
{
    const struct aws_limits limits = {.pause_base_ms = 50, .pause_max_ms = 1000};
    static const int64_t want[] = {50, 100, 200, 400, 800, 1000, 1000};
    for (unsigned i = 0; i < COUNT(want); i++)
        ck_assert_int_eq(call_pause_bound_ms(&limits, i), want[i]);
    ck_assert_int_eq(call_pause_bound_ms(&limits, UINT32_MAX), 1000);
}
END_TEST

static const struct aws_credentials credentials = {
    SLICE_INIT("AKIDEXAMPLE"), SLICE_INIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    SLICE_INIT("token")};

static bool send(struct fake_http *f, const struct aws_credentials *with, struct arena *arena,
                 struct http_answer *ret, struct err *err)
{
    const struct aws_pair query[] = {{SLICE("x"), SLICE("a b")}};
    const struct aws_call call = {
        .service = "s3",
        .operation = "HeadObject",
        .region = SLICE("us-east-2"),
        .resource = SLICE("bucket"),
        .rules = sigv4_rules_s3,
        .base_url = SLICE("http://127.0.0.1:7101"),
        .method = SLICE("GET"),
        .path = SLICE("/bucket/key"),
        .query = query,
        .query_count = 1,
        .answer_max = KIB(4),
    };
    return aws_call_send(&f->client, with, &call, arena, ret, err);
}

static const struct send_row {
    const char *name;
    struct fake_http_answer answers[5];
    size_t count;
    int status; /* 0: no answer came of it */
    int64_t paused_ms;
} send_rows[] = {
    {"at once", {{.status = 200}}, 1, 200, 0},
    {"a refusal is an answer", {{.status = 400}}, 1, 400, 0},
    {"the second time", {{.status = 503}, {.status = 200}}, 2, 200, 50},
    {"after no answer", {{.failure = &ERR_AWS_UNREACHABLE}, {.status = 200}}, 2, 200, 50},
    {"four times and no more",
     {{.status = 500}, {.status = 500}, {.status = 500}, {.status = 503}},
     4,
     503,
     150},
    {"four times without an answer",
     {{.failure = &ERR_AWS_UNREACHABLE},
      {.failure = &ERR_AWS_UNREACHABLE},
      {.failure = &ERR_AWS_UNREACHABLE},
      {.failure = &ERR_AWS_UNREACHABLE}},
     4,
     0,
     150},
    {"an unusable answer is not asked for again", {{.failure = &ERR_AWS_ANSWER}}, 1, 0, 0},
    {"as late as the service asks",
     {{.status = 429, .retry_after = "2"}, {.status = 200}},
     2,
     200,
     2000},
    {"but not later than the budget", {{.status = 429, .retry_after = "30"}}, 1, 429, 0},
    {"a nonsense Retry-After",
     {{.status = 429, .retry_after = "soon"}, {.status = 200}},
     2,
     200,
     50},
    {"the budget ends it",
     {{.status = 500, .takes_ms = 2500}, {.status = 500, .takes_ms = 2450}},
     2,
     500,
     50},
};
START_TEST(call_repeats_what_helps)
{
    const struct send_row *r = &send_rows[_i];
    struct fake_http f;
    struct arena arena = test_arena(KIB(256));
    struct err err = {0};
    struct http_answer answer = {0};
    fake_http_open(&f, r->answers, r->count);
    f.world.random = 50; /* fake_world cuts it to what was asked for */
    bool answered = send(&f, &credentials, &arena, &answer, &err);
    ck_assert_msg(answered == (r->status != 0), "%s: %s", r->name, err.cause);
    ck_assert_int_eq(answer.status, r->status);
    ck_assert_msg(f.paused_ms == r->paused_ms, "%s: paused %d ms", r->name, (int)f.paused_ms);
    ck_assert_text_eq(slice_from_cstr(f.requests[0].url),
                      "http://127.0.0.1:7101/bucket/key?x=a%20b");
    ck_assert_str_eq(f.requests[0].token, "token");
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

/* The first attempt is signed with our clock, the second with the service's, and so is the next
 * call. */
START_TEST(call_corrects_the_clock)
{
    static const struct fake_http_answer answers[] = {
        {.status = 403,
         .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>",
         .date = "Sun, 22 Nov 2026 22:07:11 GMT"},
        {.status = 200},
        {.status = 200},
    };
    struct fake_http f;
    struct arena arena = test_arena(KIB(256));
    struct err err = {0};
    struct http_answer answer = {0};
    fake_http_open(&f, ARRAY(answers));
    ck_assert(send(&f, &credentials, &arena, &answer, &err));
    ck_assert_int_eq(answer.status, 200);
    ck_assert(send(&f, &credentials, &arena, &answer, &err));
    ck_assert_str_eq(f.requests[0].date, "20261122T210711Z");
    ck_assert_str_eq(f.requests[1].date, "20261122T220711Z");
    ck_assert_str_eq(f.requests[2].date, "20261122T220711Z");
    ck_assert_str_ne(f.requests[0].authorization, f.requests[1].authorization);
    ck_assert_int_eq(f.paused_ms, 0);
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

START_TEST(call_without_credentials_is_not_signed)
{
    static const struct fake_http_answer answer_of_it = {.status = 200, .body = "{}"};
    struct fake_http f;
    struct arena arena = test_arena(KIB(256));
    struct err err = {0};
    struct http_answer answer = {0};
    fake_http_open(&f, &answer_of_it, 1);
    ck_assert(send(&f, NULL, &arena, &answer, &err));
    ck_assert_text_eq(answer.body, "{}");
    ck_assert_str_eq(f.requests[0].authorization, "");
    ck_assert_str_eq(f.requests[0].date, "");
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

/* The credentials endpoint may be any host: its clock is no reason to sign with another time. */
START_TEST(call_takes_no_clock_from_an_unsigned_answer)
{
    static const struct fake_http_answer refusal = {
        .status = 403, .body = "", .date = "Sun, 22 Nov 2026 22:07:11 GMT"};
    struct fake_http f;
    struct arena arena = test_arena(KIB(256));
    struct err err = {0};
    struct http_answer answer = {0};
    fake_http_open(&f, &refusal, 1);
    ck_assert(send(&f, NULL, &arena, &answer, &err));
    ck_assert_int_eq(answer.status, 403);
    ck_assert_int_eq(f.client.skew_s, 0);
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

static bool is_asked(void *ctx)
{
    struct fake_http *f = ctx;
    return f->world.monotonic_ms >= 1000000 + 100;
}

/* Something more urgent ends a call in an attempt, in a pause, and before the next attempt. */
static const struct stop_row {
    const char *name;
    struct fake_http_answer answers[2];
    size_t count;
    int64_t ends_ms;
} stop_rows[] = {
    {"in an attempt", {{.failure = &ERR_AWS_UNREACHABLE, .takes_ms = 2500}}, 1, 100},
    {"in a pause", {{.status = 429, .retry_after = "2"}}, 1, 100},
    {"behind an attempt", {{.status = 503, .takes_ms = 100}}, 1, 100},
};
START_TEST(call_is_given_up)
{
    const struct stop_row *r = &stop_rows[_i];
    struct fake_http f;
    struct arena arena = test_arena(KIB(256));
    struct err err = {0};
    struct http_answer answer = {0};
    fake_http_open(&f, r->answers, r->count);
    const struct http_stop stop = {is_asked, &f};
    f.client.stop = &stop;
    ck_assert(!send(&f, &credentials, &arena, &answer, &err));
    ck_assert_msg(err.kind == &ERR_AWS_INTERRUPTED, "%s: %s", r->name, err.cause);
    ck_assert_int_eq(f.world.monotonic_ms - 1000000, r->ends_ms);
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

/* However often it is tried, one call needs the memory of one attempt, and no attempt may take
 * longer than what is left of the budget. */
START_TEST(call_is_bounded)
{
    static const struct fake_http_answer answers[] = {
        {.status = 500, .takes_ms = 2500}, {.status = 500, .takes_ms = 2000}, {.status = 200}};
    struct fake_http f;
    struct arena arena = test_arena(KIB(12));
    struct err err = {0};
    struct http_answer answer = {0};
    fake_http_open(&f, ARRAY(answers));
    ck_assert_msg(send(&f, &credentials, &arena, &answer, &err), "%s", err.cause);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_int_eq(f.requests[0].timeout_ms, 2500);
    ck_assert_int_eq(f.requests[1].timeout_ms, 2500);
    ck_assert_int_eq(f.requests[2].timeout_ms, 500);
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

/* One event a call, with AWS's id and nothing that is secret. */
START_TEST(call_is_logged)
{
    static const struct fake_http_answer answers[] = {
        {.status = 500},
        {.status = 403,
         .body = "<Error><Code>AccessDenied</Code><Message>You may not.\n"
                 "POST / x-amz-security-token:hush</Message></Error>"}};
    static const char *const never[] = {"wJalr", "token", "AKID", "Signature", "hush"};
    struct fake_http f;
    struct arena arena = test_arena(KIB(256));
    struct err err = {0};
    struct http_answer answer = {0};
    fake_http_open(&f, ARRAY(answers));
    ck_assert(send(&f, &credentials, &arena, &answer, &err));
    const char *event = strstr(fake_http_log(&f), "\"event\"");
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(event, "\"event\":\"aws.call\",\"service\":\"s3\",\"operation\":"
                            "\"HeadObject\",\"region\":\"us-east-2\",\"resource\":\"bucket\","
                            "\"status\":403,\"code\":\"AccessDenied\","
                            "\"message\":\"You may not.\",\"attempts\":2,"
                            "\"duration_ms\":0,\"aws_request_id\":\"fake-request\","
                            "\"aws_extended_id\":\"\",\"cause\":\"\"}\n");
    for (size_t i = 0; i < COUNT(never); i++)
        ck_assert_msg(!strstr(f.log, never[i]), "%s is in the log", never[i]);
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

void aws_call(struct suite *s)
{
    suite_rows(s, call_judges, COUNT(judge_rows));
    suite_test(s, call_pauses_grow_to_a_bound);
    suite_rows(s, call_repeats_what_helps, COUNT(send_rows));
    suite_test(s, call_corrects_the_clock);
    suite_test(s, call_without_credentials_is_not_signed);
    suite_test(s, call_takes_no_clock_from_an_unsigned_answer);
    suite_test(s, call_is_bounded);
    suite_rows(s, call_is_given_up, COUNT(stop_rows));
    suite_test(s, call_is_logged);
}
