/* sigv4_check.h - what a request must be before it is signed: a signature over something that no
 * server reads as it was meant is worse than none. Pure; for sigv4.c. */
#ifndef COMMON_AWS_SIGV4_CHECK_H
#define COMMON_AWS_SIGV4_CHECK_H

#include "common/aws/sigv4.h"

/* NULL when the request can be signed, else what is wrong with it. A path that does not begin with
 * '/' would move the end of the host in a presigned address; '?' and '#' would end the path, and a
 * control character the line. */
const char *sigv4_fault(const struct sigv4_request *req, bool query_form);

#endif
