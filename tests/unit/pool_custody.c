#include "fcgi/pool/custody.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_http.h"

#include <string.h>

#define OLD  "old-old-old-old-old-old-old-old-"
#define MID  "mid-mid-mid-mid-mid-mid-mid-mid-"
#define NEW  "new-new-new-new-new-new-new-new-"
#define HOUR 3600

/* ---- decisions ---- */

START_TEST(custody_pauses_grow)
{
    static const int64_t want[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (unsigned i = 0; i < COUNT(want); i++) {
        int64_t unknown = want[i] < 5000 ? want[i] : 5000;
        ck_assert_int_eq(custody_pause_ms(i + 1, true, 0), want[i]);
        ck_assert_int_eq(custody_pause_ms(i + 1, true, 1000), want[i] / 2);
        ck_assert_int_eq(custody_pause_ms(i + 1, false, 0), unknown);
    }
    ck_assert_int_eq(custody_pause_ms(UINT32_MAX, true, 0), 60000);
    ck_assert_int_eq(custody_pause_ms(UINT32_MAX, false, 0), 5000);
}
END_TEST

static const struct ring_row {
    const char *name, *have[2], *current, *previous;
    int64_t promote_at; /* before */
    const char *want[2];
    bool changed;
    int64_t want_promote_at;
} ring_rows[] = {
    {"the first there is", {"", ""}, NEW, "", 0, {NEW, ""}, true, 0},
    {"at start both are known, and the old one signs at first",
     {"", ""},
     NEW,
     OLD,
     0,
     {OLD, NEW},
     true,
     1600},
    {"nothing new", {NEW, OLD}, NEW, OLD, 0, {NEW, OLD}, false, 0},
    {"nothing new, no previous", {NEW, ""}, NEW, "", 0, {NEW, ""}, false, 0},
    {"a new one is accepted first", {OLD, ""}, NEW, OLD, 0, {OLD, NEW}, true, 1600},
    {"and pushes the oldest out", {MID, OLD}, NEW, MID, 0, {MID, NEW}, true, 1600},
    {"it waits", {OLD, NEW}, NEW, OLD, 1001, {OLD, NEW}, false, 1001},
    {"and then signs", {OLD, NEW}, NEW, OLD, 1000, {NEW, OLD}, true, 0},
    {"the old one, back in force, waits as well", {OLD, NEW}, NEW, OLD, 0, {OLD, NEW}, false, 1600},
    {"put back before it did", {OLD, NEW}, OLD, NEW, 1300, {OLD, NEW}, false, 0},
    {"a previous one comes later", {NEW, ""}, NEW, OLD, 0, {NEW, OLD}, true, 0},
};
START_TEST(custody_turns_the_ring)
{
    const struct ring_row *r = &ring_rows[_i];
    struct vault_set set = {.promote_at_ms = r->promote_at};
    for (size_t i = 0; i < 2 && r->have[i][0]; i++) {
        ck_assert(slice_to_cstr(slice_from_cstr(r->have[i]), ARRAY(set.app_secrets[i])));
        set.app_secret_count = i + 1;
    }
    bool changed = custody_turn_ring(&set, slice_from_cstr(r->current),
                                     slice_from_cstr(r->previous), 1000, 300);
    ck_assert_msg(changed == r->changed, "%s", r->name);
    ck_assert_str_eq(set.app_secrets[0], r->want[0]);
    ck_assert_str_eq(set.app_secrets[1], r->want[1]);
    ck_assert_uint_eq(set.app_secret_count, r->want[1][0] ? 2 : 1);
    ck_assert_int_eq(set.promote_at_ms, r->want_promote_at);
}
END_TEST

/* ---- plain values ---- */

static struct conf make_conf(void)
{
    return (struct conf){
        .database_url = "mysql://cbu@localhost/shop",
        .database_ca_file = "",
        .database_connect_timeout_s = 2,
        .database_io_timeout_s = 5,
        .database_idle_s = 60,
        .database_max_age_s = 60,
        .database_secret_arn = "",
        .app_jwt_secret = "",
        .app_jwt_secret_arn = "",
        .cognito_client_secret = "",
        .cognito_client_secret_arn = "",
        .s3_bucket_name = "",
        .aws_region = "us-east-2",
        .aws_endpoint_s3 = "http://127.0.0.1:3",
        .aws_endpoint_secrets_manager = "http://127.0.0.1:1",
        .aws_container_full_uri = "http://127.0.0.1:2/credentials",
        .secrets_interval_s = 300,
    };
}

START_TEST(custody_takes_plain_values)
{
    struct conf conf = make_conf();
    struct vault_set set;
    conf.database_url = "mysql://cbu:p%40ss@localhost/shop";
    conf.database_secret_arn = "ignored";
    conf.app_jwt_secret = NEW;
    conf.app_jwt_secret_arn = "ignored";
    ck_assert(!custody_needs_aws(&conf));
    custody_plain(&conf, &set);
    ck_assert(set.login_known);
    ck_assert_str_eq(set.database_user, "cbu");
    ck_assert_str_eq(set.database_password, "p@ss");
    ck_assert_uint_eq(set.app_secret_count, 1);
    ck_assert_str_eq(set.app_secrets[0], NEW);
}
END_TEST

START_TEST(custody_without_a_password_or_a_secret)
{
    struct conf conf = make_conf();
    struct vault_set set;
    custody_plain(&conf, &set);
    ck_assert(set.login_known); /* a Unix socket may need none */
    ck_assert(!custody_needs_aws(&conf));
    conf.database_secret_arn = "cbu/database";
    custody_plain(&conf, &set);
    ck_assert(!set.login_known);
    ck_assert(custody_needs_aws(&conf));
}
END_TEST

/* ---- looking ---- */

#define CREDENTIALS(key, expires)                                                                  \
    {                                                                                              \
        .status = 200,                                                                             \
        .body = "{\"AccessKeyId\":\"" key                                                          \
                "\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"" expires "\"}"     \
    }
#define SECRET(text)                                                                               \
    {                                                                                              \
        .status = 200, .body = "{\"VersionId\":\"v\",\"SecretString\":\"" text "\"}"               \
    }
#define ABSENT                                                                                     \
    {                                                                                              \
        .status = 400, .body = "{\"__type\":\"ResourceNotFoundException\"}"                        \
    }
#define DOWN                                                                                       \
    {                                                                                              \
        .failure = &ERR_AWS_ANSWER                                                                 \
    }                                   /* a failure that is not tried again at once */
#define AT_22_07 "2026-11-22T22:07:11Z" /* an hour after the fake clock begins */
#define AT_23_07 "2026-11-22T23:07:11Z"

struct fixture {
    struct fake_http http;
    struct conf conf;
    struct custody custody;
    const char *refuse; /* a password that the database does not take */
    bool database_down;
    size_t tries;
};

static bool fake_try(void *ctx, const struct db_target *target, bool *ret_refused, struct err *err)
{
    struct fixture *f = ctx;
    f->tries++;
    if (f->database_down)
        return err_fail(err, &ERR_DATABASE_DOWN, "connect: 2003 fake");
    *ret_refused = f->refuse && strcmp(target->password, f->refuse) == 0;
    if (*ret_refused)
        return err_fail(err, &ERR_DATABASE_DOWN, "connect: 1045 fake");
    return true;
}

static void open_custody(struct fixture *f)
{
    struct err err = {0};
    CLEANUP(vault_set_wipe) struct vault_set start;
    custody_plain(&f->conf, &start);
    ck_assert(custody_init(&f->conf, &f->http.world.world, f->http.client.outside, &start,
                           &f->custody, &err));
    f->custody.try_login = fake_try;
    f->custody.try_ctx = f;
}

static void set_up(struct fixture *f, const struct fake_http_answer *answers, size_t count)
{
    f->conf = make_conf();
    f->conf.database_secret_arn = "cbu/database";
    f->conf.app_jwt_secret_arn = "cbu/app";
    f->refuse = NULL;
    f->database_down = false;
    f->tries = 0;
    fake_http_open(&f->http, answers, count);
    open_custody(f);
}

static void tear_down(struct fixture *f)
{
    custody_done(&f->custody);
    fake_http_close(&f->http);
}

/* Looks until nothing is due; how often something changed. */
static int look_all(struct fixture *f)
{
    int changes = 0;
    for (int i = 0; custody_wait_ms(&f->custody) == 0; i++) {
        changes += custody_look(&f->custody);
        ck_assert_int_lt(i, 20);
    }
    return changes;
}

static const char *missing(struct fixture *f)
{
    static char text[128];
    struct buf out = BUF(text);
    custody_list_missing(&f->custody, &out);
    return buf_cstr(&out);
}

static const char *errors(struct fixture *f)
{
    static char text[512];
    struct buf out = BUF(text);
    custody_list_errors(&f->custody, &out);
    return buf_cstr(&out);
}

START_TEST(custody_gets_everything)
{
    static const struct fake_http_answer answers[] = {
        CREDENTIALS("ASIA1", AT_22_07),
        SECRET("{\\\"username\\\":\\\"web\\\",\\\"password\\\":\\\"p1\\\"}"), SECRET(NEW), ABSENT};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_str_eq(missing(&f), "credentials, database_secret, app_secret");
    ck_assert_int_eq(custody_checked_ms(&f.custody), 0);
    ck_assert_int_eq(look_all(&f), 3);
    ck_assert_str_eq(missing(&f), "");
    ck_assert_str_eq(errors(&f), "");
    ck_assert_int_eq(custody_checked_ms(&f.custody), f.http.world.monotonic_ms);
    ck_assert_str_eq(f.custody.set.database_user, "web");
    ck_assert_str_eq(f.custody.set.database_password, "p1");
    ck_assert_str_eq(f.custody.set.app_secrets[0], NEW);
    ck_assert_str_eq(f.custody.set.credentials.access_key, "ASIA1");
    ck_assert_uint_eq(f.tries, 1);
    ck_assert_int_gt(custody_wait_ms(&f.custody), 200000);
    for (const char *const *p = (const char *const[]){"p1", NEW, "ASIA1", NULL}; *p; p++)
        ck_assert_msg(!strstr(fake_http_log(&f.http), *p), "%s is in the log", *p);
    tear_down(&f);
}
END_TEST

/* At start nothing answers: each is tried again, and what needs credentials as soon as they are
 * there. */
START_TEST(custody_starts_in_an_outage)
{
    static const struct fake_http_answer answers[] = {DOWN, CREDENTIALS("ASIA1", AT_22_07),
                                                      SECRET("p1"), SECRET(NEW), ABSENT};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_str_eq(missing(&f), "credentials, database_secret, app_secret");
    int64_t wait_ms = custody_wait_ms(&f.custody);
    ck_assert(wait_ms > 0 && wait_ms <= 1000);
    fake_world_pass(&f.http.world, wait_ms);
    ck_assert_int_eq(look_all(&f), 3);
    ck_assert_str_eq(missing(&f), "");
    ck_assert_str_eq(f.custody.set.database_user, "cbu"); /* the URL's: the secret names none */
    tear_down(&f);
}
END_TEST

/* The database is away when the task starts: what is missing is the database, not its password, and
 * no back-off stands between its return and the first answer. */
START_TEST(custody_publishes_the_first_login_untried)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      ABSENT,
                                                      SECRET("p2"),
                                                      SECRET(NEW),
                                                      ABSENT};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    f.database_down = true;
    ck_assert_int_eq(look_all(&f), 3);
    ck_assert_uint_eq(f.tries, 1);
    ck_assert_str_eq(missing(&f), "");
    ck_assert_str_eq(errors(&f), "");
    ck_assert_str_eq(f.custody.set.database_password, "p1");
    ck_assert_int_gt(custody_wait_ms(&f.custody), 200000);
    /* A later one is not: the one before may still be good. */
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_str_eq(f.custody.set.database_password, "p1");
    ck_assert_str_eq(errors(&f), "database_secret: connect: 2003 fake");
    tear_down(&f);
}
END_TEST

/* One that the database refuses is no login, and the page says so. */
START_TEST(custody_publishes_no_first_login_that_is_refused)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07), SECRET("p1"),
                                                      ABSENT, SECRET(NEW), ABSENT};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    f.refuse = "p1";
    ck_assert_int_eq(look_all(&f), 2);
    ck_assert_str_eq(missing(&f), "database_secret");
    ck_assert_str_eq(errors(&f), "database_secret: connect: 1045 fake");
    tear_down(&f);
}
END_TEST

/* A task that serves nobody looks often, and says ERROR when it does not seem to pass. */
START_TEST(custody_hurries_and_complains_about_what_is_unknown)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07),
                                                      DOWN,
                                                      DOWN,
                                                      DOWN,
                                                      DOWN,
                                                      DOWN,
                                                      DOWN,
                                                      DOWN,
                                                      DOWN,
                                                      DOWN,
                                                      SECRET(NEW),
                                                      ABSENT};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    f.custody.items[CUSTODY_DATABASE].wanted = false;
    ck_assert_int_eq(look_all(&f), 1);
    for (int64_t passed_ms = 0; passed_ms < 30000;) {
        int64_t wait_ms = custody_wait_ms(&f.custody);
        ck_assert_int_le(wait_ms, 5000);
        ck_assert_ptr_null(strstr(fake_http_log(&f.http), "ERROR"));
        fake_world_pass(&f.http.world, wait_ms);
        passed_ms += wait_ms;
        ck_assert_int_eq(look_all(&f), 0);
    }
    ck_assert_str_eq(missing(&f), "app_secret");
    ck_assert_str_eq(errors(&f), "app_secret: GetSecretValue: fake failure");
    const char *line = strstr(fake_http_log(&f.http), "ERROR");
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_eq(strstr(line, "ERROR\",\"event\":\"secret.failed\",\"item\":\"app_secret\","
                                  "\"secret_id\":\"cbu/app\",\"region\":\"us-east-2\""),
                     line);
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_str_eq(errors(&f), "");
    tear_down(&f);
}
END_TEST

/* What fails for want of credentials is told once, with the reason. */
START_TEST(custody_says_why_there_are_no_credentials)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", "2026-11-22T21:08:00Z")};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_str_eq(errors(&f), "credentials: credentials with 49 s to live, of which the last 60 "
                                 "are not used");
    ck_assert_ptr_nonnull(strstr(f.custody.items[CUSTODY_DATABASE].failure.cause,
                                 "no AWS credentials at the moment: credentials with 49 s"));
    tear_down(&f);
}
END_TEST

/* Later outages change nothing while the credentials live. */
START_TEST(custody_keeps_what_it_has)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_23_07),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      ABSENT,
                                                      DOWN,
                                                      DOWN /* both secrets, five minutes later */};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_str_eq(missing(&f), "");
    ck_assert_str_eq(f.custody.set.database_password, "p1");
    ck_assert_str_eq(f.custody.set.app_secrets[0], NEW);
    tear_down(&f);
}
END_TEST

/* The database takes the new password a moment later than Secrets Manager has it. */
START_TEST(custody_publishes_no_login_untried)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      ABSENT,
                                                      SECRET("p2"),
                                                      ABSENT,
                                                      SECRET("p2")};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    f.refuse = "p2";
    fake_world_pass(&f.http.world, 250);
    custody_hurry(&f.custody, VAULT_NEED_LOGIN);
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_str_eq(f.custody.set.database_password, "p1");
    ck_assert(strstr(fake_http_log(&f.http), "1045"));
    f.refuse = "p1";
    custody_hurry(&f.custody, VAULT_NEED_LOGIN); /* not at once: it has just been looked for */
    ck_assert_int_eq(custody_wait_ms(&f.custody), 250);
    fake_world_pass(&f.http.world, 250);
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    tear_down(&f);
}
END_TEST

/* A rotation in the order of AWS: the database takes the new password only, and AWSCURRENT is still
 * the old one. AWSPENDING is right, and stays so until AWSCURRENT has moved to it. */
START_TEST(custody_takes_a_pending_login)
{
    static const struct fake_http_answer answers[] = {
        CREDENTIALS("ASIA1", AT_22_07),
        SECRET("p1"),
        SECRET(NEW),
        ABSENT,
        SECRET("p1"), /* of AWSCURRENT */
        SECRET("p2"), /* of AWSPENDING */
        SECRET("p1"),
        SECRET("p2"), /* 5 minutes later, in the gap still */
        SECRET("p2")};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    f.custody.items[CUSTODY_APP_SECRET].wanted = false;
    fake_world_pass(&f.http.world, 1000);
    f.refuse = "p1";
    custody_hurry(&f.custody, VAULT_NEED_LOGIN);
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    ck_assert_ptr_nonnull(strstr(f.http.requests[5].body, "AWSPENDING"));
    ck_assert_int_gt(custody_wait_ms(&f.custody), 200000);
    fake_world_pass(&f.http.world, 300000);
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    ck_assert_int_eq(f.custody.items[CUSTODY_DATABASE].failures, 0);
    f.refuse = NULL;
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 0); /* AWSCURRENT has moved */
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    tear_down(&f);
}
END_TEST

/* A rotation that names no pending version: while refusals are told, the keeper looks again and
 * again, at growing pauses, and not once in SECRETS_INTERVAL_S. */
START_TEST(custody_looks_again_while_the_login_is_refused)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      ABSENT,
                                                      SECRET("p1"),
                                                      ABSENT,
                                                      SECRET("p1"),
                                                      ABSENT,
                                                      SECRET("p1"),
                                                      ABSENT,
                                                      SECRET("p1"),
                                                      ABSENT,
                                                      SECRET("p1"),
                                                      ABSENT,
                                                      SECRET("p2")};
    static const int64_t pauses[] = {250, 250, 250, 500, 500};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    fake_world_pass(&f.http.world, 1000);
    for (size_t i = 0; i < COUNT(pauses); i++) {
        custody_hurry(&f.custody, VAULT_NEED_LOGIN);
        ck_assert_int_eq(custody_wait_ms(&f.custody), 0);
        ck_assert_int_eq(look_all(&f), 0);
        ck_assert_int_eq(custody_wait_ms(&f.custody), pauses[i]); /* whoever asks or does not */
        fake_world_pass(&f.http.world, pauses[i]);
    }
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    ck_assert_int_gt(custody_wait_ms(&f.custody), 200000);
    tear_down(&f);
}
END_TEST

/* Nobody repeats the refusal: it is forgotten. */
START_TEST(custody_forgets_a_refusal)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      ABSENT,
                                                      SECRET("p1"),
                                                      ABSENT,
                                                      SECRET("p1"),
                                                      ABSENT};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    fake_world_pass(&f.http.world, 1000);
    custody_hurry(&f.custody, VAULT_NEED_LOGIN);
    ck_assert_int_eq(look_all(&f), 0);
    fake_world_pass(&f.http.world, 2000);
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_int_gt(custody_wait_ms(&f.custody), 200000);
    ck_assert(!custody_is_urgent(&f.custody, 0));
    tear_down(&f);
}
END_TEST

struct asked {
    const struct custody *custody;
    const struct fake_world *world;
    int64_t at_ms; /* monotonic: when a worker is refused */
};

static bool is_asked(void *ctx)
{
    const struct asked *a = ctx;
    bool refused = a->world->monotonic_ms >= a->at_ms;
    return custody_is_urgent(a->custody, refused ? VAULT_NEED_LOGIN : 0);
}

/* S3 is silent while a password is replaced: its look, which can wait, ends at once, and the login
 * comes first; then the bucket is looked at again. It was no failure of S3. */
START_TEST(custody_gives_a_silent_bucket_up_for_a_login)
{
    static const struct fake_http_answer answers[] = {
        CREDENTIALS("ASIA1", AT_22_07),
        SECRET("p1"),
        {.failure = &ERR_AWS_ANSWER}, /* the bucket, at first */
        {.failure = &ERR_AWS_UNREACHABLE, .takes_ms = 2500},
        SECRET("p2"),
        {.status = 200, .body = ""}};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    custody_done(&f.custody);
    f.conf.app_jwt_secret_arn = "";
    f.conf.s3_bucket_name = "images";
    open_custody(&f);
    const struct fake_world *world = &f.http.world;
    struct asked asked = {&f.custody, world, INT64_MAX};
    custody_stop_when(&f.custody, (struct http_stop){is_asked, &asked});
    ck_assert_int_eq(look_all(&f), 2);
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    int64_t begun_ms = world->monotonic_ms;
    asked.at_ms = begun_ms + 400;
    ck_assert(!custody_look(&f.custody));
    ck_assert_int_eq(world->monotonic_ms, begun_ms + 400);
    ck_assert_int_eq(f.custody.items[CUSTODY_BUCKET].failures, 1); /* as before */
    custody_hurry(&f.custody, VAULT_NEED_LOGIN);
    f.refuse = "p1";
    ck_assert(custody_look(&f.custody));
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    asked.at_ms = INT64_MAX;
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_int_eq(f.custody.bucket, BUCKET_UP);
    tear_down(&f);
}
END_TEST

/* The keeper dies right after a new application secret was published: the next one lets it wait as
 * long as the dead one would have. */
START_TEST(custody_promotes_no_sooner_after_a_death)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      SECRET(OLD),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      SECRET(OLD),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      SECRET(OLD)};
    struct fixture f;
    struct err err = {0};
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    ck_assert_str_eq(f.custody.set.app_secrets[0], OLD);
    int64_t promote_at_ms = f.http.world.monotonic_ms + 600000;
    for (int i = 0; i < 2; i++) {
        CLEANUP(vault_set_wipe) struct vault_set published = f.custody.set;
        custody_done(&f.custody);
        ck_assert(custody_init(&f.conf, &f.http.world.world, f.http.client.outside, &published,
                               &f.custody, &err));
        f.custody.try_login = fake_try;
        f.custody.try_ctx = &f;
        f.custody.items[CUSTODY_CREDENTIALS].wanted = false;
        (void)look_all(&f);
        ck_assert_str_eq(f.custody.set.app_secrets[0], i == 0 ? OLD : NEW);
        if (i == 0) {
            f.custody.items[CUSTODY_DATABASE].wanted = false;
            ck_assert_int_eq(f.http.world.monotonic_ms + custody_wait_ms(&f.custody),
                             promote_at_ms);
            fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
        }
    }
    tear_down(&f);
}
END_TEST

/* Cognito refuses what was made with the old secret: the new one is looked for at once, and nothing
 * else is; but not more often than every 250 ms. */
START_TEST(custody_gets_the_cognito_secret)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07),
                                                      SECRET("p1"),
                                                      SECRET(NEW),
                                                      ABSENT,
                                                      SECRET("{\\\"client_secret\\\":\\\"c1\\\"}"),
                                                      SECRET("c2")};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    custody_done(&f.custody);
    f.conf.cognito_client_secret_arn = "cbu/cognito";
    open_custody(&f);
    ck_assert_str_eq(missing(&f), "credentials, database_secret, app_secret, cognito_secret");
    ck_assert_int_eq(look_all(&f), 4);
    ck_assert_str_eq(missing(&f), "");
    ck_assert_str_eq(f.custody.set.cognito_client_secret, "c1");
    custody_hurry(&f.custody, VAULT_NEED_COGNITO);
    ck_assert_int_eq(custody_wait_ms(&f.custody), 250);
    fake_world_pass(&f.http.world, 250);
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_str_eq(f.custody.set.cognito_client_secret, "c2");
    ck_assert_int_gt(custody_wait_ms(&f.custody), 200000);
    tear_down(&f);
}
END_TEST

/* Credentials may be revoked before their time: a refusal makes the keeper look for others, and
 * take them even if they expire sooner. */
START_TEST(custody_suspects_refused_credentials)
{
    static const struct fake_http_answer answers[] = {
        CREDENTIALS("ASIA1", AT_22_07),
        SECRET("p1"),
        SECRET(NEW),
        ABSENT,
        {.status = 400, .body = "{\"__type\":\"UnrecognizedClientException\"}"},
        CREDENTIALS("ASIA2", "2026-11-22T21:27:11Z"),
        SECRET("p2")};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    fake_world_pass(&f.http.world, 10000);
    custody_hurry(&f.custody, VAULT_NEED_LOGIN);
    ck_assert_int_eq(look_all(&f), 2);
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    ck_assert_str_eq(f.custody.set.credentials.access_key, "ASIA2");
    tear_down(&f);
}
END_TEST

/* Our clock is an hour ahead, which Secrets Manager says when it refuses: credentials live until
 * their end by its clock, not by ours. */
START_TEST(custody_lives_by_the_services_clock)
{
    static const struct fake_http_answer answers[] = {
        CREDENTIALS("ASIA1", AT_22_07),
        {.status = 400,
         .body = "{\"__type\":\"InvalidSignatureException\"}",
         .date = "Sun, 22 Nov 2026 20:07:11 GMT"},
        SECRET("p1"),
        SECRET(NEW),
        ABSENT,
        SECRET("p2"),
        SECRET(NEW),
        ABSENT,
        DOWN /* the credentials endpoint */};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(look_all(&f), 3);
    fake_world_pass(&f.http.world, INT64_C(90) * 60 * 1000); /* 22:37 by ours */
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_str_eq(f.custody.set.database_password, "p2");
    tear_down(&f);
}
END_TEST

/* Credentials are renewed between a half and three quarters of their hour; the old ones are used
 * until then, and worse ones never. */
START_TEST(custody_renews_credentials)
{
    static const struct fake_http_answer answers[] = {CREDENTIALS("ASIA1", AT_22_07), DOWN,
                                                      CREDENTIALS("ASIA0", "2026-11-22T21:07:00Z"),
                                                      CREDENTIALS("ASIA2", AT_23_07)};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    f.custody.items[CUSTODY_DATABASE].wanted = f.custody.items[CUSTODY_APP_SECRET].wanted = false;
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_int_eq(custody_wait_ms(&f.custody),
                     (HOUR - CREDENTIALS_MARGIN_S) / 2 * INT64_C(1000));
    for (int i = 0; i < 2; i++) {
        fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
        ck_assert_int_eq(look_all(&f), 0);
        ck_assert_str_eq(f.custody.set.credentials.access_key, "ASIA1");
    }
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_str_eq(f.custody.set.credentials.access_key, "ASIA2");
    tear_down(&f);
}
END_TEST

/* The bucket is looked at with the credentials in force; a refusal makes the keeper look for
 * others, and others make it look again. It is never missing: the catalogue does without its
 * images. */
START_TEST(custody_looks_at_the_bucket)
{
    static const struct fake_http_answer answers[] = {
        CREDENTIALS("ASIA1", AT_22_07), {.status = 200, .body = ""}, {.status = 403, .body = ""},
        CREDENTIALS("ASIA2", AT_23_07), {.status = 200, .body = ""}, {.failure = &ERR_AWS_ANSWER}};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    custody_done(&f.custody);
    f.conf.database_secret_arn = f.conf.app_jwt_secret_arn = "";
    f.conf.s3_bucket_name = "images";
    open_custody(&f);
    ck_assert_int_eq(f.custody.bucket, BUCKET_UNKNOWN);
    ck_assert_str_eq(missing(&f), "credentials");
    ck_assert_int_eq(look_all(&f), 1);
    ck_assert_int_eq(f.custody.bucket, BUCKET_UP);
    ck_assert_str_eq(f.http.requests[1].url, "http://127.0.0.1:3/images");
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 1); /* refused, then others, then up again */
    ck_assert_int_eq(f.custody.bucket, BUCKET_UP);
    ck_assert_str_eq(f.custody.bucket_error, "");
    ck_assert_ptr_nonnull(strstr(f.http.requests[4].authorization, "ASIA2"));
    fake_world_pass(&f.http.world, custody_wait_ms(&f.custody));
    ck_assert_int_eq(look_all(&f), 0);
    ck_assert_int_eq(f.custody.bucket, BUCKET_DOWN);
    ck_assert_str_eq(f.custody.bucket_error, "HeadBucket: fake failure");
    ck_assert_str_eq(missing(&f), "");
    ck_assert_int_eq(f.custody.items[CUSTODY_BUCKET].failures, 1);
    tear_down(&f);
}
END_TEST

START_TEST(custody_needs_aws_for_a_bucket)
{
    struct conf conf = make_conf();
    conf.s3_bucket_name = "images";
    ck_assert(custody_needs_aws(&conf));
}
END_TEST

void pool_custody(struct suite *s)
{
    suite_test(s, custody_looks_at_the_bucket);
    suite_test(s, custody_needs_aws_for_a_bucket);
    suite_test(s, custody_pauses_grow);
    suite_rows(s, custody_turns_the_ring, COUNT(ring_rows));
    suite_test(s, custody_takes_plain_values);
    suite_test(s, custody_without_a_password_or_a_secret);
    suite_test(s, custody_gets_everything);
    suite_test(s, custody_starts_in_an_outage);
    suite_test(s, custody_publishes_the_first_login_untried);
    suite_test(s, custody_publishes_no_first_login_that_is_refused);
    suite_test(s, custody_hurries_and_complains_about_what_is_unknown);
    suite_test(s, custody_says_why_there_are_no_credentials);
    suite_test(s, custody_keeps_what_it_has);
    suite_test(s, custody_publishes_no_login_untried);
    suite_test(s, custody_takes_a_pending_login);
    suite_test(s, custody_looks_again_while_the_login_is_refused);
    suite_test(s, custody_forgets_a_refusal);
    suite_test(s, custody_gives_a_silent_bucket_up_for_a_login);
    suite_test(s, custody_promotes_no_sooner_after_a_death);
    suite_test(s, custody_renews_credentials);
    suite_test(s, custody_lives_by_the_services_clock);
    suite_test(s, custody_gets_the_cognito_secret);
    suite_test(s, custody_suspects_refused_credentials);
}
