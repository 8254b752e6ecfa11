"""Each fuzz target for a few seconds: what it found before, its seeds and what grows from them. The
long runs are `make fuzz`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = sorted(file.stem for file in HERE.glob("*.c"))


@pytest.mark.parametrize("target", TARGETS)
def test_finds_nothing(target: str) -> None:
    done = subprocess.run(
        [HERE / "run", target],
        env={**os.environ, "RUNS": "", "FUZZ_S": "4"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    executions = re.search(rf"^{target}: (\d+) executions$", done.stdout, re.MULTILINE)
    assert executions and int(executions[1]) > 0
