#include "fcgi/cli/commands.h"

#include "common/db/migrate.h"
#include "common/db/mysql.h"
#include "common/db/serving_user.h"
#include "fcgi/pool/custody.h"
#include "fcgi/settings.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* A statement that rebuilds a big table may take long; RDS keeps no connection for longer anyway.
 */
#define MIGRATE_IO_TIMEOUT_S 3600
/* Between the change on the server and that of the secret, rotation takes seconds. */
#define ROTATION_WAIT_S      10

static void report(const char *name)
{
    printf("applying %s\n", name);
    (void)fflush(stdout); /* progress; a broken pipe shows at the next write */
}

static int exit_status(const struct err *err)
{
    if (err->kind == &ERR_MIGRATION_CHANGED)
        return EX_DATAERR;
    if (err->kind == &ERR_SETTINGS_INVALID)
        return EX_CONFIG;
    /* The database, or AWS for its password. */
    return err->kind->status == 503 ? EX_UNAVAILABLE : EX_SOFTWARE;
}

/* Whose address, and whose secret. */
struct login {
    const char *url, *arn;
};

/* Both logins of one run. */
struct run {
    const struct conf *conf;
    const struct world *world;
    struct login serving;
    struct db_target *target; /* of the migration: its server and database are the service's too */
};

static void say(const char *what)
{
    puts(what);
}

static bool complete(const struct run *r, const struct login *of, struct db_options *ret,
                     struct err *err)
{
    return settings_database(r->conf, of->url, ret, err) &&
           custody_complete(r->conf, of->arn, r->world, &ret->target, err);
}

/* The serving user and its password, for the database that was migrated. */
static bool read_serving_login(const struct run *r, struct db_target *ret, struct err *err)
{
    struct db_options serving = {0};
    bool good = complete(r, &r->serving, &serving, err);
    if (good) {
        *ret = serving.target;
        memcpy(ret->host, r->target->host, sizeof ret->host);
        memcpy(ret->socket, r->target->socket, sizeof ret->socket);
        memcpy(ret->name, r->target->name, sizeof ret->name);
        ret->port = r->target->port;
    }
    db_target_wipe(&serving.target);
    return good;
}

static bool read_again(void *ctx, struct db_target *login, struct err *err)
{
    puts("the server refuses the serving user's password; waiting for the end of a rotation");
    (void)fflush(stdout);
    sleep(ROTATION_WAIT_S);
    return read_serving_login(ctx, login, err);
}

/* Nothing to do where the migration and the service share a user, and for one without a password,
 * whom the server knows by other means. */
static bool ensure_serving_user(struct run *r, struct db *db, struct err *err)
{
    struct db_target login = {0};
    const struct serving_user user = {
        .admin = db,
        .driver = &db_driver_mysql,
        .login = &login,
        .read_again = r->serving.arn[0] ? read_again : NULL,
        .ctx = r,
        .report = say,
    };
    bool good = read_serving_login(r, &login, err) &&
                (!login.password[0] || strcmp(login.user, r->target->user) == 0 ||
                 serving_user_ensure(&user, err));
    db_target_wipe(&login);
    return good;
}

static bool migrate_as(struct run *r, const struct db_options *options, struct err *err)
{
    struct db *db = db_open(&db_driver_mysql, options, r->world, err);
    bool good = db && migrations_apply(db, r->conf->migrations_dir, report, err) &&
                ensure_serving_user(r, db, err);
    db_close(db);
    return good;
}

static bool migrate(const struct conf *conf, struct err *err)
{
    const struct world world = world_system();
    const bool own = conf->migrate_database_url[0] || conf->migrate_database_secret_arn[0];
    const struct login serving = {conf->database_url, conf->database_secret_arn};
    const struct login migrating = {conf->migrate_database_url[0] ? conf->migrate_database_url
                                                                  : conf->database_url,
                                    own ? conf->migrate_database_secret_arn : serving.arn};
    struct db_options options = {.keep = true};
    struct run r = {conf, &world, serving, &options.target};
    bool good = complete(&r, &migrating, &options, err);
    options.target.io_timeout_s = MIGRATE_IO_TIMEOUT_S;
    good = good && migrate_as(&r, &options, err);
    db_target_wipe(&options.target);
    return good;
}

int command_migrate(int argc, char **argv)
{
    struct conf conf;
    struct err err = {0};
    (void)argc;
    (void)argv;
    if (!settings_read(USE_DATABASE, &conf))
        return EX_CONFIG;
    if (migrate(&conf, &err)) {
        puts("the database is up to date");
        return EX_OK;
    }
    fprintf(stderr, "cbu migrate: %s: %s\n", err.kind->code, err.cause);
    return exit_status(&err);
}
