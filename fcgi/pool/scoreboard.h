/* scoreboard.h - shared memory of master, keeper and workers: who does what, and what the keeper
 * knows. Made before the first fork. Each slot is written by its own worker (and cleared by the
 * master after the worker is gone); the snapshot is written by the keeper alone. Readers never wait
 * and never see a half-written snapshot, even when the keeper dies while writing. */
#ifndef FCGI_POOL_SCOREBOARD_H
#define FCGI_POOL_SCOREBOARD_H

#include "fcgi/settings.h"

#include <stdatomic.h>
#include <sys/types.h>

enum worker_state { WORKER_NONE, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY };
const char *worker_state_name(enum worker_state state);

/* The 32 hexadecimal digits that nginx names a request by; all zero: none, or not of nginx. */
struct request_id {
    uint64_t high, low;
};
struct request_id request_id_parse(struct slice text);

/* On cache lines of its own, so that busy workers do not slow each other. */
struct worker_slot {
    _Alignas(64) _Atomic int state;             /* enum worker_state */
    _Atomic pid_t pid;                          /* for readers; the master goes by its own list */
    _Atomic int64_t started_ms, state_since_ms; /* monotonic */
    _Atomic int64_t requests, server_errors;    /* answered; of these with status 500 and up */
    _Atomic int64_t database_connects;
    _Atomic uint64_t request_high, request_low; /* the request it serves; zero between two */
};

enum database_state { DATABASE_UNKNOWN, DATABASE_UP, DATABASE_DOWN, DATABASE_OLD_SCHEMA };
const char *database_state_name(enum database_state state);

/* What HeadBucket with the credentials in force said last. It never makes a task unready: the
 * catalogue is served without its images. */
enum bucket_state { BUCKET_NONE /* is configured */, BUCKET_UNKNOWN, BUCKET_UP, BUCKET_DOWN };
const char *bucket_state_name(enum bucket_state state);

/* What the keeper publishes. */
struct snapshot {
    int64_t checked_ms; /* when the last look began, monotonic; 0: none yet */
    enum database_state database;
    int64_t schema_version, latency_ms;
    char server[64], error[200];
    char missing[128];          /* secrets that are not there yet, as words; "" when all are */
    int64_t credentials_end_ms; /* monotonic; 0: never, or there are none */
    enum bucket_state bucket;
    char bucket_error[200];
};

/* Requests whose worker died under them, the newest of them. A read comes again on another worker,
 * and over a kept connection nginx does not count that as an attempt; so the workers count. */
#define FALLEN_MAX 64

struct scoreboard {
    struct worker_slot workers[WORKERS_MAX];
    _Atomic int wanted;       /* workers there shall be; by the master */
    _Atomic int slots;        /* the first slots, so many, may be in use: the most ever wanted */
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
