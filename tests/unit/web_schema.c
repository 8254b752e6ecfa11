#include "common/web/schema.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

struct thing {
    struct slice name, text, key;
    int64_t count, big, kind;
};

static const struct field fields[] = {
    FIELD_LINE(thing, name, REQUIRED, 1, 5),
    FIELD_TEXT(thing, text, OPTIONAL, 0, 5),
    FIELD_KEY(thing, key, OPTIONAL, 1, 5),
    FIELD_I64(thing, count, REQUIRED, 0, 100),
    FIELD_I64(thing, big, OPTIONAL, INT64_MIN, INT64_MAX),
    FIELD_CHOICE(thing, kind, OPTIONAL, "active|draft"),
};
static const struct schema schema = {"Thing", ARRAY(fields), .patch = false};

/* What stands in the struct before, and stays where a member is absent or null. */
static const struct thing defaults = {
    .text = SLICE_INIT("-"), .key = SLICE_INIT("k"), .big = -7, .kind = 1};

#define NAMED "\"name\":\"n\",\"count\":1"

static const struct value_row {
    const char *json;
    struct thing want;
} value_rows[] = {
    {"{" NAMED "}", {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 1, -7, 1}},
    {"{\"count\":100,\"kind\":\"active\",\"key\":\"a b\",\"text\":\"\",\"name\":\"12345\"}",
     {SLICE_INIT("12345"), SLICE_INIT(""), SLICE_INIT("a b"), 100, -7, 0}},
    {"{" NAMED ",\"text\":null,\"key\":null,\"big\":null,\"kind\":null}",
     {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 1, -7, 1}},
    /* limits count characters: five of two and four bytes */
    {"{\"name\":\"\\u00e9\xC3\xA9\xF0\x9F\x98\x80\\uD83D\\uDE00e\",\"count\":0}",
     {SLICE_INIT("\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                 "e"),
      SLICE_INIT("-"), SLICE_INIT("k"), 0, -7, 1}},
    {"{" NAMED ",\"text\":\"a\\n\\tb\\r\"}",
     {SLICE_INIT("n"), SLICE_INIT("a\n\tb\r"), SLICE_INIT("k"), 1, -7, 1}},
    {"{\"name\":\" n \",\"count\":1}", /* a line may have blanks at its ends, a key may not */
     {SLICE_INIT(" n "), SLICE_INIT("-"), SLICE_INIT("k"), 1, -7, 1}},
    {"{\"name\":\"n\",\"count\":1.0}",
     {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 1, -7, 1}},
    {"{\"name\":\"n\",\"count\":1e2}",
     {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 100, -7, 1}},
    {"{\"name\":\"n\",\"count\":-0}",
     {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 0, -7, 1}},
    {"{\"name\":\"n\",\"count\":-0.0e5}",
     {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 0, -7, 1}},
    {"{" NAMED ",\"big\":9007199254740991}", /* 2^53 - 1 */
     {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 1, INT64_C(9007199254740991), 1}},
    {"{" NAMED ",\"big\":-9007199254740991}",
     {SLICE_INIT("n"), SLICE_INIT("-"), SLICE_INIT("k"), 1, INT64_C(-9007199254740991), 1}},
};
START_TEST(schema_values)
{
    const struct value_row *r = &value_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    ck_assert_msg(schema_read(&schema, slice_from_cstr(r->json), &arena, &got, &faults, &err),
                  "%s: %s", r->json, err.cause);
    ck_assert_slice_eq(got.name, r->want.name);
    ck_assert_slice_eq(got.text, r->want.text);
    ck_assert_slice_eq(got.key, r->want.key);
    ck_assert_int_eq(got.count, r->want.count);
    ck_assert_int_eq(got.big, r->want.big);
    ck_assert_int_eq(got.kind, r->want.kind);
}
END_TEST

static const struct fault_row {
    const char *json, *faults; /* "pointer code" of each, in order */
} fault_rows[] = {
    {"{}", "/name required;/count required;"},
    {"{\"name\":null,\"count\":null}", "/name type;/count type;"},
    {"{\"name\":\"\",\"count\":1}", "/name length;"},
    {"{\"name\":\"123456\",\"count\":1}", "/name length;"},
    {"{\"name\":\"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\",\"count\":1}", "/name length;"},
    {"{\"name\":1,\"count\":\"1\"}", "/name type;/count type;"},
    {"{\"name\":[\"n\"],\"count\":{}}", "/name type;/count type;"},
    {"{\"name\":true,\"count\":false}", "/name type;/count type;"},
    {"{\"name\":\"a\\nb\",\"count\":1}", "/name control;"},
    {"{\"name\":\"a\\tb\",\"count\":1}", "/name control;"},
    {"{\"name\":\"a\x7F\",\"count\":1}", "/name control;"},
    {"{\"name\":\"\\u001b\",\"count\":1}", "/name control;"},
    {"{" NAMED ",\"text\":\"a\\u0007\"}", "/text control;"},
    {"{" NAMED ",\"text\":\"\\b\"}", "/text control;"},
    {"{" NAMED ",\"key\":\"\"}", "/key length;"},
    {"{" NAMED ",\"key\":\" a\"}", "/key blanks;"},
    {"{" NAMED ",\"key\":\"a \"}", "/key blanks;"},
    {"{" NAMED ",\"key\":\" \"}", "/key blanks;"},
    {"{" NAMED ",\"key\":\"a\\t\"}", "/key control;"},
    {"{\"name\":\"n\",\"count\":-1}", "/count range;"},
    {"{\"name\":\"n\",\"count\":101}", "/count range;"},
    {"{\"name\":\"n\",\"count\":1.5}", "/count type;"},
    {"{\"name\":\"n\",\"count\":1e-1}", "/count type;"},
    {"{\"name\":\"n\",\"count\":1e400}", "/count range;"}, /* infinite as a double */
    {"{\"name\":\"n\",\"count\":-1e400}", "/count range;"},
    {"{" NAMED ",\"big\":9007199254740992}", "/big range;"}, /* 2^53: so reads 2^53 + 1 too */
    {"{" NAMED ",\"big\":9007199254740993}", "/big range;"},
    {"{" NAMED ",\"big\":-9007199254740993}", "/big range;"},
    {"{" NAMED ",\"big\":9223372036854775807}", "/big range;"},
    {"{" NAMED ",\"big\":1e400}", "/big range;"},
    {"{" NAMED ",\"kind\":\"\"}", "/kind choice;"},
    {"{" NAMED ",\"kind\":\"Active\"}", "/kind choice;"},
    {"{" NAMED ",\"kind\":\"active|draft\"}", "/kind choice;"},
    {"{" NAMED ",\"kind\":0}", "/kind type;"},
    {"{" NAMED ",\"colour\":1}", "/colour unknown;"},
    {"{" NAMED ",\"Name\":\"n\"}", "/Name unknown;"}, /* names are compared exactly */
    {"{" NAMED ",\"\":1}", "/ unknown;"},
    {"{" NAMED ",\"a/b\":1}", "/a~1b unknown;"},
    {"{" NAMED ",\"count\":1}", "/count repeated;"},
    {"{" NAMED ",\"co\\u0075nt\":1}", "/count repeated;"},
    {"{" NAMED ",\"text\":null,\"text\":\"a\"}", "/text repeated;"},
    {"{\"count\":101,\"name\":\"\",\"kind\":\"x\",\"more\":{},\"count\":2,\"key\":7}",
     "/count range;/name length;/kind choice;/more unknown;/count repeated;/key type;"},
    {"[]", " type;"},
    {"null", " type;"},
    {"\"{}\"", " type;"},
    {"[{" NAMED "}]", " type;"},
};
START_TEST(schema_faults)
{
    const struct fault_row *r = &fault_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(8));
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    char storage[512];
    struct buf seen = BUF(storage);
    ck_assert(!schema_read(&schema, slice_from_cstr(r->json), &arena, &got, &faults, &err));
    for (size_t i = 0; i < faults.count; i++)
        buf_add_format(&seen, "%.*s %s;", SLICE_ARG(faults.items[i].pointer), faults.items[i].code);
    ck_assert_text_eq(buf_slice(&seen), r->faults);
    ck_assert_ptr_eq(err.kind, &ERR_BODY_INVALID);
}
END_TEST

#define TEN    "1234567890"
#define DIGITS TEN TEN TEN TEN TEN TEN TEN

static const struct invalid_row {
    struct slice json;
    const char *message; /* NULL: whatever it is */
} invalid_rows[] = {
    {SLICE_INIT(""), "value expected at the end, at byte 1"},
    {SLICE_INIT("{\"name\":\"n\""), "',' or a closing bracket expected, at byte 12"},
    {SLICE_INIT("{\"name\":\"a\\u0000b\",\"count\":1}"), "escaped NUL in a string, at byte 17"},
    {SLICE_INIT("{" NAMED "}\0"), "something follows the value, at byte 23"},
    {SLICE_INIT("{\"name\":\"n\",\"count\":-01}"), NULL},
    /* good JSON, but more digits than cJSON takes: the sender's fault, not ours */
    {SLICE_INIT("{\"name\":\"n\",\"count\":" DIGITS "}"), NULL},
    {SLICE_INIT("{\"name\":\"n\",\"count\":0." DIGITS "}"), NULL},
};
START_TEST(schema_refuses_what_is_no_json)
{
    const struct invalid_row *r = &invalid_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    ck_assert(!schema_read(&schema, r->json, &arena, &got, &faults, &err));
    ck_assert_msg(err.kind->status < 500, "%s: %s", err.kind->code, err.cause);
    ck_assert_uint_eq(faults.count, 1);
    if (!r->message)
        return;
    ck_assert_ptr_eq(err.kind, &ERR_JSON_INVALID);
    ck_assert_str_eq(err.cause, r->message);
    ck_assert_text_eq(faults.items[0].pointer, "");
    ck_assert_text_eq(faults.items[0].message, r->message);
}
END_TEST

START_TEST(schema_texts_outlive_the_input)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    char json[] = "{" NAMED "}";
    ck_assert(schema_read(&schema, slice_from_cstr(json), &arena, &got, &faults, &err));
    memset(json, '#', sizeof json);
    ck_assert_text_eq(got.name, "n");
}
END_TEST

/* ---- merge patches ---- */

static const struct schema patch_schema = {"ThingPatch", ARRAY(fields), .patch = true};

/* What is patched. */
static const struct thing patched = {
    SLICE_INIT("name"), SLICE_INIT("text"), SLICE_INIT("key"), 42, 9, 0};

static const struct patch_row {
    const char *json;
    struct thing want;
    const char *faults; /* NULL: none */
} patch_rows[] = {
    {"{}", {SLICE_INIT("name"), SLICE_INIT("text"), SLICE_INIT("key"), 42, 9, 0}, NULL},
    {"{\"name\":\"n\"}", {SLICE_INIT("n"), SLICE_INIT("text"), SLICE_INIT("key"), 42, 9, 0}, NULL},
    {"{\"count\":0,\"kind\":\"draft\",\"text\":\"\"}",
     {SLICE_INIT("name"), SLICE_INIT(""), SLICE_INIT("key"), 0, 9, 1},
     NULL},
    /* null removes what may be absent: it has its default then */
    {"{\"text\":null,\"key\":null,\"big\":null,\"kind\":null}",
     {SLICE_INIT("name"), SLICE_INIT("-"), SLICE_INIT("k"), 42, -7, 1},
     NULL},
    {"{\"name\":null}", {.count = 0}, "/name required;"},
    {"{\"count\":null,\"key\":7,\"colour\":null,\"big\":1.5,\"name\":\"123456\"}",
     {.count = 0},
     "/count required;/key type;/colour unknown;/big type;/name length;"},
    {"{\"name\":\"n\",\"name\":\"n\"}", {.count = 0}, "/name repeated;"},
    {"[]", {.count = 0}, " type;"},
    {"null", {.count = 0}, " type;"}, /* would replace all of it */
    {"{", {.count = 0}, " json;"},
};
START_TEST(schema_patches)
{
    const struct patch_row *r = &patch_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(8));
    struct thing got = patched;
    struct faults faults = {0};
    struct err err = {0};
    char storage[512];
    struct buf seen = BUF(storage);
    bool good = schema_patch(&patch_schema, slice_from_cstr(r->json), &arena, &defaults, &got,
                             &faults, &err);
    ck_assert_msg(good == !r->faults, "%s: %s", r->json, err.cause);
    for (size_t i = 0; i < faults.count; i++)
        buf_add_format(&seen, "%.*s %s;", SLICE_ARG(faults.items[i].pointer), faults.items[i].code);
    ck_assert_slice_eq(buf_slice(&seen), slice_from_cstr(r->faults));
    if (r->faults)
        return;
    ck_assert_slice_eq(got.name, r->want.name);
    ck_assert_slice_eq(got.text, r->want.text);
    ck_assert_slice_eq(got.key, r->want.key);
    ck_assert_int_eq(got.count, r->want.count);
    ck_assert_int_eq(got.big, r->want.big);
    ck_assert_int_eq(got.kind, r->want.kind);
}
END_TEST

/* A text that finds no room must not read as one that was not given. */
START_TEST(schema_without_memory)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    ck_assert_ptr_nonnull(arena_alloc(&arena, arena.limit, 1));
    ck_assert(!schema_read(&schema, SLICE("{" NAMED "}"), &arena, &got, &faults, &err));
}
END_TEST

START_TEST(schema_of_many_faults)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(64));
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    char storage[4096];
    struct buf json = BUF(storage);
    buf_add_cstr(&json, "{" NAMED);
    for (int i = 0; i < 100; i++)
        buf_add_format(&json, ",\"x%d\":1", i);
    buf_add_cstr(&json, "}");
    ck_assert(!schema_read(&schema, buf_slice(&json), &arena, &got, &faults, &err));
    ck_assert_uint_eq(faults.count, FAULTS_MAX);
    ck_assert_ptr_eq(err.kind, &ERR_BODY_INVALID);
}
END_TEST

void web_schema(struct suite *s)
{
    suite_rows(s, schema_values, COUNT(value_rows));
    suite_rows(s, schema_faults, COUNT(fault_rows));
    suite_rows(s, schema_refuses_what_is_no_json, COUNT(invalid_rows));
    suite_rows(s, schema_patches, COUNT(patch_rows));
    suite_test(s, schema_texts_outlive_the_input);
    suite_test(s, schema_without_memory);
    suite_test(s, schema_of_many_faults);
}
