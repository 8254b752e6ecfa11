#include "common/aws/sigv4_check.h"

/* X-Amz-Expires: seven days are the most there is. */
#define EXPIRES_MAX_S 604800

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == '\x7F';
}

/* RFC 9110, "token": what a method and a field's name are made of. */
static bool is_token(struct slice text)
{
    static const struct slice marks = SLICE_INIT("!#$%&'*+-.^_`|~");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              slice_contains_byte(marks, c)))
            return false;
    }
    return text.len > 0;
}

static bool is_host(struct slice host)
{
    static const struct slice ends = SLICE_INIT(" /?#@\\");
    for (size_t i = 0; i < host.len; i++)
        if (is_control(host.ptr[i]) || slice_contains_byte(ends, host.ptr[i]))
            return false;
    return host.len > 0;
}

/* Blanks and bytes beyond ASCII are the caller's to encode; AWS's own test suite signs both. */
static bool is_path(struct slice path)
{
    for (size_t i = 0; i < path.len; i++)
        if (is_control(path.ptr[i]) || path.ptr[i] == '?' || path.ptr[i] == '#')
            return false;
    return path.len == 0 || path.ptr[0] == '/';
}

const char *sigv4_fault(const struct sigv4_request *req, bool query_form)
{
    if (!is_token(req->method))
        return "the method is no token";
    if (!is_host(req->host))
        return "the host is empty or holds a byte that ends a host";
    if (!is_path(req->path))
        return "the path does not begin with '/', or holds '?', '#' or a control character";
    for (size_t i = 0; i < req->header_count; i++)
        if (!is_token(req->headers[i].name))
            return "the name of a header field is no token";
    if (!query_form)
        return NULL;
    if (!slice_equal(req->scheme, SLICE("https")) && !slice_equal(req->scheme, SLICE("http")))
        return "the scheme is neither https nor http";
    if (req->expires_s < 1 || req->expires_s > EXPIRES_MAX_S)
        return "the address must expire after 1 to 604800 seconds";
    return NULL;
}
