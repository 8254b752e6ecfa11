#include "fcgi/api/product_input.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
#include <string.h>

#define REST             "\"category\":\"tea\",\"price_minor\":1,\"stock\":2"
#define REQUIRED_MEMBERS "\"sku\":\"T-1\",\"name\":\"Tea\"," REST

#define NUMBERS(stock, price)                                                                      \
    "{\"sku\":\"a\",\"name\":\" a \",\"category\":\"a\",\"stock\":" stock                          \
    ",\"price_minor\":" price "}"

static bool read(const char *json, struct arena *arena, struct product_input *ret,
                 struct faults *faults, struct err *err)
{
    *faults = (struct faults){0};
    *err = (struct err){0};
    return product_input_read(slice_from_cstr(json), "USD", arena, ret, faults, err);
}

START_TEST(input_defaults)
{
    struct arena arena = test_arena(KIB(64));
    struct product_input in;
    struct faults faults;
    struct err err;
    ck_assert_msg(read("{" REQUIRED_MEMBERS "}", &arena, &in, &faults, &err), "%s", err.cause);
    ck_assert_text_eq(in.sku, "T-1");
    ck_assert_text_eq(in.name, "Tea");
    ck_assert_text_eq(in.description, "");
    ck_assert_text_eq(in.brand, NULL);
    ck_assert_text_eq(in.category, "tea");
    ck_assert_text_eq(in.currency, "USD");
    ck_assert_int_eq(in.price_minor, 1);
    ck_assert_int_eq(in.stock, 2);
    ck_assert_int_eq(in.status, 0);
    arena_done(&arena);
}
END_TEST

START_TEST(input_all_members)
{
    struct arena arena = test_arena(KIB(64));
    struct product_input in;
    struct faults faults;
    struct err err;
    ck_assert(read("{\"status\":\"draft\",\"currency\":\"USD\",\"brand\":\"O'Neill\","
                   "\"description\":\"\\\"One\\\"\\n\\tTwo\",\"stock\":0,\"price_minor\":0,"
                   "\"category\":\"Th\\u00e9 & more\",\"name\":\"\\ud83c\\udf75\",\"sku\":\"a b\"}",
                   &arena, &in, &faults, &err));
    ck_assert_text_eq(in.sku, "a b");
    ck_assert_text_eq(in.name, "\xF0\x9F\x8D\xB5");
    ck_assert_text_eq(in.description, "\"One\"\n\tTwo");
    ck_assert_text_eq(in.brand, "O'Neill");
    ck_assert_text_eq(in.category, "Th\xC3\xA9 & more");
    ck_assert_int_eq(in.price_minor, 0);
    ck_assert_int_eq(in.stock, 0);
    ck_assert_int_eq(in.status, 1);
    arena_done(&arena);
}
END_TEST

START_TEST(input_null_is_the_default)
{
    struct arena arena = test_arena(KIB(64));
    struct product_input in;
    struct faults faults;
    struct err err;
    ck_assert(read("{" REQUIRED_MEMBERS
                   ",\"description\":null,\"brand\":null,\"currency\":null,\"status\":null}",
                   &arena, &in, &faults, &err));
    ck_assert_text_eq(in.description, "");
    ck_assert_text_eq(in.brand, NULL);
    ck_assert_text_eq(in.currency, "USD");
    ck_assert_int_eq(in.status, 0);
    arena_done(&arena);
}
END_TEST

/* Lengths count characters, not bytes: the four-byte ones must fit as often as the others. */
static const struct length_row {
    const char *member;
    size_t least, most;
} length_rows[] = {
    {"sku", 1, 64},    {"name", 1, 200},     {"description", 0, 4000},
    {"brand", 1, 100}, {"category", 1, 100},
};
START_TEST(input_lengths)
{
    const struct length_row *r = &length_rows[_i];
    static const char *const characters[] = {"x", "\\\"", "\xC3\xA9", "\xF0\x9F\x8D\xB5",
                                             "\\ud83c\\udf75"};
    static char json[KIB(64)];
    for (size_t i = 0; i < COUNT(characters); i++) {
        for (size_t step = 0; step < 4; step++) {
            size_t length = step < 2 ? step : r->most + step - 2; /* 0, 1, most, most + 1 */
            struct arena arena = test_arena(KIB(256));
            struct product_input in;
            struct faults faults;
            struct err err;
            struct buf out = BUF(json);
            buf_add_char(&out, '{');
            for (size_t k = 0; k < COUNT(length_rows); k++)
                if (k != (size_t)_i && k != 2 && k != 3)
                    buf_add_format(&out, "\"%s\":\"x\",", length_rows[k].member);
            buf_add_format(&out, "\"price_minor\":0,\"stock\":0,\"%s\":\"", r->member);
            for (size_t k = 0; k < length; k++)
                buf_add_cstr(&out, characters[i]);
            buf_add(&out, SLICE("\"}"));
            bool good = read(buf_cstr(&out), &arena, &in, &faults, &err);
            ck_assert_msg(good == (length >= r->least && length <= r->most), "%s of %zu: %s",
                          r->member, length, err.cause);
            if (!good)
                ck_assert_str_eq(faults.items[0].code, "length");
            arena_done(&arena);
        }
    }
}
END_TEST

static const struct fault_row {
    const char *json, *pointer, *code;
} fault_rows[] = {
    {"{\"name\":\"a\"," REST "}", "/sku", "required"},
    {"{\"sku\":\"a\"," REST "}", "/name", "required"},
    {"{\"sku\":\"a\",\"name\":\"a\",\"price_minor\":1,\"stock\":1}", "/category", "required"},
    {"{\"sku\":\"a\",\"name\":\"a\",\"category\":\"a\",\"stock\":1}", "/price_minor", "required"},
    {"{\"sku\":\"a\",\"name\":\"a\",\"category\":\"a\",\"price_minor\":1}", "/stock", "required"},
    {"{\"sku\":null,\"name\":\"a\"," REST "}", "/sku", "type"},
    {"{\"sku\":5,\"name\":\"a\"," REST "}", "/sku", "type"},
    {"{\"sku\":\" a\",\"name\":\"a\"," REST "}", "/sku", "blanks"},
    {"{\"sku\":\"a \",\"name\":\"a\"," REST "}", "/sku", "blanks"},
    {"{\"sku\":\"a\\nb\",\"name\":\"a\"," REST "}", "/sku", "control"},
    {"{\"sku\":\"a\",\"name\":\"a\\tb\"," REST "}", "/name", "control"},
    {"{" REQUIRED_MEMBERS ",\"description\":\"\\u0001\"}", "/description", "control"},
    {"{" REQUIRED_MEMBERS ",\"description\":\"\\u007f\"}", "/description", "control"},
    {"{" REQUIRED_MEMBERS ",\"brand\":\"\"}", "/brand", "length"},
    {"{" REQUIRED_MEMBERS ",\"brand\":[]}", "/brand", "type"},
    {"{" REQUIRED_MEMBERS ",\"currency\":\"EUR\"}", "/currency", "currency"},
    {"{" REQUIRED_MEMBERS ",\"currency\":\"usd\"}", "/currency", "currency"},
    {"{" REQUIRED_MEMBERS ",\"currency\":\"US\"}", "/currency", "length"},
    {"{" REQUIRED_MEMBERS ",\"status\":\"deleted\"}", "/status", "choice"},
    {"{" REQUIRED_MEMBERS ",\"status\":0}", "/status", "type"},
    {"{" REQUIRED_MEMBERS ",\"id\":5}", "/id", "unknown"},
    {"{" REQUIRED_MEMBERS ",\"a/b~c\":5}", "/a~1b~0c", "unknown"},
    {"{" REQUIRED_MEMBERS ",\"sku\":\"T-2\"}", "/sku", "repeated"},
    {NUMBERS("1", "-1"), "/price_minor", "range"},
    {NUMBERS("1", "1000000000000"), "/price_minor", "range"},
    {NUMBERS("1", "1e400"), "/price_minor", "range"},
    {NUMBERS("1", "1.5"), "/price_minor", "type"},
    {NUMBERS("1", "\"1\""), "/price_minor", "type"},
    {NUMBERS("1000000000", "1"), "/stock", "range"},
    {NUMBERS("true", "1"), "/stock", "type"},
    {"[]", "", "type"},
    {"\"T-1\"", "", "type"},
    {"null", "", "type"},
    {"", "", "json"},
    {"{" REQUIRED_MEMBERS, "", "json"},
    {"{" REQUIRED_MEMBERS "}{}", "", "json"},
    {"{" REQUIRED_MEMBERS ",\"brand\":\"\\u0000\"}", "", "json"},
    {"{" REQUIRED_MEMBERS ",\"brand\":\"\xff\"}", "", "json"},
};
START_TEST(input_faults)
{
    const struct fault_row *r = &fault_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct product_input in = {.stock = -7};
    struct faults faults;
    struct err err;
    ck_assert(!read(r->json, &arena, &in, &faults, &err));
    ck_assert_uint_eq(faults.count, 1);
    ck_assert_text_eq(faults.items[0].pointer, r->pointer);
    ck_assert_msg(strcmp(faults.items[0].code, r->code) == 0, "%s: %s", r->json,
                  faults.items[0].code);
    ck_assert_ptr_eq(err.kind,
                     strcmp(r->code, "json") == 0 ? &ERR_JSON_INVALID : &ERR_BODY_INVALID);
    ck_assert_int_eq(in.stock, -7);
    arena_done(&arena);
}
END_TEST

/* ---- merge patches ---- */

static const struct product_input before = {
    .sku = SLICE_INIT("T-1"),
    .name = SLICE_INIT("Tea"),
    .description = SLICE_INIT("Hot"),
    .brand = SLICE_INIT("Oolong"),
    .category = SLICE_INIT("tea"),
    .currency = SLICE_INIT("USD"),
    .price_minor = 10,
    .stock = 3,
    .status = 1,
};

START_TEST(input_patch)
{
    struct arena arena = test_arena(KIB(64));
    struct product_input in = before;
    struct faults faults = {0};
    struct err err = {0};
    ck_assert(product_input_patch(SLICE("{\"price_minor\":11,\"brand\":null,\"description\":null,"
                                        "\"status\":null,\"currency\":null,\"name\":\"Cup\"}"),
                                  "USD", &arena, &in, &faults, &err));
    ck_assert_text_eq(in.sku, "T-1");
    ck_assert_text_eq(in.name, "Cup");
    ck_assert_text_eq(in.description, "");
    ck_assert_text_eq(in.brand, NULL);
    ck_assert_text_eq(in.category, "tea");
    ck_assert_text_eq(in.currency, "USD");
    ck_assert_int_eq(in.price_minor, 11);
    ck_assert_int_eq(in.stock, 3);
    ck_assert_int_eq(in.status, 0);
    arena_done(&arena);
}
END_TEST

static const struct bad_patch_row {
    const char *json, *shop_currency, *faults;
} bad_patch_rows[] = {
    {"{\"sku\":null}", "USD", "/sku required;"},
    {"{\"stock\":-1,\"name\":\"\",\"currency\":\"EUR\",\"x\":1}", "USD",
     "/stock range;/name length;/x unknown;/currency currency;"},
    /* what was good once must be good now */
    {"{\"name\":\"Cup\"}", "EUR", "/currency currency;"},
    {"{}", "EUR", "/currency currency;"},
};
START_TEST(input_bad_patch)
{
    const struct bad_patch_row *r = &bad_patch_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct product_input in = before;
    struct faults faults = {0};
    struct err err = {0};
    char storage[256];
    struct buf seen = BUF(storage);
    ck_assert(!product_input_patch(slice_from_cstr(r->json), r->shop_currency, &arena, &in, &faults,
                                   &err));
    ck_assert_ptr_eq(err.kind, &ERR_BODY_INVALID);
    for (size_t i = 0; i < faults.count; i++)
        buf_add_format(&seen, "%.*s %s;", SLICE_ARG(faults.items[i].pointer), faults.items[i].code);
    ck_assert_text_eq(buf_slice(&seen), r->faults);
    ck_assert(product_input_equal(&in, &before));
    arena_done(&arena);
}
END_TEST

/* Every member counts, each byte of it, and none is not the empty text. */
START_TEST(input_equality)
{
    struct product_input others[10];
    for (size_t i = 0; i < COUNT(others); i++)
        others[i] = before;
    others[0].sku = SLICE("t-1");
    others[1].name = SLICE("tea");
    others[2].description = SLICE("Hot ");
    others[3].brand = (struct slice){0};
    others[4].category = SLICE("te\xCC\x81");
    others[5].currency = SLICE("EUR");
    others[6].price_minor++;
    others[7].stock--;
    others[8].status = 0;
    others[9].brand = SLICE("oolong");
    ck_assert(product_input_equal(&before, &before));
    for (size_t i = 0; i < COUNT(others); i++)
        ck_assert_msg(!product_input_equal(&before, &others[i]), "%zu", i);
    struct product_input none = others[3], empty = others[3];
    empty.brand = SLICE("");
    ck_assert(!product_input_equal(&none, &empty));
}
END_TEST

START_TEST(input_limits)
{
    static const char *const good[] = {
        NUMBERS("0", "0"),
        NUMBERS("999999999", "999999999999"),
        NUMBERS("-0", "-0"),
        NUMBERS("1.0", "1e2"),
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct arena arena = test_arena(KIB(64));
        struct product_input in;
        struct faults faults;
        struct err err;
        ck_assert_msg(read(good[i], &arena, &in, &faults, &err), "%s: %s", good[i], err.cause);
        arena_done(&arena);
    }
}
END_TEST

/* All faults are told at once, also beside a wrong currency. */
START_TEST(input_all_faults_at_once)
{
    struct arena arena = test_arena(KIB(64));
    struct product_input in;
    struct faults faults;
    struct err err;
    ck_assert(!read("{\"sku\":\"\",\"price_minor\":-1,\"stock\":\"1\",\"colour\":\"red\"}", &arena,
                    &in, &faults, &err));
    static const char *const want[] = {"/sku",    "/price_minor", "/stock",
                                       "/colour", "/name",        "/category"};
    ck_assert_uint_eq(faults.count, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++)
        ck_assert_text_eq(faults.items[i].pointer, want[i]);
    ck_assert(!read("{" REST ",\"currency\":\"EUR\"}", &arena, &in, &faults, &err));
    ck_assert_uint_eq(faults.count, 3);
    arena_done(&arena);
}
END_TEST

void api_product_input(struct suite *s)
{
    suite_test(s, input_defaults);
    suite_test(s, input_all_members);
    suite_test(s, input_null_is_the_default);
    suite_rows(s, input_lengths, COUNT(length_rows));
    suite_rows(s, input_faults, COUNT(fault_rows));
    suite_test(s, input_limits);
    suite_test(s, input_patch);
    suite_rows(s, input_bad_patch, COUNT(bad_patch_rows));
    suite_test(s, input_equality);
    suite_test(s, input_all_faults_at_once);
}
