"""The command line of tests/run, and the table of suites."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import NoReturn

from .report import Counts
from .suite import REPORTS, ROOT, Checker, PytestSuite, Suite, UnitSuite

SANITIZERS = Checker(
    "sanitizers",
    lambda folder: {
        "ASAN_OPTIONS": f"detect_leaks=1:log_path={folder}/asan",
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={folder}/ubsan",
    },
    is_finding=lambda text: bool(text.strip()),
)


def _memcheck_found(text: str) -> bool:
    """Whether a log of memcheck holds an error. A process that SIGKILL ended (a unit test does that
    on purpose) has no summary: its header of six lines is all there may be."""
    summary = re.search(r"ERROR SUMMARY: (\d+) errors", text)
    return summary[1] != "0" if summary else len(text.splitlines()) > 6


# tests/valgrind/memcheck reads VALGRIND_LOGS; every process of the program writes a log of its own.
VALGRIND = Checker(
    "valgrind",
    lambda folder: {"VALGRIND_LOGS": str(folder), "CK_FORK": "no"},
    is_finding=_memcheck_found,
)
INFRA_VENV = ROOT / "build/venv-infra"
CONTRACT_VENV = ROOT / "build/venv-contract"
# What has a Node.js that is new enough, for those who start the first one on the PATH.
NODE_PATH = {"PATH": f"{INFRA_VENV}/bin:{os.environ['PATH']}"}
MEMCHECK = "tests/valgrind/memcheck"

# A plan is what one make target runs. Limits are for the slowest machine, not for this one.
PLANS: dict[str, list[Suite]] = {
    "test": [
        UnitSuite("unit", 300),
        PytestSuite("integration-mysql", 1500, {"DB": "mysql"}),
        PytestSuite("integration-mariadb", 1500, {"DB": "mariadb"}),
        PytestSuite("contract", 1500, NODE_PATH, folder="tests/contract", venv=CONTRACT_VENV),
        PytestSuite("infra", 900, NODE_PATH, folder="tests/infra", venv=INFRA_VENV),
        PytestSuite("docs", 1200, folder="tests/docs"),
        # The plan `drill` has longer outages, and both databases.
        PytestSuite("drill-short", 900, {"DB": "mariadb", "OUTAGE_S": "5"}, folder="tests/drill"),
        PytestSuite("vectors", 1200, folder="tests/vectors"),
        PytestSuite("bench-logic", 300, folder="tests/bench"),
        PytestSuite("fuzz", 600, folder="tests/fuzz"),
        PytestSuite("s3-versitygw", 600, {"S3_SERVER": "versitygw"}, folder="tests/s3"),
    ],
    "asan": [
        UnitSuite("unit-asan", 600, checker=SANITIZERS, program="build/asan/tests/unit"),
        PytestSuite(
            "vectors-asan",
            1800,
            {
                "AWS_GET": str(ROOT / "build/asan/tests/aws_get"),
                "SIGV4_CASES": str(ROOT / "build/asan/tests/sigv4_cases"),
                "JWS_CASES": str(ROOT / "build/asan/tests/jws_cases"),
            },
            checker=SANITIZERS,
            folder="tests/vectors",
        ),
        PytestSuite(
            "s3-versitygw-asan",
            1200,
            {
                "CBU": str(ROOT / "build/asan/cbu"),
                "S3_SERVER": "versitygw",
                "SIGV4_CASES": str(ROOT / "build/asan/tests/sigv4_cases"),
            },
            checker=SANITIZERS,
            folder="tests/s3",
        ),
        PytestSuite(
            "integration-mariadb-asan",
            3000,
            {"DB": "mariadb", "CBU": str(ROOT / "build/asan/cbu")},
            checker=SANITIZERS,
        ),
    ],
    "images": [
        PytestSuite(
            "images",
            2400,
            {"PATH": f"{INFRA_VENV}/bin:{os.environ['PATH']}"},
            folder="tests/images",
            venv=INFRA_VENV,
        ),
    ],
    "contract-full": [
        PytestSuite(
            "contract-full",
            10800,
            {**NODE_PATH, "EXAMPLES": "20000"},
            folder="tests/contract",
            venv=CONTRACT_VENV,
        ),
    ],
    "drill": [
        PytestSuite("drill-mariadb", 1800, {"DB": "mariadb"}, folder="tests/drill"),
        PytestSuite("drill-mysql", 1800, {"DB": "mysql"}, folder="tests/drill"),
    ],
    "soak": [
        PytestSuite("soak", 4 * 3600, {"DB": "mariadb"}, folder="tests/soak"),
    ],
    "valgrind": [
        UnitSuite("unit-valgrind", 1800, checker=VALGRIND, wrapper=(MEMCHECK,)),
        PytestSuite(
            "smoke-valgrind",
            1200,
            {"MEMCHECK": str(ROOT / MEMCHECK)},
            checker=VALGRIND,
            folder="tests/valgrind",
        ),
    ],
}
# Plans whose suites may run beside each other: none has the machine to itself, and no two share a
# port, a folder or a database. The longest ones come early.
SIDE_BY_SIDE = ("test", "full")
JOBS = min(2, os.cpu_count() or 1)
Result = tuple[Suite, Counts, float]
# A second judge of signatures, and the only one of temporary credentials. Its build takes minutes.
PLANS["full"] = [
    *PLANS["test"],
    PytestSuite("s3-minio", 600, {"S3_SERVER": "minio"}, folder="tests/s3"),
]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    suites = _selected(PLANS[options.plan], options.suite)
    REPORTS.mkdir(parents=True, exist_ok=True)
    _set_environment()
    stop = threading.Event()
    jobs = min(options.jobs or (JOBS if options.plan in SIDE_BY_SIDE else 1), len(suites) or 1)
    run = _run_here if jobs == 1 else _run_aside
    try:
        with ThreadPoolExecutor(jobs) as threads:
            try:
                results = list(threads.map(lambda suite: run(suite, options.test, stop), suites))
            except KeyboardInterrupt:
                stop.set()
                threads.shutdown(cancel_futures=True)
                raise
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return _close(results, options)


def _run_here(suite: Suite, selection: str, stop: threading.Event) -> Result:
    """Shows what it says as it comes."""
    print(f"\n===== {suite.name} =====", flush=True)
    begin = time.monotonic()
    return suite, suite.run(selection, sys.stdout, stop), time.monotonic() - begin


def _run_aside(suite: Suite, selection: str, stop: threading.Event) -> Result:
    """Shows what it said when it is over, so that suites that run side by side do not mix."""
    begin = time.monotonic()
    with TemporaryFile("w+", errors="replace") as out:
        print(f"started: {suite.name}", flush=True)
        counts = suite.run(selection, out, stop)
        out.seek(0)
        print(f"\n===== {suite.name} =====\n{out.read()}", flush=True)
    return suite, counts, time.monotonic() - begin


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(
        f"  {plan:<9} {', '.join(suite.name for suite in suites)}" for plan, suites in PLANS.items()
    )
    parser = argparse.ArgumentParser(
        prog="tests/run",
        description="Runs test suites; JUnit XML of each is in build/reports/.",
        epilog=f"plans and their suites:\n{names}\n\n"
        "SUITE and TEST in the environment stand for --suite and --test.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plan", choices=list(PLANS), default="test", help="default: test")
    parser.add_argument(
        "--jobs",
        type=int,
        default=int(os.environ.get("TEST_JOBS") or 0),
        metavar="N",
        help="suites that run side by side; 1 shows their output as it comes (default: "
        f"{JOBS} for {' and '.join(SIDE_BY_SIDE)}, else 1)",
    )
    parser.add_argument(
        "--suite",
        default=os.environ.get("SUITE", ""),
        metavar="NAMES",
        help="only suites whose names begin with one of these words",
    )
    parser.add_argument(
        "--test",
        default=os.environ.get("TEST", ""),
        metavar="WORDS",
        help="only tests that match: pytest -k, or part of a unit test's name",
    )
    return parser


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _selected(suites: list[Suite], words: str) -> list[Suite]:
    prefixes = tuple(words.replace(",", " ").split())
    return [suite for suite in suites if not prefixes or suite.name.startswith(prefixes)]


def _set_environment() -> None:
    """What every suite may rely on; a value that is set already stays."""
    os.environ.setdefault("CBU", str(ROOT / "build/cbu"))
    os.environ.setdefault("SAMPLE_CATALOGUE", str(ROOT / "build/deps/sample-catalogue"))
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    vectors = Path(os.environ.get("VECTORS") or ROOT / "../shared/vectors").resolve()
    if vectors.is_dir():
        os.environ["VECTORS"] = str(vectors)


def _close(results: list[tuple[Suite, Counts, float]], options: argparse.Namespace) -> int:
    total = Counts()
    print()
    for suite, counts, _ in results:
        total.add(counts)
        for skip in counts.skips:
            print(f"skipped  {suite.name}: {skip}")
    for suite, counts, seconds in results:
        mark = "FAILED" if counts.failed else "ok"
        print(
            f"{mark:<8} {suite.name}: {counts.total} tests, {counts.failed} bad, "
            f"{counts.skipped} left out, {seconds:.0f} s"
        )
    if total.total == 0:
        print(f"nothing matches SUITE={options.suite!r} TEST={options.test!r}", file=sys.stderr)
        return 1
    closing = f"{total.passed} passed, {total.failed} failed"
    print(closing + (f", {total.skipped} skipped" if total.skipped else ""), flush=True)
    return 1 if total.failed else 0
