"""Processes that outlive the command that started them, and are never mistaken for others."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A log that has grown past this is put aside (one generation) before the next start appends to it.
LOG_LIMIT_BYTES = 16 * 1024 * 1024
POLL_S = 0.05
# How a user, a terminal that is closed, or a supervisor asks a command to end.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StackError(Exception):
    """A failure that the user can act on: the message says what and where to look."""


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented, with the log's name above them."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16384))
            text = file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except FileNotFoundError:
        text = []
    return "\n".join([f"{log}:", *(f"  {line}" for line in text or ["(empty)"])])


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None for one that has ended."""
    try:
        # The name in parentheses may itself hold blanks and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass(frozen=True)
class Process:
    """A process by number, start time and boot: a number that the system has given to another
    process since then is not this one. `owner` is the data folder it works for, by device and
    inode, so a copy of the folder does not own the processes of the original."""

    pid: int
    started: int
    boot: str
    owner: str

    @classmethod
    def read(cls, pid_file: Path, owner: str) -> Process | None:
        """The running process that a pid file names, if it still is that process."""
        try:
            pid, started, boot, recorded_owner = pid_file.read_text().split()
            process = cls(int(pid), int(started), boot, recorded_owner)
        except (FileNotFoundError, ValueError):
            return None
        return process if process.owner == owner and process.is_alive() else None

    def write(self, pid_file: Path) -> None:
        pid_file.write_text(f"{self.pid} {self.started} {self.boot} {self.owner}\n")

    def is_alive(self) -> bool:
        return self.boot == _boot_id() and _start_ticks(self.pid) == self.started

    def stop(self, stop_signal: signal.Signals, patience_s: float) -> bool:
        """Asks the process to end and waits; False when it had to be killed in the end."""
        if not self.is_alive():
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, stop_signal)
            # A stopped process (SIGSTOP, a debugger's leftover) would not see the signal.
            os.kill(self.pid, signal.SIGCONT)
        if self.wait_for_end(patience_s):
            return True
        # It leads a session of its own (see start), so the group is this process and its children.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait_for_end(10)
        return False

    def wait_for_end(self, patience_s: float) -> bool:
        end = time.monotonic() + patience_s
        while self.is_alive():
            if time.monotonic() > end:
                return False
            time.sleep(POLL_S)
        return True


@contextlib.contextmanager
def _signals_kept_back() -> Iterator[None]:
    """Delivers stop signals after the block: a process must not be started and then,
    because of a Ctrl-C, not be written down. (Blocking them would block them in the child too.)"""
    received: list[int] = []
    usual = {
        number: signal.signal(number, lambda number, _frame: received.append(number))
        for number in STOP_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        for each in received[:1]:
            signal.raise_signal(each)


def start(
    argv: Sequence[str | Path],
    *,
    pid_file: Path,
    log: Path,
    owner: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> Process:
    """Starts a process in a session of its own, without any descriptor of ours but the log, and
    writes its pid file."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as output, _signals_kept_back():
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=cwd,
                env=env,
            )
        except OSError as error:
            raise StackError(f"{argv[0]} cannot be started: {error.strerror}") from None
        # One that has ended already is found out by whoever waits for it to be ready.
        process = Process(child.pid, _start_ticks(child.pid) or 0, _boot_id(), owner)
        process.write(pid_file)
    return process


def run_to_end(argv: Sequence[str | Path], *, log: Path, cwd: Path, limit_s: float) -> int:
    """Runs a command that starts others, and returns its exit code; whatever ends the wait for it
    ends all of them."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
        )
        try:
            return child.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise StackError(f"{argv[0]} took more than {limit_s} s; {tail(log)}") from None
        finally:
            if child.returncode is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def free_port(wanted: int | None) -> int:
    """`wanted` where it is free, else any free port."""
    for port in (wanted, 0):
        if port is None:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise StackError("there is no free TCP port on 127.0.0.1")
