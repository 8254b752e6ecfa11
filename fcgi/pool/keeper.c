#include "fcgi/pool/keeper.h"

#include "common/db/mysql.h"
#include "common/run/log.h"

#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#define KEEPER_MEMORY KIB(256)

static void copy_text(char *ret, size_t cap, struct slice text)
{
    struct buf out = {ret, 0, cap - 1, false};
    buf_add(&out, text.len < cap ? text : (struct slice){text.ptr, cap - 1});
    ret[out.len] = '\0';
}

/* Errors: ERR_NOT_FOUND when no migration was applied yet. */
static bool read_schema_version(struct db *db, struct arena *arena, int64_t *ret, struct err *err)
{
    static const char sql[] = "SELECT version FROM schema_migrations WHERE applied_at IS NOT NULL"
                              " ORDER BY version DESC LIMIT 1";
    return db_read_one(db, arena, sql, NULL, 0, &DB_GET_I64(ret), 1, &ERR_NOT_FOUND, err);
}

struct snapshot keeper_look(struct db *db, const struct world *world, struct arena *arena)
{
    struct snapshot seen = {.checked_ms = world_now_ms(world)};
    struct err err = {0};
    int64_t started_ms = world_monotonic_ms(world);
    bool read = read_schema_version(db, arena, &seen.schema_version, &err);
    seen.latency_ms = world_monotonic_ms(world) - started_ms;
    if (read && seen.schema_version >= SCHEMA_VERSION_NEEDED)
        seen.database = DATABASE_UP;
    else if (err.kind == &ERR_DATABASE_DOWN)
        seen.database = DATABASE_DOWN;
    else /* it answers, but the table is absent, empty, or says an older version */
        seen.database = DATABASE_OLD_SCHEMA;
    copy_text(seen.server, sizeof seen.server, db_server(db));
    copy_text(seen.error, sizeof seen.error, slice_from_cstr(err.cause));
    arena_reset(arena);
    return seen;
}

static void log_change(const struct snapshot *seen, enum database_state before)
{
    if (seen->database == before)
        return;
    enum log_level level = seen->database == DATABASE_UP ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
    LOG_EVENT(level, "database.state", KV_STR("state", database_state_name(seen->database)),
              KV_STR("server", seen->server), KV_I64("schema_version", seen->schema_version),
              KV_STR("cause", seen->error));
}

static struct db *open_database(const struct conf *conf, const struct world *world, struct err *err)
{
    struct db_options options = {0};
    if (!settings_database(conf, conf->database_url, &options, err))
        return NULL;
    struct db *db = db_open(&db_driver_mysql, &options, world, err);
    db_target_wipe(&options.target);
    return db;
}

int keeper_run(const struct conf *conf, const struct world *world, struct scoreboard *board)
{
    struct arena arena;
    struct err err = {0};
    struct db *db = open_database(conf, world, &err);
    enum database_state before = DATABASE_UNKNOWN;
    sigset_t term;
    if (!db || !arena_init(&arena, KEEPER_MEMORY, &err)) {
        log_error("keeper.failed", KV_STR("cause", err.cause));
        return EX_SOFTWARE;
    }
    sigemptyset(&term);
    sigaddset(&term, SIGTERM); /* at once: a look has nothing to lose. Ctrl-C is the master's. */
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    log_info("keeper.started", KV_I64("pid", getpid()));
    for (;;) {
        struct snapshot seen = keeper_look(db, world, &arena);
        scoreboard_publish(board, &seen);
        log_change(&seen, before);
        before = seen.database;
        usleep((useconds_t)conf->keeper_interval_ms * 1000);
    }
}
