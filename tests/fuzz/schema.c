/* schema.c - fuzz target: the strict JSON check, what cJSON makes of what it lets through, and a
 * schema with every kind of field, as it is and as a merge patch. */
#include "common/web/schema.h"
#include "common/base/json_check.h"
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"

struct thing {
    struct slice line, text, key;
    int64_t count, kind;
};
static const struct field fields[] = {
    FIELD_LINE(thing, line, REQUIRED, 1, 20),   FIELD_TEXT(thing, text, OPTIONAL, 0, 40),
    FIELD_KEY(thing, key, OPTIONAL, 1, 20),     FIELD_I64(thing, count, REQUIRED, -5, 1000000),
    FIELD_CHOICE(thing, kind, OPTIONAL, "a|b"),
};
static const struct schema schema = {"Thing", ARRAY(fields), .patch = false};
static const struct schema patch = {"Patch", ARRAY(fields), .patch = true};
static const struct thing defaults = {.line = SLICE_INIT("l"), .text = SLICE_INIT("t")};

static bool is_text(struct slice text, size_t min, size_t max)
{
    return utf8_valid(text) && utf8_length(text) >= min && utf8_length(text) <= max;
}

static void check_thing(const struct thing *got)
{
    FUZZ_ASSERT(is_text(got->line, 1, 20) && is_text(got->text, 0, 40));
    FUZZ_ASSERT(!got->key.ptr || is_text(got->key, 1, 20));
    FUZZ_ASSERT(got->count >= -5 && got->count <= 1000000 && got->kind >= 0 && got->kind <= 1);
}

/* Every refusal names its place, and nothing is refused without a reason. */
static void check_refusal(const struct err *err, const struct faults *faults)
{
    FUZZ_ASSERT(err->kind == &ERR_JSON_INVALID || err->kind == &ERR_BODY_INVALID);
    FUZZ_ASSERT(faults->count > 0 && faults->items[0].message.len > 0);
}

static void read_thing(struct slice json)
{
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    if (schema_read(&schema, json, fuzz_arena(), &got, &faults, &err))
        check_thing(&got);
    else
        check_refusal(&err, &faults);
}

static void patch_thing(struct slice json)
{
    struct thing got = defaults;
    struct faults faults = {0};
    struct err err = {0};
    if (schema_patch(&patch, json, fuzz_arena(), &defaults, &got, &faults, &err))
        check_thing(&got);
    else
        check_refusal(&err, &faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct slice json = {(const char *)bytes, size};
    struct json_fault fault = {0};
    if (!json_check(json, &fault))
        FUZZ_ASSERT(fault.what && fault.at <= size);
    read_thing(json);
    patch_thing(json);
    return 0;
}
