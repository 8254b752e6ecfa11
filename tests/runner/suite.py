"""What a suite is, and how it is run: bounded in time, and leaving nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from .report import Counts, add_error, count, write_junit_of_check

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build/reports"
# After its limit a suite gets this long to end its own processes, then it is killed.
GRACE_S = 60


@dataclass(frozen=True)
class Checker:
    """A tool that watches the program under test and reports in files of its own, so that nothing a
    worker does or how it dies can hide a finding."""

    name: str
    # The environment that makes it write below a folder.
    environment: Callable[[Path], dict[str, str]]
    # Whether the text of such a file is a finding.
    is_finding: Callable[[str], bool]


@dataclass(frozen=True)
class Suite(ABC):
    name: str
    limit_s: int
    env: Mapping[str, str] = field(default_factory=dict)
    checker: Checker | None = None

    @property
    def junit(self) -> Path:
        return REPORTS / f"{self.name}.xml"

    @property
    def logs(self) -> Path:
        """The logs of the stacks of a suite that failed."""
        return REPORTS / f"{self.name}-logs"

    @property
    def findings(self) -> Path:
        return REPORTS / f"{self.name}-findings"

    @abstractmethod
    def argv(self, selection: str) -> list[str]:
        """The command; `selection` is TEST, empty for all tests."""

    def is_success(self, returncode: int, selection: str) -> bool:
        return returncode == 0

    def finish(self) -> None:  # noqa: B027 (most suites have nothing to do here)
        """Makes the JUnit file where the suite has written something else."""

    # ---- running ----
    def run(self, selection: str, out: TextIO, stop: threading.Event) -> Counts:
        """Runs the suite, which says what it says to `out` and is ended by `stop`. Whatever went
        wrong outside its tests counts as one failed test more."""
        for old in REPORTS.glob(f"{self.name}.*"):
            old.unlink()
        for folder in (self.logs, self.findings):
            shutil.rmtree(folder, ignore_errors=True)
        errors = self._run(selection, out, stop)
        try:
            self.finish()
            counts = count(self.junit)
        except (OSError, ET.ParseError) as error:
            counts = Counts()
            # A suite that was ended, or has crashed, cannot have written one.
            errors = errors or [f"there is no whole report: {error}"]
        if counts.total == 0 and not selection and not errors:
            errors.append("no test was run")
        for error in errors:
            print(f"{self.name}: {error}", file=out, flush=True)
            add_error(self.junit, self.name, error)
            counts.failed += 1
        return counts

    def _run(self, selection: str, out: TextIO, stop: threading.Event) -> list[str]:
        errors = []
        returncode = None
        # Short, since sockets live below it; a private TMPDIR shows what a suite leaves behind.
        scratch = Path(tempfile.mkdtemp(prefix="cbu-test-"))
        env = {**os.environ, "TMPDIR": str(scratch), **self.env}
        if self.checker:
            self.findings.mkdir()
            env.update(self.checker.environment(self.findings))
        try:
            returncode = _run_bounded(self.argv(selection), env, self.limit_s, out, stop)
            if returncode is None:
                errors.append(f"was interrupted, or ended after its limit of {self.limit_s} s")
            elif not self.is_success(returncode, selection):
                errors.append(f"ended with exit code {returncode}")
        finally:
            left = _stop_stacks(scratch)
            if returncode != 0:
                _keep_logs(scratch, self.logs)
            shutil.rmtree(scratch, ignore_errors=True)
        if left:
            errors.append(f"left stacks running: {', '.join(left)}")
        if self.checker:
            errors += _read_findings(self.checker, self.findings)
        return errors


@dataclass(frozen=True)
class UnitSuite(Suite):
    """The unit tests: one program made with Check."""

    program: str = "build/tests/unit"
    wrapper: tuple[str, ...] = ()

    @property
    def _check_xml(self) -> Path:
        return REPORTS / f"{self.name}.check.xml"

    def argv(self, selection: str) -> list[str]:
        outputs = ["--tap", str(REPORTS / f"{self.name}.tap"), "--xml", str(self._check_xml)]
        return [*self.wrapper, self.program, *outputs, *([selection] if selection else [])]

    def is_success(self, returncode: int, selection: str) -> bool:
        # 1: tests have failed, and the report tells which; 5: none was selected.
        return (
            returncode == 0
            or (returncode == 1 and self._failures_are_reported())
            or (returncode == 5 and bool(selection))
        )

    def _failures_are_reported(self) -> bool:
        try:
            results = ET.parse(self._check_xml).iterfind("{*}suite/{*}test")
            return any(test.get("result") != "success" for test in results)
        except (OSError, ET.ParseError):
            return False

    def finish(self) -> None:
        write_junit_of_check(self._check_xml, self.junit, self.name)


@dataclass(frozen=True)
class PytestSuite(Suite):
    """A folder of pytest files."""

    folder: str = "tests/integration"
    venv: Path = ROOT / "build/venv"

    def argv(self, selection: str) -> list[str]:
        return [
            *(str(self.venv / "bin/python"), "-m", "pytest", self.folder, "-p", "no:cacheprovider"),
            *(f"--junitxml={self.junit}", "-o", f"junit_suite_name={self.name}"),
            *(["-k", selection] if selection else []),
        ]

    def is_success(self, returncode: int, selection: str) -> bool:
        # 1: tests have failed, and the report tells which; 5: none was selected.
        return returncode in (0, 1) or (returncode == 5 and bool(selection))


def _run_bounded(
    argv: list[str], env: dict[str, str], limit_s: int, out: TextIO, stop: threading.Event
) -> int | None:
    """The exit code of a command, or None when its time was over or `stop` came."""
    child = subprocess.Popen(
        argv,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    end = time.monotonic() + limit_s
    try:
        while not stop.is_set() and time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(0.2)
        return None
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends what is left of a command: SIGINT lets pytest tear its fixtures down."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)
    # The command leads its process group, so nothing else is in it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _stacks(scratch: Path) -> list[Path]:
    return [state.parent for state in sorted(scratch.rglob("stack.json"))]


def _stop_stacks(scratch: Path) -> list[str]:
    """Stops the stacks that a suite has left running, and names them."""
    left = []
    for data in _stacks(scratch):
        done = subprocess.run(
            [sys.executable, ROOT / "local/stack", "down", "--data", data],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.stdout.startswith("down"):
            left.append(data.name)
    return left


def _keep_logs(scratch: Path, to: Path) -> None:
    for data in _stacks(scratch):
        shutil.copytree(data / "log", to / data.relative_to(scratch), dirs_exist_ok=True)


def _read_findings(checker: Checker, folder: Path) -> list[str]:
    findings = []
    for file in sorted(folder.iterdir()):
        text = file.read_text(errors="replace")
        if checker.is_finding(text):
            findings.append(f"{checker.name} reports in {file.relative_to(ROOT)}:\n{text[:4000]}")
    return findings
