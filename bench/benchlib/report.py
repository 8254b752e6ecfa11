"""What a run found out, as a document and as tables for a terminal."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from . import syscalls
from .figures import Spread, fastest, ratios
from .rounds import Bench, Record, Sample
from .servers import CORES, OURS, Server

# Beside these the ratios are told, where they took part.
GO, FASTAPI = "go", "fastapi"
MIB = 1 << 20
# More than the kernel's own housekeeping, and what a tick of 10 ms is off in a short measurement.
BUSY_CORES = 0.15


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": model[0] if model else platform.machine(),
        "cores": CORES,
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        "kernel": platform.release(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def document(
    bench: Bench,
    options: Mapping[str, Any],
    left_out: Mapping[str, str],
    calls: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]],
    where: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole run: medians, ratios, and every round they come from."""
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": where,
        "database": bench.catalogue.version,
        "options": dict(options),
        "left_out": dict(left_out),
        "body_bytes": {route.name: bench.sizes[route.name] for route in bench.routes},
        "servers": {server.name: _server(bench, server) for server in bench.servers},
        "ratios": {route.name: _ratios(bench, route.name) for route in bench.routes},
        "syscalls_per_request": {name: dict(routes) for name, routes in calls.items()},
    }


def _server(bench: Bench, server: Server) -> dict[str, Any]:
    record = bench.records[server.name]
    return {
        "title": server.title,
        "versions": server.versions(),
        "is_peer": server.is_peer,
        "failed": record.failed,
        "elsewhere": elsewhere(record).as_json(),
        "routes": {
            name: {
                "cpu_us": record.spread(name, lambda sample: sample.cpu_us).as_json(),
                "parts_us": _parts(samples),
                "database_us": record.spread(name, lambda sample: sample.database_us).as_json(),
                "p50_ms": record.spread(name, lambda sample: sample.p50_ms).as_json(),
                "p99_ms": record.spread(name, lambda sample: sample.p99_ms).as_json(),
                "rate": record.spread(name, lambda sample: sample.rate).as_json(),
                "rounds": [asdict(sample) for sample in samples],
            }
            for name, samples in record.samples.items()
        },
        "start": {
            "live_ms": record.start_spread(lambda start: start.live_ms).as_json(),
            "product_ms": record.start_spread(lambda start: start.product_ms).as_json(),
            "idle_mb": record.start_spread(lambda start: start.idle_bytes / MIB).as_json(),
            "loaded_mb": record.start_spread(lambda start: start.loaded_bytes / MIB).as_json(),
            "rounds": [asdict(start) for start in record.starts],
        },
    }


def elsewhere(record: Record) -> Spread:
    """Cores busy with something else, over all routes and rounds."""
    return Spread.of([each.elsewhere for samples in record.samples.values() for each in samples])


def _parts(samples: Sequence[Sample]) -> dict[str, float]:
    """Median CPU time a request of each program of a server."""
    return {
        name: round(median(sample.parts_us[name] for sample in samples), 3)
        for name in samples[0].parts_us
    }


def _ratios(bench: Bench, route: str) -> dict[str, Any]:
    """CPU time a request beside the fastest peer, Go and FastAPI."""
    cpu = {
        server.name: bench.records[server.name].spread(route, lambda sample: sample.cpu_us).median
        for server in bench.servers
    }
    best = fastest(cpu, [server.name for server in bench.servers if server.is_peer])
    beside = {"fastest_peer": best, "go": GO, "fastapi": FASTAPI, "cbu": OURS.name}
    return {
        "fastest_peer": best,
        "to": {
            label: {name: round(value, 3) for name, value in ratios(cpu, to).items()}
            for label, to in beside.items()
            if to in cpu
        },
    }


# ---- text ----
def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side; the first to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _ratio(beside: Mapping[str, Mapping[str, float]], label: str, name: str) -> str:
    value = beside.get(label, {}).get(name)
    return "-" if value is None else f"{value:.2f}"


def _parts_text(parts: Mapping[str, float]) -> str:
    return " + ".join(f"{name} {us:.0f}" for name, us in parts.items()) if len(parts) > 1 else ""


def _route_table(found: Mapping[str, Any], route: str) -> str:
    beside = found["ratios"][route]["to"]
    rows = [["", "CPU us", "least", "most", "/fastest peer", "/Go", "/FastAPI", "p50 ms", "p99 ms",
             "requests/s", "failed", "database us", "of which us"]]  # fmt: skip
    for name, server in found["servers"].items():
        figures = server["routes"][route]
        cpu = figures["cpu_us"]
        rows.append(
            [
                server["title"],
                *(f"{cpu[part]:.1f}" for part in ("median", "least", "most")),
                *(_ratio(beside, label, name) for label in ("fastest_peer", "go", "fastapi")),
                *(f"{figures[each]['median']:.2f}" for each in ("p50_ms", "p99_ms")),
                f"{figures['rate']['median']:.0f}",
                str(sum(each["failed"] for each in figures["rounds"])),
                f"{figures['database_us']['median']:.0f}",
                _parts_text(figures["parts_us"]),
            ]
        )
    return table(rows)


def _start_table(found: Mapping[str, Any]) -> str:
    rows = [["", "idle MB", "loaded MB", "processes", "threads", "first answer ms",
             "first product ms"]]  # fmt: skip
    for server in found["servers"].values():
        start = server["start"]
        last = start["rounds"][-1]
        rows.append(
            [
                server["title"],
                *(f"{start[each]['median']:.1f}" for each in ("idle_mb", "loaded_mb")),
                *(str(last[each]) for each in ("processes", "threads")),
                *(f"{start[each]['median']:.0f}" for each in ("live_ms", "product_ms")),
            ]
        )
    return table(rows)


def _syscall_table(found: Mapping[str, Any], route: str) -> str:
    rows = [["", *syscalls.grouped({}), "all"]]
    for name, routes in found["syscalls_per_request"].items():
        title = found["servers"][name]["title"]
        parts = routes.get(route, {})
        for part, calls in parts.items():
            values = [*syscalls.grouped(calls).values(), sum(calls.values())]
            label = f"{title}: {part}" if len(parts) > 1 else title
            rows.append([label, *(f"{value:.2f}" for value in values)])
    return table(rows)


def _noise(found: Mapping[str, Any]) -> str:
    """How much of the machine was somebody else's."""
    medians = [server["elsewhere"]["median"] for server in found["servers"].values()]
    most = max(server["elsewhere"]["most"] for server in found["servers"].values())
    words = (
        f"cores busy with something else: {min(medians):.2f} to {max(medians):.2f} by server "
        f"(medians), {most:.2f} at most; load average before the run "
        f"{found['machine']['load_average']}"
    )
    busy = max(medians) > BUSY_CORES
    return words + ("\nTHE MACHINE WAS BUSY: compare the ratios, not the figures" if busy else "")


def text(found: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    where, options = found["machine"], found["options"]
    parts = [
        f"{where['cpu']}, {where['cores']} cores, Linux {where['kernel']}, {found['database']}\n"
        f"{options['products']} products, {options['clients']} clients, {options['connections']} "
        f"workers or database connections, {options['rounds']} rounds; medians of the rounds"
    ]
    for route, bytes_ in found["body_bytes"].items():
        heading = f"{titles[route]}, {bytes_} bytes: CPU time of the app tier a request"
        parts.append(f"{heading}\n\n{_route_table(found, route)}")
        if any(route in routes for routes in found["syscalls_per_request"].values()):
            parts.append(f"system calls a request\n\n{_syscall_table(found, route)}")
    parts.append(f"memory (proportional set size) and start-up\n\n{_start_table(found)}")
    for name, reason in found["left_out"].items():
        parts.append(f"LEFT OUT: {name}: {reason}")
    parts.append(_noise(found))
    return "\n\n".join(parts)


def write(found: Mapping[str, Any], to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(found, indent=2) + "\n")
