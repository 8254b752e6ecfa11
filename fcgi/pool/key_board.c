#include "fcgi/pool/key_board.h"

#include <openssl/sha.h>
#include <string.h>

/* ---- the keys ---- */

void key_board_publish(struct key_board *board, const struct jwks *keys, int64_t fetched_ms)
{
    uint64_t next = atomic_load(&board->writes) + 1;
    struct key_set *set = &board->sets[next % 2];
    /* See scoreboard_publish(). */
    atomic_thread_fence(memory_order_release);
    set->keys = *keys;
    set->fetched_ms = fetched_ms;
    set->version = next;
    atomic_store_explicit(&board->writes, next, memory_order_release);
}

void key_board_read(const struct key_board *board, struct key_set *ret)
{
    uint64_t before, after;
    do { /* again only if the keeper went round to this very copy meanwhile */
        before = atomic_load_explicit(&board->writes, memory_order_acquire);
        *ret = board->sets[before % 2];
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&board->writes, memory_order_relaxed);
    } while (after != before);
}

/* ---- asking ---- */

bool key_board_is_asked(const struct key_board *board, uint64_t *ret_asks)
{
    *ret_asks = atomic_load(&board->asks);
    return *ret_asks != atomic_load(&board->answer) / 2;
}

void key_board_answer(struct key_board *board, uint64_t asks, bool failed)
{
    atomic_store(&board->answer, asks * 2 + (failed ? 1 : 0));
}

bool key_board_ask(struct key_board *board, uint64_t *ret_ask, bool *ret_ring)
{
    uint64_t answer = atomic_load(&board->answer);
    if (answer % 2)
        return false;
    *ret_ask = atomic_fetch_add(&board->asks, 1) + 1;
    *ret_ring = *ret_ask - 1 == answer / 2;
    return true;
}

enum key_outcome key_board_outcome(const struct key_board *board, uint64_t ask)
{
    uint64_t answer = atomic_load(&board->answer);
    if (answer / 2 < ask)
        return KEY_PENDING;
    return answer % 2 ? KEY_FETCH_FAILED : KEY_FETCHED;
}

/* ---- marks ---- */

#define MARK_TIME       UINT64_C(0xFFFFFF)
/* A mark never counts for longer; what seems to is an old one that the 24 bits have caught up. */
#define MARK_LIFE_MAX_S 3600

static uint64_t make_mark(uint64_t hash, int64_t now_ms, int64_t life_s)
{
    return (hash & ~MARK_TIME) | ((uint64_t)(now_ms / MS_PER_S + life_s) & MARK_TIME);
}

static bool is_live(uint64_t mark, int64_t now_ms)
{
    uint64_t left_s = ((mark & MARK_TIME) - (uint64_t)(now_ms / MS_PER_S)) & MARK_TIME;
    return mark != 0 && left_s > 0 && left_s <= MARK_LIFE_MAX_S;
}

static bool is_about(uint64_t mark, uint64_t hash)
{
    return (mark & ~MARK_TIME) == (hash & ~MARK_TIME);
}

uint64_t key_board_hash(struct slice kid)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t hash = 0;
    SHA256((const unsigned char *)kid.ptr, kid.len, digest);
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

/* How many workers wait; `*ret_known`: one of them does for `hash`. */
static size_t count_waiting(const struct key_board *board, uint64_t hash, int64_t now_ms,
                            bool *ret_known)
{
    size_t count = 0;
    *ret_known = false;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        uint64_t mark = atomic_load(&board->waiting[i]);
        if (!is_live(mark, now_ms))
            continue;
        *ret_known = *ret_known || is_about(mark, hash);
        count++;
    }
    return count;
}

/* Two who enter at the same moment may both find the last place free: one too many does no harm. */
int key_board_enter(struct key_board *board, uint64_t hash, size_t places, int64_t now_ms,
                    int64_t wait_s)
{
    uint64_t mine = make_mark(hash, now_ms, wait_s + 1);
    bool known, trusted = now_ms >= atomic_load(&board->doubted_until_ms);
    if (count_waiting(board, hash, now_ms, &known) >= places && !(known && trusted))
        return -1;
    for (int i = 0; i < WORKERS_MAX; i++) {
        uint64_t there = atomic_load(&board->waiting[i]);
        if (!is_live(there, now_ms) &&
            atomic_compare_exchange_strong(&board->waiting[i], &there, mine))
            return i;
    }
    return -1;
}

void key_board_leave(struct key_board *board, int place)
{
    if (place >= 0)
        atomic_store(&board->waiting[place], 0);
}

void key_board_punish(struct key_board *board, uint64_t hash, int64_t now_ms, int64_t penalty_s)
{
    atomic_store(&board->penalties[hash >> 56], make_mark(hash, now_ms, penalty_s));
    atomic_store(&board->doubted_until_ms, now_ms + penalty_s * MS_PER_S);
}

bool key_board_is_punished(const struct key_board *board, uint64_t hash, int64_t now_ms)
{
    uint64_t mark = atomic_load(&board->penalties[hash >> 56]);
    return is_about(mark, hash) && is_live(mark, now_ms);
}
