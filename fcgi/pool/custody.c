#include "fcgi/pool/custody.h"

#include "common/aws/s3.h"
#include "common/aws/secrets.h"
#include "common/db/mysql.h"
#include "common/run/log.h"

#include <string.h>

#define CUSTODY_MEMORY    MIB(1)
#define PAUSE_FIRST_MS    1000
#define PAUSE_LAST_MS     60000
#define HURRY_AT_LEAST_MS 250 /* between two looks for one thing, however often workers ask */
/* Between two looks for credentials because of refusals; a worker that was refused waits for 3 s.
 */
#define SUSPECT_EVERY_MS  2000
#define APP_SECRET_MIN    32

const char *custody_item_name(enum custody_item item)
{
    static const char *const names[] = {"credentials", "database_secret", "app_secret",
                                        "cognito_secret", "bucket"};
    return names[item];
}

/* ---- what the settings say ---- */

static bool has_password(const struct conf *conf)
{
    struct db_target target = {0};
    bool has = !db_target_parse(conf->database_url, &target) && target.password[0];
    db_target_wipe(&target);
    return has;
}

/* The secret's name; "" when the settings hold the value itself, or name none. */
static const char *secret_of(const struct conf *conf, enum custody_item item)
{
    switch (item) {
    case CUSTODY_DATABASE:
        return has_password(conf) ? "" : conf->database_secret_arn;
    case CUSTODY_APP_SECRET:
        return conf->app_jwt_secret[0] ? "" : conf->app_jwt_secret_arn;
    case CUSTODY_COGNITO:
        return conf->cognito_client_secret[0] ? "" : conf->cognito_client_secret_arn;
    case CUSTODY_CREDENTIALS:
    case CUSTODY_BUCKET:
    case CUSTODY_ITEMS:
        break;
    }
    return "";
}

bool custody_needs_aws(const struct conf *conf)
{
    for (int i = CUSTODY_DATABASE; i < CUSTODY_ITEMS; i++)
        if (secret_of(conf, (enum custody_item)i)[0])
            return true;
    return conf->s3_bucket_name[0] != '\0';
}

void custody_plain(const struct conf *conf, struct vault_set *ret)
{
    struct db_target target = {0};
    *ret = (struct vault_set){0};
    /* Without a secret the URL is all there is: a Unix socket may need no password. */
    if (!db_target_parse(conf->database_url, &target) && !secret_of(conf, CUSTODY_DATABASE)[0]) {
        memcpy(ret->database_user, target.user, sizeof target.user);
        memcpy(ret->database_password, target.password, sizeof target.password);
        ret->login_known = true;
    }
    db_target_wipe(&target);
    ret->app_secret_count =
        conf->app_jwt_secret[0] &&
        slice_to_cstr(slice_from_cstr(conf->app_jwt_secret), ARRAY(ret->app_secrets[0]));
    (void)slice_to_cstr(slice_from_cstr(conf->cognito_client_secret),
                        ARRAY(ret->cognito_client_secret));
}

/* ---- decisions ---- */

int64_t custody_pause_ms(unsigned failures, uint32_t random_of_1000)
{
    int64_t pause_ms = PAUSE_FIRST_MS;
    for (unsigned i = 1; i < failures && pause_ms < PAUSE_LAST_MS; i++)
        pause_ms *= 2;
    if (pause_ms > PAUSE_LAST_MS)
        pause_ms = PAUSE_LAST_MS;
    return pause_ms - pause_ms / 2 * (int64_t)random_of_1000 / 1000;
}

static bool is_in_ring(const struct vault_set *set, size_t at, struct slice secret)
{
    return at < set->app_secret_count && slice_equal(slice_from_cstr(set->app_secrets[at]), secret);
}

static void put_in_ring(struct vault_set *set, size_t at, struct slice secret)
{
    if (secret.len > 0 && slice_to_cstr(secret, ARRAY(set->app_secrets[at])) &&
        set->app_secret_count <= at)
        set->app_secret_count = at + 1;
}

static void swap_ring(struct vault_set *set)
{
    char first[VAULT_SECRET_MAX + 1];
    memcpy(first, set->app_secrets[0], sizeof first);
    memcpy(set->app_secrets[0], set->app_secrets[1], sizeof first);
    memcpy(set->app_secrets[1], first, sizeof first);
    explicit_bzero(first, sizeof first);
}

bool custody_turn_ring(struct vault_set *set, struct slice current, struct slice previous,
                       int64_t now_ms, int64_t interval_ms, int64_t *promote_at_ms)
{
    if (set->app_secret_count == 0) { /* as if the current one had just come */
        put_in_ring(set, 0, previous.len > 0 ? previous : current);
        if (previous.len == 0)
            return true;
    }
    if (is_in_ring(set, 0, current)) {
        *promote_at_ms = 0;
        if (previous.len == 0 || is_in_ring(set, 1, previous))
            return false;
        put_in_ring(set, 1, previous);
        return true;
    }
    if (!is_in_ring(set, 1, current)) {
        put_in_ring(set, 1, current);
        *promote_at_ms = now_ms + interval_ms;
        return true;
    }
    if (now_ms < *promote_at_ms)
        return false;
    swap_ring(set);
    *promote_at_ms = 0;
    return true;
}

/* ---- getting ---- */

static struct credentials_settings credentials_settings_of(const struct conf *conf)
{
    return (struct credentials_settings){
        .access_key_id = conf->aws_access_key_id,
        .secret_access_key = conf->aws_secret_access_key,
        .session_token = conf->aws_session_token,
        .container_relative_uri = conf->aws_container_relative_uri,
        .container_full_uri = conf->aws_container_full_uri,
        .container_token = conf->aws_container_token,
        .container_token_file = conf->aws_container_token_file,
        .profile = conf->aws_profile,
        .credentials_file = conf->aws_credentials_file,
        .config_file = conf->aws_config_file,
        .home = conf->home,
    };
}

static bool get_secret(struct aws_client *client, const struct conf *conf,
                       const struct credentials *credentials, const char *arn,
                       enum secret_stage stage, struct arena *arena, struct slice *ret,
                       struct err *err)
{
    struct slice id = slice_from_cstr(arn), region = secrets_region_of(id);
    struct secret_value value;
    const struct aws_credentials key = credentials_view(credentials);
    const struct secrets_place place = {region.len > 0 ? region : slice_from_cstr(conf->aws_region),
                                        slice_from_cstr(conf->aws_endpoint_secrets_manager)};
    if (!secrets_get(client, &key, &place, id, stage, arena, &value, err))
        return false;
    *ret = value.text;
    return true;
}

static bool needs_credentials(const struct custody *c, struct err *err)
{
    return credentials_live(&c->set.credentials, world_now_ms(c->world) / MS_PER_S) ||
           err_fail(err, &ERR_CREDENTIALS_ABSENT, "no AWS credentials at the moment");
}

static bool get(struct custody *c, enum custody_item item, enum secret_stage stage,
                struct slice *ret, struct err *err)
{
    return needs_credentials(c, err) &&
           get_secret(&c->client, c->conf, &c->set.credentials, secret_of(c->conf, item), stage,
                      &c->arena, ret, err);
}

/* Each look_*() says in `ret_changed` whether the set changed, and leaves it alone on failure. */

static bool look_credentials(struct custody *c, bool *ret_changed, struct err *err)
{
    CLEANUP(credentials_wipe) struct credentials fetched = {0};
    const struct credentials_settings settings = credentials_settings_of(c->conf);
    int64_t now_s = world_now_ms(c->world) / MS_PER_S;
    if (!credentials_fetch(&settings, &c->client, &c->arena, &fetched, err))
        return false;
    if (!credentials_live(&fetched, now_s))
        return err_fail(err, &ERR_AWS_ANSWER, "credentials that have expired");
    /* Those that AWS refuses are worse than any others, however long they have still to live. */
    if (!c->refused && !credentials_supersede(&c->set.credentials, &fetched, now_s))
        return true;
    *ret_changed = !credentials_equal(&c->set.credentials, &fetched);
    c->set.credentials = fetched;
    return true;
}

/* Fills in the login; the user of the secret wins over the one in the URL. */
static bool apply_login(struct slice text, struct arena *arena, struct db_target *target,
                        struct err *err)
{
    struct database_login login;
    if (!secrets_read_login(text, arena, &login, err))
        return false;
    if ((login.user.len == 0 || slice_to_cstr(login.user, ARRAY(target->user))) &&
        slice_to_cstr(login.password, ARRAY(target->password)))
        return true;
    return err_fail(err, &ERR_AWS_ANSWER, "user or password is too long");
}

static void wipe_options(struct db_options *options)
{
    db_target_wipe(&options->target);
}

static bool look_database(struct custody *c, bool *ret_changed, struct err *err)
{
    CLEANUP(wipe_options) struct db_options options = {0};
    struct db_target *target = &options.target;
    struct slice text = {0};
    if (!get(c, CUSTODY_DATABASE, SECRET_CURRENT, &text, err) ||
        !settings_database(c->conf, c->conf->database_url, &options, err) ||
        !apply_login(text, &c->arena, target, err))
        return false;
    if (c->set.login_known && strcmp(c->set.database_user, target->user) == 0 &&
        strcmp(c->set.database_password, target->password) == 0)
        return true;
    if (!c->try_login(c->try_ctx, target, err))
        return false;
    memcpy(c->set.database_user, target->user, sizeof target->user);
    memcpy(c->set.database_password, target->password, sizeof target->password);
    *ret_changed = c->set.login_known = true;
    return true;
}

static bool look_app_secret(struct custody *c, bool *ret_changed, struct err *err)
{
    struct slice current = {0}, text = {0}, previous = {0};
    struct err absent = {0};
    if (!get(c, CUSTODY_APP_SECRET, SECRET_CURRENT, &text, err) ||
        !secrets_read_text(text, "key", APP_SECRET_MIN, &c->arena, &current, err))
        return false;
    if (current.len > VAULT_SECRET_MAX)
        return err_fail(err, &ERR_AWS_ANSWER, "the application secret is too long");
    /* A first version has none before it. One that cannot be used is as good as none. */
    if (!get(c, CUSTODY_APP_SECRET, SECRET_PREVIOUS, &text, &absent)) {
        if (absent.kind != &ERR_SECRET_ABSENT)
            return err_fail(err, absent.kind, "%s", absent.cause);
    } else if (!secrets_read_text(text, "key", APP_SECRET_MIN, &c->arena, &previous, &absent) ||
               previous.len > VAULT_SECRET_MAX) {
        previous = (struct slice){0};
    }
    *ret_changed = custody_turn_ring(&c->set, current, previous, world_monotonic_ms(c->world),
                                     c->conf->secrets_interval_s * MS_PER_S, &c->promote_at_ms);
    return true;
}

static bool look_cognito(struct custody *c, bool *ret_changed, struct err *err)
{
    struct slice text = {0}, secret = {0};
    if (!get(c, CUSTODY_COGNITO, SECRET_CURRENT, &text, err) ||
        !secrets_read_text(text, "client_secret", 1, &c->arena, &secret, err))
        return false;
    if (secret.len > VAULT_SECRET_MAX)
        return err_fail(err, &ERR_AWS_ANSWER, "the Cognito client's secret is too long");
    if (slice_equal(secret, slice_from_cstr(c->set.cognito_client_secret)))
        return true;
    *ret_changed = slice_to_cstr(secret, ARRAY(c->set.cognito_client_secret));
    return true;
}

static bool look_bucket(struct custody *c, bool *ret_changed, struct err *err)
{
    *ret_changed = false; /* what was seen stands in `bucket`, not in the vault */
    const struct s3_place place = {slice_from_cstr(c->conf->aws_region),
                                   slice_from_cstr(c->conf->aws_endpoint_s3),
                                   slice_from_cstr(c->conf->s3_bucket_name)};
    const struct aws_credentials key = credentials_view(&c->set.credentials);
    return needs_credentials(c, err) && s3_head_bucket(&c->client, &key, &place, &c->arena, err);
}

/* Said when it changes, not at each look. */
static void note_bucket(struct custody *c, const struct err *err)
{
    enum bucket_state before = c->bucket;
    struct buf error = {c->bucket_error, 0, sizeof c->bucket_error - 1, false};
    c->bucket = err->kind ? BUCKET_DOWN : BUCKET_UP;
    buf_add_cstr(&error, err->cause);
    c->bucket_error[error.len] = '\0';
    if (c->bucket != before)
        LOG_EVENT(err->kind ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "bucket.state",
                  KV_STR("state", bucket_state_name(c->bucket)), KV_STR("cause", err->cause));
}

/* ---- when ---- */

/* Credentials that have expired were known: the secrets got with them are still good, and a task
 * that calls itself unready for want of new ones would help nobody. */
static bool is_known(const struct vault_set *set, enum custody_item item)
{
    switch (item) {
    case CUSTODY_CREDENTIALS:
        return set->credentials.source != CREDENTIALS_NONE;
    case CUSTODY_DATABASE:
        return set->login_known;
    case CUSTODY_APP_SECRET:
        return set->app_secret_count > 0;
    case CUSTODY_COGNITO:
        return set->cognito_client_secret[0] != '\0';
    case CUSTODY_BUCKET:
    case CUSTODY_ITEMS:
        break;
    }
    return true;
}

static bool try_on_mysql(void *ctx, const struct db_target *target, struct err *err)
{
    const struct custody *c = ctx;
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct db_options options = {
        .target = *target, .max_age_ms = MS_PER_S, .max_idle_ms = MS_PER_S};
    struct db *db = db_open(&db_driver_mysql, &options, c->world, err);
    db_target_wipe(&options.target);
    sql_add_plain(&sql, "SELECT 1");
    bool good = db && db_read(db, &sql, &rows, err);
    db_rows_done(&rows);
    db_close(db);
    return good;
}

bool custody_init(const struct conf *conf, const struct world *world, struct http_outside outside,
                  const struct vault_set *start, struct custody *ret, struct err *err)
{
    *ret = (struct custody){
        .conf = conf,
        .world = world,
        .client = {.world = world, .outside = outside, .limits = aws_limits_default},
        .set = *start,
        .try_login = try_on_mysql,
        .try_ctx = ret,
    };
    if (!arena_init(&ret->arena, CUSTODY_MEMORY, err))
        return false;
    for (int i = 0; i < CUSTODY_ITEMS; i++) {
        ret->items[i].wanted = secret_of(conf, (enum custody_item)i)[0];
        ret->items[i].due_ms = world_monotonic_ms(world);
    }
    ret->items[CUSTODY_CREDENTIALS].wanted = custody_needs_aws(conf);
    ret->items[CUSTODY_BUCKET].wanted = conf->s3_bucket_name[0];
    ret->bucket = conf->s3_bucket_name[0] ? BUCKET_UNKNOWN : BUCKET_NONE;
    return true;
}

void custody_done(struct custody *c)
{
    aws_client_done(&c->client);
    arena_done(&c->arena);
    vault_set_wipe(&c->set);
}

/* The wanted item that is most overdue; CUSTODY_ITEMS when there is none. Credentials come first
 * among equals: the others need them. */
static enum custody_item next_item(const struct custody *c)
{
    int found = CUSTODY_ITEMS;
    for (int i = 0; i < CUSTODY_ITEMS; i++)
        if (c->items[i].wanted &&
            (found == CUSTODY_ITEMS || c->items[i].due_ms < c->items[found].due_ms))
            found = i;
    return (enum custody_item)found;
}

int64_t custody_wait_ms(const struct custody *c)
{
    enum custody_item item = next_item(c);
    int64_t left_ms =
        item == CUSTODY_ITEMS ? INT32_MAX : c->items[item].due_ms - world_monotonic_ms(c->world);
    return left_ms > 0 ? left_ms : 0;
}

/* Makes it due so long after the last look, at once if that is over; never later than it is. */
static void hurry(struct custody *c, enum custody_item item, int64_t pause_ms)
{
    struct custody_state *state = &c->items[item];
    int64_t now_ms = world_monotonic_ms(c->world), soon_ms = state->looked_ms + pause_ms;
    if (soon_ms < now_ms)
        soon_ms = now_ms;
    if (soon_ms < state->due_ms)
        state->due_ms = soon_ms;
}

void custody_hurry(struct custody *c, unsigned needs)
{
    if (needs & VAULT_NEED_LOGIN)
        hurry(c, CUSTODY_DATABASE, HURRY_AT_LEAST_MS);
    if (needs & VAULT_NEED_COGNITO)
        hurry(c, CUSTODY_COGNITO, HURRY_AT_LEAST_MS);
}

static int64_t next_due_ms(const struct custody *c, enum custody_item item)
{
    int64_t now_ms = world_monotonic_ms(c->world), now_s = world_now_ms(c->world) / MS_PER_S;
    uint32_t random = world_random_below(c->world, 1000);
    if (c->items[item].failures > 0)
        return now_ms + custody_pause_ms(c->items[item].failures, random);
    if (item == CUSTODY_CREDENTIALS)
        return now_ms +
               (credentials_renew_at(&c->set.credentials, now_s, random) - now_s) * MS_PER_S;
    if (item == CUSTODY_APP_SECRET && c->promote_at_ms > 0)
        return c->promote_at_ms;
    int64_t interval_ms = c->conf->secrets_interval_s * MS_PER_S;
    return now_ms + interval_ms - interval_ms / 10 * random / 1000;
}

static void log_look(const struct custody *c, enum custody_item item, bool changed,
                     const struct err *err)
{
    if (changed)
        log_info("secret.changed", KV_STR("item", custody_item_name(item)));
    else if (err->kind)
        log_warn("secret.failed", KV_STR("item", custody_item_name(item)),
                 KV_I64("failures", c->items[item].failures), KV_STR("code", err->kind->code),
                 KV_STR("cause", err->cause));
}

bool custody_look(struct custody *c)
{
    static bool (*const looks[])(struct custody *, bool *, struct err *) = {
        look_credentials, look_database, look_app_secret, look_cognito, look_bucket};
    enum custody_item item = next_item(c);
    struct err err = {0};
    bool changed = false;
    if (item == CUSTODY_ITEMS || c->items[item].due_ms > world_monotonic_ms(c->world))
        return false;
    bool good = looks[item](c, &changed, &err);
    struct custody_state *state = &c->items[item];
    state->failures = good ? 0 : state->failures + 1;
    state->due_ms = next_due_ms(c, item);
    state->looked_ms = world_monotonic_ms(c->world);
    if (item == CUSTODY_CREDENTIALS) {
        c->refused = c->refused && !good;
    } else if (err.kind == &ERR_AWS_REFUSED) { /* they may have been revoked before their time */
        c->refused = true;
        hurry(c, CUSTODY_CREDENTIALS, SUSPECT_EVERY_MS);
    }
    if (item == CUSTODY_CREDENTIALS && changed) /* what had to do without them tries again */
        for (int i = 0; i < CUSTODY_ITEMS; i++)
            if (c->items[i].failures > 0 || i == CUSTODY_BUCKET) /* do they open it? */
                c->items[i].due_ms = world_monotonic_ms(c->world);
    if (item == CUSTODY_BUCKET)
        note_bucket(c, &err);
    else
        log_look(c, item, changed, &err);
    explicit_bzero(c->arena.base, c->arena.used);
    arena_reset(&c->arena);
    return changed;
}

void custody_list_missing(const struct custody *c, struct buf *out)
{
    for (int i = 0; i < CUSTODY_ITEMS; i++) {
        if (!c->items[i].wanted || is_known(&c->set, (enum custody_item)i))
            continue;
        buf_add(out, out->len > 0 ? SLICE(", ") : SLICE(""));
        buf_add_cstr(out, custody_item_name((enum custody_item)i));
    }
}

/* ---- once ---- */

static bool complete(const struct conf *conf, const char *arn, struct aws_client *client,
                     struct arena *arena, struct db_target *target, struct err *err)
{
    CLEANUP(credentials_wipe) struct credentials credentials = {0};
    const struct credentials_settings settings = credentials_settings_of(conf);
    struct slice text = {0};
    return credentials_fetch(&settings, client, arena, &credentials, err) &&
           get_secret(client, conf, &credentials, arn, SECRET_CURRENT, arena, &text, err) &&
           apply_login(text, arena, target, err);
}

bool custody_complete(const struct conf *conf, const char *arn, const struct world *world,
                      struct db_target *target, struct err *err)
{
    struct arena arena = {0};
    if (!arn[0] || target->password[0])
        return true;
    struct http_client *http =
        http_client_open(conf->aws_ca_bundle[0] ? conf->aws_ca_bundle : NULL, err);
    struct aws_client client = {.world = world, .limits = aws_limits_default};
    bool good = http && arena_init(&arena, CUSTODY_MEMORY, err);
    if (good) {
        client.outside = http_client_outside(http);
        good = complete(conf, arn, &client, &arena, target, err);
        explicit_bzero(arena.base, arena.used);
    }
    aws_client_done(&client);
    arena_done(&arena);
    http_client_close(http);
    return good;
}
