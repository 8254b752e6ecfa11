/* conf.h - settings as one table: parsing, --help, the masked listing and docs/configuration.md
 * come from its rows. A program declares `struct conf`, then rows with the macros below. Values
 * come from the environment; an empty value counts as not set. Reads once, at start; no state of
 * its own. */
#ifndef COMMON_RUN_CONF_H
#define COMMON_RUN_CONF_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stdio.h>

enum conf_kind { CONF_KIND_INT, CONF_KIND_STR, CONF_KIND_CHOICE };

struct conf_item {
    const char *name; /* the environment variable */
    enum conf_kind kind;
    size_t offset;        /* in struct conf: int64_t for INT and CHOICE, const char * for STR */
    const char *fallback; /* NULL: required. "" for STR: may stay empty */
    int64_t min, max;     /* the number's range, or the text's length in bytes */
    const char *unit, *help;
    const char *choices; /* CHOICE: names separated by '|'; the field gets the position */
    bool secret;         /* shown as *** everywhere */
    unsigned uses;       /* the commands that require a required item, a program's bits; 0: all */
    /* What is wrong with the value, as the end of a sentence; NULL when nothing is. May be NULL. */
    const char *(*check)(const char *value);
};

/* clang-format off */
#define CONF_ITEM(name, kind, field, fallback, min, max, unit, help, choices, secret, uses, check) \
    {name, kind, offsetof(struct conf, field), fallback, min, max, unit, help, choices, secret, uses, check}
#define CONF_INT(name, field, fallback, min, max, unit, help) \
    CONF_ITEM(name, CONF_KIND_INT, field, fallback, min, max, unit, help, NULL, false, 0, NULL)
#define CONF_STR(name, field, fallback, min, max, unit, help, check) \
    CONF_ITEM(name, CONF_KIND_STR, field, fallback, min, max, unit, help, NULL, false, 0, check)
#define CONF_CHOICE(name, field, fallback, choices, help) \
    CONF_ITEM(name, CONF_KIND_CHOICE, field, fallback, 0, 0, "name", help, choices, false, 0, NULL)
#define CONF_SECRET(name, field, fallback, uses, min, max, unit, help, check) \
    CONF_ITEM(name, CONF_KIND_STR, field, fallback, min, max, unit, help, NULL, true, uses, check)
/* clang-format on */

struct conf_table {
    const struct conf_item *items;
    size_t count;
};

/* Fills the struct behind `conf` from `lookup` (getenv, or a test's function). Appends one line per
 * fault to `faults`, secrets never quoted, and returns false when there was any; all are found in
 * one run. A required text that is absent, but only required by other commands than those of
 * `uses`, becomes "". Text values are borrowed from `lookup`. */
bool conf_read(const struct conf_table *table, char *(*lookup)(const char *name), unsigned uses,
               void *conf, struct buf *faults) MUST_USE;

/* The value of a whole number by its name; false when there is no such item. */
bool conf_find_int(const struct conf_table *table, const void *conf, const char *name,
                   int64_t *ret) MUST_USE;

/* One setting a line: name, default, range, help; for --help. */
void conf_print_help(const struct conf_table *table, FILE *to);
/* NAME=value lines, secrets as ***; what the start-up log and `cbu config` show. */
void conf_print_values(const struct conf_table *table, const void *conf, FILE *to);
/* A JSON array, one object a line: name, kind, value, default, limits, unit, whether secret. The
 * value is as `lookup` gives it, good or bad, else the default; null where a required one is
 * absent. A secret's is "***". */
void conf_print_json(const struct conf_table *table, char *(*lookup)(const char *name), FILE *to);
/* A Markdown table, for docs/configuration.md. */
void conf_print_markdown(const struct conf_table *table, FILE *to);

#endif
