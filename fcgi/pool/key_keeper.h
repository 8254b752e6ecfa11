/* key_keeper.h - how the keeper comes by the user pool's keys, and when: ahead of need, at most one
 * fetch at a time for the whole task, and at once (within reason) when a worker meets a key that it
 * does not know. What was published stays while fetches fail; how old it may get is for the workers
 * to judge (token_check.h). */
#ifndef FCGI_POOL_KEY_KEEPER_H
#define FCGI_POOL_KEY_KEEPER_H

#include "common/aws/http.h"
#include "common/run/world.h"
#include "fcgi/pool/key_board.h"
#include "fcgi/pool/scoreboard.h"

#define KEY_URL_MAX 1200

struct key_keeper {
    const struct conf *conf;
    const struct world *world;
    struct http_outside outside;
    struct key_board *board;
    struct arena arena; /* of one fetch */
    char url[KEY_URL_MAX + 1];
    struct key_set set;       /* what is published */
    int64_t due_ms, tried_ms; /* monotonic; when the last attempt ended */
    unsigned failures;        /* in a row */
    bool expired_logged;
    char error[200];
};

/* Whether the settings name a user pool. */
bool key_keeper_is_wanted(const struct conf *conf);

/* Goes on from what stands on the board. Without a user pool it has nothing to do, ever. Release
 * with key_keeper_done(). Errors: ERR_INTERNAL. */
bool key_keeper_init(const struct conf *conf, const struct world *world,
                     struct http_outside outside, struct key_board *board, struct key_keeper *ret,
                     struct err *err) MUST_USE;
void key_keeper_done(struct key_keeper *keeper);

/* Fetches when it is due or asked for, publishes, and logs what is new. Takes at most
 * KEY_FETCH_MAX_MS. */
void key_keeper_look(struct key_keeper *keeper);
#define KEY_FETCH_MAX_MS 2500
/* How long there is nothing to do, unless a worker asks. */
int64_t key_keeper_wait_ms(const struct key_keeper *keeper);
/* Fills in what the snapshot says of keys. */
void key_keeper_describe(const struct key_keeper *keeper, struct snapshot *ret);

#endif
