/* settings.h - every setting of the program `cbu`, read once from the environment
 * (common/run/conf.h explains the table). nginx's own variables stand in nginx/variables. */
#ifndef FCGI_SETTINGS_H
#define FCGI_SETTINGS_H

#include "common/db/db.h"
#include "common/run/conf.h"
#include "common/run/log.h"

struct conf {
    /* database */
    const char *database_url, *migrate_database_url, *database_ca_file;
    int64_t database_connect_timeout_s, database_io_timeout_s;
    int64_t database_idle_s, database_max_age_s;
    const char *migrations_dir;
    /* service */
    const char *app_jwt_secret, *shop_currency;
    const char *cognito_client_secret;
    const char *cognito_user_pool_id, *cognito_client_id;
    const char *cognito_endpoint, *cognito_jwks_url;
    int64_t jwks_refresh_s, jwks_max_age_s, token_leeway_s;
    /* AWS: what comes from Secrets Manager, and who we are there */
    const char *database_secret_arn, *migrate_database_secret_arn;
    const char *app_jwt_secret_arn, *cognito_client_secret_arn;
    int64_t secrets_interval_s;
    const char *aws_region, *aws_ca_bundle;
    const char *s3_bucket_name;
    const char *aws_endpoint_s3, *aws_endpoint_secrets_manager;
    const char *aws_access_key_id, *aws_secret_access_key, *aws_session_token;
    const char *aws_container_relative_uri, *aws_container_full_uri;
    const char *aws_container_token, *aws_container_token_file;
    const char *aws_profile, *aws_credentials_file, *aws_config_file, *home;
    int64_t log_level;
    /* pool */
    const char *fcgi_socket, *status_socket;
    int64_t workers, fcgi_backlog, stop_timeout_s, keeper_interval_ms;
};

/* The commands that need a required setting. USE_STATUS, alone, reads STATUS_SOCKET and nothing
 * else, so that a fault elsewhere cannot keep anybody from asking how the service is. */
enum settings_use { USE_STATUS = 1 << 0, USE_DATABASE = 1 << 1, USE_SERVE = 1 << 2 };

#define WORKERS_MAX 64

extern const struct conf_table settings_table;

/* Reads the environment. On faults prints every one of them to standard error and returns false;
 * the caller exits with EX_CONFIG. */
bool settings_read(unsigned uses, struct conf *ret) MUST_USE;

/* Connection options for one of the two database URLs. The password it holds is wiped by
 * db_close(); wipe your copy with db_target_wipe(). */
bool settings_database(const struct conf *conf, const char *url, struct db_options *ret,
                       struct err *err) MUST_USE;

#endif
