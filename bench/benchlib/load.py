"""The load generator: h2load, which sends a fixed number of requests over kept connections and
writes down each one."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .figures import percentile

# The slowest peer answers some hundred requests a second; a hanging one must not hold the run.
LIMIT_S = 600


class LoadError(Exception):
    """The load generator could not do its work."""


@dataclass(frozen=True)
class Load:
    """What one run of the generator saw."""

    asked: int
    succeeded: int
    # Answers that were not 2xx or 3xx, connections that failed, timeouts: whatever is no answer.
    failed: int
    codes: dict[str, int]
    seconds: float
    p50_us: int
    p99_us: int

    @property
    def rate(self) -> float:
        return self.asked / self.seconds if self.seconds else 0.0


def parse_summary(text: str) -> tuple[int, int, dict[str, int], float]:
    """Requests asked for, those that succeeded, status codes by class, and seconds."""
    requests = re.search(
        r"^requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded", text, re.M
    )
    codes = re.search(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text, re.M)
    finished = re.search(r"^finished in ([\d.]+)(us|ms|s|m),", text, re.M)
    if not (requests and codes and finished):
        raise LoadError(f"h2load has said something unknown:\n{text}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[finished[2]]
    classes = dict(zip(("2xx", "3xx", "4xx", "5xx"), map(int, codes.groups()), strict=True))
    return int(requests[1]), int(requests[2]), classes, float(finished[1]) * unit


def parse_log(text: str) -> list[int]:
    """Microseconds of each request, from lines of start, status and duration; a request that got no
    answer has a status of -1 and is no duration."""
    rows = (line.split("\t") for line in text.splitlines())
    return [int(duration) for _, status, duration in rows if status != "-1"]


def run(url: str, requests: int, clients: int, scratch: Path) -> Load:
    """Sends this many requests over this many connections, one at a time on each."""
    program = shutil.which("h2load")
    if program is None:
        raise LoadError("h2load is missing; local/setup bench installs it")
    log = scratch / "requests.log"
    log.unlink(missing_ok=True)
    argv = [program, "--h1", f"-n{requests}", f"-c{clients}", "-t1", f"--log-file={log}", url]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise LoadError(f"{url} did not answer {requests} requests within {LIMIT_S} s") from None
    if done.returncode != 0:
        raise LoadError(f"h2load failed on {url}: {(done.stderr + done.stdout).strip()[-2000:]}")
    asked, succeeded, codes, seconds = parse_summary(done.stdout)
    times = sorted(parse_log(log.read_text()))
    log.unlink()
    return Load(
        asked=asked,
        succeeded=succeeded,
        failed=requests - succeeded,
        codes=codes,
        seconds=seconds,
        p50_us=percentile(times, 50),
        p99_us=percentile(times, 99),
    )
