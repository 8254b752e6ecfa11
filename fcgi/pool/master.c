#include "fcgi/pool/master.h"

#include "common/run/log.h"
#include "fcgi/pool/custody.h"
#include "fcgi/pool/keeper.h"
#include "fcgi/pool/key_keeper.h"
#include "fcgi/pool/listener.h"
#include "fcgi/pool/memory.h"
#include "fcgi/pool/metrics.h"
#include "fcgi/pool/pool.h"
#include "fcgi/pool/queue.h"
#include "fcgi/pool/scoreboard.h"
#include "fcgi/pool/status_server.h"
#include "fcgi/pool/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

/* How often the master looks at the workers (stuck, worn) and at the queue. */
#define LOOK_EVERY_MS 1000

struct master {
    const struct conf *conf;
    const struct world *world;
    struct pool pool;
    struct scoreboard *board;
    struct vault *vault;
    struct listener listener;
    struct handover handover;
    struct status_server *status;
    int signal_fd;
    pid_t pid;
    /* 0: no process. Who is signalled stands here, out of reach of the workers; the scoreboard only
     * shows a copy. */
    pid_t pids[POOL_SLOTS];
    int64_t answers_retired;      /* by workers that are gone */
    int64_t answers_seen;         /* by all, at the last exit */
    int64_t look_at_ms;           /* when the workers and the queue are looked at next */
    int64_t worn_at[WORKERS_MAX]; /* requests after which the worker is replaced; 0: never */
    struct queue_probe queue;
    struct pool_readings readings;
    struct status_source source;
    struct metrics_since metrics_since;
    int64_t metrics_at_ms; /* when the next line of metrics is due */
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
 * looked after, a look for one may come between and another within it (when the keeper's own login
 * is refused), and a try of a new login; a fetch of keys as well. */
static int64_t stale_ms(const struct conf *conf)
{
    int64_t database_ms =
        (conf->database_connect_timeout_s + 2 * conf->database_io_timeout_s) * MS_PER_S;
    return 3 * conf->keeper_interval_ms + database_ms +
           (custody_needs_aws(conf) ? INT64_C(2) * CUSTODY_LOOK_MAX_MS + database_ms : 0) +
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

/* Each connection of nginx is a descriptor here, and the kernel counts those on their way from one
 * worker to another by the same limit. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* What the workers go by. */
static void publish_target(struct master *m)
{
    int target = (int)m->pool.target;
    atomic_store(&m->board->wanted, target);
    if (atomic_load(&m->board->slots) < target)
        atomic_store(&m->board->slots, target);
}

static void reload(void *ctx)
{
    struct master *m = ctx;
    log_info("serve.reloading");
    pool_on_reload(&m->pool);
}

static void resize(void *ctx, int64_t workers)
{
    struct master *m = ctx;
    pool_on_resize(&m->pool, workers);
    publish_target(m);
    log_info("serve.resized", KV_I64("workers", m->pool.target));
}

static bool open_master(struct master *m, struct err *err)
{
    raise_descriptor_limit();
    pool_init(&m->pool, (size_t)m->conf->workers, m->conf->stop_timeout_s * MS_PER_S);
    m->board = scoreboard_open(err);
    if (m->board)
        publish_target(m);
    m->vault = m->board ? open_vault(m->conf, err) : NULL;
    if (!m->vault || !open_signals(m, err) ||
        !listener_open(m->conf->fcgi_socket, (int)m->conf->fcgi_backlog, &m->listener, err))
        return false;
    m->source = (struct status_source){.pool = &m->pool,
                                       .board = m->board,
                                       .readings = &m->readings,
                                       .conf = m->conf,
                                       .pid = m->pid,
                                       .started_ms = now_ms(m),
                                       .stale_ms = stale_ms(m->conf),
                                       .control = {reload, resize, m}};
    m->status = status_server_open(m->conf->status_socket, &m->source, err);
    if (m->status && handover_open(&m->handover, err)) {
        queue_open(m->listener.fd, &m->queue);
        return true;
    }
    status_server_close(m->status);
    listener_close(&m->listener);
    return false;
}

/* 90 to 110 % of the setting, so that workers which began together do not end together. */
static int64_t choose_worn_at(const struct master *m)
{
    int64_t limit = m->conf->worker_max_requests;
    return limit - limit / 10 + world_random_below(m->world, (uint32_t)(limit / 5 + 1));
}

/* In the child: what is the master's alone goes, and its death is ours too, so that nobody serves a
 * socket without a master. */
static int run_child(struct master *m, size_t slot)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != m->pid)
        return EX_SOFTWARE;
    close(m->signal_fd);
    queue_close(&m->queue);
    status_server_forget(m->status);
    if (slot == POOL_KEEPER) {
        close(m->listener.fd);
        handover_close(&m->handover);
        return keeper_run(m->conf, m->world, m->board, m->vault);
    }
    const struct worker_setting setting = {.conf = m->conf,
                                           .world = m->world,
                                           .listen_fd = m->listener.fd,
                                           .handover = &m->handover,
                                           .board = m->board,
                                           .slot = slot,
                                           .vault = m->vault};
    return worker_run(&setting);
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
    if (slot != POOL_KEEPER) {
        worker_slot_reset(&m->board->workers[slot], now_ms(m));
        m->worn_at[slot] = choose_worn_at(m);
    }
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

static int64_t answers_of(const struct worker_slot *slot)
{
    return atomic_load(&slot->numbers.counters[COUNT_REQUESTS]);
}

/* Tells the pool whether anything was answered since the last exit. The worker in `slot` is gone.
 */
static void count_answers(struct master *m, size_t slot)
{
    int64_t answers = m->answers_retired;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (m->pool.slots[i].state != POOL_SLOT_EMPTY)
            answers += answers_of(&m->board->workers[i]);
    if (answers > m->answers_seen)
        pool_on_answer(&m->pool);
    m->answers_seen = answers;
    if (slot != POOL_KEEPER)
        m->answers_retired += answers_of(&m->board->workers[slot]);
}

/* What a worker was doing that ended in the midst of it. */
static void log_lost_request(const struct worker_slot *slot, size_t number, int64_t age_ms)
{
    char storage[40];
    struct buf id = BUF(storage);
    const struct route *route = status_route(slot);
    worker_slot_request_id(slot, &id);
    log_set_request(buf_slice(&id), (struct slice){0});
    log_error("request.lost", KV_I64("slot", number), KV_I64("pid", atomic_load(&slot->pid)),
              KV_STR("method", route ? http_method_name(route->method) : ""),
              KV_STR("route", route ? route->path : ""),
              KV_STR("phase", trace_phase_name(atomic_load(&slot->trace.phase))),
              KV_I64("age_ms", age_ms));
    log_set_request((struct slice){0}, (struct slice){0});
}

/* The worker of the slot is gone: what it left on the scoreboard is taken off. */
static void retire_slot(struct master *m, size_t number, struct worker_slot *slot)
{
    enum worker_state state = worker_slot_state(slot);
    if (state == WORKER_BUSY || state == WORKER_CONDEMNED)
        log_lost_request(slot, number, now_ms(m) - atomic_load(&slot->trace.begun_ms));
    scoreboard_bury(m->board, slot);
    numbers_add(&m->readings.retired, &slot->numbers);
    worker_slot_reset(slot, now_ms(m));
}

static void on_exit_of(struct master *m, pid_t pid, int status)
{
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        if (m->pids[i] != pid)
            continue;
        bool gave_up_before = m->pool.gave_up;
        struct worker_slot *worker = i == POOL_KEEPER ? NULL : &m->board->workers[i];
        log_exit(pid, i, status, pool_is_asked(&m->pool, i),
                 now_ms(m) - m->pool.slots[i].started_at_ms);
        set_pid(m, i, 0);
        count_answers(m, i);
        pool_on_exit(&m->pool, i, worker && answers_of(worker) > 0, now_ms(m));
        if (worker)
            retire_slot(m, i, worker);
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
        reload(m);
        break;
    case SIGTTIN:
    case SIGTTOU:
        resize(m, (int64_t)m->pool.target + (signal_number == SIGTTIN ? 1 : -1));
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
            worker_slot_state(&m->board->workers[i]) != WORKER_STARTING)
            pool_on_ready(&m->pool, i);
}

/* Most memory of a sanitizer build is the sanitizer's. */
#ifdef __SANITIZE_ADDRESS__
#define MEMORY_COUNTS false
#else
#define MEMORY_COUNTS true
#endif

static void look_at_worker(struct master *m, size_t i)
{
    struct worker_slot *slot = &m->board->workers[i];
    const struct conf *conf = m->conf;
    int64_t requests = answers_of(slot), memory_mib = 0;
    if (worker_slot_condemn(slot, now_ms(m) - conf->request_timeout_ms)) {
        pool_on_stuck(&m->pool, i);
        return;
    }
    if (m->pool.slots[i].state != POOL_SLOT_RUNNING || m->pool.slots[i].recycle)
        return;
    bool worn = conf->worker_max_requests > 0 && requests >= m->worn_at[i];
    if (!worn) {
        memory_mib = memory_own_mib(m->pids[i]);
        worn = MEMORY_COUNTS && memory_mib >= conf->worker_max_memory_mb;
    }
    if (!worn)
        return;
    log_info("worker.worn", KV_I64("slot", i), KV_I64("pid", m->pids[i]),
             KV_I64("requests", requests), KV_I64("memory_mb", memory_mib));
    pool_on_worn(&m->pool, i);
}

static void read_queue(struct master *m)
{
    m->readings.queue = queue_read(&m->queue);
    m->readings.handed = handover_count(&m->handover);
    atomic_store(&m->board->queued, m->readings.queue.waiting);
}

/* Once a second: every worker, and the queue. */
static void look_around(struct master *m)
{
    bool all_busy = true;
    if (now_ms(m) < m->look_at_ms)
        return;
    m->look_at_ms = now_ms(m) + LOOK_EVERY_MS;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (m->pids[i] <= 0)
            continue;
        all_busy = all_busy && worker_slot_state(&m->board->workers[i]) != WORKER_IDLE;
        look_at_worker(m, i);
    }
    m->readings.looks++;
    m->readings.saturated += all_busy && m->readings.queue.waiting + m->readings.handed > 0;
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
    int64_t look_ms = m->look_at_ms - now_ms(m);
    wait_ms = sooner(wait_ms, look_ms > 0 ? look_ms : 0);
    /* A failed poll (EINTR) is an early wake-up: the loop looks at everything anyway. */
    (void)poll(fds, count, (int)wait_ms);
}

static void log_metrics(struct master *m)
{
    char storage[LOG_LINE_MAX - 256];
    struct buf members = BUF(storage);
    int64_t interval_ms = m->conf->metrics_interval_s * MS_PER_S;
    if (interval_ms == 0 || now_ms(m) < m->metrics_at_ms)
        return;
    m->metrics_at_ms = now_ms(m) + interval_ms;
    metrics_write_embedded(&m->source, world_now_ms(m->world), &m->metrics_since, &members);
    log_members("pool.metrics", buf_slice(&members));
}

static void run_loop(struct master *m)
{
    bool door_open = true;
    m->metrics_at_ms = now_ms(m) + m->conf->metrics_interval_s * MS_PER_S;
    while (act(m)) {
        log_when_ready(m);
        wait_for_events(m);
        read_signals(m);
        watch_starting(m);
        read_queue(m);
        look_around(m);
        log_metrics(m);
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
    handover_close(&m.handover);
    queue_close(&m.queue);
    log_info("serve.stopped", KV_I64("gave_up", m.pool.gave_up));
    return m.pool.gave_up ? EX_SOFTWARE : EX_OK;
}
