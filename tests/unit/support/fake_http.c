#include "tests/unit/support/fake_http.h"

#include "common/run/log.h"
#include "tests/unit/support/assert.h"

#include <sys/mman.h>
#include <unistd.h>

/* How often a request that takes time looks whether it shall be given up. */
#define FAKE_STEP_MS 50

/* NOLINTNEXTLINE(readability-non-const-parameter): the builder writes through it. */
static void keep(char *ret, size_t cap, struct slice text)
{
    struct slice part = {text.ptr, text.len < cap ? text.len : cap - 1};
    ck_assert(slice_to_cstr(part, ret, cap));
}

static void remember(struct fake_http *f, const struct http_request *req)
{
    ck_assert_uint_lt(f->used, FAKE_REQUESTS_MAX);
    keep(ARRAY(f->requests[f->used].url), req->url);
    keep(ARRAY(f->requests[f->used].body), req->body);
    f->requests[f->used].timeout_ms = req->timeout_ms;
    for (size_t i = 0; i < req->header_count; i++) {
        struct slice name = req->headers[i].name, value = req->headers[i].value;
        if (slice_equal_ignore_case(name, SLICE("authorization")))
            keep(ARRAY(f->requests[f->used].authorization), value);
        else if (slice_equal_ignore_case(name, SLICE("x-amz-security-token")))
            keep(ARRAY(f->requests[f->used].token), value);
        else if (slice_equal_ignore_case(name, SLICE("x-amz-date")))
            keep(ARRAY(f->requests[f->used].date), value);
        else if (slice_equal_ignore_case(name, SLICE("x-amz-target")))
            keep(ARRAY(f->requests[f->used].target), value);
    }
}

static bool fake_fetch(void *ctx, const struct http_request *req, struct arena *arena,
                       struct http_answer *ret, struct err *err)
{
    struct fake_http *f = ctx;
    ck_assert_msg(f->used < f->answer_count, "request %zu is one too many", f->used + 1);
    const struct fake_http_answer *answer = &f->answers[f->used];
    remember(f, req);
    f->used++;
    for (int64_t left_ms = answer->takes_ms; left_ms > 0; left_ms -= FAKE_STEP_MS) {
        if (http_stop_is_asked(req->stop))
            return err_fail(err, &ERR_AWS_INTERRUPTED, "fake stop");
        fake_world_pass(&f->world, left_ms < FAKE_STEP_MS ? left_ms : FAKE_STEP_MS);
    }
    if (answer->failure)
        return err_fail(err, answer->failure, "fake failure");
    *ret = (struct http_answer){
        .status = answer->status,
        .body = arena_copy(arena, slice_from_cstr(answer->body)),
        .date = slice_from_cstr(answer->date),
        .retry_after = slice_from_cstr(answer->retry_after),
        .request_id = SLICE("fake-request"),
    };
    return true;
}

static void fake_pause_ms(void *ctx, int64_t ms)
{
    struct fake_http *f = ctx;
    f->paused_ms += ms;
    fake_world_pass(&f->world, ms);
}

void fake_http_open(struct fake_http *f, const struct fake_http_answer *answers, size_t count)
{
    *f = (struct fake_http){.answers = answers, .answer_count = count};
    f->log_fd = memfd_create("log", MFD_CLOEXEC);
    ck_assert_int_ge(f->log_fd, 0);
    log_start(f->log_fd, LOG_LEVEL_DEBUG);
    fake_world_init(&f->world);
    f->client = (struct aws_client){
        .world = &f->world.world,
        .outside = {fake_fetch, fake_pause_ms, f},
        .limits = aws_limits_default,
    };
}

void fake_http_close(struct fake_http *f)
{
    ck_assert_uint_eq(f->used, f->answer_count);
    aws_client_done(&f->client);
    log_start(STDERR_FILENO, LOG_LEVEL_INFO);
    close(f->log_fd);
}

const char *fake_http_log(struct fake_http *f)
{
    ssize_t got = pread(f->log_fd, f->log, sizeof f->log - 1, 0);
    ck_assert_int_ge(got, 0);
    f->log[got] = '\0';
    return f->log;
}
