#include "common/base/unicode.h"

#include "common/base/macros.h"
#include "common/base/utf8.h"

const struct unicode_range unicode_unseen[] = {
    {0x0000, 0x0020},   {0x007F, 0x00A0},   {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C},
    {0x115F, 0x1160},   {0x1680, 0x1680},   {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x2000, 0x200F},
    {0x2028, 0x202F},   {0x205F, 0x206F},   {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
    {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};
const size_t unicode_unseen_count = COUNT(unicode_unseen);

/* Of a well-formed sequence: the first byte has a bit less for each byte there is more. */
static uint32_t decode(const char *bytes, size_t length)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = (unsigned char)bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        point = point << 6 | ((unsigned char)bytes[i] & 0x3F);
    return point;
}

static bool is_unseen(uint32_t point)
{
    for (size_t i = 0; i < COUNT(unicode_unseen); i++)
        if (point <= unicode_unseen[i].last)
            return point >= unicode_unseen[i].first;
    return false;
}

bool unicode_shows(struct slice text)
{
    for (size_t at = 0, length; (length = utf8_sequence(text, at)) > 0; at += length)
        if (!is_unseen(decode(text.ptr + at, length)))
            return true;
    return false;
}
