#include "fcgi/api/contract.h"

#include "common/auth/errors.h"
#include "fcgi/api/errors.h"

/* ---- errors ---- */

/* nginx's own problems (nginx/parts/problems.conf), as far as no worker has the same kind. */
#define NGINX_KIND(status, code, message)                                                          \
    {                                                                                              \
        status, code, message                                                                      \
    }
static const struct err_kind uri_too_long =
    NGINX_KIND(414, "uri_too_long", "The request target is longer than this service accepts.");
static const struct err_kind headers_too_large = NGINX_KIND(
    431, "headers_too_large", "The request headers are larger than this service accepts.");
static const struct err_kind unavailable =
    NGINX_KIND(503, "unavailable", "The service cannot answer right now; try again later.");
static const struct err_kind gateway_timeout =
    NGINX_KIND(504, "gateway_timeout", "The service did not answer in time.");

enum trait {
    ANY = 0,
    OF_WORKER = 1 << 0, /* answered by a worker, not by the master */
    HAS_BODY = 1 << 1,
    HAS_CURSOR = 1 << 2,
    TAKES_TOKEN = 1 << 3,
    HAS_GROUP = 1 << 4, /* a scope that not every caller has */
    HAS_ETAG_TO_MATCH = 1 << 5,
    HAS_KEY = 1 << 6,        /* an Idempotency-Key */
    IS_REPRESENTED = 1 << 7, /* the answer has a body, so it has a type */
};

/* A kind belongs to a route that has all the traits. */
static const struct rule {
    unsigned traits;
    const struct err_kind *kind;
} rules[] = {
    {ANY, &ERR_BAD_REQUEST},
    {OF_WORKER, &ERR_QUERY_INVALID},
    {HAS_CURSOR, &ERR_CURSOR_INVALID},
    {HAS_BODY, &ERR_JSON_INVALID},
    {HAS_KEY, &ERR_IDEMPOTENCY_KEY_INVALID},
    {TAKES_TOKEN, &ERR_AUTHENTICATION_REQUIRED},
#define TOKEN_RULE(name, status, code, message) {TAKES_TOKEN, &(name)},
    AUTH_ERR_KINDS(TOKEN_RULE){HAS_GROUP, &ERR_FORBIDDEN},
    {OF_WORKER | IS_REPRESENTED, &ERR_NOT_ACCEPTABLE},
    {HAS_KEY, &ERR_IDEMPOTENCY_IN_PROGRESS},
    {HAS_ETAG_TO_MATCH, &ERR_PRECONDITION_FAILED},
    {ANY, &ERR_BODY_TOO_LARGE},
    {ANY, &uri_too_long},
    {HAS_BODY, &ERR_MEDIA_TYPE},
    {HAS_BODY, &ERR_BODY_INVALID},
    {HAS_KEY, &ERR_IDEMPOTENCY_KEY_REUSED},
    {HAS_ETAG_TO_MATCH, &ERR_IF_MATCH_REQUIRED},
    {ANY, &headers_too_large},
    {OF_WORKER, &ERR_INTERNAL},
    {HAS_CURSOR, &ERR_NOT_READY},
    {TAKES_TOKEN, &ERR_KEYS_UNAVAILABLE},
    {ANY, &unavailable},
    {ANY, &gateway_timeout},
};

static bool query_has(const struct query_table *query, const char *name)
{
    for (size_t i = 0; query && i < query->count; i++)
        if (slice_equal(slice_from_cstr(query->params[i].name), slice_from_cstr(name)))
            return true;
    return false;
}

static unsigned traits_of(const struct route *route)
{
    unsigned traits = 0;
    traits |= route->handler ? OF_WORKER : 0U;
    traits |= route->body ? HAS_BODY : 0U;
    traits |= query_has(route->query, "cursor") ? HAS_CURSOR : 0U;
    traits |= route->scope > SCOPE_NONE ? TAKES_TOKEN : 0U;
    traits |= route->scope > SCOPE_USER ? HAS_GROUP : 0U;
    traits |= route->needs & ROUTE_IF_MATCH ? HAS_ETAG_TO_MATCH : 0U;
    traits |= route->needs & ROUTE_IDEMPOTENT ? HAS_KEY : 0U;
    traits |= route->answer.form != ANSWER_NONE ? IS_REPRESENTED : 0U;
    return traits;
}

/* Behind the kinds of the same status; what is there already stays alone. */
static size_t insert(const struct err_kind **kinds, size_t count, const struct err_kind *kind)
{
    size_t at = count;
    for (size_t i = 0; i < count; i++)
        if (kinds[i] == kind)
            return count;
    if (count == CONTRACT_KINDS_MAX)
        return count;
    for (; at > 0 && kinds[at - 1]->status > kind->status; at--)
        kinds[at] = kinds[at - 1];
    kinds[at] = kind;
    return count + 1;
}

size_t contract_errors(const struct route *route, const struct err_kind *ret[CONTRACT_KINDS_MAX])
{
    unsigned traits = traits_of(route);
    size_t count = 0;
    for (size_t i = 0; i < COUNT(rules); i++)
        if ((rules[i].traits & traits) == rules[i].traits)
            count = insert(ret, count, rules[i].kind);
    for (size_t i = 0; route->errors && route->errors[i]; i++)
        count = insert(ret, count, route->errors[i]);
    return count;
}

/* ---- parts of paths ---- */

static const struct contract_param params[] = {
    {"id", true, "its number", "1"},
};

const struct contract_param *contract_param_find(struct slice name)
{
    for (size_t i = 0; i < COUNT(params); i++)
        if (slice_equal(slice_from_cstr(params[i].name), name))
            return &params[i];
    return NULL;
}

/* ---- the parts of the API ---- */

const struct contract_tag contract_tags[] = {
    {"/v1/products", "products", "The catalogue."},
    {"/v1/categories", "categories", "How the catalogue is divided."},
    {"/health/", "health", "Whether the service works: for load balancers and deployments."},
    {"/", "service", "What this service is."},
};
const size_t contract_tags_count = COUNT(contract_tags);

const struct contract_tag *contract_tag_find(const char *path)
{
    size_t i = 0;
    while (i < COUNT(contract_tags) - 1 &&
           !slice_starts_with(slice_from_cstr(path), slice_from_cstr(contract_tags[i].prefix)))
        i++;
    return &contract_tags[i];
}

/* ---- members ---- */

static const struct note notes[] = {
    {"Change", "id", "number of the change", "41", NULL},
    {"Change", "action", "what was done", "changed", NULL},
    {"Change", "version", "of the product after the change", "3", NULL},
    {"Change", "at", "when, in UTC", "2026-11-22T21:07:11.123Z", NULL},
    {"Change", "user_id", "`sub` of the token; null: no person did it",
     "0f8fad5b-d9cb-469f-a165-70867728950e", NULL},
    {"Change", "username", "for people; null: unknown", "edith", NULL},
    {"Change", "request_id", "as in the logs", "e0084885a353c78f14aaec6848ea588a", NULL},
    {"Change", "changes", "each member that differs, before and after",
     "{\"price_minor\":{\"before\":8900,\"after\":7900}}", NULL},
    {NULL, "id", "number of the product; never given to another", "9", NULL},
    {NULL, "sku", "the merchant's own number of the product; unique, compared exactly", "KIT-0009",
     NULL},
    {NULL, "name", "what people call it", "Enamel Mug", NULL},
    {NULL, "description", "text of several lines; empty unless given",
     "A 350 ml steel mug under two coats of white enamel.", NULL},
    {NULL, "brand", "compared exactly; null: none", "Hollowmere", NULL},
    {NULL, "category", "key of the category, which is made when it is first named", "kitchen",
     NULL},
    {NULL, "price_minor", "price in minor units of the currency: cents, for dollars", "8900", NULL},
    {NULL, "currency", "ISO 4217; the catalogue has this one", NULL, NULL},
    {NULL, "stock", "pieces in stock", "12", NULL},
    {NULL, "in_stock", "whether the stock is above 0", "true", NULL},
    {"Liveness", "status", "always this: whoever answers is alive", "ok", NULL},
    {"Readiness", "status", "whether every check is good; the answer is 503 otherwise", "ready",
     NULL},
    {"Product", "status", "only editors see drafts and what is deleted", "active", NULL},
    {NULL, "status", "a draft is in no public list; active unless given", "active", NULL},
    {"Service", "version", "of the program", "1.0.0", NULL},
    {NULL, "version", "starts at 1 and grows with every change", "3", NULL},
    {NULL, "created_at", "when it was first stored, in UTC", "2026-11-22T21:07:11.123Z", NULL},
    {NULL, "updated_at", "when it was last changed, in UTC", "2026-11-22T21:07:11.123Z", NULL},
    {NULL, "total", "products that pass the filters, over all pages; counted up to 10000", "234",
     NULL},
    {NULL, "total_is_estimate", "true: there are more than `total`", "false", NULL},
    {"Category", "key", "what products name it by", "kitchen", NULL},
    {"Category", "products", "its listed products", "17", NULL},
    {"Service", "service", "its name", "cbu", NULL},
    {"Links", "products", "address of the products", "/v1/products", NULL},
    {"Links", "categories", "address of the categories", "/v1/categories", NULL},
    {"Links", "document", "address of the API's description", "/openapi.json", NULL},
    {"Links", "docs", "address of its page for people", "/docs", NULL},
    {"Links", "health", "address that tells whether the service is alive", "/health/live", NULL},
    {"Check", "ok", "whether it is good", "true", NULL},
    {"Check", "detail", "for people", "up", NULL},
};
_Static_assert(COUNT(notes) <= CONTRACT_NOTES_MAX, "the copy of the notes has room for all");

void contract_notes_init(struct contract_notes *ret, const char *currency)
{
    for (size_t i = 0; i < COUNT(notes); i++) {
        ret->rows[i] = notes[i];
        if (slice_equal(slice_from_cstr(notes[i].name), SLICE("currency")))
            ret->rows[i].only = currency;
    }
    ret->notes = (struct notes){ret->rows, COUNT(notes)};
}
