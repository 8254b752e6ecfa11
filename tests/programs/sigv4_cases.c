/* sigv4_cases.c - a test program: one signing case as JSON a line on standard input, its answer as
 * JSON on standard output. tests/vectors/test_sigv4.py feeds it; others may too.
 *
 * Case: kind (header|query), method, scheme, host, path (already encoded), query [[name, value]]
 * decoded, headers [[name, value]] besides host, x-amz-date, x-amz-content-sha256 and
 * x-amz-security-token, payload_hash, access_key, secret_key, session_token or null, region,
 * service, time (20150830T123600Z), expires (query). The rules follow from the service;
 * normalize_path, encode_path and payload_header (booleans) overrule them. Answer:
 * canonical_request, string_to_sign, signature, signed_headers and authorization or url; or
 * {"error": "..."}. */
#include "common/aws/sigv4.h"

#include "common/base/json_write.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS_MAX 256

static struct slice text_of(const cJSON *object, const char *name)
{
    return slice_from_cstr(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name)));
}

static bool flag_of(const cJSON *object, const char *name, bool otherwise)
{
    const cJSON *flag = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsBool(flag) ? cJSON_IsTrue(flag) : otherwise;
}

static size_t pairs_of(const cJSON *object, const char *name, struct aws_pair *ret)
{
    const cJSON *pair;
    size_t count = 0;
    cJSON_ArrayForEach(pair, cJSON_GetObjectItemCaseSensitive(object, name))
    {
        if (count == PAIRS_MAX)
            break;
        ret[count++] =
            (struct aws_pair){slice_from_cstr(cJSON_GetStringValue(cJSON_GetArrayItem(pair, 0))),
                              slice_from_cstr(cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1)))};
    }
    return count;
}

static int64_t time_of(const cJSON *object)
{
    struct tm utc = {0};
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "time"));
    const char *end = text ? strptime(text, "%Y%m%dT%H%M%SZ", &utc) : NULL;
    return end && *end == '\0' ? (int64_t)timegm(&utc) : -1;
}

static struct sigv4_rules rules_of(const cJSON *object)
{
    bool s3 = slice_equal(text_of(object, "service"), SLICE("s3"));
    struct sigv4_rules rules = s3 ? sigv4_rules_s3 : sigv4_rules_other;
    rules.normalize_path = flag_of(object, "normalize_path", rules.normalize_path);
    rules.encode_path = flag_of(object, "encode_path", rules.encode_path);
    rules.payload_header = flag_of(object, "payload_header", rules.payload_header);
    return rules;
}

static bool sign_case(const cJSON *object, struct arena *arena, struct sigv4_key *key,
                      struct sigv4_signed *ret, struct err *err)
{
    static struct aws_pair query[PAIRS_MAX], headers[PAIRS_MAX];
    const struct aws_credentials credentials = {text_of(object, "access_key"),
                                                text_of(object, "secret_key"),
                                                text_of(object, "session_token")};
    const struct sigv4_request req = {
        .method = text_of(object, "method"),
        .scheme = text_of(object, "scheme"),
        .host = text_of(object, "host"),
        .path = text_of(object, "path"),
        .query = query,
        .query_count = pairs_of(object, "query", query),
        .headers = headers,
        .header_count = pairs_of(object, "headers", headers),
        .payload_hash = text_of(object, "payload_hash"),
        .region = text_of(object, "region"),
        .service = text_of(object, "service"),
        .rules = rules_of(object),
        .now = time_of(object),
        .expires_s =
            (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, "expires")),
    };
    return slice_equal(text_of(object, "kind"), SLICE("query"))
               ? sigv4_sign_query(&credentials, &req, key, arena, ret, err)
               : sigv4_sign_header(&credentials, &req, key, arena, ret, err);
}

static void answer(const cJSON *object, struct arena *arena, struct sigv4_key *key)
{
    struct sigv4_signed made = {0};
    struct err err = {0};
    bool good = cJSON_IsObject(object) ? sign_case(object, arena, key, &made, &err)
                                       : err_fail(&err, &ERR_BAD_REQUEST, "not a JSON object");
    struct buf out = arena_buf(arena, MIB(2));
    buf_add_char(&out, '{');
    if (!good) {
        json_add_member(&out, "error", slice_from_cstr(err.cause));
    } else {
        json_add_member(&out, "canonical_request", made.canonical_request);
        json_add_member(&out, "string_to_sign", made.string_to_sign);
        json_add_member(&out, "signature", made.signature);
        json_add_member(&out, "signed_headers", made.signed_headers);
        if (made.url.ptr)
            json_add_member(&out, "url", made.url);
        else
            json_add_member(&out, "authorization", made.authorization);
    }
    buf_add(&out, SLICE("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout); /* a caller may wait for each answer */
}

int main(void)
{
    CLEANUP(sigv4_key_wipe) struct sigv4_key key = {0};
    CLEANUP(arena_done) struct arena arena = {0};
    struct err err = {0};
    char *line = NULL;
    size_t cap = 0;
    if (!arena_init(&arena, MIB(8), &err))
        return EXIT_FAILURE;
    while (getline(&line, &cap, stdin) > 0) {
        cJSON *object = cJSON_Parse(line);
        answer(object, &arena, &key);
        cJSON_Delete(object);
        arena_reset(&arena);
    }
    free(line);
    return EXIT_SUCCESS;
}
