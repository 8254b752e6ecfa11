#include "common/run/conf.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdlib.h>

struct conf {
    int64_t count, level;
    const char *path, *note, *always, *key;
};

enum { USE_ONE = 1 << 0, USE_TWO = 1 << 1 };

static const char *check_absolute(const char *value)
{
    return value[0] == '/' ? NULL : "must be an absolute path";
}

static const struct conf_item items[] = {
    CONF_INT("COUNT", count, "8", 1, 64, "things", "how many"),
    CONF_CHOICE("LEVEL", level, "INFO", "DEBUG|INFO|WARN", "how loud"),
    CONF_STR("FOLDER", path, "/srv", 2, 10, "bytes", "where", check_absolute),
    CONF_STR("NOTE", note, "", 0, 10, "bytes", "a remark", NULL),
    CONF_STR("ALWAYS", always, NULL, 1, 10, "bytes", "required by everything", NULL),
    CONF_SECRET("KEY", key, NULL, USE_ONE | USE_TWO, 4, 10, "bytes", "a key", check_absolute),
};
static const struct conf_table table = {ARRAY(items)};

/* What the lookup below finds: name and value by turns. Set by each test. */
static const char *const *environment;

static char *look_up(const char *name)
{
    for (size_t i = 0; environment[i]; i += 2)
        if (slice_equal(slice_from_cstr(environment[i]), slice_from_cstr(name)))
            return (char *)environment[i + 1];
    return NULL;
}

#define GOOD "ALWAYS", "a", "KEY", "/key" /* what is required */

static const struct fault_row {
    const char *environment[16];
    unsigned uses;
    const char *faults;
} fault_rows[] = {
    {{GOOD}, USE_ONE, ""},
    {{GOOD, "COUNT", "1"}, USE_ONE, ""},
    {{GOOD, "COUNT", "64"}, USE_ONE, ""},
    {{GOOD, "COUNT", "0"}, USE_ONE, "COUNT=0: must be a whole number from 1 to 64 (things)\n"},
    {{GOOD, "COUNT", "65"}, USE_ONE, "COUNT=65: must be a whole number from 1 to 64 (things)\n"},
    {{GOOD, "COUNT", "8.0"}, USE_ONE, "COUNT=8.0: must be a whole number from 1 to 64 (things)\n"},
    {{GOOD, "COUNT", " 8"}, USE_ONE, "COUNT= 8: must be a whole number from 1 to 64 (things)\n"},
    {{GOOD, "LEVEL", "LOUD"}, USE_ONE, "LEVEL=LOUD: must be one of DEBUG|INFO|WARN\n"},
    {{GOOD, "LEVEL", "info"}, USE_ONE, "LEVEL=info: must be one of DEBUG|INFO|WARN\n"},
    {{GOOD, "LEVEL", "DEBUG|INFO"}, USE_ONE, "LEVEL=DEBUG|INFO: must be one of DEBUG|INFO|WARN\n"},
    {{GOOD, "FOLDER", "/"}, USE_ONE, "FOLDER=/: must be 2 to 10 bytes long\n"},
    {{GOOD, "FOLDER", "/234567890"}, USE_ONE, ""},
    {{GOOD, "FOLDER", "/2345678901"}, USE_ONE, "FOLDER=/2345678901: must be 2 to 10 bytes long\n"},
    {{GOOD, "FOLDER", "srv"}, USE_ONE, "FOLDER=srv: must be an absolute path\n"},
    /* required: by every command, or by those named */
    {{"KEY", "/key"}, USE_ONE, "ALWAYS: is required and not set\n"},
    {{"KEY", "/key"}, 0, "ALWAYS: is required and not set\n"},
    {{"ALWAYS", "a"}, USE_TWO, "KEY: is required and not set\n"},
    {{"ALWAYS", "a"}, 1 << 2, ""},
    {{"ALWAYS", "a"}, 0, ""},
    {{"ALWAYS", "", "KEY", ""},
     USE_ONE,
     "ALWAYS: is required and not set\nKEY: is required and not set\n"},
    /* a secret is never quoted, and is looked at even where it is not required */
    {{"ALWAYS", "a", "KEY", "hush"}, USE_ONE, "KEY: must be an absolute path\n"},
    {{"ALWAYS", "a", "KEY", "/"}, 0, "KEY: must be 4 to 10 bytes long\n"},
    /* all faults in one run, in the order of the table */
    {{"COUNT", "x", "LEVEL", "y", "FOLDER", "z", "NOTE", "12345678901", "KEY", "hush"},
     USE_ONE,
     "COUNT=x: must be a whole number from 1 to 64 (things)\n"
     "LEVEL=y: must be one of DEBUG|INFO|WARN\n"
     "FOLDER=z: must be 2 to 10 bytes long\n"
     "NOTE=12345678901: must be 0 to 10 bytes long\n"
     "ALWAYS: is required and not set\n"
     "KEY: must be an absolute path\n"},
};
START_TEST(conf_faults)
{
    const struct fault_row *r = &fault_rows[_i];
    char storage[1024];
    struct buf faults = BUF(storage);
    struct conf conf;
    environment = r->environment;
    ck_assert_int_eq(conf_read(&table, look_up, r->uses, &conf, &faults), !*r->faults);
    ck_assert_text_eq(buf_slice(&faults), r->faults);
}
END_TEST

static const struct value_row {
    const char *environment[16];
    struct conf want;
} value_rows[] = {
    {{GOOD}, {8, 1, "/srv", "", "a", "/key"}},
    {{GOOD, "COUNT", "", "LEVEL", "", "FOLDER", "", "NOTE", ""}, {8, 1, "/srv", "", "a", "/key"}},
    {{GOOD, "COUNT", "3", "LEVEL", "WARN", "FOLDER", "/tmp", "NOTE", "x=y"},
     {3, 2, "/tmp", "x=y", "a", "/key"}},
    {{GOOD, "LEVEL", "DEBUG"}, {8, 0, "/srv", "", "a", "/key"}},
};
START_TEST(conf_values)
{
    const struct value_row *r = &value_rows[_i];
    char storage[1024];
    struct buf faults = BUF(storage);
    struct conf conf;
    environment = r->environment;
    ck_assert(conf_read(&table, look_up, USE_ONE, &conf, &faults));
    ck_assert_int_eq(conf.count, r->want.count);
    ck_assert_int_eq(conf.level, r->want.level);
    ck_assert_str_eq(conf.path, r->want.path);
    ck_assert_str_eq(conf.note, r->want.note);
    ck_assert_str_eq(conf.always, r->want.always);
    ck_assert_str_eq(conf.key, r->want.key);
}
END_TEST

START_TEST(conf_faults_beyond_the_buffer)
{
    static const char *const bad[] = {"COUNT", "x", NULL};
    char storage[20];
    struct buf faults = BUF(storage);
    struct conf conf;
    environment = bad;
    ck_assert(!conf_read(&table, look_up, USE_ONE, &conf, &faults));
    ck_assert(faults.full);
}
END_TEST

static void print_values(FILE *to)
{
    static const char *const some[] = {GOOD, "COUNT", "3", "LEVEL", "WARN", NULL};
    char storage[256];
    struct buf faults = BUF(storage);
    struct conf conf;
    environment = some;
    ck_assert(conf_read(&table, look_up, USE_ONE, &conf, &faults));
    conf_print_values(&table, &conf, to);
}

static void print_values_without_key(FILE *to)
{
    static const char *const some[] = {"ALWAYS", "a", NULL};
    char storage[256];
    struct buf faults = BUF(storage);
    struct conf conf;
    environment = some;
    ck_assert(conf_read(&table, look_up, 0, &conf, &faults));
    conf_print_values(&table, &conf, to);
}

static void print_help(FILE *to)
{
    conf_print_help(&table, to);
}

static void print_markdown(FILE *to)
{
    conf_print_markdown(&table, to);
}

static void print_json(FILE *to)
{
    static const char *const some[] = {"ALWAYS", "a\"b", "KEY", "/key", "COUNT", "x", NULL};
    environment = some;
    conf_print_json(&table, look_up, to);
}

static const struct print_row {
    void (*print)(FILE *to);
    const char *want;
} print_rows[] = {
    {print_values, "COUNT=3\nLEVEL=WARN\nFOLDER=/srv\nNOTE=\nALWAYS=a\nKEY=***\n"},
    {print_values_without_key, "COUNT=8\nLEVEL=INFO\nFOLDER=/srv\nNOTE=\nALWAYS=a\nKEY=\n"},
    {print_json,
     "[\n    {\"name\":\"COUNT\",\"kind\":\"integer\",\"value\":\"x\",\"default\":\"8\",\"min\":1,"
     "\"max\":64,\"unit\":\"things\",\"secret\":false}"
     ",\n    {\"name\":\"LEVEL\",\"kind\":\"choice\",\"value\":\"INFO\",\"default\":\"INFO\","
     "\"choices\":[\"DEBUG\", \"INFO\", \"WARN\"],\"unit\":\"name\",\"secret\":false}"
     ",\n    "
     "{\"name\":\"FOLDER\",\"kind\":\"text\",\"value\":\"/srv\",\"default\":\"/srv\",\"min\":2,"
     "\"max\":10,\"unit\":\"bytes\",\"secret\":false}"
     ",\n    "
     "{\"name\":\"NOTE\",\"kind\":\"text\",\"value\":\"\",\"default\":\"\",\"min\":0,\"max\":10,"
     "\"unit\":\"bytes\",\"secret\":false}"
     ",\n    "
     "{\"name\":\"ALWAYS\",\"kind\":\"text\",\"value\":\"a\\\"b\",\"default\":null,\"min\":1,"
     "\"max\":10,\"unit\":\"bytes\",\"secret\":false}"
     ",\n    "
     "{\"name\":\"KEY\",\"kind\":\"text\",\"value\":\"***\",\"default\":null,\"min\":4,\"max\":10,"
     "\"unit\":\"bytes\",\"secret\":true}\n  ]"},
    {print_help, "  COUNT                          how many\n"
                 "                                   1 to 64 things; default 8\n"
                 "  LEVEL                          how loud\n"
                 "                                   DEBUG, INFO, WARN; default INFO\n"
                 "  FOLDER                         where\n"
                 "                                   2 to 10 bytes; default /srv\n"
                 "  NOTE                           a remark\n"
                 "                                   0 to 10 bytes; default empty\n"
                 "  ALWAYS                         required by everything\n"
                 "                                   1 to 10 bytes; required\n"
                 "  KEY                            a key\n"
                 "                                   4 to 10 bytes; required\n"},
    {print_markdown, "| setting | default | range | meaning |\n"
                     "|---|---|---|---|\n"
                     "| `COUNT` | `8` | 1 to 64 things | how many |\n"
                     "| `LEVEL` | `INFO` | DEBUG, INFO, WARN | how loud |\n"
                     "| `FOLDER` | `/srv` | 2 to 10 bytes | where |\n"
                     "| `NOTE` | empty | 0 to 10 bytes | a remark |\n"
                     "| `ALWAYS` | required | 1 to 10 bytes | required by everything |\n"
                     "| `KEY` | required | 4 to 10 bytes | a key (secret) |\n"},
};
START_TEST(conf_prints)
{
    char text[2048] = "";
    FILE *to = fmemopen(text, sizeof text, "w");
    ck_assert_ptr_nonnull(to);
    print_rows[_i].print(to);
    ck_assert_int_eq(fclose(to), 0);
    ck_assert_str_eq(text, print_rows[_i].want);
}
END_TEST

void run_conf(struct suite *s)
{
    suite_rows(s, conf_faults, COUNT(fault_rows));
    suite_rows(s, conf_values, COUNT(value_rows));
    suite_test(s, conf_faults_beyond_the_buffer);
    suite_rows(s, conf_prints, COUNT(print_rows));
}
