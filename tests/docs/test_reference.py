"""The reference tables of the documents say what the sources and a running service say."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import Stack
from documents import CBU, ROOT, blocks, codes_in, table

OPERATIONS = "docs/operations.md"
API = "docs/api.md"

# ---- log events ----
# From the call to the end of its statement; strings in our log calls hold no semicolon.
LOG_CALL = re.compile(r"\b(?:log_(debug|info|warn|error)|LOG_EVENT)\((.*?)\);", re.DOTALL)
EVENT = re.compile(r'"([a-z_]+\.[a-z_]+)"')
FIELD = re.compile(r'KV_\w+\("(\w+)"')
# On every line, and explained above the table of events.
COMMON_FIELDS = {"time", "level", "event", "request_id", "trace_id"}
ACCESS = "nginx.access"
# Written by the log itself, not through its calls.
DROPPED = "log.dropped"


def _logged_events() -> dict[str, set[str]]:
    """The events of the C sources with their fields."""
    events: dict[str, set[str]] = {}
    for file in sorted((ROOT / "fcgi").rglob("*.c")) + sorted((ROOT / "common").rglob("*.c")):
        for _, call in LOG_CALL.findall(file.read_text()):
            for event in EVENT.findall(call):
                events.setdefault(event, set()).update(FIELD.findall(call))
    return events


def _access_log_fields() -> set[str]:
    text = (ROOT / "nginx/parts/access-log.conf").read_text()
    log_format = text.partition("log_format")[2].partition(";")[0]
    assert f'"event":"{ACCESS}"' in log_format
    return set(re.findall(r'"(\w+)":', log_format))


def _documented_events() -> dict[str, set[str]]:
    rows = table(OPERATIONS, "event", "level", "further fields", "meaning, and what to do")
    return {codes_in(row[0])[0]: set(codes_in(row[2])) for row in rows}


def test_every_event_is_explained() -> None:
    documented = _documented_events()
    assert documented.pop(ACCESS) == set()
    assert documented.pop(DROPPED) == {"lines"}
    assert documented == _logged_events()


def test_every_level_is_right() -> None:
    """The table names the level of the call; LOG_EVENT chooses between the two that are named."""
    rows = table(OPERATIONS, "event", "level", "further fields", "meaning, and what to do")
    documented = {codes_in(row[0])[0]: row[1] for row in rows}
    sources = "".join(file.read_text() for file in (ROOT / "fcgi").rglob("*.c"))
    for level, call in LOG_CALL.findall(sources):
        for event in EVENT.findall(call):
            assert documented[event] == (level.upper() or "INFO, ERROR"), event


def test_access_log_fields() -> None:
    rows = table(OPERATIONS, "field", "meaning", below="### Fields of `nginx.access`")
    assert {codes_in(row[0])[0] for row in rows} == _access_log_fields() - COMMON_FIELDS


def test_common_fields() -> None:
    rows = table(OPERATIONS, "field", "in", "meaning")
    assert {codes_in(row[0])[0] for row in rows} == COMMON_FIELDS


def test_queries_name_what_is_logged() -> None:
    """The questions to the logs use events and fields that there are."""
    known = set().union(COMMON_FIELDS, _access_log_fields(), *_logged_events().values())
    events = {ACCESS, *_logged_events()}
    questions = [
        block.text
        for block in blocks(OPERATIONS)
        if re.search(r"^(jq |fields |filter )", block.text, re.MULTILINE)
    ]
    assert len(questions) == 2
    for text in questions:
        assert set(EVENT.findall(text)) <= events
        assert set(re.findall(r'event == "([^"]+)"', text)) <= events
    insights = re.sub(r'"[^"]*"', "", questions[1])
    words = set(re.findall(r"\b[a-z]+(?:_[a-z]+)*\b", insights))
    keywords = {"fields", "timestamp", "filter", "and", "sort", "desc", "limit", "stats", "count"}
    assert words - keywords - {"by", "bin", "pct", "m", "h"} <= known


# ---- error codes ----
KIND = re.compile(r"\bX\((ERR_\w+),\s*(\d+),\s*\"(\w+)\"")
ERROR_TABLES = ("common/base/err.h", "common/auth/errors.h", "fcgi/api/errors.h")
# Kinds of the command line; no answer carries them.
NEVER_ANSWERED = {"migration_changed", "migration_failed", "settings_invalid"}


def _routes() -> str:
    """The rows that the workers answer; the master's are explained in one section."""
    return (ROOT / "fcgi/api/routes.c").read_text().partition("master_rows")[0]


def _answered_kinds() -> dict[str, set[tuple[int, str]]]:
    """Status and code of every problem by who may write it."""
    text = "".join((ROOT / file).read_text() for file in ERROR_TABLES)
    kinds = {(int(status), code) for _, status, code in KIND.findall(text)}
    assert {code for _, code in kinds} >= NEVER_ANSWERED
    problems = (ROOT / "nginx/parts/problems.conf").read_text()
    return {
        "worker": {kind for kind in kinds if kind[1] not in NEVER_ANSWERED},
        "nginx": {
            (int(status), code)
            for status, code in re.findall(r'"status":(\d+),.*"code":"(\w+)"', problems)
        },
    }


def test_every_error_code_is_explained() -> None:
    documented: dict[str, set[tuple[int, str]]] = {"worker": set(), "nginx": set()}
    for status, code, writers, _ in table(API, "status", "code", "from", "when, and what to do"):
        for writer in writers.split(", "):
            documented[writer].add((int(status), codes_in(code)[0]))
    assert documented == _answered_kinds()


@pytest.mark.parametrize(
    ("heading", "files"),
    [
        ("the value", ["common/web/query.c", "fcgi/api/products.c"]),
        (
            "the member",
            ["common/web/schema.c", "fcgi/api/product_input.c", "fcgi/api/product_edit.c"],
        ),
    ],
)
def test_every_fault_code_is_explained(heading: str, files: list[str]) -> None:
    """The codes of errors[] that a query string or a body can get."""
    found: set[str] = set()
    for file in files:
        text = (ROOT / file).read_text()
        for call in re.findall(r"\b(?:FAULT|fault_add)\((.*?)\);", text, re.DOTALL):
            # The first strings are codes; the message, which is last, has blanks.
            found.update(re.findall(r'(?<!SLICE\()"([a-z]+)"', call))
    documented = {codes_in(row[0])[0] for row in table(API, "code", heading)}
    assert documented == found


# ---- endpoints and their parameters ----
def test_every_route_is_explained() -> None:
    """Each row of the route table has a heading of its own."""
    rows = re.findall(r'^ +\{HTTP_(\w+), +"([^"]+)"', _routes(), re.MULTILINE)
    headings = re.findall(r"^## `([A-Z]+) (/[^`]*)`$", (ROOT / API).read_text(), re.MULTILINE)
    assert headings == rows


def test_every_parameter_is_explained() -> None:
    text = (ROOT / "fcgi/api/products.c").read_text()
    listed = re.findall(r"QUERY_\w+\(list_query, (\w+),", text)
    rows = table(API, "parameter", "values", "meaning")
    assert [codes_in(row[0])[0] for row in rows] == listed


# ---- status pages ----
def _leaves(value: Any, name: str = "") -> set[str]:
    """The names of a document's values, as the tables write them: workers.list[].pid."""
    if isinstance(value, dict):
        return set().union(*(_leaves(each, f"{name}.{key}") for key, each in value.items()))
    if isinstance(value, list):
        return set().union(*(_leaves(each, f"{name}[]") for each in value))
    return {name.removeprefix(".")}


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def _documented_fields(page: str) -> set[str]:
    rows = table(OPERATIONS, "field", "meaning", below=f"### Fields of `{page}`")
    return {code for row in rows for code in codes_in(row[0])}


def test_every_status_field_is_explained(stack: Stack) -> None:
    for page in ("/status", "/health/ready"):
        assert _documented_fields(page) == _leaves(_get(stack.url + page)), page


# ---- exit codes ----
def _exit_codes() -> dict[str, set[int]]:
    codes: dict[str, set[int]] = {}
    for code, programs, _ in table(OPERATIONS, "code", "of", "meaning"):
        for program in codes_in(programs) or [programs]:
            codes.setdefault(program, set()).add(int(code))
    return codes


def test_exit_codes_are_those_of_the_help() -> None:
    documented = _exit_codes()
    assert documented.pop("all") == {0, 64}
    # Of the commands without such a sentence, and of all that read settings.
    everywhere = {0, 78}
    for command, codes in documented.items():
        if not command.startswith("cbu "):
            continue
        done = subprocess.run(
            [CBU, command.split()[1], "--help"], capture_output=True, text=True, timeout=60
        )
        said = re.search(r"Exit status: (.*?)\.\n", done.stdout, re.DOTALL)
        assert said, command
        assert {int(code) for code in re.findall(r"\b\d+\b", said[1])} | everywhere == (
            codes | everywhere
        ), command


def test_exit_codes_are_true(stack: Stack, tmp_path: Path) -> None:
    bad_line = tmp_path / "bad.ndjson"
    bad_line.write_text('{"sku":"A"}\n')
    cases: list[tuple[int, list[str], dict[str, str]]] = [
        (0, ["version"], {}),
        (0, ["healthcheck"], {}),
        (1, ["healthcheck"], {"STATUS_SOCKET": str(tmp_path / "none")}),
        (64, ["nonsense"], {}),
        (65, ["import", str(bad_line)], {}),
        (66, ["import", str(tmp_path / "none")], {}),
        (69, ["status"], {"STATUS_SOCKET": str(tmp_path / "none")}),
        (69, ["migrate"], {"MIGRATE_DATABASE_URL": "mysql://u:p@localhost/d?socket=/none"}),
        (78, ["serve"], {"WORKERS": "0"}),
        (78, ["serve"], {}),  # the stack's own service has the sockets
    ]
    for code, arguments, more in cases:
        done = subprocess.run(
            [CBU, *arguments],
            env={**stack.settings, **more},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
