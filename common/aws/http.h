/* http.h - one HTTP request and its answer, over libcurl, for calls to AWS and to the container's
 * credentials endpoint.
 * Bounded in time and size whatever the peer does. TLS certificates and host names are verified;
 * redirects are never followed, since the credentials in the header fields are for one host only;
 * no proxy, .netrc or cookie is ever used, whatever the environment says. The answer's meaning is
 * the caller's business: a 500 is a fetched answer. */
#ifndef COMMON_AWS_HTTP_H
#define COMMON_AWS_HTTP_H

#include "common/aws/errors.h"
#include "common/aws/sigv4.h"

/* Whether a request shall be given up for something more urgent; asked many times a second. */
struct http_stop {
    bool (*is_asked)(void *ctx);
    void *ctx;
};
static inline bool http_stop_is_asked(const struct http_stop *stop)
{
    return stop && stop->is_asked(stop->ctx);
}

struct http_request {
    struct slice method; /* GET, HEAD, POST, PUT or DELETE */
    struct slice url;    /* complete; http or https */
    const struct aws_pair *headers;
    size_t header_count; /* with a body, Content-Type must be among them */
    struct slice body;
    size_t answer_max;                      /* bytes of body that are taken */
    int64_t connect_timeout_ms, timeout_ms; /* to be connected; to have all of the answer */
    const struct http_stop *stop;           /* NULL: it is never given up */
};

/* All of it lives in the arena. A header field that is absent is the empty slice. */
struct http_answer {
    int status;
    struct slice body, date, retry_after;
    struct slice request_id;  /* x-amzn-requestid, or x-amz-request-id as S3 calls it */
    struct slice extended_id; /* x-amz-id-2, S3 only */
};

/* The seam between AWS code and the network: production fills it with http_client_*(), tests with
 * canned answers.
 * Errors of `fetch`: ERR_AWS_UNREACHABLE (worth another attempt), ERR_AWS_ANSWER (too large, not
 * HTTP, certificate not trusted), ERR_AWS_INTERRUPTED (`stop`), ERR_INTERNAL (a header field with a
 * line break; no memory). */
struct http_outside {
    bool (*fetch)(void *ctx, const struct http_request *req, struct arena *arena,
                  struct http_answer *ret, struct err *err);
    void (*pause_ms)(void *ctx, int64_t ms); /* between two attempts */
    void *ctx;
};

/* A handle keeps its connections for the next request; it belongs to one process and thread, and is
 * opened after fork(). `ca_file`: PEM bundle of all authorities that are trusted, or NULL for the
 * system's; borrowed. */
struct http_client;
struct http_client *http_client_open(const char *ca_file, struct err *err) MUST_USE;
void http_client_close(struct http_client *client); /* NULL is fine */
struct http_outside http_client_outside(struct http_client *client);

#endif
