/* aws_answer.c - fuzz target: every reader of what AWS and the container endpoint answer. */
#include "common/aws/answer.h"
#include "common/aws/container.h"
#include "common/aws/profile.h"
#include "common/aws/secrets.h"
#include "common/base/json_check.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void read_container(struct slice body, struct arena *arena)
{
    struct credentials got = {0};
    struct err err = {0};
    if (container_read(body, arena, &got, &err))
        FUZZ_ASSERT(!err.kind && got.access_key[0] && got.secret_key[0] && got.expires_s >= 0);
    else
        FUZZ_ASSERT(err.kind && got.source == CREDENTIALS_NONE);
}

static void read_secret(struct slice body, struct arena *arena)
{
    struct secret_value got = {0};
    struct database_login login = {0};
    struct slice text = {0};
    struct err err = {0}, login_err = {0}, text_err = {0};
    struct json_fault fault;
    if (!secrets_read_answer(200, body, arena, &got, &err))
        FUZZ_ASSERT(err.kind && !got.text.ptr);
    else
        FUZZ_ASSERT(json_check(body, &fault) && got.text.len > 0 && got.version_id.len > 0);
    if (secrets_read_login(got.text.ptr ? got.text : body, arena, &login, &login_err))
        FUZZ_ASSERT(login.password.len > 0);
    if (secrets_read_text(got.text.ptr ? got.text : body, "key", 32, arena, &text, &text_err))
        FUZZ_ASSERT(text.len >= 32);
}

static void read_profile(struct slice file)
{
    struct credentials got = {0};
    if (profile_find(file, true, SLICE("work"), &got))
        FUZZ_ASSERT(got.access_key[0] && got.secret_key[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice body = {(const char *)bytes, size};
    struct arena *arena = fuzz_arena();
    struct slice code = answer_error_code(body, arena);
    FUZZ_ASSERT(code.len <= ANSWER_CODE_MAX);
    struct slice message = answer_error_message(body, arena);
    FUZZ_ASSERT(message.len <= ANSWER_MESSAGE_MAX);
    FUZZ_ASSERT(!slice_contains_byte(message, '\n'));
    (void)answer_time_http(body);
    (void)answer_time_rfc3339(body);
    read_container(body, arena);
    read_secret(body, arena);
    read_profile(body);
    return 0;
}
