#include "fcgi/api/service.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"

#include <string.h>

static const struct accept_row {
    const char *accept;
    bool html;
} accept_rows[] = {
    {"", false},
    {"*/*", false},
    {"application/json", false},
    {"text/html;q=0, */*", false},
    {"text/*", true}, /* takes no JSON */
    {"text/html", true},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
};
START_TEST(service_by_accept)
{
    const struct accept_row *r = &accept_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, NULL, 0);
    f.req.accept = slice_from_cstr(r->accept);
    const char *body = api_fixture_get(&f, "/");
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_str_eq(f.reply.content_type,
                     r->html ? "text/html; charset=utf-8" : "application/json");
    ck_assert_int_eq(strncmp(body, r->html ? "<!doctype html>" : "{", r->html ? 15 : 1), 0);
    ck_assert_str_eq(api_fixture_header(&f, "Vary"), "Accept");
    ck_assert_str_eq(api_fixture_header(&f, "Cache-Control"), "no-cache");
    ck_assert_uint_eq(f.fake.connects_seen, 0);
    api_fixture_close(&f);
}
END_TEST

START_TEST(service_json)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL, 0);
    ck_assert_str_eq(api_fixture_get(&f, "/"),
                     "{\"service\":\"cbu\",\"version\":\"" CBU_VERSION "\",\"currency\":\"USD\","
                     "\"links\":{\"products\":\"/v1/products\",\"categories\":\"/v1/categories\","
                     "\"document\":\"/openapi.json\",\"docs\":\"/docs\","
                     "\"health\":\"/health/live\"}}");
    api_fixture_close(&f);
}
END_TEST

/* Each address of the service that the page leads to is there. */
START_TEST(service_page_links)
{
    const struct fake_answer answers[] = {
        {FAKE_NO_ROWS(14)}, {FAKE_NO_ROWS(14)}, {FAKE_NO_ROWS(2)}};
    struct api_fixture f;
    char page[KIB(4)], target[128];
    size_t links = 0;
    api_fixture_open(&f, answers, COUNT(answers));
    f.req.accept = SLICE("text/html");
    struct buf copy = BUF(page);
    buf_add_cstr(&copy, api_fixture_get(&f, "/"));
    ck_assert_ptr_nonnull(buf_cstr(&copy));
    f.req.accept = SLICE("*/*");
    for (const char *at = page; (at = strstr(at, "href=\"")); links++) {
        struct slice rest = slice_from_cstr(at += 6), link = {0};
        struct buf out = BUF(target);
        slice_cut(&rest, '"', &link);
        while (slice_cut(&link, ';', &rest)) { /* "&amp;" is an ampersand */
            bool escaped = rest.len > 4 && link.ptr;
            buf_add(&out, escaped ? (struct slice){rest.ptr, rest.len - 3} : rest);
        }
        const char *link_to = buf_cstr(&out);
        if (strstr(link_to, "/health/") || strcmp(link_to, "/docs") == 0) /* master, nginx */
            continue;
        api_fixture_get(&f, target);
        ck_assert_msg(f.reply.status == 200, "%s: %d", target, f.reply.status);
    }
    ck_assert_uint_eq(links, 6);
    api_fixture_close(&f);
}
END_TEST

void api_service(struct suite *s)
{
    suite_rows(s, service_by_accept, COUNT(accept_rows));
    suite_test(s, service_json);
    suite_test(s, service_page_links);
}
