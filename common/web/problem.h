/* problem.h - error answers: RFC 9457 application/problem+json with the members of design "HTTP
 * API". nginx writes its own errors in the same shape (nginx/). */
#ifndef COMMON_WEB_PROBLEM_H
#define COMMON_WEB_PROBLEM_H

#include "common/web/fault.h"
#include "common/web/reply.h"
#include "common/web/request.h"

/* Replaces whatever `reply` holds by the problem of `kind`. `faults` may be NULL. `cause` of the
 * error is never shown. No cache keeps it; a 503 carries Retry-After. */
void problem_write(struct reply *reply, const struct request *req, const struct err_kind *kind,
                   const struct faults *faults);
/* The same for a 503 whose end can be foreseen: Retry-After is that many seconds. */
void problem_write_retry(struct reply *reply, const struct request *req,
                         const struct err_kind *kind, int64_t retry_after_s);

#endif
