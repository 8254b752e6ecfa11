#include "common/base/slice.h"

#include <string.h>

struct slice slice_from_cstr(const char *text)
{
    return text ? (struct slice){text, strlen(text)} : (struct slice){0};
}

bool slice_to_cstr(struct slice s, char *ret, size_t cap)
{
    if (s.len >= cap || slice_contains_byte(s, '\0'))
        return false;
    if (s.len > 0)
        memcpy(ret, s.ptr, s.len);
    ret[s.len] = '\0';
    return true;
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Not strncasecmp(): that ends at a NUL, and goes by the locale. */
bool slice_equal_ignore_case(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal((struct slice){s.ptr, prefix.len}, prefix);
}

bool slice_contains_byte(struct slice s, char byte)
{
    return s.len > 0 && memchr(s.ptr, byte, s.len) != NULL;
}

struct slice slice_after(struct slice s, size_t count)
{
    return count >= s.len ? (struct slice){0} : (struct slice){s.ptr + count, s.len - count};
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_after(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool slice_cut(struct slice *rest, char separator, struct slice *ret_part)
{
    *ret_part = (struct slice){0};
    if (!rest->ptr)
        return false;
    const char *found = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (!found) {
        *ret_part = *rest;
        *rest = (struct slice){0};
        return true;
    }
    size_t len = (size_t)(found - rest->ptr);
    *ret_part = (struct slice){rest->ptr, len};
    *rest = (struct slice){found + 1, rest->len - len - 1};
    return true;
}
