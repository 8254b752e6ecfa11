"""A whole stack: its parts in the order they need each other."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from .app import App
from .aws import DATABASE, MIGRATE, Aws
from .cognito import Cognito
from .database import ADMIN_USER, KINDS, SERVING_USER, Database
from .folder import PARTS, Folder
from .nginx import Nginx
from .process import POLL_S, STOP_SIGNALS, Process, StackError, tail

DEFAULT_PORT = 8000
# How long `up` waits for the service to be ready; valgrind needs most of it.
READY_S = 180
# Which log tells why a part ended.
LOGS = {part: part for part in PARTS} | {"nginx": "nginx-error"}


def say(text: str) -> None:
    # A terminal that was closed must not keep a stop from going on.
    with contextlib.suppress(OSError):
        print(text, flush=True)


class Stack:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.database = Database(folder)
        self.aws = Aws(folder)
        self.cognito = Cognito(folder)
        self.app = App(folder, self.database, self.aws, self.cognito)
        self.nginx = Nginx(folder)

    @classmethod
    def open(cls, data: Path) -> Stack:
        return cls(Folder.existing(data))

    @property
    def parts(self) -> list[str]:
        """Those that this stack has while it is up."""
        optional = {"aws": self.aws.is_wanted, "cognito": self.cognito.is_wanted}
        return [part for part in PARTS if optional.get(part, True)]

    # ---- up ----
    @classmethod
    def up(
        cls,
        data: Path,
        kind: str,
        port: int | None,
        workers: int | None,
        *,
        empty: bool,
        aws: bool,
        sign_in: bool,
    ) -> Stack:
        """Starts a stack that is down and returns when it answers; whatever was started is stopped
        again when something fails."""
        KINDS[kind].find()  # or an error, before the folder is made
        if sign_in:
            Cognito.find()
        stack = cls(Folder.made(data, kind))
        with stack.folder.locked(0):
            stack._refuse_live()
            stack.app.check_program()
            stack.folder.save(port=_port(port), workers=workers, aws=aws, sign_in=sign_in)
            stack.nginx.check_port()
            try:
                stack._start(workers, empty=empty)
            except BaseException:
                ignore_stop_signals()
                stack._stop()
                raise
        return stack

    def _refuse_live(self) -> None:
        live = self.folder.processes()
        if live:
            names = ", ".join(f"{part} {process.pid}" for part, process in live.items())
            raise StackError(
                f"{self.folder.path} is in use by a stack that is up ({names}); "
                f"`local/stack down --data {self.folder.path}` stops it"
            )

    def _start(self, workers: int | None, *, empty: bool) -> None:
        kind = self.database.kind
        first = not self.folder.database.exists()
        say(f"{kind.title}: {'making its data, ' if first else ''}starting")
        self.database.start()
        if self.cognito.is_wanted:
            say("Cognito stand-in: a user pool with demo users")
            self._start_cognito()
        if self.aws.is_wanted:
            say("AWS stand-in: credentials and secrets")
            self._start_aws()
        say("migrations")
        self.app.migrate()
        if not empty and not self.folder.state.get("demo_loaded"):
            say("demo catalogue")
            self.app.import_demo()
        say("service and nginx")
        self._start_app(workers)
        self._start_nginx()

    def _start_aws(self) -> None:
        logins = {DATABASE: self.database.login(SERVING_USER)}
        logins[MIGRATE] = self.database.login(ADMIN_USER)
        self.aws.prepare(logins)
        if self.cognito.is_wanted:
            self.aws.put_client_secret(self.cognito.client_secret)
        self._wait("aws", self.aws.start(), self.aws.is_ready)

    def _start_cognito(self) -> None:
        self._wait("cognito", self.cognito.start(), self.cognito.is_ready)
        self.cognito.prepare()
        if self.folder.process("aws"):  # started before: it is told the new client's secret
            self.aws.put_client_secret(self.cognito.client_secret)

    def _start_app(self, workers: int | None) -> None:
        self._wait("app", self.app.start(workers), self.app.is_ready)

    def _start_nginx(self) -> None:
        self._wait("nginx", self.nginx.start(), self.nginx.is_ready)

    def _wait(self, part: str, process: Process, is_ready: Callable[[], bool]) -> None:
        """Waits until a part is ready; a part that ends, or takes too long, is an error."""
        end = time.monotonic() + READY_S
        log = self.folder.log(LOGS[part])
        while not is_ready():
            if not process.is_alive():
                raise StackError(f"{part} ended at its start; {tail(log)}")
            if time.monotonic() > end:
                raise StackError(f"{part} was not ready within {READY_S} s; {tail(log)}")
            time.sleep(POLL_S)

    # ---- down ----
    def down(self) -> bool:
        """Stops what runs; False when nothing did."""
        with self.folder.locked(READY_S):
            return self._stop()

    def _stop(self) -> bool:
        running = self.folder.processes()
        for part in reversed(PARTS):
            self._stop_part(part)
        self.folder.remove_short_folder()
        return bool(running)

    def _stop_part(self, part: str) -> None:
        process = self.folder.process(part)
        if process is not None:
            parts = {"database": self.database, "aws": self.aws, "cognito": self.cognito}
            parts |= {"app": self.app, "nginx": self.nginx}
            if not parts[part].stop(process):
                say(f"{part} {process.pid} did not stop in time and was killed")
        self.folder.pid_file(part).unlink(missing_ok=True)

    # ---- one part, for tests of what happens without it ----
    def start_part(self, part: str) -> None:
        with self.folder.locked(READY_S):
            if self.folder.process(part) is not None:
                raise StackError(f"{part} is up")
            if part == "database":
                self.database.start()
            elif part == "aws":
                self._start_aws()
            elif part == "cognito":
                self._start_cognito()
            elif part == "app":
                self._start_app(self.folder.state.get("workers"))
            else:
                self._start_nginx()

    def stop_part(self, part: str) -> None:
        with self.folder.locked(READY_S):
            self._stop_part(part)

    # ---- rotation, for drills ----
    def rotate(self, what: str) -> None:
        """As a rotation function of Secrets Manager, or ECS for credentials, would do it."""
        with self.folder.locked(READY_S):
            if not self.aws.is_wanted:
                raise StackError("only a stack that was started with --aws can rotate secrets")
            if what == "database":
                password = self.database.change_password(SERVING_USER)
                self.aws.put_login(DATABASE, SERVING_USER, password)
            elif what == "app-key":
                self.aws.rotate_app_key()
            else:
                self.aws.rotate_credentials()

    # ---- looking ----
    def environment(self) -> dict[str, str]:
        """What a script must know of this stack."""
        pids = {
            f"{'DB' if part == 'database' else part.upper()}_PID": str(process.pid)
            for part, process in self.folder.processes().items()
        }
        return {
            "CBU_URL": self.nginx.url,
            "PORT": str(self.nginx.port),
            "DATA": str(self.folder.path),
            "DB": self.database.kind.name,
            **self.app.settings(),
            "DATABASE_TCP_URL": self.database.tcp_url(SERVING_USER),
            "MIGRATE_DATABASE_URL": self.database.url(ADMIN_USER),
            "DATABASE_SOCKET": str(self.database.socket),
            **pids,
        }

    def describe(self) -> tuple[bool, list[str]]:
        """Whether everything is up and answers, and a line for each part."""
        answers = {
            "database": lambda: "",
            "aws": lambda: "",
            "cognito": lambda: "",
            "app": lambda: f"/health/ready {self.app.status('/health/ready') or 'no answer'}",
            "nginx": lambda: f"{self.nginx.url} {self.nginx.status('/health/live') or 'no answer'}",
        }
        lines = []
        healthy = True
        for part in self.parts:
            process = self.folder.process(part)
            detail = answers[part]() if process else ""
            healthy = healthy and process is not None and (not detail or detail.endswith(" 200"))
            state = f"pid {process.pid}" if process else "down"
            lines.append(f"{part:<9} {state:<12} {detail}".rstrip())
        return healthy, lines


def ignore_stop_signals() -> None:
    """From here on the stop is under way; its waits are bounded, so no second signal is needed."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def default_data(kind: str) -> Path:
    """The data folder of whoever names none: one for each kind of database."""
    return Path(__file__).resolve().parents[1] / "data" / kind


def _port(wanted: int | None) -> int:
    """The port to listen on; 0 asks for a free one."""
    if wanted is None:
        return DEFAULT_PORT
    if wanted:
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
