/* import.c - `cbu import`: NDJSON lines become products, in batches, bad lines reported one by one.
 */
#include "fcgi/cli/commands.h"

#include "common/base/utf8.h"
#include "common/db/mysql.h"
#include "fcgi/api/categories_store.h"
#include "fcgi/api/products_store.h"
#include "fcgi/cli/progress.h"
#include "fcgi/cli/text_index.h"
#include "fcgi/pool/custody.h"
#include "fcgi/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/* A product at its longest, every character escaped as \uXXXX\uXXXX, is below this. */
#define LINE_MAX_BYTES       KIB(64)
#define LINE_MEMORY          MIB(1)
#define BATCH_MEMORY         KIB(256)
#define STATEMENT_MAX        KIB(192) /* one product with everything escaped fits */
/* Rows are added while the statement, with its end, stays under the size that pins a proxy. */
#define STATEMENT_ROWS_BYTES (SQL_PIN_BYTES - KIB(2))
#define REPORT_MAX           KIB(2)

struct import {
    const struct conf *conf;
    struct db *db;
    FILE *file;
    struct arena line_memory, batch_memory;
    struct sql batch;
    int64_t batch_rows, batch_first_line;
    struct text_index lines_of_skus, category_ids;
    struct progress progress;
    int64_t line, bytes, loaded, refused, repeated;
};

enum line_result { LINE_READ, LINE_TOO_LONG, LINE_END };

/* Reads up to the line's end, which is left out; of a line too long only the beginning is kept. */
static enum line_result read_line(struct import *in, struct buf *ret)
{
    int c;
    while ((c = getc_unlocked(in->file)) != EOF) {
        in->bytes++;
        if (c == '\n')
            break;
        buf_add_char(ret, (char)c);
    }
    if (c == EOF && ret->len == 0 && !ret->full)
        return LINE_END;
    in->line++;
    if (ret->len > 0 && ret->ptr[ret->len - 1] == '\r' && !ret->full)
        ret->len--;
    return ret->full ? LINE_TOO_LONG : LINE_READ;
}

static bool is_control(const char *at, size_t length)
{
    unsigned char first = (unsigned char)at[0];
    return first < 0x20 || first == 0x7F ||
           (first == 0xC2 && length == 2 && (unsigned char)at[1] < 0xA0); /* U+0080 to U+009F */
}

/* What a file holds must neither move the cursor of a terminal nor begin a line of its own, which
 * would pass for another report. */
static void add_printable(struct buf *out, struct slice text)
{
    for (size_t at = 0; at < text.len;) {
        size_t length = utf8_sequence(text, at);
        if (length == 0 || is_control(text.ptr + at, length))
            buf_add(out, SLICE("\xEF\xBF\xBD")); /* U+FFFD */
        else
            buf_add(out, (struct slice){text.ptr + at, length});
        at += length > 0 ? length : 1;
    }
}

static void report(struct import *in, struct slice text)
{
    char storage[3 * REPORT_MAX];
    struct buf line = BUF(storage);
    add_printable(&line, text);
    progress_clear(&in->progress);
    fprintf(stderr, "line %lld: %.*s\n", (long long)in->line, SLICE_ARG(buf_slice(&line)));
}

static void report_faults(struct import *in, const struct faults *faults)
{
    char storage[REPORT_MAX];
    struct buf text = BUF(storage); /* the first faults are enough */
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->items[i];
        buf_add_format(&text, "%s%.*s%s%.*s", i > 0 ? "; " : "", SLICE_ARG(f->pointer),
                       f->pointer.len > 0 ? " " : "", SLICE_ARG(f->message));
    }
    report(in, buf_slice(&text));
}

static bool flush_batch(struct import *in, struct err *err)
{
    if (in->batch_rows == 0)
        return true;
    product_upsert_finish(&in->batch);
    if (!db_write(in->db, &in->batch, NULL, err))
        return false;
    in->loaded += in->batch_rows;
    in->batch_rows = 0;
    arena_reset(&in->batch_memory);
    return true;
}

static void start_batch_if_needed(struct import *in)
{
    if (in->batch_rows > 0)
        return;
    in->batch = product_upsert_start(&in->batch_memory, STATEMENT_MAX);
    in->batch_first_line = in->line;
}

/* Adds the row; one that would make the statement too long goes into the next. */
static bool add_to_batch(struct import *in, const struct product_input *p, int64_t category_id,
                         struct err *err)
{
    start_batch_if_needed(in);
    size_t before = in->batch.text.len;
    product_upsert_add(&in->batch, p, category_id);
    if (in->batch_rows > 0 && in->batch.text.len > STATEMENT_ROWS_BYTES) {
        buf_cut(&in->batch.text, before);
        if (!flush_batch(in, err))
            return false;
        start_batch_if_needed(in);
        product_upsert_add(&in->batch, p, category_id);
    }
    in->batch_rows++;
    return true;
}

static bool find_category(struct import *in, struct slice key, int64_t *ret, struct err *err)
{
    int64_t ignored;
    *ret = text_index_get(&in->category_ids, key);
    return *ret > 0 || (category_ensure(in->db, &in->line_memory, key, ret, err) &&
                        text_index_put(&in->category_ids, key, *ret, &ignored, err));
}

static bool note_sku(struct import *in, struct slice sku, struct err *err)
{
    char storage[REPORT_MAX];
    struct buf text = BUF(storage);
    int64_t before;
    if (!text_index_put(&in->lines_of_skus, sku, in->line, &before, err))
        return false;
    if (before == 0)
        return true;
    in->repeated++;
    buf_add_format(&text, "SKU %.*s is on line %lld too; line %lld wins", SLICE_ARG(sku),
                   (long long)before, (long long)in->line);
    report(in, buf_slice(&text));
    return true;
}

/* One line. False only for what stops the import; a bad line is reported and counted. */
static bool import_line(struct import *in, struct slice text, struct err *err)
{
    struct product_input product;
    struct faults faults = {0};
    struct err bad = {0};
    int64_t category_id = 0;
    if (!product_input_read(text, in->conf->shop_currency, &in->line_memory, &product, &faults,
                            &bad)) {
        if (bad.kind->status >= 500)
            return err_fail(err, bad.kind, "%s", bad.cause);
        in->refused++;
        report_faults(in, &faults);
        return true;
    }
    return note_sku(in, product.sku, err) &&
           find_category(in, product.category, &category_id, err) &&
           add_to_batch(in, &product, category_id, err);
}

static bool is_blank(struct slice text)
{
    return slice_trim(text).len == 0;
}

static bool import_all(struct import *in, struct err *err)
{
    static char storage[LINE_MAX_BYTES];
    for (;;) {
        struct buf line = BUF(storage);
        enum line_result result = read_line(in, &line);
        struct slice text = buf_slice(&line);
        if (result == LINE_END)
            break;
        if (in->line == 1 && slice_starts_with(text, SLICE("\xEF\xBB\xBF")))
            text = slice_after(text, 3); /* a byte order mark is no part of the JSON */
        if (result == LINE_TOO_LONG) {
            in->refused++;
            report(in, SLICE("longer than 65536 bytes"));
        } else if (!is_blank(text) && !import_line(in, text, err)) {
            return false;
        }
        arena_reset(&in->line_memory);
        progress_show(&in->progress, in->bytes, in->line);
    }
    bool flushed = flush_batch(in, err); /* what was read is good, however the reading ended */
    if (ferror(in->file))
        return err_fail(err, &ERR_INTERNAL, "reading failed after line %lld", (long long)in->line);
    return flushed;
}

static bool open_import(struct import *in, struct err *err)
{
    static struct world world; /* borrowed by the database handle */
    struct db_options options = {0};
    struct stat st = {0};
    world = world_system();
    if (fstat(fileno(in->file), &st) == 0 && S_ISREG(st.st_mode))
        in->progress = progress_start(st.st_size);
    else
        in->progress = progress_start(0);
    if (!arena_init(&in->line_memory, LINE_MEMORY, err) ||
        !arena_init(&in->batch_memory, BATCH_MEMORY, err) ||
        !settings_database(in->conf, in->conf->database_url, &options, err) ||
        !custody_complete(in->conf, in->conf->database_secret_arn, &world, &options.target, err)) {
        db_target_wipe(&options.target);
        return false;
    }
    in->db = db_open(&db_driver_mysql, &options, &world, err);
    db_target_wipe(&options.target);
    return in->db != NULL;
}

static void close_import(struct import *in)
{
    db_close(in->db);
    arena_done(&in->line_memory);
    arena_done(&in->batch_memory);
    text_index_done(&in->lines_of_skus);
    text_index_done(&in->category_ids);
    if (in->file && in->file != stdin)
        (void)fclose(in->file); /* only ever read */
}

static int finish(struct import *in, bool good, const struct err *err)
{
    progress_clear(&in->progress);
    if (!good)
        fprintf(stderr, "cbu import: stopped at line %lld: %s: %s\n", (long long)in->line,
                err->kind->code, err->cause);
    if (!good && in->batch_rows > 0)
        fprintf(stderr, "cbu import: nothing is loaded from line %lld on\n",
                (long long)in->batch_first_line);
    printf("%lld lines loaded, %lld lines refused, %lld repeated SKUs\n", (long long)in->loaded,
           (long long)in->refused, (long long)in->repeated);
    if (!good)
        return err->kind->status == 503 ? EX_UNAVAILABLE : EX_SOFTWARE;
    return in->refused > 0 ? EX_DATAERR : EX_OK;
}

/* NULL with errno set. A folder can be opened, but not read. */
static FILE *open_file(const char *name)
{
    struct stat st;
    if (strcmp(name, "-") == 0)
        return stdin;
    if (stat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return NULL;
    }
    return fopen(name, "re");
}

int command_import(int argc, char **argv)
{
    struct conf conf;
    struct err err = {0};
    if (argc != 2) {
        fputs("cbu import: which FILE? - reads standard input\n", stderr);
        return EX_USAGE;
    }
    if (argv[1][0] == '-' && argv[1][1]) {
        fprintf(stderr, "cbu import: unknown option '%s'; a file of that name is ./%s\n", argv[1],
                argv[1]);
        return EX_USAGE;
    }
    if (!settings_read(USE_DATABASE, &conf))
        return EX_CONFIG;
    struct import in = {.conf = &conf};
    in.file = open_file(argv[1]);
    if (!in.file) {
        fprintf(stderr, "cbu import: %s: %s\n", argv[1], strerror(errno));
        return EX_NOINPUT;
    }
    bool good = open_import(&in, &err) && import_all(&in, &err);
    int status = finish(&in, good, &err);
    close_import(&in);
    return status;
}
