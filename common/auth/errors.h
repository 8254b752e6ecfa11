/* errors.h - why an access token is refused, as error kinds (common/base/err.h). Each message also
 * goes into WWW-Authenticate as error_description, so it holds no quote and no backslash
 * (RFC 6750 section 3). */
#ifndef COMMON_AUTH_ERRORS_H
#define COMMON_AUTH_ERRORS_H

#include "common/base/err.h"

#define AUTH_ERR_KINDS(X)                                                                          \
    X(ERR_TOKEN_MALFORMED, 401, "token_malformed", "The token is not a well-formed JWT.")          \
    X(ERR_TOKEN_ALGORITHM, 401, "token_algorithm", "The token is not signed with RS256.")          \
    X(ERR_TOKEN_UNKNOWN_KEY, 401, "token_unknown_key",                                             \
      "The token is signed with a key that the user pool does not have.")                          \
    X(ERR_TOKEN_SIGNATURE, 401, "token_signature", "The token's signature is wrong.")              \
    X(ERR_TOKEN_CLAIMS, 401, "token_claims",                                                       \
      "A claim of the token is missing or not of its type.")                                       \
    X(ERR_TOKEN_WRONG_ISSUER, 401, "token_wrong_issuer",                                           \
      "The token was issued by another user pool.")                                                \
    X(ERR_TOKEN_WRONG_USE, 401, "token_wrong_use", "The token is not an access token.")            \
    X(ERR_TOKEN_WRONG_CLIENT, 401, "token_wrong_client",                                           \
      "The token was issued to another app client.")                                               \
    X(ERR_TOKEN_EXPIRED, 401, "token_expired", "The token has expired.")                           \
    X(ERR_TOKEN_NOT_YET_VALID, 401, "token_not_yet_valid", "The token is not valid yet.")

AUTH_ERR_KINDS(ERR_DECLARE)

#endif
