"""Where the microseconds go: system calls a request, counted by strace. Counting slows a server
down several times, so this is a run of its own, after everything that is timed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import load, proc
from .servers import Running

REQUESTS = 400
ATTACH_S = 30
Calls = dict[str, float]
# What a column of the report adds up.
GROUPS: dict[str, tuple[str, ...]] = {
    "read": ("read", "readv", "recvfrom", "recvmsg", "recvmmsg", "pread64"),
    "write": ("write", "writev", "sendto", "sendmsg", "sendmmsg", "pwrite64", "sendfile"),
    "poll": ("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
    "epoll_ctl": ("epoll_ctl",),
    "connect": ("accept", "accept4", "socket", "connect", "close", "shutdown"),
    "futex": ("futex",),
}
ROW = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.M)


def parse_summary(text: str) -> dict[str, int]:
    """Calls by name, from the table of `strace -c`."""
    return {name: int(calls) for calls, name in ROW.findall(text) if name != "total"}


def grouped(calls: Mapping[str, float]) -> dict[str, float]:
    """Calls by name, added up by group."""
    known = {name for names in GROUPS.values() for name in names}
    groups = {group: sum(calls.get(name, 0) for name in names) for group, names in GROUPS.items()}
    groups["other"] = sum(count for name, count in calls.items() if name not in known)
    return groups


def missing() -> str | None:
    """Why nothing can be counted here; None where it can."""
    if shutil.which("strace") is None:
        return "strace is missing; local/setup bench installs it"
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.getuid() != 0 and scope.exists() and scope.read_text().strip() != "0":
        return "only root may look into running processes here (kernel.yama.ptrace_scope)"
    return None


def count(running: Running, path: str, clients: int, scratch: Path) -> dict[str, Calls]:
    """Calls a request by name, for each of the programs of a server."""
    url = running.url(path)
    load.run(url, REQUESTS, clients, scratch)
    tables = {name: scratch / f"{name}.table" for name in running.parts}
    with contextlib.ExitStack() as tracers:
        for name, pid in running.parts.items():
            tracers.enter_context(_traced(pid, tables[name]))
        load.run(url, REQUESTS, clients, scratch)
    return {
        name: {call: times / REQUESTS for call, times in parse_summary(table.read_text()).items()}
        for name, table in tables.items()
    }


@contextlib.contextmanager
def _traced(root: int, table: Path) -> Iterator[None]:
    """Counts what a process and those below it call, into a file that is there at the end."""
    pids = list(proc.tree([root]))
    argv = ["strace", "-f", "-c", "-o", str(table), *(f"--attach={pid}" for pid in pids)]
    with table.with_suffix(".log").open("w+") as said:
        tracer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=said)
        try:
            _wait_until_attached(tracer, Path(said.name), len(pids))
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(ATTACH_S)


def _wait_until_attached(tracer: subprocess.Popen[bytes], said: Path, wanted: int) -> None:
    end = time.monotonic() + ATTACH_S
    while said.read_text().count(" attached") < wanted:
        if tracer.poll() is not None or time.monotonic() > end:
            raise load.LoadError(f"strace could not attach: {said.read_text().strip()}")
        time.sleep(0.05)
