"""Renders the project's nginx configuration, runs a private nginx with it, and talks to it."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import pwd
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).resolve().parents[2]
RENDER = ROOT / "nginx" / "render"
# Generous: it only bounds what would otherwise wait for ever.
LIMIT_S = 30.0


def render(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs nginx/render with nothing but these settings in its environment."""
    return subprocess.run(
        [RENDER, *arguments],
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def nginx_command(folder: Path, *arguments: str) -> list[str]:
    """nginx on the configuration of this folder; -e keeps it from its built-in error log."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program is not None, "nginx is not installed"
    return [
        program,
        "-e",
        "stderr",
        "-p",
        str(folder),
        "-c",
        str(folder / "nginx.conf"),
        *arguments,
    ]


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Nginx:
    """One nginx of its own in `folder`, which also holds its sockets. Use as a context manager."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = {
            "NGINX_LISTEN": "127.0.0.1",
            "NGINX_RUN_DIR": str(folder),
            "FCGI_SOCKET": str(folder / "fcgi.sock"),
            "STATUS_SOCKET": str(folder / "status.sock"),
            "NGINX_ACCESS_LOG": str(folder / "access.log"),
            "NGINX_ERROR_LOG": str(folder / "error.log"),
            # The peers' sockets belong to whoever runs the tests.
            "NGINX_USER": pwd.getpwuid(os.geteuid()).pw_name,
            **settings,
        }
        self.port = 0

    def __enter__(self) -> Nginx:
        for _ in range(5):  # Another process may take the port between probe and start.
            self.port = free_port()
            self.render()
            self._start()
            if self._is_up():
                return self
            self.stop()
        raise RuntimeError(f"nginx did not start:\n{self.error_log()}")

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            nginx_command(self.folder, "-g", "daemon off;"),
            # The log must be in UTC wherever the machine is.
            env={"PATH": os.environ["PATH"], "TZ": "Asia/Tokyo"},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start_again(self) -> None:
        """The same on the same port, after it has ended."""
        self._start()
        assert self._is_up(), self.error_log()

    def quit(self) -> None:
        """Stops it as ECS does: running requests are finished."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(LIMIT_S)

    def render(self) -> None:
        """Writes nginx.conf."""
        done = render(str(self.folder / "nginx.conf"), PORT=str(self.port), **self.settings)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def _is_up(self) -> bool:
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), self.connect():
                return True
            time.sleep(0.02)
        return False

    def stop(self) -> None:
        """Ends nginx and its workers, by force when they do not go."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LIMIT_S)
        with contextlib.suppress(ProcessLookupError):
            # Its own session, so its own process group: whatever of it is still there.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT_S)

    def error_log(self) -> str:
        path = self.folder / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def access_log(self, request_id: str) -> dict[str, Any]:
        """The log line of a request; it is written after the answer, so this waits for it. The
        last line may be seen while only half of it is there."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            for line in (self.folder / "access.log").read_bytes().split(b"\n")[:-1]:
                fields: dict[str, Any] = json.loads(line)
                if fields["request_id"] == request_id:
                    return fields
            time.sleep(0.02)
        raise AssertionError(f"request {request_id} is not in the access log")

    def connect(self, host: str = "127.0.0.1", source: str = "") -> socket.socket:
        return socket.create_connection(
            (host, self.port), LIMIT_S, source_address=(source, 0) if source else None
        )

    def request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        host: str = "127.0.0.1",
        source: str = "",
    ) -> Answer:
        """One well-formed request on a connection of its own."""
        connection = http.client.HTTPConnection(
            host, self.port, timeout=LIMIT_S, source_address=(source, 0) if source else None
        )
        with contextlib.closing(connection):
            connection.request(method, target, body, headers or {})
            return _read_answer(connection.getresponse())

    def get(self, target: str, **headers: str) -> Answer:
        return self.request("GET", target, headers=headers)

    def raw(self, data: bytes) -> Answer:
        """Exactly these bytes."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):  # It may answer before it has read all.
                connection.sendall(data)
            return read_answer(connection, "HEAD" if data.startswith(b"HEAD ") else "GET")

    def raw_bytes(self, data: bytes) -> bytes:
        """Exactly these bytes, and all that comes back until the connection is closed."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """Reads one HTTP answer from a socket."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return _read_answer(response)


def _read_answer(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, response.headers, response.read())


def read_all(connection: socket.socket) -> bytes:
    """Reads until the other side hangs up, politely or not."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            data += part
    return data


class _StatusHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LIMIT_S
    server: StatusPeer

    def do_GET(self) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers.items())))
        if self.server.hanging:
            self.server.stopping.wait(LIMIT_S)
            return
        status, body = self.server.pages.get(self.path, (404, b"{}"))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing: BaseHTTPRequestHandler would write to stderr."""


class StatusPeer(socketserver.ThreadingUnixStreamServer):
    """Stands in for the master's status listener. Use as a context manager."""

    daemon_threads = True
    pages: ClassVar[dict[str, tuple[int, bytes]]] = {
        "/health/live": (200, b'{"status":"ok"}'),
        "/health/ready": (503, b'{"status":"unavailable"}'),
        "/status": (200, b'{"version":"test"}'),
        "/status.html": (200, b"<!DOCTYPE html>"),
        "/metrics": (200, b"# EOF"),
    }

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _StatusHandler)
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.hanging = False
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join(LIMIT_S)
        self.server_close()
