/* ctx.h - all that a handler may use. Nothing here knows FastCGI, so every handler runs in a unit
 * test. Lives for one request; all pointers are borrowed from the worker. */
#ifndef FCGI_API_CTX_H
#define FCGI_API_CTX_H

#include "common/auth/mac.h"
#include "common/db/db.h"
#include "common/web/fault.h"
#include "common/web/query.h"
#include "common/web/reply.h"
#include "common/web/request.h"
#include "common/web/route.h"
#include "common/web/schema.h"
#include "common/web/view.h"
#include "fcgi/api/caller.h"
#include "fcgi/api/cursor.h"
#include "fcgi/api/openapi.h"

/* What is made once per worker. */
struct api {
    const char *shop_currency;
    struct authenticator authenticator;
    struct mac_ring cursor_keys;
    struct openapi document;
};

/* Without an authenticator and keys at first. Release with api_done(), also after a failure.
 * Errors: ERR_INTERNAL. */
bool api_init(const char *shop_currency, struct api *ret, struct err *err) MUST_USE;
/* Derives the keys from the application's secrets: the first is the current one, those behind it
 * are still accepted. On failure the keys stay as they were. Errors: ERR_INTERNAL. */
bool api_set_secrets(struct api *api, const struct slice *secrets, size_t count,
                     struct err *err) MUST_USE;
void api_done(struct api *api);

struct ctx {
    const struct api *api;
    struct db *db;
    struct arena *arena;
    const struct request *request;
    struct reply *reply;
    const struct route *route;
    struct caller caller;                  /* empty: not known, see caller_identify() */
    struct slice params[ROUTE_PARAMS_MAX]; /* of the path, decoded */
    struct faults faults;                  /* what is wrong with the input */
};

/* Reads the query string by the route's table into the struct behind `ret`. */
bool ctx_query(struct ctx *ctx, void *ret, struct err *err) MUST_USE;
/* Reads the body by the route's schema into the struct behind `ret`, which holds the defaults. */
bool ctx_body(struct ctx *ctx, void *ret, struct err *err) MUST_USE;
/* The `index`-th path parameter as an id; `absent` when it cannot be one. */
bool ctx_id(const struct ctx *ctx, size_t index, const struct err_kind *absent, int64_t *ret,
            struct err *err) MUST_USE;

/* Sets the ETag; true when the client has that already, and the answer is a complete 304. */
bool reply_unchanged(struct ctx *ctx, struct slice etag);
/* Answers 200 with one row; with `etag` (may be NULL) 304 when the client has it already. */
bool reply_row(struct ctx *ctx, const struct view *view, const void *row, const struct slice *etag,
               struct err *err) MUST_USE;
/* Writes the row as the body of an answer with this status and ETag. */
bool reply_change(struct ctx *ctx, int status, const struct view *view, const void *row,
                  struct slice etag, struct err *err) MUST_USE;
/* Answers 204; the ETag is the one that what was changed has now. */
bool reply_no_content(struct ctx *ctx, struct slice etag, struct err *err) MUST_USE;
/* Marks the body just written as an answer of this type. Errors: ERR_INTERNAL when it did not fit.
 */
bool reply_body(struct ctx *ctx, int status, const char *content_type, struct err *err) MUST_USE;
/* The same for JSON. */
bool reply_json(struct ctx *ctx, int status, struct err *err) MUST_USE;

/* Asked before a list is made: without a key its next page could not be named. Errors:
 * ERR_NOT_READY. */
bool ctx_has_cursor_keys(const struct ctx *ctx, struct err *err) MUST_USE;
/* A cursor's longest text: 800 bytes of a name, 33 before it, in base64url, rounded up. */
#define CURSOR_TEXT_MAX 1200
/* Appends the member `next_cursor` to the body; `last` NULL: there is no next page. */
bool reply_next_cursor(struct ctx *ctx, struct slice binding, const struct cursor *last,
                       struct err *err) MUST_USE;

#endif
