"""Very many requests for one product, over every mix of few and many clients and nginx processes,
with kept connections and without. None may fail; what the slowest hundredth of them waits is
reported, with kept connections beside those without, in build/reports/soak.txt and soak.json.

N is how many requests go over kept connections in all (default 1,000,000), ROUNDS how often each
mix takes its turn (default 5); as many go over new connections for the comparison."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import h2load
import pytest
from nginx_server import ROOT
from stacks import Service, Stack

REQUESTS = int(os.environ.get("N") or 1_000_000)
ROUNDS = int(os.environ.get("ROUNDS") or 5)
WORKERS = 4
CLIENTS_PER_WORKER = (1, 8, 32)
NGINX_PROCESSES = (1, 2, 4)
# "" is the default of nginx/variables.
WAYS = {"kept": {}, "new": {"NGINX_KEEPALIVE": "0"}}
# Above this a mix is marked in the report. No test fails for it: other work on the machine is as
# good a reason.
RATIO_MAX = 1.25
REPORTS = ROOT / "build/reports"
MIXES = list(product(CLIENTS_PER_WORKER, NGINX_PROCESSES))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack") / "data") as made:
        yield made


@pytest.fixture(scope="module")
def target(stack: Stack) -> str:
    number = stack.serving_database().sql.value("SELECT MIN(id) FROM products WHERE listed = 1")
    return f"/v1/products/{number}"


@contextlib.contextmanager
def all_services(stack: Stack) -> Iterator[dict[tuple[str, int], Service]]:
    """One for each way and number of nginx processes. Those that have no load cost nothing."""
    with contextlib.ExitStack() as undo:
        yield {
            (way, processes): undo.enter_context(
                Service(
                    nginx={"NGINX_WORKER_PROCESSES": str(processes), **settings},
                    WORKERS=str(WORKERS),
                    **stack.settings,
                )
            )
            for (way, settings), processes in product(WAYS.items(), NGINX_PROCESSES)
        }


def report(runs: dict[tuple[str, int, int], list[h2load.Run]]) -> list[dict[str, Any]]:
    """A row for each mix: medians of the rounds."""
    rows = []
    for per_worker, processes in MIXES:
        kept, new = (
            statistics.median(run.p99_ms for run in runs[way, per_worker, processes])
            for way in ("kept", "new")
        )
        rows.append(
            {
                "clients": per_worker * WORKERS,
                "nginx_processes": processes,
                "p99_ms": {"kept": kept, "new": new},
                "ratio": round(kept / new, 3) if new else None,
                "failed": sum(
                    run.failed for way in WAYS for run in runs[way, per_worker, processes]
                ),
            }
        )
    return rows


def write_report(rows: list[dict[str, Any]], requests: int, seconds: float) -> None:
    REPORTS.mkdir(parents=True, exist_ok=True)
    facts = {"workers": WORKERS, "rounds": ROUNDS, "requests": requests, "seconds": round(seconds)}
    (REPORTS / "soak.json").write_text(json.dumps({**facts, "mixes": rows}, indent=1) + "\n")
    lines = [
        f"{requests} requests, {WORKERS} workers, {seconds:.0f} s; medians of {ROUNDS} rounds",
        "clients  nginx  p99 kept  p99 new  ratio  failed",
    ]
    for row in rows:
        kept, new = row["p99_ms"]["kept"], row["p99_ms"]["new"]
        mark = "  above" if row["ratio"] and row["ratio"] > RATIO_MAX else ""
        lines.append(
            f"{row['clients']:7}  {row['nginx_processes']:5}  {kept:5.2f} ms  {new:4.2f} ms"
            f"  {row['ratio']:5.2f}  {row['failed']:6}{mark}"
        )
    (REPORTS / "soak.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.timeout(4 * 3600)
def test_no_request_fails(
    stack: Stack, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    each = max(1000, -(-REQUESTS // (ROUNDS * len(MIXES))))
    runs: dict[tuple[str, int, int], list[h2load.Run]] = {
        (way, *mix): [] for way, mix in product(WAYS, MIXES)
    }
    with all_services(stack) as services:
        for turn in range(ROUNDS):
            for per_worker, processes in MIXES:
                # Neither way is always the first.
                for way in list(WAYS) if turn % 2 == 0 else reversed(WAYS):
                    url = f"http://127.0.0.1:{services[way, processes].nginx.port}{target}"
                    run = h2load.run(url, each, per_worker * WORKERS, tmp_path)
                    runs[way, per_worker, processes].append(run)
            with capsys.disabled():
                print(f"round {turn + 1} of {ROUNDS} is done", flush=True)
        totals = {key: service.status() for key, service in services.items()}
        logs = {key: service.nginx.error_log() for key, service in services.items()}
    everything = [run for several in runs.values() for run in several]
    rows = report(runs)
    write_report(rows, sum(run.requests for run in everything), sum(r.seconds for r in everything))
    assert [row for row in rows if row["failed"]] == []
    for key, page in totals.items():
        restarts, counts = page["restarts"], page["totals"]
        assert (restarts["crashes"], restarts["timeouts"], restarts["kills"]) == (0, 0, 0), key
        assert (counts["server_errors"], counts["shed"], counts["refused"]) == (0, 0, 0), key
        assert "[error]" not in logs[key], key


def test_one_after_the_other_on_new_connections(stack: Stack, target: str) -> None:
    """More nginx processes than workers, each of which keeps a connection that is idle most of the
    time: what ties a plain loop to the wrong ones."""
    settings = {"NGINX_WORKER_PROCESSES": "4"}
    with Service(nginx=settings, WORKERS="2", **stack.settings) as service:
        statuses = []
        for _ in range(2000):
            with service.client() as client:
                statuses.append(client.get(target).status)
        assert set(statuses) == {200}
