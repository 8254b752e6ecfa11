"""The command line of local/stack."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .cognito import GROUPS
from .database import KINDS
from .folder import PARTS, Folder
from .follow import Parent, StopAsked, follow, stop_on_signals
from .process import StackError
from .stack import DEFAULT_PORT, Stack, default_data, say

LOG_NAMES = ("app", "nginx", "nginx-error", "database", "aws", "cognito", "migrate")
ROTATIONS = ("database", "app-key", "credentials")
EXIT_NOT_UP = 3


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    stop_on_signals()
    try:
        return int(options.run(options) or 0)
    except StackError as error:
        print(f"local/stack: {error}", file=sys.stderr)
        return 1
    except StopAsked:
        # As a shell reports a Ctrl-C; everything that was started has been stopped.
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local/stack",
        description="A private catalogue on this machine: database, service, nginx. "
        "A stack is named by its data folder; several run side by side.",
        epilog="Any setting of the service or of nginx in the environment of `up` is passed on "
        "(LOG_LEVEL=DEBUG local/stack up). CBU names another build of the program.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str, more: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=f"{text}. {more}".strip())
        sub.add_argument("--data", type=Path, metavar="DIR", help="data folder of the stack")
        sub.add_argument(
            "--db",
            choices=list(KINDS),
            help="kind of database; without --data it also chooses the folder (default mariadb)",
        )
        sub.set_defaults(run=run)
        return sub

    up = command("up", _up, "starts a stack and returns when it answers", "Data is kept.")
    up.add_argument("--port", type=_port, help=f"default {DEFAULT_PORT}; 0 takes a free one")
    up.add_argument("--workers", type=_workers, metavar="N", help="default: the service's own")
    up.add_argument("--empty", action="store_true", help="do not load the demo catalogue")
    up.add_argument(
        "--aws",
        action="store_true",
        help="secrets and AWS credentials come from a stand-in for AWS, not from plain settings",
    )
    up.add_argument(
        "--sign-in",
        action="store_true",
        help="with a stand-in for Cognito, whose demo users may change things (see `token`)",
    )
    up.add_argument(
        "--follow", action="store_true", help="stay until Ctrl-C and stop the stack then"
    )
    command("down", _down, "stops a stack", "Data is kept.")
    command("status", _status, "shows what runs", f"Exit code {EXIT_NOT_UP}: not all is well.")
    command(
        "env",
        _env,
        "prints addresses, secrets and process ids as shell lines",
        'For all of it in a shell: set -a; eval "$(local/stack env)"; set +a',
    )
    token = command(
        "token",
        _token,
        "prints an access token of a demo user",
        "It is good for an hour. The stack must have been started with --sign-in.",
    )
    token.add_argument("--group", choices=GROUPS, help="default: a user who may only read")
    logs = command("logs", _logs, "shows the ends of the logs")
    logs.add_argument("name", nargs="?", choices=LOG_NAMES, help="default: all of them")
    logs.add_argument("--follow", "-f", action="store_true", help="go on as they grow")
    logs.add_argument("--lines", "-n", type=int, default=20, help="of each log (default 20)")
    for name, run, text in (
        ("start", _start, "starts one part that was stopped"),
        ("stop", _stop, "stops one part of a stack"),
    ):
        command(name, run, text).add_argument("part", choices=PARTS)
    rotate = command("rotate", _rotate, "replaces a secret of a stack that has --aws")
    rotate.add_argument("what", choices=ROTATIONS)
    return parser


def _workers(text: str) -> int:
    """As the service's own limits (WORKERS), refused here before a database is made."""
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 64")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to 65535")
    return int(text)


def _data(options: argparse.Namespace) -> Path:
    return options.data or default_data(options.db or "mariadb")


def _up(options: argparse.Namespace) -> None:
    parent = Parent()
    data = _data(options)
    kind = options.db or Folder.kind_of(data) or "mariadb"
    stack = Stack.up(
        data,
        kind,
        options.port,
        options.workers,
        empty=options.empty,
        aws=options.aws,
        sign_in=options.sign_in,
    )
    url = stack.nginx.url
    say(f"up: {url}  (data {stack.folder.path})")
    if options.follow:
        say(
            f"""
  curl '{url}/v1/products?limit=3'
  curl '{url}/v1/products?category=kitchen&sort=-price&include=total'
  curl {url}/v1/products/1
  curl {url}/v1/categories
  curl {url}/status

  local/stack logs --follow --data {shlex.quote(str(stack.folder.path))}

Ctrl-C stops all of it; the data stays."""
        )
        follow(stack, parent)


def _down(options: argparse.Namespace) -> None:
    stack = Stack.open(_data(options))
    say("down" if stack.down() else f"nothing of {stack.folder.path} was up")


def _status(options: argparse.Namespace) -> int:
    stack = Stack.open(_data(options))
    healthy, lines = stack.describe()
    say("\n".join(lines))
    return 0 if healthy else EXIT_NOT_UP


def _env(options: argparse.Namespace) -> None:
    for name, value in Stack.open(_data(options)).environment().items():
        say(f"{name}={shlex.quote(value)}")


def _token(options: argparse.Namespace) -> None:
    say(Stack.open(_data(options)).cognito.token(options.group))


def _logs(options: argparse.Namespace) -> NoReturn:
    folder = Folder.existing(_data(options))
    names = [options.name] if options.name else LOG_NAMES
    files = [str(folder.log(name)) for name in names if folder.log(name).exists()]
    if not files:
        raise StackError(f"there is no such log in {folder.path} yet")
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", str(options.lines), *(["-F"] * options.follow), *files])


def _rotate(options: argparse.Namespace) -> None:
    Stack.open(_data(options)).rotate(options.what)


def _start(options: argparse.Namespace) -> None:
    Stack.open(_data(options)).start_part(options.part)


def _stop(options: argparse.Namespace) -> None:
    Stack.open(_data(options)).stop_part(options.part)
