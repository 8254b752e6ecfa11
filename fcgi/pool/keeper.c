#include "fcgi/pool/keeper.h"

#include "common/db/mysql.h"
#include "common/run/log.h"
#include "fcgi/pool/custody.h"
#include "fcgi/pool/key_keeper.h"

#include <signal.h>
#include <string.h>
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

/* ---- the process ---- */

struct keeper {
    const struct conf *conf;
    struct vault *vault;
    struct arena arena;
    struct db *db;
    struct http_client *http; /* NULL: nothing needs AWS */
    struct custody custody;
    struct key_keeper keys;
    enum database_state database;
};

/* The keeper's own connection uses what is published; it never waits for anything better. */
static bool login(void *ctx, bool refused, struct db_target *target, struct err *err)
{
    const struct keeper *k = ctx;
    const struct vault_set *set = &k->custody.set;
    if (refused)
        return false;
    if (!set->login_known)
        return err_fail(err, &ERR_DATABASE_DOWN, "no database password yet");
    memcpy(target->user, set->database_user, sizeof target->user);
    memcpy(target->password, set->database_password, sizeof target->password);
    return true;
}

static bool open_database(struct keeper *k, const struct world *world, struct err *err)
{
    struct db_options options = {0};
    if (!settings_database(k->conf, k->conf->database_url, &options, err))
        return false;
    options.login = login;
    options.login_ctx = k;
    k->db = db_open(&db_driver_mysql, &options, world, err);
    db_target_wipe(&options.target);
    return k->db != NULL;
}

static bool open_custody(struct keeper *k, const struct world *world, struct err *err)
{
    CLEANUP(vault_set_wipe) struct vault_set start;
    struct http_outside outside = {0};
    vault_read(k->vault, &start);
    if (custody_needs_aws(k->conf) || key_keeper_is_wanted(k->conf)) { /* else no libcurl at all */
        const char *ca = k->conf->aws_ca_bundle;
        k->http = http_client_open(*ca ? ca : NULL, err);
        if (!k->http)
            return false;
        outside = http_client_outside(k->http);
    }
    return custody_init(k->conf, world, outside, &start, &k->custody, err) &&
           key_keeper_init(k->conf, world, outside, &k->vault->keys, &k->keys, err);
}

static void look_at_secrets(struct keeper *k)
{
    if (!custody_look(&k->custody))
        return;
    vault_publish(k->vault, &k->custody.set);
    db_renew(k->db);
}

/* By the monotonic clock, as all that is published; 0: never. */
static int64_t credentials_end_ms(const struct credentials *c, const struct world *world)
{
    if (c->expires_s == 0)
        return 0;
    return world_monotonic_ms(world) + c->expires_s * MS_PER_S - world_now_ms(world);
}

static void look_at_database(struct keeper *k, const struct world *world, struct scoreboard *board)
{
    struct snapshot seen = keeper_look(k->db, world, &k->arena);
    struct buf missing = BUF(seen.missing);
    custody_list_missing(&k->custody, &missing);
    key_keeper_describe(&k->keys, &seen);
    if (seen.keys == KEYS_MISSING)
        buf_add(&missing, missing.len > 0 ? SLICE(", keys") : SLICE("keys"));
    if (!buf_cstr(&missing))
        copy_text(seen.missing, sizeof seen.missing, SLICE("several"));
    seen.credentials_end_ms = credentials_end_ms(&k->custody.set.credentials, world);
    seen.bucket = k->custody.bucket;
    copy_text(seen.bucket_error, sizeof seen.bucket_error,
              slice_from_cstr(k->custody.bucket_error));
    scoreboard_publish(board, &seen);
    log_change(&seen, k->database);
    k->database = seen.database;
}

static int64_t next_wait_ms(const struct keeper *k)
{
    int64_t wait_ms = k->conf->keeper_interval_ms;
    const int64_t due_ms[] = {custody_wait_ms(&k->custody), key_keeper_wait_ms(&k->keys)};
    for (size_t i = 0; i < COUNT(due_ms); i++)
        wait_ms = due_ms[i] < wait_ms ? due_ms[i] : wait_ms;
    return wait_ms;
}

static void close_keeper(struct keeper *k)
{
    db_close(k->db);
    key_keeper_done(&k->keys);
    custody_done(&k->custody);
    http_client_close(k->http);
    arena_done(&k->arena);
}

/* Only ever delivered while waiting, so a look is never cut off. */
static volatile sig_atomic_t end_asked;

static void on_sigterm(int signal_number)
{
    (void)signal_number;
    end_asked = 1;
}

int keeper_run(const struct conf *conf, const struct world *world, struct scoreboard *board,
               struct vault *vault)
{
    struct keeper k = {.conf = conf, .vault = vault};
    struct err err = {0};
    const struct sigaction on_term = {.sa_handler = on_sigterm};
    sigset_t wait_mask;
    if (!arena_init(&k.arena, KEEPER_MEMORY, &err) || !open_custody(&k, world, &err) ||
        !open_database(&k, world, &err)) {
        log_error("keeper.failed", KV_STR("cause", err.cause));
        return EX_SOFTWARE;
    }
    sigaction(SIGTERM, &on_term, NULL);
    sigfillset(&wait_mask); /* Ctrl-C and the like are the master's */
    sigdelset(&wait_mask, SIGTERM);
    log_info("keeper.started", KV_I64("pid", getpid()));
    while (!end_asked) {
        key_keeper_look(&k.keys); /* a request may be waiting for it */
        look_at_secrets(&k);
        look_at_database(&k, world, board);
        custody_hurry(&k.custody, vault_wait(vault, next_wait_ms(&k), &wait_mask));
    }
    close_keeper(&k);
    return EX_OK;
}
