#include "common/run/world.h"

#include "common/base/macros.h"

#include <sys/random.h>
#include <time.h>

static int64_t clock_us(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t); /* cannot fail for the two clocks used here */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t clock_ms(clockid_t clock)
{
    return clock_us(clock) / 1000;
}

static int64_t system_now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(void *ctx)
{
    (void)ctx;
    return clock_ms(CLOCK_MONOTONIC);
}

static int64_t system_monotonic_us(void *ctx)
{
    (void)ctx;
    return clock_us(CLOCK_MONOTONIC);
}

static uint32_t system_random_below(void *ctx, uint32_t bound)
{
    (void)ctx;
    uint32_t value = 0;
    /* Up to 256 bytes the call does not fail or return short; were it to, jitter would be 0. */
    (void)!getrandom(&value, sizeof value, 0);
    return bound > 0 ? value % bound : 0;
}

struct world world_system(void)
{
    return (struct world){system_now_ms, system_monotonic_ms, system_monotonic_us,
                          system_random_below, NULL};
}
