/* aws_get.c - a test program: gets credentials or a secret, or heads a bucket, over the real
 * network code, with short limits, and prints what came of it as one JSON line.
 * tests/vectors/test_aws_answers.py gives it hostile endpoints.
 *
 * usage: aws_get credentials|secret|bucket URL [CA_FILE]
 * Answer: {"result":"ok"} or {"result":"dependency_unreachable","cause":"..."}; with "length" of
 * what was got. The call's log event goes to standard error. */
#include "common/aws/credentials.h"
#include "common/aws/s3.h"
#include "common/aws/secrets.h"
#include "common/base/json_write.h"
#include "common/run/log.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const struct aws_limits limits = {
    .attempts_max = 2,
    .connect_timeout_ms = 1000,
    .attempt_timeout_ms = 1500,
    .budget_ms = 4000,
    .pause_base_ms = 10,
    .pause_max_ms = 20,
};

static bool get(struct aws_client *client, char **argv, struct arena *arena, size_t *ret_length,
                struct err *err)
{
    struct credentials got = {0};
    struct secret_value secret = {0};
    const struct credentials_settings settings = {.container_full_uri = argv[2],
                                                  .container_token = "Bearer test-token"};
    const struct aws_credentials key = {SLICE("AKID"), SLICE("test-secret"), SLICE("test-session")};
    const struct secrets_place place = {SLICE("us-east-2"), slice_from_cstr(argv[2])};
    if (strcmp(argv[1], "secret") == 0) {
        bool good = secrets_get(client, &key, &place, SLICE("cbu/test"), SECRET_CURRENT, arena,
                                &secret, err);
        *ret_length = secret.text.len;
        return good;
    }
    const struct s3_place bucket = {place.region, place.endpoint, SLICE("images")};
    if (strcmp(argv[1], "bucket") == 0)
        return s3_head_bucket(client, &key, &bucket, arena, err);
    bool good = credentials_fetch(&settings, client, arena, &got, err);
    *ret_length = strlen(got.secret_key);
    return good;
}

static void print_result(const struct err *err, size_t length)
{
    char storage[1024];
    struct buf out = BUF(storage);
    buf_add_char(&out, '{');
    json_add_member(&out, "result", err->kind ? slice_from_cstr(err->kind->code) : SLICE("ok"));
    json_add_member(&out, "cause", slice_from_cstr(err->cause));
    json_add_member_i64(&out, "length", (int64_t)length);
    buf_add(&out, SLICE("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return EX_USAGE;
    const struct world world = world_system();
    struct arena arena;
    struct err err = {0};
    size_t length = 0;
    struct http_client *http = http_client_open(argc > 3 ? argv[3] : NULL, &err);
    if (!http || !arena_init(&arena, MIB(1), &err))
        return EX_SOFTWARE;
    log_start(STDERR_FILENO, LOG_LEVEL_DEBUG);
    struct aws_client client = {
        .world = &world, .outside = http_client_outside(http), .limits = limits};
    (void)!get(&client, argv, &arena, &length, &err);
    print_result(&err, length);
    aws_client_done(&client);
    http_client_close(http);
    arena_done(&arena);
    return EX_OK;
}
