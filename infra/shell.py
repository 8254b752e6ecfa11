"""How the release commands run programs: what asks is run, what changes is shown first."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POLL_S = float(os.environ.get("RELEASE_POLL_S", "10"))

EX_USAGE, EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG = 64, 69, 77, 78


class ReleaseError(Exception):
    """The reason why nothing more is done, and the exit code."""

    def __init__(self, reason: str, code: int = 1) -> None:
        super().__init__(reason)
        self.code = code


class Shell:
    """Runs programs. What only asks is run at once; what changes something is shown first."""

    def __init__(self, environment: dict[str, str], *, dry_run: bool) -> None:
        self._environment = environment
        self.dry_run = dry_run

    def ask(self, placeholder: str, *argv: str) -> str:
        """Standard output of a program that changes nothing; in a dry run the placeholder."""
        if self.dry_run:
            return placeholder
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, cwd=ROOT, env=self._environment, timeout=300
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReleaseError(f"{argv[0]}: {error}", EX_UNAVAILABLE) from None
        if done.returncode != 0:
            raise ReleaseError(f"{shlex.join(argv[:3])}: {done.stderr.strip()}", EX_UNAVAILABLE)
        return done.stdout.strip()

    def change(self, *argv: str, secret_input: str | None = None, source: str = "") -> str:
        """Runs a program that changes something, its output for everybody to see. Its input, where
        it has one, is a secret that the command `source` has printed."""
        print(f"+ {source + ' | ' if source else ''}{shlex.join(argv)}", flush=True)
        if self.dry_run:
            return ""
        done = subprocess.run(argv, input=secret_input, text=True, cwd=ROOT, env=self._environment)
        if done.returncode != 0:
            raise ReleaseError(f"{shlex.join(argv[:3])} failed, exit code {done.returncode}")
        return ""

    def change_and_read(self, placeholder: str, *argv: str) -> str:
        """As change(), but its output is the answer."""
        print(f"+ {shlex.join(argv)}", flush=True)
        return self.ask(placeholder, *argv)


def poll(look: Callable[[], Any], limit_s: float, what: str) -> Any:
    """What `look` sees, once it is true."""
    end = time.monotonic() + limit_s
    while not (seen := look()):
        if time.monotonic() > end:
            raise ReleaseError(f"{what} after {limit_s:.0f} s; `make watch` looks again")
        time.sleep(POLL_S)
    return seen
