/* request.h - one HTTP request as a handler sees it, whatever brought it (FastCGI or a test).
 * Everything is borrowed from the adapter or the request's arena. Sources: RFC 9110, RFC 3986. */
#ifndef COMMON_WEB_REQUEST_H
#define COMMON_WEB_REQUEST_H

#include "common/base/arena.h"

#include <stdint.h>

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHOD_COUNT,
    HTTP_OTHER = HTTP_METHOD_COUNT, /* a token none of our routes has */
};

struct request {
    enum http_method method;
    struct slice path;  /* as sent, still percent-encoded; begins with '/' */
    struct slice query; /* as sent, without '?'; ptr NULL when there is no '?' */
    struct slice body;
    bool body_too_large; /* the adapter stopped reading; `body` is empty */
    /* Header fields; empty when absent. */
    struct slice content_type, accept, if_match, if_none_match;
    struct slice authorization, idempotency_key;
    struct slice request_id, trace_id, remote_addr; /* nginx sets the first and the last */
};

enum http_method http_method_parse(struct slice token); /* case-sensitive, RFC 9110 section 9.1 */
const char *http_method_name(enum http_method method);  /* "OTHER" for HTTP_OTHER */

/* Splits "path?query" into the request. An absolute target ("http://host/path") keeps its path.
 * Errors: ERR_BAD_REQUEST when there is no path or a byte that no URI has. */
bool request_set_target(struct request *req, struct slice target, struct err *err) MUST_USE;

/* Decodes %XX (and '+' as a blank where `plus_is_blank`) into the arena.
 * False on a malformed escape, an escaped NUL, invalid UTF-8, or a full arena. */
bool percent_decode(struct slice text, bool plus_is_blank, struct arena *arena,
                    struct slice *ret) MUST_USE;

/* Whether an If-None-Match value names this strong ETag (quotes included) or is `*`; the weak
 * comparison of RFC 9110 section 8.8.3.2, as section 13.1.2 asks. */
bool etag_listed(struct slice if_none_match, struct slice etag);
/* Whether an If-Match value names this strong ETag or is `*`; the strong comparison: a weak tag
 * never matches (RFC 9110 section 13.1.1). */
bool etag_matches(struct slice if_match, struct slice etag);

#endif
