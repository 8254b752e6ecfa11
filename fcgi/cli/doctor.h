/* doctor.h - proves that the settings fit to each other and to what surrounds the task: nginx, the
 * load balancer, RDS Proxy, the kernel and the task's memory. No single range can say that, so one
 * table of inequalities, and of settings that pass each other over, does; each names what happens
 * when it does not hold.
 * nginx's values are those of the environment, or nginx's defaults: give both containers the same.
 */
#ifndef FCGI_CLI_DOCTOR_H
#define FCGI_CLI_DOCTOR_H

#include "fcgi/settings.h"

/* An error refuses the start; a warning is a choice somebody may have made on purpose. */
enum doctor_severity { DOCTOR_WARNING, DOCTOR_ERROR };

/* factor x name, or factor x name x times; a NULL name ends the terms, or is the factor alone */
struct doctor_term {
    int64_t factor;
    const char *name, *times;
};

/* The sum of `left` must be below `right`, or at most equal to it with DOCTOR_UP_TO. DOCTOR_ALONE:
 * not both of the first names may be set, whatever they say; an address of a database counts when
 * it holds a password. */
enum doctor_relation { DOCTOR_BELOW, DOCTOR_UP_TO, DOCTOR_ALONE };
struct doctor_rule {
    const char *name;
    enum doctor_severity severity;
    enum doctor_relation relation;
    struct doctor_term left[3], right[1];
    const char *consequence;
};

/* What no setting says. Values come from outside, so a test gives its own. */
struct doctor {
    const struct conf *conf;
    char *(*lookup)(const char *name); /* nginx's variables, and what is set at all: getenv */
    int64_t somaxconn;                 /* -1: not known, its rules are left out */
    int64_t memory_mib;                /* -1: as above */
    int64_t descriptors;               /* -1: as above */
};

/* A number that AWS or the program decides, and where it is written. */
struct doctor_fact {
    const char *name;
    int64_t value;
    const char *source;
};

extern const struct doctor_rule doctor_rules[];
extern const size_t doctor_rules_count;
extern const struct doctor_fact doctor_facts[];
extern const size_t doctor_facts_count;

enum doctor_result { DOCTOR_HOLDS, DOCTOR_BROKEN, DOCTOR_UNKNOWN };

/* Reads /proc/sys/net/core/somaxconn, the memory limit (the least of the cgroup's, version 2, and
 * the machine's) and the limit of descriptors. */
struct doctor doctor_system(const struct conf *conf);
/* Appends the rule with its numbers: "A (5) + 2 x B (7) < C (12)". UNKNOWN: a value is missing. */
enum doctor_result doctor_judge(const struct doctor *doctor, const struct doctor_rule *rule,
                                struct buf *ret_text);
/* Prints the broken rules, all of them with `all`, and what is not known. False when an error is
 * broken. */
bool doctor_report(const struct doctor *doctor, bool all, FILE *to);
/* For the start: broken errors to standard error and false; warnings as events. */
bool doctor_admit(const struct doctor *doctor) MUST_USE;

#endif
