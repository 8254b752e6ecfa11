#include "common/base/macros.h"
#include "common/base/utf8.h"
#include "tests/unit/suites.h"

#include <stdint.h>

static const struct row {
    struct slice text;
    size_t sequence, valid_prefix;
} rows[] = {
    {SLICE_INIT(""), 0, 0},
    {{0}, 0, 0},
    {SLICE_INIT("\0"), 1, 1},
    {SLICE_INIT("\x7F"), 1, 1},
    {SLICE_INIT("\x80"), 0, 0},
    {SLICE_INIT("\xBF"), 0, 0},
    {SLICE_INIT("\xC0\x80"), 0, 0}, /* NUL, overlong */
    {SLICE_INIT("\xC1\xBF"), 0, 0},
    {SLICE_INIT("\xC2\x80"), 2, 2}, /* U+0080 */
    {SLICE_INIT("\xC2\x7F"), 0, 0},
    {SLICE_INIT("\xC2\xC0"), 0, 0},
    {SLICE_INIT("\xDF\xBF"), 2, 2}, /* U+07FF */
    {SLICE_INIT("\xE0\x9F\xBF"), 0, 0},
    {SLICE_INIT("\xE0\xA0\x80"), 3, 3}, /* U+0800 */
    {SLICE_INIT("\xE1\x80\x80"), 3, 3},
    {SLICE_INIT("\xED\x9F\xBF"), 3, 3}, /* U+D7FF */
    {SLICE_INIT("\xED\xA0\x80"), 0, 0}, /* U+D800, a surrogate */
    {SLICE_INIT("\xED\xBF\xBF"), 0, 0}, /* U+DFFF */
    {SLICE_INIT("\xEE\x80\x80"), 3, 3}, /* U+E000 */
    {SLICE_INIT("\xEF\xBF\xBF"), 3, 3}, /* U+FFFF */
    {SLICE_INIT("\xF0\x8F\xBF\xBF"), 0, 0},
    {SLICE_INIT("\xF0\x90\x80\x80"), 4, 4}, /* U+10000 */
    {SLICE_INIT("\xF3\xBF\xBF\xBF"), 4, 4},
    {SLICE_INIT("\xF4\x8F\xBF\xBF"), 4, 4}, /* U+10FFFF */
    {SLICE_INIT("\xF4\x90\x80\x80"), 0, 0}, /* U+110000 */
    {SLICE_INIT("\xF5\x80\x80\x80"), 0, 0},
    {SLICE_INIT("\xFE"), 0, 0},
    {SLICE_INIT("\xFF"), 0, 0},
    /* cut off: what follows the slice must not be looked at, so its length counts */
    {{"\xC2\x80", 1}, 0, 0},
    {{"\xE1\x80\x80", 1}, 0, 0},
    {{"\xE1\x80\x80", 2}, 0, 0},
    {{"\xF1\x80\x80\x80", 3}, 0, 0},
    {SLICE_INIT("\xE1\x80z"), 0, 0},
    {SLICE_INIT("\xF1\x80\x80z"), 0, 0},
    {SLICE_INIT("ab\xC3\xA9z"), 1, 5},
    {SLICE_INIT("ab\xC3"), 1, 2},
    {SLICE_INIT("ab\xC3\xA9\xA9z"), 1, 4},
};
START_TEST(utf8_boundaries)
{
    const struct row *r = &rows[_i];
    ck_assert_uint_eq(utf8_sequence(r->text, 0), r->sequence);
    ck_assert_uint_eq(utf8_valid_prefix(r->text), r->valid_prefix);
    ck_assert_int_eq(utf8_valid(r->text), r->valid_prefix == r->text.len);
    ck_assert_uint_eq(utf8_sequence(r->text, r->text.len), 0);
}
END_TEST

/* The code point that a sequence of `length` bytes spells, whether it may or not. */
static uint32_t decode(const unsigned char *bytes, size_t length)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        point = point << 6 | (bytes[i] & 0x3F);
    return point;
}

/* RFC 3629 section 3, as arithmetic: what utf8.c has as rows. */
static size_t expected_sequence(const unsigned char *bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = bytes[0];
    size_t length = first < 0x80             ? 1
                    : (first & 0xE0) == 0xC0 ? 2
                    : (first & 0xF0) == 0xE0 ? 3
                    : (first & 0xF8) == 0xF0 ? 4
                                             : 0;
    if (length == 0)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    uint32_t point = decode(bytes, length);
    bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return point < least[length] || surrogate || point > 0x10FFFF ? 0 : length;
}

START_TEST(utf8_every_beginning)
{
    static const unsigned char tails[][2] = {
        {0x80, 0x80}, {0xBF, 0xBF}, {0x7F, 0x80}, {0x80, 0xC0}};
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            const unsigned char *tail = tails[(first + second) % COUNT(tails)];
            const unsigned char bytes[] = {(unsigned char)first, (unsigned char)second, tail[0],
                                           tail[1]};
            const struct slice text = {(const char *)bytes, sizeof bytes};
            ck_assert_msg(utf8_sequence(text, 0) == expected_sequence(bytes), "%02X %02X %02X %02X",
                          bytes[0], bytes[1], bytes[2], bytes[3]);
        }
    }
}
END_TEST

static const struct length_row {
    const char *text;
    size_t want;
} length_rows[] = {
    {"", 0}, {"abc", 3}, {"\xC3\xA9", 1}, {"\xE2\x82\xAC 5", 3}, {"\xF0\x9F\x98\x80!", 2},
};
START_TEST(utf8_length_in_characters)
{
    ck_assert_uint_eq(utf8_length(slice_from_cstr(length_rows[_i].text)), length_rows[_i].want);
}
END_TEST

void base_utf8(struct suite *s)
{
    suite_rows(s, utf8_boundaries, COUNT(rows));
    suite_test(s, utf8_every_beginning);
    suite_rows(s, utf8_length_in_characters, COUNT(length_rows));
}
