#include "common/base/json_write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#define REPLACED "\xEF\xBF\xBD" /* U+FFFD */

static const struct string_row {
    struct slice text;
    const char *want;
} string_rows[] = {
    {SLICE_INIT(""), "\"\""},
    {{0}, "\"\""},
    {SLICE_INIT("abc /'"), "\"abc /'\""},
    {SLICE_INIT("say \"hi\""), "\"say \\\"hi\\\"\""},
    {SLICE_INIT("a\\b"), "\"a\\\\b\""},
    {SLICE_INIT("\n\r\t"), "\"\\n\\r\\t\""},
    {SLICE_INIT("\0"), "\"\\u0000\""},
    {SLICE_INIT("\b\f\x1F"), "\"\\u0008\\u000c\\u001f\""},
    {SLICE_INIT("\x20\x7F"), "\"\x20\x7F\""},
    {SLICE_INIT("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
     "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
    {SLICE_INIT("a\xFFz"), "\"a" REPLACED "z\""},
    {SLICE_INIT("\xC3"), "\"" REPLACED "\""},
    {SLICE_INIT("\xC3\xA9\xC3"), "\"\xC3\xA9" REPLACED "\""},
    {SLICE_INIT("\xE2\x82"), "\"" REPLACED REPLACED "\""},
    {SLICE_INIT("\xED\xA0\x80"), "\"" REPLACED REPLACED REPLACED "\""}, /* a surrogate */
    {SLICE_INIT("\xC0\xAF\""), "\"" REPLACED REPLACED "\\\"\""},
};
START_TEST(json_strings)
{
    const struct string_row *r = &string_rows[_i];
    char storage[64];
    struct buf b = BUF(storage);
    json_add_string(&b, r->text);
    ck_assert_text_eq(buf_slice(&b), r->want);
}
END_TEST

static const char as[] = "aaaaaaaaaaaaaaaaa"; /* 17, and a NUL: two times eight bytes, and two */

/* `byte` as the one at `at` among 'a's is written as it is alone. */
static void check_byte(int byte, size_t at)
{
    char storage[64], alone_storage[16], want_storage[64], text[sizeof as];
    struct buf b = BUF(storage);
    struct buf alone = BUF(alone_storage);
    struct buf want = BUF(want_storage);
    memset(text, 'a', sizeof text);
    text[at] = (char)byte;
    json_add_string(&b, (struct slice){text, sizeof text});
    json_add_string(&alone, (struct slice){text + at, 1});
    buf_add_char(&want, '"');
    buf_add(&want, (struct slice){as, at});
    buf_add(&want, (struct slice){alone.ptr + 1, alone.len - 2});
    buf_add(&want, (struct slice){as, sizeof text - 1 - at});
    buf_add_char(&want, '"');
    ck_assert_text_eq(buf_slice(&b), buf_cstr(&want));
}

/* Eight bytes are looked at together: each kind of byte is found at each place. */
START_TEST(json_string_finds_every_byte)
{
    for (int byte = 0; byte < 0x100; byte++)
        for (size_t at = 0; at < sizeof as; at++)
            check_byte(byte, at);
}
END_TEST

/* An escape, which is formatted with a NUL behind it, fits to the last byte as the rest does. */
START_TEST(json_string_fits_exactly)
{
    char storage[8];
    struct buf b = BUF(storage);
    json_add_string(&b, SLICE("\x01"));
    ck_assert_text_eq(buf_slice(&b), "\"\\u0001\"");
    ck_assert(!b.full);
    b = (struct buf){storage, 0, 7, false};
    json_add_string(&b, SLICE("\x01"));
    ck_assert(b.full);
}
END_TEST

START_TEST(json_members)
{
    char storage[256];
    struct buf b = BUF(storage);
    buf_add_cstr(&b, "{");
    json_add_member(&b, "na\"me", SLICE("x{"));
    json_add_member_i64(&b, "n", INT64_MIN);
    json_add_member_bool(&b, "yes", true);
    json_add_member_bool(&b, "no", false);
    json_add_name(&b, "list");
    buf_add_cstr(&b, "[{");
    json_add_member_i64(&b, "i", 1);
    buf_add_cstr(&b, "}]");
    json_add_member(&b, "empty", (struct slice){0});
    buf_add_cstr(&b, "}");
    ck_assert_text_eq(buf_slice(&b),
                      "{\"na\\\"me\":\"x{\",\"n\":-9223372036854775808,\"yes\":true,\"no\":false,"
                      "\"list\":[{\"i\":1}],\"empty\":\"\"}");
}
END_TEST

void base_json_write(struct suite *s)
{
    suite_rows(s, json_strings, COUNT(string_rows));
    suite_test(s, json_string_finds_every_byte);
    suite_test(s, json_string_fits_exactly);
    suite_test(s, json_members);
}
