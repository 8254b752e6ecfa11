/* errors.h - what can go wrong between us and AWS, as error kinds (common/base/err.h). Clients only
 * ever learn that something we depend on is away. */
#ifndef COMMON_AWS_ERRORS_H
#define COMMON_AWS_ERRORS_H

#include "common/base/err.h"

#define AWS_ERR_KINDS(X)                                                                           \
    /* no connection, a time limit, a broken transfer: worth another attempt */                    \
    X(ERR_AWS_UNREACHABLE, 503, "dependency_unreachable",                                          \
      "A service this one depends on does not answer; try again later.")                           \
    /* given up by us, since something more urgent has to be done */                               \
    X(ERR_AWS_INTERRUPTED, 503, "dependency_interrupted",                                          \
      "A service this one depends on was not waited for; try again later.")                        \
    /* an answer that is too large, not what the service documents, or not from it */              \
    X(ERR_AWS_ANSWER, 503, "dependency_answer_invalid",                                            \
      "A service this one depends on gave an unusable answer; try again later.")                   \
    X(ERR_AWS_REFUSED, 503, "dependency_refused",                                                  \
      "A service this one depends on refused the request; the fault has been logged.")             \
    X(ERR_CREDENTIALS_ABSENT, 503, "credentials_absent",                                           \
      "The service has no credentials at the moment; try again later.")                            \
    X(ERR_SECRET_ABSENT, 503, "secret_absent", "A secret of the service does not exist.")          \
    X(ERR_BUCKET_ABSENT, 503, "bucket_absent", "The bucket of the service does not exist.")

AWS_ERR_KINDS(ERR_DECLARE)

#endif
