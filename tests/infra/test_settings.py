"""infra/settings.json against the table of the program, and constants that stand in both."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from infra import times
from infra.data import INIT_QUERY
from infra.settings import (
    NGINX_DECIDED,
    SETTINGS_FILE,
    load_nginx_settings,
    load_settings,
    nginx_faults,
)

ROOT = Path(__file__).resolve().parents[2]


def program_says() -> dict[str, list[dict[str, Any]]]:
    done = subprocess.run(
        [ROOT / "build" / "cbu", "config", "--json"], env={}, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def test_same_rows_as_the_program_and_nginx() -> None:
    said = program_says()
    tables = {name: said[name] for name in ("settings", "nginx")}
    for row in (*tables["settings"], *tables["nginx"]):
        del row["value"]
    assert json.loads(SETTINGS_FILE.read_text()) == tables, "`make docs` renews it"


def test_what_is_decided_of_nginx_exists() -> None:
    assert set(load_nginx_settings()) >= NGINX_DECIDED


def test_nginxs_defaults_keep_their_own_limits() -> None:
    defaults = {setting.name: setting.default for setting in load_nginx_settings().values()}
    assert nginx_faults(defaults) == []


def test_same_times_as_the_programs_rules() -> None:
    facts = {fact["name"]: fact["value"] for fact in program_says()["facts"]}
    assert facts["LOAD_BALANCER_IDLE_S"] == times.LOAD_BALANCER_IDLE
    assert facts["LOAD_BALANCER_DEREGISTRATION_S"] == times.DEREGISTRATION_DELAY
    assert facts["PROXY_BORROW_S"] == times.PROXY_BORROW
    assert facts["PROXY_CLIENT_IDLE_S"] == times.PROXY_CLIENT_IDLE


def test_log_levels_are_the_programs() -> None:
    header = (ROOT / "common" / "run" / "log.h").read_text()
    names = re.search(r'#define LOG_LEVEL_NAMES "([^"]+)"', header)
    assert names
    assert load_settings()["LOG_LEVEL"].choices == tuple(names[1].split("|"))


def test_the_proxys_init_query_is_the_workers_connect_statement() -> None:
    source = (ROOT / "common" / "db" / "db.c").read_text()
    statement = re.search(r"connect_statement =\s*SLICE_INIT\(((?:\s*\"[^\"]*\")+)\);", source)
    assert statement
    assert "".join(re.findall(r'"([^"]*)"', statement[1])) == INIT_QUERY


def test_defaults_keep_their_own_limits() -> None:
    for setting in load_settings().values():
        if setting.default:
            assert setting.fault(setting.default) is None, setting.name
