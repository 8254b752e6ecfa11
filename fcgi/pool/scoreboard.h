/* scoreboard.h - shared memory of master, keeper and workers: who does what, and what the keeper
 * knows. Made before the first fork. Each slot is written by its own worker (and cleared by the
 * master after the worker is gone); the snapshot is written by the keeper alone. Readers never wait
 * and never see a half-written snapshot, even when the keeper dies while writing. */
#ifndef FCGI_POOL_SCOREBOARD_H
#define FCGI_POOL_SCOREBOARD_H

#include "common/run/trace.h"
#include "fcgi/settings.h"

#include <stdatomic.h>
#include <sys/types.h>

enum worker_state {
    WORKER_NONE,
    WORKER_STARTING,
    WORKER_IDLE,
    WORKER_BUSY,
    WORKER_CONDEMNED, /* its request took too long; it is about to be killed */
};
const char *worker_state_name(enum worker_state state);

/* The 32 hexadecimal digits that nginx names a request by; all zero: none, or not of nginx. */
struct request_id {
    uint64_t high, low;
};
struct request_id request_id_parse(struct slice text);

/* What a worker counts, in the words of the status pages. */
#define WORKER_COUNTERS(X)                                                                         \
    X(COUNT_REQUESTS, "requests", "Requests answered")                                             \
    X(COUNT_SERVER_ERRORS, "server_errors", "Of these with status 500 and up")                     \
    X(COUNT_SHED, "shed", "Of these refused because they had waited too long")                     \
    X(COUNT_REFUSED, "refused", "Of these refused because workers had died under them")            \
    X(COUNT_SLOW, "slow", "Of these slower than SLOW_REQUEST_MS")                                  \
    X(COUNT_DEPARTED, "departed", "Requests dropped because nobody waited any more")               \
    X(COUNT_HANDED_ON, "handed_on", "Connections handed on to another worker")                     \
    X(COUNT_DATABASE_CONNECTS, "database_connects", "Database connections made")

#define COUNT_ENUM(id, name, help) id,
enum worker_counter { WORKER_COUNTERS(COUNT_ENUM) WORKER_COUNTER_COUNT };
#undef COUNT_ENUM
struct worker_counter_text {
    const char *name, *help;
};
extern const struct worker_counter_text worker_counters[WORKER_COUNTER_COUNT];

/* Buckets of durations: each holds what took at most so long, the last one the rest. */
#define HISTOGRAM_BUCKETS 13
extern const int64_t histogram_bounds_ms[HISTOGRAM_BUCKETS - 1];
struct histogram {
    _Atomic int64_t counts[HISTOGRAM_BUCKETS];
    _Atomic int64_t sum_us;
};
/* By its one writer. */
void histogram_add(struct histogram *h, int64_t us);

struct worker_numbers {
    _Atomic int64_t counters[WORKER_COUNTER_COUNT];
    struct histogram queue, service; /* from nginx to a worker; from there to the answer */
};
/* The same, added up over workers. */
struct pool_numbers {
    int64_t counters[WORKER_COUNTER_COUNT];
    struct {
        int64_t counts[HISTOGRAM_BUCKETS], sum_us;
    } queue, service;
};
/* By its one writer. */
void numbers_count(struct worker_numbers *numbers, enum worker_counter counter, int64_t more);
void numbers_add(struct pool_numbers *to, const struct worker_numbers *numbers);

/* On cache lines of its own, so that busy workers do not slow each other. */
struct worker_slot {
    /* enum worker_state in the low byte; above it a number that grows with each request. So the
     * master can condemn the very request it has looked at, and never the one after it. */
    _Alignas(64) _Atomic uint64_t state;
    _Atomic pid_t pid;                          /* for readers; the master goes by its own list */
    _Atomic int64_t started_ms, state_since_ms; /* monotonic */
    _Atomic uint64_t request_high, request_low; /* the request it serves; zero between two */
    _Atomic int connected;                      /* to the database */
    struct trace_shown trace;
    struct worker_numbers numbers;
};

enum worker_state worker_slot_state(const struct worker_slot *slot);
/* The id of the request it serves, as nginx writes it. */
void worker_slot_request_id(const struct worker_slot *slot, struct buf *out);
/* By the worker of the slot. `worker_slot_end()` returns false when the request was condemned
 * meanwhile: the worker must then end. */
void worker_slot_idle(struct worker_slot *slot, int64_t now_ms); /* for the first time */
void worker_slot_begin(struct worker_slot *slot, int64_t now_ms);
bool worker_slot_end(struct worker_slot *slot, int64_t now_ms) MUST_USE;
/* By the master: condemns the request that is served since `before_ms` or longer. False when there
 * is none; true means that the worker serves no other any more, whatever it does. */
bool worker_slot_condemn(struct worker_slot *slot, int64_t before_ms) MUST_USE;
void worker_slot_reset(struct worker_slot *slot, int64_t now_ms); /* before the fork */

enum database_state { DATABASE_UNKNOWN, DATABASE_UP, DATABASE_DOWN, DATABASE_OLD_SCHEMA };
const char *database_state_name(enum database_state state);

/* What HeadBucket with the credentials in force said last. It never makes a task unready: the
 * catalogue is served without its images. */
enum bucket_state { BUCKET_NONE /* is configured */, BUCKET_UNKNOWN, BUCKET_UP, BUCKET_DOWN };
const char *bucket_state_name(enum bucket_state state);

/* What the workers verify tokens with. Keys that are too old do not make a task unready: all tasks
 * have the same endpoint, and whoever needs no token is served as ever. */
enum keys_state { KEYS_NONE /* are configured */, KEYS_MISSING, KEYS_KNOWN, KEYS_EXPIRED };
const char *keys_state_name(enum keys_state state);

/* What the keeper publishes. */
struct snapshot {
    int64_t checked_ms; /* when the last look began, monotonic; 0: none yet */
    enum database_state database;
    int64_t schema_version, latency_ms;
    char server[64], error[200];
    char missing[128];          /* secrets that are not there yet, as words; "" when all are */
    char secrets_error[400];    /* why the last looks for secrets failed; "" when none did */
    int64_t secrets_checked_ms; /* monotonic: all were read since; 0: not all were read yet */
    int64_t credentials_end_ms; /* monotonic; 0: never, or there are none */
    enum bucket_state bucket;
    char bucket_error[200];
    enum keys_state keys;
    int64_t keys_count, keys_fetched_ms; /* monotonic; 0: never */
    char keys_error[200];                /* why the last fetch failed; "" when it did not */
};

/* Requests whose worker died under them, the newest of them. A read comes again on another worker,
 * and over a kept connection nginx does not count that as an attempt; so the workers count. */
#define FALLEN_MAX 64

struct scoreboard {
    struct worker_slot workers[WORKERS_MAX];
    _Atomic int wanted;       /* workers there shall be; by the master */
    _Atomic int slots;        /* the first slots, so many, may be in use: the most ever wanted */
    _Atomic int64_t queued;   /* connections in the queue of the socket; -1: not known */
    _Atomic uint64_t burials; /* odd while the master moves one from its slot to `fallen` */
    struct {
        _Atomic uint64_t high, low;
    } fallen[FALLEN_MAX];
    _Alignas(64) _Atomic pid_t keeper_pid;
    _Atomic uint64_t snapshot_writes; /* the newest copy is number `writes % 2` */
    struct snapshot snapshots[2];
};

/* Mapped memory shared with all children. Errors: ERR_INTERNAL. */
struct scoreboard *scoreboard_open(struct err *err) MUST_USE;

/* By the worker of `slot`: it serves this request from now on. Returns how many workers have died
 * under it already, as far as is remembered. Costs a look at each slot. */
unsigned scoreboard_begin(struct scoreboard *board, struct worker_slot *slot, struct request_id id);
void scoreboard_end(struct worker_slot *slot);
/* By the master, when the worker of `slot` is gone: what it was serving is remembered. */
void scoreboard_bury(struct scoreboard *board, struct worker_slot *slot);

/* By the keeper only. */
void scoreboard_publish(struct scoreboard *board, const struct snapshot *snapshot);
struct snapshot scoreboard_snapshot(const struct scoreboard *board);

#endif
