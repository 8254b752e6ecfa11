#include "common/base/json_check.h"

#include "common/base/hex.h"
#include "common/base/macros.h"
#include "common/base/utf8.h"

/* A cursor over the text. Each scan_*() function stands at its element's first byte, moves behind
 * its last, and returns false with `fault` set where the text is not JSON. */
struct scan {
    struct slice text;
    size_t at;
    const char *fault;
};

static bool fail(struct scan *s, const char *what)
{
    s->fault = what;
    return false;
}

static int peek(const struct scan *s)
{
    return s->at < s->text.len ? (unsigned char)s->text.ptr[s->at] : -1;
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c)
        return false;
    s->at++;
    return true;
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct scan *s)
{
    while (is_blank(peek(s)))
        s->at++;
}

static bool scan_digits(struct scan *s)
{
    size_t start = s->at;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at > start || fail(s, "digit expected");
}

static bool scan_number(struct scan *s)
{
    take(s, '-');
    if (!take(s, '0') && !scan_digits(s))
        return false;
    if (take(s, '.') && !scan_digits(s))
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        return scan_digits(s);
    }
    return true;
}

/* The value of the four digits behind "\u"; -1 when there are not four. */
static int scan_four_hex(struct scan *s)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = peek(s) < 0 ? -1 : hex_digit((char)peek(s));
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
        s->at++;
    }
    return value;
}

static bool scan_unicode_escape(struct scan *s)
{
    int unit = scan_four_hex(s);
    if (unit < 0)
        return fail(s, "four hexadecimal digits expected");
    if (unit == 0)
        return fail(s, "escaped NUL in a string");
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return fail(s, "low surrogate without a high one");
    if (unit < 0xD800 || unit > 0xDBFF)
        return true;
    if (!take(s, '\\') || !take(s, 'u'))
        return fail(s, "high surrogate without a low one");
    int low = scan_four_hex(s);
    return (low >= 0xDC00 && low <= 0xDFFF) || fail(s, "high surrogate without a low one");
}

static bool scan_escape(struct scan *s)
{
    if (take(s, 'u'))
        return scan_unicode_escape(s);
    if (peek(s) < 0 || !slice_contains_byte(SLICE("\"\\/bfnrt"), (char)peek(s)))
        return fail(s, "unknown escape in a string");
    s->at++;
    return true;
}

static bool scan_string(struct scan *s)
{
    s->at++; /* the quote */
    while (!take(s, '"')) {
        if (peek(s) < 0)
            return fail(s, "string without an end");
        if (peek(s) < 0x20)
            return fail(s, "control character in a string");
        if (take(s, '\\')) {
            if (!scan_escape(s))
                return false;
            continue;
        }
        size_t length = utf8_sequence(s->text, s->at);
        if (length == 0)
            return fail(s, "invalid UTF-8 in a string");
        s->at += length;
    }
    return true;
}

static bool scan_literal(struct scan *s, struct slice word)
{
    struct slice rest = slice_after(s->text, s->at);
    if (!slice_starts_with(rest, word))
        return fail(s, "value expected");
    s->at += word.len;
    return true;
}

static bool scan_scalar(struct scan *s)
{
    switch (peek(s)) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_literal(s, SLICE("true"));
    case 'f':
        return scan_literal(s, SLICE("false"));
    case 'n':
        return scan_literal(s, SLICE("null"));
    default:
        if (peek(s) == '-' || (peek(s) >= '0' && peek(s) <= '9'))
            return scan_number(s);
        return fail(s, peek(s) < 0 ? "value expected at the end" : "value expected");
    }
}

/* `missing` is what to say when there is none. */
static bool scan_member_name(struct scan *s, const char *missing)
{
    skip_blanks(s);
    if (peek(s) != '"')
        return fail(s, missing);
    if (!scan_string(s))
        return false;
    skip_blanks(s);
    return take(s, ':') || fail(s, "':' expected");
}

/* Goes up over the containers that end here; `*open` holds their closing brackets. */
static bool scan_closings(struct scan *s, char *open, size_t *depth)
{
    for (skip_blanks(s); *depth > 0; skip_blanks(s)) {
        if (take(s, open[*depth - 1])) {
            (*depth)--;
        } else if (take(s, ',')) {
            return open[*depth - 1] == ']' ||
                   scan_member_name(s, "member name expected after the comma");
        } else {
            return fail(s, "',' or a closing bracket expected");
        }
    }
    return true;
}

/* A value and the blanks behind it. No recursion: a hostile document must not choose the depth of
 * our stack. */
static bool scan_value(struct scan *s)
{
    char open[JSON_DEPTH_MAX]; /* the closing bracket of each open container */
    size_t depth = 0;
    do {
        skip_blanks(s);
        int c = peek(s);
        if (c == '{' || c == '[') {
            if (depth == COUNT(open))
                return fail(s, "nested too deeply");
            open[depth++] = (char)(c == '{' ? '}' : ']');
            s->at++;
            skip_blanks(s);
            if (peek(s) == open[depth - 1]) {
                if (!scan_closings(s, open, &depth))
                    return false;
            } else if (c == '{' && !scan_member_name(s, "member name expected")) {
                return false;
            }
        } else if (!scan_scalar(s) || !scan_closings(s, open, &depth)) {
            return false;
        }
    } while (depth > 0);
    return true;
}

bool json_check(struct slice text, struct json_fault *ret)
{
    struct scan s = {.text = text};
    if (scan_value(&s) && (s.at == text.len || fail(&s, "something follows the value")))
        return true;
    *ret = (struct json_fault){s.at, s.fault};
    return false;
}

bool json_next_value(struct slice object, size_t *at, struct slice *ret)
{
    struct scan s = {.text = object, .at = *at};
    skip_blanks(&s);
    if (!take(&s, *at == 0 ? '{' : ',') || !scan_member_name(&s, "member name expected"))
        return false;
    skip_blanks(&s);
    size_t start = s.at;
    if (!scan_value(&s))
        return false;
    *at = s.at;
    while (is_blank((unsigned char)object.ptr[s.at - 1]))
        s.at--;
    *ret = (struct slice){object.ptr + start, s.at - start};
    return true;
}
