#include "fcgi/api/caller.h"

#include "fcgi/api/errors.h"

bool caller_may(const struct caller *caller, enum route_scope scope)
{
    switch (scope) {
    case SCOPE_NONE:
    case SCOPE_OPTIONAL:
        return true;
    case SCOPE_USER:
        return caller->subject.len > 0;
    case SCOPE_EDIT:
        return caller->edits || caller->administers;
    case SCOPE_ADMIN:
        return caller->administers;
    }
    return false;
}

/* The token of "Bearer TOKEN"; the scheme's case does not matter (RFC 9110 section 11.1). */
static struct slice bearer_token(struct slice authorization)
{
    struct slice rest = slice_trim(authorization), scheme;
    slice_cut(&rest, ' ', &scheme);
    if (!slice_equal_ignore_case(scheme, SLICE("bearer")))
        return (struct slice){0};
    return slice_trim(rest);
}

bool caller_identify(const struct authenticator *authenticator, const struct request *req,
                     enum route_scope scope, struct arena *arena, struct caller *ret,
                     struct err *err)
{
    struct caller caller = {0};
    struct slice token = bearer_token(req->authorization);
    *ret = caller;
    if (scope == SCOPE_NONE || (scope == SCOPE_OPTIONAL && req->authorization.len == 0))
        return true;
    if (token.len == 0)
        return err_fail(err, &ERR_AUTHENTICATION_REQUIRED, "no bearer token");
    if (!authenticator->identify)
        return err_fail(err, &ERR_KEYS_UNAVAILABLE, "nothing verifies tokens");
    if (!authenticator->identify(authenticator->ctx, token, arena, &caller, err))
        return false;
    if (!caller_may(&caller, scope))
        return err_fail(err, &ERR_FORBIDDEN, "%.*s lacks the group", SLICE_ARG(caller.subject));
    *ret = caller;
    return true;
}

void caller_add_challenge(struct buf *out, const struct err_kind *refusal)
{
    buf_add(out, SLICE("Bearer realm=\"cbu\""));
    if (refusal == &ERR_AUTHENTICATION_REQUIRED)
        return; /* RFC 6750 section 3.1: no error code where no token was sent */
    buf_add_format(out, ", error=\"%s\", error_description=\"%s\"",
                   refusal->status == 403 ? "insufficient_scope" : "invalid_token",
                   refusal->message);
}
