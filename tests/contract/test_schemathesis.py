"""Thousands of generated requests, good and bad, and every answer judged by the API document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from issuer import Issuer
from stacks import Service

HERE = Path(__file__).parent
# `make contract-full` asks for 20,000.
EXAMPLES = int(os.environ.get("EXAMPLES") or 2000)
# For each operation; half of them have few different inputs, so more than six would take too few.
EXAMPLES_EACH = EXAMPLES // 6
# A multiple of what the slowest machine needs.
SECONDS_AN_EXAMPLE = 0.5


@pytest.mark.timeout(120 + EXAMPLES * SECONDS_AN_EXAMPLE)
def test_finds_nothing(changing: Service, issuer: Issuer, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{changing.nginx.port}"
    workers = changing.workers()
    report = tmp_path / "report.json"
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
    assert _examples(report) >= EXAMPLES
    # Whatever came, no worker died of it and none failed.
    assert changing.workers() == workers
    assert all(worker["server_errors"] == 0 for worker in changing.status()["workers"]["list"])


def _examples(report: Path) -> int:
    """How many requests were judged."""
    return int(json.loads(report.read_text())["test_cases"]["generated"])
