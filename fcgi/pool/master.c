#include "fcgi/pool/master.h"

#include "common/run/log.h"
#include "fcgi/pool/custody.h"
#include "fcgi/pool/keeper.h"
#include "fcgi/pool/key_keeper.h"
#include "fcgi/pool/listener.h"
#include "fcgi/pool/pool.h"
#include "fcgi/pool/scoreboard.h"
#include "fcgi/pool/status_server.h"
#include "fcgi/pool/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

struct master {
    const struct conf *conf;
    const struct world *world;
    struct pool pool;
    struct scoreboard *board;
    struct vault *vault;
    struct listener listener;
    struct status_server *status;
    int signal_fd;
    pid_t pid;
    /* 0: no process. Who is signalled stands here, out of reach of the workers; the scoreboard only
     * shows a copy. */
    pid_t pids[POOL_SLOTS];
    int64_t answers_retired; /* by workers that are gone */
    int64_t answers_seen;    /* by all, at the last exit */
    bool ready_logged;
};

static int64_t now_ms(const struct master *m)
{
    return world_monotonic_ms(m->world);
}

static void set_pid(struct master *m, size_t slot, pid_t pid)
{
    m->pids[slot] = pid;
    atomic_store(slot == POOL_KEEPER ? &m->board->keeper_pid : &m->board->workers[slot].pid, pid);
}

/* Signals stay blocked in the master and arrive through the descriptor; children inherit the block
 * and choose for themselves. */
static bool open_signals(struct master *m, struct err *err)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(wanted); i++)
        sigaddset(&set, wanted[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    m->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return m->signal_fd >= 0 || err_fail(err, &ERR_INTERNAL, "signalfd: %s", strerror(errno));
}

/* A look that takes as long as a database can make it, and two that were missed. Where secrets are
 * looked after, a look for one may come between, and a try of a new login; a fetch of keys as well.
 */
static int64_t stale_ms(const struct conf *conf)
{
    int64_t database_ms =
        (conf->database_connect_timeout_s + 2 * conf->database_io_timeout_s) * MS_PER_S;
    return 3 * conf->keeper_interval_ms + database_ms +
           (custody_needs_aws(conf) ? CUSTODY_LOOK_MAX_MS + database_ms : 0) +
           (key_keeper_is_wanted(conf) ? KEY_FETCH_MAX_MS : 0);
}

/* The plain values are there before the first worker. */
static struct vault *open_vault(const struct conf *conf, struct err *err)
{
    CLEANUP(vault_set_wipe) struct vault_set set;
    struct vault *vault = vault_open(err);
    custody_plain(conf, &set);
    if (vault)
        vault_publish(vault, &set);
    return vault;
}

static bool open_master(struct master *m, struct err *err)
{
    pool_init(&m->pool, (size_t)m->conf->workers, m->conf->stop_timeout_s * MS_PER_S);
    m->board = scoreboard_open(err);
    m->vault = m->board ? open_vault(m->conf, err) : NULL;
    if (!m->vault || !open_signals(m, err) ||
        !listener_open(m->conf->fcgi_socket, (int)m->conf->fcgi_backlog, &m->listener, err))
        return false;
    const struct status_source source = {&m->pool, m->board, m->pid, now_ms(m), stale_ms(m->conf)};
    m->status = status_server_open(m->conf->status_socket, &source, err);
    if (!m->status)
        listener_close(&m->listener);
    return m->status != NULL;
}

static void reset_slot(struct worker_slot *slot, int64_t started_ms)
{
    atomic_store(&slot->state, WORKER_STARTING);
    atomic_store(&slot->started_ms, started_ms);
    atomic_store(&slot->state_since_ms, started_ms);
    atomic_store(&slot->requests, 0);
    atomic_store(&slot->server_errors, 0);
    atomic_store(&slot->database_connects, 0);
}

/* In the child: what is the master's alone goes, and its death is ours too, so that nobody serves a
 * socket without a master. */
static int run_child(struct master *m, size_t slot)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != m->pid)
        return EX_SOFTWARE;
    close(m->signal_fd);
    status_server_forget(m->status);
    if (slot == POOL_KEEPER) {
        close(m->listener.fd);
        return keeper_run(m->conf, m->world, m->board, m->vault);
    }
    return worker_run(m->conf, m->world, m->listener.fd, &m->board->workers[slot], m->vault);
}

/* Children leave by _exit(), past the place where LeakSanitizer looks; so it is asked here. */
static _Noreturn void leave_child(int status)
{
#ifdef __SANITIZE_ADDRESS__
    __lsan_do_leak_check();
#endif
    _exit(status);
}

static void start_process(struct master *m, size_t slot)
{
    /* Before the fork: the child may be faster than we are. */
    if (slot != POOL_KEEPER)
        reset_slot(&m->board->workers[slot], now_ms(m));
    pid_t pid = fork();
    if (pid == 0)
        leave_child(run_child(m, slot));
    if (pid < 0) {
        log_error("fork.failed", KV_STR("cause", strerror(errno)));
        pool_on_start_failed(&m->pool, slot, now_ms(m));
        return;
    }
    set_pid(m, slot, pid);
    pool_on_started(&m->pool, slot, now_ms(m));
    if (slot == POOL_KEEPER) /* nobody waits for its first look */
        pool_on_ready(&m->pool, slot);
}

static void signal_process(struct master *m, size_t slot, int signal_number)
{
    pid_t pid = m->pids[slot];
    if (pid > 0)
        kill(pid, signal_number);
    if (signal_number == SIGKILL && slot != POOL_KEEPER)
        log_warn("process.killed", KV_I64("pid", pid), KV_I64("slot", slot));
}

/* Does what the pool wants until it wants nothing. Returns false when all has ended. */
static bool act(struct master *m)
{
    for (;;) {
        struct pool_action action = pool_next(&m->pool, now_ms(m));
        switch (action.kind) {
        case POOL_START:
            start_process(m, action.slot);
            break;
        case POOL_END:
            signal_process(m, action.slot, SIGTERM);
            break;
        case POOL_KILL:
            signal_process(m, action.slot, SIGKILL);
            break;
        case POOL_WAIT:
            return true;
        case POOL_FINISHED:
            return false;
        }
    }
}

static void log_exit(pid_t pid, size_t slot, int status, bool asked, int64_t uptime_ms)
{
    bool clean = asked || (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK);
    LOG_EVENT(clean ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
              slot == POOL_KEEPER ? "keeper.exited" : "worker.exited", KV_I64("pid", pid),
              KV_I64("slot", slot), KV_I64("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
              KV_I64("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
              KV_I64("uptime_ms", uptime_ms));
}

/* Tells the pool whether anything was answered since the last exit. The worker in `slot` is gone.
 */
static void count_answers(struct master *m, size_t slot)
{
    int64_t answers = m->answers_retired;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (m->pool.slots[i].state != POOL_SLOT_EMPTY)
            answers += atomic_load(&m->board->workers[i].requests);
    if (answers > m->answers_seen)
        pool_on_answer(&m->pool);
    m->answers_seen = answers;
    if (slot != POOL_KEEPER)
        m->answers_retired += atomic_load(&m->board->workers[slot].requests);
}

static void on_exit_of(struct master *m, pid_t pid, int status)
{
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        if (m->pids[i] != pid)
            continue;
        bool gave_up_before = m->pool.gave_up;
        const struct worker_slot *worker = i == POOL_KEEPER ? NULL : &m->board->workers[i];
        log_exit(pid, i, status, pool_is_asked(&m->pool, i),
                 now_ms(m) - m->pool.slots[i].started_at_ms);
        set_pid(m, i, 0);
        count_answers(m, i);
        pool_on_exit(&m->pool, i, worker && atomic_load(&worker->requests) > 0, now_ms(m));
        if (m->pool.gave_up && !gave_up_before)
            log_error("pool.gave_up", KV_I64("quick_crashes", m->pool.counts.quick_crashes));
        return;
    }
}

static void reap(struct master *m)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        on_exit_of(m, pid, status);
}

/* Nothing new comes in; what is in the queue is still served. The status socket stays, so that
 * /health/live answers until the end. */
static void close_door(struct master *m)
{
    log_info("serve.stopping");
    listener_shut(&m->listener);
}

static void on_signal(struct master *m, int signal_number)
{
    switch (signal_number) {
    case SIGTERM:
    case SIGINT:
        pool_on_stop(&m->pool, now_ms(m));
        break;
    case SIGHUP:
        log_info("serve.reloading");
        pool_on_reload(&m->pool);
        break;
    case SIGTTIN:
    case SIGTTOU:
        pool_on_resize(&m->pool, signal_number == SIGTTIN ? 1 : -1);
        log_info("serve.resized", KV_I64("workers", m->pool.target));
        break;
    default: /* SIGCHLD */
        reap(m);
    }
}

static void read_signals(struct master *m)
{
    struct signalfd_siginfo info;
    while (read(m->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        on_signal(m, (int)info.ssi_signo);
}

/* Tells the pool which workers came up. */
static void watch_starting(struct master *m)
{
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (m->pool.slots[i].state == POOL_SLOT_STARTING &&
            atomic_load(&m->board->workers[i].state) != WORKER_STARTING)
            pool_on_ready(&m->pool, i);
}

static void log_when_ready(struct master *m)
{
    if (m->ready_logged || !pool_is_complete(&m->pool))
        return;
    m->ready_logged = true;
    log_info("serve.ready", KV_I64("workers", m->pool.target),
             KV_STR("fcgi_socket", m->conf->fcgi_socket),
             KV_STR("status_socket", m->conf->status_socket));
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static void wait_for_events(struct master *m)
{
    struct pollfd fds[1 + STATUS_POLL_MAX] = {{.fd = m->signal_fd, .events = POLLIN}};
    size_t count = 1 + status_server_poll(m->status, fds + 1);
    int64_t wait_ms =
        sooner(pool_wait_ms(&m->pool, now_ms(m)), status_server_wait_ms(m->status, now_ms(m)));
    /* A failed poll (EINTR) is an early wake-up: the loop looks at everything anyway. */
    (void)poll(fds, count, (int)wait_ms);
}

static void run_loop(struct master *m)
{
    bool door_open = true;
    while (act(m)) {
        log_when_ready(m);
        wait_for_events(m);
        read_signals(m);
        watch_starting(m);
        status_server_run(m->status, now_ms(m));
        if (m->pool.stopping && door_open) {
            door_open = false;
            close_door(m);
        }
    }
}

int master_run(const struct conf *conf, const struct world *world)
{
    struct master m = {.conf = conf, .world = world, .pid = getpid()};
    struct err err = {0};
    if (!open_master(&m, &err)) {
        log_error("serve.failed", KV_STR("cause", err.cause));
        return err.kind == &ERR_SETTINGS_INVALID ? EX_CONFIG : EX_OSERR;
    }
    log_info("serve.started", KV_STR("version", CBU_VERSION), KV_I64("pid", m.pid),
             KV_I64("workers", conf->workers));
    if (geteuid() == 0)
        log_warn("serve.root", KV_STR("advice", "run as an ordinary user; root is not needed"));
    run_loop(&m);
    status_server_close(m.status);
    listener_close(&m.listener);
    log_info("serve.stopped", KV_I64("gave_up", m.pool.gave_up));
    return m.pool.gave_up ? EX_SOFTWARE : EX_OK;
}
