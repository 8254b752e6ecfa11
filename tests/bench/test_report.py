"""The report says what was measured, who was left out, and when the figures say little."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from benchlib import report, same
from benchlib.chart import svg
from benchlib.rounds import Bench, Sample, Start
from benchlib.servers import ALL

TITLES = {name: route.title for name, route in same.routes(0).items()}
MIB = 1 << 20
OPTIONS = {"rounds": 3, "products": 1000, "clients": 8, "connections": 8, "requests": 400}
MACHINE = {"cpu": "A CPU <of> 2 & more", "cores": 2, "memory_mb": 4096, "kernel": "6.1",
           "load_average": 0.1}  # fmt: skip
SAMPLE = Sample(requests=400, failed=0, cpu_us=0, parts_us={}, database_us=90, p50_ms=1.5, p99_ms=4,
                rate=2000, elsewhere=0.02)  # fmt: skip


def a_bench(cpu: dict[str, list[float]]) -> Bench:
    """Rounds of the route `product`, as CPU time by server."""
    servers = [ALL[name] for name in cpu]
    catalogue = cast(Any, SimpleNamespace(version="10.11-MariaDB"))
    bench = Bench(catalogue, servers, ["product"], 8, 8, 400)
    bench.sizes = {"product": 583}
    for name, rounds in cpu.items():
        record = bench.records[name]
        parts = ("cbu", "nginx") if name == "cbu" else (name,)
        record.samples["product"] = [
            replace(SAMPLE, cpu_us=us, parts_us=dict.fromkeys(parts, us / len(parts)))
            for us in rounds
        ]
        record.starts = [Start(9.0, 11.0, 20 * MIB, 30 * MIB, 12, 13) for _ in rounds]
    return bench


@pytest.fixture(autouse=True)
def no_toolchains(monkeypatch: pytest.MonkeyPatch) -> None:
    for server in ALL.values():
        monkeypatch.setattr(type(server), "versions", lambda self: [f"{self.name} 1"])


def found() -> dict[str, Any]:
    bench = a_bench({"cbu": [90, 60, 75], "axum": [50, 49, 51], "go": [100, 99, 300]})
    calls = {"cbu": {"product": {"cbu": {"read": 1.0, "accept4": 2.0}, "nginx": {"readv": 2.5}}}}
    left_out = {"php": "there is no php-fpm"}
    return report.document(bench, OPTIONS, left_out, calls, MACHINE)


def rows_below(text: str, heading: str) -> dict[str, list[str]]:
    """The rows of a table by their first cell; cells are at least two blanks apart."""
    lines = text.partition(heading)[2].strip().splitlines()
    table = lines[2 : lines.index("") if "" in lines else None]
    cells = [line.replace("  ", "\t").split("\t") for line in table]
    return {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in cells}


def test_medians_and_ratios() -> None:
    document = found()
    product = document["servers"]["cbu"]["routes"]["product"]
    assert product["cpu_us"] == {"median": 75, "least": 60, "most": 90}
    assert product["parts_us"] == {"cbu": 37.5, "nginx": 37.5}
    assert [each["cpu_us"] for each in product["rounds"]] == [90, 60, 75]
    beside = document["ratios"]["product"]
    assert beside["fastest_peer"] == "axum"
    assert beside["to"] == {
        "fastest_peer": {"cbu": 1.5, "axum": 1.0, "go": 2.0},
        "go": {"cbu": 0.75, "axum": 0.5, "go": 1.0},
        "cbu": {"cbu": 1.0, "axum": 0.667, "go": 1.333},
    }


def test_text() -> None:
    text = report.text(found(), TITLES)
    rows = rows_below(text, "GET /v1/products/{id}, 583 bytes: CPU time of the app tier a request")
    assert rows["cbu"] == ["75.0", "60.0", "90.0", "1.50", "0.75", "-", "1.50", "4.00", "2000", "0",
                           "90", "cbu 38 + nginx 38"]  # fmt: skip
    assert rows["Go net/http"][:6] == ["100.0", "99.0", "300.0", "2.00", "1.00", "-"]
    calls = rows_below(text, "system calls a request")
    assert calls["cbu: cbu"] == ["1.00", "0.00", "0.00", "0.00", "2.00", "0.00", "0.00", "3.00"]
    assert calls["cbu: nginx"] == ["2.50", *["0.00"] * 6, "2.50"]
    starts = rows_below(text, "memory (proportional set size) and start-up")
    assert starts["axum + sqlx"] == ["20.0", "30.0", "12", "13", "9", "11"]
    assert "LEFT OUT: php: there is no php-fpm" in text
    assert "something else: 0.02 to 0.02 by server (medians), 0.02 at most" in text
    assert "BUSY" not in text


def test_a_busy_machine_is_said() -> None:
    bench = a_bench({"cbu": [10, 10, 10], "go": [10, 10, 10]})
    samples = bench.records["go"].samples["product"]
    samples[1:] = [replace(sample, elsewhere=0.7) for sample in samples[1:]]
    text = report.text(report.document(bench, OPTIONS, {}, {}, MACHINE), TITLES)
    assert "something else: 0.02 to 0.70 by server (medians), 0.70 at most" in text
    assert "THE MACHINE WAS BUSY" in text


def test_without_counted_calls_there_is_no_table_of_them() -> None:
    document = {**found(), "syscalls_per_request": {}}
    assert "system calls" not in report.text(document, TITLES)


def test_failed_requests_stand_in_the_table() -> None:
    bench = a_bench({"cbu": [10, 10], "go": [10, 10]})
    samples = bench.records["go"].samples["product"]
    samples[1] = replace(samples[1], failed=3)
    document = report.document(bench, OPTIONS, {}, {}, MACHINE)
    assert document["servers"]["go"]["failed"] == 3
    text = report.text(document, TITLES)
    assert rows_below(text, "CPU time of the app tier a request")["Go net/http"][9] == "3"


def test_columns_stand_below_each_other() -> None:
    table = report.table([["", "a", "long head"], ["name", "1.5", "2"], ["n", "10.5", "300"]])
    assert table.splitlines() == [
        "         a  long head",
        "----  ----  ---------",
        "name   1.5          2",
        "n     10.5        300",
    ]


def test_document_is_written_whole(tmp_path: Path) -> None:
    document = found()
    report.write(document, tmp_path / "reports/bench.json")
    assert json.loads((tmp_path / "reports/bench.json").read_text()) == document


def test_chart_has_a_bar_for_every_server_fastest_first() -> None:
    root = ET.fromstring(svg(found(), TITLES))
    name = "{http://www.w3.org/2000/svg}"
    words = [text.text or "" for text in root.iter(f"{name}text")]
    assert any("A CPU <of> 2 & more" in text for text in words)
    assert TITLES["product"] in words
    servers = [text for text in words if text in {"axum + sqlx", "cbu", "Go net/http"}]
    assert servers == ["axum + sqlx", "cbu", "Go net/http"]
    assert {"50 µs  (1.00)", "75 µs  (1.50)", "100 µs  (2.00)"} <= set(words)
    widths = [float(bar.get("width", "0")) for bar in root.iter(f"{name}rect")][1:]
    assert [round(width / widths[-1], 2) for width in widths] == [0.5, 0.75, 1.0]
