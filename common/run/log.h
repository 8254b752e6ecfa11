/* log.h - one JSON line per event on a file descriptor (stdout in production).
 * The event name is constant and searchable ("worker.exited"); values go in fields. Tokens, bodies
 * and passwords are never fields. A line is written with one write(2) and cut at LOG_LINE_MAX, so
 * lines of several processes on one pipe do not mix (PIPE_BUF). Never waits: what a stalled reader
 * does not take is dropped and counted ("log.dropped"). Callable from any process after
 * log_start(); the settings of this module are the one deliberate global of the program: a logger
 * handed through every function would say nothing more. */
#ifndef COMMON_RUN_LOG_H
#define COMMON_RUN_LOG_H

#include "common/base/buf.h"

#define LOG_LINE_MAX 4096

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
#define LOG_LEVEL_NAMES "DEBUG|INFO|WARN|ERROR" /* in the order of the enum, for the settings */

struct log_field {
    const char *key;
    struct slice text; /* ptr NULL: the value is `number` */
    int64_t number;
};

#define KV_I64(key, value)   ((struct log_field){(key), {0}, (int64_t)(value)})
#define KV_SLICE(key, value) ((struct log_field){(key), log_text(value), 0})
#define KV_STR(key, value)   KV_SLICE(key, slice_from_cstr(value))

/* Before this call events go to standard error from LOG_LEVEL_WARN on: commands that people run say
 * what went wrong, not what went well. */
void log_start(int fd, enum log_level least);
/* Put into every line until changed; empty slices leave the fields out. Borrowed. */
void log_set_request(struct slice request_id, struct slice trace_id);

/* Use the macros below. `fields[0]` is a placeholder that lets a macro take no field at all. */
void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);
struct slice log_text(struct slice text); /* never a NULL ptr: an empty text is a text */

#define LOG_EVENT(level, event, ...)                                                               \
    log_event((level), (event), ((const struct log_field[]){{0}, ##__VA_ARGS__}),                  \
              COUNT(((const struct log_field[]){{0}, ##__VA_ARGS__})))
#define log_debug(event, ...) LOG_EVENT(LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...)  LOG_EVENT(LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...)  LOG_EVENT(LOG_LEVEL_WARN, event, ##__VA_ARGS__)
#define log_error(event, ...) LOG_EVENT(LOG_LEVEL_ERROR, event, ##__VA_ARGS__)

#endif
