"""Both images as one task of ECS: hardened, limited, and stopped in ECS's order under load."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from assembly import FLAGS, synthesize
from conftest import TAG, MakeTask, Note
from ecs import ROOT, Container, Task, run, wait_for
from stacks import Sql, Stack

PORT = 8000
DEMO = ROOT / "local/demo/products.ndjson"
LIST = "/v1/products?limit=3"


def get(path: str, tls: ssl.SSLContext | None = None) -> tuple[int, bytes] | None:
    """Status and body; None when nobody answers."""
    address = ("127.0.0.1", PORT)
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection(*address, timeout=30, context=tls)
        if tls
        else http.client.HTTPConnection(*address, timeout=30)
    )
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    return None


def status_of(path: str) -> int | None:
    answer = get(path)
    return answer[0] if answer else None


def proc_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextlib.contextmanager
def admin_sql(stack: Stack) -> Iterator[Sql]:
    with contextlib.closing(Sql(stack.env["MIGRATE_DATABASE_URL"])) as sql:
        yield sql


@pytest.fixture(scope="session")
def catalogue(stack: Stack) -> None:
    """The demo catalogue, loaded by the image's own `cbu import`."""
    settings = ("DATABASE_URL", "APP_JWT_SECRET_ARN", "DATABASE_SECRET_ARN")
    environment = {
        **{name: stack.env[name] for name in settings},
        **{name: value for name, value in stack.env.items() if name.startswith("AWS_")},
        "DATABASE_URL": f"mysql://cbu@{stack.env['DATABASE_TCP_URL'].rpartition('@')[2]}",
        "DATABASE_CA_FILE": "/run/ca.pem",
    }
    run(
        *("podman", "run", "--rm", "-i", "--network=host", "--read-only"),
        f"--volume={stack.data}/tls/ca.pem:/run/ca.pem:ro",
        *(f"--env={name}={value}" for name, value in environment.items()),
        *(f"localhost/cbu:{TAG}-app", "import", "-"),
        input=DEMO.read_bytes(),
    )


@pytest.fixture
def task(make_task: MakeTask, catalogue: None) -> Task:
    task = make_task()
    task.start_all()
    wait_for(lambda: status_of(LIST) == 200, "the catalogue")
    return task


# ---- the migration task ----
def test_the_migration_task_makes_the_tables_and_does_no_harm_twice(
    make_task: MakeTask, stack: Stack
) -> None:
    with admin_sql(stack) as sql:
        sql.run("DROP DATABASE cbu")
        sql.run("CREATE DATABASE cbu")
    for _ in range(2):
        migration = make_task("Migration")
        migration.create()
        container = migration.start("migrate")
        assert container.wait() == 0, container.log()
    with admin_sql(stack) as sql:
        tables = {name for (name,) in sql.rows("SHOW TABLES")}
    assert {"products", "categories", "schema_migrations"} <= tables


# ---- the service task ----
def test_a_catalogue_request_through_nginx_over_the_shared_socket(task: Task) -> None:
    answer = get(LIST)
    assert answer is not None
    assert answer[0] == 200
    assert len(json.loads(answer[1])["items"]) == 3
    assert status_of("/health/live") == 200
    answer = get("/health/ready")
    assert answer is not None
    checks = json.loads(answer[1])["checks"]
    # Secrets by ARN with the credentials of the task, the database over TLS with a checked name.
    assert checks["database"]["ok"]
    # (The keys of Cognito have no stand-in in this network.)
    assert checks["secrets"]["detail"] in ("known", "keys")
    assert task.containers["app"].is_healthy()


def test_the_page_of_the_api_and_all_it_loads_are_in_the_image(task: Task) -> None:
    page = get("/docs")
    assert page is not None and page[0] == 200
    loaded = re.findall(r'(?:src|href)="(/docs/[^"]+)"', page[1].decode())
    assert len(loaded) >= 3
    assert {status_of(path) for path in (*loaded, "/openapi.json")} == {200}


def test_hardening_is_what_the_definition_says(task: Task) -> None:
    for container in task.containers.values():
        pid = container.pid
        status = proc_status(pid)
        user, group = container.definition["User"].split(":")
        assert status["Uid"].split() == [user] * 4
        assert status["Gid"].split() == [group] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
            "0" * 16
        }
        assert status["NoNewPrivs"] == "1"
        assert task.cgroup.holds(pid)
        limit = container.inspect()["HostConfig"]["Memory"]
        assert limit == container.definition["Memory"] * 2**20
    assert sum(c.definition["Memory"] for c in task.containers.values()) == 1024
    assert int(task.definition["Cpu"]) == 512


def test_only_the_mounted_folders_can_be_written(task: Task) -> None:
    for container in task.containers.values():
        for folder in ("/", "/etc", "/var/log", "/var/tmp", "/run", "/usr/local/bin"):
            done = container.execute("sh", "-c", f"echo x > {folder}/written")
            assert done.returncode != 0, f"{container.name}: {folder}"
    writable = {"app": ("/run/cbu", "/tmp"), "nginx": ("/run/nginx",)}
    for name, folders in writable.items():
        for folder in folders:
            done = task.containers[name].execute("sh", "-c", f"echo x > {folder}/written")
            assert done.returncode == 0, done.stderr
    # nginx may use the sockets and not replace them.
    done = task.containers["nginx"].execute("sh", "-c", "echo x > /run/cbu/written")
    assert done.returncode != 0


def test_both_write_json_lines_to_standard_output(task: Task) -> None:
    get(LIST)
    app = [json.loads(line) for line in task.containers["app"].log().splitlines()]
    assert "serve.ready" in {line["event"] for line in app}
    lines = wait_for(
        lambda: [
            json.loads(line)
            for line in task.containers["nginx"].log().splitlines()
            if line.startswith("{")
        ],
        "the access log",
    )
    assert {line["event"] for line in lines} == {"nginx.access"}


# ---- the stop ----
class Load:
    """Clients that ask again and again, each on a connection that it keeps, as the load balancer
    does; `stop_asking` is its deregistration of the task: what was asked is still waited for."""

    PATHS = (LIST, "/v1/products/1", "/v1/products?sort=price&limit=50", "/v1/categories")

    def __init__(self, clients: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.answered_late = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), daemon=True)
            for number in range(clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop_asking(self) -> None:
        self._stop.set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=40)
        turn = number
        while not self._stop.is_set():
            turn += 1
            try:
                connection.request("GET", self.PATHS[turn % len(self.PATHS)])
                answer = connection.getresponse()
                answer.read()
                outcome = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                outcome = repr(error)
                connection.close()
            with self._lock:
                self.outcomes[outcome] += 1
                self.answered_late += self._stop.is_set()
        connection.close()


def requests_in_nginx() -> list[bool]:
    """For each open connection to nginx, whether nginx has read all that was sent on it."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(queues.split(":")[1], 16) == 0
        for _, local, _, state, queues, *_ in lines
        if state == "01" and int(local.split(":")[1], 16) == PORT
    ]


def accepts_connections() -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 5):
        return True
    return False


def stop_in_order(task: Task) -> dict[str, int]:
    """Exit codes, in the order of the stop."""
    codes = {}
    for container in task.stop_order():
        container.ask_to_stop()
        codes[container.definition["Name"]] = container.wait()
    return codes


def test_a_stop_under_load_loses_no_request(task: Task, stack: Stack) -> None:
    """Every worker is busy and requests wait behind them when the stop comes: a lock on the table
    holds them until the signal was sent, so that it is no matter of luck."""
    clients = 32
    nginx, app = task.stop_order()
    assert nginx.definition["Name"] == "nginx"
    load = Load(clients)
    load.start()
    wait_for(lambda: load.outcomes["200"] > 200, "load")
    with admin_sql(stack) as sql:
        sql.run("LOCK TABLES products WRITE, categories WRITE")
        wait_for(lambda: requests_in_nginx() == [True] * clients, "every client's request in nginx")
        load.stop_asking()
        nginx.ask_to_stop()
        wait_for(lambda: not accepts_connections(), "nginx no longer listening")
        assert nginx.pid > 0, "nginx must wait for the answers"
        assert load.answered_late == 0
        sql.run("UNLOCK TABLES")
    assert nginx.wait() == 0, nginx.log()
    assert app.pid > 0, "the workers outlive nginx"
    app.ask_to_stop()
    assert app.wait() == 0, app.log()
    load.join()
    assert load.answered_late == clients
    assert set(load.outcomes) == {"200"}


def test_the_pool_stops_by_itself_within_its_time(task: Task) -> None:
    assert stop_in_order(task) == {"nginx": 0, "app": 0}
    app = task.containers["app"]
    events = [json.loads(line)["event"] for line in app.log().splitlines()]
    assert "process.killed" not in events


def test_a_killed_container_comes_back_on_the_same_volumes(task: Task) -> None:
    """Stale sockets are replaced. (ECS starts a new task instead; podman and compose restart.)"""
    app = task.containers["app"]
    run("podman", "kill", "--signal", "KILL", app.name)
    app.wait()
    wait_for(lambda: status_of("/health/live") == 503, "nginx alone")
    wait_for(lambda: _start(app), "the start, once the workers of the killed master have ended")
    wait_for(lambda: status_of(LIST) == 200, "the catalogue")


def _start(container: Container) -> bool:
    run("podman", "start", container.name)
    time.sleep(0.5)
    return container.pid > 0


# ---- flags, and times ----
def test_inner_tls(make_task: MakeTask, catalogue: None) -> None:
    task = make_task(assembly=synthesize(**{**FLAGS, "exec": "false"}))
    task.start_all()
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE

    def answer() -> bool:
        got = get(LIST, unchecked)
        return got is not None and got[0] == 200

    wait_for(answer, "the catalogue over TLS")
    assert status_of(LIST) == 400


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("database", ["up", "away"])
def test_times_from_start_to_healthy(
    make_task: MakeTask, catalogue: None, database: str, note: Note
) -> None:
    """Measured, not judged: what the documents quote. The runtime's own time is in it."""
    changes = {"DATABASE_URL": f"mysql://cbu@{_free_address()}/cbu"} if database == "away" else {}
    task = make_task(**changes)
    task.create()
    times = {}
    begin = time.monotonic()
    app = task.start("app")
    sockets = Path(
        run(
            "podman", "volume", "inspect", "--format", "{{.Mountpoint}}", f"{task.name}-sockets"
        ).strip()
    )
    wait_for(lambda: _is_live(sockets / "status.sock"), "the master")
    times["app_healthy"] = time.monotonic() - begin
    assert app.is_healthy()
    begin = time.monotonic()
    task.start("nginx")
    wait_for(lambda: status_of("/health/live") == 200, "nginx")
    times["nginx_answers"] = time.monotonic() - begin
    assert status_of(LIST) == (200 if database == "up" else 503)
    for name, seconds in times.items():
        note(f"database {database}: {name} {seconds:.3f} s")
    assert stop_in_order(task) == {"nginx": 0, "app": 0}


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        connection.connect(os.fspath(path))
        connection.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        return b" 200 " in connection.recv(64)
    return False


def test_memory_of_an_idle_task(task: Task, note: Note) -> None:
    """Proportional set size of all its processes, for the documents."""
    total = 0
    for container in task.containers.values():
        pids = run("podman", "top", container.name, "hpid").split()[1:]
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    note(f"idle task: {total / 1024:.1f} MiB proportional set size")
    assert 0 < total < 1024 * 1024


def test_podman_knows_the_stop_signals() -> None:
    """`podman stop` and `docker stop` use the image's own, like ECS."""
    done = subprocess.run(
        ["podman", "run", "-d", "--rm", "--network=none", f"localhost/cbu:{TAG}-nginx"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    name = done.stdout.strip()
    wait_for(lambda: "nginx" in run("podman", "top", name, "comm"), "nginx")
    assert run("podman", "stop", "-t", "20", name).strip() == name
