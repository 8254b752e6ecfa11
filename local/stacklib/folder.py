"""A stack's data folder: where everything is, its secrets, and who works on it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .process import Process, StackError

# sun_path holds 108 bytes with its NUL.
SOCKET_PATH_LIMIT = 107
# The second runs only in a stack that was started with --aws, the third with --sign-in.
PARTS = ("database", "aws", "cognito", "app", "nginx")


class Folder:
    """The data folder of one stack. `state` is what later commands must know of earlier ones; it
    lives in stack.json, whose presence is what makes a folder a data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.state: dict[str, Any] = {}

    # ---- layout ----
    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def database(self) -> Path:
        return self.path / "db"

    @property
    def nginx(self) -> Path:
        return self.path / "nginx"

    @property
    def tls(self) -> Path:
        return self.path / "tls"

    def log(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"

    def socket(self, name: str) -> Path:
        return Path(self.state["sockets"]) / f"{name}.sock"

    # ---- opening ----
    @classmethod
    def existing(cls, path: Path) -> Folder:
        """The data folder at `path`, which an earlier `up` has made."""
        folder = cls(path)
        if not folder._state_file.is_file():
            raise StackError(f"{folder.path} is not a data folder; `local/stack up` makes one")
        folder._load()
        return folder

    @classmethod
    def made(cls, path: Path, database_kind: str) -> Folder:
        """The data folder at `path` for this kind of database, made where there is none."""
        folder = cls(path)
        if folder._state_file.is_file():
            folder._load()
            if folder.state["db"] != database_kind:
                raise StackError(
                    f"{folder.path} holds a {folder.state['db']} database, not {database_kind}; "
                    "name another data folder (--data, DATA=)"
                )
        else:
            if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
                raise StackError(f"{folder.path} exists and is not a data folder of local/stack")
            # Nobody else may reach the sockets and secrets in it.
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.path.chmod(0o700)
            folder.save(db=database_kind)
        for each in (folder.run, folder.path / "log", folder.nginx):
            each.mkdir(exist_ok=True)
        folder._place_sockets()
        return folder

    @classmethod
    def kind_of(cls, path: Path) -> str | None:
        """The kind of database in the data folder at `path`, where there is one."""
        folder = cls(path)
        return cls.existing(path).state["db"] if folder._state_file.is_file() else None

    @property
    def _state_file(self) -> Path:
        return self.path / "stack.json"

    def _load(self) -> None:
        self.state = json.loads(self._state_file.read_text())

    def save(self, **changes: object) -> None:
        """Keeps facts for later commands; the file is whole at every moment."""
        self.state.update(changes)
        fresh = self._state_file.with_suffix(".new")
        fresh.write_text(json.dumps(self.state, indent=2) + "\n")
        fresh.replace(self._state_file)

    def _place_sockets(self) -> None:
        """Sockets are in run/, or in a short private folder where that path would be too long."""
        if _longest_socket(self.run) <= SOCKET_PATH_LIMIT:
            self.save(sockets=str(self.run))
        elif not _is_private(Path(self.state.get("sockets", "/"))):
            short = tempfile.mkdtemp(prefix="cbu-")
            if _longest_socket(Path(short)) > SOCKET_PATH_LIMIT:
                raise StackError(f"{short} is too long a path for a socket; set a shorter TMPDIR")
            self.save(sockets=short)

    def remove_short_folder(self) -> None:
        """Removes the folder of the sockets where it is not in the data folder. For a stack that is
        down; the next `up` makes another."""
        sockets = Path(self.state["sockets"])
        if sockets != self.run and _is_private(sockets):
            shutil.rmtree(sockets)

    # ---- secrets ----
    def secret(self, name: str) -> str:
        """A random secret of this folder, the same at every call."""
        file = self.path / "secrets" / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        if not file.exists():
            write_private(file, secrets.token_hex(32))
        return file.read_text()

    def renew_secret(self, name: str) -> str:
        """A new value for it, for this and all later calls of secret()."""
        self.secret(name)
        write_private(self.path / "secrets" / name, secrets.token_hex(32))
        return self.secret(name)

    # ---- processes ----
    @property
    def owner(self) -> str:
        status = self.path.stat()
        return f"{status.st_dev}:{status.st_ino}"

    def pid_file(self, part: str) -> Path:
        return self.run / f"{part}.pid"

    def process(self, part: str) -> Process | None:
        """The running process of a part (see PARTS), or None."""
        return Process.read(self.pid_file(part), self.owner)

    def processes(self) -> dict[str, Process]:
        return {part: process for part in PARTS if (process := self.process(part))}

    @contextlib.contextmanager
    def locked(self, patience_s: float) -> Iterator[None]:
        """One command at a time changes a stack."""
        end = time.monotonic() + patience_s
        with (self.path / "lock").open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise StackError(
                            f"another local/stack command is working on {self.path}"
                        ) from None
                    time.sleep(0.1)
            yield


def write_private(file: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole at every moment."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
    fresh.replace(file)


def _longest_socket(folder: Path) -> int:
    return len(os.fsencode(folder / "database.sock"))


def _is_private(folder: Path) -> bool:
    """Whether this is still our own folder: /tmp is everybody's, and may have been cleaned."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    return folder.is_dir() and status.st_uid == os.getuid() and not status.st_mode & 0o077
