"""The measuring: rounds in which every server has its turn."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import load, proc, same
from .catalogue import Catalogue
from .figures import Spread
from .same import Route
from .servers import OURS, Running, Server

WARM_UP = 400
# How long one server is measured on one route in one round, about; a slow one gets fewer requests.
MEASURE_S = 4
REQUESTS_LEAST = 1000
DATABASE = "the database"
# Nothing happens any more this long after the first answers.
SETTLE_S = 1


@dataclass
class Sample:
    """One server on one route in one round."""

    requests: int
    failed: int
    # CPU time a request: of the whole app tier, of each of its programs, and of the database.
    cpu_us: float
    parts_us: dict[str, float]
    database_us: float
    p50_ms: float
    p99_ms: float
    rate: float
    # Cores that were busy with what is neither a server, the database nor the load generator.
    elsewhere: float


@dataclass
class Start:
    """One start of one server."""

    live_ms: float
    product_ms: float
    idle_bytes: int
    loaded_bytes: int = 0
    processes: int = 0
    threads: int = 0


@dataclass
class Record:
    """All that was measured of one server."""

    starts: list[Start] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def spread(self, route: str, figure: Callable[[Sample], float]) -> Spread:
        return Spread.of([figure(sample) for sample in self.samples[route]])

    def start_spread(self, figure: Callable[[Start], float]) -> Spread:
        return Spread.of([figure(start) for start in self.starts])

    @property
    def failed(self) -> int:
        return sum(sample.failed for samples in self.samples.values() for sample in samples)


def rotated(servers: Sequence[Server], round_number: int) -> list[Server]:
    """The order of a round: each server stands first, second, ... in turn, so that what changes on
    the machine in the course of a round is nobody's in particular."""
    shift = round_number % len(servers)
    return [*servers[shift:], *servers[:shift]]


def requests_for(rate: float, most: int) -> int:
    """How many requests a server that answers so many a second gets."""
    return max(min(REQUESTS_LEAST, most), min(most, int(rate * MEASURE_S)))


def cpu_us(trees: Mapping[str, int]) -> dict[str, float]:
    return {name: proc.cpu_ns([pid]) / 1000 for name, pid in trees.items()}


def machine_us() -> float:
    """CPU time of all there is but this process and what it has waited for: the load generator."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own = [used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose)]
    return proc.machine_ns() / 1000 - sum(own) * 1e6


class Bench:
    def __init__(
        self,
        catalogue: Catalogue,
        servers: Sequence[Server],
        routes: Sequence[str],
        clients: int,
        connections: int,
        requests: int,
    ) -> None:
        self.catalogue = catalogue
        self.servers = servers
        self.clients, self.connections, self.most = clients, connections, requests
        self.product = 0
        self._route_names = routes
        self.counts: dict[tuple[str, str], int] = {}
        self.records = {server.name: Record() for server in servers}
        self.sizes: dict[str, int] = {}

    @property
    def routes(self) -> list[Route]:
        rows = same.routes(self.product)
        return [rows[name] for name in self._route_names]

    def compare(self) -> dict[str, list[str]]:
        """The differences of each server from ours; also chooses the product that is asked for."""
        with OURS.up(self.catalogue, self.connections) as ours:
            self.product = middle_product(ours.port)
            wanted = same.ask(ours.port, self.product)
        bad = {name: status for name, status in wanted.statuses.items() if status >= 500}
        if bad or "second page" not in wanted.shapes:
            return {OURS.name: [f"statuses {wanted.statuses}"]}
        self.sizes = wanted.sizes
        faults = {}
        for server in self.servers:
            with server.up(self.catalogue, self.connections, self.product) as running:
                faults[server.name] = same.compare(wanted, same.ask(running.port, self.product))
        return {name: found for name, found in faults.items() if found}

    def run(self, rounds: int, say: Callable[[str], None]) -> None:
        with tempfile.TemporaryDirectory(prefix="cbu-bench-") as scratch:
            for number in range(rounds):
                for server in rotated(self.servers, number):
                    say(f"round {number + 1} of {rounds}: {server.title}")
                    self._turn(server, Path(scratch))

    def _turn(self, server: Server, scratch: Path) -> None:
        record = self.records[server.name]
        with server.up(self.catalogue, self.connections, self.product) as running:
            time.sleep(SETTLE_S)
            idle = proc.pss_bytes(running.pids)
            start = Start(running.live_ms, running.product_ms, idle)
            for route in self.routes:
                sample = self._measure(server, running, route, scratch)
                record.samples.setdefault(route.name, []).append(sample)
            start.loaded_bytes = proc.pss_bytes(running.pids)
            start.processes, start.threads = proc.count(running.pids)
            record.starts.append(start)

    def _measure(self, server: Server, running: Running, route: Route, scratch: Path) -> Sample:
        url = running.url(route.path)
        # Connections to the database are made, and what compiles or caches at first use is done.
        warm = load.run(url, min(WARM_UP, self.most), self.clients, scratch)
        key = (server.name, route.name)
        # The first round decides, so that all rounds of a server are alike.
        count = self.counts.setdefault(key, requests_for(warm.rate, self.most))
        trees = {**running.parts, DATABASE: self.catalogue.database_pid}
        before, machine_before = cpu_us(trees), machine_us()
        seen = load.run(url, count, self.clients, scratch)
        used = {name: (after - before[name]) / count for name, after in cpu_us(trees).items()}
        others_us = machine_us() - machine_before - sum(used.values()) * count
        database = used.pop(DATABASE)
        return Sample(
            requests=count,
            failed=seen.failed,
            cpu_us=sum(used.values()),
            parts_us=used,
            database_us=database,
            p50_ms=seen.p50_us / 1000,
            p99_ms=seen.p99_us / 1000,
            rate=seen.rate,
            elsewhere=max(0.0, others_us / 1e6 / seen.seconds),
        )


def middle_product(port: int) -> int:
    """The id of a product that is there, and neither the first nor the last."""
    page: Mapping[str, list[Mapping[str, int]]] = same.shape(same.get(port, "/v1/products")[1])
    return page["items"][len(page["items"]) // 2]["id"]
