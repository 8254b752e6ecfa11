#include "common/web/request.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

static const struct method_row {
    struct slice token;
    enum http_method want;
} method_rows[] = {
    {SLICE_INIT("GET"), HTTP_GET},
    {SLICE_INIT("HEAD"), HTTP_HEAD},
    {SLICE_INIT("POST"), HTTP_POST},
    {SLICE_INIT("PUT"), HTTP_PUT},
    {SLICE_INIT("PATCH"), HTTP_PATCH},
    {SLICE_INIT("DELETE"), HTTP_DELETE},
    {SLICE_INIT("OPTIONS"), HTTP_OPTIONS},
    {SLICE_INIT("get"), HTTP_OTHER},
    {SLICE_INIT("GETS"), HTTP_OTHER},
    {SLICE_INIT("GE"), HTTP_OTHER},
    {SLICE_INIT("GET\0"), HTTP_OTHER},
    {SLICE_INIT("TRACE"), HTTP_OTHER},
    {SLICE_INIT("OTHER"), HTTP_OTHER},
    {SLICE_INIT(""), HTTP_OTHER},
    {{0}, HTTP_OTHER},
};
START_TEST(request_methods)
{
    const struct method_row *r = &method_rows[_i];
    enum http_method method = http_method_parse(r->token);
    ck_assert_int_eq(method, r->want);
    const char *name = http_method_name(method);
    ck_assert_str_eq(name, r->want == HTTP_OTHER ? "OTHER" : r->token.ptr);
}
END_TEST

static const struct target_row {
    struct slice target;
    const char *path;  /* NULL: refused */
    const char *query; /* NULL: there is none */
} target_rows[] = {
    {SLICE_INIT("/"), "/", NULL},
    {SLICE_INIT("/v1/products"), "/v1/products", NULL},
    {SLICE_INIT("/v1/products?"), "/v1/products", ""},
    {SLICE_INIT("/v1/products?a=1&b=2"), "/v1/products", "a=1&b=2"},
    {SLICE_INIT("/a?b?c"), "/a", "b?c"},
    {SLICE_INIT("/?"), "/", ""},
    {SLICE_INIT("//double//slash"), "//double//slash", NULL},
    {SLICE_INIT("/%2Fa%20b"), "/%2Fa%20b", NULL}, /* as sent */
    {SLICE_INIT("/caf\xC3\xA9"), "/caf\xC3\xA9", NULL},
    {SLICE_INIT("http://host/v1?x"), "/v1", "x"},
    {SLICE_INIT("HTTPS://host:8443/v1"), "/v1", NULL},
    {SLICE_INIT("http://host"), "/", NULL},
    {SLICE_INIT("http://host/"), "/", NULL},
    {SLICE_INIT("http://"), "/", NULL},
    {SLICE_INIT("http://host?x"), NULL, NULL},
    {SLICE_INIT(""), NULL, NULL},
    {{0}, NULL, NULL},
    {SLICE_INIT("*"), NULL, NULL},
    {SLICE_INIT("v1/products"), NULL, NULL},
    {SLICE_INIT("?a=1"), NULL, NULL},
    {SLICE_INIT("host:443"), NULL, NULL},
    {SLICE_INIT("ftp://host/"), NULL, NULL},
    {SLICE_INIT("/a b"), NULL, NULL},
    {SLICE_INIT("/a\tb"), NULL, NULL},
    {SLICE_INIT("/a\0b"), NULL, NULL},
    {SLICE_INIT("/a\x7F"), NULL, NULL},
    {SLICE_INIT("/a?b=\r\nX: y"), NULL, NULL},
};
START_TEST(request_targets)
{
    const struct target_row *r = &target_rows[_i];
    struct request req = {0};
    struct err err = {0};
    ck_assert_int_eq(request_set_target(&req, r->target, &err), r->path != NULL);
    ck_assert_ptr_eq(err.kind, r->path ? NULL : &ERR_BAD_REQUEST);
    ck_assert_text_eq(req.path, r->path);
    ck_assert_text_eq(req.query, r->query);
}
END_TEST

static const struct decode_row {
    struct slice text;
    bool plus_is_blank;
    bool good;
    struct slice want;
} decode_rows[] = {
    {SLICE_INIT(""), false, true, SLICE_INIT("")},
    {{0}, false, true, SLICE_INIT("")},
    {SLICE_INIT("abc"), false, true, SLICE_INIT("abc")},
    {SLICE_INIT("%41%2f%2F%7e"), false, true, SLICE_INIT("A//~")},
    {SLICE_INIT("a+b%2Bc"), false, true, SLICE_INIT("a+b+c")},
    {SLICE_INIT("a+b%2Bc"), true, true, SLICE_INIT("a b+c")},
    {SLICE_INIT("%2541"), true, true, SLICE_INIT("%41")}, /* once only */
    {SLICE_INIT("caf%C3%A9"), false, true, SLICE_INIT("caf\xC3\xA9")},
    {SLICE_INIT("caf\xC3%A9"), false, true, SLICE_INIT("caf\xC3\xA9")},
    {SLICE_INIT("%01%7F"), false, true, SLICE_INIT("\x01\x7F")},
    {SLICE_INIT("%"), false, false, {0}},
    {SLICE_INIT("%4"), false, false, {0}},
    {SLICE_INIT("%4g"), false, false, {0}},
    {SLICE_INIT("%g4"), false, false, {0}},
    {SLICE_INIT("%%41"), false, false, {0}},
    {SLICE_INIT("%+1"), true, false, {0}},
    {SLICE_INIT("%u0041"), false, false, {0}},
    {SLICE_INIT("a%00b"), false, false, {0}},
    {SLICE_INIT("a\0b"), false, true, SLICE_INIT("a\0b")}, /* request_set_target() refuses it */
    {SLICE_INIT("%C3"), false, false, {0}},
    {SLICE_INIT("%C0%AF"), false, false, {0}},
    {SLICE_INIT("%ED%A0%80"), false, false, {0}},
    {SLICE_INIT("\xFF"), false, false, {0}},
};
START_TEST(request_percent_decode)
{
    const struct decode_row *r = &decode_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct slice got = SLICE("untouched");
    ck_assert_int_eq(percent_decode(r->text, r->plus_is_blank, &arena, &got), r->good);
    ck_assert_slice_eq(got, r->good ? r->want : SLICE("untouched"));
    ck_assert_ptr_nonnull(got.ptr); /* an empty text is a text: it was given */
}
END_TEST

START_TEST(request_percent_decode_without_memory)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    char text[KIB(4)];
    struct slice got;
    memset(text, 'x', sizeof text);
    ck_assert(!percent_decode((struct slice){text, sizeof text}, false, &arena, &got));
}
END_TEST

static const struct etag_row {
    struct slice if_none_match;
    bool want;
} etag_rows[] = {
    {SLICE_INIT("\"3\""), true},
    {SLICE_INIT("W/\"3\""), true}, /* weak comparison */
    {SLICE_INIT("*"), true},
    {SLICE_INIT(" * "), true},
    {SLICE_INIT("\"1\", \"2\", \"3\""), true},
    {SLICE_INIT("\"1\",W/\"3\",\"2\""), true},
    {SLICE_INIT("\"3\" , \"4\""), true},
    {SLICE_INIT("\"3\",,"), true},
    {SLICE_INIT(""), false},
    {{0}, false},
    {SLICE_INIT("3"), false},
    {SLICE_INIT("\"33\""), false},
    {SLICE_INIT("\"3"), false},
    {SLICE_INIT("w/\"3\""), false},
    {SLICE_INIT("\"1\", \"2\""), false},
    {SLICE_INIT("\"**\""), false},
    {SLICE_INIT("\"a,*,b\""), false}, /* a comma and a star are letters of a tag */
    {SLICE_INIT("\"1\", *"), false},  /* the star stands alone */
};
START_TEST(request_etag_lists)
{
    const struct slice list = etag_rows[_i].if_none_match;
    ck_assert_int_eq(etag_listed(list, SLICE("\"3\"")), etag_rows[_i].want);
    /* The strong comparison differs for weak tags alone. */
    ck_assert_int_eq(etag_matches(list, SLICE("\"3\"")),
                     etag_rows[_i].want && !slice_contains_byte(list, 'W'));
}
END_TEST

void web_request(struct suite *s)
{
    suite_rows(s, request_methods, COUNT(method_rows));
    suite_rows(s, request_targets, COUNT(target_rows));
    suite_rows(s, request_percent_decode, COUNT(decode_rows));
    suite_test(s, request_percent_decode_without_memory);
    suite_rows(s, request_etag_lists, COUNT(etag_rows));
}
