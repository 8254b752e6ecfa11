"""The service itself: migrations, the demo catalogue, `cbu serve`."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from .aws import COGNITO, MIGRATE, Aws
from .cognito import Cognito
from .database import ADMIN_USER, ROOT, SERVING_USER, Database
from .folder import Folder
from .process import Process, StackError, start, tail

DEMO_CATALOGUE = ROOT / "local/demo/products.ndjson"
# Generous: a sanitizer or valgrind build of the service is many times slower.
COMMAND_S = 600


def stop_timeout_s() -> int:
    """STOP_TIMEOUT_S, as the service and nginx read it; nonsense is for them to refuse."""
    value = os.environ.get("STOP_TIMEOUT_S", "")
    return int(value) if value.isdigit() else 25


class App:
    """`cbu serve` of one data folder, and the commands that prepare its database."""

    def __init__(self, folder: Folder, database: Database, aws: Aws, cognito: Cognito) -> None:
        self.folder = folder
        self.aws = aws
        self.cognito = cognito
        self.database = database
        # Another build of the program, an instrumented one for instance.
        self.program = Path(os.environ.get("CBU") or ROOT / "build/cbu").absolute()

    def settings(self) -> dict[str, str]:
        """The settings that make this service this stack's. Every other setting is passed through
        from the caller's environment; these are not, or the output of `local/stack env` would
        tie a second stack to the first."""
        own = {
            "DATABASE_URL": self.database.url(SERVING_USER),
            "APP_JWT_SECRET": self.folder.secret("app-jwt"),
        }
        if self.aws.is_wanted:  # what is secret comes from the stand-in, as in production
            own = {
                "DATABASE_URL": self.database.url_without_password(SERVING_USER),
                **self.aws.settings(),
            }
        if self.cognito.is_wanted and self.aws.is_wanted:
            own["COGNITO_CLIENT_SECRET_ARN"] = COGNITO
        elif self.cognito.is_wanted:
            own["COGNITO_CLIENT_SECRET"] = self.cognito.client_secret
        return {
            **own,
            **self.cognito.settings(),
            "DATABASE_CA_FILE": str(self.database.ca_file),
            "FCGI_SOCKET": str(self.folder.socket("fcgi")),
            "STATUS_SOCKET": str(self.folder.socket("status")),
        }

    def check_program(self) -> None:
        if not os.access(self.program, os.X_OK):
            raise StackError(f"{self.program} is missing; `make build` makes it")

    def migrate(self) -> None:
        # The administrator's address is for this one command, as in production.
        env = {"MIGRATE_DATABASE_URL": self.database.url(ADMIN_USER)}
        if self.aws.is_wanted:
            env = {
                "MIGRATE_DATABASE_URL": self.database.url_without_password(ADMIN_USER),
                "MIGRATE_DATABASE_SECRET_ARN": MIGRATE,
            }
        log = self.folder.log("migrate")
        with log.open("wb") as output:
            done = self._command("migrate", env=env, stdout=output, stderr=subprocess.STDOUT)
        if done != 0:
            raise StackError(f"cbu migrate failed with exit code {done}; {tail(log)}")

    def import_demo(self) -> None:
        """Loads the demo catalogue once; the program shows its progress on a terminal."""
        if self.folder.state.get("demo_loaded"):
            return
        done = self._command("import", str(DEMO_CATALOGUE))
        if done != 0:
            raise StackError(f"cbu import {DEMO_CATALOGUE} failed with exit code {done}")
        self.folder.save(demo_loaded=True)

    def start(self, workers: int | None) -> Process:
        more = {} if workers is None else {"WORKERS": str(workers)}
        return start(
            [self.program, "serve"],
            pid_file=self.folder.pid_file("app"),
            log=self.folder.log("app"),
            owner=self.folder.owner,
            cwd=ROOT,
            env=self._environment(more),
        )

    def stop(self, process: Process) -> bool:
        return process.stop(signal.SIGTERM, stop_timeout_s() + 10)

    def is_ready(self) -> bool:
        return self.status("/health/ready") == 200

    def status(self, path: str) -> int | None:
        """The status code of the master's own listener, or None when it does not answer."""
        return http_status(lambda: _UnixConnection(self.folder.socket("status")), path)

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        env = {**os.environ, **self.settings(), **more}
        for name in ("MIGRATE_DATABASE_URL", "MIGRATE_DATABASE_SECRET_ARN"):
            if name not in more:
                env.pop(name, None)
        if self.aws.is_wanted:
            env.pop("APP_JWT_SECRET", None)
            env.pop("COGNITO_CLIENT_SECRET", None)
        return env

    def _command(
        self, *arguments: str, env: dict[str, str] | None = None, **streams: object
    ) -> int:
        done = subprocess.run(
            [self.program, *arguments],
            cwd=ROOT,
            env=self._environment(env or {}),
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_S,
            **streams,  # type: ignore[call-overload]
        )
        return int(done.returncode)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def http_status(connect: Callable[[], http.client.HTTPConnection], path: str) -> int | None:
    """The status code of a GET, or None when there is no answer."""
    connection = connect()
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
