/* secrets.h - AWS Secrets Manager: GetSecretValue, and what our secrets look like.
 * Source: AWS Secrets Manager API Reference (JSON 1.1 protocol); "JSON structure of AWS Secrets
 * Manager database credential secrets". */
#ifndef COMMON_AWS_SECRETS_H
#define COMMON_AWS_SECRETS_H

#include "common/aws/call.h"

/* Versions of a secret carry labels. A rotation makes a version AWSPENDING, brings it into force (a
 * database then takes no other password), and moves AWSCURRENT to it only behind a test; the one
 * before is AWSPREVIOUS then. */
enum secret_stage { SECRET_CURRENT, SECRET_PREVIOUS, SECRET_PENDING };

struct secret_value {
    struct slice version_id; /* changes with the value */
    struct slice text;       /* SecretString */
};

struct secrets_place {
    struct slice region;
    struct slice endpoint; /* "": the region's own */
};

/* The region in an ARN ("arn:aws:secretsmanager:us-east-2:..."); empty when `id` is a plain name.
 */
struct slice secrets_region_of(struct slice id);

/* Fetches one version of the secret `id` (ARN or name). The value lives in the arena, which the
 * caller wipes. Errors: ERR_SECRET_ABSENT: no such secret or no version with this label;
 * ERR_AWS_REFUSED, ERR_AWS_ANSWER, and those of aws_call_send(). */
bool secrets_get(struct aws_client *client, const struct aws_credentials *credentials,
                 const struct secrets_place *place, struct slice id, enum secret_stage stage,
                 struct arena *arena, struct secret_value *ret, struct err *err) MUST_USE;

/* Reads the answer; secrets_get() without the network. The status is not looked at while the body
 * names a type of error: not every implementation uses the same one. */
bool secrets_read_answer(int status, struct slice body, struct arena *arena,
                         struct secret_value *ret, struct err *err) MUST_USE;

struct database_login {
    struct slice user; /* empty: the secret names none */
    struct slice password;
};
/* A database's secret: the JSON object that RDS and its rotation functions use, of which username
 * and password are read, or the password alone as plain text. Errors: ERR_AWS_ANSWER. */
bool secrets_read_login(struct slice text, struct arena *arena, struct database_login *ret,
                        struct err *err) MUST_USE;

/* A secret that is one value: plain text, or a JSON object with it in the member `name` ("key",
 * "client_secret"). At least `min` bytes. Errors: ERR_AWS_ANSWER. */
bool secrets_read_text(struct slice text, const char *name, size_t min, struct arena *arena,
                       struct slice *ret, struct err *err) MUST_USE;

#endif
