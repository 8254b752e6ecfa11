"""Process trees as the kernel accounts for them: CPU time and proportional memory."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stat:
    pid: int
    ppid: int
    # Of children that have ended and were waited for, and of their own such children.
    reaped_ticks: int
    threads: int


def parse_stat(text: str) -> Stat:
    """A line of /proc/PID/stat. The name in parentheses may itself hold blanks and parentheses."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Stat(
        pid=int(head.split(" ", 1)[0]),
        ppid=int(fields[1]),
        reaped_ticks=int(fields[13]) + int(fields[14]),
        threads=int(fields[17]),
    )


def parse_rollup(text: str) -> int:
    """The proportional set size in bytes of /proc/PID/smaps_rollup: pages that n processes share
    count a n-th."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * 1024
    raise ValueError("there is no Pss")


def descendants(parents: Mapping[int, int], roots: Iterable[int]) -> set[int]:
    """The roots and all below them; `parents` is the parent of each process."""
    found = set(roots)
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return found


def _stats() -> dict[int, Stat]:
    stats = {}
    for entry in PROC.iterdir():
        # A process may end while it is being read.
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                stats[int(entry.name)] = parse_stat((entry / "stat").read_text())
    return stats


def tree(roots: Iterable[int]) -> dict[int, Stat]:
    stats = _stats()
    pids = descendants({pid: stat.ppid for pid, stat in stats.items()}, roots)
    return {pid: stats[pid] for pid in pids if pid in stats}


def process_clock(pid: int) -> int:
    """The CPU clock of a process, as clock_getcpuclockid(3) makes its number. It is the scheduler's
    own sum in nanoseconds, of all threads and those that have ended, where utime and stime of
    /proc/PID/stat are cut to ticks of 10 ms."""
    return ~pid << 3 | 2


def cpu_ns(roots: Iterable[int]) -> int:
    """CPU time that the trees below these processes have used since they were started. A process
    that has ended in between stands in the ticks of the one that waited for it."""
    total = 0
    for pid, stat in tree(roots).items():
        with contextlib.suppress(OSError):
            total += time.clock_gettime_ns(process_clock(pid)) + stat.reaped_ticks * NS_PER_TICK
    return total


def parse_machine(text: str) -> int:
    """Ticks that the machine's cores were not idle since boot, from the first line of /proc/stat;
    what the hypervisor gave to others counts."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, text.split()[1:9])
    return user + nice + system + irq + softirq + steal


def machine_ns() -> int:
    return parse_machine((PROC / "stat").read_text()) * NS_PER_TICK


def pss_bytes(roots: Iterable[int]) -> int:
    return sum(parse_rollup((PROC / f"{pid}/smaps_rollup").read_text()) for pid in tree(roots))


def count(roots: Iterable[int]) -> tuple[int, int]:
    """Processes and threads."""
    stats = tree(roots).values()
    return len(stats), sum(stat.threads for stat in stats)
