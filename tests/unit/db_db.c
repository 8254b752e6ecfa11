#include "common/db/db.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_db.h"

#include <stdlib.h>
#include <string.h>

#define AGE_MS  100000
#define IDLE_MS 10000
#define IO_S    5
#define HALF_MS (INT64_C(500) * IO_S) /* of the time limit of a statement */

#define STORY(done, seen, ...)                                                                     \
    {                                                                                              \
        .steps = (done), .trace = (seen), ##__VA_ARGS__                                            \
    }

/* A story is a run of steps on one handle: what is done and how it must end ("ok", or the kind of
 * the error), and the trace that it must leave at the driver. */
static const struct story {
    const char *steps, *trace;
    unsigned errors[6]; /* of the statements, in the order they arrive */
    int64_t takes_ms[6];
    unsigned connects[3], sets[3];
    int64_t idle_ms; /* 0: IDLE_MS */
    uint32_t random;
    bool keep;
} stories[] = {
    /* connects when it is needed, with one SET, and once */
    STORY("", ""),
    STORY("read:ok", "connect set SELECT "),
    STORY("read:ok write:ok read:ok", "connect set SELECT INSERT SELECT "),
    STORY("bad:internal", ""),
    STORY("read:internal read:ok", "connect set SELECT SELECT ", .errors = {1064}),

    /* a lost read is repeated once, on a new connection */
    STORY("read:ok", "connect set SELECT disconnect connect set SELECT ", .errors = {2013}),
    STORY("read:down", "connect set SELECT disconnect connect set SELECT disconnect ",
          .errors = {2013, 2006}),
    STORY("read:internal", "connect set SELECT disconnect connect set SELECT ",
          .errors = {2013, 1064}),
    STORY("read:ok read:ok",
          "connect set SELECT disconnect connect set SELECT SELECT disconnect connect set SELECT ",
          .errors = {2013, 0, 2013}),
    STORY("read:down", "connect set SELECT disconnect connect ", .errors = {2013},
          .connects = {0, 2002}),
    STORY("read:ok", "connect set SELECT disconnect connect set SELECT ", .errors = {2013},
          .takes_ms = {HALF_MS - 1}),
    STORY("read:down read:ok", "connect set SELECT disconnect connect set SELECT ",
          .errors = {2013}, .takes_ms = {HALF_MS}), /* half of its time is gone */

    /* a write never is */
    STORY("write:unknown", "connect set INSERT disconnect ", .errors = {2013}),
    STORY("write:unknown write:ok", "connect set INSERT disconnect connect set INSERT ",
          .errors = {2006}),
    STORY("write:internal write:ok", "connect set INSERT INSERT ", .errors = {1062}),
    STORY("write:down", "connect ", .connects = {2002}), /* surely not done */

    /* but for the victim of a deadlock, which was rolled back whole */
    STORY("write:ok", "connect set INSERT INSERT INSERT ", .errors = {1213, 1213}),
    STORY("write:internal", "connect set INSERT INSERT ", .errors = {1213, 1062}),
    STORY("write:unknown", "connect set INSERT INSERT disconnect ", .errors = {1213, 2013}),
    /* in a transaction nothing more may run of what was rolled back */
    STORY("begin:ok write:busy write:busy read:busy commit:busy write:ok",
          "connect set START INSERT ROLLBACK INSERT ", .errors = {0, 1213}),
    STORY("begin:ok write:busy rollback:ok write:ok", "connect set START INSERT ROLLBACK INSERT ",
          .errors = {0, 1213}),
    STORY("begin:ok read:busy commit:busy begin:ok write:ok commit:ok",
          "connect set START SELECT ROLLBACK START INSERT COMMIT ", .errors = {0, 1213}),
    STORY("begin:ok write:ok commit:busy write:ok",
          "connect set START INSERT COMMIT disconnect connect set INSERT ", .errors = {0, 0, 1213}),
    /* a wait for a lock that was given up ends its statement alone */
    STORY("begin:ok write:busy write:ok commit:ok", "connect set START INSERT INSERT COMMIT ",
          .errors = {0, 1205}),
    STORY("begin:ok read:busy rollback:ok", "connect set START SELECT ROLLBACK ",
          .errors = {0, 3572}),
    STORY("write:busy write:ok", "connect set INSERT INSERT ", .errors = {1205}),

    /* transactions */
    STORY("begin:ok write:ok read:ok commit:ok read:ok",
          "connect set START INSERT SELECT COMMIT SELECT "),
    STORY("begin:ok write:ok rollback:ok read:ok", "connect set START INSERT ROLLBACK SELECT "),
    STORY("begin:ok", "connect set START disconnect connect set START ", .errors = {2013}),
    STORY("begin:down rollback:ok read:ok",
          "connect set START disconnect connect set START disconnect connect set SELECT ",
          .errors = {2013, 2013}),
    STORY("begin:down read:ok", "connect set START disconnect connect set SELECT ",
          .errors = {2013}, .takes_ms = {HALF_MS}),
    STORY("begin:internal write:ok", "connect set START INSERT ", .errors = {1064}),
    /* a loss before COMMIT: rolled back, and nothing more of it runs anywhere */
    STORY("begin:ok read:down commit:down", "connect set START SELECT disconnect ",
          .errors = {0, 2013}),
    STORY("begin:ok write:down write:down read:down commit:down write:ok",
          "connect set START INSERT disconnect connect set INSERT ", .errors = {0, 2013}),
    STORY("begin:ok write:down rollback:ok write:ok",
          "connect set START INSERT disconnect connect set INSERT ", .errors = {0, 2013}),
    STORY("begin:ok write:internal rollback:ok write:ok",
          "connect set START INSERT ROLLBACK INSERT ", .errors = {0, 1062}),
    /* a loss during COMMIT */
    STORY("begin:ok write:ok commit:unknown read:ok",
          "connect set START INSERT COMMIT disconnect connect set SELECT ", .errors = {0, 0, 2013}),
    STORY("begin:ok commit:internal read:ok",
          "connect set START COMMIT disconnect connect set SELECT ", .errors = {0, 1180}),
    STORY("begin:ok rollback:ok read:ok",
          "connect set START ROLLBACK disconnect connect set SELECT ", .errors = {0, 2013}),
    STORY("begin:ok rollback:ok", "connect set START ROLLBACK disconnect ", .errors = {0, 1064}),
    STORY("commit:internal", ""),
    STORY("rollback:ok", ""),
    STORY("begin:ok commit:ok commit:internal rollback:ok", "connect set START COMMIT "),
    /* one that grows old keeps its connection to the end */
    STORY("begin:ok write:ok pass:100000 write:ok commit:ok read:ok",
          "connect set START INSERT INSERT COMMIT disconnect connect set SELECT "),
    STORY("begin:ok write:ok pass:100000 commit:ok", "connect set START INSERT COMMIT "),
    STORY("begin:ok pass:100000 rollback:ok", "connect set START ROLLBACK "),

    /* replaced before the server would end it: by idleness */
    STORY("read:ok pass:10000 read:ok", "connect set SELECT SELECT "),
    STORY("read:ok pass:10001 read:ok", "connect set SELECT disconnect connect set SELECT "),
    STORY("read:ok pass:6000 read:ok pass:6000 write:ok", "connect set SELECT SELECT INSERT "),
    STORY("read:ok pass:10001 begin:ok", "connect set SELECT disconnect connect set START "),
    /* and by age, earlier by chance so that not all workers reconnect at once */
    STORY("read:ok pass:99999 read:ok", "connect set SELECT SELECT ", .idle_ms = INT64_MAX),
    STORY("read:ok pass:100000 read:ok", "connect set SELECT disconnect connect set SELECT ",
          .idle_ms = INT64_MAX),
    STORY("read:ok pass:89999 read:ok", "connect set SELECT SELECT ", .idle_ms = INT64_MAX,
          .random = UINT32_MAX),
    STORY("read:ok pass:90000 read:ok", "connect set SELECT disconnect connect set SELECT ",
          .idle_ms = INT64_MAX, .random = UINT32_MAX),
    STORY("read:ok pass:60000 read:ok pass:40000 write:ok pass:99999 read:ok",
          "connect set SELECT SELECT disconnect connect set INSERT SELECT ", .idle_ms = INT64_MAX),

    /* a connection that holds a lock is never replaced */
    STORY("read:ok pass:9999999 read:ok", "connect set SELECT SELECT ", .keep = true),
    STORY("read:down", "connect set SELECT disconnect ", .errors = {2013}, .keep = true),
    STORY("long:ok read:ok", "connect set INSERT SELECT ", .keep = true),

    /* after a failed connect, calls fail at once for a while */
    STORY("read:down read:down write:down begin:down pass:249 read:down pass:1 read:ok",
          "connect connect set SELECT ", .connects = {2002}),
    STORY("read:down pass:250 read:down pass:249 read:down pass:1 read:ok",
          "connect connect connect set SELECT ", .connects = {2002, 2003}),
    STORY("read:down read:down pass:250 read:ok", "connect set disconnect connect set SELECT ",
          .sets = {1231}),

    /* a statement of 16 KB would pin a connection of RDS Proxy for good */
    STORY("long:ok read:ok", "connect set INSERT disconnect connect set SELECT "),
    STORY("almost:ok read:ok", "connect set INSERT SELECT "),
    STORY("longread:ok read:ok", "connect set SELECT disconnect connect set SELECT "),
    STORY("long:internal read:ok", "connect set INSERT disconnect connect set SELECT ",
          .errors = {1062}),
    STORY("begin:ok long:ok write:ok commit:ok read:ok",
          "connect set START INSERT INSERT COMMIT disconnect connect set SELECT "),
    STORY("begin:ok long:ok rollback:ok read:ok",
          "connect set START INSERT ROLLBACK disconnect connect set SELECT "),
};

static const struct {
    const char *name;
    const struct err_kind *kind;
} kinds[] = {{"ok", NULL},
             {"down", &ERR_DATABASE_DOWN},
             {"unknown", &ERR_WRITE_UNKNOWN},
             {"busy", &ERR_DATABASE_BUSY},
             {"internal", &ERR_INTERNAL}};

/* A statement that begins with `word` and is `len` bytes long. */
static struct sql statement(struct arena *arena, const char *word, size_t len)
{
    struct sql sql = sql_start(arena, len);
    sql_add_plain(&sql, word);
    while (sql.text.len < len)
        buf_add_char(&sql.text, ' ');
    return sql;
}

static void read_step(struct db *db, const struct sql *sql, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    ck_assert_int_eq(db_read(db, sql, &rows, err), !err->kind);
}

static void do_step(struct db *db, struct arena *arena, struct slice step, struct err *err)
{
    struct sql sql = statement(arena, "SELECT 1", 8);
    bool good = true;
    if (slice_equal(step, SLICE("read"))) {
        read_step(db, &sql, err);
        return;
    }
    if (slice_equal(step, SLICE("longread"))) {
        sql = statement(arena, "SELECT 1", SQL_PIN_BYTES);
        read_step(db, &sql, err);
        return;
    }
    if (slice_equal(step, SLICE("begin"))) {
        good = db_begin(db, err);
    } else if (slice_equal(step, SLICE("commit"))) {
        good = db_commit(db, err);
    } else if (slice_equal(step, SLICE("rollback"))) {
        db_rollback(db);
    } else {
        size_t len = slice_equal(step, SLICE("long"))     ? SQL_PIN_BYTES
                     : slice_equal(step, SLICE("almost")) ? SQL_PIN_BYTES - 1
                                                          : 8;
        sql = statement(arena, "INSERT 1", len);
        if (slice_equal(step, SLICE("bad")))
            sql.fault = "test";
        good = db_write(db, &sql, NULL, err);
    }
    ck_assert_int_eq(good, !err->kind);
}

static void run_steps(const struct story *story, struct db *db, struct fake_world *world)
{
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(64));
    struct slice rest = slice_from_cstr(*story->steps ? story->steps : NULL), step, result;
    while (slice_cut(&rest, ' ', &result)) {
        struct err err = {0};
        size_t kind = 0;
        slice_cut(&result, ':', &step);
        arena_reset(&arena);
        if (slice_equal(step, SLICE("pass"))) {
            fake_world_pass(world, strtoll(result.ptr, NULL, 10));
            continue;
        }
        do_step(db, &arena, step, &err);
        while (kind < COUNT(kinds) && kinds[kind].kind != err.kind)
            kind++;
        ck_assert_msg(kind < COUNT(kinds) && slice_equal(slice_from_cstr(kinds[kind].name), result),
                      "\"%s\": %.*s ended with %s: %s", story->steps, SLICE_ARG(step),
                      err.kind ? err.kind->code : "ok", err.cause);
    }
}

START_TEST(db_stories)
{
    const struct story *story = &stories[_i];
    struct fake_answer answers[COUNT(story->errors)] = {{0}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    fake_world_init(&world);
    world.random = story->random;
    for (size_t i = 0; i < COUNT(answers); i++)
        answers[i] =
            (struct fake_answer){.error = story->errors[i], .takes_ms = story->takes_ms[i]};
    fake_db_init(&fake, &world, ARRAY(answers));
    fake.connects = story->connects;
    fake.connect_count = COUNT(story->connects);
    fake.sets = story->sets;
    fake.set_count = COUNT(story->sets);
    const struct db_options options = {.target = {.io_timeout_s = IO_S},
                                       .max_age_ms = AGE_MS,
                                       .max_idle_ms = story->idle_ms ? story->idle_ms : IDLE_MS,
                                       .keep = story->keep};
    struct db *db = db_open(&fake.driver, &options, &world.world, &err);
    ck_assert_ptr_nonnull(db);
    run_steps(story, db, &world);
    ck_assert_msg(strcmp(fake.trace, story->trace) == 0, "\"%s\" left \"%s\", not \"%s\"",
                  story->steps, fake.trace, story->trace);
    db_close(db);
    ck_assert_int_eq(fake.results_open, 0);
    ck_assert_int_eq(fake.links_open, 0);
}
END_TEST

/* Which errors mean that the connection is gone. */
static const struct loss_row {
    unsigned number;
    bool loss;
} loss_rows[] = {
    {2006, true},  /* CR_SERVER_GONE_ERROR */
    {2013, true},  /* CR_SERVER_LOST */
    {2014, true},  /* CR_COMMANDS_OUT_OF_SYNC */
    {2027, true},  /* CR_MALFORMED_PACKET */
    {2055, true},  /* CR_SERVER_LOST_EXTENDED */
    {1053, true},  /* ER_SERVER_SHUTDOWN */
    {1152, true},  /* ER_ABORTING_CONNECTION */
    {1158, true},  /* ER_NET_READ_ERROR */
    {1159, true},  /* ER_NET_READ_INTERRUPTED */
    {1160, true},  /* ER_NET_ERROR_ON_WRITE */
    {1161, true},  /* ER_NET_WRITE_INTERRUPTED */
    {1184, true},  /* ER_NEW_ABORTING_CONNECTION */
    {1927, true},  /* ER_CONNECTION_KILLED (MariaDB) */
    {3169, true},  /* ER_SESSION_WAS_KILLED (MySQL) */
    {4031, true},  /* ER_CLIENT_INTERACTION_TIMEOUT (MySQL) */
    {1317, true},  /* ER_QUERY_INTERRUPTED: the first that a killed connection hears */
    {1062, false}, /* ER_DUP_ENTRY */
    {1064, false}, /* ER_PARSE_ERROR */
    {1142, false}, /* ER_TABLEACCESS_DENIED_ERROR */
    {1969, false}, /* ER_STATEMENT_TIMEOUT (MariaDB) */
    {3024, false}, /* ER_QUERY_TIMEOUT (MySQL) */
};
START_TEST(db_losses)
{
    const struct loss_row *r = &loss_rows[_i];
    const struct fake_answer answers[] = {{FAKE_ERROR(r->number)}, {FAKE_WRITTEN(1, 1)}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    struct db_written written = {0};
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = fake_db_open(&fake);
    sql_add_plain(&sql, "INSERT 1");
    ck_assert(!db_write(db, &sql, &written, &err));
    ck_assert_ptr_eq(err.kind, r->loss ? &ERR_WRITE_UNKNOWN : &ERR_INTERNAL);
    ck_assert_int_eq(db_connected(db), !r->loss);
    ck_assert_uint_eq(written.server_errno, r->number);
    ck_assert(db_write(db, &sql, NULL, &err));
    ck_assert_int_eq(db_connects(db), r->loss ? 2 : 1);
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

START_TEST(db_gives_up_on_deadlocks)
{
    struct fake_answer answers[20] = {{0}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    for (size_t i = 0; i < COUNT(answers); i++)
        answers[i].error = 1213;
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = fake_db_open(&fake);
    sql_add_plain(&sql, "INSERT 1");
    ck_assert(!db_write(db, &sql, NULL, &err));
    ck_assert_ptr_eq(err.kind, &ERR_DATABASE_BUSY);
    ck_assert(db_connected(db));
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

/* A whole transaction: what its steps did, and how often it was begun. */
static const struct transact_row {
    const char *name;
    unsigned errors[16]; /* of START, INSERT, COMMIT or ROLLBACK, in the order they arrive */
    int64_t waits_ms;    /* its first INSERT */
    bool steps_fail;     /* after their INSERT, with an error of their own */
    const struct err_kind *want;
    const char *trace;
} transact_rows[] = {
    {"commits", {0}, 0, false, NULL, "connect set START INSERT COMMIT "},
    {"rolls back", {0}, 0, true, &ERR_NOT_FOUND, "connect set START INSERT ROLLBACK "},
    {"again after a deadlock",
     {0, 1213},
     0,
     false,
     NULL,
     "connect set START INSERT ROLLBACK START INSERT COMMIT "},
    {"again after waits for a lock",
     {0, 1205, 0, 0, 1205},
     0,
     false,
     NULL,
     "connect set START INSERT ROLLBACK START INSERT ROLLBACK START INSERT COMMIT "},
    {"again after a deadlock at COMMIT, on a new connection",
     {0, 0, 1213},
     0,
     false,
     NULL,
     "connect set START INSERT COMMIT disconnect connect set START INSERT COMMIT "},
    {"again before half of the time is over",
     {0, 1205},
     HALF_MS - 1,
     false,
     NULL,
     "connect set START INSERT ROLLBACK START INSERT COMMIT "},
    {"not after half of the time",
     {0, 1205},
     HALF_MS,
     false,
     &ERR_DATABASE_BUSY,
     "connect set START INSERT ROLLBACK "},
    {"not for ever",
     {0, 1213, 0, 0, 1213, 0, 0, 1213, 0, 0, 1213, 0, 0, 1213},
     0,
     false,
     &ERR_DATABASE_BUSY,
     "connect set START INSERT ROLLBACK START INSERT ROLLBACK START INSERT ROLLBACK START INSERT "
     "ROLLBACK START INSERT ROLLBACK "},
    {"not after another fault",
     {0, 1062},
     0,
     false,
     &ERR_INTERNAL,
     "connect set START INSERT ROLLBACK "},
    {"not after a loss",
     {0, 2013},
     0,
     false,
     &ERR_DATABASE_DOWN,
     "connect set START INSERT disconnect "},
    {"never when its fate is unknown",
     {0, 0, 2013},
     0,
     false,
     &ERR_WRITE_UNKNOWN,
     "connect set START INSERT COMMIT disconnect "},
};

struct transact_case {
    struct db *db;
    bool fail;
};

static bool transact_steps(void *arg, struct err *err)
{
    const struct transact_case *c = arg;
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    sql_add_plain(&sql, "INSERT 1");
    if (!db_write(c->db, &sql, NULL, err))
        return false;
    return !c->fail || err_fail(err, &ERR_NOT_FOUND, "as asked");
}

START_TEST(db_transacts)
{
    const struct transact_row *r = &transact_rows[_i];
    struct fake_answer answers[COUNT(r->errors)] = {{0}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    for (size_t i = 0; i < COUNT(answers); i++)
        answers[i] =
            (struct fake_answer){.error = r->errors[i], .takes_ms = i == 1 ? r->waits_ms : 0};
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct transact_case c = {fake_db_open(&fake), r->steps_fail};
    ck_assert_msg(db_transact(c.db, transact_steps, &c, &err) == !r->want, "%s: %s", r->name,
                  err.cause);
    ck_assert_msg(err.kind == r->want, "%s: %s", r->name, err.cause);
    ck_assert_msg(strcmp(fake.trace, r->trace) == 0, "%s: %s", r->name, fake.trace);
    db_close(c.db);
    ck_assert_int_eq(fake.links_open, 0);
}
END_TEST

START_TEST(db_written_result)
{
    /* a write may bring rows all the same (CALL, RETURNING); they are released */
    const struct fake_answer answers[] = {{FAKE_WRITTEN(3, 42)},
                                          {FAKE_WRITTEN(1, 0), FAKE_ROWS(1, "x")}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    struct db_written written = {.server_errno = 7};
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = fake_db_open(&fake);
    sql_add_plain(&sql, "INSERT 1");
    ck_assert(db_write(db, &sql, &written, &err));
    ck_assert_int_eq(written.affected, 3);
    ck_assert_int_eq(written.insert_id, 42);
    ck_assert_uint_eq(written.server_errno, 0);
    ck_assert(db_write(db, &sql, &written, &err));
    ck_assert_int_eq(written.affected, 1);
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

static const struct cell_row {
    const char *cell; /* NULL: SQL NULL */
    enum db_out_kind kind;
    bool good;
    int64_t number;
} cell_rows[] = {
    {"0", DB_OUT_I64, true, 0},
    {"-5", DB_OUT_I64, true, -5},
    {"9223372036854775807", DB_OUT_I64, true, INT64_MAX},
    {"-9223372036854775808", DB_OUT_I64, true, INT64_MIN},
    {"9223372036854775808", DB_OUT_I64, false, 0}, /* BIGINT UNSIGNED */
    {"1.0", DB_OUT_I64, false, 0},
    {"", DB_OUT_I64, false, 0},
    {"x", DB_OUT_I64, false, 0},
    {NULL, DB_OUT_I64, false, 0},
    {"0", DB_OUT_BOOL, true, 0},
    {"1", DB_OUT_BOOL, true, 1},
    {"2", DB_OUT_BOOL, false, 0},
    {"-1", DB_OUT_BOOL, false, 0},
    {"true", DB_OUT_BOOL, false, 0},
    {NULL, DB_OUT_BOOL, false, 0},
    {"", DB_OUT_TEXT, true, 0},
    {"it's", DB_OUT_TEXT, true, 0},
    {NULL, DB_OUT_TEXT, false, 0},
    {"", DB_OUT_TEXT_OR_NULL, true, 0},
    {"x", DB_OUT_TEXT_OR_NULL, true, 0},
    {NULL, DB_OUT_TEXT_OR_NULL, true, 0},
};
START_TEST(db_cells)
{
    const struct cell_row *r = &cell_rows[_i];
    const struct fake_answer answers[] = {{FAKE_ROWS(2, "7", r->cell, "8", "1")}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    int64_t first = 0, number = 0;
    bool yes = false;
    struct slice text = {0};
    const struct db_out second[] = {[DB_OUT_I64] = DB_GET_I64(&number),
                                    [DB_OUT_BOOL] = DB_GET_BOOL(&yes),
                                    [DB_OUT_TEXT] = DB_GET_TEXT(&text),
                                    [DB_OUT_TEXT_OR_NULL] = DB_GET_TEXT_OR_NULL(&text)};
    const struct db_out out[] = {DB_GET_I64(&first), second[r->kind]};
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = fake_db_open(&fake);
    sql_add_plain(&sql, "SELECT 1");
    struct db_rows rows = {0};
    ck_assert(db_read(db, &sql, &rows, &err));
    ck_assert_int_eq(db_next(&rows, ARRAY(out), &err), r->good);
    ck_assert_int_eq(db_rows_ok(&rows), r->good);
    ck_assert_ptr_eq(err.kind, r->good ? NULL : &ERR_INTERNAL);
    ck_assert_int_eq(first, 7);
    ck_assert_int_eq(r->kind == DB_OUT_BOOL ? yes : number, r->number);
    if (r->good && r->kind >= DB_OUT_TEXT)
        ck_assert_text_eq(text, r->cell);
    if (r->good) {
        ck_assert(db_next(&rows, ARRAY(out), &err));
        ck_assert_int_eq(first, 8);
    } else { /* there it ends */
        ck_assert(!db_next(&rows, ARRAY(out), &err));
        ck_assert(!db_rows_ok(&rows));
    }
    db_rows_done(&rows);
    db_rows_done(&rows); /* fine twice */
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

START_TEST(db_walks_rows)
{
    const struct fake_answer answers[] = {{FAKE_ROWS(1, "1", "2", "3")}, {FAKE_NO_ROWS(1)}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    int64_t number = 0, sum = 0;
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = fake_db_open(&fake);
    sql_add_plain(&sql, "SELECT 1");
    for (int i = 0; i < 2; i++) {
        CLEANUP(db_rows_done) struct db_rows rows = {0};
        ck_assert(db_read(db, &sql, &rows, &err));
        while (db_next(&rows, &DB_GET_I64(&number), 1, &err))
            sum += number;
        ck_assert(db_rows_ok(&rows));
        ck_assert(!db_next(&rows, &DB_GET_I64(&number), 1, &err));
    }
    ck_assert_int_eq(sum, 6);
    ck_assert_ptr_null(err.kind);
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

static const size_t wrong_counts[] = {1, 3, 33};
START_TEST(db_wrong_number_of_columns)
{
    const struct fake_answer answers[] = {{FAKE_ROWS(2, "1", "2")}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    int64_t number = 42;
    struct db_out out[33];
    for (size_t i = 0; i < COUNT(out); i++)
        out[i] = DB_GET_I64(&number);
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = fake_db_open(&fake);
    sql_add_plain(&sql, "SELECT 1");
    struct db_rows rows = {0};
    ck_assert(db_read(db, &sql, &rows, &err));
    ck_assert(!db_next(&rows, out, wrong_counts[_i], &err));
    ck_assert(!db_rows_ok(&rows));
    ck_assert_ptr_eq(err.kind, &ERR_INTERNAL);
    ck_assert_int_eq(number, 42);
    db_rows_done(&rows);
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

static const struct one_row {
    struct fake_answer answer;
    size_t memory; /* that is left besides the statement's */
    const struct err_kind *want;
} one_rows[] = {
    {{FAKE_ROWS(2, "7", "Kettle")}, KIB(1), NULL},
    {{FAKE_ROWS(2, "7", "Kettle", "8", "Cup")}, KIB(1), NULL},
    {{FAKE_NO_ROWS(2)}, KIB(1), &ERR_NOT_FOUND},
    {{FAKE_ROWS(2, "seven", "Kettle")}, KIB(1), &ERR_INTERNAL},
    {{FAKE_ROWS(2, "7", NULL)}, KIB(1), &ERR_INTERNAL},
    {{FAKE_ROWS(1, "7")}, KIB(1), &ERR_INTERNAL},
    {{FAKE_ERROR(1146)}, KIB(1), &ERR_DATABASE_SCHEMA},
    {{FAKE_ERROR(1054)}, KIB(1), &ERR_DATABASE_SCHEMA},
    {{FAKE_ERROR(1142)}, KIB(1), &ERR_INTERNAL},
    {{FAKE_ROWS(2, "7", "a text of more than thirty-two bytes")}, 32, &ERR_INTERNAL},
    {{.columns = 0}, KIB(1), &ERR_NOT_FOUND},
};
START_TEST(db_reads_one)
{
    /* The statement's own room: its text, 24 bytes and twice the length for a value. */
    static const char statement_text[] = "SELECT id, name FROM t WHERE name = ?";
    const size_t room = (sizeof statement_text + 24 + 8 + 15) / 16 * 16;
    const struct one_row *r = &one_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(room + r->memory);
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    int64_t id = 0;
    struct slice name = {0};
    const struct db_in in[] = {DB_TEXT(SLICE("it's"))};
    const struct db_out out[] = {DB_GET_I64(&id), DB_GET_TEXT(&name)};
    fake_world_init(&world);
    fake_db_init(&fake, &world, &r->answer, 1);
    struct db *db = fake_db_open(&fake);
    ck_assert_int_eq(
        db_read_one(db, &arena, statement_text, ARRAY(in), ARRAY(out), &ERR_NOT_FOUND, &err),
        !r->want);
    ck_assert_ptr_eq(err.kind, r->want);
    ck_assert_slice_eq(fake.statements[0], SLICE("SELECT id, name FROM t WHERE name = 'it\\'s'"));
    db_close(db);
    fake_db_check_done(&fake);
    if (r->want)
        return;
    ck_assert_int_eq(id, 7);
    ck_assert_text_eq(name, "Kettle"); /* the arena's own: the rows are gone */
}
END_TEST

START_TEST(db_read_one_of_a_lost_connection)
{
    static const unsigned refused[] = {2003};
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(256));
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0}, again = {0};
    int64_t id = 0;
    fake_world_init(&world);
    fake_db_init(&fake, &world, NULL, 0);
    fake.connects = refused;
    fake.connect_count = COUNT(refused);
    struct db *db = fake_db_open(&fake);
    ck_assert(
        !db_read_one(db, &arena, "SELECT 1", NULL, 0, &DB_GET_I64(&id), 1, &ERR_NOT_FOUND, &err));
    ck_assert_ptr_eq(err.kind, &ERR_DATABASE_DOWN);
    ck_assert_str_eq(err.cause, "connect: 2003 fake failure");
    ck_assert(!db_begin(db, &again));
    ck_assert_str_eq(again.cause, "connect (a moment ago): 2003 fake failure");
    ck_assert_text_eq(db_server(db), "");
    ck_assert_int_eq(db_connects(db), 0);
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

static const struct server_row {
    const char *info, *want;
} server_rows[] = {
    {"5.5.5-10.11.19-MariaDB-0+deb12u1", "MariaDB 10.11.19"},
    {"10.11.19-MariaDB-0+deb12u1", "MariaDB 10.11.19"},
    {"11.4.2-MariaDB", "MariaDB 11.4.2"},
    {"8.0.31", "MySQL 8.0.31"},
    {"8.0.35-0ubuntu0.22.04.1", "MySQL 8.0.35"},
    {"8.0.mysql_aurora.3.05.2", "MySQL 8.0.mysql_aurora.3.05.2"},
    {"5.5.62-log", "MySQL 5.5.62"},
    {"5.5.5-", "MySQL "},
    {"", "MySQL "},
    {NULL, "MySQL "},
    {"8.0.31.and.a.name.that.is.longer.than.the.place.that.there.is.for.it", ""},
};
START_TEST(db_server_names)
{
    const struct fake_answer answers[] = {{FAKE_WRITTEN(0, 0)}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    fake.server_info = server_rows[_i].info;
    struct db *db = fake_db_open(&fake);
    ck_assert_text_eq(db_server(db), ""); /* not connected yet */
    ck_assert(!db_connected(db));
    sql_add_plain(&sql, "INSERT 1");
    ck_assert(db_write(db, &sql, NULL, &err));
    ck_assert_text_eq(db_server(db), server_rows[_i].want);
    ck_assert(db_connected(db));
    ck_assert_str_eq(fake.target.host, "db.example");
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

START_TEST(db_jitter_is_a_tenth_of_the_age)
{
    const struct fake_answer answers[] = {{FAKE_WRITTEN(0, 0)}};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    char storage[16];
    struct sql sql = {.text = BUF(storage)};
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    struct db *db = fake_db_open(&fake);
    sql_add_plain(&sql, "INSERT 1");
    ck_assert(db_write(db, &sql, NULL, &err));
    ck_assert_uint_eq(world.last_bound, 1440 * MS_PER_S + 1);
    db_close(db);
    fake_db_check_done(&fake);
}
END_TEST

START_TEST(db_open_without_memory)
{
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    const struct db_options options = {.max_age_ms = AGE_MS};
    fake_world_init(&world);
    fake_db_init(&fake, &world, NULL, 0);
    fake.no_memory = true;
    ck_assert_ptr_null(db_open(&fake.driver, &options, &world.world, &err));
    ck_assert_ptr_eq(err.kind, &ERR_INTERNAL);
    db_close(NULL);
    fake_db_check_done(&fake);
}
END_TEST

/* The seam that hands out logins (db_options.login): one word for each attempt to connect. */
struct logins {
    char asked[4];     /* "f" (first) or "r" (refused) for each question */
    struct slice rest; /* "none" fails, "same" ends an attempt that was refused; else a password */
};

static bool next_login(void *ctx, bool refused, struct db_target *target, struct err *err)
{
    struct logins *l = ctx;
    struct slice word = {0};
    size_t questions = strlen(l->asked);
    ck_assert_uint_lt(questions, sizeof l->asked - 1);
    l->asked[questions] = refused ? 'r' : 'f';
    ck_assert_msg(slice_cut(&l->rest, ' ', &word), "asked once too often: %s", l->asked);
    if (slice_equal(word, SLICE("none")))
        return err_fail(err, &ERR_DATABASE_DOWN, "no password yet");
    return !slice_equal(word, SLICE("same")) && slice_to_cstr(word, ARRAY(target->password));
}

static const struct login_row {
    const char *script, *asked, *trace, *password; /* password: of the last attempt */
    unsigned connects[2];
    bool good;
} login_rows[] = {
    {"one", "f", "connect set SELECT ", "one", {0}, true},
    {"none", "f", "", "", {0}, false},
    {"one two", "fr", "connect connect set SELECT ", "two", {1045, 0}, true},
    {"one two", "fr", "connect connect set SELECT ", "two", {1698, 0}, true},
    {"one two", "fr", "connect connect ", "two", {1045, 1045}, false},
    {"one same", "fr", "connect ", "one", {1045}, false},
    {"one", "f", "connect ", "one", {2002}, false}, /* nobody is there: no other login helps */
};
START_TEST(db_asks_for_logins)
{
    const struct login_row *r = &login_rows[_i];
    const struct fake_answer answers[] = {{FAKE_ROWS(1, "1")}};
    struct logins logins = {.rest = slice_from_cstr(r->script)};
    struct fake_world world;
    struct fake_db fake;
    struct err err = {0};
    int64_t got = 0;
    struct arena arena = test_arena(KIB(256));
    fake_world_init(&world);
    fake_db_init(&fake, &world, answers, r->good);
    fake.connects = r->connects;
    fake.connect_count = COUNT(r->connects);
    const struct db_options options = {.max_age_ms = AGE_MS,
                                       .max_idle_ms = IDLE_MS,
                                       .target.io_timeout_s = IO_S,
                                       .login = next_login,
                                       .login_ctx = &logins};
    struct db *db = db_open(&fake.driver, &options, &world.world, &err);
    ck_assert_ptr_nonnull(db);
    ck_assert_msg(db_read_one(db, &arena, "SELECT 1", NULL, 0, &DB_GET_I64(&got), 1, &ERR_NOT_FOUND,
                              &err) == r->good,
                  "%s: %s", r->script, err.cause);
    ck_assert(r->good || err.kind == &ERR_DATABASE_DOWN);
    db_close(db);
    ck_assert_str_eq(logins.asked, r->asked);
    ck_assert_str_eq(fake.trace, r->trace);
    ck_assert_str_eq(fake.target.password, r->password);
    fake_db_check_done(&fake);
    arena_done(&arena);
}
END_TEST

void db_db(struct suite *s)
{
    suite_rows(s, db_asks_for_logins, COUNT(login_rows));
    suite_rows(s, db_stories, COUNT(stories));
    suite_rows(s, db_losses, COUNT(loss_rows));
    suite_test(s, db_gives_up_on_deadlocks);
    suite_rows(s, db_transacts, COUNT(transact_rows));
    suite_test(s, db_written_result);
    suite_rows(s, db_cells, COUNT(cell_rows));
    suite_test(s, db_walks_rows);
    suite_rows(s, db_wrong_number_of_columns, COUNT(wrong_counts));
    suite_rows(s, db_reads_one, COUNT(one_rows));
    suite_test(s, db_read_one_of_a_lost_connection);
    suite_rows(s, db_server_names, COUNT(server_rows));
    suite_test(s, db_jitter_is_a_tenth_of_the_age);
    suite_test(s, db_open_without_memory);
}
