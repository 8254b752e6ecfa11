/* errors.h - the error kinds of this service's own nouns; the general ones are in
 * common/base/err.h. */
#ifndef FCGI_API_ERRORS_H
#define FCGI_API_ERRORS_H

#include "common/base/err.h"

#define API_ERR_KINDS(X)                                                                           \
    X(ERR_NOT_READY, 503, "not_ready", "The service is starting; try again in a moment.")          \
    X(ERR_PRODUCT_ABSENT, 404, "product_absent", "There is no product with this id.")

API_ERR_KINDS(ERR_DECLARE)

#endif
