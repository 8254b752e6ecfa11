#include "tests/unit/support/fake_world.h"

static int64_t fake_now_ms(void *ctx)
{
    return ((const struct fake_world *)ctx)->now_ms;
}

static int64_t fake_monotonic_ms(void *ctx)
{
    return ((const struct fake_world *)ctx)->monotonic_ms;
}

static int64_t fake_monotonic_us(void *ctx)
{
    return ((const struct fake_world *)ctx)->monotonic_ms * 1000;
}

static uint32_t fake_random_below(void *ctx, uint32_t bound)
{
    struct fake_world *w = ctx;
    w->last_bound = bound;
    if (bound == 0)
        return 0;
    return w->random < bound ? w->random : bound - 1;
}

void fake_world_init(struct fake_world *w)
{
    *w = (struct fake_world){
        .world = {fake_now_ms, fake_monotonic_ms, fake_monotonic_us, fake_random_below, w},
        .now_ms = INT64_C(1795381631123),
        .monotonic_ms = 1000000,
    };
}

void fake_world_pass(struct fake_world *w, int64_t ms)
{
    w->now_ms += ms;
    w->monotonic_ms += ms;
}
