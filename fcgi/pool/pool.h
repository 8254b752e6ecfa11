/* pool.h - what the master decides, as pure functions: which process to start, to end or to kill,
 * and when to give up. Never forks or signals, so every rule has a table test. The master tells
 * events (pool_on_*), then asks pool_next() until it answers POOL_WAIT. Times: monotonic
 * milliseconds. */
#ifndef FCGI_POOL_POOL_H
#define FCGI_POOL_POOL_H

#include "fcgi/settings.h"

/* The keeper has a slot of its own behind those of the workers. */
#define POOL_KEEPER WORKERS_MAX
#define POOL_SLOTS  (WORKERS_MAX + 1)

/* A worker that dies before its first answer is a quick crash: it waits before it is replaced,
 * doubling from the first to the second number; after so many in a row, with no answer by any
 * worker between them, the pool gives up, so that ECS replaces the task. */
#define POOL_BACKOFF_FIRST_MS  100
#define POOL_BACKOFF_MAX_MS    5000
#define POOL_QUICK_CRASHES_MAX 10
/* The keeper waits the same pauses, but nobody depends on it, so it is always tried again. One that
 * has lived twice the longest pause begins with the first pause again. */
#define POOL_KEEPER_STEADY_MS  10000

/* A worker becomes ready without asking anybody, within milliseconds; one that hangs on the way
 * would hold every reload up. Long, so that a machine under heavy load is no crash. */
#define POOL_START_LIMIT_MS  30000
/* A look at a database that hangs takes many seconds, and a keeper holds nothing that a kill could
 * lose. */
#define POOL_KEEPER_GRACE_MS 1000

/* Readiness is read off the scoreboard: how often, while some worker is on its way up. */
#define POOL_STARTING_TICK_MS 20

enum pool_slot_state {
    POOL_SLOT_EMPTY,
    POOL_SLOT_STARTING, /* forked, not yet ready; killed at `kill_at_ms` */
    POOL_SLOT_RUNNING,
    POOL_SLOT_ENDING, /* told to end; killed at `kill_at_ms` */
    POOL_SLOT_KILLED,
};

struct pool_slot {
    enum pool_slot_state state;
    int64_t start_at_ms;   /* EMPTY: not before */
    int64_t started_at_ms; /* not EMPTY */
    int64_t kill_at_ms;    /* STARTING, ENDING */
    bool reload;           /* to be replaced when its turn comes */
    bool recycle;          /* the same, of its own age or size */
    bool stuck;            /* to be killed now */
    bool asked;            /* told to end: that it does is no crash */
};

/* Restarts by cause, in the words of the status pages. */
#define POOL_COUNTS(X)                                                                             \
    X(crashes)       /* ended without being asked */                                               \
    X(quick_crashes) /* of these, before the first answer */                                       \
    X(reloads)       /* replaced because all are */                                                \
    X(recycles)      /* replaced for their requests or their memory */                             \
    X(timeouts)      /* killed because a request took too long */                                  \
    X(kills)         /* killed because they did not start or end in time */                        \
    X(keeper_crashes)
#define POOL_COUNT_MEMBER(name) int64_t name;
struct pool_counts {
    POOL_COUNTS(POOL_COUNT_MEMBER)
};
#undef POOL_COUNT_MEMBER

struct pool {
    struct pool_slot slots[POOL_SLOTS];
    size_t target; /* workers wanted */
    int64_t stop_timeout_ms;
    int64_t stop_at_ms; /* when stopping: what still lives then is killed */
    unsigned quick_in_row, keeper_crashes_in_row;
    bool stopping, gave_up;
    struct pool_counts counts;
};

enum pool_action_kind {
    POOL_WAIT,     /* nothing to do before pool_wait_ms() or the next event */
    POOL_START,    /* fork into `slot`, then pool_on_started() or pool_on_start_failed() */
    POOL_END,      /* ask the process of `slot` to end after its request */
    POOL_KILL,     /* it had its time */
    POOL_FINISHED, /* all are gone */
};
struct pool_action {
    enum pool_action_kind kind;
    size_t slot;
};

void pool_init(struct pool *pool, size_t workers, int64_t stop_timeout_ms);

void pool_on_started(struct pool *pool, size_t slot, int64_t now_ms);
void pool_on_start_failed(struct pool *pool, size_t slot, int64_t now_ms); /* fork refused */
void pool_on_ready(struct pool *pool, size_t slot);
/* Some worker has answered since the last quick crash: starting is not what fails. */
void pool_on_answer(struct pool *pool);
/* `answered`: it finished at least one request (of workers only). */
void pool_on_exit(struct pool *pool, size_t slot, bool answered, int64_t now_ms);
void pool_on_reload(struct pool *pool);
void pool_on_resize(struct pool *pool, int64_t workers); /* kept within 1 to WORKERS_MAX */
/* The worker of `slot` has served enough, or has grown too large. */
void pool_on_worn(struct pool *pool, size_t slot);
/* The request of `slot` took too long, and was condemned (scoreboard.h). */
void pool_on_stuck(struct pool *pool, size_t slot);
/* The door is closed: workers end by themselves when the queue is empty. */
void pool_on_stop(struct pool *pool, int64_t now_ms);

/* Whether the process of `slot` may end: it was told to, or all are. */
bool pool_is_asked(const struct pool *pool, size_t slot);
/* Whether every process that is wanted runs, and no other. */
bool pool_is_complete(const struct pool *pool);

/* How many processes are still to come up, to end or to be replaced; 0: nothing is under way. */
size_t pool_pending(const struct pool *pool);

/* The next thing to do. The pool already counts it as done, but for POOL_START, which it answers
 * again until it is told how the start went. */
struct pool_action pool_next(struct pool *pool, int64_t now_ms);
/* Milliseconds until pool_next() may answer something else without an event; -1: no such time. */
int64_t pool_wait_ms(const struct pool *pool, int64_t now_ms);

#endif
