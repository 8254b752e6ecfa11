#include "common/web/problem.h"

#include "common/base/json_write.h"

/* One second: what a worker needs to reconnect, and short enough that people try again. */
#define RETRY_AFTER_S 1

static void write_problem(struct reply *reply, const struct request *req,
                          const struct err_kind *kind, const struct faults *faults,
                          int64_t retry_after_s)
{
    char storage[24];
    struct buf seconds = BUF(storage);
    struct buf *body = &reply->body;
    reply_reset(reply);
    reply->status = kind->status;
    reply->content_type = "application/problem+json";
    reply_header(reply, "Cache-Control", SLICE("no-store"));
    if (kind->status == 503) {
        buf_add_i64(&seconds, retry_after_s);
        reply_header(reply, "Retry-After", buf_slice(&seconds));
    }
    buf_add_char(body, '{');
    json_add_member(body, "type", SLICE("about:blank"));
    json_add_member(body, "title", slice_from_cstr(http_status_title(kind->status)));
    json_add_member_i64(body, "status", kind->status);
    json_add_member(body, "detail", slice_from_cstr(kind->message));
    json_add_member(body, "instance", req->path);
    json_add_member(body, "code", slice_from_cstr(kind->code));
    json_add_member(body, "request_id", req->request_id);
    if (faults)
        faults_write(body, faults);
    buf_add_char(body, '}');
}

void problem_write(struct reply *reply, const struct request *req, const struct err_kind *kind,
                   const struct faults *faults)
{
    write_problem(reply, req, kind, faults, RETRY_AFTER_S);
}

void problem_write_retry(struct reply *reply, const struct request *req,
                         const struct err_kind *kind, int64_t retry_after_s)
{
    write_problem(reply, req, kind, NULL, retry_after_s);
}
