#include "fcgi/pool/custody.h"

#include "common/aws/s3.h"
#include "common/aws/secrets.h"
#include "common/db/mysql.h"
#include "common/run/log.h"

#include <inttypes.h>
#include <string.h>

#define CUSTODY_MEMORY    MIB(1)
#define PAUSE_FIRST_MS    1000
#define PAUSE_LAST_MS     60000
#define PAUSE_UNKNOWN_MS  5000
#define ALARM_AFTER_MS    30000 /* of failures of what is not known: somebody must do something */
#define HURRY_AT_LEAST_MS 250   /* between two looks for one thing, however often workers ask */
/* How long a refusal of the database's login stands that nobody repeats; workers that wait for
 * another login do, see worker.c. Its pauses are longer once a second of looking was in vain. */
#define REFUSAL_STANDS_MS 2000
#define LOGIN_LOOKS_EACH  4 /* looks at each of the pauses of 250, 500, 1000 and 2000 ms */
/* After so many early ends a look is carried through, so that nothing is put off for ever. */
#define GIVE_UP_MAX       20
/* Between two looks for credentials because of refusals; a worker that was refused waits for 3 s.
 */
#define SUSPECT_EVERY_MS  2000
#define APP_SECRET_MIN    32

/* Logins are copied whole between the two, here and where they are used. */
#define SAME_ROOM(in_set, in_target)                                                               \
    _Static_assert(sizeof((struct vault_set *)0)->in_set ==                                        \
                       sizeof((struct db_target *)0)->in_target,                                   \
                   "copied whole")
SAME_ROOM(database_user, user);
SAME_ROOM(database_password, password);

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

int64_t custody_pause_ms(unsigned failures, bool known, uint32_t random_of_1000)
{
    int64_t pause_ms = PAUSE_FIRST_MS, last_ms = known ? PAUSE_LAST_MS : PAUSE_UNKNOWN_MS;
    for (unsigned i = 1; i < failures && pause_ms < last_ms; i++)
        pause_ms *= 2;
    if (pause_ms > last_ms)
        pause_ms = last_ms;
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
                       int64_t now_ms, int64_t interval_ms)
{
    int64_t *promote_at_ms = &set->promote_at_ms;
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
        *promote_at_ms = now_ms + 2 * interval_ms;
        return true;
    }
    if (*promote_at_ms == 0) /* it is the old one, put back into force */
        *promote_at_ms = now_ms + 2 * interval_ms;
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

/* An ARN says its region itself. */
static struct slice region_of(const struct conf *conf, struct slice id)
{
    struct slice region = secrets_region_of(id);
    return region.len > 0 ? region : slice_from_cstr(conf->aws_region);
}

static bool get_secret(struct aws_client *client, const struct conf *conf,
                       const struct credentials *credentials, const char *arn,
                       enum secret_stage stage, struct arena *arena, struct slice *ret,
                       struct err *err)
{
    struct slice id = slice_from_cstr(arn);
    struct secret_value value;
    const struct aws_credentials key = credentials_view(credentials);
    const struct secrets_place place = {region_of(conf, id),
                                        slice_from_cstr(conf->aws_endpoint_secrets_manager)};
    if (!secrets_get(client, &key, &place, id, stage, arena, &value, err))
        return false;
    *ret = value.text;
    return true;
}

static bool has_credentials(const struct custody *c)
{
    return credentials_live(&c->set.credentials, aws_client_now_s(&c->client));
}

static bool needs_credentials(const struct custody *c, struct err *err)
{
    const char *why = c->items[CUSTODY_CREDENTIALS].failure.cause;
    return has_credentials(c) ||
           err_fail(err, &ERR_CREDENTIALS_ABSENT, "no AWS credentials at the moment%s%s",
                    *why ? ": " : "", why);
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
    int64_t now_s = aws_client_now_s(&c->client);
    if (!credentials_fetch(&settings, &c->client, &c->arena, &fetched, err))
        return false;
    if (!credentials_live(&fetched, now_s))
        return err_fail(err, &ERR_AWS_ANSWER,
                        "credentials with %" PRId64 " s to live, of which the last %d are not used",
                        fetched.expires_s - now_s, CREDENTIALS_MARGIN_S);
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

static bool is_published(const struct vault_set *set, const struct db_target *target)
{
    return set->login_known && strcmp(set->database_user, target->user) == 0 &&
           strcmp(set->database_password, target->password) == 0;
}

/* Gets one version of the login and, unless it is the published one, tries it. True when it is
 * good: `options` then holds it. `*ret_refused`: the database does not take it, as far as we know.
 */
static bool find_login(struct custody *c, enum secret_stage stage, struct db_options *options,
                       bool *ret_refused, struct err *err)
{
    struct db_target *target = &options->target;
    struct slice text = {0};
    if (!get(c, CUSTODY_DATABASE, stage, &text, err) ||
        !settings_database(c->conf, c->conf->database_url, options, err) ||
        !apply_login(text, &c->arena, target, err))
        return false;
    if (!is_published(&c->set, target))
        return c->try_login(c->try_ctx, target, ret_refused, err);
    *ret_refused = c->login_refused_ms > 0;
    return true;
}

/* A database that is away says nothing of a login. The first one is published all the same: what is
 * missing then is the database, and once it is back nobody waits for another look here. */
static bool is_first_login(const struct custody *c, const struct db_target *got)
{
    return !c->set.login_known && got->password[0];
}

/* The version in force, AWSCURRENT, comes first. While it is refused, a rotation may be under way
 * that has given the database the password of AWSPENDING but has not moved AWSCURRENT yet; it takes
 * seconds for that, and fails when its test does. What the database takes is right. */
static bool look_database(struct custody *c, bool *ret_changed, struct err *err)
{
    CLEANUP(wipe_options) struct db_options current = {0}, pending = {0};
    struct err failed = {0}, absent = {0};
    bool refused = false, of_no_use = false;
    const struct db_options *found = &current;
    bool good = find_login(c, SECRET_CURRENT, &current, &refused, &failed);
    if (refused && find_login(c, SECRET_PENDING, &pending, &of_no_use, &absent)) {
        good = true;
        found = &pending;
    }
    if (!good && !refused && is_first_login(c, &current.target))
        good = true;
    if (!good)
        return err_fail(err, failed.kind, "%s", failed.cause);
    if (is_published(&c->set, &found->target)) {
        c->login_looks++;
        return true;
    }
    memcpy(c->set.database_user, found->target.user, sizeof found->target.user);
    memcpy(c->set.database_password, found->target.password, sizeof found->target.password);
    *ret_changed = c->set.login_known = true;
    c->login_refused_ms = 0;
    c->login_looks = 0;
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
                                     c->conf->secrets_interval_s * MS_PER_S);
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

/* See db_options.login: the target holds the login already, and there is no other. */
static bool note_refusal(void *ctx, bool refused, struct db_target *target, struct err *err)
{
    bool *noted = ctx;
    (void)target;
    (void)err;
    *noted = refused;
    return !refused;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): note_refusal() writes through it. */
static bool try_on_mysql(void *ctx, const struct db_target *target, bool *ret_refused,
                         struct err *err)
{
    const struct custody *c = ctx;
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct db_options options = {
        .target = *target,
        .max_age_ms = MS_PER_S,
        .max_idle_ms = MS_PER_S,
        .login = note_refusal,
        .login_ctx = ret_refused,
    };
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
 * among equals: the others need them. Another login comes before all while requests wait for it. */
static enum custody_item next_item(const struct custody *c)
{
    int found = CUSTODY_ITEMS;
    if (custody_is_urgent(c, 0))
        return CUSTODY_DATABASE;
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

/* Between two looks for a login in place of a refused one. */
static int64_t login_pause_ms(const struct custody *c)
{
    unsigned step = c->login_looks / LOGIN_LOOKS_EACH;
    return (int64_t)HURRY_AT_LEAST_MS << (step < 3 ? step : 3);
}

void custody_hurry(struct custody *c, unsigned needs)
{
    if (needs & VAULT_NEED_LOGIN && c->items[CUSTODY_DATABASE].wanted) {
        if (c->login_refused_ms == 0)
            c->login_looks = 0;
        c->login_refused_ms = world_monotonic_ms(c->world);
        hurry(c, CUSTODY_DATABASE, login_pause_ms(c));
    }
    if (needs & VAULT_NEED_COGNITO)
        hurry(c, CUSTODY_COGNITO, HURRY_AT_LEAST_MS);
}

void custody_stop_when(struct custody *c, struct http_stop stop)
{
    c->stop = stop;
}

bool custody_is_urgent(const struct custody *c, unsigned needs)
{
    const struct custody_state *database = &c->items[CUSTODY_DATABASE];
    int64_t now_ms = world_monotonic_ms(c->world);
    if (!database->wanted || !has_credentials(c))
        return false;
    return (c->login_refused_ms > 0 && database->due_ms <= now_ms) ||
           (needs & VAULT_NEED_LOGIN && database->looked_ms + login_pause_ms(c) <= now_ms);
}

static bool refusal_stands(const struct custody *c)
{
    return c->login_refused_ms > 0 &&
           world_monotonic_ms(c->world) - c->login_refused_ms < REFUSAL_STANDS_MS;
}

static int64_t next_due_ms(const struct custody *c, enum custody_item item)
{
    int64_t now_ms = world_monotonic_ms(c->world), now_s = aws_client_now_s(&c->client);
    uint32_t random = world_random_below(c->world, 1000);
    if (c->items[item].failures > 0)
        return now_ms + custody_pause_ms(c->items[item].failures, is_known(&c->set, item), random);
    if (item == CUSTODY_CREDENTIALS)
        return now_ms +
               (credentials_renew_at(&c->set.credentials, now_s, random) - now_s) * MS_PER_S;
    if (item == CUSTODY_APP_SECRET && c->set.promote_at_ms > 0)
        return c->set.promote_at_ms;
    if (item == CUSTODY_DATABASE && refusal_stands(c))
        return now_ms + login_pause_ms(c);
    int64_t interval_ms = c->conf->secrets_interval_s * MS_PER_S;
    return now_ms + interval_ms - interval_ms / 10 * random / 1000;
}

static void note_error(struct custody *c, enum custody_item item, const struct err *err)
{
    struct custody_state *state = &c->items[item];
    int64_t now_ms = world_monotonic_ms(c->world);
    if (!err->kind)
        state->good_ms = now_ms;
    else if (!state->failure.kind)
        state->failing_since_ms = now_ms;
    state->failure = *err;
}

/* Without it the task never gets ready, and it does not seem to pass by itself. */
static bool is_alarming(const struct custody *c, enum custody_item item)
{
    return !is_known(&c->set, item) &&
           world_monotonic_ms(c->world) - c->items[item].failing_since_ms >= ALARM_AFTER_MS;
}

static void log_look(const struct custody *c, enum custody_item item, bool changed,
                     const struct err *err)
{
    struct slice id = slice_from_cstr(secret_of(c->conf, item)), none = {0};
    if (changed)
        log_info("secret.changed", KV_STR("item", custody_item_name(item)));
    else if (err->kind)
        LOG_EVENT(is_alarming(c, item) ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "secret.failed",
                  KV_STR("item", custody_item_name(item)), KV_SLICE("secret_id", id),
                  KV_SLICE("region", id.len > 0 ? region_of(c->conf, id) : none),
                  KV_I64("failures", c->items[item].failures), KV_STR("code", err->kind->code),
                  KV_STR("cause", err->cause));
}

/* Those that AWS refuses may have been revoked before their time; those that are new may open what
 * the old ones did not. */
static void follow_up(struct custody *c, enum custody_item item, bool changed,
                      const struct err *err)
{
    if (item != CUSTODY_CREDENTIALS) {
        if (err->kind == &ERR_AWS_REFUSED) {
            c->refused = true;
            hurry(c, CUSTODY_CREDENTIALS, SUSPECT_EVERY_MS);
        }
        return;
    }
    c->refused = c->refused && err->kind;
    for (int i = 0; changed && i < CUSTODY_ITEMS; i++)
        if (c->items[i].failures > 0 || i == CUSTODY_BUCKET) /* do they open it? */
            c->items[i].due_ms = world_monotonic_ms(c->world);
}

static void note_look(struct custody *c, enum custody_item item, bool changed,
                      const struct err *err)
{
    struct custody_state *state = &c->items[item];
    state->given_up = 0;
    state->failures = err->kind ? state->failures + 1 : 0;
    state->due_ms = next_due_ms(c, item);
    state->looked_ms = world_monotonic_ms(c->world);
    if (item == CUSTODY_DATABASE && !refusal_stands(c))
        c->login_refused_ms = 0;
    follow_up(c, item, changed, err);
    note_error(c, item, err);
    if (item == CUSTODY_BUCKET)
        note_bucket(c, err);
    else
        log_look(c, item, changed, err);
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
    bool can_wait = item != CUSTODY_DATABASE && c->items[item].given_up < GIVE_UP_MAX;
    c->client.stop = can_wait && c->stop.is_asked ? &c->stop : NULL;
    (void)!looks[item](c, &changed, &err);
    c->client.stop = NULL;
    if (err.kind == &ERR_AWS_INTERRUPTED) { /* it was no failure, and is next but one */
        c->items[item].given_up++;
        c->items[item].due_ms = world_monotonic_ms(c->world) + HURRY_AT_LEAST_MS;
    } else {
        note_look(c, item, changed, &err);
    }
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

static void add_cut(struct buf *out, struct slice text)
{
    size_t left = out->cap - out->len;
    buf_add(out, (struct slice){text.ptr, text.len < left ? text.len : left});
}

void custody_list_errors(const struct custody *c, struct buf *out)
{
    for (int i = 0; i < CUSTODY_BUCKET; i++) {
        const struct err *failure = &c->items[i].failure;
        bool follows = i != CUSTODY_CREDENTIALS && failure->kind == &ERR_CREDENTIALS_ABSENT;
        if (!c->items[i].wanted || !failure->kind || (follows && out->len > 0))
            continue; /* for want of credentials: said already */
        struct slice parts[] = {out->len > 0 ? SLICE("; ") : SLICE(""),
                                slice_from_cstr(custody_item_name((enum custody_item)i)),
                                SLICE(": "), slice_from_cstr(failure->cause)};
        for (size_t k = 0; k < COUNT(parts); k++)
            add_cut(out, parts[k]);
    }
}

int64_t custody_checked_ms(const struct custody *c)
{
    int64_t oldest_ms = INT64_MAX;
    for (int i = CUSTODY_DATABASE; i < CUSTODY_BUCKET; i++)
        if (c->items[i].wanted && c->items[i].good_ms < oldest_ms)
            oldest_ms = c->items[i].good_ms;
    return oldest_ms == INT64_MAX ? 0 : oldest_ms;
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
