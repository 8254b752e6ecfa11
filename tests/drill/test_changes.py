"""The pool is changed under the load of 8 clients that read and write: no read is lost, no write is
done twice, and a write is lost only by the death of the worker that has it, and its client told."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from checks import check_problem
from editing import make_input
from issuer import Issuer, issuing
from nginx_server import Answer
from stacks import Client, Database, Service, Stack, wait_for

CLIENTS = 8
WORKERS = 4
KILLS = 30
SEED = 20261125
NO_ID = "0" * 32
# Of one request that is told 503: longer than any change takes.
TRIES, PAUSE_S = 1000, 0.02


@dataclass
class Lost:
    """A request that was not answered as it should be."""

    method: str
    answer: Answer

    @property
    def request_id(self) -> str:
        return str(self.answer.headers["X-Request-Id"])


class Editors:
    """Clients that make a product, read it, and so on. A write that failed is repeated with its key
    until it is known to be done. Use as a context manager."""

    def __init__(self, service: Service, token: str) -> None:
        self._service = service
        self._token = token
        self._end = threading.Event()
        self._may_go = threading.Event()
        self._may_go.set()
        self._lock = threading.Lock()
        self._busy = 0
        self.done = 0
        self.skus: list[str] = []
        # Problems that clients were told, and whatever else went wrong.
        self.lost: list[Lost] = []
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> Editors:
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._may_go.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, rounds: int = 5 * CLIENTS) -> None:
        goal = self.done + rounds
        wait_for(lambda: self.done >= goal or self.wrong, f"{rounds} more rounds")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """As a load balancer that has taken the task out: what nginx has goes on, nothing new is
        sent. At the end all of it has been answered."""
        with self._lock:
            self._may_go.clear()
        with self._service.client() as client:
            # nginx has taken in what was sent before it answers this one.
            assert client.get("/health/live").status == 200
        yield
        wait_for(lambda: self._busy == 0 or self.wrong, "the answers to what was under way")
        self._may_go.set()

    def _run(self) -> None:
        with self._service.client() as client:
            while not self._end.is_set():
                try:
                    self._make_and_read(client)
                except Exception as error:
                    self.wrong.append(repr(error))
                    return

    def _make_and_read(self, client: Client) -> None:
        product = make_input()
        fields = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        self.skus.append(product["sku"])
        body = json.dumps(product).encode()
        made = self._until_done(client, 201, "POST", "/v1/products", body, **fields)
        read = self._until_done(client, 200, "GET", made.headers["Location"])
        if read.json()["sku"] != product["sku"]:
            self.wrong.append(f"{product['sku']}: {read.body!r}")
        with self._lock:
            self.done += 1

    def _until_done(
        self, client: Client, wanted: int, method: str, target: str, *body: bytes, **fields: str
    ) -> Answer:
        for _ in range(TRIES):
            answer = self._ask(client, method, target, *body, **fields)
            if answer.status == wanted:
                return answer
            with self._lock:
                self.lost.append(Lost(method, answer))
            time.sleep(PAUSE_S)
        raise AssertionError(f"{method} was never done: {answer.status} {answer.body!r}")

    def _ask(self, client: Client, method: str, target: str, *body: bytes, **fields: str) -> Answer:
        while True:
            with self._lock:
                if self._may_go.is_set():
                    self._busy += 1
                    client.send(method, target, *body, **fields)
                    break
            client.close()  # nginx may end meanwhile
            self._may_go.wait()
        try:
            return client.receive()
        finally:
            with self._lock:
                self._busy -= 1


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("stack") / "data"
    with Stack(data, "--empty") as made:
        yield made


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


@pytest.fixture(scope="module")
def database(stack: Stack) -> Database:
    return stack.make_database("cbu_changes")


@contextlib.contextmanager
def serving(
    stack: Stack, database: Database, issuer: Issuer, **more: str
) -> Iterator[tuple[Service, Editors]]:
    """A service under load. At the end each product is there once, with one change in the audit
    log."""
    settings = {**stack.settings, "DATABASE_URL": database.url, "WORKERS": str(WORKERS)}
    with Service(**{**settings, **issuer.settings(), **more}) as service:
        service.wait_until_ready()
        with Editors(service, issuer.mint("editors")) as editors:
            yield service, editors
        assert editors.wrong == []
        check_done_once(database, editors)


def check_done_once(database: Database, editors: Editors) -> None:
    rows = database.sql.rows(
        "SELECT sku, (SELECT COUNT(*) FROM audit_log"
        " WHERE noun = 'product' AND noun_id = products.id) FROM products"
    )
    changes = dict(rows)
    assert [sku for sku in editors.skus if changes.get(sku) != 1] == []


# ---- what must cost nothing ----
def test_reload(stack: Stack, database: Database, issuer: Issuer) -> None:
    with serving(stack, database, issuer) as (service, editors):
        for _ in range(3):
            before = set(service.workers().values())
            done = service.run_cbu("reload")
            assert (done.returncode, done.stderr) == (0, "")
            assert not before & set(service.workers().values())
            editors.wait_for_more()
    assert editors.lost == []


def test_count(stack: Stack, database: Database, issuer: Issuer) -> None:
    with serving(stack, database, issuer) as (service, editors):
        for count in (8, 1, 6, 2, 4):
            done = service.run_cbu("workers", str(count))
            assert (done.returncode, done.stderr) == (0, "")
            assert len(service.workers()) == count
            editors.wait_for_more()
    assert editors.lost == []


def test_recycling(stack: Stack, database: Database, issuer: Issuer) -> None:
    with serving(stack, database, issuer, WORKER_MAX_REQUESTS="60") as (service, editors):
        wait_for(lambda: service.status()["restarts"]["recycles"] >= 3 * WORKERS, "new workers")
    assert editors.lost == []


def test_stop_and_start(stack: Stack, database: Database, issuer: Issuer) -> None:
    """In the order of ECS: the load balancer sends nothing new, then nginx by SIGQUIT, then the
    pool by SIGTERM."""
    with serving(stack, database, issuer) as (service, editors):
        for _ in range(3):
            with editors.held():
                service.nginx.quit()
                service.signal(signal.SIGTERM)
                assert service.wait() == 0
                assert service.events("process.killed") == []
                service.start_again()
                service.wait_until_ready()
                service.nginx.start_again()
            editors.wait_for_more()
    assert editors.lost == []


# ---- what costs something, and what ----
def test_a_new_pool_behind_a_running_nginx(
    stack: Stack, database: Database, issuer: Issuer
) -> None:
    """Nobody is there in between: 503, at once, and whoever comes again is served."""
    with serving(stack, database, issuer) as (service, editors):
        for _ in range(3):
            before = len(editors.lost)
            service.signal(signal.SIGTERM)
            assert service.wait() == 0
            wait_for(lambda n=before: len(editors.lost) > n, "somebody who finds nobody")
            service.start_again()
            service.wait_until_ready()
            editors.wait_for_more()
        told = len(editors.lost)
        editors.wait_for_more()
        assert len(editors.lost) == told
    for lost in editors.lost:
        # The new workers judge tokens once the keeper has the user pool's keys.
        early = lost.method == "POST" and lost.answer.json()["code"] == "keys_unavailable"
        check_problem(lost.answer, 503, "keys_unavailable" if early else "unavailable")


def test_killed_workers(stack: Stack, database: Database, issuer: Issuer) -> None:
    """No read is lost. A write is lost with its worker, and with nothing else."""
    rng = random.Random(SEED)
    with serving(stack, database, issuer) as (service, editors):
        for number in range(1, KILLS + 1):
            workers = list(service.workers().values())
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
            wait_for(lambda n=number: service.status()["restarts"]["crashes"] >= n, "its end")
            editors.wait_for_more(CLIENTS)
        events = service.events("request.lost")
    for lost in editors.lost:
        assert lost.method == "POST"
        check_problem(lost.answer, 503, "unavailable")
    deaths = [event["request_id"] for event in events if event["method"] in ("POST", "")]
    unknown = [lost for lost in editors.lost if lost.request_id not in deaths]
    # Those that died before they had read the id of what they had.
    assert len(unknown) <= KILLS - len([id for id in deaths if id != NO_ID])
    assert len(editors.lost) <= KILLS
