#include "common/base/json_write.h"

#include "common/base/utf8.h"

#include <string.h>

/* Whether the byte stands for itself inside a JSON string. */
static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Whether the next eight bytes are plain; now and then false although they are. Text is most of an
 * answer, and one byte after the other it would take most of its time. Of bytes below 0x80 the
 * subtractions set the highest bit of those that are smaller. */
static bool are_plain(const char *eight)
{
    uint64_t word;
    memcpy(&word, eight, sizeof word);
    uint64_t control = word - EACH_BYTE(0x20), quote = (word ^ EACH_BYTE('"')) - EACH_BYTE(1),
             backslash = (word ^ EACH_BYTE('\\')) - EACH_BYTE(1);
    return ((word | control | quote | backslash) & EACH_BYTE(0x80)) == 0;
}

/* The first byte from `at` on that is not plain, or the end. */
static size_t skip_plain(struct slice s, size_t at)
{
    while (s.len - at >= 8 && are_plain(s.ptr + at))
        at += 8;
    while (at < s.len && is_plain((unsigned char)s.ptr[at]))
        at++;
    return at;
}

static void add_escaped(struct buf *b, unsigned char byte)
{
    switch (byte) {
    case '"':
        buf_add(b, SLICE("\\\""));
        break;
    case '\\':
        buf_add(b, SLICE("\\\\"));
        break;
    case '\n':
        buf_add(b, SLICE("\\n"));
        break;
    case '\r':
        buf_add(b, SLICE("\\r"));
        break;
    case '\t':
        buf_add(b, SLICE("\\t"));
        break;
    default:
        buf_add_format(b, "\\u%04x", byte);
    }
}

void json_add_string(struct buf *b, struct slice s)
{
    buf_add_char(b, '"');
    size_t done = 0, at = 0; /* [done, at) is plain text not yet copied */
    while ((at = skip_plain(s, at)) < s.len) {
        unsigned char byte = (unsigned char)s.ptr[at];
        size_t length = byte >= 0x80 ? utf8_sequence(s, at) : 0;
        if (length > 0) {
            at += length;
            continue;
        }
        buf_add(b, (struct slice){s.ptr + done, at - done});
        if (byte >= 0x80)
            buf_add(b, SLICE("\xEF\xBF\xBD")); /* U+FFFD */
        else
            add_escaped(b, byte);
        done = ++at;
    }
    if (s.len > done)
        buf_add(b, (struct slice){s.ptr + done, s.len - done});
    buf_add_char(b, '"');
}

void json_add_name(struct buf *b, const char *name)
{
    char last = (char)(b->len > 0 ? b->ptr[b->len - 1] : '{');
    if (last != '{' && last != '[')
        buf_add_char(b, ',');
    json_add_string(b, slice_from_cstr(name));
    buf_add_char(b, ':');
}

void json_add_member(struct buf *b, const char *name, struct slice string_value)
{
    json_add_name(b, name);
    json_add_string(b, string_value);
}

void json_add_member_i64(struct buf *b, const char *name, int64_t value)
{
    json_add_name(b, name);
    buf_add_i64(b, value);
}

void json_add_member_bool(struct buf *b, const char *name, bool value)
{
    json_add_name(b, name);
    buf_add(b, value ? SLICE("true") : SLICE("false"));
}
