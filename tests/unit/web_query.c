#include "common/web/query.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>

struct search {
    struct opt_i64 limit, good, sort, include;
    struct slice text, note, key;
};

static const struct query_param params[] = {
    QUERY_I64(search, limit, 1, 100, "page size"),
    QUERY_BOOL(search, good, "only good ones"),
    QUERY_CHOICE(search, sort, "new|price|-price", "order"),
    QUERY_LIST(search, include, "total|images|tags", "more members"),
    QUERY_TEXT(search, text, 1, 3, "words"),
    QUERY_TEXT(search, note, 0, 3, "may be empty"),
    QUERY_KEY(search, key, 1, 5, "compared exactly"),
};
static const struct query_table table = {ARRAY(params)};

#define SET(number)                                                                                \
    {                                                                                              \
        true, (number)                                                                             \
    }

static const struct value_row {
    const char *query; /* NULL: no '?' at all */
    struct search want;
} value_rows[] = {
    {.query = NULL},
    {.query = ""},
    {.query = "&"},
    {.query = "&&&"},
    {"limit=1", {.limit = SET(1)}},
    {"limit=100", {.limit = SET(100)}},
    {"good=true", {.good = SET(1)}},
    {"good=false", {.good = SET(0)}},
    {"sort=new", {.sort = SET(0)}},
    {"sort=-price", {.sort = SET(2)}},
    {"sort=%2Dprice", {.sort = SET(2)}},
    {"include=total", {.include = SET(1)}},
    {"include=tags,total", {.include = SET(5)}},
    {"include=total,total%2Cimages", {.include = SET(3)}},
    {"text=abc", {.text = SLICE_INIT("abc")}},
    {"text=a+b", {.text = SLICE_INIT("a b")}},
    {"text=a%2Bb", {.text = SLICE_INIT("a+b")}},
    {"text=%C3%A9%E2%82%AC%F0%9F%98%80",
     {.text = SLICE_INIT("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")}}, /* three characters */
    {"text=a=b", {.text = SLICE_INIT("a=b")}},
    {"te%78t=abc", {.text = SLICE_INIT("abc")}},
    {"note=", {.note = SLICE_INIT("")}},
    {"note", {.note = SLICE_INIT("")}},
    {"text=+a+", {.text = SLICE_INIT(" a ")}},
    {"key=a+b", {.key = SLICE_INIT("a b")}},
    {"limit=7&good=true&&sort=price&text=x&",
     {.limit = SET(7), .good = SET(1), .sort = SET(1), .text = SLICE_INIT("x")}},
};

static void assert_same(struct opt_i64 got, struct opt_i64 want)
{
    ck_assert_int_eq(got.set, want.set);
    ck_assert_int_eq(got.value, want.value);
}

START_TEST(query_values)
{
    const struct value_row *r = &value_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(16));
    struct search got = {0};
    struct faults faults = {0};
    struct err err = {0};
    ck_assert_msg(query_read(&table, slice_from_cstr(r->query), &arena, &got, &faults, &err), "%s",
                  err.cause);
    assert_same(got.limit, r->want.limit);
    assert_same(got.good, r->want.good);
    assert_same(got.sort, r->want.sort);
    assert_same(got.include, r->want.include);
    ck_assert_slice_eq(got.text, r->want.text);
    ck_assert_int_eq(got.text.ptr != NULL, r->want.text.ptr != NULL);
    ck_assert_slice_eq(got.key, r->want.key);
    ck_assert_slice_eq(got.note, r->want.note);
    ck_assert_int_eq(got.note.ptr != NULL, r->want.note.ptr != NULL);
}
END_TEST

static const struct fault_row {
    const char *query, *faults; /* "pointer code" of each, in order */
} fault_rows[] = {
    {"limit=0", "/query/limit range;"},
    {"limit=101", "/query/limit range;"},
    {"limit=99999999999999999999", "/query/limit range;"},
    {"limit=", "/query/limit type;"},
    {"limit", "/query/limit type;"},
    {"limit=ten", "/query/limit type;"},
    {"limit=+5", "/query/limit type;"}, /* a blank before the 5 */
    {"limit=05", "/query/limit type;"},
    {"limit=1.5", "/query/limit type;"},
    {"good=1", "/query/good type;"},
    {"good=TRUE", "/query/good type;"},
    {"good=", "/query/good type;"},
    {"sort=", "/query/sort choice;"},
    {"sort=newest", "/query/sort choice;"},
    {"sort=ne", "/query/sort choice;"},
    {"sort=new%7Cprice", "/query/sort choice;"},
    {"include=", "/query/include choice;"},
    {"include=total,", "/query/include choice;"},
    {"include=total,what", "/query/include choice;"},
    {"include=total+", "/query/include choice;"},
    {"text=", "/query/text length;"},
    {"text=abcd", "/query/text length;"},
    {"text=%C3%A9%C3%A9%C3%A9%C3%A9", "/query/text length;"},
    {"key=", "/query/key length;"},
    {"key=+a", "/query/key blanks;"},
    {"key=a%20", "/query/key blanks;"},
    {"key=%09", "/query/key blanks;"},
    {"limit=1&limit=2", "/query/limit repeated;"},
    {"limit=1&limit=1", "/query/limit repeated;"},
    {"limit=x&limit=1", "/query/limit type;/query/limit repeated;"},
    {"limit=1&li%6Dit=1&limit=1", "/query/limit repeated;/query/limit repeated;"},
    {"colour=red", "/query/colour unknown;"},
    {"Limit=1", "/query/Limit unknown;"},
    {"limit[]=1", "/query/limit[] unknown;"},
    {"=1", "/query/ unknown;"},
    {"a%2Fb=1", "/query/a~1b unknown;"},
    {"text=%", "/query/text encoding;"},
    {"text=%00", "/query/text encoding;"},
    {"text=%C3", "/query/text encoding;"},
    {"%zz=1", "/query/%zz encoding;"},
    {"limit=0&good=x&sort=y&include=z&text=&note=1234&more=1&text=%",
     "/query/limit range;/query/good type;/query/sort choice;/query/include choice;"
     "/query/text length;/query/note length;/query/more unknown;/query/text encoding;"},
};
START_TEST(query_faults)
{
    const struct fault_row *r = &fault_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(16));
    struct search got = {0};
    struct faults faults = {0};
    struct err err = {0};
    char storage[512];
    struct buf seen = BUF(storage);
    ck_assert(!query_read(&table, slice_from_cstr(r->query), &arena, &got, &faults, &err));
    ck_assert_ptr_eq(err.kind, &ERR_QUERY_INVALID);
    for (size_t i = 0; i < faults.count; i++)
        buf_add_format(&seen, "%.*s %s;", SLICE_ARG(faults.items[i].pointer), faults.items[i].code);
    ck_assert_text_eq(buf_slice(&seen), r->faults);
}
END_TEST

START_TEST(query_messages)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(16));
    struct search got = {0};
    struct faults faults = {0};
    struct err err = {0};
    ck_assert(!query_read(&table, SLICE("limit=0&sort=x&text="), &arena, &got, &faults, &err));
    ck_assert_text_eq(faults.items[0].message, "must be a whole number from 1 to 100");
    ck_assert_text_eq(faults.items[1].message, "must be one of new|price|-price");
    ck_assert_text_eq(faults.items[2].message, "must have 1 to 3 characters");
    ck_assert_str_eq(err.cause, "/query/limit range");
}
END_TEST

static const struct none_row {
    const char *query;
    bool good;
} none_rows[] = {{NULL, true}, {"", true}, {"&", true}, {"a=1", false}, {"a", false}};
START_TEST(query_without_table)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(16));
    struct faults faults = {0};
    struct err err = {0};
    ck_assert_int_eq(
        query_read(NULL, slice_from_cstr(none_rows[_i].query), &arena, NULL, &faults, &err),
        none_rows[_i].good);
}
END_TEST

START_TEST(query_of_many_faults)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(64));
    struct search got = {0};
    struct faults faults = {0};
    struct err err = {0};
    char storage[1024];
    struct buf query = BUF(storage);
    for (int i = 0; i < 100; i++)
        buf_add_format(&query, "x%d=1&", i);
    ck_assert(!query_read(&table, buf_slice(&query), &arena, &got, &faults, &err));
    ck_assert_uint_eq(faults.count, FAULTS_MAX);
}
END_TEST

/* Whatever cannot be read for want of memory must never pass as "not given". */
START_TEST(query_without_memory)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct search got = {0};
    struct faults faults = {0};
    struct err err = {0};
    ck_assert_ptr_nonnull(arena_alloc(&arena, arena.limit - (size_t)_i * 16, 1));
    ck_assert(!query_read(&table, SLICE("limit=7"), &arena, &got, &faults, &err));
}
END_TEST

/* What is not given has its fallback, and can be told from the same value given. */
START_TEST(query_fallbacks)
{
    static const struct query_param with_fallbacks[] = {
        QUERY_I64_OR(search, limit, 1, 100, 20, ""),
        QUERY_CHOICE_OR(search, sort, "new|price", 1, ""),
    };
    static const struct query_table defaulting = {ARRAY(with_fallbacks)};
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    struct faults faults = {0};
    struct search got = {0}, given = {0};
    struct err err = {0};
    ck_assert(query_read(&defaulting, SLICE(""), &arena, &got, &faults, &err));
    ck_assert_int_eq(got.limit.value, 20);
    ck_assert_int_eq(got.sort.value, 1);
    ck_assert(!got.limit.set && !got.sort.set);
    ck_assert(query_read(&defaulting, SLICE("limit=7&sort=new"), &arena, &given, &faults, &err));
    ck_assert(given.limit.set && given.limit.value == 7);
    ck_assert(given.sort.set && given.sort.value == 0);
}
END_TEST

void web_query(struct suite *s)
{
    suite_test(s, query_fallbacks);
    suite_rows(s, query_values, COUNT(value_rows));
    suite_rows(s, query_faults, COUNT(fault_rows));
    suite_test(s, query_messages);
    suite_rows(s, query_without_table, COUNT(none_rows));
    suite_test(s, query_of_many_faults);
    suite_rows(s, query_without_memory, 2);
}
