#include "tests/unit/support/api_fixture.h"

#include "common/run/log.h"
#include "fcgi/api/contract.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/routes.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As in fcgi/pool/worker.c. */
#define REQUEST_MEMORY MIB(4)
#define ANSWER_MEMORY  MIB(2)

static bool identify(void *ctx, struct slice token, struct arena *arena, struct caller *ret,
                     struct err *err)
{
    static const struct caller callers[] = {
        {.subject = SLICE_INIT("sub-editor"), .username = SLICE_INIT("Edith"), .edits = true},
        {.subject = SLICE_INIT("sub-admin"), .username = SLICE_INIT("Ada"), .administers = true},
        {.subject = SLICE_INIT("sub-user"), .username = SLICE_INIT("Uwe")},
    };
    (void)ctx;
    (void)arena;
    for (size_t i = 0; i < COUNT(callers); i++) {
        if (!slice_equal(token, slice_after(callers[i].subject, sizeof "sub-" - 1)))
            continue;
        *ret = callers[i];
        return true;
    }
    return err_fail(err, &ERR_AUTHENTICATION_REQUIRED, "a token of nobody");
}

void api_fixture_open(struct api_fixture *f, const struct fake_answer *answers, size_t count)
{
    struct err err = {0};
    *f = (struct api_fixture){.log_fd = memfd_create("log", MFD_CLOEXEC)};
    ck_assert_int_ge(f->log_fd, 0);
    log_start(f->log_fd, LOG_LEVEL_INFO);
    fake_world_init(&f->world);
    fake_db_init(&f->fake, &f->world, answers, count);
    f->db = fake_db_open(&f->fake);
    ck_assert(arena_init(&f->arena, REQUEST_MEMORY, &err) &&
              arena_init(&f->answer_memory, ANSWER_MEMORY, &err));
    ck_assert(api_init("USD", &f->api, &err));
    f->api.authenticator.identify = identify;
    ck_assert(api_set_secrets(&f->api, &SLICE(API_FIXTURE_SECRET), 1, &err));
    f->reply.headers = BUF(f->headers);
    f->reply.body = arena_buf(&f->answer_memory, ANSWER_MEMORY);
    f->req.request_id = SLICE(API_FIXTURE_REQUEST_ID);
    f->req.content_type = SLICE("application/json"); /* of no account without a body */
}

void api_fixture_close(struct api_fixture *f)
{
    db_close(f->db);
    fake_db_check_done(&f->fake);
    api_done(&f->api);
    arena_done(&f->answer_memory);
    arena_done(&f->arena);
    log_start(STDERR_FILENO, LOG_LEVEL_INFO);
    close(f->log_fd);
}

/* Whether the API document tells of the answer: whatever a test provokes, it must. */
static bool is_promised(const struct route *route, const struct reply *reply, const char *body)
{
    static const char replayed[] = "Idempotent-Replayed";
    const struct err_kind *kinds[CONTRACT_KINDS_MAX];
    char code[64];
    if (reply->status == route->answer.status)
        return true;
    if (reply->status == 304)
        return route->needs & ROUTE_ETAG;
    if (memmem(reply->headers.ptr, reply->headers.len, replayed, sizeof replayed - 1))
        return true; /* made up by the test; it was judged when a handler made it */
    for (size_t i = 0, count = contract_errors(route, kinds); i < count; i++) {
        snprintf(code, sizeof code, "\"code\":\"%s\"", kinds[i]->code);
        if (reply->status == kinds[i]->status && strstr(body, code))
            return true;
    }
    return false;
}

static void check_promise(struct api_fixture *f, const char *body)
{
    struct route_match match = {0};
    struct err err = {0};
    if (f->req.path.len > 0 && route_find(&api_routes, &f->req, &f->arena, &match, &err) &&
        match.route)
        ck_assert_msg(is_promised(match.route, &f->reply, body), "%s: %d %s", match.route->path,
                      f->reply.status, body);
}

const char *api_fixture_ask(struct api_fixture *f, enum http_method method, struct slice target)
{
    arena_reset(&f->arena);
    f->req.method = method;
    dispatch(&f->api, f->db, &f->arena, &f->req, target, &f->reply);
    ck_assert_int_eq(f->fake.results_open, 0); /* whatever happened, rows are released */
    ck_assert(!f->reply.headers.full);
    const char *body = buf_cstr(&f->reply.body);
    ck_assert_ptr_nonnull(body);
    check_promise(f, body);
    return body;
}

const char *api_fixture_get(struct api_fixture *f, const char *target)
{
    return api_fixture_ask(f, HTTP_GET, slice_from_cstr(target));
}

const char *api_fixture_header(const struct api_fixture *f, const char *name)
{
    static char value[KIB(4)];
    struct slice rest = buf_slice(&f->reply.headers), line, wanted = slice_from_cstr(name);
    while (slice_cut(&rest, '\n', &line)) {
        struct slice text = line, field;
        slice_cut(&text, ':', &field);
        if (!slice_equal(field, wanted) || text.len < 2)
            continue;
        struct buf copy = BUF(value);
        buf_add(&copy, (struct slice){text.ptr + 1, text.len - 2}); /* without ' ' and '\r' */
        return buf_cstr(&copy);
    }
    return NULL;
}

const char *api_fixture_log(struct api_fixture *f)
{
    ssize_t got = pread(f->log_fd, f->log, sizeof f->log - 1, 0);
    ck_assert_int_ge(got, 0);
    f->log[got] = '\0';
    return f->log;
}
