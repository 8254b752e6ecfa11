#include "common/base/hex.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct encode_row {
    struct slice bytes;
    const char *want;
} encode_rows[] = {
    {SLICE_INIT(""), ""},
    {{0}, ""},
    {SLICE_INIT("\0"), "00"},
    {SLICE_INIT("\x0F\xF0\xFF\x7F\x80"), "0ff0ff7f80"},
};
START_TEST(hex_encode)
{
    char storage[16];
    struct buf b = BUF(storage);
    hex_add(&b, encode_rows[_i].bytes);
    ck_assert_text_eq(buf_slice(&b), encode_rows[_i].want);
}
END_TEST

START_TEST(hex_digits)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    int seen = 0;
    for (int c = 0; c < 256; c++)
        seen += hex_digit((char)c) >= 0;
    ck_assert_int_eq(seen, 22);
    for (int i = 0; i < 32; i++)
        ck_assert_int_eq(hex_digit(digits[i]), i % 16);
}
END_TEST

static const struct decode_row {
    struct slice text;
    bool good;
    struct slice want;
} decode_rows[] = {
    {SLICE_INIT(""), true, SLICE_INIT("")},
    {SLICE_INIT("00"), true, SLICE_INIT("\0")},
    {SLICE_INIT("0fF0fF7f"), true, SLICE_INIT("\x0F\xF0\xFF\x7F")},
    {SLICE_INIT("0"), false, SLICE_INIT("")},
    {SLICE_INIT("000"), false, SLICE_INIT("")},
    {SLICE_INIT("0g"), false, SLICE_INIT("")},
    {SLICE_INIT("g0"), false, SLICE_INIT("")},
    {SLICE_INIT("41424x"), false, SLICE_INIT("")}, /* the good beginning goes too */
    {SLICE_INIT("0x41"), false, SLICE_INIT("")},
    {SLICE_INIT(" 41 "), false, SLICE_INIT("")},
};
START_TEST(hex_decode_texts)
{
    const struct decode_row *r = &decode_rows[_i];
    char storage[16];
    struct buf b = BUF(storage);
    buf_add_cstr(&b, "<");
    ck_assert_int_eq(hex_decode(&b, r->text), r->good);
    ck_assert_slice_eq(slice_after(buf_slice(&b), 1), r->want);
    ck_assert(!b.full);
}
END_TEST

START_TEST(hex_into_a_full_buffer)
{
    char storage[3];
    struct buf b = BUF(storage);
    hex_add(&b, SLICE("\xAB\xCD"));
    ck_assert_text_eq(buf_slice(&b), "ab"); /* never half a byte */
    ck_assert(b.full);
    b = BUF(storage);
    ck_assert(hex_decode(&b, SLICE("41424344")));
    ck_assert(b.full);
}
END_TEST

void base_hex(struct suite *s)
{
    suite_rows(s, hex_encode, COUNT(encode_rows));
    suite_test(s, hex_digits);
    suite_rows(s, hex_decode_texts, COUNT(decode_rows));
    suite_test(s, hex_into_a_full_buffer);
}
