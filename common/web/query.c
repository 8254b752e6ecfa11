#include "common/web/query.h"

#include "common/base/number.h"
#include "common/base/utf8.h"
#include "common/web/request.h"

#include <inttypes.h>

#define POINTER_PREFIX "/query/"
#define PARAMS_MAX     64 /* a bit each in `seen` */

struct reader {
    struct arena *arena;
    struct faults *faults;
    char *ret;
    uint64_t seen;
};

static struct opt_i64 *number_at(const struct reader *r, const struct query_param *p)
{
    return (struct opt_i64 *)(void *)(r->ret + p->offset);
}

#define FAULT(r, p, code, ...)                                                                     \
    fault_add((r)->faults, (r)->arena, POINTER_PREFIX, slice_from_cstr((p)->name), code,           \
              __VA_ARGS__)

static void read_i64(const struct reader *r, const struct query_param *p, struct slice value)
{
    int64_t number = 0;
    enum number_result result = number_parse_i64(value, p->min, p->max, &number);
    if (result == NUMBER_OK)
        *number_at(r, p) = (struct opt_i64){true, number};
    else
        FAULT(r, p, result == NUMBER_MALFORMED ? &FAULT_TYPE : &FAULT_RANGE,
              "must be a whole number from %" PRId64 " to %" PRId64, p->min, p->max);
}

static void read_bool(const struct reader *r, const struct query_param *p, struct slice value)
{
    bool yes = slice_equal(value, SLICE("true"));
    if (yes || slice_equal(value, SLICE("false")))
        *number_at(r, p) = (struct opt_i64){true, yes};
    else
        FAULT(r, p, &FAULT_TYPE, "must be true or false");
}

static int choice_position(const char *choices, struct slice value)
{
    struct slice rest = slice_from_cstr(choices), name;
    for (int i = 0; slice_cut(&rest, '|', &name); i++)
        if (slice_equal(name, value))
            return i;
    return -1;
}

static void read_choice(const struct reader *r, const struct query_param *p, struct slice value)
{
    int position = choice_position(p->choices, value);
    if (position >= 0)
        *number_at(r, p) = (struct opt_i64){true, position};
    else
        FAULT(r, p, &FAULT_CHOICE, "must be one of %s", p->choices);
}

static void read_list(const struct reader *r, const struct query_param *p, struct slice value)
{
    struct slice name;
    int64_t mask = 0;
    while (slice_cut(&value, ',', &name)) {
        int position = choice_position(p->choices, name);
        if (position < 0) {
            FAULT(r, p, &FAULT_CHOICE, "must be a comma-separated list out of %s", p->choices);
            return;
        }
        mask |= INT64_C(1) << position;
    }
    *number_at(r, p) = (struct opt_i64){true, mask};
}

static void read_text(const struct reader *r, const struct query_param *p, struct slice value)
{
    size_t length = utf8_length(value);
    if (length < (size_t)p->min || length > (size_t)p->max)
        FAULT(r, p, &FAULT_LENGTH, "must have %" PRId64 " to %" PRId64 " characters", p->min,
              p->max);
    else if (p->kind == QUERY_KIND_KEY && slice_trim(value).len != value.len)
        FAULT(r, p, &FAULT_BLANKS, "must not begin or end with a space");
    else
        *(struct slice *)(void *)(r->ret + p->offset) = value;
}

static void read_value(const struct reader *r, const struct query_param *p, struct slice value)
{
    switch (p->kind) {
    case QUERY_KIND_I64:
        read_i64(r, p, value);
        break;
    case QUERY_KIND_BOOL:
        read_bool(r, p, value);
        break;
    case QUERY_KIND_CHOICE:
        read_choice(r, p, value);
        break;
    case QUERY_KIND_LIST:
        read_list(r, p, value);
        break;
    case QUERY_KIND_TEXT:
    case QUERY_KIND_KEY:
        read_text(r, p, value);
        break;
    }
}

static void read_pair(struct reader *r, const struct query_table *table, struct slice name,
                      struct slice value)
{
    for (size_t i = 0; table && i < table->count && i < PARAMS_MAX; i++) {
        const struct query_param *p = &table->params[i];
        if (!slice_equal(name, slice_from_cstr(p->name)))
            continue;
        if (r->seen & UINT64_C(1) << i)
            FAULT(r, p, &FAULT_REPEATED, "is given more than once");
        else
            read_value(r, p, value);
        r->seen |= UINT64_C(1) << i;
        return;
    }
    fault_add(r->faults, r->arena, POINTER_PREFIX, name, &FAULT_UNKNOWN, "is no parameter here");
}

static void set_fallbacks(const struct reader *r, const struct query_table *table)
{
    for (size_t i = 0; table && i < table->count; i++)
        if (table->params[i].fallback.set)
            number_at(r, &table->params[i])->value = table->params[i].fallback.value;
}

bool query_read(const struct query_table *table, struct slice query, struct arena *arena, void *ret,
                struct faults *faults, struct err *err)
{
    struct reader r = {arena, faults, ret, 0};
    struct slice pair;
    set_fallbacks(&r, table);
    while (slice_cut(&query, '&', &pair)) {
        struct slice raw_name, name, value = {0};
        if (pair.len == 0)
            continue; /* "a=1&&b=2", and an empty query */
        slice_cut(&pair, '=', &raw_name);
        if (!percent_decode(raw_name, true, arena, &name) ||
            !percent_decode(pair, true, arena, &value))
            fault_add(faults, arena, POINTER_PREFIX, raw_name, &FAULT_ENCODING,
                      "is not percent-encoded UTF-8");
        else
            read_pair(&r, table, name, value);
    }
    if (faults->count > 0)
        return err_fail(err, &ERR_QUERY_INVALID, "%.*s %s", SLICE_ARG(faults->items[0].pointer),
                        faults->items[0].code);
    return true;
}
