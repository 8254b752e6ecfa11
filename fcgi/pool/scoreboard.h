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

/* On cache lines of its own, so that busy workers do not slow each other. */
struct worker_slot {
    _Alignas(64) _Atomic int state;             /* enum worker_state */
    _Atomic pid_t pid;                          /* for readers; the master goes by its own list */
    _Atomic int64_t started_ms, state_since_ms; /* monotonic */
    _Atomic int64_t requests, server_errors;    /* answered; of these with status 500 and up */
    _Atomic int64_t database_connects;
};

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
    int64_t credentials_end_ms; /* monotonic; 0: never, or there are none */
    enum bucket_state bucket;
    char bucket_error[200];
    enum keys_state keys;
    int64_t keys_count, keys_fetched_ms; /* monotonic; 0: never */
    char keys_error[200];                /* why the last fetch failed; "" when it did not */
};

struct scoreboard {
    struct worker_slot workers[WORKERS_MAX];
    _Atomic pid_t keeper_pid;
    _Atomic uint64_t snapshot_writes; /* the newest copy is number `writes % 2` */
    struct snapshot snapshots[2];
};

/* Mapped memory shared with all children. Errors: ERR_INTERNAL. */
struct scoreboard *scoreboard_open(struct err *err) MUST_USE;

/* By the keeper only. */
void scoreboard_publish(struct scoreboard *board, const struct snapshot *snapshot);
struct snapshot scoreboard_snapshot(const struct scoreboard *board);

#endif
