/* trace.h - where one request spends its time: the phase it is in, and how long each took so far.
 * The worker begins a trace for each request; whoever does the work enters a phase and goes back to
 * the one before. A NULL trace is fine everywhere (tests, commands): nothing is kept then.
 * What is shown stands in shared memory, so that the master can tell what a worker was doing that
 * has died or does not answer. */
#ifndef COMMON_RUN_TRACE_H
#define COMMON_RUN_TRACE_H

#include "common/base/buf.h"
#include "common/run/world.h"

#include <stdatomic.h>

#define TRACE_PHASES(X)                                                                            \
    X(TRACE_NONE, "none")   /* between two requests */                                             \
    X(TRACE_QUEUE, "queue") /* from nginx to a worker */                                           \
    X(TRACE_READ, "read")   /* the request out of its socket */                                    \
    X(TRACE_AUTH, "auth")   /* who asks */                                                         \
    X(TRACE_WORK, "work")   /* the handler, as far as it is nothing else here */                   \
    X(TRACE_SQL, "sql")     /* the database, its connection included */                            \
    X(TRACE_WRITE, "write") /* the answer into its socket */

#define TRACE_ENUM(name, text) name,
enum trace_phase { TRACE_PHASES(TRACE_ENUM) TRACE_PHASE_COUNT };
#undef TRACE_ENUM
/* "invalid" for a number that is none: it may come out of shared memory. */
const char *trace_phase_name(int phase);

/* What others may look at; in shared memory. */
struct trace_shown {
    _Atomic int phase, route; /* enum trace_phase; row of the route table, -1: not known yet */
    _Atomic int64_t begun_ms; /* monotonic: when the request was taken */
};

/* "SELECT products": what a statement does and to which table, without any value of it. */
#define TRACE_STATEMENT_MAX 48
/* A statement that took less has no name: finding it takes as long as building an answer, and no
 * request is slow for such a one. */
#define TRACE_NAMED_US      1000

struct trace {
    const struct world *world;
    struct trace_shown *shown; /* may be NULL */
    enum trace_phase phase;
    int64_t entered_us, begun_us;
    int64_t spent_us[TRACE_PHASE_COUNT];
    int64_t slowest_us;                /* of the statements */
    char slowest[TRACE_STATEMENT_MAX]; /* its name; empty when it took less than TRACE_NAMED_US */
};

void trace_begin(struct trace *t, const struct world *world, struct trace_shown *shown);
/* Enters a phase; returns the one that is left, to be entered again when the work is done. */
enum trace_phase trace_enter(struct trace *t, enum trace_phase phase);
void trace_route(struct trace *t, int route);
/* The statement that was just run took so long. */
void trace_statement(struct trace *t, struct slice statement, int64_t took_us);
int64_t trace_now_us(const struct trace *t); /* 0 without a trace */
/* Closes the last phase; returns the time since trace_begin(). */
int64_t trace_end(struct trace *t);

#endif
