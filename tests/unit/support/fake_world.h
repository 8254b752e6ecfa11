/* fake_world.h - a clock that stands still until it is moved, and chance that is told its result.
 */
#ifndef TESTS_UNIT_SUPPORT_FAKE_WORLD_H
#define TESTS_UNIT_SUPPORT_FAKE_WORLD_H

#include "common/run/world.h"

struct fake_world {
    struct world world; /* hand its address to the code under test */
    int64_t now_ms, monotonic_ms;
    uint32_t random;     /* what random_below() returns, at most its bound - 1 */
    uint32_t last_bound; /* what it was asked for; 0 before */
};

/* 2026-11-22 21:07:11.123 UTC on the wall, 1,000,000 ms since the start of the host, random 0.
 * `w` must stay where it is: the functions of its `world` refer to it. */
void fake_world_init(struct fake_world *w);
/* Both clocks go on. */
void fake_world_pass(struct fake_world *w, int64_t ms);

#endif
