"""Stands between a service and its database, counts the statements that pass, and holds one of them
back: before the server has it, or with its answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

# The keeper's look and what a new connection begins with are no part of a request.
NOT_COUNTED = (b"SET sql_mode", b"SELECT version FROM schema_migrations")
COM_QUERY = 3


@dataclass
class Hold:
    """Where to stop: at the `number`-th statement, counted from 1."""

    number: int
    when: Literal["before", "after"]
    reached: threading.Event = field(default_factory=threading.Event)
    # The process that sent the statement.
    pid: int = 0
    statement: str = ""


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class DatabaseProxy:
    """Use as a context manager. One request at a time counts."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._parts = urlsplit(database_url)
        self._server = self._parts.query.removeprefix("socket=").replace("%2F", "/")
        self._path = folder / "database-proxy.sock"
        self._lock = threading.Lock()
        self._hold: Hold | None = None
        self.statements: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return self._parts._replace(query=f"socket={quote(str(self._path), safe='')}").geturl()

    def __enter__(self) -> DatabaseProxy:
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _shut(connection)

    def arm(self, hold: Hold | None) -> None:
        """Counts from here on."""
        with self._lock:
            self._hold = hold
            self.statements = []

    # ---- one connection ----
    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Relays until one side ends; then the other one ends, too."""
        server = socket.socket(socket.AF_UNIX)
        with self._lock:
            self._open |= {client, server}
        muted: list[Hold] = []
        answers = threading.Thread(target=self._answers, args=(server, client, muted), daemon=True)
        with contextlib.suppress(OSError, EOFError):
            server.connect(self._server)
            answers.start()
            self._requests(client, server, muted)
        for connection in (client, server):
            _shut(connection)
        with contextlib.suppress(RuntimeError):
            answers.join()
        for connection in (client, server):
            connection.close()
        with self._lock:
            self._open -= {client, server}

    def _requests(self, client: socket.socket, server: socket.socket, muted: list[Hold]) -> None:
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, _, _ = struct.unpack("3i", credentials)
        while True:
            head = _exactly(client, 4)
            body = _exactly(client, int.from_bytes(head[:3], "little"))
            hold = self._count(body, pid) if head[3] == 0 and body[:1] == b"\x03" else None
            if hold and hold.when == "before":
                hold.reached.set()
                client.recv(1)  # nothing but its end
                return
            if hold:
                muted.append(hold)
            server.sendall(head + body)

    def _count(self, body: bytes, pid: int) -> Hold | None:
        """The hold that this statement is to stop at."""
        if body[1:].startswith(NOT_COUNTED):
            return None
        with self._lock:
            self.statements.append(body[1:].decode(errors="replace"))
            hold = self._hold
            if hold is None or len(self.statements) != hold.number:
                return None
        hold.pid, hold.statement = pid, self.statements[-1]
        return hold

    @staticmethod
    def _answers(server: socket.socket, client: socket.socket, muted: list[Hold]) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if muted:
                    muted[0].reached.set()
                else:
                    client.sendall(data)
            _shut(client)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
