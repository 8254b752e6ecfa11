#include "fcgi/cli/doctor.h"

#include "common/base/number.h"
#include "fcgi/cli/nginx_variables.h"
#include "fcgi/pool/worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct doctor_fact doctor_facts[] = {
    {"LOAD_BALANCER_IDLE_S", 60, "idle_timeout of the ALB, infra/times.py"},
    {"LOAD_BALANCER_DEREGISTRATION_S", 20, "deregistration delay, infra/times.py"},
    {"ECS_STOP_TIMEOUT_MAX_S", 120, "Amazon ECS: largest stopTimeout on Fargate"},
    {"PROXY_BORROW_S", 3, "connection borrow timeout of RDS Proxy, infra/times.py"},
    {"PROXY_CLIENT_IDLE_S", 1800, "idle client timeout of RDS Proxy, infra/times.py"},
    {"PROXY_CLIENT_AGE_S", 86400, "RDS Proxy ends a client connection after 24 hours"},
    {"REQUEST_MEMORY_KIB", WORKER_REQUEST_MEMORY / 1024,
     "what one request may hold, fcgi/pool/worker.h"},
    {"WORKER_PEAK_MIB", 8, "a worker's own memory and a large answer, docs/operations.md"},
    {"POOL_BASE_MIB", 24, "master, keeper and what the processes share, docs/operations.md"},
};
const size_t doctor_facts_count = COUNT(doctor_facts);

/* Why an error: it breaks whatever the load is. Why a warning: it shows under load or with a part
 * that a local stack does not have. */
const struct doctor_rule doctor_rules[] = {
    {"nginx-outlives-load-balancer",
     DOCTOR_ERROR,
     DOCTOR_BELOW,
     {{1, "LOAD_BALANCER_IDLE_S", NULL}},
     {{1, "NGINX_KEEPALIVE_TIMEOUT_S", NULL}},
     "the load balancer sends requests into connections that nginx is closing: 502"},
    {"repeated-read-within-load-balancer",
     DOCTOR_ERROR,
     DOCTOR_BELOW,
     {{2, "NGINX_READ_TIMEOUT_S", NULL}},
     {{1, "LOAD_BALANCER_IDLE_S", NULL}},
     "the load balancer gives up first, and clients get its 504 instead of a problem"},
    {"client-within-load-balancer",
     DOCTOR_WARNING,
     DOCTOR_BELOW,
     {{1, "NGINX_CLIENT_TIMEOUT_S", NULL}},
     {{1, "LOAD_BALANCER_IDLE_S", NULL}},
     "a stalled client is cut off by the load balancer, and no log of ours says so"},
    {"database-within-nginx",
     DOCTOR_WARNING,
     DOCTOR_BELOW,
     {{1, "DATABASE_CONNECT_TIMEOUT_S", NULL}, {2, "DATABASE_IO_TIMEOUT_S", NULL}},
     {{1, "NGINX_READ_TIMEOUT_S", NULL}},
     "clients get 504 for what the worker is about to answer, and reads are done twice"},
    {"stop-covers-requests",
     DOCTOR_WARNING,
     DOCTOR_UP_TO,
     {{1, "NGINX_READ_TIMEOUT_S", NULL}},
     {{1, "STOP_TIMEOUT_S", NULL}},
     "a stop kills workers whose request nginx still waits for"},
    {"stop-covers-deregistration",
     DOCTOR_WARNING,
     DOCTOR_BELOW,
     {{1, "LOAD_BALANCER_DEREGISTRATION_S", NULL}},
     {{1, "STOP_TIMEOUT_S", NULL}},
     "the load balancer still sends requests when the task has gone: 502 at each deployment"},
    {"stop-within-ecs",
     DOCTOR_ERROR,
     DOCTOR_UP_TO,
     {{1, "STOP_TIMEOUT_S", NULL}, {5, NULL, NULL}},
     {{1, "ECS_STOP_TIMEOUT_MAX_S", NULL}},
     "ECS kills the task in the middle of its graceful stop"},
    {"proxy-tells-before-worker-gives-up",
     DOCTOR_WARNING,
     DOCTOR_BELOW,
     {{1, "PROXY_BORROW_S", NULL}},
     {{1, "DATABASE_IO_TIMEOUT_S", NULL}},
     "a worker guesses from silence what RDS Proxy is about to tell it"},
    {"idle-within-proxy",
     DOCTOR_WARNING,
     DOCTOR_BELOW,
     {{1, "DATABASE_IDLE_S", NULL}},
     {{1, "PROXY_CLIENT_IDLE_S", NULL}},
     "RDS Proxy ends connections that a worker still holds for good: writes get 503"},
    {"age-within-proxy",
     DOCTOR_WARNING,
     DOCTOR_BELOW,
     {{1, "DATABASE_MAX_AGE_S", NULL}},
     {{1, "PROXY_CLIENT_AGE_S", NULL}},
     "RDS Proxy ends connections before the workers replace them: writes get 503"},
    {"keys-fetched-before-too-old",
     DOCTOR_ERROR,
     DOCTOR_BELOW,
     {{1, "JWKS_REFRESH_S", NULL}},
     {{1, "JWKS_MAX_AGE_S", NULL}},
     "tokens get 503 although the user pool's keys could be had"},
    {"backlog-within-kernel",
     DOCTOR_WARNING,
     DOCTOR_UP_TO,
     {{1, "FCGI_BACKLOG", NULL}},
     {{1, "SOMAXCONN", NULL}},
     "the kernel shortens the queue without a word, so 503 comes earlier than planned"},
    {"queue-within-nginx",
     DOCTOR_WARNING,
     DOCTOR_UP_TO,
     {{2, "FCGI_BACKLOG", NULL}, {2, "WORKERS", NULL}},
     {{1, "NGINX_WORKER_CONNECTIONS", "NGINX_WORKER_PROCESSES"}},
     "nginx runs out of connections before the queue is full, and drops clients without a 503"},
    {"body-within-worker",
     DOCTOR_ERROR,
     DOCTOR_UP_TO,
     {{1, "NGINX_MAX_BODY", NULL}},
     {{1, "REQUEST_MEMORY_KIB", NULL}},
     "nginx takes in bodies that no worker can hold"},
    {"pool-within-memory",
     DOCTOR_ERROR,
     DOCTOR_UP_TO,
     {{1, "WORKERS", "WORKER_PEAK_MIB"}, {1, "POOL_BASE_MIB", NULL}},
     {{1, "MEMORY_MIB", NULL}},
     "the kernel kills workers in the middle of requests (signal 9)"},
};
const size_t doctor_rules_count = COUNT(doctor_rules);

/* Numbers of nginx are plain, or sizes such as 16k and 2m, which count in KiB here. */
static bool read_nginx_number(struct slice text, int64_t *ret)
{
    int64_t unit = 1;
    if (text.len > 0 && (text.ptr[text.len - 1] == 'k' || text.ptr[text.len - 1] == 'm')) {
        unit = text.ptr[text.len - 1] == 'm' ? 1024 : 1;
        text.len--;
    }
    int64_t number;
    if (number_parse_i64(text, 0, INT32_MAX, &number) != NUMBER_OK)
        return false;
    *ret = number * unit;
    return true;
}

static bool find_nginx(const struct doctor *doctor, const char *name, int64_t *ret)
{
    struct slice rest = nginx_variables_text();
    struct nginx_variable variable;
    while (nginx_variables_next(&rest, &variable))
        if (slice_equal(variable.name, slice_from_cstr(name))) {
            const char *value = doctor->lookup(name);
            return read_nginx_number(value && *value ? slice_from_cstr(value) : variable.fallback,
                                     ret);
        }
    return false;
}

static bool find(const struct doctor *doctor, const char *name, int64_t *ret)
{
    for (size_t i = 0; i < COUNT(doctor_facts); i++)
        if (strcmp(doctor_facts[i].name, name) == 0) {
            *ret = doctor_facts[i].value;
            return true;
        }
    if (strcmp(name, "SOMAXCONN") == 0 || strcmp(name, "MEMORY_MIB") == 0) {
        *ret = *name == 'S' ? doctor->somaxconn : doctor->memory_mib;
        return *ret >= 0;
    }
    return conf_find_int(&settings_table, doctor->conf, name, ret) || find_nginx(doctor, name, ret);
}

/* Adds up the terms and shows them with their numbers. False when one is not known. */
static bool add_terms(const struct doctor *doctor, const struct doctor_term *terms, size_t count,
                      struct buf *text, int64_t *ret_sum)
{
    bool known = true;
    int64_t sum = 0;
    for (size_t i = 0; i < count && terms[i].factor != 0; i++) {
        const struct doctor_term *term = &terms[i];
        int64_t product = term->factor;
        buf_add_format(text, "%s", i > 0 ? " + " : "");
        if (term->factor != 1 || !term->name)
            buf_add_format(text, "%" PRId64 "%s", term->factor, term->name ? " x " : "");
        for (const char *const *name = (const char *const[]){term->name, term->times, NULL}; *name;
             name++) {
            int64_t value = 0;
            bool found = find(doctor, *name, &value);
            buf_add_format(text, name[0] == term->times ? " x %s" : "%s", *name);
            if (found)
                buf_add_format(text, " (%" PRId64 ")", value);
            known = known && found;
            product *= value;
        }
        sum += product;
    }
    *ret_sum = sum;
    return known;
}

enum doctor_result doctor_judge(const struct doctor *doctor, const struct doctor_rule *rule,
                                struct buf *ret_text)
{
    int64_t left, right;
    bool known = add_terms(doctor, rule->left, COUNT(rule->left), ret_text, &left);
    buf_add_format(ret_text, rule->relation == DOCTOR_UP_TO ? " <= " : " < ");
    known = add_terms(doctor, rule->right, COUNT(rule->right), ret_text, &right) && known;
    if (!known)
        return DOCTOR_UNKNOWN;
    return left < right || (rule->relation == DOCTOR_UP_TO && left == right) ? DOCTOR_HOLDS
                                                                             : DOCTOR_BROKEN;
}

bool doctor_report(const struct doctor *doctor, bool all, FILE *to)
{
    bool good = true;
    for (size_t i = 0; i < doctor_rules_count; i++) {
        const struct doctor_rule *rule = &doctor_rules[i];
        char storage[512];
        struct buf text = BUF(storage);
        enum doctor_result result = doctor_judge(doctor, rule, &text);
        bool error = rule->severity == DOCTOR_ERROR;
        if (result == DOCTOR_BROKEN) {
            fprintf(to, "%s: %s: not %.*s: %s\n", error ? "error" : "warning", rule->name,
                    SLICE_ARG(buf_slice(&text)), rule->consequence);
            good = good && !error;
        } else if (all) {
            fprintf(to, "%s: %s: %.*s\n", result == DOCTOR_HOLDS ? "ok" : "not known", rule->name,
                    SLICE_ARG(buf_slice(&text)));
        }
    }
    return good;
}

bool doctor_admit(const struct doctor *doctor)
{
    bool good = true;
    for (size_t i = 0; i < doctor_rules_count; i++) {
        const struct doctor_rule *rule = &doctor_rules[i];
        char storage[512];
        struct buf text = BUF(storage);
        if (doctor_judge(doctor, rule, &text) != DOCTOR_BROKEN)
            continue;
        if (rule->severity == DOCTOR_WARNING) {
            log_warn("config.rule_broken", KV_STR("rule", rule->name),
                     KV_SLICE("wanted", buf_slice(&text)),
                     KV_STR("consequence", rule->consequence));
            continue;
        }
        fprintf(stderr, "cbu: the settings do not fit: %s: not %.*s: %s\n", rule->name,
                SLICE_ARG(buf_slice(&text)), rule->consequence);
        good = false;
    }
    return good;
}

/* The number in a file of the kernel; -1 when there is none ("max", no such file). */
static int64_t read_number(const char *path)
{
    char line[64] = "";
    FILE *file = fopen(path, "re");
    int64_t number = -1;
    if (!file)
        return -1;
    if (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (number_parse_i64(slice_from_cstr(line), 0, INT64_MAX, &number) != NUMBER_OK)
            number = -1;
    }
    fclose(file);
    return number;
}

/* Inside a container the cgroup's own folder is the root of the file system mounted there. */
struct doctor doctor_system(const struct conf *conf)
{
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t limit = read_number("/sys/fs/cgroup/memory.max");
    int64_t memory = limit >= 0 && limit < machine ? limit : machine;
    return (struct doctor){
        .conf = conf,
        .lookup = getenv,
        .somaxconn = read_number("/proc/sys/net/core/somaxconn"),
        .memory_mib = memory / (int64_t)MIB(1),
    };
}
