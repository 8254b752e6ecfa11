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

/* Takes one tag and the blanks around it from the front of `*list`. */
static bool take_tag(struct slice *list, bool *ret_weak)
{
    struct slice rest = slice_trim(*list);
    *ret_weak = slice_starts_with(rest, SLICE("W/"));
    rest = slice_after(rest, *ret_weak ? 2 : 0);
    size_t end = 1;
    while (end < rest.len && rest.ptr[end] != '"')
        end++;
    if (rest.len == 0 || rest.ptr[0] != '"' || end >= rest.len)
        return false;
    *list = slice_trim(slice_after(rest, end + 1));
    return list->len == 0 || list->ptr[0] == ',';
}

enum tag_list request_tag_list(struct slice list)
{
    struct slice rest = slice_trim(list);
    size_t tags = 0, weak_tags = 0;
    if (slice_equal(rest, SLICE("*")))
        return TAGS_GOOD;
    while (rest.len > 0) {
        bool weak = false;
        if (rest.ptr[0] == ',') { /* elements of a list may be empty: RFC 9110 section 5.6.1.2 */
            rest = slice_trim(slice_after(rest, 1));
            continue;
        }
        if (!take_tag(&rest, &weak))
            return TAGS_MALFORMED;
        tags++;
        weak_tags += weak;
    }
    if (tags == 0)
        return TAGS_MALFORMED;
    return weak_tags == tags ? TAGS_WEAK : TAGS_GOOD;
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

enum precondition request_precondition(const struct request *req, struct slice etag)
{
    bool reads = req->method == HTTP_GET || req->method == HTTP_HEAD;
    if (req->if_match.len > 0 && !tag_in_list(req->if_match, etag, false))
        return PRECONDITION_FAILED;
    if (req->if_none_match.len > 0 && tag_in_list(req->if_none_match, etag, true))
        return reads ? PRECONDITION_UNCHANGED : PRECONDITION_FAILED;
    return PRECONDITION_MET;
}
