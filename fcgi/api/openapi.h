/* openapi.h - the API document: OpenAPI 3.1, made of the tables of routes, queries, schemas, views
 * and errors, so that it says what the service does. Source: OpenAPI Specification 3.1.0. */
#ifndef FCGI_API_OPENAPI_H
#define FCGI_API_OPENAPI_H

#include "common/web/route.h"

/* The document as it is served; made once, since nothing in it changes while a process lives. */
struct openapi {
    char *text; /* NULL: not made */
    size_t len;
    char etag[24]; /* with its quotes */
};

/* `currency` is the shop's. Release with openapi_done(). Errors: ERR_INTERNAL. */
bool openapi_make(const char *currency, struct openapi *ret, struct err *err) MUST_USE;
void openapi_done(struct openapi *document);

route_handler openapi_handler;

#endif
