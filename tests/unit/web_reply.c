#include "common/base/err.h"
#include "common/web/reply.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct header_row {
    struct slice value;
    const char *want;
} header_rows[] = {
    {SLICE_INIT("plain, value"), "X-Name: plain, value\r\n"},
    {SLICE_INIT(""), "X-Name: \r\n"},
    {{0}, "X-Name: \r\n"},
    {SLICE_INIT("a\r\nSet-Cookie: b"), "X-Name: aSet-Cookie: b\r\n"},
    {SLICE_INIT("a\nb"), "X-Name: ab\r\n"},
    {SLICE_INIT("a\rb\0c\td\x7F\x1B"), "X-Name: abcd\r\n"},
    {SLICE_INIT("caf\xC3\xA9"), "X-Name: caf\xC3\xA9\r\n"},
};
START_TEST(reply_header_values)
{
    char headers[128];
    struct reply reply = {.headers = BUF(headers)};
    reply_header(&reply, "X-Name", header_rows[_i].value);
    ck_assert_text_eq(buf_slice(&reply.headers), header_rows[_i].want);
}
END_TEST

START_TEST(reply_starts_over)
{
    char headers[64], body[4];
    struct reply reply = {200, "text/plain", BUF(headers), BUF(body)};
    reply_header(&reply, "A", SLICE("1"));
    buf_add_cstr(&reply.body, "too long");
    ck_assert(reply.body.full);
    reply_reset(&reply);
    ck_assert_int_eq(reply.status, 0);
    ck_assert_ptr_null(reply.content_type);
    ck_assert_uint_eq(reply.headers.len, 0);
    buf_add_cstr(&reply.body, "ok");
    ck_assert_text_eq(buf_slice(&reply.body), "ok");
    ck_assert(!reply.body.full);
}
END_TEST

static const struct title_row {
    int status;
    const char *want;
} title_rows[] = {
    {200, "OK"},
    {304, "Not Modified"},
    {404, "Not Found"},
    {503, "Service Unavailable"},
    {405, "Method Not Allowed"},
    {0, "Error"},
    {299, "Error"},
};
START_TEST(reply_titles)
{
    ck_assert_str_eq(http_status_title(title_rows[_i].status), title_rows[_i].want);
}
END_TEST

static const int statuses[] = {
#define STATUS_ROW(name, status, code, message) status,
    ERR_KINDS(STATUS_ROW)};
START_TEST(reply_titles_of_all_errors)
{
    ck_assert_str_ne(http_status_title(statuses[_i]), "Error");
}
END_TEST

void web_reply(struct suite *s)
{
    suite_rows(s, reply_header_values, COUNT(header_rows));
    suite_test(s, reply_starts_over);
    suite_rows(s, reply_titles, COUNT(title_rows));
    suite_rows(s, reply_titles_of_all_errors, COUNT(statuses));
}
