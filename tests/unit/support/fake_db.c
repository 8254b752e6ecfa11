#include "tests/unit/support/fake_db.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link {
    struct fake_db *fake;
    bool connected;
    const struct fake_answer *last; /* NULL before the first */
    char error[64];
};

struct result {
    struct fake_db *fake;
    size_t columns, count, next;
    char *cells[]; /* `count` of them */
};

static void note(struct fake_db *f, struct slice word)
{
    struct buf trace = {f->trace, f->trace_len, sizeof f->trace - 1, false};
    buf_add(&trace, word);
    buf_add_char(&trace, ' ');
    ck_assert_msg(!trace.full, "the fake database has seen too much to remember");
    f->trace[trace.len] = '\0';
    f->trace_len = trace.len;
}

static void *fake_create(void *ctx)
{
    struct fake_db *f = ctx;
    struct link *link = f->no_memory ? NULL : calloc(1, sizeof *link);
    if (link) {
        link->fake = f;
        f->links_open++;
    }
    return link;
}

static void fake_destroy(void *of)
{
    struct link *link = of;
    link->fake->links_open--;
    free(link);
}

static unsigned set_error(struct link *link, unsigned number)
{
    snprintf(link->error, sizeof link->error, "%u fake failure", number);
    return number;
}

static unsigned fake_connect(void *of, const struct db_target *target)
{
    struct link *link = of;
    struct fake_db *f = link->fake;
    size_t i = f->connects_seen++;
    unsigned number = i < f->connect_count ? f->connects[i] : 0;
    ck_assert_msg(!link->connected, "connect on a connected link");
    note(f, SLICE("connect"));
    f->target = *target;
    link->connected = number == 0;
    return set_error(link, number);
}

static void fake_disconnect(void *of)
{
    struct link *link = of;
    ck_assert_msg(link->connected, "disconnect on a disconnected link");
    note(link->fake, SLICE("disconnect"));
    link->connected = false;
}

static void *make_result(struct fake_db *f, const struct fake_answer *answer)
{
    struct result *result = calloc(1, sizeof *result + answer->cell_count * sizeof(char *));
    ck_assert_ptr_nonnull(result);
    result->fake = f;
    result->columns = answer->columns;
    result->count = answer->cell_count;
    for (size_t i = 0; i < answer->cell_count; i++)
        result->cells[i] = answer->cells[i] ? strdup(answer->cells[i]) : NULL;
    f->results_open++;
    return result;
}

static void remember(struct fake_db *f, struct slice sql)
{
    struct buf storage = {f->storage, f->storage_len, sizeof f->storage, false};
    if (sql.len > storage.cap - storage.len)
        sql.len = storage.cap - storage.len;
    buf_add(&storage, sql);
    ck_assert_uint_lt(f->statement_count, FAKE_STATEMENTS_MAX);
    f->statements[f->statement_count++] = (struct slice){storage.ptr + f->storage_len, sql.len};
    f->storage_len = storage.len;
}

static unsigned fake_query(void *of, struct slice sql, void **ret_result)
{
    struct link *link = of;
    struct fake_db *f = link->fake;
    struct slice rest = sql, word = {0};
    ck_assert_msg(link->connected, "a statement without a connection");
    if (slice_starts_with(sql, SLICE("SET "))) {
        size_t i = f->sets_seen++;
        note(f, SLICE("set"));
        return set_error(link, i < f->set_count ? f->sets[i] : 0);
    }
    slice_cut(&rest, ' ', &word);
    note(f, word);
    remember(f, sql);
    ck_assert_msg(f->answers_used < f->answer_count, "a statement without an answer: %.*s",
                  SLICE_ARG(sql));
    link->last = &f->answers[f->answers_used++];
    fake_world_pass(f->world, link->last->takes_ms);
    if (link->last->error == 0 && link->last->columns > 0)
        *ret_result = make_result(f, link->last);
    return set_error(link, link->last->error);
}

static const char *fake_error_text(void *of)
{
    return ((const struct link *)of)->error;
}

static const char *fake_server_info(void *of)
{
    const struct link *link = of;
    ck_assert_msg(link->connected, "the server's name without a connection");
    return link->fake->server_info;
}

static int64_t fake_affected_rows(void *of)
{
    return ((const struct link *)of)->last->affected;
}

static int64_t fake_insert_id(void *of)
{
    return ((const struct link *)of)->last->insert_id;
}

static bool fake_next_row(void *of, struct slice *ret_cells, size_t count)
{
    struct result *result = of;
    if (result->next == result->count)
        return false;
    for (size_t i = 0; i < count; i++)
        ret_cells[i] = slice_from_cstr(result->cells[result->next++]);
    return true;
}

static size_t fake_column_count(void *of)
{
    return ((const struct result *)of)->columns;
}

static void fake_result_free(void *of)
{
    struct result *result = of;
    for (size_t i = 0; i < result->count; i++)
        free(result->cells[i]);
    result->fake->results_open--;
    free(result);
}

void fake_db_init(struct fake_db *f, struct fake_world *world, const struct fake_answer *answers,
                  size_t count)
{
    *f = (struct fake_db){.world = world,
                          .answers = answers,
                          .answer_count = count,
                          .server_info = "5.5.5-10.11.19-MariaDB-0+deb12u1"};
    f->driver = (struct db_driver){.create = fake_create,
                                   .destroy = fake_destroy,
                                   .connect = fake_connect,
                                   .query = fake_query,
                                   .disconnect = fake_disconnect,
                                   .error_text = fake_error_text,
                                   .server_info = fake_server_info,
                                   .affected_rows = fake_affected_rows,
                                   .insert_id = fake_insert_id,
                                   .next_row = fake_next_row,
                                   .column_count = fake_column_count,
                                   .result_free = fake_result_free,
                                   .ctx = f};
}

struct db *fake_db_open(struct fake_db *f)
{
    struct err err = {0};
    const struct db_options options = {.target = {.host = "db.example", .io_timeout_s = 5},
                                       .max_age_ms = INT64_C(14400) * MS_PER_S,
                                       .max_idle_ms = INT64_C(1500) * MS_PER_S};
    struct db *db = db_open(&f->driver, &options, &f->world->world, &err);
    ck_assert_msg(db != NULL, "%s", err.cause);
    return db;
}

void fake_db_check_done(const struct fake_db *f)
{
    ck_assert_uint_eq(f->answers_used, f->answer_count);
    ck_assert_int_eq(f->results_open, 0);
    ck_assert_int_eq(f->links_open, 0);
}
