"""The servers of the yardstick: this service, and its peers. Each is started for a round, measured
and stopped again, so that only one of them runs at a time."""

from __future__ import annotations

import contextlib
import grp
import http.client
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stacklib.database import SEARCH_PATH
from stacklib.nginx import Nginx
from stacklib.process import StackError, free_port, tail

from .catalogue import Catalogue
from .paths import PEERS, ROOT, VENV, WORK

CORES = os.cpu_count() or 1
START_LIMIT_S = 60
STOP_LIMIT_S = 30
POLL_S = 0.001
CBU = os.environ.get("CBU") or str(ROOT / "build/cbu")


def program(name: str) -> str | None:
    """Where a program is; sbin is not on the PATH of every ordinary user."""
    return shutil.which(name, path=SEARCH_PATH)


def say_version(*argv: str) -> str:
    """The first line that a program says about its version."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return ((done.stdout or done.stderr).splitlines() or ["unknown"])[0].strip()


@dataclass
class Running:
    """A server that answers."""

    port: int
    # Those that were started, by the names of their programs; the rest is below them.
    parts: dict[str, int]
    live_ms: float  # from exec to the first answer that needs no database
    product_ms: float  # from exec to the first product

    @property
    def pids(self) -> list[int]:
        return list(self.parts.values())

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@dataclass(frozen=True)
class Command:
    """A process of a server: what is executed, and the signal that asks it to end."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop: signal.Signals = signal.SIGTERM

    @property
    def name(self) -> str:
        return Path(self.argv[0]).name


class Server(ABC):
    """One row of the report."""

    name: str
    title: str
    is_peer = True

    def missing(self) -> str | None:
        """Why it cannot take part on this machine; None where it can."""
        return None

    def build(self) -> None:  # noqa: B027 (what is not compiled has nothing to do here)
        """Makes what is executed, as its users would for production."""

    @abstractmethod
    def versions(self) -> list[str]: ...

    @abstractmethod
    def commands(self, catalogue: Catalogue, connections: int, port: int) -> list[Command]:
        """The processes, with this many connections to the database between them."""

    def log(self) -> Path:
        return WORK / f"{self.name}.log"

    @contextlib.contextmanager
    def up(self, catalogue: Catalogue, connections: int, product: int = 1) -> Iterator[Running]:
        port = free_port(None)
        commands = self.commands(catalogue, connections, port)
        processes: list[subprocess.Popen[bytes]] = []
        with self.log().open("wb") as log:
            try:
                begin = time.monotonic()
                for command in commands:
                    processes.append(_start(command, log.fileno()))
                live = self._wait(processes, port, "/health/live")
                first = self._wait(processes, port, f"/v1/products/{product}")
                parts = {
                    command.name: process.pid
                    for command, process in zip(commands, processes, strict=True)
                }
                yield Running(port, parts, (live - begin) * 1000, (first - begin) * 1000)
            finally:
                # The last one started is nearest to the clients.
                for command, process in reversed(list(zip(commands, processes, strict=False))):
                    _stop(command, process)

    def _wait(self, processes: Sequence[subprocess.Popen[bytes]], port: int, path: str) -> float:
        """When the first 200 came."""
        end = time.monotonic() + START_LIMIT_S
        while get_status(port, path) != 200:
            if any(process.poll() is not None for process in processes):
                raise StackError(f"{self.title} ended at its start; {tail(self.log())}")
            if time.monotonic() > end:
                raise StackError(
                    f"{self.title} did not answer {path} within {START_LIMIT_S} s; "
                    f"{tail(self.log())}"
                )
            time.sleep(POLL_S)
        return time.monotonic()


def get_status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _start(command: Command, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd=ROOT,
        env={**os.environ, **command.env},
    )


def _stop(command: Command, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(command.stop)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT_S)
    # It leads its session, so its group is what is left of it and its children.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_LIMIT_S)


def _run_to_end(argv: Sequence[str], cwd: Path, **env: str) -> None:
    done = subprocess.run(
        argv, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=1800
    )
    if done.returncode != 0:
        raise StackError(f"{' '.join(argv)} failed:\n{(done.stdout + done.stderr).strip()[-4000:]}")


def _fill(template: Path, to: Path, **values: str) -> None:
    """Fills in the names between two @."""
    text = re.sub(r"@([A-Z_]+)@", lambda name: values[name[1]], template.read_text())
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text)


def _peer_settings(catalogue: Catalogue, connections: int, port: int) -> dict[str, str]:
    return {
        **catalogue.settings,
        "PORT": str(port),
        "CONNECTIONS": str(connections),
        "CURSOR_KEY": "0123456789abcdef0123456789abcdef",
        # What GET / of ours says, so that theirs says the same.
        "VERSION": say_version(CBU, "version").split()[-1],
        "CURRENCY": "USD",
    }


class Cbu(Server):
    """This service: `cbu serve` and nginx, both as shipped, access log included."""

    is_peer = False

    def __init__(self, name: str, title: str, **nginx: str) -> None:
        self.name, self.title, self._nginx = name, title, nginx

    def missing(self) -> str | None:
        table = (ROOT / "nginx/variables").read_text()
        unknown = [name for name in self._nginx if not re.search(rf"^{name}\s", table, re.M)]
        return f"nginx/variables has no {' and no '.join(unknown)}" if unknown else None

    def versions(self) -> list[str]:
        return [say_version(CBU, "version"), say_version(str(program("nginx")), "-v")]

    def commands(self, catalogue: Catalogue, connections: int, port: int) -> list[Command]:
        folder = catalogue.folder
        folder.save(port=port)
        nginx = Nginx(folder)
        config = folder.nginx / f"{self.name}.conf"
        settings = {**nginx.settings(), **self._nginx, "NGINX_LISTEN": "127.0.0.1"}
        for log in (self.access_log(catalogue), self.error_log(catalogue)):
            log.unlink(missing_ok=True)
        _run_to_end([str(ROOT / "nginx/render"), str(config)], folder.nginx, **settings)
        serve = {**catalogue.app.settings(), "WORKERS": str(connections)}
        return [
            Command([str(catalogue.app.program), "serve"], serve),
            Command(
                [str(program("nginx")), "-e", "stderr", "-c", str(config), "-g", "daemon off;"],
                stop=signal.SIGQUIT,
            ),
        ]

    @staticmethod
    def access_log(catalogue: Catalogue) -> Path:
        return catalogue.folder.log("nginx")

    @staticmethod
    def error_log(catalogue: Catalogue) -> Path:
        return catalogue.folder.log("nginx-error")


class Go(Server):
    name, title = "go", "Go net/http"
    _version = (1, 25)

    def missing(self) -> str | None:
        return None if self._go() else "there is no Go 1.25 or newer"

    def _go(self) -> str | None:
        for found in (shutil.which("go"), shutil.which("go", path=str(VENV / "bin"))):
            number = found and re.search(r"go(\d+)\.(\d+)", say_version(found, "version"))
            if number and (int(number[1]), int(number[2])) >= self._version:
                return found
        return None

    def build(self) -> None:
        output = str(WORK / "go/catalogue")
        argv = [str(self._go()), "build", "-trimpath", "-mod=readonly", "-o", output, "."]
        _run_to_end(argv, PEERS / "go", GOTOOLCHAIN="local")

    def versions(self) -> list[str]:
        driver = re.search(r"^require (\S+ \S+)$", (PEERS / "go/go.mod").read_text(), re.M)
        return [say_version(str(self._go()), "version"), driver[1] if driver else ""]

    def commands(self, catalogue: Catalogue, connections: int, port: int) -> list[Command]:
        settings = _peer_settings(catalogue, connections, port)
        return [Command([str(WORK / "go/catalogue")], settings)]


class Axum(Server):
    name, title = "axum", "axum + sqlx"
    _version = (1, 94)

    def missing(self) -> str | None:
        found = shutil.which("cargo")
        number = found and re.search(r" (\d+)\.(\d+)", say_version(found, "--version"))
        if not number or (int(number[1]), int(number[2])) < self._version:
            return "there is no cargo 1.94 or newer"
        return None

    def build(self) -> None:
        argv = [str(shutil.which("cargo")), "build", "--release", "--locked", "--quiet"]
        _run_to_end(argv, PEERS / "axum", CARGO_TARGET_DIR=str(WORK / "axum"))

    def versions(self) -> list[str]:
        lock = (PEERS / "axum/Cargo.lock").read_text()
        crates = dict(re.findall(r'^name = "(axum|sqlx|tokio)"\nversion = "([^"]+)"', lock, re.M))
        return [say_version("rustc", "--version"), *(f"{k} {v}" for k, v in crates.items())]

    def commands(self, catalogue: Catalogue, connections: int, port: int) -> list[Command]:
        settings = _peer_settings(catalogue, connections, port)
        return [Command([str(WORK / "axum/release/catalogue")], settings)]


class FastApi(Server):
    name, title = "fastapi", "FastAPI"

    def missing(self) -> str | None:
        return None if (VENV / "bin/uvicorn").exists() else "local/setup bench has not been run"

    def versions(self) -> list[str]:
        wanted = r"^((?:fastapi|SQLAlchemy|asyncmy|uvicorn|pydantic|uvloop)==\S+)"
        pins = re.findall(wanted, (ROOT / "requirements-bench.txt").read_text(), re.M)
        return [say_version(str(VENV / "bin/python"), "--version"), *pins]

    def commands(self, catalogue: Catalogue, connections: int, port: int) -> list[Command]:
        """A process for each core, as uvicorn's documentation has it, with its C parts."""
        share = max(1, connections // CORES)
        return [
            Command(
                [
                    *(str(VENV / "bin/uvicorn"), "app:app", "--app-dir", str(PEERS / "fastapi")),
                    *("--host", "127.0.0.1", "--port", str(port), "--workers", str(CORES)),
                    *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
                    *("--log-level", "warning"),
                ],
                {
                    **_peer_settings(catalogue, share, port),
                    "PYTHONDONTWRITEBYTECODE": "",
                    "PYTHONPYCACHEPREFIX": str(WORK / "pycache"),
                },
            )
        ]


class Php(Server):
    name, title = "php", "php-fpm + nginx"

    def missing(self) -> str | None:
        return None if self._fpm() else "there is no php-fpm with PDO for MySQL"

    def _fpm(self) -> str | None:
        """Debian's program carries its version in its name."""
        folders = [Path(folder) for folder in SEARCH_PATH.split(os.pathsep) if folder]
        found = sorted(str(file) for folder in folders for file in folder.glob("php-fpm*"))
        for each in reversed(found):
            modules = subprocess.run(
                [each, "-m"], capture_output=True, text=True, timeout=60
            ).stdout
            if {"pdo_mysql", "Zend OPcache"} <= set(modules.splitlines()):
                return each
        return None

    def versions(self) -> list[str]:
        return [say_version(str(self._fpm()), "-v"), say_version(str(program("nginx")), "-v")]

    def commands(self, catalogue: Catalogue, connections: int, port: int) -> list[Command]:
        run = catalogue.folder.nginx / "php"
        run.mkdir(exist_ok=True)
        user = pwd.getpwuid(os.getuid()).pw_name
        values = {
            "USER": user,
            "GROUP": grp.getgrgid(os.getgid()).gr_name,
            "SOCKET": str(catalogue.folder.socket("php")),
            "CONNECTIONS": str(connections),
            "LOG": "/dev/stderr",
            "ERROR_LOG": "stderr",
            "RUN": str(run),
            "PORT": str(port),
            "SCRIPT": str(PEERS / "php/index.php"),
        }
        _fill(PEERS / "php/fpm.conf.template", run / "fpm.conf", **values)
        _fill(PEERS / "php/nginx.conf.template", run / "nginx.conf", **values)
        as_root = ["--allow-to-run-as-root"] if os.getuid() == 0 else []
        settings = _peer_settings(catalogue, connections, port)
        nginx = [str(program("nginx")), "-e", "stderr", "-c", str(run / "nginx.conf")]
        return [
            Command([str(self._fpm()), "-F", "-y", str(run / "fpm.conf"), *as_root], settings),
            Command([*nginx, "-g", "daemon off;"], stop=signal.SIGQUIT),
        ]


OURS = Cbu("cbu", "cbu")
OURS_PLAIN = Cbu("cbu-plain", "cbu, NGINX_KEEPALIVE=0", NGINX_KEEPALIVE="0")
ALL: dict[str, Server] = {
    server.name: server for server in (OURS, OURS_PLAIN, Axum(), Go(), Php(), FastApi())
}
