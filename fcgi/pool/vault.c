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

void vault_publish(struct vault *vault, const struct vault_set *set)
{
    uint64_t next = atomic_load(&vault->writes) + 1;
    vault->sets[next % 2] = *set;
    vault->sets[next % 2].version = next;
    atomic_store_explicit(&vault->writes, next, memory_order_release);
}

void vault_read(const struct vault *vault, struct vault_set *ret)
{
    uint64_t before, after;
    do { /* again only if the keeper went round to this very copy meanwhile */
        before = atomic_load_explicit(&vault->writes, memory_order_acquire);
        *ret = vault->sets[before % 2];
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&vault->writes, memory_order_relaxed);
    } while (after != before);
}

void vault_ring(struct vault *vault)
{
    const uint64_t one = 1;
    /* Fails only when it was rung 2^64 times without an answer. */
    (void)!write(vault->wake_fd, &one, sizeof one);
}

void vault_ask_login(struct vault *vault)
{
    atomic_store(&vault->login_asked, true);
    vault_ring(vault);
}

bool vault_wait(struct vault *vault, int64_t ms, const sigset_t *mask)
{
    struct pollfd bell = {.fd = vault->wake_fd, .events = POLLIN};
    uint64_t rings;
    const struct timespec wait = {ms / MS_PER_S, ms % MS_PER_S * 1000000};
    if (ppoll(&bell, 1, &wait, mask) > 0)
        (void)!read(vault->wake_fd, &rings, sizeof rings);
    return atomic_exchange(&vault->login_asked, false);
}
