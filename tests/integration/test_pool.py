"""The life of the pool: workers that die, are replaced, added, taken away, stopped; and what of it
clients see."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from catalogue import SEED, Catalogue
from checks import check_problem
from load import Readers, get_together
from stacks import (
    EX_SOFTWARE,
    EX_USAGE,
    Service,
    is_alive,
    locked,
    wait_for,
    waiting_connections,
)

READS = 20_000
KILL_EVERY_S = 0.5


def kill(pid: int, number: signal.Signals) -> None:
    """For a process that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("at_once", [1, 8])
def test_killed_workers_cost_no_read(catalogue: Catalogue, at_once: int) -> None:
    """One of eight, busy or idle; or every idle one in the same moment, with all the connections
    that nginx keeps to them."""
    rng = random.Random(SEED)
    # A worker that is dead but not yet buried can be killed once more.
    killed: set[int] = set()
    pause = threading.Event()
    with Service(WORKERS="8", **catalogue.stack.settings) as service:
        with Readers(service, catalogue, READS) as readers:
            while readers.running:
                pause.wait(KILL_EVERY_S)
                page = service.status()["workers"]["list"]
                idle = [worker["pid"] for worker in page if worker["state"] == "idle"]
                up = [*service.workers().values()]
                chosen = [rng.choice(up)] if at_once == 1 else rng.sample(idle, len(idle))
                for pid in chosen:
                    kill(pid, signal.SIGKILL)
                killed |= set(chosen)
            readers.join()
            assert readers.wrong == []
            assert readers.count == READS
        kills = len(killed)
        assert kills > 2
        wait_for(lambda: service.status()["restarts"]["crashes"] == kills, "the count of crashes")
        wait_for(lambda: len(service.workers()) == 8, "all workers")
        exits = service.events("worker.exited")
        assert [(event["signal"], event["level"]) for event in exits] == [(9, "ERROR")] * kills


def test_reload_under_load_loses_nothing(catalogue: Catalogue) -> None:
    with Service(WORKERS="4", **catalogue.stack.settings) as service:
        before = service.status()
        old = set(service.workers().values()) | {before["keeper"]["pid"]}
        with Readers(service, catalogue) as readers:
            readers.wait_for_some()
            service.signal(signal.SIGHUP)

            def is_reloaded() -> bool:
                page = service.status()
                workers = page["workers"]
                # One at a time: the others are there all along.
                assert workers["idle"] + workers["busy"] >= 3, page
                assert workers["starting"] + workers["stopping"] <= 1, page
                pids = {worker["pid"] for worker in workers["list"]} | {page["keeper"]["pid"]}
                return page["restarts"]["reloads"] == 5 and not pids & (old | {0})

            wait_for(is_reloaded, "the end of the reload")
            readers.wait_for_some()
        assert readers.wrong == []
        restarts = service.status()["restarts"]
        assert (restarts["crashes"], restarts["kills"], restarts["keeper_crashes"]) == (0, 0, 0)
        # In the log: no worker ends before the one before it has been replaced.
        lines = re.findall(r'"event":"worker\.(started|exited)"', service.log())
        assert lines[:4] == ["started"] * 4
        assert lines[4:] == ["exited", "started"] * 4
        assert all(event["status"] == 0 for event in service.events("worker.exited"))
        wait_for(lambda: not any(map(is_alive, old)), "the old processes' end")


def test_reload_asked_for_again_and_again(catalogue: Catalogue) -> None:
    with Service(WORKERS="2", **catalogue.stack.settings) as service:
        old = set(service.workers().values())
        for number in range(1, 6):
            service.signal(signal.SIGHUP)
            wait_for(lambda n=number: len(service.events("serve.reloading")) == n, "the signal")
        wait_for(lambda: len(set(service.workers().values()) - old) == 2, "new workers")
        with service.client() as client:
            assert client.get("/v1/products?limit=1").status == 200
        assert service.status()["restarts"]["crashes"] == 0


def resize(service: Service, number: signal.Signals, limit: int) -> None:
    """Sends one signal and waits until the pool has that many workers."""
    count = len(service.events("serve.resized"))
    service.signal(number)
    wait_for(lambda: len(service.events("serve.resized")) > count, "serve.resized")
    assert service.events("serve.resized")[-1]["workers"] == limit

    def is_settled() -> bool:
        workers = service.status()["workers"]
        return workers["limit"] == limit == len(workers["list"]) == len(service.workers())

    wait_for(is_settled, f"{limit} workers")


def test_resize_under_load_loses_nothing(catalogue: Catalogue) -> None:
    with (
        Service(WORKERS="2", **catalogue.stack.settings) as service,
        Readers(service, catalogue) as readers,
    ):
        for number, limit in (
            *((signal.SIGTTIN, 3), (signal.SIGTTIN, 4), (signal.SIGTTOU, 3), (signal.SIGTTOU, 2)),
            # One is the least.
            *((signal.SIGTTOU, 1), (signal.SIGTTOU, 1), (signal.SIGTTIN, 2)),
        ):
            readers.wait_for_some()
            resize(service, number, limit)
        readers.wait_for_some()
        assert readers.wrong == []
        assert service.status()["restarts"]["crashes"] == 0


def test_orders_under_load_lose_nothing(catalogue: Catalogue) -> None:
    with (
        Service(WORKERS="2", **catalogue.stack.settings) as service,
        Readers(service, catalogue) as readers,
    ):
        for count in ("6", "1", "3"):
            readers.wait_for_some()
            done = service.run_cbu("workers", count)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.endswith(f" ms: {count} workers\n")
            assert len(service.workers()) == int(count)
        before = set(service.workers().values())
        readers.wait_for_some()
        done = service.run_cbu("reload")
        assert (done.returncode, done.stderr) == (0, "")
        assert not before & set(service.workers().values())
        readers.wait_for_some()
        assert readers.wrong == []
        restarts = service.status()["restarts"]
        assert (restarts["crashes"], restarts["reloads"]) == (0, 4)
        for bad in ("0", "65", "x"):
            assert service.run_cbu("workers", bad).returncode == EX_USAGE
        assert service.status()["workers"]["limit"] == 3


def test_new_program_behind_a_running_nginx(catalogue: Catalogue) -> None:
    """nginx keeps connections to workers that are gone by then; none of them costs a read."""
    target = f"/v1/products/{min(catalogue.products)}"
    with Service(WORKERS="4", **catalogue.stack.settings) as service:
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            assert {answer.status for answer in get_together(service, [target] * 32)} == {200}
            pids = [*service.workers().values()]
            service.signal(number)
            service.wait()
            wait_for(lambda pids=pids: not any(map(is_alive, pids)), "the workers' end")
            service.start_again()
            assert {answer.status for answer in get_together(service, [target] * 32)} == {200}


def test_no_more_than_64_workers(catalogue: Catalogue) -> None:
    with Service(WORKERS="63", **catalogue.stack.settings) as service:
        assert len(service.workers()) == 63
        resize(service, signal.SIGTTIN, 64)
        resize(service, signal.SIGTTIN, 64)
        # The page of the largest pool is whole, and so is what is printed of it.
        done = service.run_cbu("status")
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) > 64


# ---- stopping ----
@pytest.mark.parametrize("keepalive", ["64", "0"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_answers_what_is_running_and_what_waits(
    catalogue: Catalogue, number: signal.Signals, keepalive: str
) -> None:
    target = f"/v1/products/{min(catalogue.products)}"
    nginx = {"NGINX_KEEPALIVE": keepalive}
    with (
        Service(nginx=nginx, WORKERS="2", **catalogue.stack.settings) as service,
        contextlib.ExitStack() as clients,
    ):
        # Both workers have a connection to the database, so nothing else can hold them up.
        get_together(service, [target] * 8)
        with locked(catalogue.sql, "products"):
            running = [clients.enter_context(service.client()) for _ in range(8)]
            for client in running:
                client.send("GET", target)
            # nginx has taken those in before it answers this one.
            with service.client() as other:
                assert other.get("/health/live").status == 200
            wait_for(lambda: service.status()["workers"]["busy"] == 2, "two busy workers")
            service.signal(number)
            wait_for(lambda: service.events("serve.stopping"), "serve.stopping")
            page = service.status()
            assert page["stopping"] is True
            assert service.page("/health/live").status == 200
            assert service.page("/health/ready").status == 503
            assert not (service.folder / "fcgi.sock").exists()
        answers = [client.receive() for client in running]
        assert [answer.status for answer in answers] == [200] * 8
        assert service.wait() == 0
        with service.client() as late:
            check_problem(late.get(target), 503, "unavailable")
        assert service.events("process.killed") == []
        assert service.events("serve.stopped")
        assert list(service.folder.glob("*.sock")) == []


def test_idle_pool_stops_by_itself(catalogue: Catalogue) -> None:
    with Service(WORKERS="8", with_nginx=False, **catalogue.stack.settings) as service:
        pids = [*service.workers().values(), service.status()["keeper"]["pid"]]
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        assert service.events("process.killed") == []
        assert {e["status"] for e in service.events("worker.exited")} == {0}
        assert not any(map(is_alive, pids))


def test_stuck_worker_is_killed_when_its_time_is_over(catalogue: Catalogue) -> None:
    settings = {**catalogue.stack.settings, "STOP_TIMEOUT_S": "1"}
    with Service(WORKERS="2", with_nginx=False, **settings) as service:
        stuck = service.workers()[1]
        keeper = service.status()["keeper"]["pid"]
        os.kill(stuck, signal.SIGSTOP)
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        killed = {event["pid"] for event in service.events("process.killed")}
        assert stuck in killed
        # The other worker has gone by itself; the keeper stays with the last.
        assert killed <= {stuck, keeper}
        assert not is_alive(stuck)


def test_stop_during_a_reload(catalogue: Catalogue) -> None:
    with Service(WORKERS="4", with_nginx=False, **catalogue.stack.settings) as service:
        service.signal(signal.SIGHUP)
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        assert service.events("process.killed") == []


def test_stop_at_once_after_the_start(catalogue: Catalogue) -> None:
    with Service(WORKERS="8", with_nginx=False, **catalogue.stack.settings) as service:
        service.signal(signal.SIGTERM)
        service.signal(signal.SIGTERM)
        assert service.wait() == 0


# ---- workers that do not answer ----
def test_stopped_workers(catalogue: Catalogue) -> None:
    """SIGSTOP to all workers: liveness goes on, requests get a problem in time, and all is well
    again after SIGCONT."""
    with Service(
        nginx={"NGINX_READ_TIMEOUT_S": "2"},
        WORKERS="4",
        FCGI_BACKLOG="4",
        **catalogue.stack.settings,
    ) as service:
        workers = service.workers()
        for pid in workers.values():
            os.kill(pid, signal.SIGSTOP)
        # More than the socket's queue holds: the rest is refused at once.
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(get_together, service, ["/v1/products?limit=1"] * 20)
            while not running.done():
                with service.client() as client:
                    assert client.get("/health/live").json() == {"status": "ok"}
                    assert client.get("/status").status == 200
        answers = running.result()
        codes = [check_problem(answer, answer.status)["code"] for answer in answers]
        assert set(codes) == {"gateway_timeout", "unavailable"}
        for pid in workers.values():
            os.kill(pid, signal.SIGCONT)

        def answers_again() -> bool:
            with service.client() as client:
                return client.get("/v1/products?limit=1").status == 200

        wait_for(answers_again, "an answer")
        assert service.workers() == workers
        assert service.status()["restarts"]["crashes"] == 0


def test_slow_workers_make_others_wait_but_lose_none(catalogue: Catalogue) -> None:
    with Service(WORKERS="2", **catalogue.stack.settings) as service:
        workers = service.workers()
        os.kill(workers[0], signal.SIGSTOP)
        targets = ["/v1/products?limit=1"] * 20
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(get_together, service, targets)
            # The stopped worker may have one of them, which then waits for it.
            wait_for(
                lambda: waiting_connections(service.folder / "fcgi.sock") <= 1, "the other worker"
            )
            os.kill(workers[0], signal.SIGCONT)
            assert [answer.status for answer in running.result()] == [200] * len(targets)


# ---- crashes ----
@pytest.mark.parametrize("keepalive", ["64", "0"])
def test_request_that_kills_its_workers_reaches_three_at_most(
    catalogue: Catalogue, keepalive: str
) -> None:
    """nginx would hand a read to a worker for each connection it keeps, so the workers count."""
    target = f"/v1/products/{min(catalogue.products)}"
    nginx = {"NGINX_KEEPALIVE": keepalive}
    with (
        Service(nginx=nginx, WORKERS="4", **catalogue.stack.settings) as service,
        service.client() as client,
    ):
        # Each worker has answered, and with "64" nginx keeps connections to all of them.
        def all_have_answered() -> bool:
            get_together(service, ["/v1/products?limit=100"] * 8)
            return all(worker["requests"] for worker in service.status()["workers"]["list"])

        wait_for(all_have_answered, "an answer of each worker")

        def busy_worker() -> int:
            """One that has read it: an earlier death is not held against the request."""
            page = service.status()["workers"]["list"]
            busy = [w["pid"] for w in page if w["state"] == "busy" and w["phase"] == "sql"]
            return busy[0] if busy else 0

        with locked(catalogue.sql, "products"):
            client.send("GET", target)
            for _ in range(3):
                pid = wait_for(busy_worker, "the worker that has it")
                kill(pid, signal.SIGKILL)
                wait_for(lambda pid=pid: busy_worker() != pid, "its end")
            check_problem(client.receive(), 503, "unavailable")
        assert service.status()["restarts"]["crashes"] == 3
        refused = service.events("request.refused")
        assert [(e["target"], e["method"], e["deaths"]) for e in refused] == [(target, "GET", 3)]
        assert client.get(target).status == 200


@contextlib.contextmanager
def pool_without_nginx(catalogue: Catalogue, workers: int, **more: str) -> Iterator[Service]:
    settings = {**catalogue.stack.settings, "WORKERS": str(workers), **more}
    with Service(with_nginx=False, **settings) as service:
        yield service


def test_pool_whose_workers_die_before_their_first_answer_gives_up(catalogue: Catalogue) -> None:
    with pool_without_nginx(catalogue, 4) as service:
        keeper = service.status()["keeper"]["pid"]
        seen: set[int] = set()
        while service.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                for pid in set(service.workers().values()) - seen:
                    seen.add(pid)
                    kill(pid, signal.SIGKILL)
        assert service.wait() == EX_SOFTWARE
        [event] = service.events("pool.gave_up")
        assert event["level"] == "ERROR"
        assert not is_alive(keeper)
        assert list(service.folder.glob("*.sock")) == []


def test_pool_whose_workers_cannot_start_gives_up(catalogue: Catalogue) -> None:
    # A sanitizer that looks for leaks at the end needs descriptors of its own.
    options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    with pool_without_nginx(catalogue, 6, ASAN_OPTIONS=options) as service:
        workers = service.workers()
        # No further descriptor for the master and its children to come: no worker can poll.
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (3, 3))
        for pid in workers.values():
            kill(pid, signal.SIGKILL)
        assert service.wait() == EX_SOFTWARE
        causes = {event["cause"] for event in service.events("worker.failed")}
        assert causes and all("open files" in cause for cause in causes)
        assert service.events("pool.gave_up")


def test_pool_whose_workers_answered_does_not_give_up(catalogue: Catalogue) -> None:
    with Service(WORKERS="1", **catalogue.stack.settings) as service:
        for number in range(1, 16):
            with service.client() as client:
                assert client.get("/v1/products?limit=1").status == 200
            [pid] = service.workers().values()

            # The worker counts its answer a moment after the client has it.
            def has_answered() -> bool:
                return bool(service.status()["workers"]["list"][0]["requests"])

            wait_for(has_answered, "the count of requests")
            kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: set(service.workers().values()) - {pid}, "a new worker")
            restarts = service.status()["restarts"]
            assert (restarts["crashes"], restarts["quick_crashes"]) == (number, 0)


def test_pool_that_answers_all_the_while_does_not_give_up(catalogue: Catalogue) -> None:
    """Workers that had nothing to do may die before their first answer, but the pool is well."""
    with Service(WORKERS="3", **catalogue.stack.settings) as service, service.client() as client:

        def idle_workers() -> list[dict[str, Any]]:
            workers: list[dict[str, Any]] = service.status()["workers"]["list"]
            answered = sum(worker["requests"] > 0 for worker in workers)
            idle = [worker for worker in workers if worker["state"] == "idle"]
            return idle if len(idle) == 3 and answered else []

        for crashes in range(1, 100):
            assert client.get("/v1/products?limit=1").status == 200
            workers = wait_for(idle_workers, "three workers, one of which has answered")
            kill(min(workers, key=lambda worker: worker["requests"])["pid"], signal.SIGKILL)
            wait_for(lambda n=crashes: service.status()["restarts"]["crashes"] == n, "its end")
            if service.status()["restarts"]["quick_crashes"] > 12:
                break
        assert service.status()["restarts"]["quick_crashes"] > 12
        assert service.events("pool.gave_up") == []


def test_keeper_is_replaced(catalogue: Catalogue) -> None:
    with pool_without_nginx(catalogue, 1) as service:
        for number in range(1, 4):
            pid = service.status()["keeper"]["pid"]
            kill(pid, signal.SIGKILL)

            def is_replaced(pid: int = pid) -> Any:
                page = service.status()
                return page["keeper"]["pid"] not in (0, pid) and page

            page = wait_for(is_replaced, "a new keeper")
            assert page["restarts"]["keeper_crashes"] == number
            assert page["restarts"]["crashes"] == 0
            assert is_alive(page["keeper"]["pid"])
        # It looks after the database as the one before did.
        wait_for(lambda: service.status()["database"]["checked_ms_ago"] < 5000, "a fresh look")
        service.wait_until_ready()


def test_dead_master_takes_its_processes_with_it(catalogue: Catalogue) -> None:
    with Service(WORKERS="4", **catalogue.stack.settings) as service:
        with service.client() as client:
            assert client.get("/v1/products").status == 200
        pids = [*service.workers().values(), service.status()["keeper"]["pid"]]
        service.signal(signal.SIGKILL)
        service.wait()
        wait_for(lambda: not any(map(is_alive, pids)), "the end of all processes")


def test_dead_master_takes_even_busy_workers_with_it(catalogue: Catalogue) -> None:
    """A worker that always finds a request waiting must notice too, and finish the one it has."""
    with Service(WORKERS="2", **catalogue.stack.settings) as service:
        pids = list(service.workers().values())
        with Readers(service, catalogue) as readers:
            readers.wait_for_some()
            service.signal(signal.SIGKILL)
            wait_for(lambda: not any(map(is_alive, pids)), "the end of the workers")
        # What came later found nobody; what a worker had begun, it finished.
        assert all("unavailable" in wrong for wrong in readers.wrong), readers.wrong[:3]


def test_signals_that_mean_nothing_here(catalogue: Catalogue) -> None:
    """A worker is ended by its master alone; other signals must not cost an answer."""
    with Service(WORKERS="1", **catalogue.stack.settings) as service:
        [pid] = service.workers().values()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE):
            os.kill(pid, number)
        with service.client() as client:
            assert client.get("/v1/products?limit=1").status == 200
        assert service.workers() == {0: pid}
