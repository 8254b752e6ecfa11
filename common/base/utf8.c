#include "common/base/utf8.h"

static unsigned char byte_at(struct slice s, size_t i)
{
    return i < s.len ? (unsigned char)s.ptr[i] : 0; /* 0 is no continuation byte */
}

static bool between(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

/* The rows of RFC 3629 section 4, "Syntax of UTF-8 Byte Sequences". */
size_t utf8_sequence(struct slice s, size_t at)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } rows[] = {
        {0x00, 0x7F, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    if (at >= s.len)
        return 0;
    unsigned char first = byte_at(s, at);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!between(first, rows[i].first_low, rows[i].first_high))
            continue;
        if (rows[i].length > 1 &&
            !between(byte_at(s, at + 1), rows[i].second_low, rows[i].second_high))
            return 0;
        for (size_t k = 2; k < rows[i].length; k++)
            if (!between(byte_at(s, at + k), 0x80, 0xBF))
                return 0;
        return rows[i].length;
    }
    return 0;
}

size_t utf8_valid_prefix(struct slice s)
{
    size_t at = 0;
    while (at < s.len) {
        size_t length = (unsigned char)s.ptr[at] < 0x80 ? 1 : utf8_sequence(s, at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

bool utf8_valid(struct slice s)
{
    return utf8_valid_prefix(s) == s.len;
}

size_t utf8_length(struct slice s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] & 0xC0) != 0x80) /* every byte but the continuations */
            count++;
    return count;
}
