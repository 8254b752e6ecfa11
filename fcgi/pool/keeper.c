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

/* Looks after one secret and publishes what is new; true when that is another database login. */
static bool look_at_secrets(struct keeper *k)
{
    uint64_t before = vault_login_version(k->vault);
    if (custody_look(&k->custody))
        vault_publish(k->vault, &k->custody.set);
    return vault_login_version(k->vault) != before;
}

/* Nobody else might look for another login, and the database is not down for the want of one: as
 * workers do, it waits until the next look is due and has been taken. Once it is said to be down,
 * there is nothing to wait for: what else the keeper does is of more use. */
static bool find_other_login(struct keeper *k)
{
    for (int i = 0; i < LOGIN_WAIT_MS / LOGIN_POLL_MS; i++) {
        custody_hurry(&k->custody, VAULT_NEED_LOGIN);
        if (look_at_secrets(k))
            return true;
        if (k->database != DATABASE_UP || !k->custody.items[CUSTODY_DATABASE].wanted)
            return false;
        usleep(LOGIN_POLL_MS * 1000);
    }
    return false;
}

/* The keeper's own connection uses what is published. */
static bool login(void *ctx, bool refused, struct db_target *target, struct err *err)
{
    struct keeper *k = ctx;
    const struct vault_set *set = &k->custody.set;
    if (refused && !find_other_login(k))
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

/* Requests wait for another database login. */
static bool must_find_login(void *ctx)
{
    const struct keeper *k = ctx;
    return custody_is_urgent(&k->custody, vault_needs(k->vault));
}

/* Or one waits for a key of the user pool. */
static bool must_hurry(void *ctx)
{
    const struct keeper *k = ctx;
    return must_find_login(ctx) || key_keeper_is_urgent(&k->keys);
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
    if (!custody_init(k->conf, world, outside, &start, &k->custody, err) ||
        !key_keeper_init(k->conf, world, outside, &k->vault->keys, &k->keys, err))
        return false;
    custody_stop_when(&k->custody, (struct http_stop){must_hurry, k});
    key_keeper_stop_when(&k->keys, (struct http_stop){must_find_login, k});
    return true;
}

/* By the monotonic clock, as all that is published; 0: never. */
static int64_t credentials_end_ms(const struct custody *custody, const struct world *world)
{
    int64_t expires_s = custody->set.credentials.expires_s;
    if (expires_s == 0)
        return 0;
    return world_monotonic_ms(world) + (expires_s - aws_client_now_s(&custody->client)) * MS_PER_S;
}

/* While no login is known there is nothing to look with, and nothing is said of the database. */
static struct snapshot look_or_wait(struct keeper *k, const struct world *world)
{
    const char *why = k->custody.items[CUSTODY_DATABASE].failure.cause;
    struct snapshot unknown = {.database = DATABASE_UNKNOWN};
    if (k->custody.set.login_known)
        return keeper_look(k->db, world, &k->arena);
    (void)snprintf(unknown.error, sizeof unknown.error, "no database password yet%s%.150s",
                   *why ? ": " : "", why);
    return unknown;
}

static void look_at_database(struct keeper *k, const struct world *world, struct scoreboard *board)
{
    struct snapshot seen = look_or_wait(k, world);
    struct buf missing = BUF(seen.missing);
    custody_list_missing(&k->custody, &missing);
    key_keeper_describe(&k->keys, &seen);
    if (seen.keys == KEYS_MISSING)
        buf_add(&missing, missing.len > 0 ? SLICE(", keys") : SLICE("keys"));
    if (!buf_cstr(&missing))
        copy_text(seen.missing, sizeof seen.missing, SLICE("several"));
    struct buf errors = {seen.secrets_error, 0, sizeof seen.secrets_error - 1, false};
    custody_list_errors(&k->custody, &errors); /* the rest of the field is zero */
    seen.secrets_checked_ms = custody_checked_ms(&k->custody);
    seen.credentials_end_ms = credentials_end_ms(&k->custody, world);
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
        if (look_at_secrets(&k))
            db_renew(k.db);
        look_at_database(&k, world, board);
        custody_hurry(&k.custody, vault_wait(vault, next_wait_ms(&k), &wait_mask));
    }
    close_keeper(&k);
    return EX_OK;
}
