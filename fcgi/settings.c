#include "fcgi/settings.h"

#include "common/auth/user_pool.h"
#include "common/aws/s3.h"

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

static const char *check_endpoint(const char *value)
{
    bool http = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    size_t len = strlen(value);
    return http && value[len - 1] != '/' ? NULL : "must be http(s)://host[:port], no slash behind";
}

/* Whoever can answer in the place of Cognito decides who is an administrator: plain http does not
 * leave this machine. */
static const char *check_https_or_local(const char *value)
{
    static const char *const starts[] = {
        "https://",          "http://127.0.0.1:", "http://127.0.0.1/",
        "http://localhost:", "http://localhost/", "http://[::1]:"};
    if (strpbrk(value, "@\\ \t\r\n"))
        return "must not hold '@', a backslash or a blank";
    for (size_t i = 0; i < COUNT(starts); i++)
        if (strncmp(value, starts[i], strlen(starts[i])) == 0 && value[strlen(starts[i])])
            return NULL;
    return "must begin with https://, or on this machine http://127.0.0.1:PORT";
}

static const char *check_cognito_endpoint(const char *value)
{
    const char *fault = check_endpoint(value);
    return fault ? fault : check_https_or_local(value);
}

static const char *check_user_pool(const char *value)
{
    return user_pool_fault(slice_from_cstr(value));
}

static const char *check_bucket(const char *value)
{
    return s3_bucket_fault(slice_from_cstr(value));
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
    CONF_STR("DATABASE_SECRET_ARN", database_secret_arn, "", 1, 2048, "bytes",
             "secret with the user (\"username\") and password of DATABASE_URL, or the password "
             "alone; a password in the URL wins",
             NULL),
    CONF_STR("MIGRATE_DATABASE_SECRET_ARN", migrate_database_secret_arn, "", 1, 2048, "bytes",
             "the same for `cbu migrate`, read by no other command", NULL),
    CONF_SECRET("APP_JWT_SECRET", app_jwt_secret, "", 0, 32, 4096, "bytes",
                "application secret, the same on all tasks; cursor keys are derived from it", NULL),
    CONF_STR("APP_JWT_SECRET_ARN", app_jwt_secret_arn, "", 1, 2048, "bytes",
             "secret with the application secret, as plain text or as the member \"key\"; needed "
             "to serve unless APP_JWT_SECRET is set, which wins",
             NULL),
    CONF_STR("COGNITO_USER_POOL_ID", cognito_user_pool_id, "", 1, 128, "bytes",
             "user pool whose access tokens are taken; empty: none, and what needs a token answers "
             "503",
             check_user_pool),
    CONF_STR("COGNITO_CLIENT_ID", cognito_client_id, "", 1, 128, "bytes",
             "the one app client of the pool whose tokens are taken", NULL),
    CONF_SECRET("COGNITO_CLIENT_SECRET", cognito_client_secret, "", 0, 1, 4096, "bytes",
                "secret of the Cognito app client", NULL),
    CONF_STR("COGNITO_CLIENT_SECRET_ARN", cognito_client_secret_arn, "", 1, 2048, "bytes",
             "secret with it, as plain text or as the member \"client_secret\"; "
             "COGNITO_CLIENT_SECRET wins",
             NULL),
    CONF_STR("COGNITO_ENDPOINT_URL", cognito_endpoint, "", 1, 1024, "bytes",
             "address of Cognito, for local use: https, or http on this machine",
             check_cognito_endpoint),
    CONF_STR("COGNITO_JWKS_URL", cognito_jwks_url, "", 1, 1024, "bytes",
             "address of the pool's keys, for local use; empty: below COGNITO_ENDPOINT_URL, or the "
             "pool's own",
             check_https_or_local),
    CONF_INT("JWKS_REFRESH_S", jwks_refresh_s, "300", 1, 86400, "s",
             "the pool's keys are fetched again at 90 to 100 % of this age"),
    CONF_INT("JWKS_MAX_AGE_S", jwks_max_age_s, "21600", 1, 604800, "s",
             "keys that could not be fetched for longer are trusted no more"),
    CONF_INT("TOKEN_LEEWAY_S", token_leeway_s, "0", 0, 300, "s",
             "by how much our clock may be ahead of or behind the one that dated a token"),
    CONF_INT("SECRETS_INTERVAL_S", secrets_interval_s, "300", 1, 86400, "s",
             "how often secrets are read again; a new application secret signs that much later"),
    CONF_STR("S3_BUCKET_NAME", s3_bucket_name, "", 3, 63, "bytes",
             "bucket of the product images; empty: none. The keeper looks whether it answers, "
             "which /status shows",
             check_bucket),
    CONF_STR("AWS_REGION", aws_region, "us-east-2", 1, 64, "bytes",
             "region of what is not named by an ARN", NULL),
    CONF_STR("AWS_CA_BUNDLE", aws_ca_bundle, "", 1, 1024, "bytes",
             "PEM file of the authorities that AWS is verified by; empty: the system's", NULL),
    CONF_STR("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws_endpoint_secrets_manager, "", 1, 1024, "bytes",
             "address of Secrets Manager, for local use", check_endpoint),
    CONF_STR("AWS_ENDPOINT_URL_S3", aws_endpoint_s3, "", 1, 1024, "bytes",
             "address of S3, for local use", check_endpoint),
    CONF_STR("AWS_ACCESS_KEY_ID", aws_access_key_id, "", 1, 128, "bytes",
             "AWS credentials, for local use; on ECS the task role's are fetched", NULL),
    CONF_SECRET("AWS_SECRET_ACCESS_KEY", aws_secret_access_key, "", 0, 1, 256, "bytes",
                "belongs to AWS_ACCESS_KEY_ID", NULL),
    CONF_SECRET("AWS_SESSION_TOKEN", aws_session_token, "", 0, 1, 8192, "bytes",
                "belongs to AWS_ACCESS_KEY_ID, where it is temporary", NULL),
    CONF_STR("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", aws_container_relative_uri, "", 1, 2048,
             "bytes", "path of the task role's credentials on 169.254.170.2; set by ECS", NULL),
    CONF_STR("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_container_full_uri, "", 1, 2048, "bytes",
             "address of a credentials endpoint: https, or http on loopback and the ECS and EKS "
             "addresses",
             NULL),
    CONF_SECRET("AWS_CONTAINER_AUTHORIZATION_TOKEN", aws_container_token, "", 0, 1, 8192, "bytes",
                "sent to the credentials endpoint", NULL),
    CONF_STR("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", aws_container_token_file, "", 1, 1024,
             "bytes", "file with that token, read each time", NULL),
    CONF_STR("AWS_PROFILE", aws_profile, "", 1, 256, "bytes",
             "profile in the shared AWS files, for local use; empty: default", NULL),
    CONF_STR("AWS_SHARED_CREDENTIALS_FILE", aws_credentials_file, "", 1, 1024, "bytes",
             "empty: ~/.aws/credentials", NULL),
    CONF_STR("AWS_CONFIG_FILE", aws_config_file, "", 1, 1024, "bytes", "empty: ~/.aws/config",
             NULL),
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

/* One without the other would take the tokens of any client of the pool, or of none. */
static bool check_sign_in(const struct conf *conf, struct buf *faults)
{
    const char *pool = conf->cognito_user_pool_id, *client = conf->cognito_client_id;
    if (!pool || !client || !*pool == !*client)
        return true;
    buf_add(faults, SLICE("COGNITO_USER_POOL_ID and COGNITO_CLIENT_ID: one is set, so the other "
                          "must be\n"));
    return false;
}

/* NULL: it is set, but not good. */
static bool is_empty(const char *value)
{
    return value && !*value;
}

bool settings_read(unsigned uses, struct conf *ret)
{
    char storage[8192];
    struct buf faults = BUF(storage);
    *ret = (struct conf){0};
    bool good =
        conf_read(uses == USE_STATUS ? &status_table : &settings_table, getenv, uses, ret, &faults);
    const char *home = getenv("HOME"); /* no setting of ours, but the AWS files are there */
    ret->home = home ? home : "";
    if (uses & USE_SERVE && is_empty(ret->app_jwt_secret) && is_empty(ret->app_jwt_secret_arn)) {
        buf_add(&faults,
                SLICE("APP_JWT_SECRET: is required and not set, nor is APP_JWT_SECRET_ARN\n"));
        good = false;
    }
    good = check_sockets(ret, &faults) && good;
    if (uses & USE_SERVE)
        good = check_sign_in(ret, &faults) && good;
    if (good)
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
