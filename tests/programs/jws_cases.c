/* jws_cases.c - a test program: one case as JSON a line on standard input, its verdict as JSON on
 * standard output. tests/vectors/test_jws.py feeds it.
 *
 * Case: keys (the text of a JWKS) and token; or keys, kid, and text and signature in base64url.
 * Answer: {"result":"ok"}, the code of the refusal, or {"result":"keys","cause":"..."}. */
#include "common/auth/errors.h"
#include "common/auth/jws.h"
#include "common/base/base64url.h"
#include "common/base/json_write.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static struct slice text_of(const cJSON *object, const char *name)
{
    return slice_from_cstr(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name)));
}

static void print_result(const char *result, const char *cause)
{
    char storage[1024];
    struct buf out = BUF(storage);
    buf_add_char(&out, '{');
    json_add_member(&out, "result", slice_from_cstr(result));
    json_add_member(&out, "cause", slice_from_cstr(cause));
    buf_add(&out, SLICE("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
}

static bool judge_bytes(const cJSON *object, const struct jws_keys *keys, struct arena *arena)
{
    struct buf text = arena_buf(arena, KIB(64)), signature = arena_buf(arena, KIB(64));
    return base64url_decode(&text, text_of(object, "text")) &&
           base64url_decode(&signature, text_of(object, "signature")) &&
           jws_is_signed(keys, text_of(object, "kid"), buf_slice(&text), buf_slice(&signature));
}

static void judge(const cJSON *object, struct arena *arena)
{
    static struct jwks set;
    struct slice payload, token = text_of(object, "token");
    struct err err = {0};
    const char *fault = NULL;
    if (!jwks_parse(text_of(object, "keys"), &set, &fault)) {
        print_result("keys", fault);
        return;
    }
    struct jws_keys *keys = jws_keys_open(&set, &err);
    if (!keys)
        print_result("keys", err.cause);
    else if (!token.ptr)
        print_result(judge_bytes(object, keys, arena) ? "ok" : "token_signature", "");
    else if (jws_verify(keys, token, arena, &payload, &err))
        print_result("ok", "");
    else
        print_result(err.kind->code, err.cause);
    jws_keys_close(keys);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    struct arena arena;
    struct err err = {0};
    if (!arena_init(&arena, MIB(1), &err))
        return EX_SOFTWARE;
    while (getline(&line, &cap, stdin) > 0) {
        cJSON *object = cJSON_Parse(line);
        judge(object, &arena);
        cJSON_Delete(object);
        arena_reset(&arena);
    }
    free(line);
    arena_done(&arena);
    return EX_OK;
}
