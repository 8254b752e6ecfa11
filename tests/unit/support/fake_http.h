/* fake_http.h - the network of AWS code (common/aws/http.h), from a script: each request takes the
 * next answer, and one too many fails the test. */
#ifndef TESTS_UNIT_SUPPORT_FAKE_HTTP_H
#define TESTS_UNIT_SUPPORT_FAKE_HTTP_H

#include "common/aws/call.h"
#include "tests/unit/support/fake_world.h"

struct fake_http_answer {
    const struct err_kind *failure; /* NULL: the answer below */
    int status;
    const char *body, *date, *retry_after;
    int64_t takes_ms; /* the clocks go on by this much before the answer */
};

#define FAKE_REQUESTS_MAX 16

struct fake_http {
    struct fake_world world;
    const struct fake_http_answer *answers;
    size_t answer_count, used;
    struct aws_client client; /* hand its address to the code under test */
    /* What was asked, cut to the storage. */
    struct {
        char url[256], body[512], authorization[512], token[64], date[32], target[64];
        int64_t timeout_ms;
    } requests[FAKE_REQUESTS_MAX];
    int64_t paused_ms; /* all pauses together */
    int log_fd;
    char log[KIB(8)]; /* see fake_http_log() */
};

/* All lines logged since the network was opened. */
const char *fake_http_log(struct fake_http *f);

/* `answers` are borrowed; `f` must stay where it is. Close with fake_http_close(), which checks
 * that every answer was used. */
void fake_http_open(struct fake_http *f, const struct fake_http_answer *answers, size_t count);
void fake_http_close(struct fake_http *f);

#endif
