#include "common/auth/jwt.h"

#include "common/auth/errors.h"
#include "common/auth/json_object.h"
#include "common/base/utf8.h"

#include <math.h>

/* Whole seconds that a double holds exactly, and that no sum with a leeway overflows. */
#define TIME_MAX 9007199254740991.0

/* The claims as they stand in the payload; times may have a fraction (RFC 7519 section 2). */
struct raw {
    struct slice issuer, use, client_id;
    double expires, not_before, issued, signed_in; /* NaN: absent */
};

static bool read_text(const cJSON *payload, const char *name, bool required, struct arena *arena,
                      struct slice *ret, struct err *err)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(payload, name);
    struct slice text = slice_from_cstr(cJSON_GetStringValue(member));
    if (!member && !required)
        return true;
    if (!text.ptr || (required && text.len == 0))
        return err_fail(err, &ERR_TOKEN_CLAIMS, "%s is missing or no text", name);
    *ret = arena_copy(arena, text);
    return ret->ptr || err_fail(err, &ERR_INTERNAL, "token larger than the arena");
}

static bool read_time(const cJSON *payload, const char *name, bool required, double *ret,
                      struct err *err)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(payload, name);
    *ret = (double)NAN;
    if (!member && !required)
        return true;
    double value = cJSON_GetNumberValue(member); /* NaN when it is no number */
    if (!(value >= 0 && value <= TIME_MAX))
        return err_fail(err, &ERR_TOKEN_CLAIMS, "%s is missing or no time", name);
    *ret = value;
    return true;
}

static bool read_groups(const cJSON *payload, struct arena *arena, struct jwt_claims *ret,
                        struct err *err)
{
    const cJSON *each, *list = cJSON_GetObjectItemCaseSensitive(payload, "cognito:groups");
    int count = cJSON_GetArraySize(list);
    if (!list)
        return true;
    if (!cJSON_IsArray(list) || count > JWT_GROUPS_MAX)
        return err_fail(err, &ERR_TOKEN_CLAIMS, "cognito:groups is no list, or too long");
    struct slice *groups = arena_alloc(arena, (size_t)count, sizeof *groups);
    size_t n = 0;
    cJSON_ArrayForEach(each, list)
    {
        struct slice name = slice_from_cstr(cJSON_GetStringValue(each));
        if (!name.ptr)
            return err_fail(err, &ERR_TOKEN_CLAIMS, "a group is no text");
        if (groups)
            groups[n] = arena_copy(arena, name);
        if (!groups || !groups[n++].ptr)
            return err_fail(err, &ERR_INTERNAL, "token larger than the arena");
    }
    ret->groups = groups;
    ret->group_count = n;
    return true;
}

static bool read_claims(const cJSON *payload, struct arena *arena, struct raw *raw,
                        struct jwt_claims *ret, struct err *err)
{
    const struct {
        const char *name;
        bool required;
        struct slice *at;
    } texts[] = {
        {"sub", true, &ret->subject},
        {"iss", true, &raw->issuer},
        {"token_use", true, &raw->use},
        {"client_id", true, &raw->client_id},
        {"username", false, &ret->username},
        {"jti", false, &ret->token_id},
        {"origin_jti", false, &ret->sign_in_id},
    };
    const struct {
        const char *name;
        bool required;
        double *at;
    } times[] = {
        {"exp", true, &raw->expires},
        {"nbf", false, &raw->not_before},
        {"iat", false, &raw->issued},
        {"auth_time", false, &raw->signed_in},
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!read_text(payload, texts[i].name, texts[i].required, arena, texts[i].at, err))
            return false;
    for (size_t i = 0; i < COUNT(times); i++)
        if (!read_time(payload, times[i].name, times[i].required, times[i].at, err))
            return false;
    if (ret->subject.len > JWT_SUBJECT_MAX || utf8_length(ret->username) > JWT_USERNAME_MAX)
        return err_fail(err, &ERR_TOKEN_CLAIMS, "sub or username is too long");
    return read_groups(payload, arena, ret, err);
}

/* Comparisons with an absent time, a NaN, are false. */
static bool judge_times(const struct raw *raw, int64_t now_s, int64_t leeway_s, struct err *err)
{
    double now = (double)now_s, leeway = (double)leeway_s;
    if (now >= raw->expires + leeway)
        return err_fail(err, &ERR_TOKEN_EXPIRED, "expired %.0f s ago", now - raw->expires);
    if (raw->not_before > now + leeway)
        return err_fail(err, &ERR_TOKEN_NOT_YET_VALID, "valid in %.0f s", raw->not_before - now);
    if (raw->issued > now + leeway + JWT_ISSUED_AHEAD_S)
        return err_fail(err, &ERR_TOKEN_NOT_YET_VALID, "issued in %.0f s", raw->issued - now);
    return true;
}

/* Access tokens name the app in `client_id`; only ID tokens carry `aud`, which is deliberately not
 * read (Cognito Developer Guide, "Verifying JSON web tokens"). */
static bool judge_raw(const struct raw *raw, const struct jwt_rules *rules, int64_t now_s,
                      struct err *err)
{
    if (!slice_equal(raw->issuer, rules->issuer))
        return err_fail(err, &ERR_TOKEN_WRONG_ISSUER, "iss %.*s", SLICE_ARG(raw->issuer));
    if (!slice_equal(raw->use, SLICE("access")))
        return err_fail(err, &ERR_TOKEN_WRONG_USE, "token_use %.*s", SLICE_ARG(raw->use));
    if (!slice_equal(raw->client_id, rules->client_id))
        return err_fail(err, &ERR_TOKEN_WRONG_CLIENT, "client_id %.*s", SLICE_ARG(raw->client_id));
    return judge_times(raw, now_s, rules->leeway_s, err);
}

static int64_t whole_seconds(double time)
{
    return isnan(time) ? 0 : (int64_t)time;
}

bool jwt_judge(const struct jwt_rules *rules, int64_t now_s, struct slice payload,
               struct arena *arena, struct jwt_claims *ret, struct err *err)
{
    struct jwt_claims claims = {0};
    struct raw raw = {0};
    const char *fault = NULL;
    CLEANUP(json_object_close) cJSON *object = json_object_open(payload, &fault);
    if (!object)
        return err_fail(err, &ERR_TOKEN_MALFORMED, "payload: %s", fault);
    if (!read_claims(object, arena, &raw, &claims, err) || !judge_raw(&raw, rules, now_s, err))
        return false;
    claims.expires_s = whole_seconds(raw.expires);
    claims.issued_s = whole_seconds(raw.issued);
    claims.signed_in_s = whole_seconds(raw.signed_in);
    *ret = claims;
    return true;
}

bool jwt_verify(const struct jws_keys *keys, const struct jwt_rules *rules, int64_t now_s,
                struct slice token, struct arena *arena, struct jwt_claims *ret, struct err *err)
{
    struct slice payload = {0};
    return jws_verify(keys, token, arena, &payload, err) &&
           jwt_judge(rules, now_s, payload, arena, ret, err);
}

bool jwt_in_group(const struct jwt_claims *claims, struct slice group)
{
    for (size_t i = 0; i < claims->group_count; i++)
        if (slice_equal(claims->groups[i], group))
            return true;
    return false;
}
