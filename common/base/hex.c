#include "common/base/hex.h"

void hex_add(struct buf *b, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        buf_add(b, (struct slice){(char[]){digits[byte >> 4], digits[byte & 15]}, 2});
    }
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct buf *b, struct slice digits)
{
    size_t start = b->len;
    if (digits.len % 2 != 0)
        return false;
    for (size_t i = 0; i < digits.len; i += 2) {
        int high = hex_digit(digits.ptr[i]), low = hex_digit(digits.ptr[i + 1]);
        if (high < 0 || low < 0) {
            b->len = start; /* `full` stays as it was */
            return false;
        }
        buf_add_char(b, (char)(high * 16 + low));
    }
    return true;
}
