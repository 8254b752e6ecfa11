/* container.h - the container credentials endpoint of ECS.
 * Source: AWS SDKs and Tools Reference Guide, "Container credential provider". Pure, but for the
 * file with the token. */
#ifndef COMMON_AWS_CONTAINER_H
#define COMMON_AWS_CONTAINER_H

#include "common/aws/credentials.h"

/* What is wrong with the address that a setting gives, or NULL: see container_url(). Pure. */
const char *container_relative_fault(struct slice uri);
const char *container_full_fault(struct slice uri);

/* The address to ask, in the arena: http://169.254.170.2 with the relative URI, or the full URI.
 * Errors: ERR_CREDENTIALS_ABSENT for an address that must not be asked: plain http is for the
 * addresses of ECS and EKS and for loopback only (a name other than localhost could lead anywhere),
 * and none may hold a user name, a blank or a control character. */
bool container_url(const char *relative_uri, const char *full_uri, struct arena *arena,
                   struct slice *ret, struct err *err) MUST_USE;

/* The value of the Authorization field: the file's content if one is named (read anew each time,
 * since it is rotated), else the token; ptr NULL when neither is set. Errors:
 * ERR_CREDENTIALS_ABSENT when the file cannot be read, is larger than CONTAINER_TOKEN_MAX, or the
 * token holds a line break (it would add header fields). */
bool container_token(const char *token, const char *token_file, struct arena *arena,
                     struct slice *ret, struct err *err) MUST_USE;
#define CONTAINER_TOKEN_MAX KIB(8)

/* Reads the endpoint's answer. `*ret` is written only on success. Errors: ERR_AWS_ANSWER. */
bool container_read(struct slice body, struct arena *arena, struct credentials *ret,
                    struct err *err) MUST_USE;

#endif
