/* custody.h - how the keeper comes by credentials and secrets, and when: the contents of the vault
 * (vault.h). Plain values in the settings win over secrets of Secrets Manager and are published
 * before the first fork, so that without AWS nothing waits for anything.
 *
 * Every thing it looks after has a time when it is due. What fails is tried again with growing
 * pauses and jitter, and what was published stays: an outage of the credentials endpoint or of
 * Secrets Manager changes nothing for as long as the old values are good. */
#ifndef FCGI_POOL_CUSTODY_H
#define FCGI_POOL_CUSTODY_H

#include "common/run/world.h"
#include "fcgi/pool/scoreboard.h"
#include "fcgi/pool/vault.h"
#include "fcgi/settings.h"

/* What must be looked after, each with a time of its own. */
enum custody_item {
    CUSTODY_CREDENTIALS,
    CUSTODY_DATABASE,
    CUSTODY_APP_SECRET,
    CUSTODY_COGNITO,
    CUSTODY_BUCKET, /* not kept, but looked at: the bucket of the images */
    CUSTODY_ITEMS
};
const char *custody_item_name(enum custody_item item);

struct custody_state { /* of one item */
    bool wanted;       /* the settings name it */
    int64_t due_ms;    /* monotonic */
    int64_t looked_ms; /* monotonic: when it was last looked for */
    unsigned failures; /* in a row */
};

struct custody {
    const struct conf *conf;
    const struct world *world;
    struct aws_client client;
    struct arena arena; /* of one look; wiped behind it */
    struct vault_set set;
    struct custody_state items[CUSTODY_ITEMS];
    enum bucket_state bucket;
    char bucket_error[200]; /* why it is not BUCKET_UP */
    bool refused;           /* AWS has refused the credentials since they were last looked for */
    int64_t promote_at_ms;  /* monotonic: when the new application secret begins to sign */
    /* Connects with a login, to see whether the database takes it. A seam for tests. */
    bool (*try_login)(void *ctx, const struct db_target *target, struct err *err);
    void *try_ctx;
};

/* What the settings hold in plain; the rest stays empty. Pure. */
void custody_plain(const struct conf *conf, struct vault_set *ret);

/* `outside` is borrowed by value; `start` is what the vault holds already. Release with
 * custody_done(). Errors: ERR_INTERNAL. */
bool custody_init(const struct conf *conf, const struct world *world, struct http_outside outside,
                  const struct vault_set *start, struct custody *ret, struct err *err) MUST_USE;
void custody_done(struct custody *custody);
/* Whether the settings name anything that needs AWS. */
bool custody_needs_aws(const struct conf *conf);

/* Looks after the one thing that is most overdue; true when `set` changed and must be published.
 * Failures are logged. Takes at most CUSTODY_LOOK_MAX_MS beyond a try of a database login. */
bool custody_look(struct custody *custody);
#define CUSTODY_LOOK_MAX_MS 10000
/* How long there is nothing to do. */
int64_t custody_wait_ms(const struct custody *custody);
/* Workers were refused: what they need (enum vault_need, none or more) is due now, unless it just
 * was. */
void custody_hurry(struct custody *custody, unsigned needs);

/* What is wanted and not known, "database_secret, app_secret" say, into `out`; nothing when all
 * is there. */
void custody_list_missing(const struct custody *custody, struct buf *out);

/* For commands that run once: completes `target` with the user and password of the secret; nothing
 * to do when `arn` is empty or the target has a password. Errors: those of credentials_fetch() and
 * secrets_get(). */
bool custody_complete(const struct conf *conf, const char *arn, const struct world *world,
                      struct db_target *target, struct err *err) MUST_USE;

/* ---- the decisions, pure ---- */

/* The pause behind the n-th failure in a row: 1 s, doubled up to a minute, less up to a half. */
int64_t custody_pause_ms(unsigned failures, uint32_t random_of_1000);

/* Puts the current and (may be empty) previous application secret into the ring. A secret that is
 * new to this task is accepted at once but begins to sign only an interval later, when all tasks
 * have heard of it: a cursor must be good on whichever of them gets it back. True when the ring
 * changed; `*promote_at_ms` says when to look again (0: no need). */
bool custody_turn_ring(struct vault_set *set, struct slice current, struct slice previous,
                       int64_t now_ms, int64_t interval_ms, int64_t *promote_at_ms);

#endif
