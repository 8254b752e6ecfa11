#include "fcgi/pool/keeper.h"

#include "common/db/mysql.h"
#include "common/run/log.h"

#include <poll.h>
#include <signal.h>
#include <sysexits.h>
#include <time.h>
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
    struct snapshot seen = {.checked_ms = world_monotonic_ms(world)};
    struct err err = {0};
    bool read = read_schema_version(db, arena, &seen.schema_version, &err);
    seen.latency_ms = world_monotonic_ms(world) - seen.checked_ms;
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

/* Only ever delivered while sleeping, so a look is never cut off. */
static volatile sig_atomic_t end_asked;

static void on_sigterm(int signal_number)
{
    (void)signal_number;
    end_asked = 1;
}

static void sleep_ms(int64_t wait_ms, const sigset_t *mask)
{
    const struct timespec wait = {wait_ms / MS_PER_S, wait_ms % MS_PER_S * 1000000};
    (void)ppoll(NULL, 0, &wait, mask); /* a signal ends it early */
}

int keeper_run(const struct conf *conf, const struct world *world, struct scoreboard *board)
{
    struct arena arena;
    struct err err = {0};
    struct db *db = open_database(conf, world, &err);
    enum database_state before = DATABASE_UNKNOWN;
    const struct sigaction on_term = {.sa_handler = on_sigterm};
    sigset_t wait_mask;
    if (!db || !arena_init(&arena, KEEPER_MEMORY, &err)) {
        log_error("keeper.failed", KV_STR("cause", err.cause));
        return EX_SOFTWARE;
    }
    sigaction(SIGTERM, &on_term, NULL);
    sigfillset(&wait_mask); /* Ctrl-C and the like are the master's */
    sigdelset(&wait_mask, SIGTERM);
    log_info("keeper.started", KV_I64("pid", getpid()));
    while (!end_asked) {
        struct snapshot seen = keeper_look(db, world, &arena);
        scoreboard_publish(board, &seen);
        log_change(&seen, before);
        before = seen.database;
        sleep_ms(conf->keeper_interval_ms, &wait_mask);
    }
    db_close(db);
    arena_done(&arena);
    return EX_OK;
}
