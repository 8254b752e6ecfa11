#include "common/web/schema.h"

#include "common/base/json_check.h"
#include "common/base/utf8.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Integers beyond 2^53 - 1 lose digits on their way through a double (RFC 8259 section 6): 2^53
 * itself is also what 2^53 + 1 reads as. */
#define INTEGER_EXACT_MAX 9007199254740991.0
#define MEMBERS_MAX       64 /* a bit each in `seen` */

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
        FAULT(r, f->name, "length", "is more than this request may hold");
}

static void read_text(const struct reader *r, const struct field *f, const cJSON *value)
{
    struct slice text = slice_from_cstr(cJSON_GetStringValue(value));
    size_t length = utf8_length(text);
    if (!text.ptr)
        FAULT(r, f->name, "type", "must be a string");
    else if (length < (size_t)f->min || length > (size_t)f->max)
        FAULT(r, f->name, "length", "must have %" PRId64 " to %" PRId64 " characters", f->min,
              f->max);
    else if (has_control(text, f->kind == FIELD_KIND_TEXT))
        FAULT(r, f->name, "control", "must not hold control characters");
    else if (f->kind == FIELD_KIND_LINE && f->min > 0 && slice_trim(text).len == 0)
        FAULT(r, f->name, "blanks", "must not be blank");
    else if (f->kind == FIELD_KIND_KEY && slice_trim(text).len != text.len)
        FAULT(r, f->name, "blanks", "must not begin or end with a blank");
    else
        store_text(r, f, text);
}

static void read_i64(const struct reader *r, const struct field *f, const cJSON *value)
{
    double number = cJSON_GetNumberValue(value); /* NaN when it is no number */
    if (!cJSON_IsNumber(value) || (isfinite(number) && floor(number) < number))
        FAULT(r, f->name, "type", "must be a whole number");
    else if (!(fabs(number) <= INTEGER_EXACT_MAX) || number < (double)f->min ||
             number > (double)f->max)
        FAULT(r, f->name, "range", "must be from %" PRId64 " to %" PRId64, f->min, f->max);
    else
        *(int64_t *)(void *)(r->ret + f->offset) = (int64_t)number;
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
    FAULT(r, f->name, text.ptr ? "choice" : "type", "must be one of %s", f->choices);
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

static void read_member(const struct reader *r, const struct field *f, const cJSON *value)
{
    if (cJSON_IsNull(value) && f->need == OPTIONAL)
        remove_member(r, f);
    else if (cJSON_IsNull(value) && r->defaults)
        FAULT(r, f->name, "required", "is required and cannot be removed");
    else if (f->kind == FIELD_KIND_I64)
        read_i64(r, f, value);
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

static void read_members(const struct schema *schema, const struct reader *r, const cJSON *object)
{
    uint64_t seen = 0;
    for (const cJSON *m = object->child; m; m = m->next) {
        size_t i = field_position(schema, m->string);
        if (i == schema->count || i >= MEMBERS_MAX) {
            FAULT(r, m->string, "unknown", "is no member here");
            continue;
        }
        if (seen & UINT64_C(1) << i)
            FAULT(r, m->string, "repeated", "is given more than once");
        else
            read_member(r, &schema->fields[i], m);
        seen |= UINT64_C(1) << i;
    }
    for (size_t i = 0; i < schema->count && i < MEMBERS_MAX && !r->defaults; i++)
        if (schema->fields[i].need == REQUIRED && !(seen & UINT64_C(1) << i))
            FAULT(r, schema->fields[i].name, "required", "is required");
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
        fault_add(faults, arena, "", (struct slice){0}, "json", "%s, at byte %zu", fault.what,
                  fault.at + 1);
        return err_fail(err, &ERR_JSON_INVALID, "%s, at byte %zu", fault.what, fault.at + 1);
    }
    CLEANUP(delete_tree) cJSON *tree = cJSON_ParseWithLength(json.ptr, json.len);
    if (!tree) {
        /* All that a cJSON without the patch for CVE-2023-26819 refuses of what we accept. */
        static const char what[] = "a number has more than 63 characters";
        fault_add(faults, arena, "", (struct slice){0}, "json", "%s", what);
        return err_fail(err, &ERR_JSON_INVALID, "%s", what);
    }
    if (cJSON_IsObject(tree))
        read_members(schema, r, tree);
    else
        fault_add(faults, arena, "", (struct slice){0}, "type", "must be an object");
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
