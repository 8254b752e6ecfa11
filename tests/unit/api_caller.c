#include "fcgi/api/caller.h"
#include "fcgi/api/errors.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

/* "editor", "admin" and "nobody" are tokens of callers; everything else is refused. */
static bool identify(void *ctx, struct slice token, struct arena *arena, struct caller *ret,
                     struct err *err)
{
    (void)ctx;
    (void)arena;
    if (!slice_equal(token, SLICE("editor")) && !slice_equal(token, SLICE("admin")) &&
        !slice_equal(token, SLICE("nobody")))
        return err_fail(err, &ERR_KEYS_UNAVAILABLE, "unknown test token");
    *ret = (struct caller){.subject = token,
                           .edits = slice_equal(token, SLICE("editor")),
                           .administers = slice_equal(token, SLICE("admin"))};
    return true;
}

static const struct row {
    const char *name, *authorization;
    enum route_scope scope;
    const struct err_kind *want;
} rows[] = {
    {"open to all", "", SCOPE_NONE, NULL},
    {"open to all, whatever is sent", "Bearer garbage", SCOPE_NONE, NULL},
    {"no field", "", SCOPE_USER, &ERR_AUTHENTICATION_REQUIRED},
    {"another scheme", "Basic ZWRpdG9yOg==", SCOPE_USER, &ERR_AUTHENTICATION_REQUIRED},
    {"scheme alone", "Bearer", SCOPE_USER, &ERR_AUTHENTICATION_REQUIRED},
    {"scheme and blanks", "Bearer   ", SCOPE_USER, &ERR_AUTHENTICATION_REQUIRED},
    {"scheme glued to the token", "Bearereditor", SCOPE_USER, &ERR_AUTHENTICATION_REQUIRED},
    {"any user", "Bearer nobody", SCOPE_USER, NULL},
    {"the scheme's case", "bEARER editor", SCOPE_USER, NULL},
    {"more blanks", "Bearer   editor ", SCOPE_EDIT, NULL},
    {"refused by the verifier", "Bearer garbage", SCOPE_USER, &ERR_KEYS_UNAVAILABLE},
    {"a user is no editor", "Bearer nobody", SCOPE_EDIT, &ERR_FORBIDDEN},
    {"an editor edits", "Bearer editor", SCOPE_EDIT, NULL},
    {"an administrator edits", "Bearer admin", SCOPE_EDIT, NULL},
    {"an editor is no administrator", "Bearer editor", SCOPE_ADMIN, &ERR_FORBIDDEN},
    {"an administrator", "Bearer admin", SCOPE_ADMIN, NULL},
};
START_TEST(caller_identify_cases)
{
    const struct row *r = &rows[_i];
    const struct authenticator authenticator = {.identify = identify};
    const struct request req = {.authorization = slice_from_cstr(r->authorization)};
    struct arena arena = test_arena(KIB(4));
    struct caller caller;
    struct err err = {0};
    ck_assert_msg(caller_identify(&authenticator, &req, r->scope, &arena, &caller, &err) ==
                      (r->want == NULL),
                  "%s", r->name);
    ck_assert_msg(err.kind == r->want, "%s: %s", r->name, err.cause);
    /* Refused, or not asked for: nobody. */
    bool known = r->want == NULL && r->scope != SCOPE_NONE;
    ck_assert_msg((caller.subject.len > 0) == known, "%s", r->name);
    arena_done(&arena);
}
END_TEST

START_TEST(caller_without_authenticator)
{
    const struct authenticator none = {0};
    const struct request req = {.authorization = SLICE("Bearer editor")};
    struct arena arena = test_arena(KIB(4));
    struct caller caller;
    struct err err = {0};
    ck_assert(!caller_identify(&none, &req, SCOPE_USER, &arena, &caller, &err));
    ck_assert_ptr_eq(err.kind, &ERR_KEYS_UNAVAILABLE);
    ck_assert_str_eq(err.cause, "COGNITO_USER_POOL_ID is not set");
    arena_done(&arena);
}
END_TEST

static const struct challenge_row {
    const struct err_kind *refusal;
    const char *want;
} challenge_rows[] = {
    {&ERR_AUTHENTICATION_REQUIRED, "Bearer realm=\"cbu\""},
    {&ERR_FORBIDDEN, "Bearer realm=\"cbu\", error=\"insufficient_scope\", "
                     "error_description=\"The token's groups do not allow this.\""},
};
START_TEST(caller_challenges)
{
    char storage[256];
    struct buf out = BUF(storage);
    caller_add_challenge(&out, challenge_rows[_i].refusal);
    ck_assert_str_eq(buf_cstr(&out), challenge_rows[_i].want);
}
END_TEST

void api_caller(struct suite *s)
{
    suite_rows(s, caller_identify_cases, COUNT(rows));
    suite_test(s, caller_without_authenticator);
    suite_rows(s, caller_challenges, COUNT(challenge_rows));
}
