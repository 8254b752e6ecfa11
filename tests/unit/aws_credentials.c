#include "common/aws/credentials.h"

#include "common/aws/container.h"
#include "common/aws/profile.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_http.h"
#include "tests/unit/support/scratch.h"

#include <string.h>

/* ---- which provider ---- */

static const struct source_row {
    const char *name;
    struct credentials_settings settings;
    enum credentials_source want;
} source_rows[] = {
    {"none", {0}, CREDENTIALS_NONE},
    {"empty is not set", {.access_key_id = "", .container_full_uri = ""}, CREDENTIALS_NONE},
    {"environment first",
     {.access_key_id = "A", .secret_access_key = "S", .container_relative_uri = "/x", .home = "/"},
     CREDENTIALS_ENVIRONMENT},
    {"half an environment is one", {.access_key_id = "A", .home = "/"}, CREDENTIALS_ENVIRONMENT},
    {"container before files",
     {.container_full_uri = "http://127.0.0.1/", .profile = "x", .home = "/"},
     CREDENTIALS_CONTAINER},
    {"relative", {.container_relative_uri = "/v2/x"}, CREDENTIALS_CONTAINER},
    {"files", {.home = "/home/someone"}, CREDENTIALS_PROFILE},
};
START_TEST(credentials_choose_a_source)
{
    const struct source_row *r = &source_rows[_i];
    ck_assert_msg(credentials_source_of(&r->settings) == r->want, "%s", r->name);
}
END_TEST

/* ---- the container's address and token ---- */

static const struct url_row {
    const char *relative, *full, *want; /* want NULL: refused */
} url_rows[] = {
    {"/v2/credentials/1?x=y", "", "http://169.254.170.2/v2/credentials/1?x=y"},
    {"/a", "http://127.0.0.1/b", "http://169.254.170.2/a"},
    {"a", "", NULL},
    {"//evil.example/", "", "http://169.254.170.2//evil.example/"}, /* a path of the same host */
    {"@evil.example/", "", NULL},
    {"/a b", "", NULL},
    {"/a\r\nX: y", "", NULL},
    {"", "http://127.0.0.1/x", "http://127.0.0.1/x"},
    {"", "http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"},
    {"", "http://127.1.2.3", "http://127.1.2.3"},
    {"", "http://localhost:1/x", "http://localhost:1/x"},
    {"", "http://LOCALHOST/x", "http://LOCALHOST/x"},
    {"", "http://[::1]:99/x", "http://[::1]:99/x"},
    {"", "http://169.254.170.2/x", "http://169.254.170.2/x"},
    {"", "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials"},
    {"", "http://[fd00:ec2::23]/v1", "http://[fd00:ec2::23]/v1"},
    {"", "https://credentials.example/x", "https://credentials.example/x"},
    {"", "http://credentials.example/x", NULL},
    {"", "http://169.254.169.254/latest", NULL},
    {"", "http://localhost.evil.example/", NULL},
    {"", "http://127.0.0.1.evil.example/", NULL},
    {"", "http://0x7f.1/", NULL},
    {"", "http://2130706433/", NULL},
    {"", "http://127.0.0.1@evil.example/", NULL},
    {"", "http://evil.example#127.0.0.1", NULL},
    {"", "http://evil.example?@127.0.0.1", NULL},
    {"", "http://evil.example\\@127.0.0.1/", NULL},
    {"", "http:///x", NULL},
    {"", "http://[::1", NULL},
    {"", "https://user:pw@credentials.example/", NULL},
    {"", "https://credentials.example/?user:pw@", NULL},
    {"", "ftp://127.0.0.1/", NULL},
    {"", "file:///etc/passwd", NULL},
    {"", "HTTP://127.0.0.1/", NULL}, /* nobody writes it so; better refused than misread */
    {"", "http://127.0.0.1/\x7F", NULL},
};
START_TEST(container_asks_trusted_addresses_only)
{
    const struct url_row *r = &url_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct slice url = {0};
    bool good = container_url(r->relative, r->full, &arena, &url, &err);
    ck_assert_msg(good == (r->want != NULL), "%s %s: %s", r->relative, r->full, err.cause);
    ck_assert_text_eq(url, r->want);
    ck_assert(good || err.kind == &ERR_CREDENTIALS_ABSENT);
    arena_done(&arena);
}
END_TEST

static const struct token_row {
    const char *token, *file; /* file: its text, or NULL for none */
    const char *want;
    bool refused;
} token_rows[] = {
    {"", NULL, NULL, false},
    {NULL, NULL, NULL, false},
    {"Bearer abc", NULL, "Bearer abc", false},
    {"ignored", "from the file", "from the file", false},
    {"", "", NULL, false},
    {"a\r\nX-Evil: 1", NULL, NULL, true},
    {"", "abc\n", NULL, true},
    {"", "abc\rdef", NULL, true},
};
START_TEST(container_token_is_one_line)
{
    const struct token_row *r = &token_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct scratch scratch;
    struct err err = {0};
    struct slice token = {0};
    scratch_open(&scratch);
    const char *file = r->file ? scratch_file(&scratch, "token", slice_from_cstr(r->file)) : "";
    ck_assert_int_eq(container_token(r->token, file, &arena, &token, &err), !r->refused);
    ck_assert_text_eq(token, r->want);
    scratch_close(&scratch);
    arena_done(&arena);
}
END_TEST

START_TEST(container_token_file_must_be_there)
{
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct slice token = {0};
    ck_assert(!container_token("x", "/nonexistent/token", &arena, &token, &err));
    ck_assert(err.kind == &ERR_CREDENTIALS_ABSENT);
    arena_done(&arena);
}
END_TEST

/* ---- the container's answer ---- */

#define ANSWER(more) "{\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s3cr3t\"" more "}"
static const struct answer_row {
    const char *name, *body;
    const char *token; /* NULL: refused */
    int64_t expires_s;
} answer_rows[] = {
    {"as ECS sends it",
     ANSWER(",\"RoleArn\":\"arn:x\",\"Token\":\"t\",\"Expiration\":\"2026-11-22T21:07:11Z\""), "t",
     1795381631},
    {"long-lived", ANSWER(""), "", 0},
    {"nulls", ANSWER(",\"Token\":null,\"Expiration\":null"), "", 0},
    {"no time", ANSWER(",\"Expiration\":\"tomorrow\""), NULL, 0},
    {"a number for a time", ANSWER(",\"Expiration\":1795381631"), NULL, 0},
    {"no secret", "{\"AccessKeyId\":\"ASIA1\"}", NULL, 0},
    {"twice", ANSWER(",\"AccessKeyId\":\"ASIA2\""), NULL, 0},
    {"an error", "{\"code\":\"NotFound\",\"message\":\"no\"}", NULL, 0},
    {"no JSON", "Forbidden", NULL, 0},
    {"nothing", "", NULL, 0},
    {"a key longer than any",
     "{\"AccessKeyId\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"SecretAccessKey\":\"s\"}",
     NULL, 0},
};
START_TEST(container_answers)
{
    const struct answer_row *r = &answer_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct credentials got = {0};
    bool good = container_read(slice_from_cstr(r->body), &arena, &got, &err);
    ck_assert_msg(good == (r->token != NULL), "%s: %s", r->name, err.cause);
    if (good) {
        ck_assert_str_eq(got.access_key, "ASIA1");
        ck_assert_str_eq(got.secret_key, "s3cr3t");
        ck_assert_str_eq(got.session_token, r->token);
        ck_assert_int_eq(got.expires_s, r->expires_s);
        ck_assert_int_eq(got.source, CREDENTIALS_CONTAINER);
    } else {
        ck_assert_int_eq(got.source, CREDENTIALS_NONE);
        ck_assert(err.kind == &ERR_AWS_ANSWER);
    }
    arena_done(&arena);
}
END_TEST

static const struct fetch_row {
    const char *name;
    struct credentials_settings settings;
    struct fake_http_answer answer;
    const struct err_kind *want;
} fetch_rows[] = {
    {"good",
     {.container_full_uri = "http://127.0.0.1:1/c", .container_token = "Bearer t"},
     {.status = 200, .body = ANSWER("")},
     NULL},
    {"refused",
     {.container_full_uri = "http://127.0.0.1:1/c", .container_token = "Bearer t"},
     {.status = 401, .body = "{\"code\":\"Unauthorized\"}"},
     &ERR_AWS_REFUSED},
    {"redirected",
     {.container_full_uri = "http://127.0.0.1:1/c", .container_token = "Bearer t"},
     {.status = 302},
     &ERR_AWS_REFUSED},
    {"too large",
     {.container_full_uri = "http://127.0.0.1:1/c", .container_token = "Bearer t"},
     {.failure = &ERR_AWS_ANSWER},
     &ERR_AWS_ANSWER},
};
START_TEST(credentials_come_from_the_container)
{
    const struct fetch_row *r = &fetch_rows[_i];
    struct fake_http f;
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct credentials got = {0};
    fake_http_open(&f, &r->answer, 1);
    bool good = credentials_fetch(&r->settings, &f.client, &arena, &got, &err);
    ck_assert_msg(good == !r->want && err.kind == r->want, "%s: %s", r->name, err.cause);
    ck_assert_str_eq(f.requests[0].url, "http://127.0.0.1:1/c");
    ck_assert_str_eq(f.requests[0].authorization, "Bearer t");
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

START_TEST(credentials_come_from_the_environment)
{
    struct fake_http f;
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct credentials got = {0};
    struct credentials_settings s = {.access_key_id = "AKIA", .secret_access_key = "S"};
    fake_http_open(&f, NULL, 0);
    ck_assert(credentials_fetch(&s, &f.client, &arena, &got, &err));
    ck_assert_str_eq(got.access_key, "AKIA");
    struct aws_credentials view = credentials_view(&got);
    ck_assert_ptr_null(view.session_token.ptr);
    s.session_token = "T";
    ck_assert(credentials_fetch(&s, &f.client, &arena, &got, &err));
    view = credentials_view(&got);
    ck_assert_str_eq(view.session_token.ptr, "T");
    s.secret_access_key = "";
    ck_assert(!credentials_fetch(&s, &f.client, &arena, &got, &err));
    ck_assert(err.kind == &ERR_CREDENTIALS_ABSENT);
    fake_http_close(&f);
    arena_done(&arena);
}
END_TEST

/* ---- files ---- */

static const struct profile_row {
    const char *name, *file;
    bool config;
    const char *profile, *key, *token; /* key NULL: not found */
} profile_rows[] = {
    {"default", "[default]\naws_access_key_id = A1\naws_secret_access_key=S\n", false, "default",
     "A1", ""},
    {"a named one with a token, CR LF, comments",
     "# x\r\n[default]\r\naws_access_key_id=no\r\naws_secret_access_key=no\r\n; y\r\n[ work "
     "]\r\nregion = us-east-2\r\naws_access_key_id = A2\r\naws_secret_access_key = a=b/c\r\n"
     "aws_session_token = T\r\n[z]\r\naws_access_key_id=no\r\n",
     false, "work", "A2", "T"},
    {"the config file's sections",
     "[profile work]\naws_access_key_id=A3\naws_secret_access_key=S\n[default]\n", true, "work",
     "A3", ""},
    {"its default has no prefix", "[default]\naws_access_key_id=A4\naws_secret_access_key=S", true,
     "default", "A4", ""},
    {"a prefix is none in the credentials file",
     "[profile work]\naws_access_key_id=A3\naws_secret_access_key=S\n", false, "work", NULL, ""},
    {"half of it", "[default]\naws_access_key_id=A\n", false, "default", NULL, ""},
    {"absent", "[default]\naws_access_key_id=A\naws_secret_access_key=S\n", false, "x", NULL, ""},
    {"no INI at all", "\xFF\xFE{}]\n[\n=\n[]", false, "default", NULL, ""},
    {"empty", "", false, "default", NULL, ""},
};
START_TEST(profile_is_found)
{
    const struct profile_row *r = &profile_rows[_i];
    struct credentials got = {0};
    bool found =
        profile_find(slice_from_cstr(r->file), r->config, slice_from_cstr(r->profile), &got);
    ck_assert_msg(found == (r->key != NULL), "%s", r->name);
    if (found) {
        ck_assert_str_eq(got.access_key, r->key);
        ck_assert_str_eq(got.session_token, r->token);
    }
}
END_TEST

START_TEST(profile_files_are_read_in_turn)
{
    struct fake_http f;
    struct arena arena = test_arena(KIB(512));
    struct scratch scratch;
    struct err err = {0};
    struct credentials got = {0};
    scratch_open(&scratch);
    struct credentials_settings s = {
        .profile = "work",
        .credentials_file =
            scratch_file(&scratch, "credentials", SLICE("[other]\naws_access_key_id=A\n")),
        .config_file =
            scratch_file(&scratch, "config",
                         SLICE("[profile work]\naws_access_key_id=B\naws_secret_access_key=S\n")),
    };
    fake_http_open(&f, NULL, 0);
    ck_assert_msg(credentials_fetch(&s, &f.client, &arena, &got, &err), "%s", err.cause);
    ck_assert_str_eq(got.access_key, "B");
    ck_assert_int_eq(got.source, CREDENTIALS_PROFILE);
    s = (struct credentials_settings){.home = "/nonexistent"};
    ck_assert(!credentials_fetch(&s, &f.client, &arena, &got, &err));
    ck_assert_str_eq(err.cause, "no task role (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or "
                                "_FULL_URI), no AWS_ACCESS_KEY_ID; the shared AWS files have no "
                                "keys for profile default");
    err = (struct err){0};
    s = (struct credentials_settings){.home = "/nonexistent", .profile = "work"};
    ck_assert(!credentials_fetch(&s, &f.client, &arena, &got, &err));
    ck_assert_str_eq(err.cause, "the shared AWS files have no keys for profile work");
    err = (struct err){0};
    s = (struct credentials_settings){0};
    ck_assert(!credentials_fetch(&s, &f.client, &arena, &got, &err));
    ck_assert_ptr_nonnull(strstr(err.cause, "no task role"));
    fake_http_close(&f);
    scratch_close(&scratch);
    arena_done(&arena);
}
END_TEST

/* The keys stand at the end, where a reader that stops at 64 KiB would cut the last one short. */
START_TEST(profile_file_is_read_whole_or_not)
{
    static char text[KIB(64) + 1];
    static const struct slice keys =
        SLICE_INIT("\n[default]\naws_access_key_id=A\naws_secret_access_key=whole");
    size_t length = KIB(64) + (size_t)_i; /* 0: it just fits */
    struct arena arena = test_arena(KIB(512));
    struct scratch scratch;
    struct err err = {0};
    struct credentials got = {0};
    memset(text, '#', length);
    memcpy(text + length - keys.len, keys.ptr, keys.len);
    scratch_open(&scratch);
    const struct credentials_settings s = {
        .credentials_file = scratch_file(&scratch, "credentials", (struct slice){text, length})};
    ck_assert_int_eq(profile_read(&s, &arena, &got, &err), _i == 0);
    ck_assert_str_eq(got.secret_key, _i == 0 ? "whole" : "");
    ck_assert(_i == 0 || strstr(err.cause, "credentials has more than 65536 bytes"));
    scratch_close(&scratch);
    arena_done(&arena);
}
END_TEST

/* ---- decisions ---- */

#define NOW 1000000
static struct credentials expiring(int64_t expires_s)
{
    return (struct credentials){.source = CREDENTIALS_CONTAINER, .expires_s = expires_s};
}

static const struct renew_row {
    int64_t expires_s;
    uint32_t random;
    int64_t want;
} renew_rows[] = {
    {NOW + 21660, 0, NOW + 10800}, {NOW + 21660, 999, NOW + 10800 + 5394},
    {NOW + 160, 0, NOW + 50},      {NOW + 110, 0, NOW + 30},
    {NOW + 40, 999, NOW + 30},     {NOW - 5, 0, NOW + 30},
    {0, 999, NOW + 900},
};
START_TEST(credentials_are_renewed_ahead)
{
    const struct renew_row *r = &renew_rows[_i];
    const struct credentials c = expiring(r->expires_s);
    ck_assert_int_eq(credentials_renew_at(&c, NOW, r->random), r->want);
}
END_TEST

static const struct supersede_row {
    const char *name;
    int64_t used, fetched; /* expiry; -1: none */
    bool want;
} supersede_rows[] = {
    {"the first", -1, NOW + 100, true},
    {"the first ones that do not expire", -1, 0, true},
    {"dead ones, never", -1, NOW + 60, false},
    {"later", NOW + 100, NOW + 200, true},
    {"the same again", NOW + 100, NOW + 100, true},
    {"earlier", NOW + 200, NOW + 100, false},
    {"dead against live", NOW + 200, NOW, false},
    {"live against dead", NOW, NOW + 100, true},
    {"lasting", NOW + 200, 0, true},
    {"in place of lasting", 0, NOW + 100, true},
};
START_TEST(credentials_in_use_are_kept)
{
    const struct supersede_row *r = &supersede_rows[_i];
    const struct credentials used = r->used < 0 ? (struct credentials){0} : expiring(r->used);
    const struct credentials fetched = expiring(r->fetched);
    ck_assert_msg(credentials_supersede(&used, &fetched, NOW) == r->want, "%s", r->name);
}
END_TEST

START_TEST(credentials_live_until_their_margin)
{
    const struct credentials none = {0}, some = expiring(NOW), lasting = expiring(0);
    ck_assert(!credentials_live(&none, NOW));
    ck_assert(credentials_live(&some, NOW - CREDENTIALS_MARGIN_S - 1));
    ck_assert(!credentials_live(&some, NOW - CREDENTIALS_MARGIN_S));
    ck_assert(credentials_live(&lasting, NOW));
}
END_TEST

void aws_credentials(struct suite *s)
{
    suite_rows(s, credentials_choose_a_source, COUNT(source_rows));
    suite_rows(s, container_asks_trusted_addresses_only, COUNT(url_rows));
    suite_rows(s, container_token_is_one_line, COUNT(token_rows));
    suite_test(s, container_token_file_must_be_there);
    suite_rows(s, container_answers, COUNT(answer_rows));
    suite_rows(s, credentials_come_from_the_container, COUNT(fetch_rows));
    suite_test(s, credentials_come_from_the_environment);
    suite_rows(s, profile_is_found, COUNT(profile_rows));
    suite_test(s, profile_files_are_read_in_turn);
    suite_rows(s, profile_file_is_read_whole_or_not, 2);
    suite_rows(s, credentials_are_renewed_ahead, COUNT(renew_rows));
    suite_rows(s, credentials_in_use_are_kept, COUNT(supersede_rows));
    suite_test(s, credentials_live_until_their_margin);
}
