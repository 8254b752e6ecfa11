#include "common/db/migrate.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_db.h"
#include "tests/unit/support/scratch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct split_row {
    const char *text;
    const char *statements[4];
} split_rows[] = {
    {"", {NULL}},
    {" \t\r\n", {NULL}},
    {"-- nothing\n# nothing\n/* nothing */", {NULL}},
    {"--", {NULL}},
    {"-- no line's end", {NULL}},
    {"/* no end", {NULL}},
    {"/*", {NULL}},
    {"/*/ one comment */", {NULL}},
    {";", {NULL}},
    {" ; ;\n;", {NULL}},
    {"A", {"A"}},
    {"A;", {"A"}},
    {"A;\n", {"A"}},
    {"A;B", {"A", "B"}},
    {"A;;B;", {"A", "B"}},
    {" A ; B ", {"A ", "B "}},
    {"-- first\nA;\n-- second\nB;\n-- last\n", {"A", "B"}},
    {"--\r\nA;\r\n--\tx\nB;", {"A", "B"}},
    {"/* a;b */A;# c;d\nB", {"A", "B"}},
    {"A -- b;c\nD;E", {"A -- b;c\nD", "E"}},
    {"A /* b;c */ D;E", {"A /* b;c */ D", "E"}},
    {"A # b;c\nD;E", {"A # b;c\nD", "E"}},
    {"A 'b;c';D", {"A 'b;c'", "D"}},
    {"A \"b;c\";D", {"A \"b;c\"", "D"}},
    {"A `b;c`;D", {"A `b;c`", "D"}},
    {"A 'it''s;';D", {"A 'it''s;'", "D"}},
    {"A 'it\\'s;';D", {"A 'it\\'s;'", "D"}},
    {"A 'b\\\\';D", {"A 'b\\\\'", "D"}},
    {"A `b\\`;D", {"A `b\\`", "D"}}, /* a backslash is itself in a name */
    {"A '-- b';C '/* d';E", {"A '-- b'", "C '/* d'", "E"}},
    {"A \"'\";B '\"'", {"A \"'\"", "B '\"'"}},
    {"A 'no end;B", {"A 'no end;B"}},
    {"A 'no end\\", {"A 'no end\\"}},
    {"A 5--3;B", {"A 5--3", "B"}}, /* no comment: minus minus three */
    {"A 1 - -- 2;\n3;B", {"A 1 - -- 2;\n3", "B"}},
    {"/*!40101 A */;B", {"/*!40101 A */", "B"}},
    {"A -- it's\n;B", {"A -- it's\n", "B"}},
    {"A /* it's */;B", {"A /* it's */", "B"}},
};
START_TEST(migrate_splits)
{
    const struct split_row *r = &split_rows[_i];
    struct slice rest = slice_from_cstr(r->text), statement = {0};
    size_t count = 0;
    while (migration_statement(&rest, &statement)) {
        ck_assert_msg(count < COUNT(r->statements) && r->statements[count], "one more: %.*s",
                      SLICE_ARG(statement));
        ck_assert_text_eq(statement, r->statements[count]);
        count++;
    }
    ck_assert(count == COUNT(r->statements) || !r->statements[count]);
}
END_TEST

static const struct list_row {
    const char *names[5];
    const char *want; /* the list, or a part of the cause when `good` is not set */
    bool good;
} list_rows[] = {
    {{NULL}, "", true},
    {{"0001_a.sql"}, "1 0001_a.sql;", true},
    {{"0003_c.sql", "0001_a.sql", "0002_b_b.sql"},
     "1 0001_a.sql;2 0002_b_b.sql;3 0003_c.sql;",
     true},
    {{"0001_a.sql", ".0002_b.sql.swp"}, "1 0001_a.sql;", true},
    {{"0002_b.sql"}, "without a gap: 0002_b.sql", false},
    {{"0000_a.sql", "0001_b.sql"}, "without a gap: 0000_a.sql", false},
    {{"0001_a.sql", "0003_c.sql"}, "without a gap: 0003_c.sql", false},
    {{"0001_a.sql", "0001_b.sql"}, "without a gap", false},
    {{"0001_a.sql", "0002_b.sql~"}, "0002_b.sql~ is not named NNNN_words.sql", false},
    {{"0001_a.sql", "README.md"}, "README.md is not named", false},
    {{"001_a.sql"}, "is not named", false},
    {{"00001_a.sql"}, "is not named", false},
    {{"0001-a.sql"}, "is not named", false},
    {{"0001_.sql"}, "is not named", false},
    {{"0001.sql"}, "is not named", false},
    {{"000x_a.sql"}, "is not named", false},
    {{"-001_a.sql"}, "is not named", false},
    {{"0001_a.SQL"}, "is not named", false},
};
START_TEST(migrate_lists)
{
    const struct list_row *r = &list_rows[_i];
    struct scratch scratch;
    struct migrations list = {0};
    struct err err = {0};
    char storage[256];
    struct buf seen = BUF(storage);
    scratch_open(&scratch);
    for (size_t i = 0; i < COUNT(r->names) && r->names[i]; i++)
        scratch_file(&scratch, r->names[i], SLICE(""));
    ck_assert_msg(migrations_list(scratch.dir, &list, &err) == r->good, "%s", err.cause);
    for (size_t i = 0; i < list.count; i++)
        buf_add_format(&seen, "%d %s;", (int)list.items[i].version, list.items[i].name);
    ck_assert_text_eq(buf_slice(&seen), r->good ? r->want : "");
    ck_assert_ptr_eq(err.kind, r->good ? NULL : &ERR_SETTINGS_INVALID);
    if (!r->good)
        ck_assert_msg(strstr(err.cause, r->want) != NULL, "%s", err.cause);
    migrations_done(&list);
    scratch_close(&scratch);
}
END_TEST

START_TEST(migrate_without_a_folder)
{
    struct migrations list = {0};
    struct err err = {0};
    ck_assert(!migrations_list("/nonexistent/folder", &list, &err));
    ck_assert_ptr_eq(err.kind, &ERR_SETTINGS_INVALID);
    ck_assert_ptr_nonnull(strstr(err.cause, "/nonexistent/folder"));
    ck_assert_ptr_null(list.items);
    migrations_done(&list);
}
END_TEST

/* The two files of the tests below, with their SHA-256. */
#define FILE_1     "CREATE TABLE a (b INT);\nINSERT INTO a VALUES (';');\n"
#define FILE_1_SUM "a88a02125ee61b146c8a08ea726ba6ae53ed5b5d76183c3f81d9a4760a76745d"
/* of the file up to the end of its first and of its second statement */
#define FIRST_SUM  "e1d4239870d80e3c637e8801752e1876dd4169222e7af8a8a3119037d55421dd"
#define BOTH_SUM   "2423e606e63fd1667b0e5aa6d56e31c506b2009c107d0c971390c9b89366a012"
#define FILE_2     "-- nothing\n"
#define FILE_2_SUM "51f68401fa2f1e068444e4c55e5cad5b6563553cdf6b591e281af7251cafe200"

#define LOCK "SELECT COALESCE(GET_LOCK('cbu.migrate', 60), 0);"
#define RECORD(version)                                                                            \
    "SELECT checksum, statements_done, statement_begun, applied_at IS NOT NULL"                    \
    " FROM schema_migrations WHERE version = " version ";"
#define STARTED(version, name)                                                                     \
    "INSERT INTO schema_migrations (version, name, checksum, statements_done, statement_begun)"    \
    " VALUES (" version ", '" name "', '', 0, 0);"
#define BEGUN(number) "UPDATE schema_migrations SET statement_begun = " number " WHERE version = 1;"
#define BEGIN         "START TRANSACTION;"
#define DONE(count, sum)                                                                           \
    "UPDATE schema_migrations SET statements_done = " count ", checksum = '" sum                   \
    "' WHERE version = 1;COMMIT;"
#define APPLIED(version, sum)                                                                      \
    "UPDATE schema_migrations SET checksum = '" sum "', applied_at = UTC_TIMESTAMP(3)"             \
    " WHERE version = " version ";"
#define FIRST  "CREATE TABLE a (b INT);"
#define SECOND "INSERT INTO a VALUES (';');"

#define LOCKED                                                                                     \
    {                                                                                              \
        FAKE_ROWS(1, "1")                                                                          \
    }
#define DONE_OK                                                                                    \
    {                                                                                              \
        .affected = 1                                                                              \
    }
/* Noted as begun, transaction, the statement, noted as done, commit. */
#define STEP DONE_OK, DONE_OK, DONE_OK, DONE_OK, DONE_OK
#define SECOND_FILE_DONE                                                                           \
    {                                                                                              \
        FAKE_ROWS(4, FILE_2_SUM, "0", "0", "1")                                                    \
    }

static const struct apply_row {
    struct fake_answer answers[20];
    size_t count;
    const struct err_kind *want;
    const char *cause;      /* a part of it */
    const char *statements; /* but the CREATE TABLE of our own, which comes second */
    const char *reported;
} apply_rows[] = {
    /* a new database */
    {{LOCKED,
      DONE_OK,
      {FAKE_NO_ROWS(4)},
      DONE_OK,
      STEP,
      STEP,
      DONE_OK,
      {FAKE_NO_ROWS(4)},
      DONE_OK,
      DONE_OK},
     18,
     NULL,
     NULL,
     LOCK RECORD("1") STARTED("1", "0001_a.sql") BEGUN("1") BEGIN FIRST DONE("1", FIRST_SUM)
         BEGUN("2") BEGIN SECOND DONE("2", BOTH_SUM) APPLIED("1", FILE_1_SUM) RECORD("2")
             STARTED("2", "0002_b.sql") APPLIED("2", FILE_2_SUM),
     "0001_a.sql;0002_b.sql;"},
    /* all of it is there */
    {{LOCKED,
      DONE_OK,
      {FAKE_ROWS(4, FILE_1_SUM, "2", "2", "1")},
      {FAKE_ROWS(4, FILE_2_SUM, "0", "0", "1")}},
     4,
     NULL,
     NULL,
     LOCK RECORD("1") RECORD("2"),
     ""},
    /* goes on where it was interrupted: behind the first statement, and before the end mark */
    {{LOCKED, DONE_OK, {FAKE_ROWS(4, FIRST_SUM, "1", "1", "0")}, STEP, DONE_OK, SECOND_FILE_DONE},
     10,
     NULL,
     NULL,
     LOCK RECORD("1") BEGUN("2") BEGIN SECOND DONE("2", BOTH_SUM) APPLIED("1", FILE_1_SUM)
         RECORD("2"),
     "0001_a.sql;"},
    {{LOCKED, DONE_OK, {FAKE_ROWS(4, BOTH_SUM, "2", "2", "0")}, DONE_OK, SECOND_FILE_DONE},
     5,
     NULL,
     NULL,
     LOCK RECORD("1") APPLIED("1", FILE_1_SUM) RECORD("2"),
     "0001_a.sql;"},
    /* killed while the server ran the statement: it is found done, or is done now */
    {{LOCKED,
      DONE_OK,
      {FAKE_ROWS(4, "", "0", "1", "0")},
      DONE_OK,
      {FAKE_ERROR(1050)},
      DONE_OK,
      DONE_OK,
      STEP,
      DONE_OK,
      SECOND_FILE_DONE},
     14,
     NULL,
     NULL,
     LOCK RECORD("1") BEGIN FIRST DONE("1", FIRST_SUM) BEGUN("2") BEGIN SECOND DONE("2", BOTH_SUM)
         APPLIED("1", FILE_1_SUM) RECORD("2"),
     "0001_a.sql;"},
    {{LOCKED,
      DONE_OK,
      {FAKE_ROWS(4, FIRST_SUM, "1", "2", "0")},
      DONE_OK,
      DONE_OK,
      DONE_OK,
      DONE_OK,
      DONE_OK,
      SECOND_FILE_DONE},
     9,
     NULL,
     NULL,
     LOCK RECORD("1") BEGIN SECOND DONE("2", BOTH_SUM) APPLIED("1", FILE_1_SUM) RECORD("2"),
     "0001_a.sql;"},
    /* what is there already is a fault when the statement was not begun before */
    {{LOCKED, DONE_OK, {FAKE_NO_ROWS(4)}, DONE_OK, DONE_OK, DONE_OK, {FAKE_ERROR(1050)}, DONE_OK},
     8,
     &ERR_MIGRATION_FAILED,
     "0001_a.sql, statement 1: 1050",
     LOCK RECORD("1") STARTED("1", "0001_a.sql") BEGUN("1") BEGIN FIRST "ROLLBACK;",
     "0001_a.sql;"},
    /* a file that was changed after it was done, or in the part of it that is done */
    {{LOCKED, DONE_OK, {FAKE_ROWS(4, FILE_2_SUM, "2", "2", "1")}},
     3,
     &ERR_MIGRATION_CHANGED,
     "0001_a.sql was changed after",
     LOCK RECORD("1"),
     ""},
    {{LOCKED, DONE_OK, {FAKE_ROWS(4, FILE_2_SUM, "1", "1", "0")}},
     3,
     &ERR_MIGRATION_CHANGED,
     "0001_a.sql: of its first 1 statements",
     LOCK RECORD("1"),
     "0001_a.sql;"},
    {{LOCKED, DONE_OK, {FAKE_ROWS(4, FILE_2_SUM, "3", "3", "0")}},
     3,
     &ERR_MIGRATION_CHANGED,
     "0001_a.sql has fewer statements",
     LOCK RECORD("1"),
     "0001_a.sql;"},
    /* another one holds the lock */
    {{{FAKE_ROWS(1, "0")}}, 1, &ERR_DATABASE_DOWN, "another migration", LOCK, ""},
    {{{FAKE_ERROR(2013)}}, 1, &ERR_DATABASE_DOWN, "2013", LOCK, ""},
    /* a statement fails: nothing is noted of it, and nothing comes after it */
    {{LOCKED,
      DONE_OK,
      {FAKE_NO_ROWS(4)},
      DONE_OK,
      STEP,
      DONE_OK,
      DONE_OK,
      {FAKE_ERROR(1146)},
      DONE_OK},
     13,
     &ERR_MIGRATION_FAILED,
     "0001_a.sql, statement 2: 1146",
     LOCK RECORD("1") STARTED("1", "0001_a.sql") BEGUN("1") BEGIN FIRST DONE("1", FIRST_SUM)
         BEGUN("2") BEGIN SECOND "ROLLBACK;",
     "0001_a.sql;"},
    {{LOCKED, DONE_OK, {FAKE_NO_ROWS(4)}, DONE_OK, DONE_OK, DONE_OK, {FAKE_ERROR(2013)}},
     7,
     &ERR_MIGRATION_FAILED,
     "0001_a.sql, statement 1: 2013",
     LOCK RECORD("1") STARTED("1", "0001_a.sql") BEGUN("1") BEGIN FIRST,
     "0001_a.sql;"},
    /* the lock went with the connection: a new one must not go on without it */
    {{LOCKED, DONE_OK, {FAKE_ERROR(2013)}}, 3, &ERR_DATABASE_DOWN, "2013", LOCK RECORD("1"), ""},
    {{LOCKED, DONE_OK, {FAKE_ERROR(1142)}}, 3, &ERR_INTERNAL, "1142", LOCK RECORD("1"), ""},
};

/* migrations_apply() reports without a context. */
static char reported[256];

static void report(const char *name)
{
    size_t len = strlen(reported);
    snprintf(reported + len, sizeof reported - len, "%s;", name);
}

static struct db *open_migrator(struct fake_db *fake)
{
    struct err err = {0};
    const struct db_options options = {.max_age_ms = 1, .max_idle_ms = 1, .keep = true};
    struct db *db = db_open(&fake->driver, &options, &fake->world->world, &err);
    ck_assert_ptr_nonnull(db);
    return db;
}

/* All statements but the second, each with a semicolon. */
static struct slice statements_of(const struct fake_db *fake, struct buf *out)
{
    for (size_t i = 0; i < fake->statement_count; i++) {
        if (i == 1) {
            ck_assert(slice_starts_with(fake->statements[i],
                                        SLICE("CREATE TABLE IF NOT EXISTS schema_migrations ")));
            continue;
        }
        buf_add(out, fake->statements[i]);
        buf_add_char(out, ';');
    }
    return buf_slice(out);
}

START_TEST(migrate_applies)
{
    const struct apply_row *r = &apply_rows[_i];
    struct scratch scratch;
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[4096];
    struct buf seen = BUF(storage);
    scratch_open(&scratch);
    scratch_file(&scratch, "0001_a.sql", SLICE(FILE_1));
    scratch_file(&scratch, "0002_b.sql", SLICE(FILE_2));
    fake_world_init(&world);
    fake_db_init(&fake, &world, r->answers, r->count);
    struct db *db = open_migrator(&fake);
    reported[0] = '\0';
    ck_assert_msg(migrations_apply(db, scratch.dir, report, &err) == !r->want, "%s", err.cause);
    ck_assert_ptr_eq(err.kind, r->want);
    if (r->want)
        ck_assert_msg(strstr(err.cause, r->cause) != NULL, "%s", err.cause);
    ck_assert_text_eq(statements_of(&fake, &seen), r->statements);
    ck_assert_str_eq(reported, r->reported);
    ck_assert_int_eq(db_connects(db), 1);
    db_close(db);
    fake_db_check_done(&fake);
    scratch_close(&scratch);
}
END_TEST

static void make_nothing(struct scratch *s)
{
    (void)s;
}

static void make_foreign_file(struct scratch *s)
{
    scratch_file(s, "notes.txt", SLICE(""));
}

static void make_folder(struct scratch *s)
{
    ck_assert_int_eq(mkdir(scratch_path(s, "0001_a.sql"), 0700), 0);
}

static void make_large_file(struct scratch *s)
{
    static char text[MIGRATION_BYTES_MAX];
    memset(text, ' ', sizeof text);
    scratch_file(s, "0001_a.sql", (struct slice){text, sizeof text});
}

static void make_largest_file(struct scratch *s)
{
    static char text[MIGRATION_BYTES_MAX - 1];
    memset(text, ' ', sizeof text);
    scratch_file(s, "0001_a.sql", (struct slice){text, sizeof text});
}

static const struct folder_row {
    void (*make)(struct scratch *s);
    const struct err_kind *want;
    const char *trace;
} folder_rows[] = {
    {make_nothing, NULL, "connect set SELECT CREATE "},
    {make_foreign_file, &ERR_SETTINGS_INVALID, ""}, /* found before anything is done */
    {make_folder, &ERR_SETTINGS_INVALID, "connect set SELECT CREATE "},
    {make_large_file, &ERR_SETTINGS_INVALID, "connect set SELECT CREATE "},
    {make_largest_file, NULL, "connect set SELECT CREATE SELECT INSERT UPDATE "},
};
START_TEST(migrate_folders)
{
    const struct folder_row *r = &folder_rows[_i];
    const struct fake_answer answers[] = {LOCKED, DONE_OK, {FAKE_NO_ROWS(4)}, DONE_OK, DONE_OK};
    struct scratch scratch;
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    scratch_open(&scratch);
    r->make(&scratch);
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = open_migrator(&fake);
    ck_assert_msg(migrations_apply(db, scratch.dir, report, &err) == !r->want, "%s", err.cause);
    ck_assert_ptr_eq(err.kind, r->want);
    ck_assert_str_eq(fake.trace, r->trace);
    db_close(db);
    if (r->make == make_folder)
        ck_assert_int_eq(rmdir(scratch.paths[0]), 0);
    scratch_close(&scratch);
}
END_TEST

void db_migrate(struct suite *s)
{
    suite_rows(s, migrate_splits, COUNT(split_rows));
    suite_rows(s, migrate_lists, COUNT(list_rows));
    suite_test(s, migrate_without_a_folder);
    suite_rows(s, migrate_applies, COUNT(apply_rows));
    suite_rows(s, migrate_folders, COUNT(folder_rows));
}
