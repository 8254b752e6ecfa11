#include "fcgi/api/contract.h"

#include "common/auth/errors.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/routes.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

static bool handle(struct ctx *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    return true;
}

static const struct schema some_schema = {.name = "Some"};
static const struct query_param cursor_param[] = {{.name = "cursor"}};
static const struct query_table paged = {ARRAY(cursor_param)};
static const struct query_param other_param[] = {{.name = "curso"}};
static const struct query_table plain = {ARRAY(other_param)};

/* What may be wrong with a token. */
#define CODE(name, status, code, message) code " "
#define TOKENS                            AUTH_ERR_KINDS(CODE)

static const struct row {
    struct route route;
    const char *want; /* codes, in order */
} rows[] = {
    {{.handler = NULL, .answer = {200, ANSWER_ONE, NULL, NULL}},
     "bad_request body_too_large uri_too_long headers_too_large unavailable gateway_timeout "},
    {{.handler = handle, .answer = {200, ANSWER_ONE, NULL, NULL}, .query = &plain},
     "bad_request query_invalid not_acceptable body_too_large uri_too_long headers_too_large "
     "internal unavailable gateway_timeout "},
    {{.handler = handle, .answer = {200, ANSWER_LIST, NULL, NULL}, .query = &paged},
     "bad_request query_invalid cursor_invalid not_acceptable body_too_large uri_too_long "
     "headers_too_large internal not_ready unavailable gateway_timeout "},
    {{.handler = handle, .scope = SCOPE_USER, .answer = {204, ANSWER_NONE, NULL, NULL}},
     "bad_request query_invalid authentication_required " TOKENS "body_too_large uri_too_long "
     "headers_too_large internal keys_unavailable unavailable gateway_timeout "},
    {{.handler = handle,
      .scope = SCOPE_EDIT,
      .body = &some_schema,
      .needs = ROUTE_IF_MATCH,
      .answer = {200, ANSWER_ONE, NULL, NULL},
      /* what is named twice is there once, and stands where its status is due */
      .errors = (const struct err_kind *const[]){&ERR_PRODUCT_ABSENT, &ERR_BODY_INVALID, NULL}},
     "bad_request query_invalid json_invalid authentication_required " TOKENS
     "forbidden product_absent "
     "not_acceptable precondition_failed body_too_large uri_too_long media_type_unsupported "
     "body_invalid if_match_required headers_too_large internal keys_unavailable unavailable "
     "gateway_timeout "},
};
START_TEST(contract_errors_of_columns)
{
    const struct err_kind *kinds[CONTRACT_KINDS_MAX];
    char storage[KIB(1)];
    struct buf got = BUF(storage);
    size_t count = contract_errors(&rows[_i].route, kinds);
    for (size_t i = 0; i < count; i++)
        buf_add_format(&got, "%s ", kinds[i]->code);
    ck_assert_slice_eq(buf_slice(&got), slice_from_cstr(rows[_i].want));
}
END_TEST

START_TEST(contract_errors_are_bounded)
{
    const struct err_kind *kinds[CONTRACT_KINDS_MAX], *many[CONTRACT_KINDS_MAX + 1] = {0};
    static struct err_kind made[CONTRACT_KINDS_MAX];
    for (size_t i = 0; i < CONTRACT_KINDS_MAX; i++) {
        made[i] = (struct err_kind){409, "made", ""};
        many[i] = &made[i];
    }
    const struct route route = {.errors = many};
    ck_assert_uint_eq(contract_errors(&route, kinds), CONTRACT_KINDS_MAX);
}
END_TEST

static const struct tag_row {
    const char *path, *want;
} tag_rows[] = {
    {"/", "service"},
    {"/openapi.json", "service"},
    {"/v1/products", "products"},
    {"/v1/products/{id}/history", "products"},
    {"/v1/categories", "categories"},
    {"/health/live", "health"},
};
START_TEST(contract_tags_by_prefix)
{
    ck_assert_str_eq(contract_tag_find(tag_rows[_i].path)->name, tag_rows[_i].want);
}
END_TEST

/* ---- nothing of the real tables is without an explanation ---- */

static void check_note(const struct contract_notes *notes, const char *owner, struct slice name,
                       bool used[CONTRACT_NOTES_MAX])
{
    const struct note *note = notes_find(&notes->notes, owner, name);
    ck_assert_msg(note && note->help && (note->example || note->only), "%s.%.*s", owner,
                  SLICE_ARG(name));
    used[note - notes->rows] = true;
}

static void check_view(const struct contract_notes *notes, const struct view *view,
                       bool used[CONTRACT_NOTES_MAX])
{
    for (size_t i = 0; view && i < view->count; i++) {
        const struct view_field *f = &view->fields[i];
        if (f->kind == VIEW_KIND_ONE)
            check_view(notes, f->view, used);
        else
            check_note(notes, view->name, (struct slice){f->opening.ptr + 1, f->opening.len - 3},
                       used);
    }
}

static void check_route(const struct contract_notes *notes, const struct route *route,
                        bool used[CONTRACT_NOTES_MAX])
{
    struct slice rest = slice_from_cstr(route->path), part;
    check_view(notes, route->answer.view, used);
    check_view(notes, route->answer.more, used);
    for (size_t i = 0; route->body && i < route->body->count; i++)
        check_note(notes, route->body->name, slice_from_cstr(route->body->fields[i].name), used);
    while (slice_cut(&rest, '/', &part))
        if (part.len > 2 && part.ptr[0] == '{')
            ck_assert_msg(contract_param_find((struct slice){part.ptr + 1, part.len - 2}) != NULL,
                          "%s", route->path);
}

START_TEST(contract_explains_everything)
{
    const struct route_table *tables[] = {&api_routes, &master_routes};
    bool used[CONTRACT_NOTES_MAX] = {false};
    struct contract_notes notes;
    contract_notes_init(&notes, "EUR");
    ck_assert_str_eq(notes_find(&notes.notes, "Product", SLICE("currency"))->only, "EUR");
    for (size_t t = 0; t < COUNT(tables); t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            check_route(&notes, &tables[t]->rows[i], used);
    for (size_t i = 0; i < notes.notes.count; i++)
        ck_assert_msg(used[i], "nothing is called %s", notes.rows[i].name);
}
END_TEST

void api_contract(struct suite *s)
{
    suite_rows(s, contract_errors_of_columns, COUNT(rows));
    suite_test(s, contract_errors_are_bounded);
    suite_rows(s, contract_tags_by_prefix, COUNT(tag_rows));
    suite_test(s, contract_explains_everything);
}
