#include "common/base/json_check.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct row {
    struct slice text;
    const char *fault; /* NULL: good */
    size_t at;
} rows[] = {
    {SLICE_INIT("{}"), NULL, 0},
    {SLICE_INIT(" \t\r\n[ ] \n"), NULL, 0},
    {SLICE_INIT("null"), NULL, 0},
    {SLICE_INIT(" true "), NULL, 0},
    {SLICE_INIT("false"), NULL, 0},
    {SLICE_INIT("0"), NULL, 0},
    {SLICE_INIT("-0"), NULL, 0},
    {SLICE_INIT("-1.5e+10"), NULL, 0},
    {SLICE_INIT("1E400"), NULL, 0},
    {SLICE_INIT("0.0e-0"), NULL, 0},
    {SLICE_INIT("\"\""), NULL, 0},
    {SLICE_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\""), NULL, 0},
    {SLICE_INIT("\"\x7F\xC3\xA9\xF4\x8F\xBF\xBF\""), NULL, 0},
    {SLICE_INIT("\"\\uFFFF\\uE000\\uD7FF\\u0001\""), NULL, 0},
    {SLICE_INIT("{\"a\":[1,{\"b\":null},\"c\"],\"a\":{}}"), NULL, 0}, /* duplicates: the schema's */
    {SLICE_INIT(" { \"a\" : [ 1 , 2 ] , \"b\" : { } } "), NULL, 0},
    {SLICE_INIT("[[],[[]],{}]"), NULL, 0},

    {SLICE_INIT(""), "value expected at the end", 0},
    {{0}, "value expected at the end", 0},
    {SLICE_INIT("  "), "value expected at the end", 2},
    {SLICE_INIT("nul"), "value expected", 0},
    {SLICE_INIT("nulll"), "something follows the value", 4},
    {SLICE_INIT("True"), "value expected", 0},
    {SLICE_INIT("{} {}"), "something follows the value", 3},
    {SLICE_INIT("1 1"), "something follows the value", 2},
    {SLICE_INIT("{}\0"), "something follows the value", 2},
    {SLICE_INIT("\xEF\xBB\xBF{}"), "value expected", 0}, /* a byte order mark */
    {SLICE_INIT("\f{}"), "value expected", 0},
    {SLICE_INIT("[1]\v"), "something follows the value", 3},
    {SLICE_INIT("01"), "something follows the value", 1},
    {SLICE_INIT("-01"), "something follows the value", 2},
    {SLICE_INIT("+1"), "value expected", 0},
    {SLICE_INIT("-"), "digit expected", 1},
    {SLICE_INIT("1."), "digit expected", 2},
    {SLICE_INIT(".5"), "value expected", 0},
    {SLICE_INIT("1e"), "digit expected", 2},
    {SLICE_INIT("1e+-1"), "digit expected", 3},
    {SLICE_INIT("0x10"), "something follows the value", 1},
    {SLICE_INIT("NaN"), "value expected", 0},
    {SLICE_INIT("-Infinity"), "digit expected", 1},
    {SLICE_INIT("\""), "string without an end", 1},
    {SLICE_INIT("\"\\"), "unknown escape in a string", 2},
    {SLICE_INIT("\"\\\""), "string without an end", 3},
    {SLICE_INIT("\"\\x\""), "unknown escape in a string", 2},
    {SLICE_INIT("\"\\\0\""), "unknown escape in a string", 2},
    {SLICE_INIT("\"\n\""), "control character in a string", 1},
    {SLICE_INIT("\"\0\""), "control character in a string", 1},
    {SLICE_INIT("\"\x1F\""), "control character in a string", 1},
    {SLICE_INIT("\"\\u12\""), "four hexadecimal digits expected", 5},
    {SLICE_INIT("\"\\u12g4\""), "four hexadecimal digits expected", 5},
    {SLICE_INIT("\"\\u123"), "four hexadecimal digits expected", 6},
    {SLICE_INIT("\"a\\u0000\""), "escaped NUL in a string", 8},
    {SLICE_INIT("\"\\uDC00\""), "low surrogate without a high one", 7},
    {SLICE_INIT("\"\\uDFFF\""), "low surrogate without a high one", 7},
    {SLICE_INIT("\"\\uD800\""), "high surrogate without a low one", 7},
    {SLICE_INIT("\"\\uDBFF\\n\""), "high surrogate without a low one", 8},
    {SLICE_INIT("\"\\uD800\\uD800\""), "high surrogate without a low one", 13},
    {SLICE_INIT("\"\\uD800\\u0041\""), "high surrogate without a low one", 13},
    {SLICE_INIT("\"\xFF\""), "invalid UTF-8 in a string", 1},
    {SLICE_INIT("\"\xC3\""), "invalid UTF-8 in a string", 1},
    {SLICE_INIT("\"\xED\xA0\x80\""), "invalid UTF-8 in a string", 1},
    {SLICE_INIT("\"\xC3"), "invalid UTF-8 in a string", 1},
    {SLICE_INIT("'a'"), "value expected", 0},
    {SLICE_INIT("["), "value expected at the end", 1},
    {SLICE_INIT("[1"), "',' or a closing bracket expected", 2},
    {SLICE_INIT("[1,]"), "value expected", 3},
    {SLICE_INIT("[,1]"), "value expected", 1},
    {SLICE_INIT("[1,,2]"), "value expected", 3},
    {SLICE_INIT("[1 2]"), "',' or a closing bracket expected", 3},
    {SLICE_INIT("[1}"), "',' or a closing bracket expected", 2},
    {SLICE_INIT("[}"), "value expected", 1},
    {SLICE_INIT("{]"), "member name expected", 1},
    {SLICE_INIT("]"), "value expected", 0},
    {SLICE_INIT("[]]"), "something follows the value", 2},
    {SLICE_INIT("{\"a\"}"), "':' expected", 4},
    {SLICE_INIT("{\"a\":}"), "value expected", 5},
    {SLICE_INIT("{\"a\" 1}"), "':' expected", 5},
    {SLICE_INIT("{\"a\":1,}"), "member name expected after the comma", 7},
    {SLICE_INIT("{,}"), "member name expected", 1},
    {SLICE_INIT("{a:1}"), "member name expected", 1},
    {SLICE_INIT("{1:1}"), "member name expected", 1},
    {SLICE_INIT("{\"a\":1 \"b\":2}"), "',' or a closing bracket expected", 7},
    {SLICE_INIT("{\"a\":1"), "',' or a closing bracket expected", 6},
    {SLICE_INIT("{\"a\\u0000\":1}"), "escaped NUL in a string", 9},
    {SLICE_INIT("{\"a\":1}/**/"), "something follows the value", 7},
};
START_TEST(json_check_texts)
{
    const struct row *r = &rows[_i];
    struct json_fault fault = {0};
    ck_assert_msg(json_check(r->text, &fault) == !r->fault, "%.*s", SLICE_ARG(r->text));
    if (!r->fault)
        return;
    ck_assert_str_eq(fault.what, r->fault);
    ck_assert_uint_eq(fault.at, r->at);
}
END_TEST

static const struct depth_row {
    size_t depth;
    bool good;
} depth_rows[] = {{1, true}, {JSON_DEPTH_MAX, true}, {JSON_DEPTH_MAX + 1, false}, {100000, false}};
START_TEST(json_check_depth)
{
    const struct depth_row *r = &depth_rows[_i];
    static char text[200000];
    struct json_fault fault;
    memset(text, '[', r->depth);
    memset(text + r->depth, ']', r->depth);
    ck_assert_int_eq(json_check((struct slice){text, 2 * r->depth}, &fault), r->good);
    if (!r->good)
        ck_assert_str_eq(fault.what, "nested too deeply");
}
END_TEST

/* Every beginning of a good text is refused, and never read beyond its end: each is a copy of its
 * own, as long as it is, so that the sanitizers would see it. */
START_TEST(json_check_beginnings)
{
    static const char text[] =
        "{\"a\\u00e9\\uD83D\\uDE00\":[1.5e+3,true,null,{\"b\":\"\xC3\xA9\"}]}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct json_fault fault = {0};
        char *copy = malloc(len + 1);
        ck_assert_ptr_nonnull(copy);
        char *start = copy + 1; /* ends where the allocation ends */
        memcpy(start, text, len);
        ck_assert_msg(!json_check((struct slice){start, len}, &fault), "%.*s", (int)len, text);
        ck_assert_uint_le(fault.at, len);
        free(copy);
    }
}
END_TEST

START_TEST(json_next_values)
{
    const struct slice text =
        SLICE("\t{ \"a\" :1.50 \r\n,\"b\\\",}\":\"x,}\\\" \" ,\"c\":[1, {\"d\":2}]"
              ",\"a\":{} , \"e\":null\n}\n");
    static const char *const wanted[] = {"1.50", "\"x,}\\\" \"", "[1, {\"d\":2}]", "{}", "null"};
    struct slice value = {0};
    size_t at = 0;
    for (size_t i = 0; i < COUNT(wanted); i++) {
        ck_assert(json_next_value(text, &at, &value));
        ck_assert_text_eq(value, wanted[i]);
    }
    ck_assert(!json_next_value(text, &at, &value));
    ck_assert_text_eq(value, "null");
    at = 0;
    ck_assert(!json_next_value(SLICE(" { }"), &at, &value));
}
END_TEST

/* The public corpus: each file's name begins with what is due to it. */
static struct {
    struct dirent **entries;
    int count;
    char folder[512];
} corpus;

/* Good JSON that is refused here on purpose: U+0000 in a string. */
static const char *const deliberately_refused[] = {"y_string_null_escape.json",
                                                   "y_object_escaped_null_in_key.json"};

static bool is_deliberately_refused(const char *name)
{
    for (size_t i = 0; i < COUNT(deliberately_refused); i++)
        if (strcmp(name, deliberately_refused[i]) == 0)
            return true;
    return false;
}

static int is_json(const struct dirent *entry)
{
    return strstr(entry->d_name, ".json") != NULL;
}

static bool corpus_found(void)
{
    const char *vectors = getenv("VECTORS");
    snprintf(corpus.folder, sizeof corpus.folder, "%s/json/test_parsing",
             vectors && *vectors ? vectors : "../shared/vectors");
    corpus.count = scandir(corpus.folder, &corpus.entries, is_json, alphasort);
    return corpus.count > 0;
}

static struct slice read_corpus(const char *name)
{
    static char text[KIB(512)];
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", corpus.folder, name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s", path);
    size_t len = fread(text, 1, sizeof text, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_uint_lt(len, sizeof text);
    return (struct slice){text, len};
}

START_TEST(json_corpus)
{
    const char *name = corpus.entries[_i]->d_name;
    struct slice text = read_corpus(name);
    struct json_fault fault = {0};
    bool good = json_check(text, &fault);
    if (name[0] == 'y')
        ck_assert_msg(good == !is_deliberately_refused(name), "%s: %s", name,
                      good ? "accepted" : fault.what);
    else if (name[0] == 'n')
        ck_assert_msg(!good, "%s", name);
    else
        ck_assert_msg(name[0] == 'i', "%s", name); /* free to do either, but not to crash */
}
END_TEST

void web_json_check(struct suite *s)
{
    suite_rows(s, json_check_texts, COUNT(rows));
    suite_rows(s, json_check_depth, COUNT(depth_rows));
    suite_test(s, json_check_beginnings);
    suite_test(s, json_next_values);
    if (corpus_found())
        suite_rows(s, json_corpus, (size_t)corpus.count);
    else
        suite_skip(s, "json_corpus: no test vectors; set VECTORS");
}
