/* route.h - the route table and how an address finds its row.
 * Knows no handler: the program says what `struct ctx` is. Pure but for the arena. */
#ifndef COMMON_WEB_ROUTE_H
#define COMMON_WEB_ROUTE_H

#include "common/web/request.h"

#define ROUTE_PARAMS_MAX 3

struct ctx; /* the program's own: all that a handler may use */
typedef bool route_handler(struct ctx *ctx, struct err *err);

struct query_table;
struct schema;
struct view;

/* Who may use a route. Each row of the program's own rules says what a scope asks of a caller. */
enum route_scope {
    SCOPE_NONE,     /* all; a token is not looked at */
    SCOPE_OPTIONAL, /* all; whoever sends a token is known by it, and shown what they may see */
    SCOPE_USER,
    SCOPE_EDIT,
    SCOPE_ADMIN
};

/* What a route asks of a request's header fields, or honours there. */
enum route_need {
    ROUTE_IF_MATCH = 1 << 0,   /* 428 without If-Match: nobody overwrites what they have not seen */
    ROUTE_IDEMPOTENT = 1 << 1, /* an Idempotency-Key makes a repeated request safe */
    ROUTE_ETAG = 1 << 2,       /* the answer has a strong ETag; GET honours If-None-Match */
    ROUTE_PAGE = 1 << 3,       /* answers text/html as well, to whom Accept names it */
    ROUTE_OR_503 = 1 << 4,     /* answers in the same form with status 503 when not all is well */
};

enum route_answer_form { ANSWER_NONE, ANSWER_ONE, ANSWER_LIST };

/* What a route answers when all is well. */
struct route_answer {
    int status;
    enum route_answer_form form;
    const struct view *view; /* of the object, or of each item; NULL: a form of its own */
    const struct view *more; /* of a list: members beside the items, there only when asked for */
};

struct route {
    enum http_method method; /* a GET row answers HEAD too */
    const char *path; /* "/v1/products/{id}": a part in braces matches one non-empty segment */
    route_handler *handler;
    enum route_scope scope;
    unsigned needs;                  /* of enum route_need */
    const struct query_table *query; /* NULL: any query parameter is refused */
    const struct schema *body;       /* NULL: the route reads none by table */
    size_t body_limit;               /* bytes; 0: a body is read away and ignored */
    struct route_answer answer;
    const char *summary;   /* one line, for people and the API document */
    const char *operation; /* its name in the API document, which clients' code is made from */
    /* What else it may answer with: kinds that no other column implies; NULL ends them. */
    const struct err_kind *const *errors;
};

struct route_table {
    const struct route *rows;
    size_t count;
};

struct route_match {
    const struct route *route;             /* NULL: none */
    unsigned allowed;                      /* bit per http_method that some row of the path has */
    struct slice params[ROUTE_PARAMS_MAX]; /* decoded; in the order of the braces */
};

/* Finds the row for the path and method. Without one, `allowed` tells 404 (0) from 405.
 * Errors: ERR_BAD_REQUEST when a segment of a matching path is not valid percent-encoded UTF-8. */
bool route_find(const struct route_table *table, const struct request *req, struct arena *arena,
                struct route_match *ret, struct err *err) MUST_USE;

/* The media types that the route reads by its schema, one after the other; NULL: no more. */
const char *route_body_type(const struct route *route, size_t i);

/* "GET, HEAD" from the mask of a match. */
void route_add_allow(struct buf *out, unsigned allowed);

#endif
