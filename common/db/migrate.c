#include "common/db/migrate.h"

#include "common/base/hex.h"
#include "common/base/number.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_NAME    "'cbu.migrate'"
#define LOCK_WAIT_S  "60"
#define DIGITS       4
#define MEMORY_BYTES MIB(4)

/* Whether `name` is NNNN_words.sql; other files of the folder (editors' copies) are an error, since
 * silently leaving one out is worse. */
static bool parse_name(const char *name, struct migration *ret)
{
    struct slice text = slice_from_cstr(name);
    static const struct slice end = SLICE_INIT(".sql");
    if (text.len <= DIGITS + 1 + end.len || text.len >= sizeof ret->name ||
        text.ptr[DIGITS] != '_' || !slice_equal(slice_after(text, text.len - end.len), end))
        return false;
    ret->version = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        ret->version = ret->version * 10 + (text.ptr[i] - '0');
    }
    struct buf copy = BUF(ret->name);
    buf_add(&copy, text);
    return buf_cstr(&copy) != NULL;
}

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static int by_version(const void *a, const void *b)
{
    const struct migration *left = a, *right = b;
    return (left->version > right->version) - (left->version < right->version);
}

static bool read_dir(const char *dir, struct migrations *ret, struct err *err)
{
    CLEANUP(close_dir) DIR *handle = opendir(dir);
    if (!handle)
        return err_fail(err, &ERR_SETTINGS_INVALID, "folder %s (MIGRATIONS_DIR): %s", dir,
                        strerror(errno));
    const struct dirent *entry;
    while ((entry = readdir(handle))) {
        if (entry->d_name[0] == '.')
            continue;
        if (ret->count == MIGRATION_FILES_MAX ||
            !parse_name(entry->d_name, &ret->items[ret->count]))
            return err_fail(err, &ERR_SETTINGS_INVALID, "%s/%s is not named NNNN_words.sql", dir,
                            entry->d_name);
        ret->count++;
    }
    return true;
}

/* 0001, 0002, ...: a gap is a file somebody forgot to hand over. */
static bool check_numbers(const struct migrations *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].version != (int64_t)i + 1)
            return err_fail(err, &ERR_SETTINGS_INVALID,
                            "migrations must be numbered 0001, 0002, ... without a gap: %s",
                            list->items[i].name);
    return true;
}

bool migrations_list(const char *dir, struct migrations *ret, struct err *err)
{
    struct migrations found = {calloc(MIGRATION_FILES_MAX, sizeof(struct migration)), 0};
    if (!found.items)
        return err_fail(err, &ERR_INTERNAL, "no memory for the migrations");
    bool good = read_dir(dir, &found, err);
    qsort(found.items, found.count, sizeof found.items[0], by_version);
    if (good && check_numbers(&found, err)) {
        *ret = found;
        return true;
    }
    migrations_done(&found);
    return false;
}

void migrations_done(struct migrations *migrations)
{
    free(migrations->items);
    *migrations = (struct migrations){0};
}

/* Two dashes begin a comment only with a blank or a control character, or nothing, behind them. */
static bool starts_dash_comment(struct slice text)
{
    return slice_starts_with(text, SLICE("--")) &&
           (text.len == 2 || (unsigned char)text.ptr[2] <= ' ');
}

/* Length of the comment that starts at the text's first byte; 0 when none does. Versioned comments
 * of MySQL are statements and stay. */
static size_t comment_length(struct slice text)
{
    const char *end = NULL;
    if (starts_dash_comment(text) || slice_starts_with(text, SLICE("#")))
        end = memchr(text.ptr, '\n', text.len);
    else if (slice_starts_with(text, SLICE("/*")) && !slice_starts_with(text, SLICE("/*!")))
        end = memmem(text.ptr + 2, text.len - 2, "*/", 2);
    else
        return 0;
    if (!end)
        return text.len;
    return (size_t)(end - text.ptr) + (*end == '\n' ? 1 : 2);
}

/* Length of the quoted text that starts at the first byte, with both quotes; 0 when none does. A
 * doubled quote reads as two texts side by side, which comes to the same. */
static size_t quoted_length(struct slice text)
{
    char quote = text.ptr[0];
    if (quote != '\'' && quote != '"' && quote != '`')
        return 0;
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == '\\' && quote != '`')
            i++;
        else if (text.ptr[i] == quote)
            return i + 1;
    }
    return text.len;
}

/* To the next statement; an empty one, which the server would refuse, is skipped too. */
static struct slice skip_to_statement(struct slice text)
{
    for (;;) {
        size_t length = text.len > 0 && strchr(" \t\r\n;", text.ptr[0]) ? 1 : comment_length(text);
        if (text.len == 0 || length == 0)
            return text;
        text = slice_after(text, length);
    }
}

bool migration_statement(struct slice *rest, struct slice *ret)
{
    struct slice text = skip_to_statement(*rest);
    size_t at = 0;
    if (text.len == 0)
        return false;
    while (at < text.len && text.ptr[at] != ';') {
        struct slice here = slice_after(text, at);
        size_t length = comment_length(here);
        if (length == 0)
            length = quoted_length(here);
        at += length > 0 ? length : 1;
    }
    *ret = (struct slice){text.ptr, at};
    *rest = slice_after(text, at + 1);
    return true;
}

static void close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file); /* only ever read */
}

static bool read_file(const char *dir, const char *name, struct arena *arena, struct slice *ret,
                      struct err *err)
{
    char path[1300];
    struct buf text = arena_buf(arena, MIGRATION_BYTES_MAX);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CLEANUP(close_file) FILE *file = fopen(path, "re");
    if (!file || text.full)
        return err_fail(err, &ERR_SETTINGS_INVALID, "%s: %s", path, strerror(errno));
    text.len = fread(text.ptr, 1, text.cap, file);
    if (ferror(file) || text.len == text.cap)
        return err_fail(err, &ERR_SETTINGS_INVALID, "%s: unreadable or too large", path);
    *ret = buf_slice(&text);
    return true;
}

static struct slice checksum(struct slice text, struct arena *arena)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct buf out = arena_buf(arena, 64);
    if (EVP_Digest(text.ptr, text.len, digest, &length, EVP_sha256(), NULL) == 1)
        hex_add(&out, (struct slice){(const char *)digest, length});
    return buf_slice(&out);
}

static bool run(struct db *db, struct arena *arena, const char *statement, const struct db_in *in,
                size_t count, struct err *err)
{
    struct sql sql = sql_start(arena, KIB(2));
    sql_add(&sql, statement, in, count);
    return db_write(db, &sql, NULL, err);
}

struct runner {
    struct db *db;
    struct arena *arena;
    const char *dir;
    void (*report)(const char *name);
};

/* What the table says of one version. `checksum` is over the file up to the end of the last
 * finished statement, and over all of it once it is complete. */
struct record {
    struct slice checksum;
    int64_t statements_done, statement_begun;
    bool known, complete;
};

static bool read_record(const struct runner *r, int64_t version, struct record *ret,
                        struct err *err)
{
    static const char sql[] = "SELECT checksum, statements_done, statement_begun,"
                              " applied_at IS NOT NULL FROM schema_migrations WHERE version = ?";
    const struct db_in in[] = {DB_I64(version)};
    struct err absent = {0};
    struct record record = {.known = true};
    const struct db_out out[] = {DB_GET_TEXT(&record.checksum), DB_GET_I64(&record.statements_done),
                                 DB_GET_I64(&record.statement_begun),
                                 DB_GET_BOOL(&record.complete)};
    if (db_read_one(r->db, r->arena, sql, ARRAY(in), ARRAY(out), &ERR_NOT_FOUND, &absent)) {
        *ret = record;
        return true;
    }
    *ret = (struct record){0};
    return absent.kind == &ERR_NOT_FOUND || err_fail(err, absent.kind, "%s", absent.cause);
}

/* One statement of a file, and what is noted when it is done. */
struct step {
    const struct migration *migration;
    int64_t number; /* from 1 */
    struct slice statement, checksum;
};

/* Whether the server says that what the statement makes is there, or what it drops is not. */
static bool is_done_already(unsigned number)
{
    static const unsigned done[] = {1050, 1051, 1060, 1061, 1091, 1826, 3822};
    for (size_t i = 0; i < COUNT(done); i++)
        if (done[i] == number)
            return true;
    return false;
}

static bool note_begun(const struct runner *r, const struct step *step, struct err *err)
{
    const struct db_in in[] = {DB_I64(step->number), DB_I64(step->migration->version)};
    return run(r->db, r->arena,
               "UPDATE schema_migrations SET statement_begun = ? WHERE version = ?", ARRAY(in),
               err);
}

static bool note_done(const struct runner *r, const struct step *step, struct err *err)
{
    const struct db_in in[] = {DB_I64(step->number), DB_TEXT(step->checksum),
                               DB_I64(step->migration->version)};
    return run(r->db, r->arena,
               "UPDATE schema_migrations SET statements_done = ?, checksum = ? WHERE version = ?",
               ARRAY(in), err);
}

/* A statement that changes rows commits together with its note. One that changes tables commits by
 * itself, and goes on in the server when we are killed; so it is noted before it is run, and when a
 * later run finds it begun and its work done, that was it. */
static bool run_step(const struct runner *r, const struct step *step, bool begun_before,
                     struct err *err)
{
    struct err failed = {0};
    struct db_written written = {0};
    struct sql sql = {.text = {.ptr = (char *)step->statement.ptr, .len = step->statement.len}};
    if ((!begun_before && !note_begun(r, step, err)) || !db_begin(r->db, err))
        return false;
    bool good = db_write(r->db, &sql, &written, &failed);
    if (!good && begun_before && is_done_already(written.server_errno))
        good = true;
    else if (!good)
        err_fail(err, &ERR_MIGRATION_FAILED, "%s, statement %lld: %s", step->migration->name,
                 (long long)step->number, failed.cause);
    if (good && note_done(r, step, err))
        return db_commit(r->db, err);
    db_rollback(r->db);
    return false;
}

/* Cuts the next statement off `*rest`, with the checksum of the file up to its end. */
static bool next_step(const struct runner *r, struct slice text, struct slice *rest,
                      struct step *step)
{
    if (!migration_statement(rest, &step->statement))
        return false;
    size_t end = rest->ptr ? (size_t)(rest->ptr - text.ptr) : text.len;
    step->checksum = checksum((struct slice){text.ptr, end}, r->arena);
    step->number++;
    return true;
}

/* Runs the statements that are not done. Those that are must stand there as they were run. */
static bool run_statements(const struct runner *r, const struct migration *m, struct slice text,
                           const struct record *record, struct err *err)
{
    struct slice rest = text;
    struct step step = {.migration = m};
    while (next_step(r, text, &rest, &step)) {
        if (step.number == record->statements_done && !slice_equal(step.checksum, record->checksum))
            return err_fail(err, &ERR_MIGRATION_CHANGED,
                            "%s: of its first %lld statements, which are done, one was changed",
                            m->name, (long long)step.number);
        if (step.number > record->statements_done &&
            !run_step(r, &step, step.number == record->statement_begun, err))
            return false;
    }
    return step.number >= record->statements_done ||
           err_fail(err, &ERR_MIGRATION_CHANGED, "%s has fewer statements than are done", m->name);
}

static bool start_record(const struct runner *r, const struct migration *m, struct err *err)
{
    const struct db_in in[] = {DB_I64(m->version), DB_TEXT(slice_from_cstr(m->name))};
    return run(r->db, r->arena,
               "INSERT INTO schema_migrations (version, name, checksum, statements_done,"
               " statement_begun) VALUES (?, ?, '', 0, 0)",
               ARRAY(in), err);
}

static bool finish_record(const struct runner *r, const struct migration *m, struct slice sum,
                          struct err *err)
{
    const struct db_in in[] = {DB_TEXT(sum), DB_I64(m->version)};
    return run(r->db, r->arena,
               "UPDATE schema_migrations SET checksum = ?, applied_at = UTC_TIMESTAMP(3)"
               " WHERE version = ?",
               ARRAY(in), err);
}

static bool apply_file(const struct runner *r, const struct migration *m, struct err *err)
{
    struct slice text = {0};
    struct record record = {0};
    arena_reset(r->arena);
    if (!read_file(r->dir, m->name, r->arena, &text, err) ||
        !read_record(r, m->version, &record, err))
        return false;
    struct slice sum = checksum(text, r->arena);
    if (record.complete)
        return slice_equal(record.checksum, sum) ||
               err_fail(err, &ERR_MIGRATION_CHANGED, "%s was changed after it was applied",
                        m->name);
    r->report(m->name);
    return (record.known || start_record(r, m, err)) && run_statements(r, m, text, &record, err) &&
           finish_record(r, m, sum, err);
}

static bool take_lock(const struct runner *r, struct err *err)
{
    int64_t got = 0;
    if (!db_read_one(r->db, r->arena,
                     "SELECT COALESCE(GET_LOCK(" LOCK_NAME ", " LOCK_WAIT_S "), 0)", NULL, 0,
                     &DB_GET_I64(&got), 1, &ERR_INTERNAL, err))
        return false;
    return got == 1 || err_fail(err, &ERR_DATABASE_DOWN,
                                "another migration holds the lock for " LOCK_WAIT_S " s");
}

static bool apply_all(const struct runner *r, const struct migrations *list, struct err *err)
{
    if (!take_lock(r, err) ||
        !run(
            r->db, r->arena,
            "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY,"
            " name VARCHAR(128) NOT NULL, checksum CHAR(64) NOT NULL, statements_done INT NOT NULL,"
            " statement_begun INT NOT NULL, applied_at DATETIME(3) NULL) ENGINE = InnoDB DEFAULT "
            "CHARACTER SET utf8mb4"
            " COLLATE utf8mb4_bin",
            NULL, 0, err))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (!apply_file(r, &list->items[i], err))
            return false;
    return true; /* the lock goes with the connection */
}

bool migrations_apply(struct db *db, const char *dir, void (*report)(const char *name),
                      struct err *err)
{
    CLEANUP(migrations_done) struct migrations list = {0};
    CLEANUP(arena_done) struct arena arena = {0};
    const struct runner r = {db, &arena, dir, report};
    return migrations_list(dir, &list, err) && arena_init(&arena, MEMORY_BYTES, err) &&
           apply_all(&r, &list, err);
}
