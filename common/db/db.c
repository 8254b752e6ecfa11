#include "common/db/db.h"

#include "common/base/number.h"

#include <stdlib.h>
#include <string.h>

/* The one statement that may SET. Both variables are tracked by RDS Proxy, so it does not pin. Zero
 * dates and silent truncation stay errors on both servers, and times are UTC. */
static const struct slice connect_statement =
    SLICE_INIT("SET sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
               "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+00:00'");

/* After a failed connect, calls fail at once for this long: a dead database must cost each request
 * nothing, not a connect timeout. */
#define CONNECT_PAUSE_MS 250
#define DEADLOCK         1213 /* ER_LOCK_DEADLOCK */
#define DEADLOCK_TRIES   20
/* What a whole transaction costs is known to nobody here, so it is done again less often. */
#define TRANSACT_TRIES   5
#define COLUMNS_MAX      32

struct db {
    const struct db_driver *driver;
    const struct world *world;
    struct db_options options;
    void *link;
    bool connected;
    bool in_transaction; /* from begin to commit or rollback, even when the connection is lost */
    bool rolled_back; /* by the server, to end a deadlock; of the transaction that is still open */
    bool pinned;      /* a statement of SQL_PIN_BYTES went over this connection */
    int64_t replace_at_ms, used_at_ms, retry_at_ms, connects;
    char server[64], connect_error[200];
};

struct db *db_open(const struct db_driver *driver, const struct db_options *options,
                   const struct world *world, struct err *err)
{
    struct db *db = calloc(1, sizeof *db);
    void *link = driver->create(driver->ctx);
    if (!db || !link) {
        if (link)
            driver->destroy(link);
        free(db);
        err_fail(err, &ERR_INTERNAL, "no memory for a database handle");
        return NULL;
    }
    *db = (struct db){.driver = driver, .world = world, .options = *options, .link = link};
    return db;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db->driver->destroy(db->link);
    db_target_wipe(&db->options.target);
    free(db);
}

static int64_t now_ms(const struct db *db)
{
    return world_monotonic_ms(db->world);
}

/* The longest that a statement may take. */
static int64_t limit_ms(const struct db *db)
{
    return (int64_t)db->options.target.io_timeout_s * MS_PER_S;
}

static void disconnect(struct db *db)
{
    if (db->connected)
        db->driver->disconnect(db->link);
    db->connected = db->pinned = false;
}

/* "5.5.5-10.11.19-MariaDB-0+deb12u1" (the prefix is for old replicas) or "8.0.31". */
static void remember_server(struct db *db)
{
    struct slice info = slice_from_cstr(db->driver->server_info(db->link));
    struct slice version = {0}, kind = {0};
    struct buf out = BUF(db->server);
    if (slice_starts_with(info, SLICE("5.5.5-")))
        info = slice_after(info, sizeof "5.5.5-" - 1);
    slice_cut(&info, '-', &version);
    slice_cut(&info, '-', &kind);
    buf_add(&out, slice_equal(kind, SLICE("MariaDB")) ? SLICE("MariaDB ") : SLICE("MySQL "));
    buf_add(&out, version);
    if (!buf_cstr(&out))
        db->server[0] = '\0';
}

static bool is_refusal(unsigned number)
{
    return number == 1045 || number == 1698; /* ER_ACCESS_DENIED_ERROR, ..._NO_PASSWORD_ERROR */
}

/* Connects with the login of the moment, and once more when that is refused and there is another.
 */
static bool connect_with_login(struct db *db, unsigned *ret_number, struct err *err)
{
    struct db_options *options = &db->options;
    if (options->login && !options->login(options->login_ctx, false, &options->target, err))
        return false;
    *ret_number = db->driver->connect(db->link, &options->target);
    if (is_refusal(*ret_number) && options->login) {
        struct err none = {0};
        if (options->login(options->login_ctx, true, &options->target, &none))
            *ret_number = db->driver->connect(db->link, &options->target);
    }
    return true;
}

static bool connect_now(struct db *db, struct err *err)
{
    void *none = NULL;
    int64_t started_ms = now_ms(db);
    if (started_ms < db->retry_at_ms)
        return err_fail(err, &ERR_DATABASE_DOWN, "connect (a moment ago): %s", db->connect_error);
    unsigned number = 0;
    if (!connect_with_login(db, &number, err))
        return false;
    db->connected = number == 0;
    if (db->connected)
        number = db->driver->query(db->link, connect_statement, &none);
    if (number != 0) {
        struct buf text = BUF(db->connect_error);
        buf_add_format(&text, "%.180s", db->driver->error_text(db->link));
        if (!buf_cstr(&text))
            db->connect_error[0] = '\0';
        disconnect(db);
        db->retry_at_ms = now_ms(db) + CONNECT_PAUSE_MS;
        return err_fail(err, &ERR_DATABASE_DOWN, "connect: %s", db->connect_error);
    }
    int64_t tenth = db->options.max_age_ms / 10;
    db->replace_at_ms =
        started_ms + db->options.max_age_ms - world_random_below(db->world, (uint32_t)(tenth + 1));
    db->used_at_ms = started_ms;
    db->connects++;
    remember_server(db);
    return true;
}

/* A connection that is due goes between statements, never inside a transaction. What is left of a
 * transaction must not run on a new connection, where each statement would commit by itself. */
static bool ensure_connected(struct db *db, struct err *err)
{
    int64_t now = now_ms(db);
    if (db->in_transaction && db->rolled_back)
        return err_fail(err, &ERR_DATABASE_BUSY, "the transaction was rolled back");
    if (db->in_transaction)
        return db->connected || err_fail(err, &ERR_DATABASE_DOWN, "the transaction was lost");
    if (db->connected && !db->options.keep &&
        (now >= db->replace_at_ms || now - db->used_at_ms > db->options.max_idle_ms))
        disconnect(db);
    return db->connected || connect_now(db, err);
}

/* Errors after which the connection is of no use. Sources: "Client Error Message Reference" and
 * "Server Error Message Reference" of both manuals. */
static bool is_loss(unsigned number)
{
    static const unsigned losses[] = {
        2006, 2013, 2014, 2027, 2055, /* gone, lost, out of sync, malformed packet, lost */
        1053, 1152, 1153, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, /* shutdown, network */
        1184, 1927, 3169, 4031, /* aborted, killed, killed, idle for too long */
        1317, /* interrupted: what a statement is told whose connection is killed meanwhile */
    };
    for (size_t i = 0; i < COUNT(losses); i++)
        if (losses[i] == number)
            return true;
    return false;
}

/* A table or column is missing: this version came before its migration, and will do when it has
 * run. */
static bool is_schema_fault(unsigned number)
{
    return number == 1146 || number == 1054;
}

/* Another transaction holds what this statement wants: a deadlock, a wait that took too long, and
 * NOWAIT, which MariaDB reports like the wait. */
static bool is_collision(unsigned number)
{
    return number == DEADLOCK || number == 1205 || number == 3572;
}

static const struct err_kind *refusal_kind(unsigned number)
{
    if (is_schema_fault(number))
        return &ERR_DATABASE_SCHEMA;
    return is_collision(number) ? &ERR_DATABASE_BUSY : &ERR_INTERNAL;
}

static unsigned run_once(struct db *db, struct slice statement, void **ret_result)
{
    unsigned number = db->driver->query(db->link, statement, ret_result);
    db->used_at_ms = now_ms(db);
    db->pinned = db->pinned || statement.len >= SQL_PIN_BYTES;
    return number;
}

static void end_pin(struct db *db)
{
    if (db->pinned && !db->in_transaction && !db->options.keep)
        disconnect(db);
}

/* What a failed statement means for its caller. A lost connection is closed. Of a transaction that
 * the server has rolled back to end a deadlock nothing more may run: what is left of it would
 * commit statement by statement. */
static void note_failure(struct db *db, unsigned number, bool writes, struct err *err)
{
    const struct err_kind *kind = refusal_kind(number);
    bool lost = is_loss(number), safe = !writes || db->in_transaction;
    if (lost)
        kind = safe ? &ERR_DATABASE_DOWN : &ERR_WRITE_UNKNOWN;
    err_fail(err, kind, "%s", db->driver->error_text(db->link));
    if (lost)
        disconnect(db);
    db->rolled_back = number == DEADLOCK && db->in_transaction;
    end_pin(db);
}

bool db_read(struct db *db, const struct sql *sql, struct db_rows *ret, struct err *err)
{
    struct db_rows rows = {.db = db};
    if (!sql_ready(sql, err) || !ensure_connected(db, err))
        return false;
    int64_t started_ms = now_ms(db);
    unsigned number = run_once(db, buf_slice(&sql->text), &rows.result);
    bool again = is_loss(number) && !db->in_transaction && !db->options.keep &&
                 now_ms(db) - started_ms < limit_ms(db) / 2;
    if (again) {
        disconnect(db);
        if (!connect_now(db, err))
            return false;
        number = run_once(db, buf_slice(&sql->text), &rows.result);
    }
    if (number != 0) {
        note_failure(db, number, false, err);
        return false;
    }
    end_pin(db);
    *ret = rows;
    return true;
}

static bool convert(struct slice cell, const struct db_out *out)
{
    int64_t number = 0;
    if (!cell.ptr && out->kind != DB_OUT_TEXT_OR_NULL)
        return false;
    switch (out->kind) {
    case DB_OUT_I64:
        return number_parse_i64(cell, INT64_MIN, INT64_MAX, out->at) == NUMBER_OK;
    case DB_OUT_BOOL:
        if (number_parse_i64(cell, 0, 1, &number) != NUMBER_OK)
            return false;
        *(bool *)out->at = number == 1;
        return true;
    case DB_OUT_TEXT:
    case DB_OUT_TEXT_OR_NULL:
        break;
    }
    *(struct slice *)out->at = cell;
    return true;
}

bool db_next(struct db_rows *rows, const struct db_out *out, size_t count, struct err *err)
{
    const struct db_driver *driver = rows->db->driver;
    struct slice cells[COLUMNS_MAX];
    if (rows->failed || !rows->result)
        return false;
    if (count > COLUMNS_MAX || driver->column_count(rows->result) != count) {
        rows->failed = true;
        return err_fail(err, &ERR_INTERNAL, "%zu columns where %zu are read",
                        driver->column_count(rows->result), count);
    }
    if (!driver->next_row(rows->result, cells, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (convert(cells[i], &out[i]))
            continue;
        rows->failed = true;
        return err_fail(err, &ERR_INTERNAL, "column %zu does not hold what is read", i + 1);
    }
    return true;
}

bool db_rows_ok(const struct db_rows *rows)
{
    return !rows->failed;
}

void db_rows_done(struct db_rows *rows)
{
    if (rows->result)
        rows->db->driver->result_free(rows->result);
    rows->result = NULL;
}

static bool copy_texts(struct arena *arena, const struct db_out *out, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct slice *text = out[i].at;
        if ((out[i].kind != DB_OUT_TEXT && out[i].kind != DB_OUT_TEXT_OR_NULL) || !text->ptr)
            continue;
        *text = arena_copy(arena, *text);
        if (!text->ptr)
            return err_fail(err, &ERR_INTERNAL, "row larger than the request's memory");
    }
    return true;
}

/* The most bytes that the statement can have with its values: every byte of a text escaped, and the
 * digits of a number. */
static size_t statement_limit(const char *statement, const struct db_in *in, size_t count)
{
    size_t limit = strlen(statement) + 1;
    for (size_t i = 0; i < count; i++)
        limit += 24 + 2 * in[i].text.len;
    return limit;
}

bool db_read_one(struct db *db, struct arena *arena, const char *statement, const struct db_in *in,
                 size_t in_count, const struct db_out *out, size_t out_count,
                 const struct err_kind *absent, struct err *err)
{
    CLEANUP(db_rows_done) struct db_rows rows = {0};
    struct sql sql = sql_start(arena, statement_limit(statement, in, in_count));
    sql_add(&sql, statement, in, in_count);
    if (!db_read(db, &sql, &rows, err))
        return false;
    if (!db_next(&rows, out, out_count, err))
        return db_rows_ok(&rows) ? err_fail(err, absent, "no row") : false;
    return copy_texts(arena, out, out_count, err);
}

/* Runs a statement that changes something. Outside a transaction the victim of a deadlock
 * was rolled back whole, so it may be repeated; the one that won has gone on meanwhile. */
static unsigned run_write(struct db *db, const struct sql *sql, void **ret_result)
{
    unsigned number = run_once(db, buf_slice(&sql->text), ret_result);
    for (int i = 1; i < DEADLOCK_TRIES && number == DEADLOCK && !db->in_transaction; i++)
        number = run_once(db, buf_slice(&sql->text), ret_result);
    return number;
}

bool db_write(struct db *db, const struct sql *sql, struct db_written *ret, struct err *err)
{
    void *result = NULL;
    if (!sql_ready(sql, err) || !ensure_connected(db, err))
        return false;
    unsigned number = run_write(db, sql, &result);
    if (result)
        db->driver->result_free(result);
    if (ret)
        *ret = (struct db_written){.server_errno = number};
    if (number != 0) {
        note_failure(db, number, true, err);
        return false;
    }
    if (ret) {
        ret->affected = db->driver->affected_rows(db->link);
        ret->insert_id = db->driver->insert_id(db->link);
    }
    end_pin(db);
    return true;
}

bool db_begin(struct db *db, struct err *err)
{
    /* A START TRANSACTION that got lost changed nothing, so it may be repeated like a read. */
    CLEANUP(db_rows_done) struct db_rows none = {0};
    char storage[32];
    struct sql sql = {.text = BUF(storage)};
    sql_add_plain(&sql, "START TRANSACTION");
    db->in_transaction = db_read(db, &sql, &none, err);
    db->rolled_back = false;
    return db->in_transaction;
}

/* Runs the statement on the connection of the transaction, however old it is by now: on a new one
 * there would be nothing to commit, and the server would not say so. */
static unsigned end_transaction(struct db *db, struct slice statement)
{
    void *none = NULL;
    db->in_transaction = false;
    return run_once(db, statement, &none);
}

bool db_commit(struct db *db, struct err *err)
{
    if (!db->in_transaction)
        return err_fail(err, &ERR_INTERNAL, "commit without a transaction");
    if (!db->connected) {
        db->in_transaction = false;
        return err_fail(err, &ERR_DATABASE_DOWN, "the connection was lost before the commit");
    }
    if (db->rolled_back) { /* the server would say that an empty commit went well */
        db_rollback(db);
        return err_fail(err, &ERR_DATABASE_BUSY, "the transaction was rolled back");
    }
    unsigned number = end_transaction(db, SLICE("COMMIT"));
    if (number == 0) {
        end_pin(db);
        return true;
    }
    /* Outside the transaction by now: a loss leaves its fate unknown. Nothing of it may linger. */
    note_failure(db, number, true, err);
    disconnect(db);
    return false;
}

void db_rollback(struct db *db)
{
    bool sent = db->in_transaction && db->connected;
    if (sent && end_transaction(db, SLICE("ROLLBACK")) != 0)
        disconnect(db); /* which rolls back on the server */
    db->in_transaction = false;
    end_pin(db);
}

bool db_transact(struct db *db, db_steps *steps, void *arg, struct err *err)
{
    struct err failed = {.kind = &ERR_DATABASE_BUSY};
    int64_t end_ms = now_ms(db) + limit_ms(db) / 2;
    for (int i = 0; i < TRANSACT_TRIES && failed.kind == &ERR_DATABASE_BUSY; i++) {
        if (i > 0 && now_ms(db) >= end_ms)
            break;
        failed = (struct err){0};
        if (db_begin(db, &failed) && steps(arg, &failed) && db_commit(db, &failed))
            return true;
        db_rollback(db);
    }
    return err_fail(err, failed.kind, "%s", failed.cause);
}

void db_renew(struct db *db)
{
    db->replace_at_ms = 0;
    db->retry_at_ms = 0;
}

struct slice db_server(const struct db *db)
{
    return slice_from_cstr(db->server);
}

int64_t db_connects(const struct db *db)
{
    return db->connects;
}

bool db_connected(const struct db *db)
{
    return db->connected;
}
