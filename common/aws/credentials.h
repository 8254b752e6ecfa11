/* credentials.h - where AWS credentials come from, and for how long they are good.
 * Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers". The first
 * configured of these is used, and its failure is a failure (falling back to another identity would
 * hide it): the environment; the container endpoint of ECS; a profile of the shared files. */
#ifndef COMMON_AWS_CREDENTIALS_H
#define COMMON_AWS_CREDENTIALS_H

#include "common/aws/call.h"

/* The AWS variables as they stand in the environment; NULL and "" are the same: not set. */
struct credentials_settings {
    const char *access_key_id, *secret_access_key, *session_token;
    const char *container_relative_uri, *container_full_uri;
    const char *container_token, *container_token_file;
    const char *profile;                        /* "": default */
    const char *credentials_file, *config_file; /* "": those in ~/.aws */
    const char *home;
};

enum credentials_source {
    CREDENTIALS_NONE,
    CREDENTIALS_ENVIRONMENT,
    CREDENTIALS_CONTAINER,
    CREDENTIALS_PROFILE
};
const char *credentials_source_name(enum credentials_source source);

/* Owns its texts, so that it can lie in shared memory; NUL-terminated. Wipe with
 * credentials_wipe(). */
struct credentials {
    enum credentials_source source; /* NONE: there are none */
    char access_key[129], secret_key[257];
    char session_token[8193]; /* "" for long-lived ones */
    int64_t expires_s;        /* Unix seconds; 0: never */
};
void credentials_wipe(struct credentials *credentials);
bool credentials_equal(const struct credentials *a, const struct credentials *b);
/* For signing; borrows from `credentials`. */
struct aws_credentials credentials_view(const struct credentials *credentials);

/* Which provider is configured. Pure. */
enum credentials_source credentials_source_of(const struct credentials_settings *settings);

/* Gets credentials from the configured provider, over the network for CONTAINER.
 * Errors: ERR_CREDENTIALS_ABSENT: no provider, or a file that cannot be read or is malformed; those
 * of aws_call_send(); ERR_AWS_ANSWER, ERR_AWS_REFUSED from the container endpoint. */
bool credentials_fetch(const struct credentials_settings *settings, struct aws_client *client,
                       struct arena *arena, struct credentials *ret, struct err *err) MUST_USE;

/* ---- the decisions, pure ---- */

/* Credentials are used until this long before they expire: a request must end with them. */
#define CREDENTIALS_MARGIN_S 60
bool credentials_live(const struct credentials *credentials, int64_t now_s);

/* When to get new ones, in Unix seconds: at a random point between a half and three quarters of the
 * time they can still be used, so that tasks do not ask all at once and an outage of hours is
 * survived; at the earliest after CREDENTIALS_RENEW_MIN_S. Those that never expire are looked at
 * again too, since a file may change. `random` is of 0 to 999. */
int64_t credentials_renew_at(const struct credentials *credentials, int64_t now_s, uint32_t random);
#define CREDENTIALS_RENEW_MIN_S  30
#define CREDENTIALS_RENEW_EVER_S 900

/* Whether freshly fetched ones take the place of those in use: never when they are past their time
 * or expire before those in use do. */
bool credentials_supersede(const struct credentials *used, const struct credentials *fetched,
                           int64_t now_s);

#endif
