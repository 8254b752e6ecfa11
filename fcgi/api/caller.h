/* caller.h - who sends a request, as far as a handler may know: taken from a verified access token.
 */
#ifndef FCGI_API_CALLER_H
#define FCGI_API_CALLER_H

#include "common/base/arena.h"
#include "common/web/route.h"

/* Texts are borrowed from the request's arena; empty for a request without a token. */
struct caller {
    struct slice subject;  /* the token's `sub`: never changes, never given to another */
    struct slice username; /* for people who read the audit log */
    bool edits, administers;
};

/* Says whose token it is. A seam: a worker verifies it with the keys of the user pool, a unit test
 * answers what it likes. */
struct authenticator {
    /* Texts of `ret` live in `arena` or as long as `ctx`. Errors: a kind of status 401 for a token
     * that is refused, of status 503 when it could not be judged. */
    bool (*identify)(void *ctx, struct slice token, struct arena *arena, struct caller *ret,
                     struct err *err);
    void *ctx;
};

/* Whether the caller may use what has this scope; administrators may edit. Pure. */
bool caller_may(const struct caller *caller, enum route_scope scope);

/* Judges the request's Authorization field for the scope (RFC 6750); leaves `ret` empty for
 * SCOPE_NONE, and for SCOPE_OPTIONAL without the field: one that is sent must be good, so that
 * nobody takes an expired token for a product that is gone. Errors: ERR_AUTHENTICATION_REQUIRED,
 * ERR_FORBIDDEN, ERR_KEYS_UNAVAILABLE without an authenticator, those of identify(). */
bool caller_identify(const struct authenticator *authenticator, const struct request *req,
                     enum route_scope scope, struct arena *arena, struct caller *ret,
                     struct err *err) MUST_USE;

/* The value of WWW-Authenticate for a refusal of status 401 or 403 (RFC 6750 section 3). */
void caller_add_challenge(struct buf *out, const struct err_kind *refusal);

#endif
