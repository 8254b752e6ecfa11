#include "common/aws/sigv4.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
#include <string.h>

/* The case "get-vanilla" of AWS's own test suite; the others are in the suite `vectors`. */
static const struct aws_credentials credentials = {
    SLICE_INIT("AKIDEXAMPLE"), SLICE_INIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), {0}};
static const struct sigv4_request vanilla = {
    .method = SLICE_INIT("GET"),
    .scheme = SLICE_INIT("https"),
    .host = SLICE_INIT("example.amazonaws.com"),
    .path = SLICE_INIT("/"),
    .payload_hash = SLICE_INIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    .region = SLICE_INIT("us-east-1"),
    .service = SLICE_INIT("service"),
    .rules = {.normalize_path = true, .encode_path = true},
    .now = 1440938160,
    .expires_s = 3600,
};
#define VANILLA "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

static bool sign(const struct aws_credentials *with, const struct sigv4_request *req, bool query,
                 struct sigv4_key *key, struct arena *arena, struct sigv4_signed *ret,
                 struct err *err)
{
    return query ? sigv4_sign_query(with, req, key, arena, ret, err)
                 : sigv4_sign_header(with, req, key, arena, ret, err);
}

static struct slice product(const struct sigv4_signed *s, bool query)
{
    return query ? s->url : s->authorization;
}

START_TEST(sigv4_signs_as_aws_does)
{
    struct arena arena = test_arena(KIB(64));
    struct sigv4_key key = {0};
    struct sigv4_signed made;
    struct err err = {0};
    ck_assert(sigv4_sign_header(&credentials, &vanilla, &key, &arena, &made, &err));
    ck_assert_slice_eq(made.signature, SLICE(VANILLA));
    ck_assert_slice_eq(made.signed_headers, SLICE("host;x-amz-date"));
    arena_done(&arena);
}
END_TEST

/* An arena of whatever size gives the right signature or an error. It must be none of the two forms
 * that a text which did not fit is signed as an empty one. */
START_TEST(sigv4_never_signs_half)
{
    static char memory[KIB(48)] __attribute__((aligned(16)));
    static char path[1501], token[701];
    bool query = _i == 1;
    struct arena ample = test_arena(MIB(1));
    struct sigv4_key key = {0};
    struct sigv4_signed right;
    struct err err = {0};
    memset(path, 'a', sizeof path - 1);
    memset(token, '+', sizeof token - 1);
    path[0] = '/';
    const struct aws_pair pairs[] = {{SLICE("x-amz-meta-a"), SLICE("a  b")},
                                     {SLICE("X-B"), SLICE("\xC3\xBC")}};
    const struct aws_credentials with = {credentials.access_key, credentials.secret_key,
                                         slice_from_cstr(token)};
    struct sigv4_request req = vanilla;
    req.path = slice_from_cstr(path);
    req.query = req.headers = pairs;
    req.query_count = req.header_count = COUNT(pairs);
    req.rules.payload_header = true;
    ck_assert_msg(sign(&with, &req, query, &key, &ample, &right, &err), "%s", err.cause);
    int errors = 0, good = 0;
    for (size_t limit = 0; limit <= sizeof memory; limit += 16) {
        struct arena small = {.base = memory, .limit = limit};
        struct sigv4_key fresh = {0};
        struct sigv4_signed made = {.signature = SLICE("as it was")};
        struct err failure = {0};
        if (sign(&with, &req, query, &fresh, &small, &made, &failure)) {
            good++;
            ck_assert_slice_eq(made.signature, right.signature);
            ck_assert_slice_eq(made.canonical_request, right.canonical_request);
            ck_assert_slice_eq(product(&made, query), product(&right, query));
        } else {
            errors++;
            ck_assert_int_eq(good, 0); /* more memory never makes it worse */
            ck_assert(failure.kind == &ERR_INTERNAL);
            ck_assert_slice_eq(made.signature, SLICE("as it was"));
        }
    }
    ck_assert_int_gt(errors, 300);
    ck_assert_int_gt(good, 300);
    arena_done(&ample);
}
END_TEST

/* A key that was derived is used again, and another one is derived for another day, region, service
 * or secret: seen by spoiling the one that is remembered. */
static const struct key_row {
    const char *name, *secret, *region, *service;
    int64_t now;
    bool kept;
} key_rows[] = {
    {"the same", "s1", "us-east-2", "s3", 1440938160, true},
    {"later that day", "s1", "us-east-2", "s3", 1440979199, true},
    {"the next day", "s1", "us-east-2", "s3", 1440979200, false},
    {"another region", "s1", "us-east-1", "s3", 1440938160, false},
    {"another service", "s1", "us-east-2", "s4", 1440938160, false},
    {"another secret", "s2", "us-east-2", "s3", 1440938160, false},
    {"the same bytes, cut elsewhere", "s1", "us-east-2s", "3", 1440938160, false},
};
static struct slice signature_of(const struct key_row *r, struct sigv4_key *key,
                                 struct arena *arena)
{
    const struct aws_credentials with = {SLICE("AKID"), slice_from_cstr(r->secret), {0}};
    struct sigv4_request req = vanilla;
    struct sigv4_signed made;
    struct err err = {0};
    req.region = slice_from_cstr(r->region);
    req.service = slice_from_cstr(r->service);
    req.now = r->now;
    ck_assert(sigv4_sign_header(&with, &req, key, arena, &made, &err));
    return made.signature;
}
START_TEST(sigv4_key_is_derived_once_a_day)
{
    const struct key_row *r = &key_rows[_i];
    struct arena arena = test_arena(KIB(256));
    struct sigv4_key key = {0}, fresh = {0};
    (void)signature_of(&key_rows[0], &key, &arena);
    key.bytes[0] ^= 1;
    bool kept = !slice_equal(signature_of(r, &key, &arena), signature_of(r, &fresh, &arena));
    ck_assert_msg(kept == r->kept, "%s", r->name);
    if (!kept) /* and from now on the new one is remembered */
        ck_assert_mem_eq(&key, &fresh, sizeof key);
    sigv4_key_wipe(&key);
    ck_assert(!key.set);
    arena_done(&arena);
}
END_TEST

/* What was asked for besides: a copy of `vanilla` with one member replaced. */
static const struct fault_row {
    const char *name, *method, *scheme, *host, *path, *header;
    int64_t expires_s;
    bool header_form, query_form; /* whether it may be signed */
} fault_rows[] = {
    {"as it is", "GET", "https", "h.example", "/", "x-a", 1, true, true},
    {"no path is the root", "GET", "http", "h.example:80", "", "x-a", 604800, true, true},
    {"what AWS's suite has in a path", "GET", "https", "h", "/a b\xE1\x88\xB4", "x-a", 1, true,
     true},
    {"no scheme", "GET", "", "h.example", "/", "x-a", 1, true, false},
    {"another scheme", "GET", "javascript", "h.example", "/", "x-a", 1, true, false},
    {"no method", "", "https", "h.example", "/", "x-a", 1, false, false},
    {"two lines in the method", "GET\n/other", "https", "h", "/", "x-a", 1, false, false},
    {"no host", "GET", "https", "", "/", "x-a", 1, false, false},
    {"a path in the host", "GET", "https", "h.example/x", "/", "x-a", 1, false, false},
    {"a user in the host", "GET", "https", "h.example@evil.example", "/", "x-a", 1, false, false},
    {"two lines in the host", "GET", "https", "h\r\nx: y", "/", "x-a", 1, false, false},
    {"a path that moves the host", "GET", "https", "h.example", "@evil.example/x", "x-a", 1, false,
     false},
    {"a path that lengthens the host", "GET", "https", "h.example", ".evil/x", "x-a", 1, false,
     false},
    {"a query in the path", "GET", "https", "h.example", "/a?b", "x-a", 1, false, false},
    {"a fragment in the path", "GET", "https", "h.example", "/a#b", "x-a", 1, false, false},
    {"two lines in the path", "GET", "https", "h.example", "/a\nb", "x-a", 1, false, false},
    {"DEL in the path", "GET", "https", "h.example", "/a\x7F", "x-a", 1, false, false},
    {"a name without a letter", "GET", "https", "h.example", "/", "", 1, false, false},
    {"two lines in a name", "GET", "https", "h.example", "/", "x-b\nc", 1, false, false},
    {"a colon in a name", "GET", "https", "h.example", "/", "x:b", 1, false, false},
    {"it never expires", "GET", "https", "h.example", "/", "x-a", 0, true, false},
    {"it has expired", "GET", "https", "h.example", "/", "x-a", -1, true, false},
    {"it lives for too long", "GET", "https", "h.example", "/", "x-a", 604801, true, false},
};
START_TEST(sigv4_refuses_what_is_no_request)
{
    const struct fault_row *r = &fault_rows[_i];
    const struct aws_pair header = {slice_from_cstr(r->header), SLICE("v")};
    struct sigv4_request req = vanilla;
    req.method = slice_from_cstr(r->method);
    req.scheme = slice_from_cstr(r->scheme);
    req.host = slice_from_cstr(r->host);
    req.path = slice_from_cstr(r->path);
    req.expires_s = r->expires_s;
    req.headers = &header;
    req.header_count = 1;
    for (int query = 0; query < 2; query++) {
        struct arena arena = test_arena(KIB(64));
        struct sigv4_key key = {0};
        struct sigv4_signed made;
        struct err err = {0};
        bool good = sign(&credentials, &req, query, &key, &arena, &made, &err);
        ck_assert_msg(good == (query ? r->query_form : r->header_form), "%s: %s", r->name,
                      err.cause);
        ck_assert(good || err.kind == &ERR_INTERNAL);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(sigv4_an_empty_token_is_none)
{
    const struct aws_credentials with = {credentials.access_key, credentials.secret_key, SLICE("")};
    struct arena arena = test_arena(KIB(64));
    struct sigv4_key key = {0};
    struct sigv4_signed made;
    struct err err = {0};
    ck_assert(sigv4_sign_header(&with, &vanilla, &key, &arena, &made, &err));
    ck_assert_slice_eq(made.signature, SLICE(VANILLA));
    ck_assert(sigv4_sign_query(&with, &vanilla, &key, &arena, &made, &err));
    ck_assert_ptr_null(memmem(made.url.ptr, made.url.len, "Token", 5));
    arena_done(&arena);
}
END_TEST

/* None is cut off, however many there are. */
START_TEST(sigv4_signs_every_pair)
{
    static struct aws_pair pairs[1000];
    static char names[COUNT(pairs)][24];
    struct arena arena = test_arena(MIB(4));
    struct sigv4_key key = {0};
    struct sigv4_signed made;
    struct err err = {0};
    struct sigv4_request req = vanilla;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        snprintf(names[i], sizeof names[i], "k%03zu", i % COUNT(pairs));
        pairs[i] = (struct aws_pair){slice_from_cstr(names[i]), SLICE("v")};
    }
    req.query = req.headers = pairs;
    req.query_count = req.header_count = COUNT(pairs);
    for (int query = 0; query < 2; query++) {
        ck_assert(sign(&credentials, &req, query, &key, &arena, &made, &err));
        for (size_t i = 0; i < COUNT(pairs); i++) {
            char pair[32];
            snprintf(pair, sizeof pair, "k%03zu=v", i % COUNT(pairs));
            ck_assert_ptr_nonnull(
                memmem(made.canonical_request.ptr, made.canonical_request.len, pair, strlen(pair)));
            snprintf(pair, sizeof pair, "k%03zu:v\n", i % COUNT(pairs));
            ck_assert_ptr_nonnull(
                memmem(made.canonical_request.ptr, made.canonical_request.len, pair, strlen(pair)));
        }
    }
    arena_done(&arena);
}
END_TEST

void aws_sigv4(struct suite *s)
{
    suite_test(s, sigv4_signs_as_aws_does);
    suite_rows(s, sigv4_never_signs_half, 2);
    suite_rows(s, sigv4_key_is_derived_once_a_day, COUNT(key_rows));
    suite_rows(s, sigv4_refuses_what_is_no_request, COUNT(fault_rows));
    suite_test(s, sigv4_an_empty_token_is_none);
    suite_test(s, sigv4_signs_every_pair);
}
