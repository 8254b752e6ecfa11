/* vault.h - the secrets in force, in shared memory: written by the keeper, read by the workers.
 * Made by the master before the first fork. Readers never wait and never see half a set, even when
 * the keeper dies while writing; a set is consistent in itself. The memory is in no core dump. */
#ifndef FCGI_POOL_VAULT_H
#define FCGI_POOL_VAULT_H

#include "common/auth/mac.h"
#include "common/aws/credentials.h"
#include "fcgi/pool/key_board.h"

#include <signal.h>
#include <stdatomic.h>

#define VAULT_SECRET_MAX 4096

/* Texts are NUL-terminated. */
struct vault_set {
    uint64_t version;       /* counts publications; 0: nothing was published yet */
    uint64_t login_version; /* of the first publication with this login, set by vault_publish() */
    bool login_known;
    char database_user[128], database_password[256];
    size_t app_secret_count; /* [0] is the one that signs */
    char app_secrets[MAC_RING_MAX][VAULT_SECRET_MAX + 1];
    char cognito_client_secret[VAULT_SECRET_MAX + 1];
    struct credentials credentials;
};
void vault_set_wipe(struct vault_set *set);

/* What a worker that was refused may ask the keeper to look for at once. */
enum vault_need {
    VAULT_NEED_LOGIN = 1,  /* the database has refused the password (1045) */
    VAULT_NEED_COGNITO = 2 /* Cognito has refused the SECRET_HASH made with the client's secret */
};

struct vault {
    _Atomic uint64_t writes; /* the newest copy is number `writes % 2` */
    _Atomic unsigned needs;  /* enum vault_need, one or more */
    int wake_fd;             /* eventfd: wakes the keeper */
    struct vault_set sets[2];
    struct key_board keys;
};

/* Mapped memory shared with all children. Errors: ERR_INTERNAL. */
struct vault *vault_open(struct err *err) MUST_USE;

/* By one writer at a time: the master before it forks, then the keeper. */
void vault_publish(struct vault *vault, const struct vault_set *set);
/* The newest set; wipe it with vault_set_wipe(). */
void vault_read(const struct vault *vault, struct vault_set *ret);
/* Cheap enough for every request. */
static inline uint64_t vault_version(const struct vault *vault)
{
    return atomic_load_explicit(&vault->writes, memory_order_acquire);
}
/* Of the newest set. A worker whose login was refused waits for another one with it: other secrets
 * may be published meanwhile. */
uint64_t vault_login_version(const struct vault *vault);

/* Wakes the keeper, which then looks whether anything is due. */
void vault_ring(struct vault *vault);
/* By a worker: the keeper shall look at once. */
void vault_ask(struct vault *vault, enum vault_need need);
/* By the keeper: waits until asked, `ms` are over, or a signal comes; `mask` is blocked meanwhile.
 * Returns what it was asked for since the last call: enum vault_need, none or more. */
unsigned vault_wait(struct vault *vault, int64_t ms, const sigset_t *mask);

#endif
