"""The command line of bench/run."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stacklib.database import KINDS
from stacklib.follow import StopAsked, stop_on_signals
from stacklib.process import StackError

from . import proc, report, same, syscalls
from .catalogue import Catalogue
from .chart import svg
from .load import LoadError
from .paths import REPORTS, WORK
from .rounds import Bench
from .servers import ALL, Server

ROUTES = same.routes(0)
TITLES = {name: route.title for name, route in ROUTES.items()}
PEERS = [server.name for server in ALL.values() if server.is_peer]


def guarded(name: str, run: Callable[[], int]) -> int:
    """Runs a command whose failures are told in words."""
    stop_on_signals()
    try:
        return run()
    except (StackError, LoadError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except StopAsked:
        return 130


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    return guarded("bench/run", lambda: _run(options))


def number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return int(text)

    return read


def names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        wanted = text.replace(",", " ").split()
        for each in wanted:
            if each not in known and each != "none":
                raise argparse.ArgumentTypeError(f"{each!r} is none of {', '.join(known)}")
        return [each for each in known if each in wanted]

    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures this service beside its peers: CPU time a request, latency, memory, "
        "start-up. It reports and judges nothing; it fails only when a server answers wrongly.",
    )
    add = parser.add_argument
    add("--rounds", type=number(1, 100), default=5, metavar="N", help="default 5")
    add("--products", type=number(100, 10_000_000), default=10_000, metavar="N", help="rows; 10000")
    add("--peers", type=names(PEERS), default=PEERS, metavar="NAMES",
        help=f"of {', '.join(PEERS)}, or none; default all that can run here")  # fmt: skip
    add("--routes", type=names(list(ROUTES)), default=list(ROUTES), metavar="NAMES",
        help=f"of {', '.join(ROUTES)}; default all")  # fmt: skip
    add("--clients", type=number(1, 1024), default=8, metavar="N", help="connections; default 8")
    add("--connections", type=number(1, 64), default=8, metavar="N",
        help="workers of ours, and database connections of a peer; default 8")  # fmt: skip
    add("--requests", type=number(10, 10_000_000), default=20_000, metavar="N",
        help="most requests of a server on a route in a round; default 20000")  # fmt: skip
    add("--db", choices=list(KINDS), default="mariadb", help="default mariadb")
    add("--prepare", action="store_true", help="only builds the peers and fills the database")
    add("--hold", choices=list(ALL), metavar="NAME",
        help=f"measures nothing: keeps one of {', '.join(ALL)} up, for perf")  # fmt: skip
    return parser


def _say(words: str) -> None:
    print(f"bench: {words}", flush=True)


def _built(wanted: Sequence[str]) -> tuple[list[Server], dict[str, str]]:
    """The servers that take part, built, and why others do not."""
    servers: list[Server] = []
    left_out: dict[str, str] = {}
    for server in ALL.values():
        if server.is_peer and server.name not in wanted:
            continue
        reason = server.missing()
        if reason:
            left_out[server.name] = reason
            _say(f"LEFT OUT: {server.name}: {reason}")
            continue
        _say(f"building {server.title}")
        server.build()
        servers.append(server)
    return servers, left_out


def _count_syscalls(bench: Bench) -> dict[str, dict[str, dict[str, syscalls.Calls]]]:
    reason = syscalls.missing()
    if reason:
        _say(f"system calls are not counted: {reason}")
        return {}
    counted: dict[str, dict[str, dict[str, syscalls.Calls]]] = {}
    with tempfile.TemporaryDirectory(prefix="cbu-bench-") as scratch:
        for server in bench.servers:
            _say(f"counting system calls: {server.title}")
            with server.up(bench.catalogue, bench.connections, bench.product) as running:
                counted[server.name] = {
                    route.name: syscalls.count(running, route.path, bench.clients, Path(scratch))
                    for route in bench.routes
                }
    return counted


def _run(options: argparse.Namespace) -> int:
    where = report.machine()  # before the builds make it busy
    WORK.mkdir(parents=True, exist_ok=True)
    if options.hold:
        return _hold(ALL[options.hold], options)
    servers, left_out = _built(options.peers)
    with Catalogue(options.db, options.products).up() as catalogue:
        if options.prepare:
            return 0
        bench = Bench(
            catalogue,
            servers,
            options.routes,
            options.clients,
            options.connections,
            options.requests,
        )
        _say("comparing the answers")
        different = bench.compare()
        for name, faults in different.items():
            for fault in faults:
                print(f"bench: {name} answers differently: {fault}", file=sys.stderr)
        if different:
            return 1
        bench.run(options.rounds, _say)
        counted = _count_syscalls(bench)
        chosen: dict[str, Any] = {
            name: getattr(options, name)
            for name in ("rounds", "products", "clients", "connections", "requests", "db")
        }
        found = report.document(bench, chosen, left_out, counted, where)
    return _close(found, bench)


def _hold(server: Server, options: argparse.Namespace) -> int:
    reason = server.missing()
    if reason:
        raise StackError(f"{server.name}: {reason}")
    server.build()
    with (
        Catalogue(options.db, options.products).up() as catalogue,
        server.up(catalogue, options.connections) as running,
    ):
        _say(f"{server.title} answers at {running.url('')}; database: {catalogue.database_pid}")
        for name, root in running.parts.items():
            _say(f"{name}: {','.join(map(str, sorted(proc.tree([root]))))}")
        signal.pause()
    return 0


def _close(found: dict[str, Any], bench: Bench) -> int:
    report.write(found, REPORTS / "bench.json")
    (REPORTS / "bench.svg").write_text(svg(found, TITLES))
    words = report.text(found, TITLES)
    (REPORTS / "bench.txt").write_text(words + "\n")
    print(f"\n{words}\n\nbuild/reports/bench.json, bench.svg, bench.txt")
    failed = {name: record.failed for name, record in bench.records.items() if record.failed}
    for name, count in failed.items():
        print(f"bench: {name} failed {count} requests", file=sys.stderr)
    return 1 if failed else 0
