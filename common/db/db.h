/* db.h - one MySQL connection of one process: it connects when it is needed, is recycled before the
 * server or RDS Proxy would end it, and knows what may be repeated after a loss.
 *
 * RDS Proxy must never pin the connection: text protocol, values bound by sql.h, one SET when
 * connecting and none after, no user variables, and a statement of SQL_PIN_BYTES or more ends with
 * its connection closed. (AWS, "Avoiding pinning an RDS Proxy".)
 *
 * Losing the connection: a read outside a transaction is repeated once on a new connection, unless
 * it already waited half of its time limit. A write is never repeated: ERR_WRITE_UNKNOWN tells that
 * its fate is not known. Inside a transaction every loss before COMMIT means "rolled back".
 * A write outside a transaction that the server gave up to end a deadlock is repeated; so is a
 * whole transaction by db_transact().
 *
 * Not for use by two threads or across fork(). */
#ifndef COMMON_DB_DB_H
#define COMMON_DB_DB_H

#include "common/db/driver.h"
#include "common/db/sql.h"
#include "common/run/world.h"

struct db;

struct db_options {
    struct db_target target;
    int64_t max_age_ms;  /* a connection is replaced at 90 to 100 % of this age */
    int64_t max_idle_ms; /* and when it was idle for longer than this */
    bool keep; /* neither replaced nor, once lost, made again for a read: it holds a lock (`cbu
                  migrate` only, not by proxy) */
    /* Says with which user and password to connect, before each attempt; NULL: those of `target`.
     * `refused`: the server has just refused what it said last; false then ends the attempt. Not
     * refused, false is a failure with its reason in `err`. */
    bool (*login)(void *ctx, bool refused, struct db_target *target, struct err *err);
    void *login_ctx; /* borrowed */
};

/* What db_open() keeps is copied; `driver` and `world` are borrowed. Does not connect yet. */
struct db *db_open(const struct db_driver *driver, const struct db_options *options,
                   const struct world *world, struct err *err) MUST_USE;
void db_close(struct db *db); /* NULL is fine */

/* How a cell is read. I64 and TEXT refuse NULL; text is borrowed from the rows. */
enum db_out_kind { DB_OUT_I64, DB_OUT_BOOL, DB_OUT_TEXT, DB_OUT_TEXT_OR_NULL };
struct db_out {
    enum db_out_kind kind;
    void *at; /* int64_t *, bool *, struct slice * */
};
#define DB_GET_I64(p)          ((struct db_out){DB_OUT_I64, 1 ? (p) : (int64_t *)0})
#define DB_GET_BOOL(p)         ((struct db_out){DB_OUT_BOOL, 1 ? (p) : (bool *)0})
#define DB_GET_TEXT(p)         ((struct db_out){DB_OUT_TEXT, 1 ? (p) : (struct slice *)0})
#define DB_GET_TEXT_OR_NULL(p) ((struct db_out){DB_OUT_TEXT_OR_NULL, 1 ? (p) : (struct slice *)0})

/* The rows of one read, fetched whole. Declare as CLEANUP(db_rows_done) struct db_rows rows = {0}.
 */
struct db_rows {
    struct db *db;
    void *result;
    bool failed;
};

/* Runs a statement that only reads.
 * Errors: ERR_DATABASE_DOWN; ERR_DATABASE_BUSY when it would have to wait for a lock (longer than
 * it may, or NOWAIT) or lost a deadlock; ERR_INTERNAL for a statement the server refuses. */
bool db_read(struct db *db, const struct sql *sql, struct db_rows *ret, struct err *err) MUST_USE;
/* Fills `out` from the next row, column by column; false behind the last row or when a cell does
 * not fit its kind (then db_rows_ok() fails too). */
bool db_next(struct db_rows *rows, const struct db_out *out, size_t count,
             struct err *err) MUST_USE;
bool db_rows_ok(const struct db_rows *rows) MUST_USE;
void db_rows_done(struct db_rows *rows);

/* Reads exactly one row; texts are copied into the arena. Errors: those of db_read(), and `absent`
 * when there is no row. */
bool db_read_one(struct db *db, struct arena *arena, const char *statement, const struct db_in *in,
                 size_t in_count, const struct db_out *out, size_t out_count,
                 const struct err_kind *absent, struct err *err) MUST_USE;

struct db_written {
    int64_t affected, insert_id;
    unsigned server_errno; /* set with ERR_INTERNAL: DB_DUPLICATE_KEY, ... */
};
#define DB_DUPLICATE_KEY 1062 /* ER_DUP_ENTRY */

/* Runs a statement that changes something. `ret` may be NULL.
 * Errors: ERR_DATABASE_DOWN, ERR_DATABASE_BUSY: surely not done. ERR_WRITE_UNKNOWN: lost on the
 * way. ERR_INTERNAL. */
bool db_write(struct db *db, const struct sql *sql, struct db_written *ret,
              struct err *err) MUST_USE;

/* What was begun ends with db_commit() or db_rollback(), whatever failed between: after a loss
 * every statement up to there fails with ERR_DATABASE_DOWN, after a deadlock with
 * ERR_DATABASE_BUSY. Errors: those of db_read(). */
bool db_begin(struct db *db, struct err *err) MUST_USE;
/* Errors: ERR_WRITE_UNKNOWN when the connection was lost during COMMIT. */
bool db_commit(struct db *db, struct err *err) MUST_USE;
void db_rollback(struct db *db); /* fine without a transaction */

/* Runs `steps` as one transaction: commits when it returns true, else rolls back. When that was for
 * ERR_DATABASE_BUSY everything is done again, a few times, unless half the time limit of a
 * statement was waited already; so `steps` must start from the beginning each time it is called.
 * Errors: of db_begin(), `steps`, db_commit(). */
typedef bool db_steps(void *arg, struct err *err);
bool db_transact(struct db *db, db_steps *steps, void *arg, struct err *err) MUST_USE;

/* The connection is replaced before the next statement outside a transaction: its login changed. */
void db_renew(struct db *db);

/* "MariaDB 10.11.19" or "MySQL 8.0.31" of the last connection; empty before the first. */
struct slice db_server(const struct db *db);
/* How many connections were made so far, and whether there is one now. */
int64_t db_connects(const struct db *db);
bool db_connected(const struct db *db);

#endif
