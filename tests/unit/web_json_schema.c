#include "common/web/json_schema.h"

#include "common/base/json_check.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

struct part {
    bool good;
};
struct thing {
    int64_t id, kind;
    struct slice name, text, key, made_at;
    struct part part;
};

static const struct note note_rows[] = {
    {"Thing", "id", "its number", "7", NULL},     {NULL, "id", "another's number", "8", NULL},
    {NULL, "name", "called \"so\"", "Tea", NULL}, {NULL, "key", "one text", "x", "USD"},
    {NULL, "good", "yes or no", "true", NULL},
};
static const struct notes notes = {ARRAY(note_rows)};

static const struct view_field part_fields[] = {VIEW_FIELD(part, good, BOOL)};
static const struct view part_view = {"Part", ARRAY(part_fields)};
static const struct view_field view_fields[] = {
    VIEW_FIELD(thing, id, I64),
    VIEW_FIELD(thing, name, TEXT, .nullable = true),
    VIEW_FIELD(thing, text, TEXT, .choices = "a|b"),
    VIEW_FIELD(thing, key, TEXT),
    VIEW_FIELD(thing, made_at, TIME),
    VIEW_FIELD(thing, part, ONE, .view = &part_view),
};
static const struct view view = {"Thing", ARRAY(view_fields)};

#define VIEW_MEMBERS                                                                               \
    "\"id\":{\"type\":\"integer\",\"format\":\"int64\",\"description\":\"its number\","            \
    "\"examples\":[7]},"                                                                           \
    "\"name\":{\"type\":[\"string\",\"null\"],\"description\":\"called \\\"so\\\"\","              \
    "\"examples\":[\"Tea\"]},"                                                                     \
    "\"text\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"]},"                                       \
    "\"key\":{\"type\":\"string\",\"enum\":[\"USD\"],\"description\":\"one text\","                \
    "\"examples\":[\"USD\"]},"                                                                     \
    "\"made_at\":{\"type\":\"string\",\"format\":\"date-time\"},"                                  \
    "\"part\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"good\"],"        \
    "\"properties\":{\"good\":{\"type\":\"boolean\",\"description\":\"yes or no\","                \
    "\"examples\":[true]}}}"

static void check_json(struct buf *out)
{
    struct json_fault fault = {0};
    ck_assert_msg(json_check(buf_slice(out), &fault), "%s at %zu", fault.what, fault.at);
}

START_TEST(json_schema_view)
{
    char storage[KIB(4)];
    struct buf out = BUF(storage);
    json_schema_add_view(&out, &view, &notes);
    check_json(&out);
    ck_assert_slice_eq(buf_slice(&out),
                       SLICE("{\"type\":\"object\",\"additionalProperties\":false,\"required\":["
                             "\"id\",\"name\",\"text\",\"key\",\"made_at\",\"part\"],"
                             "\"properties\":{" VIEW_MEMBERS "}}"));
}
END_TEST

static const struct field input_fields[] = {
    FIELD_LINE(thing, name, REQUIRED, 1, 5),    FIELD_TEXT(thing, text, OPTIONAL, 0, 5),
    FIELD_KEY(thing, key, OPTIONAL, 3, 3),      FIELD_I64(thing, id, REQUIRED, 0, 100),
    FIELD_CHOICE(thing, kind, OPTIONAL, "a|b"),
};
static const struct schema input = {"ThingInput", ARRAY(input_fields), .patch = false};
static const struct schema optional = {"Optional", input_fields + 1, 1, .patch = false};

static const struct input_row {
    const struct schema *schema;
    const char *want;
} input_rows[] = {
    {&input, "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"id\"],"
             "\"properties\":{"
             "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":5,"
             "\"pattern\":\"^[^\\\\x00-\\\\x1F\\\\x7F]*[^\\\\x00-\\\\x20\\\\x7F][^\\\\x00-"
             "\\\\x1F\\\\x7F]*$\","
             "\"description\":\"called \\\"so\\\"\",\"examples\":[\"Tea\"]},"
             "\"text\":{\"type\":[\"string\",\"null\"],\"maxLength\":5,"
             "\"pattern\":\"^[^\\\\x00-\\\\x08\\\\x0B\\\\x0C\\\\x0E-\\\\x1F\\\\x7F]*$\"},"
             "\"key\":{\"type\":[\"string\",\"null\"],\"enum\":[\"USD\",null],"
             "\"description\":\"one text\",\"examples\":[\"USD\"]},"
             "\"id\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":0,\"maximum\":100,"
             "\"description\":\"another's number\",\"examples\":[8]},"
             "\"kind\":{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",\"b\",null]}}}"},
    {&optional, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                "\"text\":{\"type\":[\"string\",\"null\"],\"maxLength\":5,"
                "\"pattern\":\"^[^\\\\x00-\\\\x08\\\\x0B\\\\x0C\\\\x0E-\\\\x1F\\\\x7F]*$\"}}}"},
};
START_TEST(json_schema_input)
{
    char storage[KIB(4)];
    struct buf out = BUF(storage);
    json_schema_add_input(&out, input_rows[_i].schema, &notes);
    check_json(&out);
    ck_assert_slice_eq(buf_slice(&out), slice_from_cstr(input_rows[_i].want));
}
END_TEST

struct search {
    struct opt_i64 limit, good, sort, include;
    struct slice text, key;
};
static const struct param_row {
    struct query_param param;
    const char *want;
} param_rows[] = {
    {QUERY_I64(search, limit, 1, 100, ""),
     "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":100}"},
    {QUERY_BOOL(search, good, ""), "{\"type\":\"boolean\"}"},
    {QUERY_CHOICE(search, sort, "new|-price", ""),
     "{\"type\":\"string\",\"enum\":[\"new\",\"-price\"]}"},
    {QUERY_LIST(search, include, "total|tags", ""),
     "{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\","
     "\"enum\":[\"total\",\"tags\"]}}"},
    {QUERY_TEXT(search, text, 0, 3, ""),
     "{\"type\":\"string\",\"maxLength\":3,\"pattern\":\"^[^\\\\x00]*$\"}"},
    {QUERY_KEY(search, key, 1, 3, ""),
     "{\"type\":\"string\",\"minLength\":1,\"maxLength\":3,"
     "\"pattern\":\"^[^\\\\x00 \\\\t]([^\\\\x00]*[^\\\\x00 \\\\t])?$\"}"},
};
START_TEST(json_schema_param)
{
    char storage[512];
    struct buf out = BUF(storage);
    json_schema_add_param(&out, &param_rows[_i].param);
    check_json(&out);
    ck_assert_slice_eq(buf_slice(&out), slice_from_cstr(param_rows[_i].want));
}
END_TEST

START_TEST(notes_by_owner)
{
    ck_assert_ptr_eq(notes_find(&notes, "Thing", SLICE("id")), &note_rows[0]);
    ck_assert_ptr_eq(notes_find(&notes, "Other", SLICE("id")), &note_rows[1]);
    ck_assert_ptr_null(notes_find(&notes, "Thing", SLICE("idd")));
}
END_TEST

void web_json_schema(struct suite *s)
{
    suite_test(s, json_schema_view);
    suite_rows(s, json_schema_input, COUNT(input_rows));
    suite_rows(s, json_schema_param, COUNT(param_rows));
    suite_test(s, notes_by_owner);
}
