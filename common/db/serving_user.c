#include "common/db/serving_user.h"

#include "common/base/number.h"

#include <string.h>

/* User and password of the most bytes a target has, every one of them escaped. */
#define STATEMENT_MAX KIB(2)
#define RIGHTS        "SELECT, INSERT, UPDATE, DELETE"
#define RIGHTS_COUNT  4

enum state {
    REFUSED, /* no such account, or another password */
    BARE,    /* it may log in, but lacks rights */
    GOOD
};

/* Error numbers of the server (MySQL Server Error Reference; 1698 is MariaDB's). */
enum { DB_DENIED = 1044, LOGIN_DENIED = 1045, LOGIN_DENIED_NO_PASSWORD = 1698 };

/* In GRANT the name of a database is a pattern. */
static void add_pattern(struct buf *out, const char *name)
{
    for (; *name; name++) {
        if (*name == '_' || *name == '%' || *name == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *name);
    }
}

static void add_quoted_pattern(struct buf *out, const char *name)
{
    char storage[2 * sizeof((struct db_target *)0)->name];
    struct buf pattern = BUF(storage);
    add_pattern(&pattern, name);
    buf_add_char(out, '`');
    for (size_t i = 0; i < pattern.len; i++) {
        if (storage[i] == '`')
            buf_add_char(out, '`');
        buf_add_char(out, storage[i]);
    }
    buf_add_char(out, '`');
}

/* How many of the rights the user of the link holds, as it may see for itself. */
static bool count_rights(const struct serving_user *u, void *link, int64_t *ret, struct err *err)
{
    static const char statement[] =
        "SELECT COUNT(DISTINCT privilege_type) FROM (SELECT privilege_type FROM"
        " information_schema.schema_privileges WHERE table_schema IN (?, ?) UNION ALL SELECT"
        " privilege_type FROM information_schema.user_privileges) held WHERE privilege_type IN"
        " ('SELECT', 'INSERT', 'UPDATE', 'DELETE')";
    char name[2 * sizeof u->login->name], storage[STATEMENT_MAX];
    struct buf pattern = BUF(name);
    struct sql sql = {.text = BUF(storage)};
    struct slice cell = {0};
    void *result = NULL;
    add_pattern(&pattern, u->login->name);
    const struct db_in in[] = {DB_TEXT(slice_from_cstr(u->login->name)),
                               DB_TEXT(buf_slice(&pattern))};
    sql_add(&sql, statement, ARRAY(in));
    if (!sql_ready(&sql, err))
        return false;
    if (u->driver->query(link, buf_slice(&sql.text), &result) != 0)
        return err_fail(err, &ERR_SERVING_USER, "rights of the serving user: %s",
                        u->driver->error_text(link));
    bool good = result && u->driver->column_count(result) == 1 &&
                u->driver->next_row(result, &cell, 1) && cell.ptr &&
                number_parse_i64(cell, 0, RIGHTS_COUNT, ret) == NUMBER_OK;
    if (result)
        u->driver->result_free(result);
    return good || err_fail(err, &ERR_SERVING_USER, "rights of the serving user: unreadable");
}

static bool look_connected(const struct serving_user *u, void *link, enum state *ret,
                           struct err *err)
{
    int64_t rights = 0;
    if (!count_rights(u, link, &rights, err))
        return false;
    *ret = rights == RIGHTS_COUNT ? GOOD : BARE;
    return true;
}

/* Logs in as the service will. */
static bool look(const struct serving_user *u, enum state *ret, struct err *err)
{
    void *link = u->driver->create(u->driver->ctx);
    if (!link)
        return err_fail(err, &ERR_INTERNAL, "no memory for a connection");
    unsigned number = u->driver->connect(link, u->login);
    bool good = true;
    if (number == 0) {
        good = look_connected(u, link, ret, err);
        u->driver->disconnect(link);
    } else if (number == LOGIN_DENIED || number == LOGIN_DENIED_NO_PASSWORD) {
        *ret = REFUSED;
    } else if (number == DB_DENIED) {
        *ret = BARE;
    } else {
        good = err_fail(err, &ERR_DATABASE_DOWN, "login of the serving user: %s",
                        u->driver->error_text(link));
    }
    u->driver->destroy(link);
    return good;
}

/* Of a statement with a password only the number of its error is told: the server quotes what it
 * does not understand. */
static bool run(const struct serving_user *u, const struct sql *sql, const char *what, bool secret,
                struct err *err)
{
    struct db_written written = {0};
    struct err failure = {0};
    if (db_write(u->admin, sql, &written, &failure))
        return true;
    const struct err_kind *kind = failure.kind == &ERR_INTERNAL ? &ERR_SERVING_USER : failure.kind;
    if (secret)
        return err_fail(err, kind, "%s for the serving user %s: error %u", what, u->login->user,
                        written.server_errno);
    return err_fail(err, kind, "%s to the serving user %s: %s", what, u->login->user,
                    failure.cause);
}

static bool run_with_password(const struct serving_user *u, const char *statement, const char *what,
                              struct err *err)
{
    char storage[STATEMENT_MAX];
    struct sql sql = {.text = BUF(storage)};
    const struct db_in in[] = {DB_TEXT(slice_from_cstr(u->login->user)),
                               DB_TEXT(slice_from_cstr(u->login->password))};
    sql_add(&sql, statement, ARRAY(in));
    bool good = run(u, &sql, what, true, err);
    explicit_bzero(storage, sizeof storage);
    return good;
}

static bool create(const struct serving_user *u, struct err *err)
{
    return run_with_password(u, "CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ?", "CREATE USER",
                             err);
}

static bool set_password(const struct serving_user *u, struct err *err)
{
    if (!run_with_password(u, "ALTER USER ?@'%' IDENTIFIED BY ?", "ALTER USER", err))
        return false;
    u->report("the serving user has its password again");
    return true;
}

static bool grant(const struct serving_user *u, struct err *err)
{
    char storage[STATEMENT_MAX];
    struct sql sql = {.text = BUF(storage)};
    const struct db_in in[] = {DB_TEXT(slice_from_cstr(u->login->user))};
    sql_add_plain(&sql, "GRANT " RIGHTS " ON ");
    add_quoted_pattern(&sql.text, u->login->name);
    sql_add(&sql, ".* TO ?@'%'", ARRAY(in));
    if (!run(u, &sql, "GRANT", false, err))
        return false;
    u->report("the serving user has its rights");
    return true;
}

/* Until the login is taken; each step is there for what the one before could not mend. */
static bool let_in(const struct serving_user *u, enum state *state, struct err *err)
{
    if (*state == REFUSED && (!create(u, err) || !look(u, state, err)))
        return false;
    if (*state == REFUSED && u->read_again &&
        (!u->read_again(u->ctx, u->login, err) || !look(u, state, err)))
        return false;
    return *state != REFUSED || (set_password(u, err) && look(u, state, err));
}

bool serving_user_ensure(const struct serving_user *u, struct err *err)
{
    enum state state = REFUSED;
    if (!look(u, &state, err) || !let_in(u, &state, err))
        return false;
    if (state == BARE && (!grant(u, err) || !look(u, &state, err)))
        return false;
    if (state != GOOD)
        return err_fail(err, &ERR_SERVING_USER,
                        "%s@'%%' has password and rights, but the server takes another account of"
                        " that name for this login: remove that for the narrower host",
                        u->login->user);
    return true;
}
