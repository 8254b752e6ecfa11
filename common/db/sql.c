#include "common/db/sql.h"

#include "common/base/hex.h"
#include "common/base/utf8.h"

struct sql sql_start(struct arena *arena, size_t cap)
{
    return (struct sql){.text = arena_buf(arena, cap)};
}

/* The letter that follows the backslash; 0 when the byte stands for itself. */
static char escape_letter(char byte)
{
    switch (byte) {
    case '\0':
        return '0';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\x1a': /* end of file for some clients that replay statements */
        return 'Z';
    case '\\':
    case '\'':
    case '"':
        return byte;
    default:
        return 0;
    }
}

static void add_text(struct sql *sql, struct slice text)
{
    if (!utf8_valid(text) && !sql->fault)
        sql->fault = "text value is not UTF-8";
    buf_add_char(&sql->text, '\'');
    size_t done = 0;
    for (size_t i = 0; i < text.len; i++) {
        char letter = escape_letter(text.ptr[i]);
        if (!letter)
            continue;
        buf_add(&sql->text, (struct slice){text.ptr + done, i - done});
        buf_add(&sql->text, (struct slice){(char[]){'\\', letter}, 2});
        done = i + 1;
    }
    buf_add(&sql->text, slice_after(text, done));
    buf_add_char(&sql->text, '\'');
}

static void add_value(struct sql *sql, const struct db_in *in)
{
    switch (in->kind) {
    case DB_IN_NULL:
        buf_add(&sql->text, SLICE("NULL"));
        break;
    case DB_IN_I64:
        buf_add_i64(&sql->text, in->number);
        break;
    case DB_IN_TEXT:
        add_text(sql, in->text);
        break;
    case DB_IN_BYTES:
        buf_add(&sql->text, SLICE("x'"));
        hex_add(&sql->text, in->text);
        buf_add_char(&sql->text, '\'');
        break;
    }
}

void sql_add(struct sql *sql, const char *fragment, const struct db_in *in, size_t count)
{
    struct slice rest = slice_from_cstr(fragment), part;
    size_t used = 0;
    while (slice_cut(&rest, '?', &part)) {
        buf_add(&sql->text, part);
        if (!rest.ptr)
            break; /* the part behind the last placeholder */
        if (used < count)
            add_value(sql, &in[used]);
        used++;
    }
    if (used != count && !sql->fault)
        sql->fault = "placeholders and values differ in number";
}

void sql_add_plain(struct sql *sql, const char *fragment)
{
    sql_add(sql, fragment, NULL, 0);
}

bool sql_ready(const struct sql *sql, struct err *err)
{
    const struct slice beginning = {sql->text.ptr, sql->text.len < 120 ? sql->text.len : 120};
    if (sql->fault)
        return err_fail(err, &ERR_INTERNAL, "sql: %s in: %.*s", sql->fault, SLICE_ARG(beginning));
    if (sql->text.full)
        return err_fail(err, &ERR_INTERNAL, "sql: longer than %zu bytes", sql->text.cap);
    return true;
}
