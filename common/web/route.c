#include "common/web/route.h"

static size_t find_segment_end(struct slice path, size_t at)
{
    while (at < path.len && path.ptr[at] != '/')
        at++;
    return at;
}

/* Whether `path` has the shape of `pattern`; puts the raw segments that stand for braces into
 * `params`. Every request tries all rows, and most differ within a few bytes. */
static bool path_matches(const char *pattern, struct slice path,
                         struct slice params[ROUTE_PARAMS_MAX])
{
    size_t at = 0, count = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (at == path.len || path.ptr[at++] != *pattern++)
                return false;
            continue;
        }
        size_t end = find_segment_end(path, at);
        if (end == at || count == ROUTE_PARAMS_MAX)
            return false;
        params[count++] = (struct slice){path.ptr + at, end - at};
        at = end;
        while (*pattern && *pattern != '/')
            pattern++;
    }
    return at == path.len;
}

static bool decode_params(struct slice params[ROUTE_PARAMS_MAX], struct arena *arena,
                          struct err *err)
{
    for (size_t i = 0; i < ROUTE_PARAMS_MAX && params[i].ptr; i++)
        if (!percent_decode(params[i], false, arena, &params[i]))
            return err_fail(err, &ERR_BAD_REQUEST, "bad percent-encoding in path segment");
    return true;
}

static unsigned method_bits(enum http_method method)
{
    return 1U << method | (method == HTTP_GET ? 1U << HTTP_HEAD : 0U);
}

bool route_find(const struct route_table *table, const struct request *req, struct arena *arena,
                struct route_match *ret, struct err *err)
{
    struct route_match found = {0};
    for (size_t i = 0; i < table->count; i++) {
        const struct route *row = &table->rows[i];
        struct slice params[ROUTE_PARAMS_MAX] = {0};
        if (!path_matches(row->path, req->path, params))
            continue;
        found.allowed |= method_bits(row->method);
        if (found.route || !(method_bits(row->method) & 1U << req->method))
            continue;
        found.route = row;
        for (size_t k = 0; k < ROUTE_PARAMS_MAX; k++)
            found.params[k] = params[k];
    }
    if (!decode_params(found.params, arena, err))
        return false;
    *ret = found;
    return true;
}

void route_add_allow(struct buf *out, unsigned allowed)
{
    const char *between = "";
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (!(allowed & 1U << i))
            continue;
        buf_add_cstr(out, between);
        buf_add_cstr(out, http_method_name((enum http_method)i));
        between = ", ";
    }
}

const char *route_body_type(const struct route *route, size_t i)
{
    /* RFC 7396 gives PATCH a type of its own; the general one is understood as well. */
    static const char *const types[] = {"application/merge-patch+json", "application/json", NULL};
    size_t first = route->method == HTTP_PATCH ? 0 : 1;
    return route->body && first + i < COUNT(types) ? types[first + i] : NULL;
}
