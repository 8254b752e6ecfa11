#include "common/web/request.h"

#include "common/base/hex.h"
#include "common/base/utf8.h"

static const char *const method_names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                           "PATCH", "DELETE", "OPTIONS", "OTHER"};

enum http_method http_method_parse(struct slice token)
{
    for (int i = 0; i < HTTP_METHOD_COUNT; i++)
        if (slice_equal(token, slice_from_cstr(method_names[i])))
            return (enum http_method)i;
    return HTTP_OTHER;
}

const char *http_method_name(enum http_method method)
{
    return method_names[method];
}

/* The target without "scheme://authority"; nginx passes the absolute form of RFC 9112 3.2.2 on. */
static struct slice without_authority(struct slice target)
{
    static const struct slice schemes[] = {SLICE_INIT("http://"), SLICE_INIT("https://")};
    for (size_t i = 0; i < COUNT(schemes); i++) {
        if (target.len < schemes[i].len ||
            !slice_equal_ignore_case((struct slice){target.ptr, schemes[i].len}, schemes[i]))
            continue;
        struct slice rest = slice_after(target, schemes[i].len);
        while (rest.len > 0 && rest.ptr[0] != '/' && rest.ptr[0] != '?')
            rest = slice_after(rest, 1);
        return rest.len > 0 ? rest : SLICE("/");
    }
    return target;
}

bool request_set_target(struct request *req, struct slice target, struct err *err)
{
    struct slice rest = without_authority(target);
    if (rest.len == 0 || rest.ptr[0] != '/')
        return err_fail(err, &ERR_BAD_REQUEST, "request target without a path");
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.ptr[i] <= 0x20 || (unsigned char)rest.ptr[i] == 0x7F)
            return err_fail(err, &ERR_BAD_REQUEST, "control byte or blank in the request target");
    slice_cut(&rest, '?', &req->path);
    req->query = rest;
    return true;
}

/* The byte that "XX" spells; -1 when it spells none. */
static int escaped_byte(struct slice digits)
{
    if (digits.len < 2)
        return -1;
    int high = hex_digit(digits.ptr[0]), low = hex_digit(digits.ptr[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool percent_decode(struct slice text, bool plus_is_blank, struct arena *arena, struct slice *ret)
{
    struct buf out = arena_buf(arena, text.len + 1); /* decoding never makes text longer */
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int byte = escaped_byte(slice_after(text, i + 1));
            if (byte <= 0) /* malformed, or NUL, which no text of ours may hold */
                return false;
            c = (char)byte;
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        buf_add_char(&out, c);
    }
    if (out.full || !utf8_valid(buf_slice(&out)))
        return false;
    *ret = buf_slice(&out);
    return true;
}

static bool tag_in_list(struct slice list, struct slice etag, bool weak_too)
{
    struct slice rest = list, tag;
    if (slice_equal(slice_trim(list), SLICE("*")))
        return true;
    /* A tag may hold commas; its pieces lack a quote, so they equal no tag of ours. */
    while (slice_cut(&rest, ',', &tag)) {
        tag = slice_trim(tag);
        if (weak_too && slice_starts_with(tag, SLICE("W/")))
            tag = slice_after(tag, 2);
        if (slice_equal(tag, etag))
            return true;
    }
    return false;
}

bool etag_listed(struct slice if_none_match, struct slice etag)
{
    return tag_in_list(if_none_match, etag, true);
}

bool etag_matches(struct slice if_match, struct slice etag)
{
    return tag_in_list(if_match, etag, false);
}
