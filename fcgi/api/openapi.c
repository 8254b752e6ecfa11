#include "fcgi/api/openapi.h"

#include "common/base/json_write.h"
#include "common/web/json_schema.h"
#include "common/web/problem.h"
#include "fcgi/api/contract.h"
#include "fcgi/api/ctx.h"
#include "fcgi/api/openapi_operation.h"
#include "fcgi/api/routes.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX MIB(1)

struct document {
    struct buf *out;
    const struct notes *notes;
    struct openapi_refs refs;
};

static const char description[] =
    "A catalogue of products.\n\n"
    "- Money is a whole number of minor units and an ISO 4217 currency; times are RFC 3339 in UTC."
    "\n- Unknown members and parameters, repeated ones, wrong types and values out of range are "
    "refused, all at once. Lengths count Unicode characters.\n"
    "- Errors are RFC 9457 problems. Programs look at `code`, which is stable.\n"
    "- Lists come in pages: ask for the next one with `cursor` = `next_cursor`.\n"
    "- A single resource has a strong `ETag`. Reading honours `If-None-Match`; changing needs "
    "`If-Match`.\n"
    "- `HEAD` and `OPTIONS` work on every address that has `GET`; other methods get 405 with "
    "`Allow`.\n"
    "- Every answer has an `X-Request-Id`: quote it when something is wrong.";

/* Of the tables of workers and master, one behind the other; NULL at the end. */
static const struct route *route_at(size_t i)
{
    if (i < api_routes.count)
        return &api_routes.rows[i];
    i -= api_routes.count;
    return i < master_routes.count ? &master_routes.rows[i] : NULL;
}

static void add_info(struct buf *out)
{
    buf_add(out, SLICE("{\"openapi\":\"3.1.0\",\"info\":{"));
    json_add_member(out, "title", SLICE("Core Business Unit service"));
    json_add_member(out, "version", SLICE(CBU_VERSION));
    json_add_member(out, "description", slice_from_cstr(description));
    buf_add(out, SLICE("},\"servers\":[{\"url\":\"/\",\"description\":\"Where this document comes "
                       "from.\"}],\"tags\":["));
    for (size_t i = 0; i < contract_tags_count; i++) {
        buf_add(out, i > 0 ? SLICE(",{") : SLICE("{"));
        json_add_member(out, "name", slice_from_cstr(contract_tags[i].name));
        json_add_member(out, "description", slice_from_cstr(contract_tags[i].help));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* ---- paths ---- */

static bool same_path(const struct route *a, const struct route *b)
{
    return strcmp(a->path, b->path) == 0;
}

static bool is_first_of_its_path(size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (same_path(route_at(i), route_at(at)))
            return false;
    return true;
}

static void add_path(struct document *d, size_t at)
{
    const char *between = "";
    json_add_name(d->out, route_at(at)->path);
    buf_add_char(d->out, '{');
    for (size_t i = at; route_at(i); i++) {
        if (!same_path(route_at(i), route_at(at)))
            continue;
        buf_add_cstr(d->out, between);
        openapi_add_operation(d->out, route_at(i), &d->refs);
        between = ",";
    }
    buf_add_char(d->out, '}');
}

static void add_paths(struct document *d)
{
    json_add_name(d->out, "paths");
    buf_add_char(d->out, '{');
    for (size_t i = 0; route_at(i); i++)
        if (is_first_of_its_path(i))
            add_path(d, i);
    buf_add_char(d->out, '}');
}

/* ---- components: what the paths have referred to ---- */

static const char problem_schema[] =
    "{\"type\":\"object\",\"description\":\"RFC 9457.\",\"additionalProperties\":false,"
    "\"required\":[\"type\",\"title\",\"status\",\"detail\",\"instance\",\"code\",\"request_id\"],"
    "\"properties\":{"
    "\"type\":{\"type\":\"string\",\"enum\":[\"about:blank\"]},"
    "\"title\":{\"type\":\"string\",\"description\":\"Name of the status; for people.\"},"
    "\"status\":{\"type\":\"integer\",\"minimum\":400,\"maximum\":599},"
    "\"detail\":{\"type\":\"string\",\"description\":\"For people; may change.\"},"
    "\"instance\":{\"type\":\"string\",\"description\":\"Path of the request.\"},"
    "\"code\":{\"type\":\"string\",\"pattern\":\"^[a-z_]+$\",\"description\":\"For programs; "
    "stable.\"},"
    "\"request_id\":{\"type\":\"string\",\"description\":\"As in X-Request-Id.\"},"
    "\"errors\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":32,\"description\":\"Every fault "
    "of the input.\",\"items\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"pointer\",\"code\",\"message\"],\"properties\":{"
    "\"pointer\":{\"type\":\"string\",\"description\":\"RFC 6901: the place in the body, or "
    "`/query/` and the name of a parameter.\"},"
    "\"code\":{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"},"
    "\"message\":{\"type\":\"string\",\"description\":\"For people; may change.\"}}}}}}";

static void add_list_schema(struct document *d, const struct route *route)
{
    const struct route_answer *answer = &route->answer;
    buf_add_format(d->out,
                   ",\"%sList\":{\"type\":\"object\",\"additionalProperties\":false,"
                   "\"required\":[\"items\",\"next_cursor\"],\"properties\":{"
                   "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%s\"}}"
                   ",\"next_cursor\":{\"type\":[\"string\",\"null\"],"
                   "\"description\":\"`cursor` of the next page; null on the last one\"}",
                   answer->view->name, answer->view->name);
    if (answer->more) {
        buf_add_char(d->out, ',');
        json_schema_add_view_members(d->out, answer->more, d->notes);
    }
    buf_add(d->out, SLICE("}}"));
}

static void add_schemas(struct document *d)
{
    const struct openapi_refs *refs = &d->refs;
    buf_add(d->out, SLICE("\"schemas\":{\"Problem\":"));
    buf_add_cstr(d->out, problem_schema);
    for (size_t i = 0; i < refs->views.count; i++) {
        const struct view *view = refs->views.items[i];
        json_add_name(d->out, view->name);
        json_schema_add_view(d->out, view, d->notes);
    }
    for (size_t i = 0; i < refs->lists.count; i++)
        add_list_schema(d, refs->lists.items[i]);
    for (size_t i = 0; i < refs->inputs.count; i++) {
        const struct schema *input = refs->inputs.items[i];
        json_add_name(d->out, input->name);
        json_schema_add_input(d->out, input, d->notes);
    }
    buf_add_char(d->out, '}');
}

static void add_problem_responses(struct document *d)
{
    json_add_name(d->out, "responses");
    buf_add_char(d->out, '{');
    for (size_t i = 0; i < d->refs.problems.count; i++) {
        const struct err_kind *kind = d->refs.problems.items[i];
        json_add_name(d->out, kind->code);
        openapi_add_problems(d->out, &kind, 1, &d->refs);
    }
    buf_add_char(d->out, '}');
}

/* Each is what problem_write() makes of the kind. */
static void add_examples(struct document *d)
{
    const struct request req = {.path = SLICE("/v1/products"),
                                .request_id = SLICE("e0084885a353c78f14aaec6848ea588a")};
    json_add_name(d->out, "examples");
    buf_add_char(d->out, '{');
    for (size_t i = 0; i < d->refs.examples.count; i++) {
        const struct err_kind *kind = d->refs.examples.items[i];
        char headers[256], body[1024];
        struct reply reply = {.headers = BUF(headers), .body = BUF(body)};
        problem_write(&reply, &req, kind, NULL);
        json_add_name(d->out, kind->code);
        buf_add(d->out, SLICE("{\"value\":"));
        buf_add(d->out, buf_slice(&reply.body));
        buf_add_char(d->out, '}');
    }
    buf_add_char(d->out, '}');
}

static void add_headers(struct document *d)
{
    static const char *const helps[OPENAPI_HEADER_COUNT] = {
        [OPENAPI_X_REQUEST_ID] = "In both logs, and in a problem as `request_id`.",
        [OPENAPI_ETAG] = "Strong: changes with every change of the resource.",
        [OPENAPI_LOCATION] = "Path of what was made.",
        [OPENAPI_IDEMPOTENT_REPLAYED] = "`true`: the answer of an earlier request, come again.",
        [OPENAPI_RETRY_AFTER] = "Seconds to wait before trying again.",
        [OPENAPI_WWW_AUTHENTICATE] = "RFC 6750: what is wrong with the token.",
    };
    json_add_name(d->out, "headers");
    buf_add_char(d->out, '{');
    for (size_t i = 0; i < OPENAPI_HEADER_COUNT; i++) {
        if (!d->refs.headers[i])
            continue;
        json_add_name(d->out, openapi_header_names[i]);
        buf_add_char(d->out, '{');
        json_add_member(d->out, "description", slice_from_cstr(helps[i]));
        if (i != OPENAPI_IDEMPOTENT_REPLAYED)
            json_add_member_bool(d->out, "required", true);
        buf_add(d->out, i == OPENAPI_RETRY_AFTER
                            ? SLICE(",\"schema\":{\"type\":\"integer\",\"minimum\":1}}")
                            : SLICE(",\"schema\":{\"type\":\"string\",\"minLength\":1}}"));
    }
    buf_add_char(d->out, '}');
}

static void add_parameters(struct document *d)
{
    static const struct {
        unsigned need;
        const char *text;
    } rows[] = {
        {ROUTE_ETAG, "\"IfNoneMatch\":{\"name\":\"If-None-Match\",\"in\":\"header\","
                     "\"description\":\"ETags that the client has; 304 when one still fits.\","
                     "\"schema\":{\"type\":\"string\"},\"example\":\"\\\"a1-1\\\"\"}"},
        {ROUTE_IF_MATCH, "\"IfMatch\":{\"name\":\"If-Match\",\"in\":\"header\",\"required\":true,"
                         "\"description\":\"The ETag of what is changed, as it was read; 412 when "
                         "somebody has changed it since.\",\"schema\":{\"type\":\"string\"},"
                         "\"example\":\"\\\"a1-1\\\"\"}"},
        {ROUTE_IDEMPOTENT,
         "\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\","
         "\"description\":\"Makes it safe to send the same request again: the first answer comes "
         "again, for 24 hours.\",\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255,"
         "\"pattern\":\"^[!-~]+$\"},"
         "\"example\":\"8e03978e-40d5-43e8-bc93-6894a57f9324\"}"},
    };
    json_add_name(d->out, "parameters");
    buf_add_char(d->out, '{');
    const char *between = "";
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!(d->refs.needs & rows[i].need))
            continue;
        buf_add_cstr(d->out, between);
        buf_add_cstr(d->out, rows[i].text);
        between = ",";
    }
    buf_add_char(d->out, '}');
}

static void add_components(struct document *d)
{
    json_add_name(d->out, "components");
    buf_add_char(d->out, '{');
    add_schemas(d);
    add_problem_responses(d);
    add_examples(d);
    add_headers(d);
    add_parameters(d);
    if (d->refs.bearer)
        buf_add(d->out, SLICE(",\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":"
                              "\"bearer\",\"bearerFormat\":\"JWT\",\"description\":\"An access "
                              "token of the user pool.\"}}"));
    buf_add_char(d->out, '}');
}

static bool has_room(const struct document *d)
{
    const struct openapi_refs *r = &d->refs;
    return !d->out->full && !r->inputs.full && !r->views.full && !r->lists.full &&
           !r->problems.full && !r->examples.full;
}

static bool write_document(const char *currency, struct buf *out)
{
    struct contract_notes notes;
    contract_notes_init(&notes, currency);
    struct document d = {.out = out, .notes = &notes.notes};
    add_info(out);
    add_paths(&d);
    add_components(&d);
    buf_add_char(out, '}');
    return has_room(&d);
}

/* ---- as it is kept and served ---- */

static bool add_etag(struct openapi *document)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buf etag = BUF(document->etag);
    if (EVP_Digest(document->text, document->len, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    buf_add_char(&etag, '"');
    for (size_t i = 0; i < 8; i++)
        buf_add_format(&etag, "%02x", digest[i]);
    buf_add_char(&etag, '"');
    return buf_cstr(&etag) != NULL;
}

bool openapi_make(const char *currency, struct openapi *ret, struct err *err)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct openapi made = {0};
    if (!arena_init(&arena, DOCUMENT_MAX, err))
        return false;
    struct buf out = arena_buf(&arena, DOCUMENT_MAX);
    if (!write_document(currency, &out))
        return err_fail(err, &ERR_INTERNAL, "the API document has outgrown its limits");
    made.text = malloc(out.len);
    if (!made.text)
        return err_fail(err, &ERR_INTERNAL, "no memory for the API document");
    made.len = out.len;
    memcpy(made.text, out.ptr, out.len);
    if (!add_etag(&made)) {
        openapi_done(&made);
        return err_fail(err, &ERR_INTERNAL, "no digest of the API document");
    }
    *ret = made;
    return true;
}

void openapi_done(struct openapi *document)
{
    free(document->text);
    *document = (struct openapi){0};
}

bool openapi_handler(struct ctx *ctx, struct err *err)
{
    const struct openapi *document = &ctx->api->document;
    if (reply_unchanged(ctx, slice_from_cstr(document->etag)))
        return true;
    buf_add(&ctx->reply->body, (struct slice){document->text, document->len});
    return reply_json(ctx, 200, err);
}
