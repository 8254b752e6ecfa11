#include "common/base/json_check.h"
#include "common/web/fault.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

#define LONG_50 "12345678901234567890123456789012345678901234567890"

static const struct row {
    const char *prefix;
    struct slice name;
    const char *message, *want;
} rows[] = {
    {"/", SLICE_INIT("name"), "is bad",
     ",\"errors\":[{\"pointer\":\"/name\",\"code\":\"bad\",\"message\":\"is bad\"}]"},
    {"", {0}, "is bad", ",\"errors\":[{\"pointer\":\"\",\"code\":\"bad\",\"message\":\"is bad\"}]"},
    {"/query/", SLICE_INIT("a/b~c"), "is bad", /* RFC 6901 section 3 */
     ",\"errors\":[{\"pointer\":\"/query/a~1b~0c\",\"code\":\"bad\",\"message\":\"is bad\"}]"},
    {"/", SLICE_INIT("a\"\xFF\n"), "must be \"x\"",
     ",\"errors\":[{\"pointer\":\"/a\\\"\xEF\xBF\xBD\\n\",\"code\":\"bad\","
     "\"message\":\"must be \\\"x\\\"\"}]"},
    {"/", SLICE_INIT(LONG_50 LONG_50 LONG_50 LONG_50), "is bad", /* a long name is cut */
     ",\"errors\":[{\"pointer\":\"/" LONG_50 LONG_50 LONG_50 "1\",\"code\":\"bad\","
     "\"message\":\"is bad\"}]"},
    /* and not within a character: the tea stands across where it is cut */
    {"/", SLICE_INIT(LONG_50 LONG_50 LONG_50 "\xF0\x9F\x8D\xB5\xF0\x9F\x8D\xB5"), "is bad",
     ",\"errors\":[{\"pointer\":\"/" LONG_50 LONG_50 LONG_50 "\xF0\x9F\x8D\xB5\",\"code\":\"bad\","
     "\"message\":\"is bad\"}]"},
};
static const struct fault_kind bad = {"bad", "is bad"};

START_TEST(fault_texts)
{
    const struct row *r = &rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct faults faults = {0};
    char storage[512];
    struct buf out = BUF(storage);
    fault_add(&faults, &arena, r->prefix, r->name, &bad, "%s", r->message);
    faults_write(&out, &faults);
    ck_assert_text_eq(buf_slice(&out), r->want);
}
END_TEST

START_TEST(fault_none)
{
    const struct faults faults = {0};
    char storage[8];
    struct buf out = BUF(storage);
    faults_write(&out, &faults);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(fault_list_is_bounded)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(64));
    struct faults faults = {0};
    struct json_fault fault;
    static char storage[KIB(16)];
    struct buf out = BUF(storage);
    for (int i = 0; i < FAULTS_MAX + 5; i++)
        fault_add(&faults, &arena, "/", SLICE("x"), &bad, "number %d", i);
    ck_assert_uint_eq(faults.count, FAULTS_MAX);
    buf_add_cstr(&out, "{\"a\":1");
    faults_write(&out, &faults);
    buf_add_cstr(&out, "}");
    ck_assert(json_check(buf_slice(&out), &fault));
}
END_TEST

/* Readers tell by `count` whether anything was wrong, so a fault counts without its texts too. */
START_TEST(fault_without_memory)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct faults faults = {0};
    char storage[256];
    struct buf out = BUF(storage);
    ck_assert_ptr_nonnull(arena_alloc(&arena, arena.limit, 1));
    fault_add(&faults, &arena, "/", SLICE("x"), &bad, "is bad");
    faults_write(&out, &faults);
    ck_assert_text_eq(buf_slice(&out),
                      ",\"errors\":[{\"pointer\":\"\",\"code\":\"bad\",\"message\":\"\"}]");
}
END_TEST

START_TEST(fault_message_is_cut)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct faults faults = {0};
    char message[400];
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    fault_add(&faults, &arena, "/", SLICE("x"), &bad, "%s", message);
    ck_assert_uint_eq(faults.items[0].message.len, 199);
}
END_TEST

void web_fault(struct suite *s)
{
    suite_rows(s, fault_texts, COUNT(rows));
    suite_test(s, fault_none);
    suite_test(s, fault_list_is_bounded);
    suite_test(s, fault_without_memory);
    suite_test(s, fault_message_is_cut);
}
