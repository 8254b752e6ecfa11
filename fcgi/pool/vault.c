#include "fcgi/pool/vault.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

void vault_set_wipe(struct vault_set *set)
{
    explicit_bzero(set, sizeof *set);
}

struct vault *vault_open(struct err *err)
{
    struct vault *vault =
        mmap(NULL, sizeof *vault, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (vault == MAP_FAILED) {
        err_fail(err, &ERR_INTERNAL, "vault: %s", strerror(errno));
        return NULL;
    }
    vault->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vault->wake_fd >= 0 && madvise(vault, sizeof *vault, MADV_DONTDUMP) == 0)
        return vault;
    err_fail(err, &ERR_INTERNAL, "vault: %s", strerror(errno));
    munmap(vault, sizeof *vault);
    return NULL;
}

static bool has_login_of(const struct vault_set *set, const struct vault_set *other)
{
    return set->login_known == other->login_known &&
           strcmp(set->database_user, other->database_user) == 0 &&
           strcmp(set->database_password, other->database_password) == 0;
}

void vault_publish(struct vault *vault, const struct vault_set *set)
{
    uint64_t next = atomic_load(&vault->writes) + 1;
    const struct vault_set *newest = &vault->sets[(next - 1) % 2];
    struct vault_set *copy = &vault->sets[next % 2];
    /* The copy is written after the counter of the publication before was, also on processors that
     * reorder writes: a reader that still reads this copy finds the counter gone on. */
    atomic_thread_fence(memory_order_release);
    *copy = *set;
    copy->version = next;
    copy->login_version = has_login_of(copy, newest) ? newest->login_version : next;
    atomic_store_explicit(&vault->writes, next, memory_order_release);
}

/* Whether what was read from copy `writes % 2` is whole. It is not only if the keeper went round to
 * this very copy meanwhile. */
static bool end_read(const struct vault *vault, uint64_t writes)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&vault->writes, memory_order_relaxed) == writes;
}

void vault_read(const struct vault *vault, struct vault_set *ret)
{
    uint64_t writes;
    do {
        writes = vault_version(vault);
        *ret = vault->sets[writes % 2];
    } while (!end_read(vault, writes));
}

uint64_t vault_login_version(const struct vault *vault)
{
    uint64_t writes, version;
    do {
        writes = vault_version(vault);
        version = vault->sets[writes % 2].login_version;
    } while (!end_read(vault, writes));
    return version;
}

void vault_ring(struct vault *vault)
{
    const uint64_t one = 1;
    /* Fails only when it was rung 2^64 times without an answer. */
    (void)!write(vault->wake_fd, &one, sizeof one);
}

void vault_ask(struct vault *vault, enum vault_need need)
{
    atomic_fetch_or(&vault->needs, need);
    vault_ring(vault);
}

unsigned vault_wait(struct vault *vault, int64_t ms, const sigset_t *mask)
{
    struct pollfd bell = {.fd = vault->wake_fd, .events = POLLIN};
    uint64_t rings;
    const struct timespec wait = {ms / MS_PER_S, ms % MS_PER_S * 1000000};
    if (ppoll(&bell, 1, &wait, mask) > 0)
        (void)!read(vault->wake_fd, &rings, sizeof rings);
    return atomic_exchange(&vault->needs, 0);
}
