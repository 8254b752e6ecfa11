#include "fcgi/settings.h"

#include <stdlib.h>
#include <string.h>

static const char *check_database_url(const char *value)
{
    struct db_target target;
    const char *wrong = db_target_parse(value, &target);
    db_target_wipe(&target);
    return wrong;
}

static const char *check_currency(const char *value)
{
    for (; *value; value++)
        if (*value < 'A' || *value > 'Z')
            return "must be an ISO 4217 code, three capital letters";
    return NULL;
}

static const char *check_absolute(const char *value)
{
    return value[0] == '/' ? NULL : "must be an absolute path";
}

/* 107: the longest path a Unix socket can have (sun_path less its NUL). */
#define STATUS_SOCKET_ITEM                                                                         \
    CONF_STR("STATUS_SOCKET", status_socket, "/run/cbu/status.sock", 2, 107, "bytes",              \
             "Unix socket on which the master answers /health/live, /health/ready and /status",    \
             check_absolute)

static const struct conf_item status_items[] = {STATUS_SOCKET_ITEM};
static const struct conf_table status_table = {ARRAY(status_items)};

static const struct conf_item items[] = {
    CONF_SECRET("DATABASE_URL", database_url, NULL, USE_SERVE | USE_DATABASE, 1, 2048, "bytes",
                "MySQL endpoint: mysql://user:password@host:port/name, TLS verified; or "
                "mysql://user:password@localhost/name?socket=/path",
                check_database_url),
    CONF_SECRET("MIGRATE_DATABASE_URL", migrate_database_url, "", 0, 1, 2048, "bytes",
                "the same for `cbu migrate`, whose user may change tables; empty: DATABASE_URL",
                check_database_url),
    CONF_STR("DATABASE_CA_FILE", database_ca_file, "/etc/ssl/certs/ca-certificates.crt", 1, 1024,
             "bytes", "PEM file of the authorities that may sign the server's certificate", NULL),
    CONF_INT("DATABASE_CONNECT_TIMEOUT_S", database_connect_timeout_s, "2", 1, 60, "s",
             "longest wait for a database connection"),
    CONF_INT("DATABASE_IO_TIMEOUT_S", database_io_timeout_s, "5", 1, 300, "s",
             "longest wait for the server's next bytes within a statement"),
    CONF_INT("DATABASE_IDLE_S", database_idle_s, "1500", 1, 28800, "s",
             "a connection idle for longer is replaced before use (RDS Proxy ends it at 1800 s)"),
    CONF_INT("DATABASE_MAX_AGE_S", database_max_age_s, "14400", 10, 86400, "s",
             "a connection is replaced at 90 to 100 % of this age"),
    CONF_STR("MIGRATIONS_DIR", migrations_dir, "migrations", 1, 1024, "bytes",
             "folder of the numbered SQL files that `cbu migrate` applies", NULL),
    CONF_SECRET("APP_JWT_SECRET", app_jwt_secret, NULL, USE_SERVE, 32, 4096, "bytes",
                "application secret, the same on all tasks; cursor keys are derived from it", NULL),
    CONF_STR("SHOP_CURRENCY", shop_currency, "USD", 3, 3, "letters",
             "the one currency of the catalogue, ISO 4217", check_currency),
    CONF_CHOICE("LOG_LEVEL", log_level, "INFO", LOG_LEVEL_NAMES, "least level that is logged"),
    CONF_INT("WORKERS", workers, "8", 1, WORKERS_MAX, "processes",
             "FastCGI workers, each with one database connection"),
    CONF_STR("FCGI_SOCKET", fcgi_socket, "/run/cbu/fcgi.sock", 2, 107, "bytes",
             "Unix socket on which nginx reaches the workers", check_absolute),
    CONF_INT("FCGI_BACKLOG", fcgi_backlog, "512", 1, 65535, "connections",
             "connections that may wait for a worker; the kernel caps it at net.core.somaxconn"),
    STATUS_SOCKET_ITEM,
    CONF_INT("STOP_TIMEOUT_S", stop_timeout_s, "25", 1, 110, "s",
             "longest graceful stop; keep it below the task's stopTimeout"),
    CONF_INT("KEEPER_INTERVAL_MS", keeper_interval_ms, "2000", 100, 60000, "ms",
             "how often the keeper looks after the database"),
};

const struct conf_table settings_table = {ARRAY(items)};

/* What no row of the table can see. A path that has a fault of its own is still NULL. */
static bool check_sockets(const struct conf *conf, struct buf *faults)
{
    const char *path = conf->status_socket;
    if (!path || !conf->fcgi_socket || strcmp(path, conf->fcgi_socket) != 0)
        return true;
    buf_add_format(faults, "STATUS_SOCKET=%s: must differ from FCGI_SOCKET\n", path);
    return false;
}

bool settings_read(unsigned uses, struct conf *ret)
{
    char storage[8192];
    struct buf faults = BUF(storage);
    *ret = (struct conf){0};
    bool good =
        conf_read(uses == USE_STATUS ? &status_table : &settings_table, getenv, uses, ret, &faults);
    if (check_sockets(ret, &faults) && good)
        return true;
    fprintf(stderr, "cbu: the settings are invalid (cbu config --help explains them all):\n%.*s",
            SLICE_ARG(buf_slice(&faults)));
    return false;
}

bool settings_database(const struct conf *conf, const char *url, struct db_options *ret,
                       struct err *err)
{
    const char *wrong = db_target_parse(url, &ret->target);
    if (wrong)
        return err_fail(err, &ERR_SETTINGS_INVALID, "database URL %s", wrong);
    ret->target.ca_file = conf->database_ca_file;
    ret->target.connect_timeout_s = (unsigned)conf->database_connect_timeout_s;
    ret->target.io_timeout_s = (unsigned)conf->database_io_timeout_s;
    ret->max_age_ms = conf->database_max_age_s * MS_PER_S;
    ret->max_idle_ms = conf->database_idle_s * MS_PER_S;
    return true;
}
