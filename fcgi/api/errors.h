/* errors.h - the error kinds of this service's own nouns; the general ones are in
 * common/base/err.h. */
#ifndef FCGI_API_ERRORS_H
#define FCGI_API_ERRORS_H

#include "common/base/err.h"

#define API_ERR_KINDS(X)                                                                           \
    X(ERR_AUTHENTICATION_REQUIRED, 401, "authentication_required",                                 \
      "This address needs a bearer token.")                                                        \
    X(ERR_FORBIDDEN, 403, "forbidden", "The token's groups do not allow this.")                    \
    X(ERR_IDEMPOTENCY_IN_PROGRESS, 409, "idempotency_in_progress",                                 \
      "A request with this Idempotency-Key is still running; try again in a moment.")              \
    X(ERR_IDEMPOTENCY_KEY_INVALID, 400, "idempotency_key_invalid",                                 \
      "Idempotency-Key must be 1 to 255 visible ASCII characters.")                                \
    X(ERR_IDEMPOTENCY_KEY_REUSED, 422, "idempotency_key_reused",                                   \
      "This Idempotency-Key was used for another request.")                                        \
    X(ERR_IF_MATCH_REQUIRED, 428, "if_match_required",                                             \
      "This change needs If-Match with the ETag of what it changes.")                              \
    X(ERR_KEYS_UNAVAILABLE, 503, "keys_unavailable",                                               \
      "Tokens cannot be verified at the moment; try again later.")                                 \
    X(ERR_NOT_READY, 503, "not_ready", "The service is starting; try again in a moment.")          \
    X(ERR_PRECONDITION_FAILED, 412, "precondition_failed",                                         \
      "It has changed since; read it again and repeat the change with its new ETag.")              \
    X(ERR_PRODUCT_ABSENT, 404, "product_absent", "There is no product with this id.")              \
    X(ERR_PRODUCT_DELETED, 409, "product_deleted",                                                 \
      "The product is deleted; only restoring it is possible.")                                    \
    X(ERR_PRODUCT_NOT_DELETED, 409, "product_not_deleted",                                         \
      "The product is not deleted, so there is nothing to restore.")                               \
    X(ERR_SKU_TAKEN, 409, "sku_taken", "Another product has this SKU.")

API_ERR_KINDS(ERR_DECLARE)

#endif
