"""A stack in the foreground: it lives as long as the command, and the command as long as it."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .process import STOP_SIGNALS, StackError, tail
from .stack import LOGS, Stack, ignore_stop_signals, say

POLL_S = 0.5


class StopAsked(BaseException):
    """The user wants to end: Ctrl-C, SIGTERM, or the terminal is gone."""


def stop_on_signals() -> None:
    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise StopAsked

    for each in STOP_SIGNALS:
        signal.signal(each, stop)


def _would_die_of_a_stop(pid: int) -> bool:
    """Whether there is a stop signal that a process neither handles nor ignores."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    prepared = 0
    for mask in re.findall(r"^Sig(?:Cgt|Ign):\s*([0-9a-f]+)$", status, re.MULTILINE):
        prepared |= int(mask, 16)
    return not all(prepared & 1 << (number - 1) for number in STOP_SIGNALS)


class Parent:
    """Tells when the process that started us wants to end.

    A make that gets a stop signal alone (a Ctrl-C reaches its children too, `kill -INT` does not)
    restores that signal's default action and then waits for its recipe. It leaves no other
    trace."""

    def __init__(self) -> None:
        self.pid = os.getppid()
        try:
            name = Path(f"/proc/{self.pid}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            name = ""
        self._is_make = name in ("make", "gmake")

    def wants_to_end(self) -> bool:
        return os.getppid() != self.pid or (self._is_make and _would_die_of_a_stop(self.pid))


def follow(stack: Stack, parent: Parent) -> None:
    """Waits until the user wants to end, then stops the stack. A part that ends by itself is an
    error; one that `local/stack down` stopped is not."""
    try:
        while not parent.wants_to_end():
            time.sleep(POLL_S)
            if _was_stopped(stack):
                say("another local/stack command has stopped it")
                return
    except StopAsked:
        pass
    finally:
        ignore_stop_signals()
        say("stopping")
        stack.down()


def _was_stopped(stack: Stack) -> bool:
    """Whether somebody stopped the stack; raises when a part has ended by itself."""
    folder = stack.folder
    if len(folder.processes()) == len(stack.parts):
        return False
    # A command that is stopping or starting a part right now holds the lock, and takes the pid file
    # of a part away with it.
    with folder.locked(300):
        for part in stack.parts:
            if folder.pid_file(part).exists() and folder.process(part) is None:
                raise StackError(f"{part} has ended; {tail(folder.log(LOGS[part]))}")
        return not folder.processes()
