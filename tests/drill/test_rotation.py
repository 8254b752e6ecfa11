"""Secrets are replaced, and AWS goes away, under the load of 8 clients: no request may fail.

OUTAGE_S says how long an outage lasts (default 60)."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stacks import Client, Service, Sql, Stack, run_cbu, status_page, wait_for

CLIENTS = 8
OUTAGE_S = float(os.environ.get("OUTAGE_S", "60"))
# Short enough that a drill sees several rounds.
INTERVAL_S = 2
# Options of `cbu config`.
WAYS_TO_SHOW = ("markdown", "json", "check", "help")


class Load:
    """Clients that page through the catalogue until told to end, and what they saw go wrong."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.done = 0
        self.failures: list[str] = []
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, requests: int = 200) -> None:
        goal = self.done + requests
        wait_for(lambda: self.done >= goal or self.failures, f"{requests} more requests")

    def _run(self, number: int) -> None:
        with Client(self.port) as client:
            cursor = ""
            while not self._end.is_set():
                target = f"/v1/products?limit={number + 3}{cursor}"
                try:
                    answer = client.get(target)
                    page = answer.json() if answer.status == 200 else None
                except Exception as error:
                    self._fail(f"{target}: {error!r}")
                    return
                if page is None:
                    self._fail(f"{target}: {answer.status} {answer.body!r}")
                    cursor = ""
                    continue
                with self._lock:
                    self.done += 1
                cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else ""

    def _fail(self, what: str) -> None:
        with self._lock:
            self.failures.append(what)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("stack") / "data"
    settings = {"SECRETS_INTERVAL_S": str(INTERVAL_S), "KEEPER_INTERVAL_MS": "100"}
    with Stack(data, "--aws", LOG_LEVEL="DEBUG", DATABASE_MAX_AGE_S="10", **settings) as made:
        yield made


def changes(stack: Stack, item: str) -> int:
    """How often the keeper has published another value."""
    events = (json.loads(line) for line in stack.app_log().splitlines() if line.startswith("{"))
    return sum(event["event"] == "secret.changed" and event.get("item") == item for event in events)


def wait_for_change(stack: Stack, item: str, before: int) -> None:
    wait_for(lambda: changes(stack, item) > before, f"another value of {item}")


def is_ready(stack: Stack) -> bool:
    return status_page(Path(stack.env["STATUS_SOCKET"]), "/health/ready").status == 200


def heads(stack: Stack) -> list[int]:
    """The statuses of all signed HEADs of the bucket so far."""
    events = (json.loads(line) for line in stack.app_log().splitlines() if line.startswith("{"))
    return [event["status"] for event in events if event.get("operation") == "HeadBucket"]


def wait_for_bucket(stack: Stack) -> None:
    """S3 takes a HEAD signed from now on."""
    before = len(heads(stack))
    wait_for(lambda: 200 in heads(stack)[before:], "a HEAD that S3 takes")
    page = Path(stack.env["STATUS_SOCKET"])
    wait_for(
        lambda: status_page(page, "/status").json()["bucket"] == {"state": "up", "error": ""},
        "the bucket on the status page",
    )


def current_secrets(stack: Stack) -> set[str]:
    """Every secret text there is at the moment, in any place."""
    folder = stack.data / "secrets"
    state = json.loads((folder / "aws.json").read_text())
    found = {file.read_text() for file in folder.iterdir() if file.suffix == ""}
    found |= {state["token"]}
    for key in state["keys"]:
        found |= {key["SecretAccessKey"], key["Token"]}
    for versions in state["secrets"].values():
        for version in versions.values():
            members = json.loads(version["SecretString"])
            found |= {text for name, text in members.items() if name != "username"}
    return {text for text in found if len(text) >= 16}


def kill_connections(stack: Stack) -> None:
    """Ends every connection of the serving user, so that each worker must log in anew."""
    with contextlib.closing(Sql(stack.env["MIGRATE_DATABASE_URL"])) as sql:
        rows = sql.rows("SELECT id FROM information_schema.processlist WHERE user = 'cbu'")
        for (number,) in rows:
            # It may have ended by itself meanwhile.
            with contextlib.suppress(Exception):
                sql.run(f"KILL {number}")


def test_the_database_password(stack: Stack) -> None:
    with Load(stack.port) as load:
        for _ in range(3):
            before = changes(stack, "database_secret")
            stack.command("rotate", "database")
            kill_connections(stack)
            wait_for_change(stack, "database_secret", before)
            load.wait_for_more()
    assert load.failures == []
    assert is_ready(stack)


def test_the_application_key(stack: Stack) -> None:
    with Client(stack.port) as client, Load(stack.port) as load:
        old = client.get("/v1/products?limit=2").json()["next_cursor"]
        before = changes(stack, "app_secret")
        stack.command("rotate", "app-key")
        # Once it is known and once it signs.
        for step in (1, 2):
            wait_for(lambda s=step: changes(stack, "app_secret") >= before + s, "the new key")
            load.wait_for_more()
            answer = client.get(f"/v1/products?limit=2&cursor={old}")
            assert answer.status == 200, answer.body
        assert client.get("/v1/products?limit=2").json()["next_cursor"] != old
        # The one before the previous is no longer accepted.
        before = changes(stack, "app_secret")
        stack.command("rotate", "app-key")
        wait_for(lambda: changes(stack, "app_secret") >= before + 2, "the third key")
        load.wait_for_more()
        # Workers take a key over at their next request.
        wait_for(
            lambda: client.get(f"/v1/products?limit=2&cursor={old}").status == 400, "a refusal"
        )
    # A client whose own cursor is older than both keys would be refused too, but pages are short.
    assert load.failures == []


def test_the_credentials(stack: Stack) -> None:
    with Load(stack.port) as load:
        for _ in range(2):
            before = changes(stack, "credentials")
            stack.command("rotate", "credentials")
            wait_for_change(stack, "credentials", before)
            load.wait_for_more()
            wait_for_bucket(stack)
        # They work: the next secret is got with them.
        before = changes(stack, "database_secret")
        stack.command("rotate", "database")
        wait_for_change(stack, "database_secret", before)
        load.wait_for_more()
    assert load.failures == []


def test_all_at_once(stack: Stack) -> None:
    """What changes beside a password that was just refused does not pass for the new one."""
    with Load(stack.port) as load:
        for _ in range(3):
            before = {item: changes(stack, item) for item in ("database_secret", "app_secret")}
            for what in ("app-key", "credentials", "database"):
                stack.command("rotate", what)
                kill_connections(stack)
            wait_for_change(stack, "database_secret", before["database_secret"])
            load.wait_for_more()
            # Known, and signing: no more than two keys are known at a time.
            wait_for_change(stack, "app_secret", before["app_secret"] + 1)
    assert load.failures == []


def test_an_outage_of_both_endpoints(stack: Stack) -> None:
    with Load(stack.port) as load:
        stack.command("stop", "aws")
        end = time.monotonic() + OUTAGE_S
        while time.monotonic() < end:
            load.wait_for_more()
            kill_connections(stack)
            assert is_ready(stack)
            assert load.failures == []
            time.sleep(0.5)
        status = status_page(Path(stack.env["STATUS_SOCKET"]), "/status").json()
        assert status["bucket"]["state"] == "down"
        stack.command("start", "aws")
        before = changes(stack, "database_secret")
        stack.command("rotate", "database")
        wait_for_change(stack, "database_secret", before)
        wait_for_bucket(stack)
        load.wait_for_more()
    assert load.failures == []


def aws_settings(stack: Stack) -> dict[str, str]:
    names = ("DATABASE_URL", "DATABASE_SECRET_ARN", "APP_JWT_SECRET_ARN")
    return {
        name: value for name, value in stack.env.items() if name in names or name.startswith("AWS_")
    }


def test_a_start_without_secrets(stack: Stack) -> None:
    """It says what is missing, tries again, and is ready once there is an answer."""
    stack.command("stop", "aws")
    with Service(with_nginx=False, **aws_settings(stack)) as service:
        path = Path(service.settings["STATUS_SOCKET"])

        def checks() -> dict[str, Any]:
            return dict(status_page(path, "/health/ready").json()["checks"])

        wait_for(lambda: service.events("secret.failed"), "secret.failed")
        wait_for(lambda: not checks()["secrets"]["ok"], "the check")
        assert checks()["secrets"]["detail"] == "credentials, database_secret, app_secret"
        assert status_page(path, "/health/ready").status == 503
        assert status_page(path, "/health/live").status == 200
        stack.command("start", "aws")
        wait_for(lambda: status_page(path, "/health/ready").status == 200, "readiness")
        assert checks()["secrets"] == {"ok": True, "detail": "known"}


def test_no_secret_is_shown(stack: Stack) -> None:
    """In no log, page or listing, whatever level is logged; the old values neither."""
    secrets = current_secrets(stack)
    before = {item: changes(stack, item) for item in ("credentials", "database_secret")}
    for what in ("credentials", "app-key", "database"):
        stack.command("rotate", what)
        secrets |= current_secrets(stack)
    for item, count in before.items():
        wait_for_change(stack, item, count)
    kill_connections(stack)
    with Client(stack.port) as client:
        for _ in range(20):
            client.get("/v1/products?limit=2")
    status = Path(stack.env["STATUS_SOCKET"])
    plain = {name: sorted(secrets)[0][:64] for name in ("APP_JWT_SECRET", "COGNITO_CLIENT_SECRET")}
    keys = {"AWS_SECRET_ACCESS_KEY": sorted(secrets)[1][:64], "AWS_ACCESS_KEY_ID": "AKID"}
    shown = {file.name: file.read_text(errors="replace") for file in (stack.data / "log").iterdir()}
    shown |= {
        page: status_page(status, page).body.decode() for page in ("/status", "/health/ready")
    }
    for settings in (aws_settings(stack), {**aws_settings(stack), **plain, **keys}):
        for arguments in (("config",), *(("config", f"--{what}") for what in WAYS_TO_SHOW)):
            done = run_cbu(*arguments, **settings)
            assert done.returncode == 0, done.stderr
            shown[f"{arguments} with {len(settings)}"] = done.stdout + done.stderr
    found = [(where, text[:8]) for where, all in shown.items() for text in secrets if text in all]
    assert found == []
