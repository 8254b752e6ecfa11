"""What has waited too long, takes too long, or has nobody waiting for it any more; and what the
service tells about its requests while it is so."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from catalogue import Catalogue
from checks import check_problem
from load import Readers, get_together
from nginx_server import Answer
from stacks import Client, Service, SlowProxy, locked, wait_for

ID_DIGITS = 32


def busy_workers(service: Service) -> list[dict[str, Any]]:
    workers: list[dict[str, Any]] = service.status()["workers"]["list"]
    return [worker for worker in workers if worker["state"] == "busy"]


def connect_to_database(service: Service, target: str, workers: int) -> None:
    """Until each worker has its connection to the database, so that only statements follow."""

    def are_connected() -> bool:
        get_together(service, [target] * 4 * workers)
        return bool(service.status()["database"]["connections"] == workers)

    wait_for(are_connected, "a connection of each worker")


@contextlib.contextmanager
def quiet(catalogue: Catalogue) -> Iterator[None]:
    """The shared stack's keeper, which looks at the same server every now and then, is held."""
    keeper = catalogue.stack.status()["keeper"]["pid"]
    os.kill(keeper, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(keeper, signal.SIGCONT)


def selects(catalogue: Catalogue) -> int:
    return catalogue.sql.status("Com_select")["Com_select"]


@contextlib.contextmanager
def full_pool(
    catalogue: Catalogue, waiting: int, keepalive: str, **settings: str
) -> Iterator[tuple[Service, list[Client], Callable[[], int]]]:
    """A service of two workers, both held up within a statement, and so many requests behind them;
    and how many SELECTs the server has seen since the first of them. The keeper says nothing to the
    database meanwhile."""
    target = f"/v1/products/{min(catalogue.products)}"
    base = {**catalogue.stack.settings, "WORKERS": "2", "KEEPER_INTERVAL_MS": "60000"}
    nginx = {"NGINX_KEEPALIVE": keepalive}
    with (
        Service(nginx=nginx, **{**base, **settings}) as service,
        contextlib.ExitStack() as stack,
    ):
        service.wait_until_ready()  # after the keeper's look
        connect_to_database(service, target, 2)
        stack.enter_context(quiet(catalogue))
        before = selects(catalogue)
        clients = [stack.enter_context(service.client()) for _ in range(2 + waiting)]
        with locked(catalogue.sql, "products"):
            for number, client in enumerate(clients):
                client.send("GET", target)
                if number < 2:
                    wait_for(lambda n=number: len(busy_workers(service)) == n + 1, "a busy worker")
            # nginx has taken those in before it answers this one.
            with service.client() as other:
                assert other.get("/health/live").status == 200
            yield service, clients, lambda: selects(catalogue) - before


@pytest.mark.parametrize("keepalive", ["64", "0"])
def test_nothing_is_done_for_departed_clients(catalogue: Catalogue, keepalive: str) -> None:
    with full_pool(catalogue, 30, keepalive, QUEUE_TIMEOUT_MS="60000") as (service, clients, done):
        for client in clients[2:]:
            client.close()
        # nginx notices before it answers this one.
        with service.client() as other:
            assert other.get("/health/live").status == 200
        catalogue.sql.run("UNLOCK TABLES")
        assert [client.receive().status for client in clients[:2]] == [200] * 2
        wait_for(lambda: service.status()["totals"]["departed"] == 30, "30 departed")
        assert done() == 2


@pytest.mark.parametrize("keepalive", ["64", "0"])
def test_late_requests_are_refused_before_any_statement(
    catalogue: Catalogue, keepalive: str
) -> None:
    with full_pool(catalogue, 10, keepalive, QUEUE_TIMEOUT_MS="300") as (service, clients, done):
        begun = time.monotonic()
        wait_for(lambda: time.monotonic() - begun > 0.5, "the end of the queue's time")
        catalogue.sql.run("UNLOCK TABLES")
        answers = [client.receive() for client in clients]
        assert [answer.status for answer in answers[:2]] == [200] * 2
        for answer in answers[2:]:
            check_problem(answer, 503, "overloaded")
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
        assert done() == 2
        wait_for(lambda: service.status()["totals"]["shed"] == 10, "10 shed")
        with service.client() as fresh:
            assert fresh.get("/v1/products?limit=1").status == 200


@pytest.mark.timeout(300)
def test_overload_ends_when_the_load_ends(catalogue: Catalogue) -> None:
    """40 clients on two workers, a database that takes half a second a statement. Whatever piled
    up, the first request after it is served in time."""
    target = f"/v1/products/{min(catalogue.products)}"
    with contextlib.ExitStack() as stack:
        url = urlsplit(catalogue.stack.env["DATABASE_URL"])
        socket_path = unquote(url.query.removeprefix("socket="))
        # A short path: a Unix socket address holds 107 bytes.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cbu-slow-")))
        proxy = stack.enter_context(SlowProxy(folder, socket_path, 0.0))
        settings = {
            **catalogue.stack.settings,
            "DATABASE_URL": url._replace(
                query=f"socket={quote(str(proxy.path), safe='')}"
            ).geturl(),
            "KEEPER_INTERVAL_MS": "60000",
        }
        service = stack.enter_context(Service(WORKERS="2", **settings))
        connect_to_database(service, target, 2)
        proxy.delay_s = 0.5
        stop = threading.Event()
        answers: list[Answer] = []

        def ask() -> None:
            with service.client() as client:
                while not stop.is_set():
                    answers.append(client.get(target))

        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads:
            thread.start()
        wait_for(lambda: sum(answer.status == 503 for answer in answers) >= 40, "shed requests")
        stop.set()
        with service.client() as fresh:
            answer = fresh.get(target)
            while answer.status == 503:  # what is queued before it is on its way out
                check_problem(answer, 503, "overloaded")
                answer = fresh.get(target)
        assert answer.status == 200
        for thread in threads:
            thread.join()
        assert {answer.status for answer in answers} == {200, 503}
        for answer in answers:
            if answer.status == 503:
                check_problem(answer, 503, "overloaded")
        page = service.status()
        assert page["totals"]["shed"] > 0
        assert page["queue"]["saturated_s"] > 0


# ---- requests that take too long ----
def test_stuck_workers_are_killed_and_idle_ones_are_not(catalogue: Catalogue) -> None:
    target = f"/v1/products/{min(catalogue.products)}"
    with (
        Service(WORKERS="4", REQUEST_TIMEOUT_MS="1000", **catalogue.stack.settings) as service,
        service.client() as client,
    ):
        connect_to_database(service, target, 4)
        before = set(service.workers().values())
        with locked(catalogue.sql, "products"):
            answer = client.get(target)
        # The read was given to three workers, and no fourth.
        check_problem(answer, 503, "unavailable")
        wait_for(lambda: len(service.workers()) == 4, "all workers")
        assert len(before & set(service.workers().values())) == 1
        restarts = service.status()["restarts"]
        assert (restarts["timeouts"], restarts["crashes"], restarts["kills"]) == (3, 0, 0)
        lost = service.events("request.lost")
        assert len(lost) == 3
        for event in lost:
            assert event["request_id"] == answer.headers["X-Request-Id"]
            assert (event["method"], event["route"]) == ("GET", "/v1/products/{id}")
            assert event["phase"] == "sql"
            assert event["age_ms"] >= 1000
        assert client.get(target).status == 200


def test_crash_tells_what_was_going_on(catalogue: Catalogue) -> None:
    with (
        Service(WORKERS="2", **catalogue.stack.settings) as service,
        service.client() as client,
    ):
        connect_to_database(service, "/v1/products?limit=1", 2)
        with locked(catalogue.sql, "products"):
            client.send("GET", "/v1/products?limit=1")
            [worker] = wait_for(lambda: busy_workers(service), "a busy worker")
            assert (worker["route"], worker["phase"]) == ("/v1/products", "sql")
            assert len(worker["request_id"]) == ID_DIGITS
            # As assert() ends it; a sanitizer makes an exit of its own of a SIGSEGV.
            os.kill(worker["pid"], signal.SIGABRT)
            wait_for(lambda: service.events("request.lost"), "request.lost")
        answer = client.receive()
        assert answer.status == 200
        [event] = service.events("request.lost")
        assert event["request_id"] == answer.headers["X-Request-Id"] == worker["request_id"]
        assert (event["route"], event["phase"]) == ("/v1/products", "sql")
        [end] = service.events("worker.exited")
        assert end["signal"] == signal.SIGABRT


def test_slow_requests_are_logged_with_their_statement(catalogue: Catalogue) -> None:
    with (
        Service(WORKERS="1", SLOW_REQUEST_MS="200", **catalogue.stack.settings) as service,
        service.client() as client,
    ):
        connect_to_database(service, "/v1/products?limit=1", 1)
        with locked(catalogue.sql, "products"):
            client.send("GET", "/v1/products?limit=1")
            wait_for(
                lambda: any(w["state_ms"] > 300 for w in busy_workers(service)), "a slow request"
            )
        answer = client.receive()
        assert answer.status == 200
        # The worker says it after the answer.
        [event] = wait_for(
            lambda: [
                event
                for event in service.events("request.slow")
                if event["request_id"] == answer.headers["X-Request-Id"]
            ],
            "request.slow",
        )
        assert event["statement"] == "SELECT products"
        assert event["sql_ms"] >= 300
        assert event["total_ms"] >= event["sql_ms"] >= event["statement_ms"] >= 300
        log = service.nginx.access_log(answer.headers["X-Request-Id"])
        assert log["server_timing"] == answer.headers["Server-Timing"]
        assert "sql;dur=" in log["server_timing"]


# ---- what the queue says ----
def test_queue_shows_who_waits(catalogue: Catalogue) -> None:
    with (
        Service(
            nginx={"NGINX_KEEPALIVE": "0"},
            WORKERS="2",
            FCGI_BACKLOG="64",
            **catalogue.stack.settings,
        ) as service,
        contextlib.ExitStack() as stack,
    ):
        assert service.status()["queue"]["limit"] in (64, None)
        workers = service.workers()
        for pid in workers.values():
            os.kill(pid, signal.SIGSTOP)
        clients = [stack.enter_context(service.client()) for _ in range(10)]
        for client in clients:
            client.send("GET", "/v1/products?limit=1")
        if service.status()["queue"]["waiting"] is None:
            pytest.skip("this kernel has no sock_diag for Unix sockets")
        wait_for(lambda: service.status()["queue"]["waiting"] == 10, "10 in the queue")
        for pid in workers.values():
            os.kill(pid, signal.SIGCONT)
        assert {client.receive().status for client in clients} <= {200, 503}
        wait_for(lambda: service.status()["queue"]["waiting"] == 0, "an empty queue")


# ---- workers that are worn ----
def test_recycling_under_load_loses_nothing(catalogue: Catalogue) -> None:
    settings = {**catalogue.stack.settings, "WORKER_MAX_REQUESTS": "100"}
    with Service(WORKERS="4", **settings) as service:
        with Readers(service, catalogue) as readers:

            def have_been_recycled() -> bool:
                page = service.status()
                workers = page["workers"]
                assert workers["starting"] + workers["stopping"] <= 1, page
                return bool(page["restarts"]["recycles"] >= 8)

            wait_for(have_been_recycled, "8 recycled workers")
        assert readers.wrong == []
        restarts = service.status()["restarts"]
        assert (restarts["crashes"], restarts["kills"], restarts["timeouts"]) == (0, 0, 0)
        assert all(event["requests"] >= 90 for event in service.events("worker.worn"))
        lives = [event["status"] for event in service.events("worker.exited")]
        assert set(lives) == {0}
