/* query.c - fuzz target: a request target as a client sends it, its path through a route table and
 * its query string through a table with every kind of parameter. */
#include "common/web/query.h"
#include "common/base/utf8.h"
#include "common/web/route.h"
#include "tests/fuzz/fuzz.h"

struct search {
    struct opt_i64 limit, good, sort, include;
    struct slice text, key;
};
static const struct query_param params[] = {
    QUERY_I64(search, limit, 1, 100, ""),         QUERY_BOOL(search, good, ""),
    QUERY_CHOICE(search, sort, "new|-price", ""), QUERY_LIST(search, include, "total|tags", ""),
    QUERY_TEXT(search, text, 1, 20, ""),          QUERY_KEY(search, key, 1, 20, ""),
};
static const struct query_table table = {ARRAY(params)};
static const struct route rows[] = {
    {.method = HTTP_GET, .path = "/a"},
    {.method = HTTP_GET, .path = "/a/{id}"},
    {.method = HTTP_GET, .path = "/a/{id}/b/{name}"},
};
static const struct route_table routes = {ARRAY(rows)};

static bool is_text(struct slice text)
{
    return !text.ptr || (utf8_valid(text) && utf8_length(text) >= 1 && utf8_length(text) <= 20);
}

static void read_query(struct slice query)
{
    struct search got = {0};
    struct faults faults = {0};
    struct err err = {0};
    if (query_read(&table, query, fuzz_arena(), &got, &faults, &err)) {
        FUZZ_ASSERT(!got.limit.set || (got.limit.value >= 1 && got.limit.value <= 100));
        FUZZ_ASSERT(got.good.value == 0 || got.good.value == 1);
        FUZZ_ASSERT(got.sort.value == 0 || got.sort.value == 1);
        FUZZ_ASSERT(got.include.value >= 0 && got.include.value <= 3);
        FUZZ_ASSERT(is_text(got.text) && is_text(got.key));
    } else {
        FUZZ_ASSERT(err.kind == &ERR_QUERY_INVALID && faults.count > 0);
    }
}

static void find_route(const struct request *req)
{
    struct route_match match = {0};
    struct err err = {0};
    if (!route_find(&routes, req, fuzz_arena(), &match, &err)) {
        FUZZ_ASSERT(err.kind == &ERR_BAD_REQUEST);
        return;
    }
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        FUZZ_ASSERT(utf8_valid(match.params[i]));
    FUZZ_ASSERT(!match.route == !match.allowed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct slice target = {(const char *)bytes, size};
    struct request req = {.method = HTTP_GET};
    struct err err = {0};
    read_query(target);
    if (request_set_target(&req, target, &err)) {
        FUZZ_ASSERT(req.path.len > 0 && req.path.ptr[0] == '/');
        find_route(&req);
        read_query(req.query);
    } else {
        FUZZ_ASSERT(err.kind == &ERR_BAD_REQUEST);
    }
    return 0;
}
