#include "common/aws/credentials.h"

#include "common/aws/container.h"
#include "common/aws/profile.h"

#include <string.h>

#define CONTAINER_ANSWER_MAX KIB(16)

const char *credentials_source_name(enum credentials_source source)
{
    static const char *const names[] = {"none", "environment", "container", "profile"};
    return names[source];
}

void credentials_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof *credentials);
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
    return a->source == b->source && a->expires_s == b->expires_s &&
           strcmp(a->access_key, b->access_key) == 0 && strcmp(a->secret_key, b->secret_key) == 0 &&
           strcmp(a->session_token, b->session_token) == 0;
}

struct aws_credentials credentials_view(const struct credentials *c)
{
    struct aws_credentials view = {
        slice_from_cstr(c->access_key), slice_from_cstr(c->secret_key), {0}};
    if (c->session_token[0])
        view.session_token = slice_from_cstr(c->session_token);
    return view;
}

static bool is_set(const char *text)
{
    return text && *text;
}

enum credentials_source credentials_source_of(const struct credentials_settings *s)
{
    if (is_set(s->access_key_id) || is_set(s->secret_access_key))
        return CREDENTIALS_ENVIRONMENT;
    if (is_set(s->container_relative_uri) || is_set(s->container_full_uri))
        return CREDENTIALS_CONTAINER;
    if (is_set(s->profile) || is_set(s->credentials_file) || is_set(s->config_file) ||
        is_set(s->home))
        return CREDENTIALS_PROFILE;
    return CREDENTIALS_NONE;
}

/* ---- providers ---- */

static bool from_environment(const struct credentials_settings *s, struct credentials *ret,
                             struct err *err)
{
    CLEANUP(credentials_wipe) struct credentials made = {.source = CREDENTIALS_ENVIRONMENT};
    if (!is_set(s->access_key_id) || !is_set(s->secret_access_key))
        return err_fail(err, &ERR_CREDENTIALS_ABSENT,
                        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together");
    if (!slice_to_cstr(slice_from_cstr(s->access_key_id), made.access_key,
                       sizeof made.access_key) ||
        !slice_to_cstr(slice_from_cstr(s->secret_access_key), made.secret_key,
                       sizeof made.secret_key) ||
        !slice_to_cstr(slice_from_cstr(s->session_token), made.session_token,
                       sizeof made.session_token))
        return err_fail(err, &ERR_CREDENTIALS_ABSENT,
                        "AWS credentials in the environment are too "
                        "long");
    *ret = made;
    return true;
}

static bool from_container(const struct credentials_settings *s, struct aws_client *client,
                           struct arena *arena, struct credentials *ret, struct err *err)
{
    struct slice url, token;
    struct http_answer answer;
    if (!container_url(s->container_relative_uri, s->container_full_uri, arena, &url, err) ||
        !container_token(s->container_token, s->container_token_file, arena, &token, err))
        return false;
    const struct aws_pair headers[] = {{SLICE("Accept"), SLICE("application/json")},
                                       {SLICE("Authorization"), token}};
    const struct aws_call call = {
        .service = "ecs-credentials",
        .operation = "GetCredentials",
        .base_url = url,
        .method = SLICE("GET"),
        .headers = headers,
        .header_count = token.ptr ? 2 : 1,
        .answer_max = CONTAINER_ANSWER_MAX,
    };
    if (!aws_call_send(client, NULL, &call, arena, &answer, err))
        return false;
    if (answer.status != 200)
        return err_fail(err, &ERR_AWS_REFUSED, "container credentials: status %d", answer.status);
    return container_read(answer.body, arena, ret, err);
}

/* Nobody has named a provider: on ECS, the role of the task is missing. */
static bool fail_unconfigured(struct err *err, const char *more)
{
    return err_fail(err, &ERR_CREDENTIALS_ABSENT,
                    "no task role (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI), no "
                    "AWS_ACCESS_KEY_ID; %s",
                    more);
}

/* The shared files are looked for even if no setting names them. */
static bool from_profile(const struct credentials_settings *s, struct arena *arena,
                         struct credentials *ret, struct err *err)
{
    struct err failed = {0};
    if (profile_read(s, arena, ret, &failed))
        return true;
    if (is_set(s->profile) || is_set(s->credentials_file) || is_set(s->config_file))
        return err_fail(err, failed.kind, "%s", failed.cause);
    return fail_unconfigured(err, failed.cause);
}

bool credentials_fetch(const struct credentials_settings *settings, struct aws_client *client,
                       struct arena *arena, struct credentials *ret, struct err *err)
{
    switch (credentials_source_of(settings)) {
    case CREDENTIALS_ENVIRONMENT:
        return from_environment(settings, ret, err);
    case CREDENTIALS_CONTAINER:
        return from_container(settings, client, arena, ret, err);
    case CREDENTIALS_PROFILE:
        return from_profile(settings, arena, ret, err);
    case CREDENTIALS_NONE:
        break;
    }
    return fail_unconfigured(err, "no folder for shared AWS files");
}

/* ---- decisions ---- */

bool credentials_live(const struct credentials *c, int64_t now_s)
{
    return c->source != CREDENTIALS_NONE &&
           (c->expires_s == 0 || now_s < c->expires_s - CREDENTIALS_MARGIN_S);
}

int64_t credentials_renew_at(const struct credentials *c, int64_t now_s, uint32_t random)
{
    if (c->expires_s == 0)
        return now_s + CREDENTIALS_RENEW_EVER_S;
    int64_t left_s = c->expires_s - CREDENTIALS_MARGIN_S - now_s;
    int64_t wait_s = left_s / 2 + left_s / 4 * (int64_t)random / 1000;
    return now_s + (wait_s > CREDENTIALS_RENEW_MIN_S ? wait_s : CREDENTIALS_RENEW_MIN_S);
}

bool credentials_supersede(const struct credentials *used, const struct credentials *fetched,
                           int64_t now_s)
{
    if (!credentials_live(fetched, now_s))
        return false;
    if (!credentials_live(used, now_s) || fetched->expires_s == 0)
        return true;
    return used->expires_s == 0 || fetched->expires_s >= used->expires_s;
}
