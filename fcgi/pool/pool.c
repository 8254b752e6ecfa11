#include "fcgi/pool/pool.h"

void pool_init(struct pool *pool, size_t workers, int64_t stop_timeout_ms)
{
    *pool = (struct pool){.target = workers, .stop_timeout_ms = stop_timeout_ms};
}

static bool is_alive(const struct pool_slot *slot)
{
    return slot->state != POOL_SLOT_EMPTY;
}

static bool is_wanted(const struct pool *pool, size_t i)
{
    return !pool->stopping && (i < pool->target || i == POOL_KEEPER);
}

void pool_on_started(struct pool *pool, size_t slot, int64_t now_ms)
{
    pool->slots[slot] = (struct pool_slot){.state = POOL_SLOT_STARTING,
                                           .started_at_ms = now_ms,
                                           .kill_at_ms = now_ms + POOL_START_LIMIT_MS};
}

void pool_on_start_failed(struct pool *pool, size_t slot, int64_t now_ms)
{
    pool->slots[slot] = (struct pool_slot){.start_at_ms = now_ms + POOL_BACKOFF_MAX_MS};
}

void pool_on_ready(struct pool *pool, size_t slot)
{
    if (pool->slots[slot].state == POOL_SLOT_STARTING)
        pool->slots[slot].state = POOL_SLOT_RUNNING;
}

void pool_on_answer(struct pool *pool)
{
    pool->quick_in_row = 0;
}

static int64_t backoff_ms(unsigned crashes)
{
    int64_t wait_ms = POOL_BACKOFF_FIRST_MS;
    while (--crashes > 0 && wait_ms < POOL_BACKOFF_MAX_MS)
        wait_ms *= 2;
    return wait_ms < POOL_BACKOFF_MAX_MS ? wait_ms : POOL_BACKOFF_MAX_MS;
}

/* When a worker that nobody asked to end may be replaced. */
static int64_t on_worker_crash(struct pool *pool, bool answered, int64_t now_ms)
{
    pool->counts.crashes++;
    if (answered) {
        pool_on_answer(pool);
        return now_ms;
    }
    pool->counts.quick_crashes++;
    pool->quick_in_row++;
    return now_ms + backoff_ms(pool->quick_in_row);
}

static int64_t on_keeper_crash(struct pool *pool, int64_t now_ms)
{
    pool->counts.keeper_crashes++;
    if (now_ms - pool->slots[POOL_KEEPER].started_at_ms >= POOL_KEEPER_STEADY_MS)
        pool->keeper_crashes_in_row = 0;
    pool->keeper_crashes_in_row++;
    return now_ms + backoff_ms(pool->keeper_crashes_in_row);
}

void pool_on_exit(struct pool *pool, size_t slot, bool answered, int64_t now_ms)
{
    int64_t start_at_ms = now_ms;
    if (!pool_is_asked(pool, slot))
        start_at_ms = slot == POOL_KEEPER ? on_keeper_crash(pool, now_ms)
                                          : on_worker_crash(pool, answered, now_ms);
    pool->slots[slot] = (struct pool_slot){.start_at_ms = start_at_ms};
    if (pool->quick_in_row >= POOL_QUICK_CRASHES_MAX && !pool->stopping) {
        pool->gave_up = true;
        pool_on_stop(pool, now_ms);
    }
}

void pool_on_reload(struct pool *pool)
{
    for (size_t i = 0; i < POOL_SLOTS; i++)
        pool->slots[i].reload = is_alive(&pool->slots[i]);
}

void pool_on_resize(struct pool *pool, int64_t workers)
{
    pool->target = workers < 1 ? 1 : workers > WORKERS_MAX ? WORKERS_MAX : (size_t)workers;
}

void pool_on_worn(struct pool *pool, size_t slot)
{
    pool->slots[slot].recycle = is_alive(&pool->slots[slot]);
}

void pool_on_stuck(struct pool *pool, size_t slot)
{
    pool->slots[slot].stuck = is_alive(&pool->slots[slot]);
}

void pool_on_stop(struct pool *pool, int64_t now_ms)
{
    if (pool->stopping)
        return;
    pool->stopping = true;
    pool->stop_at_ms = now_ms + pool->stop_timeout_ms;
}

static bool any_worker_alive(const struct pool *pool)
{
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (is_alive(&pool->slots[i]))
            return true;
    return false;
}

bool pool_is_asked(const struct pool *pool, size_t slot)
{
    return pool->stopping || pool->slots[slot].asked;
}

bool pool_is_complete(const struct pool *pool)
{
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        enum pool_slot_state state = pool->slots[i].state;
        if (state != (is_wanted(pool, i) ? POOL_SLOT_RUNNING : POOL_SLOT_EMPTY))
            return false;
    }
    return true;
}

size_t pool_pending(const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        const struct pool_slot *slot = &pool->slots[i];
        enum pool_slot_state final = is_wanted(pool, i) ? POOL_SLOT_RUNNING : POOL_SLOT_EMPTY;
        count += slot->state != final || slot->reload || slot->recycle;
    }
    return count;
}

/* Whether some slot is on its way from one process to the next: then no other may begin, so that a
 * reload never takes away two. */
static bool any_in_change(const struct pool *pool)
{
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        const struct pool_slot *slot = &pool->slots[i];
        if (is_wanted(pool, i) && slot->state != POOL_SLOT_RUNNING)
            return true;
    }
    return false;
}

static void begin_end(struct pool *pool, size_t i, int64_t now_ms)
{
    int64_t grace_ms = i == POOL_KEEPER ? POOL_KEEPER_GRACE_MS : pool->stop_timeout_ms;
    pool->slots[i].state = POOL_SLOT_ENDING;
    pool->slots[i].asked = true;
    pool->slots[i].reload = pool->slots[i].recycle = false;
    pool->slots[i].kill_at_ms = now_ms + grace_ms;
}

/* Whether the process of slot `i` shall be asked to end now. While the pool stops, workers end by
 * themselves (their listening socket is shut); the keeper serves them until the last has gone. */
static bool must_end(const struct pool *pool, size_t i)
{
    const struct pool_slot *slot = &pool->slots[i];
    if (slot->state != POOL_SLOT_STARTING && slot->state != POOL_SLOT_RUNNING)
        return false;
    if (pool->stopping)
        return i == POOL_KEEPER && !any_worker_alive(pool);
    return !is_wanted(pool, i) || ((slot->reload || slot->recycle) && !any_in_change(pool));
}

/* When the process of slot `i` has had its time; 0: there is no such time. A worker that was ending
 * when the stop began gets all the time of the stop. */
static int64_t kill_time_ms(const struct pool *pool, size_t i)
{
    const struct pool_slot *slot = &pool->slots[i];
    if (!is_alive(slot) || slot->state == POOL_SLOT_KILLED)
        return 0;
    bool counts = slot->state == POOL_SLOT_STARTING ||
                  (slot->state == POOL_SLOT_ENDING && (!pool->stopping || i == POOL_KEEPER));
    int64_t at_ms = counts ? slot->kill_at_ms : 0;
    if (pool->stopping && (at_ms == 0 || pool->stop_at_ms < at_ms))
        return pool->stop_at_ms;
    return at_ms;
}

static struct pool_action next_for_slot(struct pool *pool, size_t i, int64_t now_ms)
{
    struct pool_slot *slot = &pool->slots[i];
    int64_t kill_at_ms = kill_time_ms(pool, i);
    if (slot->stuck && slot->state != POOL_SLOT_KILLED) {
        slot->state = POOL_SLOT_KILLED;
        slot->asked = true;
        pool->counts.timeouts++;
        return (struct pool_action){POOL_KILL, i};
    }
    if (kill_at_ms > 0 && now_ms >= kill_at_ms) {
        slot->state = POOL_SLOT_KILLED;
        pool->counts.kills += i != POOL_KEEPER; /* it is in order that a look is cut off */
        return (struct pool_action){POOL_KILL, i};
    }
    if (is_wanted(pool, i) && slot->state == POOL_SLOT_EMPTY && now_ms >= slot->start_at_ms)
        return (struct pool_action){POOL_START, i};
    if (must_end(pool, i)) {
        if (is_wanted(pool, i)) {
            pool->counts.reloads += slot->reload;
            pool->counts.recycles += slot->recycle && !slot->reload;
        }
        begin_end(pool, i, now_ms);
        return (struct pool_action){POOL_END, i};
    }
    return (struct pool_action){POOL_WAIT, 0};
}

struct pool_action pool_next(struct pool *pool, int64_t now_ms)
{
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        struct pool_action action = next_for_slot(pool, i, now_ms);
        if (action.kind != POOL_WAIT)
            return action;
    }
    if (pool->stopping && !any_worker_alive(pool) && !is_alive(&pool->slots[POOL_KEEPER]))
        return (struct pool_action){POOL_FINISHED, 0};
    return (struct pool_action){POOL_WAIT, 0};
}

int64_t pool_wait_ms(const struct pool *pool, int64_t now_ms)
{
    int64_t soonest = INT64_MAX;
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        const struct pool_slot *slot = &pool->slots[i];
        int64_t at = kill_time_ms(pool, i);
        if (is_wanted(pool, i) && slot->state == POOL_SLOT_EMPTY)
            at = slot->start_at_ms;
        if (slot->state == POOL_SLOT_STARTING && (at == 0 || at > now_ms + POOL_STARTING_TICK_MS))
            at = now_ms + POOL_STARTING_TICK_MS;
        if (at > 0 && at < soonest)
            soonest = at;
    }
    if (soonest == INT64_MAX)
        return -1;
    return soonest > now_ms ? soonest - now_ms : 0;
}
