"""A worker is killed at every point of every write: at each statement, before the server has it and
after it is done. What is left is all of the change, with its row in the audit log, or nothing; and
whoever repeats the request is told the truth."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from checks import check_problem
from database_proxy import DatabaseProxy, Hold
from editing import Editor, audit_rows, make_input
from issuer import Issuer, issuing
from nginx_server import Answer
from stacks import Database, Service, Sql, Stack, wait_for


@dataclass
class Scene:
    service: Service
    proxy: DatabaseProxy
    database: Database
    token: str

    @property
    def sql(self) -> Sql:
        return self.database.sql

    @contextlib.contextmanager
    def editor(self) -> Iterator[Editor]:
        with self.service.client() as client:
            yield Editor(client, self.token)


@pytest.fixture(scope="module")
def scene(
    stack: Stack, module_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    folder = Path(os.path.relpath(tmp_path_factory.mktemp("p")))
    with (
        issuing() as issuer,
        DatabaseProxy(folder.resolve(), module_database.url) as proxy,
        Service(**_settings(stack, proxy, issuer)) as service,
    ):
        service.wait_until_ready()
        yield Scene(service, proxy, module_database, issuer.mint("editors"))


def _settings(stack: Stack, proxy: DatabaseProxy, issuer: Issuer) -> dict[str, str]:
    return {**stack.settings, "DATABASE_URL": proxy.url, "WORKERS": "3", **issuer.settings()}


@dataclass
class Write:
    """One write and the product it is about."""

    method: str
    target: str
    body: Any = None
    options: dict[str, str] = field(default_factory=dict)
    product_id: int | None = None
    sku: str = ""

    def send(self, editor: Editor) -> Answer:
        return editor.send(self.method, self.target, self.body, **self.options)


def make_create(_: Editor, *, key: bool) -> Write:
    # A category of its own, so that it has to be made, too.
    product = make_input(category=f"crash {uuid.uuid4().hex[:8]}")
    options = {"key": str(uuid.uuid4())} if key else {}
    return Write("POST", "/v1/products", product, options, None, product["sku"])


def make_change(editor: Editor, *, method: str) -> Write:
    at, tag, product = editor.created()
    body = None
    if method != "DELETE":
        body = make_input(sku=product["sku"], stock=7, category=f"crash {uuid.uuid4().hex[:8]}")
    return Write(method, at, body, {"if_match": tag}, product["id"], product["sku"])


def make_restore(editor: Editor, *, key: bool) -> Write:
    at, tag, product = editor.created()
    tag = editor.send("DELETE", at, if_match=tag).headers["ETag"]
    options = {"if_match": tag, **({"key": str(uuid.uuid4())} if key else {})}
    return Write("POST", f"{at}/restore", None, options, product["id"], product["sku"])


# What makes a write, what it answers, and what its repetition is told after it was done.
KINDS: dict[str, tuple[Callable[[Editor], Write], int, tuple[int, str | None]]] = {
    "create": (lambda e: make_create(e, key=False), 201, (409, "sku_taken")),
    "create with a key": (lambda e: make_create(e, key=True), 201, (201, None)),
    "replace": (lambda e: make_change(e, method="PUT"), 200, (412, "precondition_failed")),
    "patch": (lambda e: make_change(e, method="PATCH"), 200, (412, "precondition_failed")),
    "delete": (lambda e: make_change(e, method="DELETE"), 204, (409, "product_deleted")),
    "restore": (lambda e: make_restore(e, key=False), 200, (409, "product_not_deleted")),
    "restore with a key": (lambda e: make_restore(e, key=True), 200, (200, None)),
}


def states(sql: Sql, sku: str) -> tuple[int, int, int]:
    """How many products of the SKU there are, their version, and how many rows of the audit log."""
    rows = sql.rows("SELECT id, version FROM products WHERE sku = %s", sku)
    if not rows:
        return 0, 0, 0
    [(id, version)] = rows
    audit = audit_rows(sql, id)
    # One row for each version, in order: no change without, no row for what was not done.
    assert [row["version"] for row in audit] == list(range(1, version + 1))
    return 1, version, len(audit)


def repeat(editor: Editor, write: Write) -> Answer:
    """The same request again; as long as the server has not noticed the death, it says so."""
    answers: list[Answer] = []

    def settled() -> bool:
        answers.append(write.send(editor))
        if answers[-1].status == 409:
            return bool(answers[-1].json()["code"] != "idempotency_in_progress")
        return answers[-1].status != 503

    wait_for(settled, "an answer that is final")
    return answers[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_point(scene: Scene, kind: str) -> None:
    make, good, (told, code) = KINDS[kind]
    with scene.editor() as editor:
        write = make(editor)
        scene.proxy.arm(None)
        assert write.send(editor).status == good
        statements = list(scene.proxy.statements)
    assert statements[-1] == "COMMIT"
    outcomes = []
    for number in range(1, len(statements) + 1):
        for when in ("before", "after"):
            outcomes.append(_kill_at(scene, make, Hold(number, when), good, told, code))
    # Everything up to the COMMIT leaves nothing; the COMMIT, once the server has it, all.
    assert outcomes == [False] * (2 * len(statements) - 1) + [True]


def _kill_at(
    scene: Scene,
    make: Callable[[Editor], Write],
    hold: Hold,
    good: int,
    told: int,
    code: str | None,
) -> bool:
    """Kills the worker there. Whether the write was done all the same."""
    with ThreadPoolExecutor(1) as threads, scene.editor() as editor, scene.editor() as other:
        write = make(editor)
        products, version, audit = states(scene.sql, write.sku)
        scene.proxy.arm(hold)
        answer = threads.submit(write.send, other)
        assert hold.reached.wait(30), hold
        os.kill(hold.pid, signal.SIGKILL)
        # nginx does not send a write to another worker; its fate is for the client to find out.
        check_problem(answer.result(), 503, "unavailable")
        scene.proxy.arm(None)
        again = repeat(editor, write)
        done = again.status == told and (code is None or again.json()["code"] == code)
        if code is None:  # with a key both are answered alike, but for one field
            done = again.headers["Idempotent-Replayed"] == "true"
        if not done:
            assert again.status == good, (hold, again)
        elif code is None:
            assert again.json()["sku"] == write.sku
        # Done or repeated, it was done once.
        assert states(scene.sql, write.sku) == (1, version + 1, audit + 1), hold
        assert products <= 1
        if write.method == "POST" and write.options.get("key"):
            assert write.send(editor).body == again.body
        return done


def test_a_lost_commit_says_that_nobody_knows(scene: Scene) -> None:
    """The connection, not the worker, dies while the COMMIT is under way."""
    with scene.editor() as editor:
        scene.proxy.arm(None)
        assert make_create(editor, key=True).send(editor).status == 201
        commit = len(scene.proxy.statements)
    for when, done in (("before", False), ("after", True)):
        with ThreadPoolExecutor(1) as threads, scene.editor() as editor, scene.editor() as other:
            write = make_create(editor, key=True)
            hold = Hold(commit, when)
            scene.proxy.arm(hold)
            answer = threads.submit(write.send, other)
            assert hold.reached.wait(30)
            assert hold.statement == "COMMIT"
            # The worker waits for its answer until DATABASE_IO_TIMEOUT_S.
            check_problem(answer.result(), 503, "write_unknown")
            scene.proxy.arm(None)
            again = repeat(editor, write)
            assert again.status == 201
            assert (again.headers["Idempotent-Replayed"] == "true") == done
            assert states(scene.sql, write.sku) == (1, 1, 1)
