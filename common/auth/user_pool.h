/* user_pool.h - what follows from the id of a Cognito user pool, "us-east-2_AbCdEfGhI". Pure.
 * Source: Amazon Cognito Developer Guide, "Verifying JSON web tokens". */
#ifndef COMMON_AUTH_USER_POOL_H
#define COMMON_AUTH_USER_POOL_H

#include "common/base/buf.h"

/* What keeps it from being one, "must be REGION_ID" say; NULL when nothing does. */
const char *user_pool_fault(struct slice id);
/* Its tokens' `iss`: the region in it is the id's own. */
void user_pool_add_issuer(struct buf *out, struct slice id);
/* Where its keys are: below `endpoint` (of a stand-in), or below the issuer when that is empty. */
void user_pool_add_jwks_url(struct buf *out, struct slice endpoint, struct slice id);

#endif
