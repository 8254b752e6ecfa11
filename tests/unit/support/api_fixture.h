/* api_fixture.h - the whole API over the fake database: a test says what the database answers, asks
 * for an address as nginx would, and looks at the answer, the statements and the log. */
#ifndef TESTS_UNIT_SUPPORT_API_FIXTURE_H
#define TESTS_UNIT_SUPPORT_API_FIXTURE_H

#include "fcgi/api/dispatch.h"
#include "tests/unit/support/fake_db.h"

#define API_FIXTURE_SECRET     "0123456789abcdef0123456789abcdef"
#define API_FIXTURE_REQUEST_ID "a0b1c2d3e4f5061728394a5b6c7d8e9f"

struct api_fixture {
    struct fake_world world;
    struct fake_db fake;
    struct db *db;
    struct arena arena, answer_memory;
    struct api api;
    struct request req; /* header fields may be set before a request */
    struct reply reply;
    char headers[KIB(4)];
    int log_fd;
    char log[KIB(16)]; /* see api_fixture_log() */
};

/* Tokens that the fixture's authenticator knows; all others are refused with 401. */
#define API_FIXTURE_EDITOR "Bearer editor" /* sub "sub-editor", username "Edith" */
#define API_FIXTURE_ADMIN  "Bearer admin"
#define API_FIXTURE_USER   "Bearer user" /* of no group */

/* `answers` are borrowed. */
void api_fixture_open(struct api_fixture *f, const struct fake_answer *answers, size_t count);
/* Checks that the database has given every answer, too. */
void api_fixture_close(struct api_fixture *f);

/* Dispatches one request, and checks that the API document tells of the answer. Returns the body
 * with a NUL behind it, until the next request. */
const char *api_fixture_ask(struct api_fixture *f, enum http_method method, struct slice target);
const char *api_fixture_get(struct api_fixture *f, const char *target);

/* The value of the answer's header field; NULL when it has none. Until the next call. */
const char *api_fixture_header(const struct api_fixture *f, const char *name);
/* All lines logged since the fixture was opened, from level INFO on. */
const char *api_fixture_log(struct api_fixture *f);

#endif
