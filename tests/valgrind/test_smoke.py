"""200 requests of every kind to a service whose processes all run under valgrind.

What valgrind finds is not asserted here: each process writes it to a file, and the runner (checker
VALGRIND in tests/runner/cli.py) fails the suite for any finding, also one made at the very end."""

from __future__ import annotations

import os
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 200
# Path, and the answer it gets.
ROUTES = [
    ("/", 200),
    ("/v1/products", 200),
    ("/v1/products?limit=100&include=total", 200),
    ("/v1/products?sort=-price&in_stock=true", 200),
    ("/v1/products?sort=name&price_min=100&price_max=100000&category=kitchen", 200),
    ("/v1/products/1", 200),
    ("/v1/products/999999999", 404),
    ("/v1/products/nonsense", 404),
    ("/v1/products?limit=0&sort=sideways&colour=red", 400),
    ("/v1/products?cursor=bm8", 400),
    ("/v1/categories", 200),
    ("/health/ready", 200),
    ("/nothing/here", 404),
]


def _stack(*arguments: str, **more: str) -> str:
    done = subprocess.run(
        [ROOT / "local/stack", *arguments],
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = str(tmp_path_factory.mktemp("stack"))
    # Migrations and the demo catalogue run natively; the service itself is what is watched.
    _stack("up", "--data", data, "--port", "0", "--workers", "2")
    try:
        _stack("stop", "app", "--data", data)
        _stack("start", "app", "--data", data, CBU=os.environ["MEMCHECK"], STOP_TIMEOUT_S="60")
        lines = dict(line.split("=", 1) for line in _stack("env", "--data", data).splitlines())
        yield shlex.split(lines["CBU_URL"])[0]
    finally:
        _stack("down", "--data", data, STOP_TIMEOUT_S="60")


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.read()
        return error.code


@pytest.mark.timeout(1000)
def test_two_hundred_requests(url: str) -> None:
    wrong = []
    for number in range(REQUESTS):
        path, expected = ROUTES[number % len(ROUTES)]
        status = _status(url + path)
        if status != expected:
            wrong.append(f"{path}: {status}, not {expected}")
    assert not wrong
