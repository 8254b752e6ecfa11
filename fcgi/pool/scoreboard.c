#include "fcgi/pool/scoreboard.h"

#include <errno.h>
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
    static const char *const names[] = {"none", "starting", "idle", "busy"};
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
