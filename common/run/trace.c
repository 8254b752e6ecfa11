#include "common/run/trace.h"

#include <string.h>

const char *trace_phase_name(int phase)
{
#define TRACE_NAME(name, text) text,
    static const char *const names[] = {TRACE_PHASES(TRACE_NAME)};
#undef TRACE_NAME
    return phase >= 0 && phase < TRACE_PHASE_COUNT ? names[phase] : "invalid";
}

static void show(const struct trace *t)
{
    if (t->shown)
        atomic_store_explicit(&t->shown->phase, (int)t->phase, memory_order_relaxed);
}

void trace_begin(struct trace *t, const struct world *world, struct trace_shown *shown)
{
    int64_t now_us = world_monotonic_us(world);
    *t = (struct trace){.world = world,
                        .shown = shown,
                        .phase = TRACE_READ,
                        .entered_us = now_us,
                        .begun_us = now_us};
    if (shown) {
        atomic_store_explicit(&shown->route, -1, memory_order_relaxed);
        atomic_store_explicit(&shown->begun_ms, now_us / 1000, memory_order_relaxed);
    }
    show(t);
}

enum trace_phase trace_enter(struct trace *t, enum trace_phase phase)
{
    if (!t)
        return TRACE_NONE;
    enum trace_phase left = t->phase;
    int64_t now_us = world_monotonic_us(t->world);
    t->spent_us[left] += now_us - t->entered_us;
    t->entered_us = now_us;
    t->phase = phase;
    show(t);
    return left;
}

void trace_route(struct trace *t, int route)
{
    if (t && t->shown)
        atomic_store_explicit(&t->shown->route, route, memory_order_relaxed);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The word that begins at `at`, and where it ends. */
static struct slice word_at(struct slice text, size_t at)
{
    size_t end = at;
    while (end < text.len && is_word(text.ptr[end]))
        end++;
    return (struct slice){text.ptr + at, end - at};
}

/* Behind the text in quotes that begins at `at`. */
static size_t skip_text(struct slice text, size_t at)
{
    char quote = text.ptr[at++];
    while (at < text.len && text.ptr[at] != quote)
        at += text.ptr[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* The word behind FROM, INTO or UPDATE, in capitals as all statements of ours have them; never out
 * of a text. */
static struct slice find_table(struct slice text)
{
    static const struct slice before[] = {SLICE_INIT("FROM"), SLICE_INIT("INTO"),
                                          SLICE_INIT("UPDATE")};
    for (size_t at = 0; at < text.len;) {
        struct slice word = word_at(text, at);
        at += word.len + 1;
        struct slice next = at < text.len ? word_at(text, at) : (struct slice){0};
        for (size_t i = 0; next.len > 0 && i < COUNT(before); i++)
            if (slice_equal(word, before[i]))
                return next;
        if (at <= text.len && (text.ptr[at - 1] == '\'' || text.ptr[at - 1] == '"'))
            at = skip_text(text, at - 1);
    }
    return (struct slice){0};
}

static void name_slowest(struct trace *t, struct slice statement)
{
    struct slice verb = word_at(statement, 0), table = find_table(statement);
    struct buf out = BUF(t->slowest);
    buf_add(&out, verb);
    if (table.len > 0) {
        buf_add_char(&out, ' ');
        buf_add(&out, table);
    }
    if (!buf_cstr(&out))
        t->slowest[0] = '\0';
}

void trace_statement(struct trace *t, struct slice statement, int64_t took_us)
{
    if (!t || took_us < t->slowest_us)
        return;
    t->slowest_us = took_us;
    if (took_us >= TRACE_NAMED_US)
        name_slowest(t, statement);
}

int64_t trace_now_us(const struct trace *t)
{
    return t ? world_monotonic_us(t->world) : 0;
}

int64_t trace_end(struct trace *t)
{
    trace_enter(t, TRACE_NONE);
    return t->entered_us - t->begun_us;
}
