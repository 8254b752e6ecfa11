#include "common/aws/s3.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_http.h"

#include <string.h>

#define LONGEST "a23456789012345678901234567890123456789012345678901234567890123"

static const struct bucket_row {
    const char *name;
    bool good;
} bucket_rows[] = {
    {"cbu-images", true},
    {"a1b", true},
    {LONGEST, true},
    {"shop.example.com", true},
    {"", false},
    {"ab", false},
    {LONGEST "4", false},
    {"Images", false},
    {"im_ages", false},
    {"-images", false},
    {"images-", false},
    {".images", false},
    {"shop..com", false},
    {"images/../", false},
    {"images?x=1", false},
    {"im ages", false},
    {"b\xC3\xBC"
     "cket",
     false},
};
START_TEST(s3_bucket_names)
{
    const struct bucket_row *r = &bucket_rows[_i];
    ck_assert_msg(!s3_bucket_fault(slice_from_cstr(r->name)) == r->good, "%s", r->name);
}
END_TEST

static const struct address_row {
    const char *endpoint, *bucket, *url, *prefix;
} address_rows[] = {
    {"", "images", "https://images.s3.us-east-2.amazonaws.com", ""},
    {"", "shop.example.com", "https://s3.us-east-2.amazonaws.com", "/shop.example.com"},
    {"http://127.0.0.1:7101", "images", "http://127.0.0.1:7101", "/images"},
};
START_TEST(s3_addresses)
{
    const struct address_row *r = &address_rows[_i];
    const struct s3_place place = {SLICE("us-east-2"), slice_from_cstr(r->endpoint),
                                   slice_from_cstr(r->bucket)};
    struct arena arena = test_arena(KIB(4));
    struct s3_address got;
    struct err err = {0};
    ck_assert(s3_address(&place, &arena, &got, &err));
    ck_assert_text_eq(got.base_url, r->url);
    ck_assert(slice_equal(got.path_prefix, slice_from_cstr(r->prefix)));
    arena_done(&arena);
}
END_TEST

static const struct head_row {
    const char *name;
    struct fake_http_answer answer;
    const struct err_kind *want;
} head_rows[] = {
    {"ours", {.status = 200}, NULL},
    {"not there", {.status = 404}, &ERR_BUCKET_ABSENT},
    {"not ours", {.status = 403}, &ERR_AWS_REFUSED},
    {"a token that has expired", {.status = 400}, &ERR_AWS_REFUSED},
    {"in another region", {.status = 301}, &ERR_AWS_ANSWER},
    {"redirected for the moment", {.status = 307}, &ERR_AWS_ANSWER},
    {"something else that says 204", {.status = 204}, &ERR_AWS_ANSWER},
    {"an answer that is no HTTP", {.failure = &ERR_AWS_ANSWER}, &ERR_AWS_ANSWER},
};
START_TEST(s3_heads_a_bucket)
{
    const struct head_row *r = &head_rows[_i];
    const struct s3_place place = {SLICE("us-east-2"), SLICE("http://127.0.0.1:1"),
                                   SLICE("images")};
    const struct aws_credentials key = {SLICE("ASIA1"), SLICE("secret"), SLICE("token")};
    struct fake_http http;
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct fake_http_answer answer = r->answer;
    answer.body = "";
    fake_http_open(&http, &answer, 1);
    bool good = s3_head_bucket(&http.client, &key, &place, &arena, &err);
    ck_assert_msg(good == !r->want && err.kind == r->want, "%s: %s", r->name, err.cause);
    ck_assert_str_eq(http.requests[0].url, "http://127.0.0.1:1/images");
    ck_assert_ptr_nonnull(strstr(http.requests[0].authorization, "/us-east-2/s3/aws4_request"));
    ck_assert_ptr_nonnull(strstr(http.requests[0].authorization, "x-amz-content-sha256"));
    ck_assert_str_eq(http.requests[0].token, "token");
    fake_http_close(&http);
    arena_done(&arena);
}
END_TEST

void aws_s3(struct suite *s)
{
    suite_rows(s, s3_bucket_names, COUNT(bucket_rows));
    suite_rows(s, s3_addresses, COUNT(address_rows));
    suite_rows(s, s3_heads_a_bucket, COUNT(head_rows));
}
