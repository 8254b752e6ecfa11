#include "common/run/world.h"
#include "tests/unit/suites.h"

#include <time.h>

START_TEST(world_clocks)
{
    const struct world world = world_system();
    int64_t unix_ms = (int64_t)time(NULL) * 1000, before = world_monotonic_ms(&world);
    ck_assert_int_ge(world_now_ms(&world), unix_ms);
    ck_assert_int_ge(world_monotonic_ms(&world), before);
    ck_assert_int_gt(before, 0);
}
END_TEST

static const uint32_t bounds[] = {0, 1, 2, 10, UINT32_MAX};
START_TEST(world_random_is_below)
{
    const struct world world = world_system();
    uint32_t bound = bounds[_i];
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_le(world_random_below(&world, bound), bound > 0 ? bound - 1 : 0);
}
END_TEST

START_TEST(world_random_varies)
{
    const struct world world = world_system();
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) /* to miss one of four is as likely as 3 in 10^125 */
        seen |= 1U << world_random_below(&world, 4);
    ck_assert_uint_eq(seen, 15);
}
END_TEST

void run_world(struct suite *s)
{
    suite_test(s, world_clocks);
    suite_rows(s, world_random_is_below, sizeof bounds / sizeof bounds[0]);
    suite_test(s, world_random_varies);
}
