/* world.h - what no code decides alone: time and chance. main() fills it from the system, tests
 * fill it with plain functions. Callable from any process; holds no state of its own. */
#ifndef COMMON_RUN_WORLD_H
#define COMMON_RUN_WORLD_H

#include <stddef.h>
#include <stdint.h>

struct world {
    int64_t (*now_ms)(void *ctx); /* Unix time, milliseconds, UTC */
    int64_t (*monotonic_ms)(
        void *ctx); /* for ages and deadlines; same on all processes of a host */
    int64_t (*monotonic_us)(void *ctx); /* the same clock, for durations */
    /* A number from 0 to bound - 1, for jitter (not for secrets). */
    uint32_t (*random_below)(void *ctx, uint32_t bound);
    void *ctx;
};

struct world world_system(void);

static inline int64_t world_now_ms(const struct world *w)
{
    return w->now_ms(w->ctx);
}
static inline int64_t world_monotonic_ms(const struct world *w)
{
    return w->monotonic_ms(w->ctx);
}
static inline int64_t world_monotonic_us(const struct world *w)
{
    return w->monotonic_us(w->ctx);
}
static inline uint32_t world_random_below(const struct world *w, uint32_t bound)
{
    return w->random_below(w->ctx, bound);
}

#endif
