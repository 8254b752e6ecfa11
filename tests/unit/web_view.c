#include "common/web/view.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

struct thing {
    int64_t id;
    struct slice name, made_at;
    bool good;
    struct slice more;
};

static const struct view_field fields[] = {
    VIEW_FIELD(thing, id, I64),       VIEW_FIELD(thing, name, TEXT), VIEW_FIELD(thing, good, BOOL),
    VIEW_FIELD(thing, made_at, TIME), VIEW_FIELD(thing, more, JSON),
};
static const struct view view = {"Thing", ARRAY(fields)};

static const struct row {
    struct thing thing;
    const char *want;
} rows[] = {
    {{7, SLICE_INIT("Kettle"), SLICE_INIT("2026-11-22 21:07:11.123"), true, {0}},
     "{\"id\":7,\"name\":\"Kettle\",\"good\":true,\"made_at\":\"2026-11-22T21:07:11.123Z\","
     "\"more\":null}"},
    {{INT64_MIN, {0}, {0}, false, SLICE_INIT("{}")},
     "{\"id\":-9223372036854775808,\"name\":null,\"good\":false,\"made_at\":null,\"more\":{}}"},
    {{0, SLICE_INIT(""), SLICE_INIT("2026-01-01 00:00:00.000"), false, SLICE_INIT("{\"a\":[1]}")},
     "{\"id\":0,\"name\":\"\",\"good\":false,\"made_at\":\"2026-01-01T00:00:00.000Z\","
     "\"more\":{\"a\":[1]}}"},
    {{1, SLICE_INIT("\"\xFF\n"), {0}, true, {0}},
     "{\"id\":1,\"name\":\"\\\"\xEF\xBF\xBD\\n\",\"good\":true,\"made_at\":null,\"more\":null}"},
};
START_TEST(view_rows)
{
    char storage[256];
    struct buf out = BUF(storage);
    buf_add_cstr(&out, "[");
    view_write(&out, &view, &rows[_i].thing);
    ck_assert_text_eq(slice_after(buf_slice(&out), 1), rows[_i].want);
}
END_TEST

void web_view(struct suite *s)
{
    suite_rows(s, view_rows, COUNT(rows));
}
