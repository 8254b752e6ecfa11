#include "fcgi/cli/commands.h"

#include "common/db/migrate.h"
#include "common/db/mysql.h"
#include "fcgi/pool/custody.h"
#include "fcgi/settings.h"

#include <stdio.h>
#include <sysexits.h>

/* A statement that rebuilds a big table may take long; RDS keeps no connection for longer anyway.
 */
#define MIGRATE_IO_TIMEOUT_S 3600

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

static bool migrate(const struct conf *conf, struct err *err)
{
    const struct world world = world_system();
    struct db_options options = {0};
    bool own = conf->migrate_database_url[0] || conf->migrate_database_secret_arn[0];
    const char *url =
        conf->migrate_database_url[0] ? conf->migrate_database_url : conf->database_url;
    const char *arn = own ? conf->migrate_database_secret_arn : conf->database_secret_arn;
    if (!settings_database(conf, url, &options, err))
        return false;
    if (!custody_complete(conf, arn, &world, &options.target, err)) {
        db_target_wipe(&options.target);
        return false;
    }
    options.target.io_timeout_s = MIGRATE_IO_TIMEOUT_S;
    options.keep = true;
    struct db *db = db_open(&db_driver_mysql, &options, &world, err);
    db_target_wipe(&options.target);
    bool good = db && migrations_apply(db, conf->migrations_dir, report, err);
    db_close(db);
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
