"""Who takes part, with which rows, and what the command line understands."""

from __future__ import annotations

import argparse
import json
from itertools import islice

import pytest
from benchlib import catalogue
from benchlib.cli import PEERS, main, names, number
from benchlib.paths import PEERS as PEERS_FOLDER
from benchlib.servers import ALL, Cbu


def test_every_peer_is_described_and_has_its_folder() -> None:
    readme = (PEERS_FOLDER / "README.md").read_text()
    assert [server.name for server in ALL.values() if server.is_peer] == PEERS
    for name in PEERS:
        assert (PEERS_FOLDER / name).is_dir()
        assert f"| [{name}](" in readme


def test_a_variant_needs_its_setting_of_nginx() -> None:
    assert Cbu("a", "a", NGINX_READ_TIMEOUT_S="3").missing() is None
    reason = Cbu("b", "b", NGINX_READ_TIMEOUT="3").missing()
    assert reason == "nginx/variables has no NGINX_READ_TIMEOUT"


def test_rows_are_the_same_each_time_and_fit_the_tables() -> None:
    rows = list(islice(catalogue.products(500), 500))
    assert rows == list(catalogue.products(500))
    # Another count changes none of them.
    assert rows == list(islice(catalogue.products(100_000), 500))
    assert len({row["sku"] for row in rows}) == 500
    for row in rows:
        assert 1 <= len(str(row["name"])) <= 200
        assert 1 <= len(str(row["description"])) <= 4000
        assert len(json.dumps(row)) < 4000
    assert any("brand" not in row for row in rows)
    assert any(row["stock"] == 0 for row in rows)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("go", ["go"]), ("go axum", ["axum", "go"]), ("go,axum", ["axum", "go"]), ("none", [])],
)
def test_names(text: str, wanted: list[str]) -> None:
    assert names(["axum", "go", "php"])(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "101", "-1", "1.5", "many"])
def test_numbers_outside_their_range(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no whole number from 1 to 100"):
        number(1, 100)(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--peers", "rails"], "'rails' is none of axum, go, php, fastapi"),
        (["--routes", "search"], "'search' is none of live, service, product, products"),
        (["--rounds", "0"], "'0' is no whole number from 1 to 100"),
        (["--hold", "rails"], "invalid choice: 'rails'"),
    ],
)
def test_command_lines_that_are_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
