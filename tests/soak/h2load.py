"""h2load: sends so many requests over so many connections, and writes down each one."""

from __future__ import annotations

import math
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# A hanging service must not hold the run for ever.
LIMIT_S = 900


@dataclass(frozen=True)
class Run:
    """What one run of it saw."""

    requests: int
    # Whatever was not answered with 200: other answers, timeouts, connections that failed.
    failed: int
    seconds: float
    p99_ms: float


def percentile(ordered: list[int], percent: int) -> int:
    """The least value that this percentage of all does not exceed; 0 of none."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0


def read_log(text: str) -> tuple[int, list[int]]:
    """How many were answered with 200, and the microseconds that these took, in order; a line is
    start, status and duration."""
    rows = [line.split("\t") for line in text.splitlines()]
    times = sorted(int(duration) for _, status, duration in rows if status == "200")
    return len(times), times


def run(url: str, requests: int, clients: int, scratch: Path) -> Run:
    """One request at a time on each connection, which is kept."""
    log = scratch / "requests.log"
    log.unlink(missing_ok=True)
    done = subprocess.run(
        ["h2load", "--h1", f"-n{requests}", f"-c{clients}", "-t1", f"--log-file={log}", url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    good, times = read_log(log.read_text())
    finished = re.search(r"^finished in ([\d.]+)(us|ms|s|m),", done.stdout, re.MULTILINE)
    assert finished, done.stdout
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[finished[2]]
    return Run(
        requests=requests,
        failed=requests - good,
        seconds=float(finished[1]) * unit,
        p99_ms=percentile(times, 99) / 1000,
    )
