/* key_board.h - the user pool's public keys in shared memory: published by the keeper, taken over
 * by the workers, who also ask here for a key that is not there yet. It lies in the vault's memory
 * (vault.h), though nothing in it is secret. Readers never wait, never see half a set, and lose
 * nothing when whoever was writing dies. */
#ifndef FCGI_POOL_KEY_BOARD_H
#define FCGI_POOL_KEY_BOARD_H

#include "common/auth/jwks.h"
#include "fcgi/settings.h"

#include <stdatomic.h>

struct key_set {
    uint64_t version;   /* counts publications; 0: nothing was published yet */
    int64_t fetched_ms; /* monotonic: when the fetch that brought it began */
    struct jwks keys;
};

#define KEY_PENALTIES 256

struct key_board {
    _Atomic uint64_t writes; /* the newest copy is number `writes % 2` */
    struct key_set sets[2];
    _Atomic uint64_t asks;   /* how often a worker has asked for a fetch */
    _Atomic uint64_t answer; /* the `asks` that the last attempt answers, twice; odd: it failed */
    /* Marks: 40 bits of a kid's hash, and 24 of the monotonic second until which the mark counts.
     * Each is one word, so that no writer can leave half of one; 0 is none. */
    _Atomic uint64_t waiting[WORKERS_MAX];     /* kids that workers wait for at this moment */
    _Atomic uint64_t penalties[KEY_PENALTIES]; /* kids that a fetch has just not brought */
    _Atomic int64_t doubted_until_ms;          /* monotonic: as long as any of these counts */
};

/* ---- the keeper ---- */

/* Only by the keeper: one writer at a time. */
void key_board_publish(struct key_board *board, const struct jwks *keys, int64_t fetched_ms);
/* Whether somebody waits for a fetch; to be handed to key_board_answer() when one that began after
 * this has ended, and what it brought is published. */
bool key_board_is_asked(const struct key_board *board, uint64_t *ret_asks);
void key_board_answer(struct key_board *board, uint64_t asks, bool failed);

/* ---- the workers ---- */

/* Cheap enough for every request. */
static inline uint64_t key_board_version(const struct key_board *board)
{
    return atomic_load_explicit(&board->writes, memory_order_acquire);
}
void key_board_read(const struct key_board *board, struct key_set *ret);

/* What a mark is about. Two kids of one hash are one to the marks. */
uint64_t key_board_hash(struct slice kid);

/* Asks for a fetch, unless the last one failed: the keeper is trying again then anyway. True when
 * `*ret_ask` is to be looked for with key_board_outcome(); `*ret_ring` says that nobody has woken
 * the keeper yet. */
bool key_board_ask(struct key_board *board, uint64_t *ret_ask, bool *ret_ring) MUST_USE;
enum key_outcome { KEY_PENDING, KEY_FETCHED, KEY_FETCH_FAILED };
enum key_outcome key_board_outcome(const struct key_board *board, uint64_t ask);

/* Takes a place among those who wait, until key_board_leave(). Kids that nobody has heard of must
 * not stop all workers, so at most `places` of them wait at a time. Only while no kid is punished,
 * which is as it is when a pool rotates its keys, a kid that somebody waits for already may be
 * waited for by all. -1: no place. A worker that dies leaves its place to whoever comes after
 * `wait_s`. */
int key_board_enter(struct key_board *board, uint64_t hash, size_t places, int64_t now_ms,
                    int64_t wait_s) MUST_USE;
void key_board_leave(struct key_board *board, int place);

/* A fetch did not bring this kid: nobody shall ask for it again for `penalty_s`. */
void key_board_punish(struct key_board *board, uint64_t hash, int64_t now_ms, int64_t penalty_s);
bool key_board_is_punished(const struct key_board *board, uint64_t hash, int64_t now_ms);

#endif
