#include "common/base/base64url.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_add(struct buf *b, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < count ? (unsigned char)bytes.ptr[i + k] : 0U);
        for (size_t k = 0; k <= count; k++) /* n bytes make n + 1 characters */
            buf_add_char(b, alphabet[group >> (18 - 6 * k) & 63]);
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct buf *b, struct slice text)
{
    size_t start = b->len;
    uint32_t bits = 0;
    unsigned held = 0; /* bits not yet written: 0, 2, 4 or 6 */
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.ptr[i]);
        if (value < 0) {
            b->len = start; /* `full` stays as it was */
            return false;
        }
        bits = (bits << 6 | (uint32_t)value) & 0xFFFF;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buf_add_char(b, (char)(bits >> held & 0xFF));
        }
    }
    if (held == 6 || (bits & ((1U << held) - 1)) != 0) { /* a lone character, or stray bits */
        b->len = start;
        return false;
    }
    return true;
}
