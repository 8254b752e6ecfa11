/* fake_db.h - a database driver (common/db/driver.h) that answers from a script and remembers what
 * it was asked. Connecting and the connect statement (SET ...) succeed unless told otherwise; every
 * other statement takes the next of `answers`, and one too many fails the test.
 * Results are copies in memory of their own, so that the sanitizers see a cell that is used after
 * its rows are gone, and a result that is never released. */
#ifndef TESTS_UNIT_SUPPORT_FAKE_DB_H
#define TESTS_UNIT_SUPPORT_FAKE_DB_H

#include "common/base/buf.h"
#include "common/db/db.h"
#include "tests/unit/support/fake_world.h"

struct fake_answer {
    unsigned error;           /* MySQL error number; 0: success */
    size_t columns;           /* of the result set; 0: the statement has none */
    const char *const *cells; /* row by row; NULL is SQL NULL */
    size_t cell_count;
    int64_t affected, insert_id;
    int64_t takes_ms; /* the clocks go on by this much before the answer */
};
/* {FAKE_ROWS(2, "1", "Kettle", "2", NULL)}: two rows of two columns; FAKE_NO_ROWS(2) has none. */
#define FAKE_ROWS(column_count, ...)                                                               \
    .columns = (column_count), .cells = (const char *const[]){__VA_ARGS__},                        \
    .cell_count = COUNT(((const char *const[]){__VA_ARGS__}))
#define FAKE_NO_ROWS(column_count) .columns = (column_count)
#define FAKE_WRITTEN(rows, id)     .affected = (rows), .insert_id = (id)
#define FAKE_ERROR(number)         .error = (number)

#define FAKE_STATEMENTS_MAX 64

struct fake_db {
    struct db_driver driver; /* hand its address to db_open() */
    struct fake_world *world;
    /* The script. Of `connects` and `sets` each element is the error number of one call. */
    const struct fake_answer *answers;
    size_t answer_count;
    const unsigned *connects, *sets;
    size_t connect_count, set_count;
    const char *server_info;
    bool no_memory; /* create fails */
    /* What was seen. `trace` has a word a call: "connect set SELECT disconnect " (of a statement
     * its first word). `statements` are those but the connect statement, and borrow `storage`;
     * what does not fit there is cut. */
    char trace[1024], storage[KIB(64)];
    size_t trace_len, storage_len;
    struct slice statements[FAKE_STATEMENTS_MAX];
    size_t statement_count;
    struct db_target target; /* of the last connect */
    size_t connects_seen, sets_seen, answers_used;
    int links_open, results_open;
};

/* `world` is borrowed; `f` must stay where it is. */
void fake_db_init(struct fake_db *f, struct fake_world *world, const struct fake_answer *answers,
                  size_t count);

/* A handle over the fake, of large limits (io 5 s, age 4 h, idle 25 min), which no test reaches by
 * accident. Close with db_close(). */
struct db *fake_db_open(struct fake_db *f);

/* Fails the test unless every answer was used and nothing is left open (after db_close()). */
void fake_db_check_done(const struct fake_db *f);

#endif
