"""infra/settings.json against the table in fcgi/settings.c, and constants that stand in both."""

import re
from pathlib import Path

from infra.data import INIT_QUERY
from infra.settings import Setting, load_settings

ROOT = Path(__file__).resolve().parents[2]

STRING = r'(?:NULL|"(?P<{}>[^"]*)")'
ROW = re.compile(
    r'CONF_(?P<kind>INT|STR|CHOICE|SECRET)\("(?P<name>\w+)",\s*\w+,\s*'
    + STRING.format("default")
    + r",\s*(?:(?P<uses>[A-Z_ |0]+),\s*)?(?:(?P<min>\d+),\s*(?P<max>\w+),\s*\"(?P<unit>\w+)\")?"
)


def table_in_c() -> dict[str, dict[str, str | None]]:
    """Until `cbu config --json` prints the table, its source is read."""
    source = (ROOT / "fcgi" / "settings.c").read_text().replace("\\\n", "\n")
    rows = source[source.index("#define STATUS_SOCKET_ITEM") : source.index("settings_table = ")]
    found = {match["name"]: match.groupdict() for match in ROW.finditer(rows)}
    assert len(found) == len(re.findall(r"\bCONF_\w+\(", rows))
    return found


def described(setting: Setting) -> tuple[object, ...]:
    return (setting.kind, setting.default, setting.secret, setting.min, setting.max)


def test_same_names_defaults_and_limits_as_the_program() -> None:
    constants = {
        name: int(value)
        for name, value in re.findall(
            r"#define (\w+_MAX) (\d+)\n", (ROOT / "fcgi" / "settings.h").read_text()
        )
    }
    kinds = {"INT": "integer", "STR": "text", "SECRET": "text", "CHOICE": "choice"}
    wanted = {
        name: (
            kinds[row["kind"] or ""],
            row["default"],
            row["kind"] == "SECRET",
            int(row["min"] or 0),
            constants.get(row["max"] or "", 0) or int(row["max"] or 0),
        )
        for name, row in table_in_c().items()
    }
    assert {name: described(setting) for name, setting in load_settings().items()} == wanted


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
