#include "fcgi/cli/doctor.h"

#include "fcgi/cli/nginx_variables.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/output.h"

#include <stdlib.h>
#include <string.h>

/* What the lookup finds beside what settings need: name and value by turns. Set by each test. */
static const char *const *environment;

static char *look_up(const char *name)
{
    static char url[] = "mysql://cbu@db.example/shop",
                secret[] = "0123456789abcdef0123456789abcdef";
    for (size_t i = 0; environment[i]; i += 2)
        if (strcmp(environment[i], name) == 0)
            return (char *)environment[i + 1];
    if (strcmp(name, "DATABASE_URL") == 0)
        return url;
    return strcmp(name, "APP_JWT_SECRET") == 0 ? secret : NULL;
}

/* A task as the stacks of infra/ make it. */
static struct doctor examine(const char *const *values, struct conf *conf)
{
    char storage[1024];
    struct buf faults = BUF(storage);
    environment = values;
    *conf = (struct conf){0};
    ck_assert(conf_read(&settings_table, look_up, USE_SERVE, conf, &faults));
    return (struct doctor){conf, look_up, .somaxconn = 4096, .memory_mib = 768};
}

static const char *const nothing[] = {NULL};

START_TEST(doctor_defaults_hold)
{
    struct conf conf;
    struct doctor doctor = examine(nothing, &conf);
    for (size_t i = 0; i < doctor_rules_count; i++) {
        char storage[512];
        struct buf text = BUF(storage);
        ck_assert_msg(doctor_judge(&doctor, &doctor_rules[i], &text) == DOCTOR_HOLDS, "%s: %.*s",
                      doctor_rules[i].name, SLICE_ARG(buf_slice(&text)));
    }
}
END_TEST

/* One row for each rule: the nearest values that hold and that do not. */
static const struct rule_row {
    const char *rule;
    const char *holds[5], *breaks[5];
} rule_rows[] = {
    {"nginx-outlives-load-balancer",
     {"NGINX_KEEPALIVE_TIMEOUT_S", "61"},
     {"NGINX_KEEPALIVE_TIMEOUT_S", "60"}},
    {"repeated-read-within-load-balancer",
     {"NGINX_READ_TIMEOUT_S", "29"},
     {"NGINX_READ_TIMEOUT_S", "30"}},
    {"client-within-load-balancer",
     {"NGINX_CLIENT_TIMEOUT_S", "59"},
     {"NGINX_CLIENT_TIMEOUT_S", "60"}},
    {"database-within-nginx", {"DATABASE_IO_TIMEOUT_S", "6"}, {"DATABASE_IO_TIMEOUT_S", "7"}},
    {"stop-covers-requests",
     {"STOP_TIMEOUT_S", "25", "NGINX_READ_TIMEOUT_S", "25"},
     {"STOP_TIMEOUT_S", "25", "NGINX_READ_TIMEOUT_S", "26"}},
    {"stop-covers-deregistration", {"STOP_TIMEOUT_S", "21"}, {"STOP_TIMEOUT_S", "20"}},
    {"stop-within-ecs", {"STOP_TIMEOUT_S", "110"}, {NULL}},
    {"proxy-tells-before-worker-gives-up",
     {"DATABASE_IO_TIMEOUT_S", "4"},
     {"DATABASE_IO_TIMEOUT_S", "3"}},
    {"idle-within-proxy", {"DATABASE_IDLE_S", "1799"}, {"DATABASE_IDLE_S", "1800"}},
    {"age-within-proxy", {"DATABASE_MAX_AGE_S", "86399"}, {"DATABASE_MAX_AGE_S", "86400"}},
    {"keys-fetched-before-too-old",
     {"JWKS_REFRESH_S", "300", "JWKS_MAX_AGE_S", "301"},
     {"JWKS_REFRESH_S", "300", "JWKS_MAX_AGE_S", "300"}},
    {"backlog-within-kernel", {"FCGI_BACKLOG", "4096"}, {"FCGI_BACKLOG", "4097"}},
    {"queue-within-nginx",
     {"FCGI_BACKLOG", "1016", "WORKERS", "8"},
     {"FCGI_BACKLOG", "1017", "WORKERS", "8"}},
    {"body-within-worker", {"NGINX_MAX_BODY", "4096k"}, {"NGINX_MAX_BODY", "5m"}},
    {"pool-within-memory", {"WORKERS", "64"}, {NULL}},
};

static enum doctor_result judge(const struct doctor *doctor, const char *name)
{
    char storage[512];
    struct buf text = BUF(storage);
    for (size_t i = 0; i < doctor_rules_count; i++)
        if (strcmp(doctor_rules[i].name, name) == 0)
            return doctor_judge(doctor, &doctor_rules[i], &text);
    ck_abort_msg("there is no rule %s", name);
}

START_TEST(doctor_each_rule_breaks)
{
    const struct rule_row *r = &rule_rows[_i];
    struct conf conf;
    struct doctor doctor = examine(r->holds, &conf);
    ck_assert_int_eq(judge(&doctor, r->rule), DOCTOR_HOLDS);
    doctor = examine(r->breaks, &conf);
    /* What the ranges of the settings, or the machine, keep from happening by themselves. */
    if (strcmp(r->rule, "stop-within-ecs") == 0)
        conf.stop_timeout_s = 116;
    if (strcmp(r->rule, "pool-within-memory") == 0)
        doctor.memory_mib = 8 * 8 + 24 - 1;
    ck_assert_int_eq(judge(&doctor, r->rule), DOCTOR_BROKEN);
}
END_TEST

START_TEST(doctor_no_rule_without_its_row)
{
    ck_assert_uint_eq(COUNT(rule_rows), doctor_rules_count);
    for (size_t i = 0; i < doctor_rules_count; i++)
        ck_assert_str_eq(rule_rows[i].rule, doctor_rules[i].name);
}
END_TEST

START_TEST(doctor_says_what_does_not_fit)
{
    static const char *const bad[] = {"NGINX_MAX_BODY", "5m", "FCGI_BACKLOG", "5000", NULL};
    struct conf conf;
    struct doctor doctor = examine(bad, &conf);
    struct output output;
    char text[2048];
    doctor.somaxconn = 128;
    output_begin(&output);
    bool good = doctor_report(&doctor, false, stdout);
    fflush(stdout);
    output_end(&output, text, sizeof text);
    ck_assert(!good);
    ck_assert_msg(strstr(text, "error: body-within-worker: not NGINX_MAX_BODY (5120) <= "
                               "REQUEST_MEMORY_KIB (4096): nginx takes in bodies"),
                  "%s", text);
    ck_assert_msg(strstr(text, "warning: backlog-within-kernel: not FCGI_BACKLOG (5000) <= "
                               "SOMAXCONN (128): the kernel"),
                  "%s", text);
    ck_assert_msg(strstr(text, "warning: queue-within-nginx: not 2 x FCGI_BACKLOG (5000) + 2 x "
                               "WORKERS (8) <= NGINX_WORKER_CONNECTIONS (2048) x "
                               "NGINX_WORKER_PROCESSES (1): nginx"),
                  "%s", text);
}
END_TEST

START_TEST(doctor_unknown_values_decide_nothing)
{
    static const char *const odd[] = {"NGINX_MAX_BODY", "much", NULL};
    struct conf conf;
    struct doctor doctor = examine(odd, &conf);
    doctor.somaxconn = doctor.memory_mib = -1;
    ck_assert_int_eq(judge(&doctor, "body-within-worker"), DOCTOR_UNKNOWN);
    ck_assert_int_eq(judge(&doctor, "backlog-within-kernel"), DOCTOR_UNKNOWN);
    ck_assert_int_eq(judge(&doctor, "pool-within-memory"), DOCTOR_UNKNOWN);
    ck_assert(doctor_report(&doctor, false, stderr));
}
END_TEST

START_TEST(doctor_warnings_do_not_refuse_the_start)
{
    static const char *const warned[] = {"DATABASE_IDLE_S", "1800", NULL};
    static const char *const refused[] = {"NGINX_KEEPALIVE_TIMEOUT_S", "60", NULL};
    struct conf conf;
    struct output output;
    char text[2048];
    output_begin(&output);
    struct doctor doctor = examine(warned, &conf);
    bool good = doctor_admit(&doctor);
    doctor = examine(refused, &conf);
    bool bad = doctor_admit(&doctor);
    output_end(&output, text, sizeof text);
    ck_assert(good);
    ck_assert(!bad);
    ck_assert_msg(strstr(text, "\"event\":\"config.rule_broken\""), "%s", text);
    ck_assert_msg(strstr(text, "cbu: the settings do not fit: nginx-outlives-load-balancer: not "
                               "LOAD_BALANCER_IDLE_S (60) < NGINX_KEEPALIVE_TIMEOUT_S (60): "),
                  "%s", text);
}
END_TEST

START_TEST(nginx_variables_are_those_of_the_file)
{
    struct slice rest = nginx_variables_text();
    struct nginx_variable v;
    ck_assert(nginx_variables_next(&rest, &v));
    ck_assert_text_eq(v.name, "PORT");
    ck_assert_text_eq(v.fallback, "8000");
    ck_assert_text_eq(v.allowed, "1..65535");
    size_t count = 1;
    while (nginx_variables_next(&rest, &v))
        count++;
    ck_assert_uint_gt(count, 10);
    ck_assert(v.name.len > 0);
}
END_TEST

void cli_doctor(struct suite *s)
{
    suite_test(s, doctor_defaults_hold);
    suite_rows(s, doctor_each_rule_breaks, COUNT(rule_rows));
    suite_test(s, doctor_no_rule_without_its_row);
    suite_test(s, doctor_says_what_does_not_fit);
    suite_test(s, doctor_unknown_values_decide_nothing);
    suite_test(s, doctor_warnings_do_not_refuse_the_start);
    suite_test(s, nginx_variables_are_those_of_the_file);
}
