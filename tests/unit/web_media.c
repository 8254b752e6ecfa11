#include "common/web/media.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct accept_row {
    const char *accept, *type;
    bool accepts, names;
} accept_rows[] = {
    {"", "application/json", true, false},
    {" ", "application/json", true, false},
    {"*/*", "application/json", true, false},
    {"*", "application/json", true, false},
    {"application/*", "application/json", true, false},
    {"Application/*", "application/json", true, false},
    {"application/json", "application/json", true, true},
    {"APPLICATION/JSON", "application/json", true, true},
    {"application/json;charset=utf-8", "application/json", true, true},
    {"text/html, application/json;q=0.5", "application/json", true, true},
    {"text/html,application/xhtml+xml,*/*;q=0.8", "application/json", true, false},
    {"text/html, image/gif, *; q=.2, */*; q=.2", "application/json", true, false},
    {"application/json ; q=0.001", "application/json", true, true},
    {"text/html", "application/json", false, false},
    {"text/*", "application/json", false, false},
    {"application/problem+json", "application/json", false, false},
    {"application/jso", "application/json", false, false},
    {"application/json5", "application/json", false, false},
    {"app*", "application/json", false, false},
    {"/*", "application/json", false, false},
    {"application", "application/json", false, false},
    {",;,", "application/json", false, false},
    {"*/*;q=0", "application/json", false, false},
    {"application/json;q=0", "application/json", false, false},
    {"application/json; Q=0.000", "application/json", false, false},
    /* the closest range decides, wherever it stands */
    {"*/*, application/json;q=0", "application/json", false, false},
    {"application/json;q=0, */*", "application/json", false, false},
    {"application/*;q=0, */*", "application/json", false, false},
    {"*/*;q=0, application/*", "application/json", true, false},
    {"application/json;q=0, application/json", "application/json", true, true},
    {"application/json;q=", "application/json", true, true},
    {"application/json;q", "application/json", true, true},
};
START_TEST(media_accept)
{
    const struct accept_row *r = &accept_rows[_i];
    struct slice accept = slice_from_cstr(r->accept), type = slice_from_cstr(r->type);
    ck_assert_msg(media_accepts(accept, type) == r->accepts, "%s", r->accept);
    ck_assert_msg(media_names(accept, type) == r->names, "%s", r->accept);
}
END_TEST

static const struct type_row {
    const char *content_type;
    bool is;
} type_rows[] = {
    {"application/json", true},
    {"Application/JSON", true},
    {" application/json ", true},
    {"application/json;charset=utf-8", true},
    {"application/json; charset=UTF-8", true},
    {"application/json; Charset=\"utf-8\"", true},
    {"application/json; v=1", true},
    {"application/json;", true},
    {"", false},
    {"application/json; charset=latin1", false},
    {"application/json; charset=", false},
    {"application/json; v=1; charset=utf-16", false},
    {"text/json", false},
    {"application/jsonx", false},
    {"application/merge-patch+json", false},
    {"application/json, text/plain", false},
    {"application/x-www-form-urlencoded", false},
};
START_TEST(media_type)
{
    const struct type_row *r = &type_rows[_i];
    ck_assert_msg(media_is(slice_from_cstr(r->content_type), SLICE("application/json")) == r->is,
                  "%s", r->content_type);
}
END_TEST

void web_media(struct suite *s)
{
    suite_rows(s, media_accept, COUNT(accept_rows));
    suite_rows(s, media_type, COUNT(type_rows));
}
