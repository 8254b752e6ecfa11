"""One stack with the demo catalogue, for the examples of the documents."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from documents import ROOT

# Generous: it only bounds what would otherwise wait for ever.
LIMIT_S = 300


def local_stack(*arguments: str, root: Path = ROOT) -> str:
    """What local/stack prints; any failure of it is the test's."""
    done = subprocess.run(
        [root / "local/stack", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Stack:
    data: Path
    # What `local/stack env` says of it.
    env: dict[str, str]

    @property
    def url(self) -> str:
        return self.env["CBU_URL"]

    def tokens(self) -> dict[str, str]:
        """The variables that the examples take tokens from, as the text around them says."""
        data = ("token", "--data", str(self.data))
        editor, reader = local_stack(*data, "--group", "editors"), local_stack(*data)
        return {"token": editor.strip(), "reader": reader.strip()}

    @property
    def settings(self) -> dict[str, str]:
        """An environment in which the commands of the program speak to this stack."""
        return {**os.environ, **self.env}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("stack") / "data"
    local_stack("up", "--data", str(data), "--port", "0", "--workers", "2", "--sign-in")
    try:
        lines = local_stack("env", "--data", str(data)).splitlines()
        pairs = (line.split("=", 1) for line in lines)
        yield Stack(data, {name: shlex.split(value)[0] for name, value in pairs})
    finally:
        local_stack("down", "--data", str(data))
