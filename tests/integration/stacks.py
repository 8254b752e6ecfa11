"""Real stacks for tests: `local/stack` as people use it, and services on its database."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import pymysql
from nginx_server import ROOT, Answer, Nginx

CBU = Path(os.environ.get("CBU") or ROOT / "build/cbu").absolute()
DB = os.environ.get("DB") or "mariadb"
# Generous: it only bounds what would otherwise wait for ever, in sanitizer builds too.
PATIENCE_S = 90.0
POLL_S = 0.02
# What a program of the project may see of the tests' own environment.
PASSED_ON = ("PATH", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS")

# Exit codes of the program, as <sysexits.h> names them.
EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_SOFTWARE, EX_CONFIG = 64, 65, 66, 69, 70, 78

T = TypeVar("T")


def wait_for(look: Callable[[], T], what: str) -> T:
    """Looks again and again until there is something true to see."""
    deadline = time.monotonic() + PATIENCE_S
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}; last seen: {seen!r}")
        time.sleep(POLL_S)
    return seen


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended (a zombie has)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def plain_environment(**settings: str) -> dict[str, str]:
    """An environment with these settings and no other."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | settings


def run_cbu(
    *arguments: str, input: bytes | str = b"", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand with nothing but these settings, from the project's folder."""
    data = input.encode() if isinstance(input, str) else input
    done = subprocess.run(
        [CBU, *arguments],
        cwd=ROOT,
        env=plain_environment(**settings),
        input=data,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    return subprocess.CompletedProcess(
        done.args,
        done.returncode,
        # What the program prints may quote its input, so it need not be UTF-8.
        done.stdout.decode("utf-8", "surrogateescape"),
        done.stderr.decode("utf-8", "surrogateescape"),
    )


class Sql:
    """A plain connection of our own to the database: the oracle, and the saboteur."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._connection = pymysql.connect(
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            unix_socket=unquote(parts.query.removeprefix("socket=")),
            database=unquote(parts.path.removeprefix("/")),
            charset="utf8mb4",
            autocommit=True,
            read_timeout=PATIENCE_S,
        )

    def close(self) -> None:
        with contextlib.suppress(pymysql.Error):
            self._connection.close()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            # Without values a % in the statement is just that.
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def dicts(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with self._connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def value(self, statement: str, *values: object) -> Any:
        [[value]] = self.rows(statement, *values)
        return value

    def run(self, statement: str, *values: object) -> int:
        """The number of rows that were changed."""
        with self._connection.cursor() as cursor:
            return int(cursor.execute(statement, values or None))

    def status(self, pattern: str, scope: str = "GLOBAL") -> dict[str, int]:
        """The server's counters whose names match."""
        rows = self.rows(f"SHOW {scope} STATUS LIKE '{pattern}'")
        return {name: int(value) for name, value in rows if value.isdigit()}


def with_database(url: str, name: str) -> str:
    """The same server and user, another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


class Database:
    """A database of its own on a stack's server, with the catalogue's tables in it."""

    def __init__(self, name: str, url: str, admin_url: str) -> None:
        self.name = name
        self.url = url
        self.admin_url = admin_url
        self.sql = Sql(admin_url)

    def cbu(
        self, *arguments: str, input: bytes | str = b"", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return run_cbu(*arguments, input=input, DATABASE_URL=self.url, **settings)

    def load(self, *products: Mapping[str, object]) -> None:
        """Imports products, every one of which must be good."""
        lines = "".join(f"{json.dumps(product)}\n" for product in products)
        done = self.cbu("import", "-", input=lines)
        assert (done.returncode, done.stderr) == (0, "")


class Stack:
    """One stack of `local/stack`. Use as a context manager."""

    def __init__(self, data: Path, *options: str, **settings: str) -> None:
        self.data = data
        self._options = options
        self._settings = settings
        self.env: dict[str, str] = {}
        self._databases: list[Database] = []

    def __enter__(self) -> Stack:
        self.command("up", "--db", DB, "--port", "0", *self._options)
        self.read_environment()
        return self

    def __exit__(self, *_: object) -> None:
        for database in self._databases:
            database.sql.close()
        try:
            self.command("down")
        finally:
            # The logs stay for whoever looks into a failure; the rows are of no use then.
            shutil.rmtree(self.data / "db", ignore_errors=True)

    def command(self, command: str, *arguments: str, **settings: str) -> str:
        done = subprocess.run(
            [ROOT / "local/stack", command, "--data", self.data, *arguments],
            env={**os.environ, **self._settings, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def read_environment(self) -> None:
        lines = (line.partition("=") for line in self.command("env").splitlines())
        self.env = {name: "".join(shlex.split(value)) for name, _, value in lines}

    @property
    def port(self) -> int:
        return int(self.env["PORT"])

    @property
    def settings(self) -> dict[str, str]:
        """What a second service needs to work on the same database."""
        return {name: self.env[name] for name in ("DATABASE_URL", "APP_JWT_SECRET")}

    def serving_database(self) -> Database:
        """The one that the stack's own service works on."""
        return self._opened(self.env["DATABASE_URL"], self.env["MIGRATE_DATABASE_URL"])

    def make_database(self, name: str, *, migrated: bool = True) -> Database:
        """A fresh database beside it, where the serving user may do what it may do there."""
        url = with_database(self.env["DATABASE_URL"], name)
        admin_url = with_database(self.env["MIGRATE_DATABASE_URL"], name)
        admin = Sql(self.env["MIGRATE_DATABASE_URL"])
        with contextlib.closing(admin):
            admin.run(f"DROP DATABASE IF EXISTS {name}")
            admin.run(
                f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci"
            )
            admin.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO cbu@'%'")
        if migrated:
            done = run_cbu("migrate", DATABASE_URL=admin_url)
            assert done.returncode == 0, done.stderr
        return self._opened(url, admin_url)

    def _opened(self, url: str, admin_url: str) -> Database:
        database = Database(urlsplit(url).path.removeprefix("/"), url, admin_url)
        self._databases.append(database)
        return database

    def status(self) -> dict[str, Any]:
        return status_page(Path(self.env["STATUS_SOCKET"]), "/status").json()

    def app_log(self) -> str:
        return (self.data / "log/app.log").read_text()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        # With a timeout a full queue would be an error at once.
        self.sock.connect(str(self._path))
        self.sock.settimeout(PATIENCE_S)


def status_page(path: Path, target: str, method: str = "GET") -> Answer:
    """Asks the master itself, without nginx."""
    with contextlib.closing(UnixConnection(path)) as connection:
        connection.request(method, target)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


class Client:
    """One connection to nginx that is kept, for many well-formed requests. For one thread."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, target: str, body: bytes | None = None, **headers: str) -> None:
        """Returns when the request is on its way."""
        self._connection.request(method, target, body, headers)

    def receive(self) -> Answer:
        """The answer to what was sent last."""
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def request(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> Answer:
        self.send(method, target, body, **headers)
        return self.receive()

    def get(self, target: str, **headers: str) -> Answer:
        return self.request("GET", target, None, **headers)


class SlowProxy:
    """Between a service and its database server: what the service says is passed on so much later.
    Use as a context manager."""

    def __init__(self, folder: Path, target: str, delay_s: float) -> None:
        self.path = folder / "slow.sock"
        self.delay_s = delay_s
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> SlowProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.delay_s = 0
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            self._open += [client, server]
            for pair in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, slow: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if slow:
                    time.sleep(self.delay_s)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Service:
    """`cbu serve` on sockets of its own, with an nginx in front of it unless told otherwise. Use as
    a context manager; whatever of it is left is killed at the end."""

    def __init__(
        self, *, nginx: Mapping[str, str] | None = None, with_nginx: bool = True, **settings: str
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="cbu-serve-")
        self.folder = Path(self._folder.name)
        self.settings = {
            "FCGI_SOCKET": str(self.folder / "fcgi.sock"),
            "STATUS_SOCKET": str(self.folder / "status.sock"),
            # Nobody waits for a test's requests for longer.
            "STOP_TIMEOUT_S": "10",
            "KEEPER_INTERVAL_MS": "100",
            **settings,
        }
        self._log = self.folder / "app.log"
        self._nginx_settings = dict(nginx or {})
        self._with_nginx = with_nginx
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Service:
        with contextlib.ExitStack() as undo:
            undo.callback(self._folder.cleanup)
            self._start()
            undo.callback(self._end)
            wait_for(lambda: self.events("serve.ready") or self._has_ended(), "serve.ready")
            assert self.process.poll() is None, self.log()
            if self._with_nginx:
                self.nginx = undo.enter_context(Nginx(self.folder, **self._nginx_settings))
            self._cleanup = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        # Shown by pytest with the test that failed.
        print(self.log()[-20000:])
        if self._with_nginx:
            print(self.nginx.error_log()[-20000:])
        self._cleanup.close()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [CBU, "serve"],
                cwd=ROOT,
                env=plain_environment(**self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end(self) -> None:
        self.process.terminate()
        # What a test has stopped cannot end.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE_S)
        # Its own session, so its own process group: whatever of it is still there.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def _has_ended(self) -> bool:
        return self.process.poll() is not None

    # ---- looking ----
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of this name. The last line may still be on its way."""
        lines = self.log().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if event["event"] == name]

    def page(self, target: str, method: str = "GET") -> Answer:
        return status_page(self.folder / "status.sock", target, method)

    def status(self) -> dict[str, Any]:
        page: dict[str, Any] = self.page("/status").json()
        return page

    def workers(self) -> dict[int, int]:
        """The process id of each worker that is up, by slot."""
        return {
            worker["slot"]: worker["pid"]
            for worker in self.status()["workers"]["list"]
            if worker["state"] in ("idle", "busy")
        }

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.page("/health/ready").status == 200, "/health/ready")

    # ---- acting ----
    def client(self) -> Client:
        return Client(self.nginx.port)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(PATIENCE_S)

    def start_again(self) -> None:
        """A new master in the place of one that has ended; nginx stays as it is."""
        count = len(self.events("serve.ready"))
        self._start()
        wait_for(
            lambda: len(self.events("serve.ready")) > count or self._has_ended(), "serve.ready"
        )
        assert self.process.poll() is None, self.log()

    def run_cbu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A subcommand with the same settings."""
        return run_cbu(*arguments, **self.settings)


@contextlib.contextmanager
def serving(stack: Stack, database: Database, **settings: str) -> Iterator[Client]:
    """A client of a service that works on this database."""
    base = {**stack.settings, "DATABASE_URL": database.url, "WORKERS": "2"}
    with Service(**{**base, **settings}) as service, service.client() as client:
        yield client


def waiting_connections(path: Path) -> int:
    """How many connections to a Unix socket are open, accepted or not."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    # One line is the listening socket's own.
    return sum(line.endswith(f" {path}") for line in lines) - 1


@contextlib.contextmanager
def locked(sql: Sql, table: str) -> Iterator[None]:
    """Keeps every other client out of a table, so that requests stay where they are."""
    sql.run(f"LOCK TABLES {table} WRITE")
    try:
        yield
    finally:
        sql.run("UNLOCK TABLES")
