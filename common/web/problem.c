#include "common/web/problem.h"

#include "common/base/json_write.h"

/* One second: what a worker needs to reconnect, and short enough that people try again. */
static const struct slice retry_after_s = SLICE_INIT("1");

void problem_write(struct reply *reply, const struct request *req, const struct err_kind *kind,
                   const struct faults *faults)
{
    struct buf *body = &reply->body;
    reply_reset(reply);
    reply->status = kind->status;
    reply->content_type = "application/problem+json";
    reply_header(reply, "Cache-Control", SLICE("no-store"));
    if (kind->status == 503)
        reply_header(reply, "Retry-After", retry_after_s);
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
