/* openapi_operation.h - one row of the route table as an operation of the API document. Pure. */
#ifndef FCGI_API_OPENAPI_OPERATION_H
#define FCGI_API_OPENAPI_OPERATION_H

#include "common/web/route.h"

/* Things that operations refer to, each once. */
#define OPENAPI_SET_MAX 64
struct openapi_set {
    const void *items[OPENAPI_SET_MAX];
    size_t count;
    bool full; /* something was left out */
};

enum openapi_header {
    OPENAPI_X_REQUEST_ID,
    OPENAPI_ETAG,
    OPENAPI_LOCATION,
    OPENAPI_IDEMPOTENT_REPLAYED, /* the only one that may be missing */
    OPENAPI_RETRY_AFTER,
    OPENAPI_WWW_AUTHENTICATE,
    OPENAPI_HEADER_COUNT
};
extern const char *const openapi_header_names[OPENAPI_HEADER_COUNT];

/* What the components must hold: nothing else is in them. */
struct openapi_refs {
    struct openapi_set inputs;   /* struct schema */
    struct openapi_set views;    /* struct view: an object */
    struct openapi_set lists;    /* struct route: pages of its view, with its `more` */
    struct openapi_set problems; /* struct err_kind: alone under its status */
    struct openapi_set examples; /* struct err_kind */
    bool headers[OPENAPI_HEADER_COUNT];
    unsigned needs; /* of enum route_need: the header fields of a request */
    bool bearer;    /* somewhere a token is asked for */
};

/* Appends `"get":{...}` and notes what it refers to. */
void openapi_add_operation(struct buf *out, const struct route *route, struct openapi_refs *refs);
/* Appends the answer to one kind of error, `{...}`, or to all of one status. */
void openapi_add_problems(struct buf *out, const struct err_kind *const *kinds, size_t count,
                          struct openapi_refs *refs);

#endif
