/* sql.h - one SQL statement under construction: fixed fragments with `?` and typed values.
 * Values are bound on our side, as text (prepared statements would pin a connection of RDS Proxy).
 * Escaping is right for charset utf8mb4 without NO_BACKSLASH_ESCAPES, which the connect statement
 * of db.c guarantees. Pure. Source: MySQL Reference Manual, "String Literals". */
#ifndef COMMON_DB_SQL_H
#define COMMON_DB_SQL_H

#include "common/base/arena.h"

#include <stdint.h>

/* A longer statement pins an RDS Proxy connection (16,384 bytes), see db.h. */
#define SQL_PIN_BYTES KIB(16)

enum db_in_kind { DB_IN_NULL, DB_IN_I64, DB_IN_TEXT, DB_IN_BYTES };
struct db_in {
    enum db_in_kind kind;
    int64_t number;
    struct slice text;
};
#define DB_NULL                ((struct db_in){.kind = DB_IN_NULL})
#define DB_I64(value)          ((struct db_in){.kind = DB_IN_I64, .number = (value)})
#define DB_TEXT(slice)         ((struct db_in){.kind = DB_IN_TEXT, .text = (slice)}) /* UTF-8 */
#define DB_BYTES(slice)        ((struct db_in){.kind = DB_IN_BYTES, .text = (slice)})
/* A text that may be absent: ptr NULL binds NULL. */
#define DB_TEXT_OR_NULL(slice) ((slice).ptr ? DB_TEXT(slice) : DB_NULL)

struct sql {
    struct buf text;
    const char *fault; /* the first programming error, for the log; NULL: none */
};

/* Storage for a statement of up to `cap` bytes, in the arena. */
struct sql sql_start(struct arena *arena, size_t cap);
/* Appends the fragment with each `?` replaced by the next value. Fragments are literals of the
 * program, never input, and hold no '?' but placeholders. */
void sql_add(struct sql *sql, const char *fragment, const struct db_in *in, size_t count);
/* A fragment without values. */
void sql_add_plain(struct sql *sql, const char *fragment);
/* Errors: ERR_INTERNAL when it did not fit, values and placeholders differ in number, or a text is
 * not UTF-8. */
bool sql_ready(const struct sql *sql, struct err *err) MUST_USE;

#endif
