#include "fcgi/pool/scoreboard.h"

#include "common/base/hex.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

/* What stands in shared memory may be anything after a worker went wild; the master must not follow
 * it out of a table. */
static const char *name_of(const char *const *names, size_t count, unsigned position)
{
    return position < count ? names[position] : "invalid";
}

const char *worker_state_name(enum worker_state state)
{
    static const char *const names[] = {"none", "starting", "idle", "busy", "condemned"};
    return name_of(ARRAY(names), (unsigned)state);
}

const char *bucket_state_name(enum bucket_state state)
{
    static const char *const names[] = {"none", "unknown", "up", "down"};
    return name_of(ARRAY(names), (unsigned)state);
}

const char *keys_state_name(enum keys_state state)
{
    static const char *const names[] = {"none", "missing", "known", "expired"};
    return name_of(ARRAY(names), (unsigned)state);
}

const char *database_state_name(enum database_state state)
{
    static const char *const names[] = {"unknown", "up", "down", "old_schema"};
    return name_of(ARRAY(names), (unsigned)state);
}

struct scoreboard *scoreboard_open(struct err *err)
{
    void *memory = mmap(NULL, sizeof(struct scoreboard), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        return memory; /* zeroed: no worker, nothing known */
    err_fail(err, &ERR_INTERNAL, "scoreboard: %s", strerror(errno));
    return NULL;
}

#define COUNTER_TEXT(id, name, help) {name, help},
const struct worker_counter_text worker_counters[] = {WORKER_COUNTERS(COUNTER_TEXT)};
#undef COUNTER_TEXT

const int64_t histogram_bounds_ms[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

/* One writer, so no other addition can come between. */
static void add(_Atomic int64_t *number, int64_t more)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

void histogram_add(struct histogram *h, int64_t us)
{
    size_t i = 0;
    while (i < COUNT(histogram_bounds_ms) && us > histogram_bounds_ms[i] * 1000)
        i++;
    add(&h->counts[i], 1);
    add(&h->sum_us, us);
}

void numbers_count(struct worker_numbers *numbers, enum worker_counter counter, int64_t more)
{
    add(&numbers->counters[counter], more);
}

void numbers_add(struct pool_numbers *to, const struct worker_numbers *numbers)
{
    for (size_t i = 0; i < WORKER_COUNTER_COUNT; i++)
        to->counters[i] += atomic_load(&numbers->counters[i]);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        to->queue.counts[i] += atomic_load(&numbers->queue.counts[i]);
        to->service.counts[i] += atomic_load(&numbers->service.counts[i]);
    }
    to->queue.sum_us += atomic_load(&numbers->queue.sum_us);
    to->service.sum_us += atomic_load(&numbers->service.sum_us);
}

#define STATE_MASK  UINT64_C(0xFF)
#define REQUEST_ONE UINT64_C(0x100)

enum worker_state worker_slot_state(const struct worker_slot *slot)
{
    return (enum worker_state)(atomic_load(&slot->state) & STATE_MASK);
}

void worker_slot_request_id(const struct worker_slot *slot, struct buf *out)
{
    buf_add_format(out, "%016" PRIx64 "%016" PRIx64, atomic_load(&slot->request_high),
                   atomic_load(&slot->request_low));
}

void worker_slot_idle(struct worker_slot *slot, int64_t now_ms)
{
    atomic_store(&slot->state_since_ms, now_ms);
    atomic_store(&slot->state, WORKER_IDLE);
}

void worker_slot_begin(struct worker_slot *slot, int64_t now_ms)
{
    uint64_t number = (atomic_load(&slot->state) & ~STATE_MASK) + REQUEST_ONE;
    atomic_store(&slot->state_since_ms, now_ms);
    atomic_store(&slot->state, number | WORKER_BUSY);
}

bool worker_slot_end(struct worker_slot *slot, int64_t now_ms)
{
    uint64_t seen = atomic_load(&slot->state);
    return (seen & STATE_MASK) == WORKER_BUSY &&
           atomic_compare_exchange_strong(&slot->state, &seen,
                                          (seen & ~STATE_MASK) | WORKER_IDLE) &&
           (atomic_store(&slot->state_since_ms, now_ms), true);
}

bool worker_slot_condemn(struct worker_slot *slot, int64_t before_ms)
{
    uint64_t seen = atomic_load(&slot->state);
    /* The time belongs to this state unless the state has changed meanwhile. */
    return (seen & STATE_MASK) == WORKER_BUSY && atomic_load(&slot->state_since_ms) <= before_ms &&
           atomic_compare_exchange_strong(&slot->state, &seen,
                                          (seen & ~STATE_MASK) | WORKER_CONDEMNED);
}

void worker_slot_reset(struct worker_slot *slot, int64_t now_ms)
{
    for (size_t i = 0; i < WORKER_COUNTER_COUNT; i++)
        atomic_store(&slot->numbers.counters[i], 0);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        atomic_store(&slot->numbers.queue.counts[i], 0);
        atomic_store(&slot->numbers.service.counts[i], 0);
    }
    atomic_store(&slot->numbers.queue.sum_us, 0);
    atomic_store(&slot->numbers.service.sum_us, 0);
    atomic_store(&slot->connected, 0);
    atomic_store(&slot->trace.phase, TRACE_NONE);
    atomic_store(&slot->trace.route, -1);
    atomic_store(&slot->started_ms, now_ms);
    atomic_store(&slot->state_since_ms, now_ms);
    atomic_store(&slot->state, WORKER_STARTING);
}

struct request_id request_id_parse(struct slice text)
{
    struct request_id id = {0};
    if (text.len != 32)
        return id;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_digit(text.ptr[i]);
        uint64_t *half = i < 16 ? &id.high : &id.low;
        if (digit < 0)
            return (struct request_id){0};
        *half = *half << 4 | (uint64_t)digit;
    }
    return id;
}

static bool is_same(struct request_id id, const _Atomic uint64_t *high, const _Atomic uint64_t *low)
{
    return atomic_load_explicit(high, memory_order_relaxed) == id.high &&
           atomic_load_explicit(low, memory_order_relaxed) == id.low;
}

/* The workers other than `own` that serve, or served when they died, this request. nginx repeats a
 * request only when the connection of the worker before has closed, so those are dead too. */
static unsigned count_deaths(const struct scoreboard *board, const struct worker_slot *own,
                             struct request_id id)
{
    unsigned count = 0;
    int slots = atomic_load_explicit(&board->slots, memory_order_relaxed);
    for (int i = 0; i < slots && i < WORKERS_MAX; i++) {
        const struct worker_slot *slot = &board->workers[i];
        count += slot != own && is_same(id, &slot->request_high, &slot->request_low);
    }
    if (atomic_load_explicit(&board->burials, memory_order_relaxed) > 0)
        for (size_t i = 0; i < FALLEN_MAX; i++)
            count += is_same(id, &board->fallen[i].high, &board->fallen[i].low);
    return count;
}

/* Tries to see the slots and the fallen as they were at one moment. */
#define LOOKS_MAX 1000

unsigned scoreboard_begin(struct scoreboard *board, struct worker_slot *slot, struct request_id id)
{
    unsigned count = 0;
    atomic_store_explicit(&slot->request_low, id.low, memory_order_relaxed);
    atomic_store_explicit(&slot->request_high, id.high, memory_order_release);
    if (id.high == 0 && id.low == 0)
        return 0;
    for (int i = 0; i < LOOKS_MAX; i++) {
        uint64_t before = atomic_load_explicit(&board->burials, memory_order_acquire);
        count = count_deaths(board, slot, id);
        atomic_thread_fence(memory_order_acquire);
        if (before % 2 == 0 &&
            atomic_load_explicit(&board->burials, memory_order_relaxed) == before)
            break;
    }
    return count;
}

void scoreboard_end(struct worker_slot *slot)
{
    atomic_store_explicit(&slot->request_high, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->request_low, 0, memory_order_relaxed);
}

void scoreboard_bury(struct scoreboard *board, struct worker_slot *slot)
{
    uint64_t high = atomic_load(&slot->request_high), low = atomic_load(&slot->request_low);
    if (high == 0 && low == 0)
        return;
    uint64_t number = atomic_fetch_add(&board->burials, 1) / 2;
    atomic_store(&board->fallen[number % FALLEN_MAX].high, high);
    atomic_store(&board->fallen[number % FALLEN_MAX].low, low);
    scoreboard_end(slot);
    atomic_fetch_add(&board->burials, 1);
}

void scoreboard_publish(struct scoreboard *board, const struct snapshot *snapshot)
{
    uint64_t next = atomic_load(&board->snapshot_writes) + 1;
    /* The copy is written after the counter of the publication before was, also on processors that
     * reorder writes: a reader that still reads this copy finds the counter gone on. */
    atomic_thread_fence(memory_order_release);
    board->snapshots[next % 2] = *snapshot;
    atomic_store_explicit(&board->snapshot_writes, next, memory_order_release);
}

struct snapshot scoreboard_snapshot(const struct scoreboard *board)
{
    struct snapshot copy;
    uint64_t before, after;
    do { /* again only if the keeper went round to this very copy meanwhile */
        before = atomic_load_explicit(&board->snapshot_writes, memory_order_acquire);
        copy = board->snapshots[before % 2];
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&board->snapshot_writes, memory_order_relaxed);
    } while (after != before);
    return copy;
}
