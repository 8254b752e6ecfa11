#include "common/base/json_check.h"
#include "common/run/log.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What one event wrote. */
struct written {
    char text[2 * LOG_LINE_MAX];
    size_t len;
    int pipe[2];
};

static void start(struct written *w, enum log_level least)
{
    *w = (struct written){.len = 0};
    ck_assert_int_eq(pipe2(w->pipe, O_CLOEXEC | O_NONBLOCK), 0);
    log_start(w->pipe[1], least);
}

/* Reads what was written, and leaves the log as other tests expect it. */
static struct slice finish(struct written *w)
{
    log_start(STDERR_FILENO, LOG_LEVEL_INFO);
    log_set_request((struct slice){0}, (struct slice){0});
    close(w->pipe[1]);
    ssize_t got = read(w->pipe[0], w->text, sizeof w->text);
    ck_assert_int_ge(got, 0);
    close(w->pipe[0]);
    return (struct slice){w->text, (size_t)got};
}

/* The line behind its time, whose shape is checked: {"time":"2026-11-22T21:07:11.123Z" */
static struct slice without_time(struct slice line)
{
    static const char shape[] = "{\"time\":\"####-##-##T##:##:##.###Z\"";
    ck_assert_uint_gt(line.len, sizeof shape - 1);
    for (size_t i = 0; i < sizeof shape - 1; i++)
        ck_assert_msg(shape[i] == '#' ? line.ptr[i] >= '0' && line.ptr[i] <= '9'
                                      : line.ptr[i] == shape[i],
                      "%.*s", SLICE_ARG(line));
    return slice_after(line, sizeof shape - 1);
}

static void assert_is_json_line(struct slice line)
{
    struct json_fault fault = {0};
    ck_assert_msg(json_check(line, &fault), "%s at %zu of %.*s", fault.what, fault.at,
                  SLICE_ARG(line));
    ck_assert_ptr_eq(memchr(line.ptr, '\n', line.len), line.ptr + line.len - 1);
}

/* Nobody reads: writing never waits, and what was dropped is told when there is room again. */
START_TEST(log_stalled_reader)
{
    int ends[2];
    char bytes[LOG_LINE_MAX];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0); /* it would block */
    log_start(ends[1], LOG_LEVEL_INFO);
    for (int i = 0; i < 3000; i++)
        log_info("a.b",
                 KV_STR("text", "some hundred bytes of text, so that the pipe is soon full"));
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while (read(ends[0], bytes, sizeof bytes) > 0)
        ;
    log_info("a.c");
    log_start(STDERR_FILENO, LOG_LEVEL_INFO);
    ssize_t got = read(ends[0], bytes, sizeof bytes - 1);
    ck_assert_int_gt(got, 0);
    bytes[got] = '\0';
    ck_assert_ptr_nonnull(strstr(bytes, "\"event\":\"log.dropped\",\"lines\":"));
    ck_assert_ptr_nonnull(strstr(bytes, "\"event\":\"a.c\"}\n"));
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static void log_bare(void)
{
    log_info("a.b");
}

static void log_fields(void)
{
    log_warn("a.b", KV_I64("n", -5), KV_STR("text", "say \"hi\"\n"), KV_STR("none", NULL),
             KV_SLICE("bytes", SLICE("\xFF")));
}

static void log_with_request(void)
{
    log_set_request(SLICE("0123"), SLICE("Root=1-2"));
    log_error("a.b", KV_I64("n", 1));
}

static void log_with_request_only(void)
{
    log_set_request(SLICE("0123"), (struct slice){0});
    log_debug("a.b");
}

static const struct line_row {
    void (*log)(void);
    const char *want;
} line_rows[] = {
    {log_bare, ",\"level\":\"INFO\",\"event\":\"a.b\"}\n"},
    {log_fields, ",\"level\":\"WARN\",\"event\":\"a.b\",\"n\":-5,\"text\":\"say \\\"hi\\\"\\n\","
                 "\"none\":\"\",\"bytes\":\"\xEF\xBF\xBD\"}\n"},
    {log_with_request, ",\"level\":\"ERROR\",\"event\":\"a.b\",\"request_id\":\"0123\","
                       "\"trace_id\":\"Root=1-2\",\"n\":1}\n"},
    {log_with_request_only, ",\"level\":\"DEBUG\",\"event\":\"a.b\",\"request_id\":\"0123\"}\n"},
};
START_TEST(log_lines)
{
    struct written w;
    start(&w, LOG_LEVEL_DEBUG);
    line_rows[_i].log();
    struct slice line = finish(&w);
    assert_is_json_line(line);
    ck_assert_text_eq(without_time(line), line_rows[_i].want);
}
END_TEST

START_TEST(log_levels)
{
    enum log_level least = (enum log_level)(_i / 4), level = (enum log_level)(_i % 4);
    struct written w;
    start(&w, least);
    LOG_EVENT(level, "a.b");
    ck_assert_int_eq(finish(&w).len > 0, level >= least);
}
END_TEST

START_TEST(log_level_names_match)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    struct slice rest = slice_from_cstr(LOG_LEVEL_NAMES), name;
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        ck_assert(slice_cut(&rest, '|', &name));
        ck_assert_text_eq(name, names[i]);
    }
    ck_assert_ptr_null(rest.ptr);
}
END_TEST

/* Texts of every length around the limit: the line stays valid JSON within it, what does not fit
 * becomes "...", and what comes after still has its chance. */
static const size_t long_lengths[] = {3950, 3990, 4000, 4010, 4020, 4030, 4050, 4096, 9000};
START_TEST(log_line_is_cut)
{
    static char text[9100];
    memset(text, 'x', sizeof text);
    for (size_t more = 0; more < 20; more++) {
        struct written w;
        start(&w, LOG_LEVEL_INFO);
        log_info("a.b", KV_SLICE("long", ((struct slice){text, long_lengths[_i] + more})),
                 KV_I64("n", 1));
        struct slice line = finish(&w);
        ck_assert_uint_le(line.len, LOG_LINE_MAX);
        assert_is_json_line(line);
    }
}
END_TEST

START_TEST(log_line_uses_its_room)
{
    char text[LOG_LINE_MAX];
    memset(text, 'x', sizeof text);
    struct written w;
    start(&w, LOG_LEVEL_INFO);
    log_info("a.b");
    size_t frame = finish(&w).len + sizeof ",\"t\":\"\"" - 1;
    for (size_t over = 0; over <= 1; over++) {
        start(&w, LOG_LEVEL_INFO);
        log_info("a.b", KV_SLICE("t", ((struct slice){text, LOG_LINE_MAX - frame + over})));
        struct slice line = finish(&w);
        ck_assert_uint_eq(line.len, over ? frame + 3 : LOG_LINE_MAX);
    }
}
END_TEST

START_TEST(log_after_a_cut_field)
{
    static char text[5000];
    memset(text, '"', sizeof text); /* two bytes each in JSON */
    struct written w;
    start(&w, LOG_LEVEL_INFO);
    log_info("a.b", KV_SLICE("long", ((struct slice){text, 2100})), KV_I64("n", 1));
    ck_assert_text_eq(without_time(finish(&w)),
                      ",\"level\":\"INFO\",\"event\":\"a.b\",\"long\":\"...\",\"n\":1}\n");
}
END_TEST

START_TEST(log_cuts_a_long_request_id)
{
    static char text[5000];
    memset(text, 'x', sizeof text);
    struct written w;
    start(&w, LOG_LEVEL_INFO);
    log_set_request((struct slice){text, sizeof text}, SLICE("t"));
    log_info("a.b");
    ck_assert_text_eq(
        without_time(finish(&w)),
        ",\"level\":\"INFO\",\"event\":\"a.b\",\"request_id\":\"...\",\"trace_id\":\"t\"}\n");
}
END_TEST

void run_log(struct suite *s)
{
    suite_test(s, log_stalled_reader);
    suite_rows(s, log_lines, COUNT(line_rows));
    suite_rows(s, log_levels, 16);
    suite_test(s, log_level_names_match);
    suite_rows(s, log_line_is_cut, COUNT(long_lengths));
    suite_test(s, log_line_uses_its_room);
    suite_test(s, log_after_a_cut_field);
    suite_test(s, log_cuts_a_long_request_id);
}
