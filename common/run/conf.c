#include "common/run/conf.h"

#include "common/base/json_write.h"
#include "common/base/number.h"

#include <inttypes.h>
#include <string.h>

/* Bytes of a bad value that are shown: one that is very long must not leave no room for the faults
 * of the others. */
#define QUOTED_MAX 80

static int64_t *int_at(void *conf, const struct conf_item *item)
{
    return (int64_t *)(void *)((char *)conf + item->offset);
}

static const char **str_at(void *conf, const struct conf_item *item)
{
    return (const char **)(void *)((char *)conf + item->offset);
}

/* The position of `value` among the item's choices; -1 when it is none of them. */
static int64_t choice_position(const struct conf_item *item, const char *value)
{
    struct slice rest = slice_from_cstr(item->choices), name;
    for (int64_t i = 0; slice_cut(&rest, '|', &name); i++)
        if (slice_equal(name, slice_from_cstr(value)))
            return i;
    return -1;
}

static struct slice choice_name(const struct conf_item *item, int64_t position)
{
    struct slice rest = slice_from_cstr(item->choices), name = {0};
    for (int64_t i = 0; slice_cut(&rest, '|', &name); i++)
        if (i == position)
            break;
    return name;
}

/* A password may stand in an address, in front of '@', whatever the address is meant for. */
static bool is_hidden(const struct conf_item *item, const char *value)
{
    return item->secret || (strstr(value, "://") && strchr(value, '@'));
}

static void fault(struct buf *faults, const struct conf_item *item, const char *value,
                  const char *what)
{
    if (!value || is_hidden(item, value))
        buf_add_format(faults, "%s: %s\n", item->name, what);
    else
        buf_add_format(faults, "%s=%.*s: %s\n", item->name, QUOTED_MAX, value, what);
}

static bool read_int(const struct conf_item *item, const char *value, void *conf,
                     struct buf *faults)
{
    char what[96];
    enum number_result result =
        number_parse_i64(slice_from_cstr(value), item->min, item->max, int_at(conf, item));
    if (result == NUMBER_OK)
        return true;
    snprintf(what, sizeof what, "must be a whole number from %" PRId64 " to %" PRId64 " (%s)",
             item->min, item->max, item->unit);
    fault(faults, item, value, what);
    return false;
}

static bool read_str(const struct conf_item *item, const char *value, void *conf,
                     struct buf *faults)
{
    char what[96];
    size_t len = strlen(value);
    const char *wrong = NULL;
    if (len == 0) { /* an empty fallback, or an item this command does not need */
        *str_at(conf, item) = value;
        return true;
    }
    if (len < (size_t)item->min || len > (size_t)item->max) {
        snprintf(what, sizeof what, "must be %" PRId64 " to %" PRId64 " bytes long", item->min,
                 item->max);
        wrong = what;
    } else if (item->check) {
        wrong = item->check(value);
    }
    if (wrong) {
        fault(faults, item, value, wrong);
        return false;
    }
    *str_at(conf, item) = value;
    return true;
}

static bool read_choice(const struct conf_item *item, const char *value, void *conf,
                        struct buf *faults)
{
    char what[160];
    int64_t position = choice_position(item, value);
    if (position >= 0) {
        *int_at(conf, item) = position;
        return true;
    }
    snprintf(what, sizeof what, "must be one of %s", item->choices);
    fault(faults, item, value, what);
    return false;
}

static bool read_item(const struct conf_item *item, const char *value, unsigned uses, void *conf,
                      struct buf *faults)
{
    if (!value || !*value)
        value = item->fallback;
    if (!value && item->uses != 0 && !(item->uses & uses))
        value = "";
    if (!value) {
        fault(faults, item, NULL, "is required and not set");
        return false;
    }
    switch (item->kind) {
    case CONF_KIND_INT:
        return read_int(item, value, conf, faults);
    case CONF_KIND_CHOICE:
        return read_choice(item, value, conf, faults);
    case CONF_KIND_STR:
        break;
    }
    return read_str(item, value, conf, faults);
}

bool conf_read(const struct conf_table *table, char *(*lookup)(const char *name), unsigned uses,
               void *conf, struct buf *faults)
{
    bool good = true;
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_item *item = &table->items[i];
        if (!read_item(item, lookup(item->name), uses, conf, faults))
            good = false;
    }
    return good;
}

bool conf_find_int(const struct conf_table *table, const void *conf, const char *name, int64_t *ret)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_item *item = &table->items[i];
        if (item->kind != CONF_KIND_INT || strcmp(item->name, name) != 0)
            continue;
        *ret = *(const int64_t *)(const void *)((const char *)conf + item->offset);
        return true;
    }
    return false;
}

static const char *shown_default(const struct conf_item *item)
{
    if (!item->fallback)
        return "required";
    return *item->fallback ? item->fallback : "empty";
}

static void print_range(const struct conf_item *item, FILE *to, const char *separator)
{
    if (item->kind == CONF_KIND_CHOICE) {
        struct slice rest = slice_from_cstr(item->choices), name;
        for (const char *between = ""; slice_cut(&rest, '|', &name); between = separator)
            fprintf(to, "%s%.*s", between, SLICE_ARG(name));
    } else {
        fprintf(to, "%" PRId64 " to %" PRId64 " %s", item->min, item->max, item->unit);
    }
}

void conf_print_help(const struct conf_table *table, FILE *to)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_item *item = &table->items[i];
        fprintf(to, "  %-30s %s\n  %-30s   ", item->name, item->help, "");
        print_range(item, to, ", ");
        fprintf(to, "; %s%s\n", item->fallback ? "default " : "", shown_default(item));
    }
}

static void print_text(const struct conf_item *item, const char *value, FILE *to)
{
    fputs(*value && is_hidden(item, value) ? "***" : value, to);
}

void conf_print_values(const struct conf_table *table, const void *conf, FILE *to)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_item *item = &table->items[i];
        const char *field = (const char *)conf + item->offset;
        fprintf(to, "%s=", item->name);
        if (item->kind == CONF_KIND_STR)
            print_text(item, *(const char *const *)(const void *)field, to);
        else if (item->kind == CONF_KIND_CHOICE)
            fprintf(to, "%.*s",
                    SLICE_ARG(choice_name(item, *(const int64_t *)(const void *)field)));
        else
            fprintf(to, "%" PRId64, *(const int64_t *)(const void *)field);
        fputc('\n', to);
    }
}

void conf_print_markdown(const struct conf_table *table, FILE *to)
{
    fputs("| setting | default | range | meaning |\n|---|---|---|---|\n", to);
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_item *item = &table->items[i];
        const char *quote = item->fallback && *item->fallback ? "`" : "";
        fprintf(to, "| `%s` | %s%s%s | ", item->name, quote, shown_default(item), quote);
        print_range(item, to, ", ");
        fprintf(to, " | %s%s |\n", item->help, item->secret ? " (secret)" : "");
    }
}

static void add_text_or_null(struct buf *b, const char *name, const char *value)
{
    if (value) {
        json_add_member(b, name, slice_from_cstr(value));
    } else {
        json_add_name(b, name);
        buf_add(b, SLICE("null"));
    }
}

static void add_limits(struct buf *b, const struct conf_item *item)
{
    if (item->kind != CONF_KIND_CHOICE) {
        json_add_member_i64(b, "min", item->min);
        json_add_member_i64(b, "max", item->max);
        return;
    }
    struct slice rest = slice_from_cstr(item->choices), name;
    json_add_name(b, "choices");
    for (const char *before = "["; slice_cut(&rest, '|', &name); before = ", ") {
        buf_add_cstr(b, before);
        json_add_string(b, name);
    }
    buf_add_char(b, ']');
}

void conf_print_json(const struct conf_table *table, char *(*lookup)(const char *name), FILE *to)
{
    static const char *const kinds[] = {"integer", "text", "choice"}; /* by enum conf_kind */
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_item *item = &table->items[i];
        const char *value = lookup(item->name);
        char storage[64 * 1024]; /* the longest value, each byte escaped */
        struct buf b = BUF(storage);
        if (!value || !*value)
            value = item->fallback;
        buf_add_char(&b, '{');
        json_add_member(&b, "name", slice_from_cstr(item->name));
        json_add_member(&b, "kind", slice_from_cstr(kinds[item->kind]));
        add_text_or_null(&b, "value", value && *value && is_hidden(item, value) ? "***" : value);
        add_text_or_null(&b, "default", item->fallback);
        add_limits(&b, item);
        json_add_member(&b, "unit", slice_from_cstr(item->unit));
        json_add_member_bool(&b, "secret", item->secret);
        fprintf(to, "%s\n    %.*s}", i == 0 ? "[" : ",", SLICE_ARG(buf_slice(&b)));
    }
    fputs("\n  ]", to);
}
