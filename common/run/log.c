#include "common/run/log.h"

#include "common/base/json_write.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

static struct {
    int fd;
    enum log_level least;
    struct slice request_id, trace_id;
    int64_t dropped; /* lines, since the last that was written */
} state = {.fd = STDERR_FILENO, .least = LOG_LEVEL_WARN};

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

void log_start(int fd, enum log_level least)
{
    state.fd = fd;
    state.least = least;
}

void log_set_request(struct slice request_id, struct slice trace_id)
{
    state.request_id = request_id;
    state.trace_id = trace_id;
}

struct slice log_text(struct slice text)
{
    return text.ptr ? text : SLICE("");
}

static void add_time(struct buf *line)
{
    struct timespec now = {0};
    struct tm utc = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    buf_add_format(line, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\"", utc.tm_year + 1900,
                   utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                   now.tv_nsec / 1000000);
}

/* Adds the field, or nothing of it when the line would grow too long for its end mark. */
static void add_field(struct buf *line, const struct log_field *field)
{
    size_t before = line->len;
    if (field->text.ptr)
        json_add_member(line, field->key, field->text);
    else
        json_add_member_i64(line, field->key, field->number);
    if (line->full) {
        buf_cut(line, before);
        json_add_name(line, field->key);
        buf_add(line, SLICE("\"...\""));
    }
    if (line->full)
        buf_cut(line, before);
}

/* Whether a line can be written without waiting: a pipe that polls as writable takes PIPE_BUF
 * bytes. The descriptor stays blocking, since it is shared with whoever started us. */
static bool can_write(void)
{
    struct pollfd out = {.fd = state.fd, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && out.revents & POLLOUT;
}

static void report_dropped(void)
{
    char storage[256];
    struct buf line = BUF(storage);
    add_time(&line);
    json_add_member(&line, "level", SLICE("WARN"));
    json_add_member(&line, "event", SLICE("log.dropped"));
    json_add_member_i64(&line, "lines", state.dropped);
    buf_add(&line, SLICE("}\n"));
    state.dropped = 0;
    (void)!write(state.fd, line.ptr, line.len);
}

/* A reader of the log who stalls must not stop the service: what he does not take is dropped,
 * counted and told when he reads again. */
static void write_line(struct buf *line)
{
    if (!can_write()) {
        state.dropped++;
        return;
    }
    if (state.dropped > 0) {
        report_dropped();
        write_line(line);
        return;
    }
    (void)!write(state.fd, line->ptr, line->len);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (level < state.least)
        return;
    char storage[LOG_LINE_MAX];
    struct buf line = BUF(storage);
    line.cap -= 2; /* "}\n" always fits */
    add_time(&line);
    json_add_member(&line, "level", slice_from_cstr(level_names[level]));
    json_add_member(&line, "event", slice_from_cstr(event));
    if (state.request_id.len > 0)
        add_field(&line, &KV_SLICE("request_id", state.request_id));
    if (state.trace_id.len > 0)
        add_field(&line, &KV_SLICE("trace_id", state.trace_id));
    for (size_t i = 1; i < count; i++) /* 0 is the placeholder */
        add_field(&line, &fields[i]);
    line.cap += 2;
    buf_add(&line, SLICE("}\n"));
    write_line(&line);
}
