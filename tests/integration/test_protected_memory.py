"""The memory of every process holds secrets: no core dump has it, and no debugger of another
program of the same user may look (PR_SET_DUMPABLE)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stacks import CBU, is_alive, plain_environment, wait_for

# Who is not root, so that the kernel's answer to "whose are these files?" tells something.
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of an ordinary user with the program in it: the clone, and the tests' own temporary
    folder, may lie where only root looks."""
    with tempfile.TemporaryDirectory(prefix="cbu-memory-", dir="/tmp") as name:
        folder = Path(name)
        shutil.copy(CBU, folder / "cbu")
        if os.geteuid() == 0:
            for path in (folder, folder / "cbu"):
                os.chown(path, NOBODY, NOBODY)
        yield folder


def start(arguments: list[str], folder: Path, **settings: str) -> subprocess.Popen[bytes]:
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(
        # It shall not be for want of a limit that there is no core.
        ["sh", "-c", 'ulimit -c "$(ulimit -H -c)" && exec "$@"', "sh", *arguments],
        cwd=folder,
        env=plain_environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=(folder / "log").open("ab"),
        stderr=subprocess.STDOUT,
        **as_nobody,  # type: ignore[call-overload]
    )


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def owner_of_memory(pid: int) -> int:
    """The files of a process that may not be dumped are root's, whoever runs it."""
    return Path(f"/proc/{pid}/environ").stat().st_uid


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(60)


def test_an_ordinary_process_is_open(folder: Path) -> None:
    """What the next test relies on."""
    process = start(["sleep", "60"], folder)
    try:
        assert owner_of_memory(process.pid) == (NOBODY if os.geteuid() == 0 else os.geteuid())
    finally:
        end(process)


@pytest.mark.skipif("asan" in CBU.parts, reason="the leak check is a debugger")
def test_every_process_is_closed(folder: Path) -> None:
    process = start(
        [str(folder / "cbu"), "serve"],
        folder,
        DATABASE_URL=f"mysql://cbu@localhost/shop?socket={folder}/none.sock",
        APP_JWT_SECRET="0123456789abcdef0123456789abcdef",
        FCGI_SOCKET=str(folder / "fcgi.sock"),
        STATUS_SOCKET=str(folder / "status.sock"),
        WORKERS="2",
    )
    try:
        log = folder / "log"
        wait_for(lambda: "serve.ready" in log.read_text() or process.poll() is not None, "a start")
        assert process.poll() is None, log.read_text()
        everyone = [process.pid, *wait_for(lambda: children(process.pid), "its children")]
        assert len(everyone) == 4  # the master, the keeper, two workers
        assert [owner_of_memory(pid) for pid in everyone] == [0] * 4
        process.send_signal(signal.SIGSEGV)
        assert process.wait(60) == -signal.SIGSEGV
        # Zombies count as ended: a container may have nobody who buries them.
        wait_for(lambda: not any(map(is_alive, everyone[1:])), "its end")
        assert [file.name for file in folder.iterdir() if file.name.startswith("core")] == []
    finally:
        end(process)
