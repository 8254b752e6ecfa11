#include "fcgi/api/openapi_operation.h"

#include "common/base/json_write.h"
#include "common/web/json_schema.h"
#include "common/web/reply.h"
#include "fcgi/api/contract.h"

#include <ctype.h>

const char *const openapi_header_names[OPENAPI_HEADER_COUNT] = {
    "X-Request-Id", "ETag", "Location", "Idempotent-Replayed", "Retry-After", "WWW-Authenticate"};

static void set_add(struct openapi_set *set, const void *item)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i] == item)
            return;
    if (set->count < OPENAPI_SET_MAX)
        set->items[set->count++] = item;
    else
        set->full = true;
}

static void add_ref(struct buf *out, const char *section, const char *name, const char *suffix)
{
    buf_add_format(out, "{\"$ref\":\"#/components/%s/%s%s\"}", section, name, suffix);
}

/* ---- what is asked ---- */

static void add_param_start(struct buf *out, struct slice name, const char *in, bool required)
{
    buf_add(out, out->ptr[out->len - 1] == '[' ? SLICE("{") : SLICE(",{"));
    json_add_member(out, "name", name);
    json_add_member(out, "in", slice_from_cstr(in));
    if (required)
        json_add_member_bool(out, "required", true);
}

static void add_path_params(struct buf *out, const char *path)
{
    struct slice rest = slice_from_cstr(path), part;
    while (slice_cut(&rest, '/', &part)) {
        if (part.len < 2 || part.ptr[0] != '{')
            continue;
        const struct slice name = {part.ptr + 1, part.len - 2};
        const struct contract_param *param = contract_param_find(name);
        add_param_start(out, name, "path", true);
        if (param) {
            json_add_member(out, "description", slice_from_cstr(param->help));
            json_add_name(out, "schema");
            buf_add(out, param->is_number
                             ? SLICE("{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1}")
                             : SLICE("{\"type\":\"string\",\"minLength\":1}"));
            json_add_name(out, "example");
            if (param->is_number)
                buf_add_cstr(out, param->example);
            else
                json_add_string(out, slice_from_cstr(param->example));
        }
        buf_add_char(out, '}');
    }
}

static void add_query_params(struct buf *out, const struct query_table *query)
{
    for (size_t i = 0; query && i < query->count; i++) {
        const struct query_param *param = &query->params[i];
        add_param_start(out, slice_from_cstr(param->name), "query", false);
        json_add_member(out, "description", slice_from_cstr(param->help));
        if (param->kind == QUERY_KIND_LIST) /* "a,b" */
            json_add_member_bool(out, "explode", false);
        json_add_name(out, "schema");
        json_schema_add_param(out, param);
        buf_add_char(out, '}');
    }
}

static void add_header_params(struct buf *out, const struct route *route, struct openapi_refs *refs)
{
    unsigned wanted = route->needs & (ROUTE_IF_MATCH | ROUTE_IDEMPOTENT);
    if (route->needs & ROUTE_ETAG && route->method == HTTP_GET)
        wanted |= ROUTE_ETAG;
    static const struct {
        unsigned need;
        const char *name;
    } params[] = {{ROUTE_ETAG, "IfNoneMatch"},
                  {ROUTE_IF_MATCH, "IfMatch"},
                  {ROUTE_IDEMPOTENT, "IdempotencyKey"}};
    for (size_t i = 0; i < COUNT(params); i++) {
        if (!(wanted & params[i].need))
            continue;
        buf_add(out, out->ptr[out->len - 1] == '[' ? SLICE("") : SLICE(","));
        add_ref(out, "parameters", params[i].name, "");
    }
    refs->needs |= wanted;
}

static void add_request_body(struct buf *out, const struct route *route, struct openapi_refs *refs)
{
    if (!route->body)
        return;
    json_add_name(out, "requestBody");
    buf_add(out, SLICE("{\"required\":true,\"content\":{"));
    const char *type;
    for (size_t i = 0; (type = route_body_type(route, i)); i++) {
        json_add_name(out, type);
        buf_add(out, SLICE("{\"schema\":"));
        add_ref(out, "schemas", route->body->name, "");
        buf_add_char(out, '}');
    }
    buf_add(out, SLICE("}}"));
    set_add(&refs->inputs, route->body);
}

static void add_access(struct buf *out, enum route_scope scope, struct openapi_refs *refs)
{
    static const struct {
        const char *help, *security;
    } rows[] = {
        [SCOPE_NONE] = {NULL, "[]"},
        [SCOPE_OPTIONAL] = {"Editors, by their token, also see drafts and what is deleted.",
                            "[{},{\"bearer\":[]}]"},
        [SCOPE_USER] = {"For everybody with a token.", "[{\"bearer\":[]}]"},
        [SCOPE_EDIT] = {"For members of the groups `editors` and `admins`.", "[{\"bearer\":[]}]"},
        [SCOPE_ADMIN] = {"For members of the group `admins`.", "[{\"bearer\":[]}]"},
    };
    if (rows[scope].help)
        json_add_member(out, "description", slice_from_cstr(rows[scope].help));
    json_add_name(out, "security");
    buf_add_cstr(out, rows[scope].security);
    refs->bearer |= scope != SCOPE_NONE;
}

/* ---- what is answered ---- */

static void add_header(struct buf *out, enum openapi_header header, struct openapi_refs *refs)
{
    json_add_name(out, openapi_header_names[header]);
    add_ref(out, "headers", openapi_header_names[header], "");
    refs->headers[header] = true;
}

static void add_answer_schema(struct buf *out, const struct route *route, struct openapi_refs *refs)
{
    const struct route_answer *answer = &route->answer;
    if (!answer->view) {
        buf_add(out, SLICE("{\"type\":\"object\"}"));
    } else if (answer->form == ANSWER_LIST) {
        add_ref(out, "schemas", answer->view->name, "List");
        set_add(&refs->lists, route);
        set_add(&refs->views, answer->view);
    } else {
        add_ref(out, "schemas", answer->view->name, "");
        set_add(&refs->views, answer->view);
    }
}

static void add_json_content(struct buf *out, const struct route *route, struct openapi_refs *refs)
{
    json_add_name(out, "application/json");
    buf_add(out, SLICE("{\"schema\":"));
    add_answer_schema(out, route, refs);
    buf_add_char(out, '}');
}

static void add_success(struct buf *out, const struct route *route, struct openapi_refs *refs)
{
    const struct route_answer *answer = &route->answer;
    buf_add_format(out, "\"%d\":{", answer->status);
    json_add_member(out, "description", slice_from_cstr(http_status_title(answer->status)));
    buf_add(out, SLICE(",\"headers\":{"));
    add_header(out, OPENAPI_X_REQUEST_ID, refs);
    if (route->needs & ROUTE_ETAG)
        add_header(out, OPENAPI_ETAG, refs);
    if (answer->status == 201)
        add_header(out, OPENAPI_LOCATION, refs);
    if (route->needs & ROUTE_IDEMPOTENT)
        add_header(out, OPENAPI_IDEMPOTENT_REPLAYED, refs);
    buf_add_char(out, '}');
    if (answer->form != ANSWER_NONE) {
        buf_add(out, SLICE(",\"content\":{"));
        add_json_content(out, route, refs);
        if (route->needs & ROUTE_PAGE)
            buf_add(out, SLICE(",\"text/html\":{\"schema\":{\"type\":\"string\"}}"));
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
    if (route->needs & ROUTE_ETAG && route->method == HTTP_GET) {
        buf_add(out, SLICE(",\"304\":{\"description\":\"If-None-Match names the ETag: nothing has "
                           "changed.\",\"headers\":{"));
        add_header(out, OPENAPI_X_REQUEST_ID, refs);
        add_header(out, OPENAPI_ETAG, refs);
        buf_add(out, SLICE("}}"));
    }
}

static void add_problem_headers(struct buf *out, int status, struct openapi_refs *refs)
{
    buf_add(out, SLICE(",\"headers\":{"));
    add_header(out, OPENAPI_X_REQUEST_ID, refs);
    if (status == 503)
        add_header(out, OPENAPI_RETRY_AFTER, refs);
    if (status == 401 || status == 403)
        add_header(out, OPENAPI_WWW_AUTHENTICATE, refs);
    buf_add_char(out, '}');
}

static void add_problem_content(struct buf *out, const struct err_kind *const *kinds, size_t count,
                                struct openapi_refs *refs)
{
    buf_add(out, SLICE("\"application/problem+json\":{\"schema\":{\"$ref\":"
                       "\"#/components/schemas/Problem\"},\"examples\":{"));
    for (size_t i = 0; i < count; i++) {
        json_add_name(out, kinds[i]->code);
        add_ref(out, "examples", kinds[i]->code, "");
        set_add(&refs->examples, kinds[i]);
    }
    buf_add(out, SLICE("}}"));
}

/* "`code`: sentence", one below the other where there are several. */
static void add_problem_description(struct buf *out, const struct err_kind *const *kinds,
                                    size_t count)
{
    char storage[KIB(4)];
    struct buf text = BUF(storage);
    for (size_t i = 0; i < count; i++)
        buf_add_format(&text, count > 1 ? "- `%s`: %s\n" : "`%s`: %s", kinds[i]->code,
                       kinds[i]->message);
    json_add_member(out, "description", buf_slice(&text));
}

void openapi_add_problems(struct buf *out, const struct err_kind *const *kinds, size_t count,
                          struct openapi_refs *refs)
{
    buf_add_char(out, '{');
    add_problem_description(out, kinds, count);
    add_problem_headers(out, kinds[0]->status, refs);
    buf_add(out, SLICE(",\"content\":{"));
    add_problem_content(out, kinds, count, refs);
    buf_add(out, SLICE("}}"));
}

/* 503 of a page that tells by its status that not all is well; nginx's own is a problem. */
static void add_unwell(struct buf *out, const struct route *route,
                       const struct err_kind *const *kinds, size_t count, struct openapi_refs *refs)
{
    buf_add(out, SLICE("{\"description\":\"Not all is well.\",\"headers\":{"));
    add_header(out, OPENAPI_X_REQUEST_ID, refs);
    buf_add(out, SLICE("},\"content\":{"));
    add_json_content(out, route, refs);
    buf_add_char(out, ',');
    add_problem_content(out, kinds, count, refs);
    buf_add(out, SLICE("}}"));
}

static void add_responses(struct buf *out, const struct route *route, struct openapi_refs *refs)
{
    const struct err_kind *kinds[CONTRACT_KINDS_MAX];
    size_t count = contract_errors(route, kinds), begin = 0;
    json_add_name(out, "responses");
    buf_add_char(out, '{');
    add_success(out, route, refs);
    for (size_t end = 1; end <= count; end++) {
        if (end < count && kinds[end]->status == kinds[begin]->status)
            continue;
        buf_add_format(out, ",\"%d\":", kinds[begin]->status);
        if (kinds[begin]->status == 503 && route->needs & ROUTE_OR_503) {
            add_unwell(out, route, kinds + begin, end - begin, refs);
        } else if (end - begin == 1) {
            add_ref(out, "responses", kinds[begin]->code, "");
            set_add(&refs->problems, kinds[begin]);
        } else {
            openapi_add_problems(out, kinds + begin, end - begin, refs);
        }
        begin = end;
    }
    buf_add_char(out, '}');
}

void openapi_add_operation(struct buf *out, const struct route *route, struct openapi_refs *refs)
{
    buf_add_char(out, '"');
    for (const char *c = http_method_name(route->method); *c; c++)
        buf_add_char(out, (char)tolower((unsigned char)*c));
    buf_add(out, SLICE("\":{"));
    json_add_member(out, "operationId", slice_from_cstr(route->operation));
    json_add_member(out, "summary", slice_from_cstr(route->summary));
    buf_add(out, SLICE(",\"tags\":["));
    json_add_string(out, slice_from_cstr(contract_tag_find(route->path)->name));
    buf_add_char(out, ']');
    add_access(out, route->scope, refs);
    json_add_name(out, "parameters");
    buf_add_char(out, '[');
    add_path_params(out, route->path);
    add_query_params(out, route->query);
    add_header_params(out, route, refs);
    buf_add_char(out, ']');
    add_request_body(out, route, refs);
    add_responses(out, route, refs);
    buf_add_char(out, '}');
}
