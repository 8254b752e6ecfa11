"""Thousands of generated requests, good and bad, and every answer judged by the API document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from issuer import Issuer
from nginx_server import ROOT
from stacks import Service

HERE = Path(__file__).parent
# `make contract-full` asks for 20,000.
EXAMPLES = int(os.environ.get("EXAMPLES") or 2000)
# For each operation; half of them have few different inputs, so more than five would take too few.
EXAMPLES_EACH = EXAMPLES // 5
# A multiple of what the slowest machine needs.
SECONDS_AN_EXAMPLE = 0.5


@pytest.mark.timeout(120 + EXAMPLES * SECONDS_AN_EXAMPLE)
def test_finds_nothing(
    changing: Service, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{changing.nginx.port}"
    workers = changing.workers()
    report = ROOT / "build/reports/schemathesis.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"),
            *("run", f"{url}/openapi.json", "--max-examples", str(EXAMPLES_EACH)),
            *("--report", "json", "--report-json-path", report),
        ],
        cwd=HERE,
        env={
            **os.environ,
            "PYTHONPATH": str(HERE),
            "NO_COLOR": "1",
            "TOKEN": issuer.mint("editors", exp=int(time.time()) + 6 * 3600),
        },
        capture_output=True,
        text=True,
    )
    # Shown by pytest when the test fails.
    print(done.stdout[-20000:], done.stderr[-5000:])
    assert done.returncode == 0
    judged = _judged(report)
    with capsys.disabled():
        print(f"\nschemathesis: {judged} ({report.relative_to(ROOT)})")
    assert judged.examples >= EXAMPLES
    # Whatever came, no worker died of it and none failed.
    assert changing.workers() == workers
    assert all(worker["server_errors"] == 0 for worker in changing.status()["workers"]["list"])


@dataclass(frozen=True)
class Judged:
    examples: int
    operations: int
    seed: int

    def __str__(self) -> str:
        return f"{self.examples} requests to {self.operations} operations, seed {self.seed}"


def _judged(report: Path) -> Judged:
    """What the run was, from its own report."""
    said = json.loads(report.read_text())
    return Judged(
        examples=int(said["test_cases"]["generated"]),
        operations=int(said["operations"]["tested"]),
        seed=int(said["seed"]),
    )
