#include "common/web/json_schema.h"

#include "common/base/json_write.h"

/* The rules of schema.c and query.c for texts, as regular expressions of ECMA-262. */
static const char text_pattern[] = "^[^\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F\\x7F]*$";
static const char line_pattern[] = "^[^\\x00-\\x1F\\x7F]*$";
static const char said_line_pattern[] =
    "^[^\\x00-\\x1F\\x7F]*[^\\x00-\\x20\\x7F][^\\x00-\\x1F\\x7F]*$";
static const char key_pattern[] = "^[^\\x00-\\x20\\x7F]([^\\x00-\\x1F\\x7F]*[^\\x00-\\x20\\x7F])?$";
static const char query_text_pattern[] = "^[^\\x00]*$";
static const char query_key_pattern[] = "^[^\\x00 \\t]([^\\x00]*[^\\x00 \\t])?$";

static void add_string_member(struct buf *out, const char *name, const char *value)
{
    if (value)
        json_add_member(out, name, slice_from_cstr(value));
}

const struct note *notes_find(const struct notes *notes, const char *owner, struct slice name)
{
    for (size_t i = 0; i < notes->count; i++) {
        const struct note *n = &notes->rows[i];
        if (slice_equal(slice_from_cstr(n->name), name) &&
            (!n->owner || slice_equal(slice_from_cstr(n->owner), slice_from_cstr(owner))))
            return n;
    }
    return NULL;
}

static void add_type(struct buf *out, const char *type, bool nullable)
{
    json_add_name(out, "type");
    if (nullable)
        buf_add_format(out, "[\"%s\",\"null\"]", type);
    else
        buf_add_format(out, "\"%s\"", type);
}

static void add_enum(struct buf *out, const char *choices, bool nullable)
{
    struct slice rest = slice_from_cstr(choices), name;
    const char *between = "";
    json_add_name(out, "enum");
    buf_add_char(out, '[');
    for (; slice_cut(&rest, '|', &name); between = ",") {
        buf_add_cstr(out, between);
        json_add_string(out, name);
    }
    buf_add(out, nullable ? SLICE(",null]") : SLICE("]"));
}

static void add_lengths(struct buf *out, int64_t min, int64_t max)
{
    if (min > 0)
        json_add_member_i64(out, "minLength", min);
    json_add_member_i64(out, "maxLength", max);
}

static void add_integer(struct buf *out, bool nullable)
{
    add_type(out, "integer", nullable);
    json_add_member(out, "format", SLICE("int64"));
}

static void add_range(struct buf *out, int64_t min, int64_t max)
{
    json_add_member_i64(out, "minimum", min);
    json_add_member_i64(out, "maximum", max);
}

/* Help and example; whether the example is text says `quoted`. */
static void add_note(struct buf *out, const struct note *note, bool quoted)
{
    if (!note)
        return;
    add_string_member(out, "description", note->help);
    const char *example = note->only ? note->only : note->example;
    if (!example)
        return;
    json_add_name(out, "examples");
    buf_add_char(out, '[');
    if (quoted)
        json_add_string(out, slice_from_cstr(example));
    else
        buf_add_cstr(out, example);
    buf_add_char(out, ']');
}

/* ---- what is answered ---- */

static void add_text_view(struct buf *out, const struct view_field *f, const struct note *note)
{
    const char *choices = note && note->only ? note->only : f->choices;
    add_type(out, "string", f->nullable);
    if (f->kind == VIEW_KIND_TIME)
        json_add_member(out, "format", SLICE("date-time"));
    if (choices)
        add_enum(out, choices, f->nullable);
    add_note(out, note, true);
}

static void add_view_value(struct buf *out, const struct view_field *f, const struct note *note,
                           const struct notes *notes)
{
    if (f->kind == VIEW_KIND_ONE) {
        json_schema_add_view(out, f->view, notes);
        return;
    }
    buf_add_char(out, '{');
    if (f->kind == VIEW_KIND_I64)
        add_integer(out, false);
    else if (f->kind == VIEW_KIND_BOOL)
        add_type(out, "boolean", false);
    else if (f->kind == VIEW_KIND_JSON)
        buf_add_cstr(out, f->schema);
    if (f->kind == VIEW_KIND_I64 || f->kind == VIEW_KIND_BOOL || f->kind == VIEW_KIND_JSON)
        add_note(out, note, false);
    else
        add_text_view(out, f, note);
    buf_add_char(out, '}');
}

/* `"name":` without what is around the name. */
static struct slice field_name(const struct view_field *f)
{
    return (struct slice){f->opening.ptr + 1, f->opening.len - 3};
}

void json_schema_add_view_members(struct buf *out, const struct view *view,
                                  const struct notes *notes)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct view_field *f = &view->fields[i];
        buf_add(out, i > 0 ? SLICE(",") : SLICE(""));
        buf_add(out, f->opening);
        add_view_value(out, f, notes_find(notes, view->name, field_name(f)), notes);
    }
}

void json_schema_add_view(struct buf *out, const struct view *view, const struct notes *notes)
{
    buf_add(out, SLICE("{\"type\":\"object\",\"additionalProperties\":false,\"required\":["));
    for (size_t i = 0; i < view->count; i++) {
        buf_add(out, i > 0 ? SLICE(",") : SLICE(""));
        json_add_string(out, field_name(&view->fields[i]));
    }
    buf_add(out, SLICE("],\"properties\":{"));
    json_schema_add_view_members(out, view, notes);
    buf_add(out, SLICE("}}"));
}

/* ---- what is read ---- */

static const char *field_pattern(const struct field *f)
{
    if (f->kind == FIELD_KIND_TEXT)
        return text_pattern;
    if (f->kind == FIELD_KIND_KEY)
        return key_pattern;
    return f->min > 0 ? said_line_pattern : line_pattern;
}

static void add_text_field(struct buf *out, const struct field *f, const struct note *note)
{
    bool nullable = f->need == OPTIONAL;
    const char *choices = note && note->only ? note->only : f->choices;
    add_type(out, "string", nullable);
    if (choices) {
        add_enum(out, choices, nullable);
    } else {
        add_lengths(out, f->min, f->max);
        json_add_member(out, "pattern", slice_from_cstr(field_pattern(f)));
    }
    add_note(out, note, true);
}

static void add_field(struct buf *out, const struct field *f, const struct note *note)
{
    json_add_name(out, f->name);
    buf_add_char(out, '{');
    if (f->kind == FIELD_KIND_I64) {
        add_integer(out, f->need == OPTIONAL);
        add_range(out, f->min, f->max);
        add_note(out, note, false);
    } else {
        add_text_field(out, f, note);
    }
    buf_add_char(out, '}');
}

/* Of a merge patch nothing is required: what is not there stays as it is. */
static void add_required(struct buf *out, const struct schema *schema)
{
    size_t count = 0;
    for (size_t i = 0; i < schema->count && !schema->patch; i++) {
        if (schema->fields[i].need != REQUIRED)
            continue;
        buf_add(out, count++ == 0 ? SLICE(",\"required\":[") : SLICE(","));
        json_add_string(out, slice_from_cstr(schema->fields[i].name));
    }
    if (count > 0)
        buf_add_char(out, ']');
}

void json_schema_add_input(struct buf *out, const struct schema *schema, const struct notes *notes)
{
    buf_add(out, SLICE("{\"type\":\"object\",\"additionalProperties\":false"));
    add_required(out, schema);
    buf_add(out, SLICE(",\"properties\":{"));
    for (size_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        add_field(out, f, notes_find(notes, schema->name, slice_from_cstr(f->name)));
    }
    buf_add(out, SLICE("}}"));
}

/* ---- query parameters ---- */

void json_schema_add_param(struct buf *out, const struct query_param *param)
{
    buf_add_char(out, '{');
    switch (param->kind) {
    case QUERY_KIND_I64:
        add_integer(out, false);
        add_range(out, param->min, param->max);
        break;
    case QUERY_KIND_BOOL:
        add_type(out, "boolean", false);
        break;
    case QUERY_KIND_CHOICE:
        add_type(out, "string", false);
        add_enum(out, param->choices, false);
        break;
    case QUERY_KIND_LIST:
        buf_add(out, SLICE("\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\""));
        add_enum(out, param->choices, false);
        buf_add_char(out, '}');
        break;
    case QUERY_KIND_TEXT:
    case QUERY_KIND_KEY:
        add_type(out, "string", false);
        add_lengths(out, param->min, param->max);
        json_add_member(out, "pattern",
                        slice_from_cstr(param->kind == QUERY_KIND_KEY ? query_key_pattern
                                                                      : query_text_pattern));
        break;
    }
    buf_add_char(out, '}');
}
