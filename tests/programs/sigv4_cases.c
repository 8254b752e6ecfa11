/* sigv4_cases.c - a test program: one signing case as JSON a line on standard input, its answer as
 * JSON on standard output. tests/vectors/test_sigv4.py feeds it; others may too.
 *
 * Case: kind (header|query), method, scheme (query), host, path (already encoded), query
 * [[name, value]] decoded, headers [[name, value]] besides host, x-amz-date, x-amz-content-sha256
 * and x-amz-security-token, payload_hash, access_key, secret_key, session_token or null, region,
 * service, time (20150830T123600Z), expires (query). The rules follow from the service;
 * normalize_path, encode_path and payload_header (booleans) overrule them. Answer:
 * canonical_request, string_to_sign, signature, signed_headers and authorization or url; or
 * {"error": "..."}: whatever a line is, it gets exactly one. A line has at most 1 MiB, a list at
 * most 1024 pairs. */
#include "common/aws/sigv4.h"

#include "common/base/json_check.h"
#include "common/base/json_write.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES MIB(1)
/* Enough for the longest line: what is percent-encoded grows threefold and occurs in several texts,
 * and the answer is reserved as if every byte of it were escaped. */
#define MEMORY         MIB(96)
#define PAIRS_MAX      1024

/* A case as it was read; texts are borrowed from the JSON tree. */
struct signing_case {
    bool query_form;
    struct aws_credentials credentials;
    struct sigv4_request req;
    struct aws_pair query[PAIRS_MAX], headers[PAIRS_MAX];
};

static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNull(found) ? NULL : found;
}

static bool read_text(const cJSON *object, const char *name, bool required, struct slice *ret,
                      struct err *err)
{
    const cJSON *found = member(object, name);
    if (found ? !cJSON_IsString(found) : required)
        return err_fail(err, &ERR_BAD_REQUEST, "%s is %s", name, found ? "no text" : "missing");
    *ret = slice_from_cstr(cJSON_GetStringValue(found));
    return true;
}

static bool read_flag(const cJSON *object, const char *name, bool *ret, struct err *err)
{
    const cJSON *found = member(object, name);
    if (found && !cJSON_IsBool(found))
        return err_fail(err, &ERR_BAD_REQUEST, "%s is no boolean", name);
    if (found)
        *ret = cJSON_IsTrue(found);
    return true;
}

static bool read_pairs(const cJSON *object, const char *name, struct aws_pair *ret,
                       size_t *ret_count, struct err *err)
{
    const cJSON *list = member(object, name), *pair;
    size_t count = 0;
    if (list && !cJSON_IsArray(list))
        return err_fail(err, &ERR_BAD_REQUEST, "%s is no list", name);
    cJSON_ArrayForEach(pair, list)
    {
        const cJSON *left = cJSON_IsArray(pair) ? pair->child : NULL;
        const cJSON *right = left ? left->next : NULL;
        if (!right || right->next || !cJSON_IsString(left) || !cJSON_IsString(right))
            return err_fail(err, &ERR_BAD_REQUEST, "%s has a pair that is not two texts", name);
        if (count == PAIRS_MAX)
            return err_fail(err, &ERR_BAD_REQUEST, "%s has more than %d pairs", name, PAIRS_MAX);
        ret[count++] = (struct aws_pair){slice_from_cstr(left->valuestring),
                                         slice_from_cstr(right->valuestring)};
    }
    *ret_count = count;
    return true;
}

static bool read_time(const cJSON *object, int64_t *ret, struct err *err)
{
    static const char pattern[] = "dddddddd"
                                  "T"
                                  "dddddd"
                                  "Z";
    struct tm utc = {0};
    struct slice text = {0};
    if (!read_text(object, "time", true, &text, err))
        return false;
    bool good = text.len == sizeof pattern - 1;
    for (size_t i = 0; good && i < text.len; i++)
        good = pattern[i] == 'd' ? text.ptr[i] >= '0' && text.ptr[i] <= '9'
                                 : text.ptr[i] == pattern[i];
    const char *end = good ? strptime(text.ptr, "%Y%m%dT%H%M%SZ", &utc) : NULL;
    if (!end || *end)
        return err_fail(err, &ERR_BAD_REQUEST, "time is none like 20150830T123600Z");
    *ret = (int64_t)timegm(&utc);
    return true;
}

static bool read_expires(const cJSON *object, int64_t *ret, struct err *err)
{
    const cJSON *found = member(object, "expires");
    double value = cJSON_IsNumber(found) ? cJSON_GetNumberValue(found) : 0.5;
    if (!(value >= INT32_MIN && value <= INT32_MAX) || value != (double)(int64_t)value)
        return err_fail(err, &ERR_BAD_REQUEST, "expires is no whole number of seconds");
    *ret = (int64_t)value;
    return true;
}

static bool read_rules(const cJSON *object, struct sigv4_request *req, struct err *err)
{
    bool s3 = slice_equal(req->service, SLICE("s3"));
    req->rules = s3 ? sigv4_rules_s3 : sigv4_rules_other;
    return read_flag(object, "normalize_path", &req->rules.normalize_path, err) &&
           read_flag(object, "encode_path", &req->rules.encode_path, err) &&
           read_flag(object, "payload_header", &req->rules.payload_header, err);
}

static bool read_kind(const cJSON *object, bool *ret_query_form, struct err *err)
{
    struct slice kind = {0};
    if (!read_text(object, "kind", true, &kind, err))
        return false;
    *ret_query_form = slice_equal(kind, SLICE("query"));
    return *ret_query_form || slice_equal(kind, SLICE("header")) ||
           err_fail(err, &ERR_BAD_REQUEST, "kind is neither header nor query");
}

static bool read_case(const cJSON *object, struct signing_case *ret, struct err *err)
{
    struct sigv4_request *req = &ret->req;
    const struct {
        const char *name;
        bool required;
        struct slice *at;
    } texts[] = {
        {"method", true, &req->method},
        {"host", true, &req->host},
        {"path", true, &req->path},
        {"payload_hash", true, &req->payload_hash},
        {"region", true, &req->region},
        {"service", true, &req->service},
        {"access_key", true, &ret->credentials.access_key},
        {"secret_key", true, &ret->credentials.secret_key},
        {"session_token", false, &ret->credentials.session_token},
        {"scheme", false, &req->scheme},
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!read_text(object, texts[i].name, texts[i].required, texts[i].at, err))
            return false;
    req->query = ret->query;
    req->headers = ret->headers;
    return read_kind(object, &ret->query_form, err) && read_rules(object, req, err) &&
           read_time(object, &req->now, err) &&
           (!ret->query_form || read_expires(object, &req->expires_s, err)) &&
           read_pairs(object, "query", ret->query, &req->query_count, err) &&
           read_pairs(object, "headers", ret->headers, &req->header_count, err);
}

/* cJSON would cut a text at an escaped NUL and let other things pass. */
static bool parse(struct slice line, cJSON **ret, struct err *err)
{
    struct json_fault fault;
    if (line.len > LINE_MAX_BYTES)
        return err_fail(err, &ERR_BAD_REQUEST, "a line of more than %zu bytes", LINE_MAX_BYTES);
    if (!json_check(line, &fault))
        return err_fail(err, &ERR_BAD_REQUEST, "no JSON: %s at byte %zu", fault.what, fault.at);
    *ret = cJSON_ParseWithLength(line.ptr, line.len);
    return cJSON_IsObject(*ret) || err_fail(err, &ERR_BAD_REQUEST, "not a JSON object");
}

static bool sign_line(struct slice line, cJSON **tree, struct arena *arena, struct sigv4_key *key,
                      struct sigv4_signed *ret, struct err *err)
{
    struct signing_case *c = ARENA_NEW(arena, struct signing_case);
    if (!c)
        return err_fail(err, &ERR_INTERNAL, "out of memory");
    if (!parse(line, tree, err) || !read_case(*tree, c, err))
        return false;
    return c->query_form ? sigv4_sign_query(&c->credentials, &c->req, key, arena, ret, err)
                         : sigv4_sign_header(&c->credentials, &c->req, key, arena, ret, err);
}

/* ---- the answer ---- */

/* False when it does not fit, which leaves nothing half said. */
static bool print_signed(const struct sigv4_signed *made, struct arena *arena)
{
    const struct {
        const char *name;
        struct slice text;
    } members[] = {
        {"canonical_request", made->canonical_request},
        {"string_to_sign", made->string_to_sign},
        {"signature", made->signature},
        {"signed_headers", made->signed_headers},
        {made->url.ptr ? "url" : "authorization", made->url.ptr ? made->url : made->authorization}};
    size_t bytes = 0;
    for (size_t i = 0; i < COUNT(members); i++)
        bytes += 6 * members[i].text.len + 64;
    struct buf out = arena_buf(arena, bytes);
    buf_add_char(&out, '{');
    for (size_t i = 0; i < COUNT(members); i++)
        json_add_member(&out, members[i].name, members[i].text);
    buf_add(&out, SLICE("}\n"));
    return !out.full && fwrite(out.ptr, 1, out.len, stdout) == out.len;
}

static void print_error(const char *what)
{
    char storage[2048];
    struct buf out = BUF(storage);
    buf_add_char(&out, '{');
    json_add_member(&out, "error", slice_from_cstr(what));
    buf_add(&out, SLICE("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
}

static void answer(struct slice line, struct arena *arena, struct sigv4_key *key)
{
    struct sigv4_signed made = {0};
    struct err err = {0};
    cJSON *tree = NULL;
    if (!sign_line(line, &tree, arena, key, &made, &err))
        print_error(err.cause);
    else if (!print_signed(&made, arena))
        print_error("the answer is too large");
    cJSON_Delete(tree);
    fflush(stdout); /* a caller may wait for each answer */
}

int main(void)
{
    CLEANUP(sigv4_key_wipe) struct sigv4_key key = {0};
    CLEANUP(arena_done) struct arena arena = {0};
    struct err err = {0};
    char *line = NULL;
    size_t cap = 0;
    ssize_t got;
    if (!arena_init(&arena, MEMORY, &err))
        return EXIT_FAILURE;
    while ((got = getline(&line, &cap, stdin)) > 0) {
        answer((struct slice){line, (size_t)got}, &arena, &key);
        arena_reset(&arena);
    }
    free(line);
    return EXIT_SUCCESS;
}
