"""The service and its database: losing it, finding it again, and how they talk."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pymysql
import pytest
from catalogue import Catalogue
from checks import check_problem
from editing import Editor, make_input
from issuer import issuing
from stacks import (
    EX_UNAVAILABLE,
    PATIENCE_S,
    Client,
    Database,
    Service,
    Sql,
    Stack,
    run_cbu,
    serving,
    wait_for,
)

PRODUCTS = [
    {"sku": f"s{n}", "name": f"Name {n}", "category": f"c{n % 3}", "price_minor": n, "stock": n}
    for n in range(20)
]


@pytest.fixture(scope="module")
def private_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose database may be stopped, with a few products in it."""
    data = tmp_path_factory.mktemp("private") / "data"
    settings = {"KEEPER_INTERVAL_MS": "100", "DATABASE_IO_TIMEOUT_S": "1"}
    with Stack(data, "--empty", "--workers", "2", **settings) as stack:
        stack.serving_database().load(*PRODUCTS)
        yield stack


def readiness(client: Client) -> int:
    return client.get("/health/ready").status


def check_down(client: Client) -> None:
    """Everything that needs the database says so, and the rest goes on."""
    for target in ("/v1/products", "/v1/products/1", "/v1/categories"):
        answer = client.get(target)
        problem = check_problem(answer, 503, "database_down")
        assert answer.headers.get_all("Retry-After") == ["1"]
        assert "errors" not in problem
    assert client.get("/").status == 200
    assert client.get("/health/live").status == 200
    assert client.get("/v1/products?limit=0").status == 400


# ---- losing it ----
def test_database_stopped_and_started(private_stack: Stack) -> None:
    with Client(private_stack.port) as client:
        wait_for(lambda: readiness(client) == 200, "readiness")
        private_stack.command("stop", "database")
        try:
            wait_for(lambda: readiness(client) == 503, "the keeper to see it")
            check_down(client)
            page = client.get("/status").json()
            assert page["database"]["state"] == "down"
            assert page["database"]["error"]
        finally:
            private_stack.command("start", "database")
        # By itself: the processes are the same.
        wait_for(lambda: client.get("/v1/products").status == 200, "a list")
        wait_for(lambda: readiness(client) == 200, "readiness")
        after = client.get("/status").json()
        pids = [[w["pid"] for w in p["workers"]["list"]] for p in (page, after)]
        assert pids[0] == pids[1]
        assert after["database"]["error"] == ""


def test_restart_under_load_is_never_an_internal_error(private_stack: Stack) -> None:
    stop = threading.Event()
    statuses: set[int] = set()

    def read() -> None:
        with Client(private_stack.port) as client:
            while not stop.is_set():
                answer = client.get("/v1/products?limit=5&include=total")
                statuses.add(answer.status)
                if answer.status != 200:
                    check_problem(answer, 503)

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(4)]
        try:
            private_stack.command("stop", "database")
            wait_for(lambda: 503 in statuses, "the loss")
            statuses.clear()
            private_stack.command("start", "database")
            wait_for(lambda: 200 in statuses, "the recovery")
        finally:
            stop.set()
        for reader in readers:
            reader.result()
    assert statuses <= {200, 503}


def is_stopped(pid: int) -> bool:
    """Whether every thread is: they stop one by one, some time after the signal."""
    states = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state.rpartition(")")[2].split()[0] == "T" for state in states)


def test_database_that_hangs(private_stack: Stack) -> None:
    private_stack.read_environment()
    pid = int(private_stack.env["DB_PID"])
    with Client(private_stack.port) as client:
        wait_for(lambda: client.get("/v1/products").status == 200, "a list")
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(lambda: is_stopped(pid), "the database to stop")
            check_problem(client.get("/v1/products"), 503, "database_down")
            wait_for(lambda: readiness(client) == 503, "the keeper to see it")
            assert client.get("/health/live").status == 200
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: client.get("/v1/products").status == 200, "a list")
        wait_for(lambda: readiness(client) == 200, "readiness")


def serving_connections(sql: Sql, state: str = "%") -> list[int]:
    rows = sql.rows(
        "SELECT id FROM information_schema.processlist"
        f" WHERE user = 'cbu' AND db = DATABASE() AND IFNULL(state, '') LIKE '{state}'"
    )
    return [row[0] for row in rows]


def test_killed_connections_cost_no_read(stack: Stack, database: Database) -> None:
    database.load(*PRODUCTS)
    settings = {**stack.settings, "DATABASE_URL": database.url, "WORKERS": "1"}
    with Service(**settings) as service, service.client() as client:
        for _ in range(5):
            for target in ("/v1/products", "/v1/products/1", "/v1/categories"):
                connections = serving_connections(database.sql)
                for id in connections:
                    with contextlib.suppress(pymysql.Error):  # replaced meanwhile
                        database.sql.run(f"KILL {id}")
                wait_for(
                    lambda old=connections: not set(old) & set(serving_connections(database.sql)),
                    "their end",
                )
                assert client.get(target).status == 200
        assert service.events("request.failed") == []

        def connects() -> int:
            count: int = service.status()["workers"]["list"][0]["database_connects"]
            return count

        wait_for(lambda: connects() == 15, "the count of connections")


def test_a_statement_killed_while_it_runs_costs_no_read(stack: Stack, database: Database) -> None:
    """MySQL tells such a statement that it was interrupted (1317), not that its connection went."""
    database.load(*PRODUCTS)
    settings = {**stack.settings, "DATABASE_URL": database.url, "WORKERS": "1"}
    with (
        Service(**settings) as service,
        service.client() as client,
        ThreadPoolExecutor(1) as pool,
        contextlib.closing(Sql(database.admin_url)) as locker,
    ):
        assert client.get("/v1/products/1").status == 200
        locker.run("LOCK TABLES products WRITE")
        answer = pool.submit(client.get, "/v1/products/1")
        waiting = wait_for(
            lambda: serving_connections(database.sql, "%lock%"), "the read behind the lock"
        )
        for id in waiting:
            database.sql.run(f"KILL {id}")
        locker.run("UNLOCK TABLES")
        assert answer.result(timeout=30).status == 200
        assert service.events("request.failed") == []


def test_lost_tables(stack: Stack, database: Database) -> None:
    """Before the migrations have run, say: no request is at fault, and it will pass. The cause is
    for the log alone."""
    settings = {**stack.settings, "DATABASE_URL": database.url, "WORKERS": "1"}
    with Service(**settings) as service, service.client() as client:
        service.wait_until_ready()
        database.sql.run("DROP TABLE products")
        problem = check_problem(client.get("/v1/products"), 503, "database_schema")
        assert "products" not in problem["detail"] and "errors" not in problem
        [event] = wait_for(lambda: service.events("request.failed"), "request.failed")
        assert event["level"] == "ERROR" and "products" in event["cause"]
        database.sql.run("DROP TABLE schema_migrations")
        wait_for(lambda: service.page("/health/ready").status == 503, "the keeper to see it")
        assert service.status()["database"]["state"] == "old_schema"


# ---- passwords and privileges ----
def test_wrong_password(stack: Stack, database: Database) -> None:
    parts = urlsplit(database.url)
    password = unquote(parts.password or "")
    wrong = "not-" + password
    url = parts._replace(netloc=f"cbu:{wrong}@localhost").geturl()
    settings = {**stack.settings, "DATABASE_URL": url, "WORKERS": "1"}
    with Service(**settings) as service, service.client() as client:
        check_down(client)
        [event] = service.events("database.state")
        assert event["state"] == "down" and "1045" in event["cause"]
        failed = wait_for(lambda: service.events("request.failed"), "request.failed")
        assert "1045" in failed[0]["cause"]
        shown = service.log() + service.page("/status").body.decode()
        assert wrong not in shown and password not in shown
    done = run_cbu("import", "-", input='{"sku": "a"}', DATABASE_URL=url)
    assert password not in done.stdout + done.stderr
    done = run_cbu("migrate", DATABASE_URL=url)
    assert done.returncode == EX_UNAVAILABLE
    assert "1045" in done.stderr and password not in done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        *("CREATE TABLE x (a INT)", "DROP TABLE products", "TRUNCATE TABLE products"),
        *("ALTER TABLE products ADD COLUMN x INT", "CREATE INDEX x ON products (stock)"),
        *("CREATE USER x", "SET GLOBAL general_log = OFF", "SELECT * FROM mysql.user"),
        "CREATE VIEW x AS SELECT 1",
    ],
)
def test_serving_user_may_change_rows_only(module_database: Database, statement: str) -> None:
    serving_user = Sql(module_database.url)
    with contextlib.closing(serving_user):
        with pytest.raises(pymysql.Error) as caught:
            serving_user.run(statement)
        # Denied, by one rule or another; not absent, and not misspelled.
        assert caught.value.args[0] in (1044, 1142, 1227)
        assert serving_user.value("SELECT COUNT(*) FROM products") == 0


# ---- TCP ----
@pytest.fixture
def tcp_settings(catalogue: Catalogue) -> dict[str, str]:
    env = catalogue.stack.env
    return {
        **catalogue.stack.settings,
        "DATABASE_URL": env["DATABASE_TCP_URL"],
        "DATABASE_CA_FILE": env["DATABASE_CA_FILE"],
        "WORKERS": "1",
    }


def replace_address(url: str, address: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{address}").geturl()


def check_refused(settings: dict[str, str], *causes: str) -> None:
    """The connection is refused for one of these causes."""
    with Service(**settings) as service, service.client() as client:
        check_down(client)
        [event] = service.events("database.state")
        assert event["state"] == "down"
        assert any(cause in event["cause"] for cause in causes), event


def test_tcp_with_tls(catalogue: Catalogue, tcp_settings: dict[str, str]) -> None:
    with Service(**tcp_settings) as service, service.client() as client:
        service.wait_until_ready()
        assert client.get("/v1/products?limit=1&include=total").json()["total"] == 10_000
    # The server would not let this user in without TLS.
    rules = catalogue.sql.value(
        "SELECT ssl_type FROM mysql.user WHERE user = 'cbu' AND host = %s", "127.0.0.1"
    )
    assert (rules.decode() if isinstance(rules, bytes) else rules) == "ANY"


def test_certificate_of_another_authority(tcp_settings: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=other"),
            *("-keyout", tmp_path / "other.key", "-out", other),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    check_refused({**tcp_settings, "DATABASE_CA_FILE": str(other)}, "certificate", "TLS/SSL")


def test_authorities_of_the_system_do_not_know_it(tcp_settings: dict[str, str]) -> None:
    del tcp_settings["DATABASE_CA_FILE"]
    check_refused(tcp_settings, "certificate", "TLS/SSL")


@pytest.mark.parametrize("kind", ["absent", "no certificate"])
def test_authorities_that_cannot_be_read(
    tcp_settings: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """Without them nothing can be verified, so nobody is trusted."""
    file = tmp_path / "ca.pem"
    if kind == "no certificate":
        file.write_text("nonsense")
    check_refused({**tcp_settings, "DATABASE_CA_FILE": str(file)}, "certificate", "TLS/SSL", "SSL")


class Forwarder:
    """Hands TCP connections on to another port, from an address that no certificate has. Use as a
    context manager."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.2", 0))
        self._sockets = [self._listener]
        self.address = f"127.0.0.2:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Forwarder:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):  # the other side has closed it already
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._copy, args=(source, sink), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_certificate_of_another_host(tcp_settings: dict[str, str]) -> None:
    port = urlsplit(tcp_settings["DATABASE_URL"]).port
    assert port is not None
    with Forwarder(port) as forwarder:
        url = replace_address(tcp_settings["DATABASE_URL"], forwarder.address)
        check_refused({**tcp_settings, "DATABASE_URL": url}, "certificate", "TLS/SSL", "SSL")


# Capabilities of the MySQL protocol: 4.1, protocol 4.1 passwords, plugins, a database at connect.
# CLIENT_SSL (0x800) is what this server does not have.
CAPABILITIES = 0x0000_0001 | 0x8 | 0x200 | 0x8000 | 0x80000


def greeting() -> bytes:
    scramble = b"12345678abcdefghijkl"
    body = (
        b"\x0a8.0.31\0" + struct.pack("<I", 7) + scramble[:8] + b"\0"
        + struct.pack("<HBHHB", CAPABILITIES & 0xFFFF, 45, 2, CAPABILITIES >> 16, 21)
        + bytes(10) + scramble[8:] + b"\0mysql_native_password\0"
    )  # fmt: skip
    return struct.pack("<I", len(body))[:3] + b"\0" + body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_server_without_tls_is_told_nothing(tmp_path: Path, host: str) -> None:
    """Neither name nor password may go to whoever answers on the port. The name localhost means TCP
    as well, unless the URL names a socket."""
    received = b""
    connections = 0

    def serve(listener: socket.socket) -> None:
        nonlocal received, connections
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                connections += 1
                client.settimeout(PATIENCE_S)
                with client:
                    client.sendall(greeting())
                    while part := client.recv(4096):
                        received += part

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        url = f"mysql://somebody:a-password@{host}:{port}/name"
        done = run_cbu("migrate", DATABASE_URL=url, DATABASE_CA_FILE="/dev/null")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert done.returncode == EX_UNAVAILABLE
    assert connections > 0
    assert b"somebody" not in received
    # A login without TLS would be longer than the request for TLS, which holds neither.
    assert len(received) <= 36
    assert "a-password" not in done.stderr


# ---- how they talk ----
def write_everything(editor: Editor) -> None:
    """Every route that writes, and one that reads what they did."""
    at, tag, product = editor.created()
    for method, body in (
        ("PUT", make_input(sku=product["sku"], stock=98)),
        ("PATCH", {"stock": 99}),
    ):
        answer = editor.send(method, at, body, if_match=tag)
        assert answer.status == 200, answer.body
        tag = answer.headers["ETag"]
    tag = editor.send("DELETE", at, if_match=tag).headers["ETag"]
    key = str(uuid.uuid4())
    for _ in range(2):
        restored = editor.send("POST", f"{at}/restore", if_match=tag, key=key)
        assert restored.status == 200, restored.body
    assert len(editor.history(at)) == 5


def test_nothing_pins_a_proxy(private_stack: Stack) -> None:
    """With no other client connected, every route, those that write, too: no statement is prepared
    on the server, and each new connection sets its variables once."""
    private_stack.command("stop", "app")
    database = private_stack.serving_database()
    product = database.sql.value("SELECT MIN(id) FROM products")
    names = "Com_stmt_prepare", "Com_prepare_sql", "Com_set_option", "Com_lock_tables", "Com_select"
    try:

        def counters() -> dict[str, int]:
            found = database.sql.status("Com_%")
            found["Connections"] = database.sql.status("Connections")["Connections"]
            return {name: found[name] for name in (*names, "Connections") if name in found}

        before = counters()
        with (
            issuing() as issuer,
            serving(
                private_stack,
                database,
                **{"WORKERS": "4", "KEEPER_INTERVAL_MS": "60000", **issuer.settings()},
            ) as client,
        ):
            editor = Editor(client, issuer.mint("editors"))
            for _ in range(25):
                write_everything(editor)
                for target in (
                    *("/", "/v1/products", f"/v1/products/{product}", "/v1/categories", "/status"),
                    *(f"/v1/products?sort={sort}&limit=3" for sort in ("price", "-price", "name")),
                    "/v1/products?category=c1&price_min=0&in_stock=true&include=total",
                    *("/v1/products/0", "/v1/products?limit=0", "/nothing", "/health/ready"),
                ):
                    for method in ("GET", "HEAD"):
                        assert client.request(method, target).status in (200, 400, 404)
                cursor = client.get("/v1/products?limit=3").json()["next_cursor"]
                assert client.get(f"/v1/products?cursor={cursor}").status == 200
        database.load(*PRODUCTS)
        done = {name: value - before[name] for name, value in counters().items()}
        # At least the keeper, a worker and the import; at most all of them.
        assert 3 <= done["Connections"] <= 6
        assert done["Com_set_option"] == done["Connections"]
        assert done["Com_stmt_prepare"] == done.get("Com_prepare_sql", 0) == 0
        assert done["Com_lock_tables"] == 0
        assert done["Com_select"] > 25 * 10
        assert counters()["Com_stmt_prepare"] == 0
    finally:
        private_stack.command("start", "app")
