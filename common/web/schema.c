#include "common/web/schema.h"

#include "common/base/json_check.h"
#include "common/base/number.h"
#include "common/base/unicode.h"
#include "common/base/utf8.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

#define MEMBERS_MAX 64 /* a bit each in `seen` */

struct reader {
    struct arena *arena;
    struct faults *faults;
    char *ret;
    const char *defaults; /* of a patch; else NULL, and `ret` holds them already */
};

#define FAULT(r, name, code, ...)                                                                  \
    fault_add((r)->faults, (r)->arena, "/", slice_from_cstr(name), code, __VA_ARGS__)

static bool has_control(struct slice text, bool breaks_allowed)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        bool is_break = byte == '\n' || byte == '\r' || byte == '\t';
        if ((byte < 0x20 && !(is_break && breaks_allowed)) || byte == 0x7F)
            return true;
    }
    return false;
}

static void store_text(const struct reader *r, const struct field *f, struct slice text)
{
    struct slice copy = arena_copy(r->arena, text);
    if (copy.ptr)
        *(struct slice *)(void *)(r->ret + f->offset) = copy;
    else
        FAULT(r, f->name, &FAULT_LENGTH, "is more than this request may hold");
}

static void read_text(const struct reader *r, const struct field *f, const cJSON *value)
{
    struct slice text = slice_from_cstr(cJSON_GetStringValue(value));
    size_t length = utf8_length(text);
    if (!text.ptr)
        FAULT(r, f->name, &FAULT_TYPE, "must be a string");
    else if (length < (size_t)f->min || length > (size_t)f->max)
        FAULT(r, f->name, &FAULT_LENGTH, "must have %" PRId64 " to %" PRId64 " characters", f->min,
              f->max);
    else if (has_control(text, f->kind == FIELD_KIND_TEXT))
        FAULT(r, f->name, &FAULT_CONTROL, "must not hold control characters");
    else if (f->kind == FIELD_KIND_KEY && slice_trim(text).len != text.len)
        FAULT(r, f->name, &FAULT_BLANKS, "must not begin or end with a space");
    else if (f->kind != FIELD_KIND_TEXT && f->min > 0 && !unicode_shows(text))
        FAULT(r, f->name, &FAULT_BLANKS, "must have a character that can be seen");
    else
        store_text(r, f, text);
}

/* By the digits as they were sent: the tree has a double, which is whole and in range where they
 * are not. */
static void read_i64(const struct reader *r, const struct field *f, struct slice text)
{
    int64_t number = 0;
    enum number_result result = number_parse_json_i64(text, &number);
    if (result == NUMBER_MALFORMED)
        FAULT(r, f->name, &FAULT_TYPE, "must be a whole number");
    else if (result == NUMBER_OUT_OF_RANGE || number < f->min || number > f->max)
        FAULT(r, f->name, &FAULT_RANGE, "must be from %" PRId64 " to %" PRId64, f->min, f->max);
    else
        *(int64_t *)(void *)(r->ret + f->offset) = number;
}

static void read_choice(const struct reader *r, const struct field *f, const cJSON *value)
{
    struct slice rest = slice_from_cstr(f->choices), name;
    struct slice text = slice_from_cstr(cJSON_GetStringValue(value));
    for (int64_t i = 0; slice_cut(&rest, '|', &name); i++) {
        if (text.ptr && slice_equal(name, text)) {
            *(int64_t *)(void *)(r->ret + f->offset) = i;
            return;
        }
    }
    FAULT(r, f->name, text.ptr ? &FAULT_CHOICE : &FAULT_TYPE, "must be one of %s", f->choices);
}

/* Null removes a member, which then has its default. */
static void remove_member(const struct reader *r, const struct field *f)
{
    if (!r->defaults)
        return;
    bool number = f->kind == FIELD_KIND_I64 || f->kind == FIELD_KIND_CHOICE;
    memcpy(r->ret + f->offset, r->defaults + f->offset,
           number ? sizeof(int64_t) : sizeof(struct slice));
}

/* `text` is the value as it was sent. */
static void read_member(const struct reader *r, const struct field *f, const cJSON *value,
                        struct slice text)
{
    if (cJSON_IsNull(value) && f->need == OPTIONAL)
        remove_member(r, f);
    else if (cJSON_IsNull(value) && r->defaults)
        FAULT(r, f->name, &FAULT_REQUIRED, "is required and cannot be removed");
    else if (f->kind == FIELD_KIND_I64)
        read_i64(r, f, text);
    else if (f->kind == FIELD_KIND_CHOICE)
        read_choice(r, f, value);
    else
        read_text(r, f, value);
}

static size_t field_position(const struct schema *schema, const char *name)
{
    size_t i = 0;
    while (i < schema->count &&
           !slice_equal(slice_from_cstr(schema->fields[i].name), slice_from_cstr(name)))
        i++;
    return i;
}

/* The tree has the members in the order of the text. */
static void read_members(const struct schema *schema, const struct reader *r, const cJSON *object,
                         struct slice json)
{
    struct slice text = {0};
    size_t at = 0;
    uint64_t seen = 0;
    for (const cJSON *m = object->child; m && json_next_value(json, &at, &text); m = m->next) {
        size_t i = field_position(schema, m->string);
        if (i == schema->count || i >= MEMBERS_MAX) {
            FAULT(r, m->string, &FAULT_UNKNOWN, "is no member here");
            continue;
        }
        if (seen & UINT64_C(1) << i)
            FAULT(r, m->string, &FAULT_REPEATED, "is given more than once");
        else
            read_member(r, &schema->fields[i], m, text);
        seen |= UINT64_C(1) << i;
    }
    for (size_t i = 0; i < schema->count && i < MEMBERS_MAX && !r->defaults; i++)
        if (schema->fields[i].need == REQUIRED && !(seen & UINT64_C(1) << i))
            FAULT(r, schema->fields[i].name, &FAULT_REQUIRED, "is required");
}

static void delete_tree(cJSON **tree)
{
    cJSON_Delete(*tree);
}

static bool read_object(const struct schema *schema, const struct reader *r, struct slice json,
                        struct err *err)
{
    struct arena *arena = r->arena;
    struct faults *faults = r->faults;
    struct json_fault fault;
    if (!json_check(json, &fault)) {
        fault_add(faults, arena, "", (struct slice){0}, &FAULT_JSON, "%s, at byte %zu", fault.what,
                  fault.at + 1);
        return err_fail(err, &ERR_JSON_INVALID, "%s, at byte %zu", fault.what, fault.at + 1);
    }
    CLEANUP(delete_tree) cJSON *tree = cJSON_ParseWithLength(json.ptr, json.len);
    if (!tree) {
        /* All that a cJSON without the patch for CVE-2023-26819 refuses of what we accept. */
        static const char what[] = "a number has more than 63 characters";
        fault_add(faults, arena, "", (struct slice){0}, &FAULT_JSON, "%s", what);
        return err_fail(err, &ERR_JSON_INVALID, "%s", what);
    }
    if (cJSON_IsObject(tree))
        read_members(schema, r, tree, json);
    else
        fault_add(faults, arena, "", (struct slice){0}, &FAULT_TYPE, "must be an object");
    if (faults->count > 0)
        return err_fail(err, &ERR_BODY_INVALID, "%.*s %.*s", SLICE_ARG(faults->items[0].pointer),
                        SLICE_ARG(faults->items[0].message));
    return true;
}

bool schema_read(const struct schema *schema, struct slice json, struct arena *arena, void *ret,
                 struct faults *faults, struct err *err)
{
    const struct reader r = {arena, faults, ret, NULL};
    return read_object(schema, &r, json, err);
}

bool schema_patch(const struct schema *schema, struct slice json, struct arena *arena,
                  const void *defaults, void *io, struct faults *faults, struct err *err)
{
    const struct reader r = {arena, faults, io, defaults};
    return read_object(schema, &r, json, err);
}
