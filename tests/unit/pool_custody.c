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
        ck_assert_int_eq(custody_pause_ms(i + 1, 0), want[i]);
        ck_assert_int_eq(custody_pause_ms(i + 1, 1000), want[i] / 2);
    }
    ck_assert_int_eq(custody_pause_ms(UINT32_MAX, 0), 60000);
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
     1300},
    {"nothing new", {NEW, OLD}, NEW, OLD, 0, {NEW, OLD}, false, 0},
    {"nothing new, no previous", {NEW, ""}, NEW, "", 0, {NEW, ""}, false, 0},
    {"a new one is accepted first", {OLD, ""}, NEW, OLD, 0, {OLD, NEW}, true, 1300},
    {"and pushes the oldest out", {MID, OLD}, NEW, MID, 0, {MID, NEW}, true, 1300},
    {"it waits", {OLD, NEW}, NEW, OLD, 1001, {OLD, NEW}, false, 1001},
    {"and then signs", {OLD, NEW}, NEW, OLD, 1000, {NEW, OLD}, true, 0},
    {"put back before it did", {OLD, NEW}, OLD, NEW, 1300, {OLD, NEW}, false, 0},
    {"a previous one comes later", {NEW, ""}, NEW, OLD, 0, {NEW, OLD}, true, 0},
};
START_TEST(custody_turns_the_ring)
{
    const struct ring_row *r = &ring_rows[_i];
    struct vault_set set = {0};
    int64_t promote_at = r->promote_at;
    for (size_t i = 0; i < 2 && r->have[i][0]; i++) {
        ck_assert(slice_to_cstr(slice_from_cstr(r->have[i]), ARRAY(set.app_secrets[i])));
        set.app_secret_count = i + 1;
    }
    bool changed = custody_turn_ring(&set, slice_from_cstr(r->current),
                                     slice_from_cstr(r->previous), 1000, 300, &promote_at);
    ck_assert_msg(changed == r->changed, "%s", r->name);
    ck_assert_str_eq(set.app_secrets[0], r->want[0]);
    ck_assert_str_eq(set.app_secrets[1], r->want[1]);
    ck_assert_uint_eq(set.app_secret_count, r->want[1][0] ? 2 : 1);
    ck_assert_int_eq(promote_at, r->want_promote_at);
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
    size_t tries;
};

static bool fake_try(void *ctx, const struct db_target *target, struct err *err)
{
    struct fixture *f = ctx;
    f->tries++;
    if (f->refuse && strcmp(target->password, f->refuse) == 0)
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

START_TEST(custody_gets_everything)
{
    static const struct fake_http_answer answers[] = {
        CREDENTIALS("ASIA1", AT_22_07),
        SECRET("{\\\"username\\\":\\\"web\\\",\\\"password\\\":\\\"p1\\\"}"), SECRET(NEW), ABSENT};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    ck_assert_str_eq(missing(&f), "credentials, database_secret, app_secret");
    ck_assert_int_eq(look_all(&f), 3);
    ck_assert_str_eq(missing(&f), "");
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
    suite_test(s, custody_keeps_what_it_has);
    suite_test(s, custody_publishes_no_login_untried);
    suite_test(s, custody_renews_credentials);
    suite_test(s, custody_gets_the_cognito_secret);
    suite_test(s, custody_suspects_refused_credentials);
}
