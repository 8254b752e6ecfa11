"""Percentiles, spreads, ratios, and how many requests a server gets."""

from __future__ import annotations

import pytest
from benchlib.figures import Spread, fastest, percentile, ratios
from benchlib.rounds import REQUESTS_LEAST, requests_for, rotated
from benchlib.servers import ALL


@pytest.mark.parametrize(
    ("values", "percent", "wanted"),
    [
        ([], 99, 0),
        ([7], 50, 7),
        ([7], 99, 7),
        ([1, 2], 50, 1),
        ([1, 2, 3], 50, 2),
        (range(1, 101), 99, 99),
        (range(1, 101), 100, 100),
        (range(1, 1001), 99, 990),
        ([1] * 99 + [500], 99, 1),
        ([1] * 98 + [500] * 2, 99, 500),
    ],
)
def test_percentile(values: range | list[int], percent: int, wanted: int) -> None:
    assert percentile(list(values), percent) == wanted


def test_spread() -> None:
    assert Spread.of([5, 1, 3]).as_json() == {"median": 3, "least": 1, "most": 5}
    assert Spread.of([1.23456, 2.0]).as_json() == {"median": 1.617, "least": 1.235, "most": 2.0}


def test_ratios() -> None:
    values = {"cbu": 80.0, "go": 100.0}
    assert ratios(values, "go") == {"cbu": 0.8, "go": 1.0}
    assert ratios(values, "axum") == {}
    assert ratios({"cbu": 80.0, "go": 0.0}, "go") == {}


def test_fastest_is_one_of_those_that_took_part() -> None:
    values = {"cbu": 1.0, "go": 3.0, "axum": 2.0}
    assert fastest(values, ["go", "axum", "php"]) == "axum"
    assert fastest(values, ["php"]) is None


def test_rounds_give_every_server_every_place() -> None:
    servers = list(ALL.values())
    orders = [rotated(servers, number) for number in range(len(servers))]
    for place in range(len(servers)):
        assert {order[place].name for order in orders} == set(ALL)
    assert rotated(servers, len(servers)) == servers


@pytest.mark.parametrize(
    ("rate", "most", "wanted"),
    [
        (100_000, 20_000, 20_000),
        (1000, 20_000, 4000),
        (10, 20_000, REQUESTS_LEAST),
        (10, 50, 50),  # who asks for few gets few
    ],
)
def test_slow_servers_get_fewer_requests(rate: float, most: int, wanted: int) -> None:
    assert requests_for(rate, most) == wanted
