"""A FastCGI server with whatever manners a test needs: it counts, hangs, dies half-way.

Source: FastCGI Specification 1.0. Only what a responder needs that closes after each answer.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
# No thread of a peer outlives a test by more than this.
LIMIT_S = 60.0


@dataclass(frozen=True)
class Request:
    """What one request carried."""

    params: dict[str, str]
    body: bytes


class Exchange:
    """One request on a connection, and the means to answer it well or badly."""

    def __init__(self, connection: socket.socket, request: Request) -> None:
        self.connection = connection
        self.request = request
        self.ended = False

    def write(self, data: bytes) -> None:
        """Sends part of the answer (CGI headers, blank line, body)."""
        self.connection.sendall(_stdout(data))

    def end(self) -> None:
        """Says that the answer is complete."""
        self.ended = True
        self.connection.sendall(_end())

    def answer(self, body: bytes = b"{}", status: int = 200, *headers: str) -> None:
        """Answers as a healthy worker does."""
        lines = [f"Status: {status}", *headers]
        if not any(line.lower().startswith("content-type:") for line in headers):
            lines.append("Content-Type: application/json")
        head = "".join(f"{line}\r\n" for line in [*lines, f"Content-Length: {len(body)}"])
        # A worker never writes the body of an answer to HEAD, and neither does this one.
        only_head = self.request.params.get("REQUEST_METHOD") == "HEAD"
        content = head.encode() + b"\r\n" + (b"" if only_head else body)
        self.ended = True
        # In one piece, so that nginx is done with the connection when the client has the answer.
        self.connection.sendall(_stdout(content) + _end())


READS = ("GET", "HEAD")
Behaviour = Callable[[Exchange], None]


def answer(exchange: Exchange) -> None:
    """The behaviour of a healthy worker."""
    exchange.answer()


def die(exchange: Exchange) -> None:
    """A worker that dies before it answers; the connection is closed once a behaviour returns."""


def die_at_accept(exchange: Exchange) -> None:
    """A worker that dies before it has read the request; the peer closes without calling this."""


class FcgiPeer:
    """Serves a Unix socket, each connection in a thread of its own. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.behave: Behaviour = answer
        # Whether a connection stays open behind a read that was answered, as a worker leaves it.
        self.keeping = False
        self.requests: list[Request] = []
        # Accepted connections: one for each attempt of nginx, whether a request was read or not.
        self.attempts = 0
        # Connections that are open now.
        self.open = 0
        # Set at the end, so that a hanging behaviour can wait for it.
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> FcgiPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        # Wakes the thread out of accept(); closing the socket alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(LIMIT_S)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def reset(self, behave: Behaviour = answer) -> None:
        """Forgets what was received, and behaves so from now on."""
        self.requests.clear()
        self.attempts = 0
        self.behave = behave
        self.keeping = False

    def hang(self, exchange: Exchange) -> None:
        """The behaviour of a stuck worker: silent until the test is over."""
        self.stopping.wait(LIMIT_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.attempts += 1
                self.open += 1
            if self.behave is die_at_accept:
                connection.close()
                self._count_closed()
                continue
            connection.settimeout(LIMIT_S)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _count_closed(self) -> None:
        with self._lock:
            self.open -= 1

    def _serve(self, connection: socket.socket) -> None:
        # nginx may hang up first: it cuts off what takes too long, and closes what it kept.
        with connection, contextlib.suppress(ConnectionError, TimeoutError):
            while self._serve_one(connection):
                pass
        self._count_closed()

    def _serve_one(self, connection: socket.socket) -> bool:
        """Whether another request may come."""
        request = _read_request(connection)
        with self._lock:
            self.requests.append(request)
        exchange = Exchange(connection, request)
        self.behave(exchange)
        return self.keeping and exchange.ended and request.params["REQUEST_METHOD"] in READS


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def _stdout(data: bytes) -> bytes:
    pieces = (data[start : start + 32768] for start in range(0, len(data), 32768))
    return b"".join(_record(STDOUT, piece) for piece in pieces)


def _end() -> bytes:
    return _record(STDOUT, b"") + _record(END_REQUEST, bytes(8))


def _read_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("nginx closed the connection within a record")
        data += part
    return data


def _read_request(connection: socket.socket) -> Request:
    params, body = b"", b""
    while True:
        header = _read_exactly(connection, 8)
        version, kind, _, size, padding = struct.unpack(">BBHHBx", header)
        content = _read_exactly(connection, size + padding)[:size]
        if version != 1 or kind not in (BEGIN_REQUEST, PARAMS, STDIN):
            raise ValueError(f"unexpected FastCGI record {header!r}")
        if kind == PARAMS:
            params += content
        elif kind == STDIN:
            body += content
            if not content:
                return Request(_parse_params(params), body)


def _parse_params(data: bytes) -> dict[str, str]:
    params: dict[str, str] = {}
    at = 0

    def length() -> int:
        nonlocal at
        size = 1 if data[at] < 128 else 4
        value = int.from_bytes(data[at : at + size], "big") & 0x7FFFFFFF
        at += size
        return value

    while at < len(data):
        name_length, value_length = length(), length()
        name = data[at : at + name_length].decode("ascii")
        at += name_length
        if name in params:
            raise ValueError(f"FastCGI param {name} was sent twice")
        params[name] = data[at : at + value_length].decode("latin-1")
        at += value_length
    return params
