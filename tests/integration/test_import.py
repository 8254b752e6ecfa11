"""`cbu import`: good lines are kept with their exact values, every other line is reported."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from catalogue import MEMBERS, expected_products
from nginx_server import ROOT
from sample_catalogue import SampleCatalogue
from stacks import (
    CBU,
    EX_DATAERR,
    EX_NOINPUT,
    EX_UNAVAILABLE,
    EX_USAGE,
    PATIENCE_S,
    Database,
    plain_environment,
    run_cbu,
    wait_for,
)

GOOD: dict[str, object] = {
    "sku": "good",
    "name": "Good",
    "category": "c",
    "price_minor": 1,
    "stock": 1,
}


def good(**members: object) -> dict[str, object]:
    return {**GOOD, **members}


def line(**members: object) -> bytes:
    return json.dumps(good(**members)).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


def reports(done: subprocess.CompletedProcess[str]) -> dict[int, str]:
    """What standard error says of each line."""
    found = {}
    for text in done.stderr.splitlines():
        number, reason = re.fullmatch(r"line (\d+): (.+)", text).groups()  # type: ignore[union-attr]
        assert int(number) not in found, "one report for each line"
        found[int(number)] = reason
    return found


def summary(done: subprocess.CompletedProcess[str]) -> tuple[int, int, int]:
    """Products loaded, lines refused, SKUs repeated."""
    found = re.fullmatch(
        r"(\d+) lines loaded, (\d+) lines refused, (\d+) repeated SKUs\n", done.stdout
    )
    assert found, done.stdout
    return int(found[1]), int(found[2]), int(found[3])


def rows(database: Database) -> dict[str, dict[str, Any]]:
    """The rows of the table by SKU, drafts and deleted ones too."""
    columns = ", ".join(f"{column} AS {name}" for name, column in MEMBERS.items())
    found = database.sql.dicts(
        f"SELECT {columns}, p.deleted_at FROM products p JOIN categories c ON c.id = p.category_id"
    )
    return {row["sku"]: row for row in found}


# ---- lines that are kept ----
KEPT: list[tuple[str, bytes, dict[str, object]]] = [
    ("every member", line(description="d", brand="b", currency="USD", status="draft"),
     {"description": "d", "brand": "b", "currency": "USD", "status": "draft"}),
    ("only what is required", line(),
     {"description": "", "brand": None, "currency": "USD", "status": "active"}),
    ("null for what is optional", line(description=None, brand=None, currency=None, status=None),
     {"description": "", "brand": None, "currency": "USD", "status": "active"}),
    ("members in another order, blanks",
     b' \t{ "stock" : 3 ,"price_minor":0, "category": "x" , "name":"N","sku": "good" }  ',
     {"stock": 3, "price_minor": 0, "category": "x", "name": "N"}),
    ("longest texts",
     line(name="n" * 200, description="d" * 4000, brand="b" * 100, category="c" * 100),
     {"name": "n" * 200, "description": "d" * 4000, "brand": "b" * 100, "category": "c" * 100}),
    ("longest texts in four-byte characters",
     line(name="🍵" * 200, description="🎈" * 4000, brand="🚲" * 100, category="🏔" * 100),
     {"name": "🍵" * 200, "description": "🎈" * 4000, "brand": "🚲" * 100, "category": "🏔" * 100}),
    ("longest texts, not escaped",
     json.dumps(good(name="é" * 200, description="語" * 4000), ensure_ascii=False).encode(),
     {"name": "é" * 200, "description": "語" * 4000}),
    ("description of apostrophes", line(description="'" * 4000), {"description": "'" * 4000}),
    ("description of backslashes", line(description="\\" * 4000), {"description": "\\" * 4000}),
    ("greatest numbers", line(price_minor=999_999_999_999, stock=999_999_999),
     {"price_minor": 999_999_999_999, "stock": 999_999_999}),
    ("numbers in other spellings", line().replace(b'"price_minor": 1', b'"price_minor":1.5e1')
     .replace(b'"stock": 1', b'"stock":30E-1'), {"price_minor": 15, "stock": 3}),
    ("text that looks like SQL", line(name="'; DROP TABLE products; -- \\' \" ` %s ? ?"),
     {"name": "'; DROP TABLE products; -- \\' \" ` %s ? ?"}),
    ("line breaks and tabs in the description", line(description="a\nb\r\nc\td"),
     {"description": "a\nb\r\nc\td"}),
    ("escapes", line().replace(b'"Good"', b'"\\u0041\\/\\\\\\"\\ud83c\\udf75"'),
     {"name": 'A/\\"🍵'}),
    ("blanks around the name", line(name="  two  "), {"name": "  two  "}),
    ("characters that are no letters", line(name="\u200b\u00a0\ufeff\u0301\u202e"),
     {"name": "\u200b\u00a0\ufeff\u0301\u202e"}),
    ("private and unassigned characters", line(brand="\ue000\U0010ffff\ufffd"),
     {"brand": "\ue000\U0010ffff\ufffd"}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), [k[1:] for k in KEPT], ids=[k[0] for k in KEPT])
def test_kept_line(module_database: Database, data: bytes, expected: dict[str, object]) -> None:
    module_database.sql.run("DELETE FROM products")
    done = module_database.cbu("import", "-", input=data + b"\n")
    assert (done.returncode, done.stderr, summary(done)) == (0, "", (1, 0, 0))
    row = rows(module_database)["good"]
    assert {name: row[name] for name in expected} == expected
    assert (row["version"], row["deleted_at"]) == (1, None)
    assert row["created_at"] == row["updated_at"]


def test_longest_sku_in_four_byte_characters(database: Database) -> None:
    skus = ["🍵" * 64, "🍵" * 63 + "🎈"]
    database.load(*(good(sku=sku) for sku in skus))
    assert set(rows(database)) == set(skus)


# ---- lines that are refused ----
def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


REFUSED: list[tuple[bytes, str]] = [
    # the line, and what the report must say (a regular expression)
    # Not JSON.
    (b"nonsense", "value expected"),
    (b"{", "member name expected"),
    (b"{}}", "something follows"),
    (b'{"sku": "a" "name": "b"}', "',' or a closing bracket expected"),
    (b"{'sku': 'a'}", "member name expected"),
    (b'{"sku": "a",}', "member name expected after the comma"),
    (b'{"sku": }', "value expected"),
    (b'{"sku"}', "':' expected"),
    (line() + line(), "something follows"),
    (line() + b" x", "something follows"),
    (b'{"price_minor": 01}', "closing bracket expected"),
    (b'{"price_minor": 1.}', "digit expected"),
    (b'{"price_minor": .5}', "value expected"),
    (b'{"price_minor": +1}', "value expected"),
    (b'{"price_minor": NaN}', "value expected"),
    (b'{"price_minor": Infinity}', "value expected"),
    (b'{"price_minor": 0x10}', "closing bracket expected"),
    (b'{"price_minor": 1e}', "digit expected"),
    (b'{"sku": "a', "without an end"),
    (b'{"sku": "\\x41"}', "unknown escape"),
    (b'{"sku": "\\u00"}', "four hexadecimal digits"),
    (b'{"sku": "\\ud800"}', "high surrogate"),
    (b'{"sku": "\\udc00"}', "low surrogate"),
    (b'{"sku": "\\ud800\\u0041"}', "high surrogate"),
    (b'{"sku": "a\\u0000b"}', "escaped NUL"),
    (b'{"a\\u0000b": 1}', "escaped NUL"),
    (b'{"sku": "a\x00b"}', "control character"),
    (b'{"sku": "a\x01"}', "control character"),
    (b'{"sku": "a\tb"}', "control character"),
    (b"\x00", "value expected"),
    (b"\x0c" + line(), "value expected"),
    (b'{"sku": "\xff"}', "invalid UTF-8"),
    (b'{"sku": "\xc0\xaf"}', "invalid UTF-8"),
    (b'{"sku": "\xed\xa0\x80"}', "invalid UTF-8"),
    (b'{"sku": "\xf4\x90\x80\x80"}', "invalid UTF-8"),
    (b'{"sku": "\xe2\x82"}', "invalid UTF-8"),
    (line() + b"\xff", "something follows"),
    (b"\xef\xbb\xbf" + line(), "value expected"),  # a byte order mark, but not in the first line
    (b"[" * 100_000, "longer than 65536 bytes"),
    (deep(1000), "nested too deeply"),
    # JSON, but no product.
    (b"1", "must be an object"),
    (b"null", "must be an object"),
    (b'"text"', "must be an object"),
    (b"[]", "must be an object"),
    (b"[" + line() + b"]", "must be an object"),
    (b"{}", "/sku is required; /name is required; /category is required; /price_minor is required"
     "; /stock is required"),
    (deep(3), "/a is no member here.*required"),
    *((without(name), f"/{name} is required") for name in GOOD),
    (line(colour="red"), "/colour is no member"),
    (line(id=1), "/id is no member"),
    (line(SKU="a"), "/SKU is no member"),
    (line(in_stock=True), "/in_stock is no member"),
    (line(version=1, created_at="x"), "/version is no member.*; /created_at is no member"),
    (line(**{"a/b~c": 1}), "/a~1b~0c is no member"),
    (line(**{"": 1}), "/ is no member"),
    (line(**{"x" * 30_000: 1}), "/x{50,} is no member"),
    (line()[:-1] + b', "sku": "b"}', "/sku is given more than once"),
    (line()[:-1] + b', "s\\u006bu": "b"}', "/sku is given more than once"),
    # Wrong types.
    *(
        (line(**{name: value}), f"/{name} must be a string")
        for name in ("sku", "name", "category", "description", "brand", "currency")
        for value in (1, True, [], {})
    ),
    *((line(**{name: None}), f"/{name} must be") for name in GOOD),
    *(
        (line(**{name: value}), f"/{name} must be a whole number")
        for name in ("price_minor", "stock")
        for value in ("1", True, [], {}, 1.5, 1e-1)
    ),
    (line(status=0), "/status must be one of active"),
    # Values out of range.
    (line(price_minor=-1), "/price_minor must be from 0 to 999999999999"),
    (line(price_minor=1_000_000_000_000), "/price_minor must be from 0"),
    (line(price_minor=9_007_199_254_740_993), "/price_minor must be from 0"),
    (line(price_minor=10**30), "/price_minor must be from 0"),
    (line().replace(b": 1", b": 1e400", 1), "/price_minor must be"),
    (line(stock=-1), "/stock must be from 0 to 999999999"),
    (line(stock=1_000_000_000), "/stock must be from 0"),
    (line(stock=2**64 + 1), "/stock must be from 0"),
    (line(status="deleted"), "/status must be one of active"),
    (line(status="Active"), "/status must be one of active"),
    (line(status=""), "/status must be one of active"),
    (line(currency="EUR"), "/currency must be USD, not EUR"),
    (line(currency="usd"), "/currency must be USD, not usd"),
    (line(currency="US"), "/currency must have 3 to 3 characters"),
    (line(currency=""), "/currency must have 3 to 3 characters"),
    # Lengths count characters.
    *(
        (line(**{name: "é" * (limit + 1)}), f"/{name} must have {least} to {limit} characters")
        for name, least, limit in (
            ("sku", 1, 64),
            ("name", 1, 200),
            ("category", 1, 100),
            ("brand", 1, 100),
            ("description", 0, 4000),
        )
    ),
    *(
        (line(**{name: ""}), f"/{name} must have 1 to")
        for name in ("sku", "name", "category", "brand")
    ),
    # Characters that nobody sees.
    *(
        (line(**{name: f"a{character}b"}), f"/{name} must not hold control characters")
        for name in ("sku", "name", "category", "brand")
        for character in ("\n", "\t", "\r", "\x1b", "\x7f", "\x01")
    ),
    (line(description="a\x1b[2Jb"), "/description must not hold control characters"),
    (line(description="a\x7f"), "/description must not hold control characters"),
    *(
        (line(**{name: text}), f"/{name} must not begin or end with a space")
        for name in ("sku", "category", "brand")
        for text in (" a", "a ", " ")
    ),
    # Everything at once.
    (line(sku="", name=1, price_minor=-1, colour="red"),
     "(?=.*/sku )(?=.*/name )(?=.*/price_minor )(?=.*/colour )"),
    (json.dumps({f"m{n}": n for n in range(1000)}).encode(), "/m0 is no member here; /m1 is no"),
]  # fmt: skip


@pytest.fixture(scope="module")
def refusal(make_database: Callable[..., Database]) -> tuple[dict[int, str], Database]:
    """One import of all these lines, each between two good ones; and what was said of each."""
    database = make_database()
    lines = [line(sku="good 0")]
    for number, (bad, _) in enumerate(REFUSED):
        lines += [bad, line(sku=f"good {number + 1}", stock=number)]
    done = database.cbu("import", "-", input=b"\n".join(lines) + b"\n")
    assert done.returncode == EX_DATAERR
    assert summary(done) == (len(REFUSED) + 1, len(REFUSED), 0)
    return reports(done), database


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=lambda n: f"{n}-{REFUSED[n][1][:30]}")
def test_refused_line(refusal: tuple[dict[int, str], Database], number: int) -> None:
    said, _ = refusal
    # Two lines for each, and the good one at the start.
    assert re.search(REFUSED[number][1], said[2 * number + 2])


def test_good_lines_between_bad_ones_are_kept(refusal: tuple[dict[int, str], Database]) -> None:
    said, database = refusal
    assert len(said) == len(REFUSED)
    found = rows(database)
    assert set(found) == {f"good {n}" for n in range(len(REFUSED) + 1)}
    assert all(found[f"good {n + 1}"]["stock"] == n for n in range(len(REFUSED)))
    keys = {row[0] for row in database.sql.rows("SELECT category_key FROM categories")}
    assert keys == {"c"}, "a line that is refused makes no category"


def test_report_is_safe_to_show(database: Database) -> None:
    """What a file holds must not move the cursor of a terminal, or pass for another report."""
    done = database.cbu(
        "import",
        "-",
        input=b'{"a\\nline 9: b\\u001b[2J\\u007f\\u009b": 1}\n' + line(currency="\x1b[7") + b"\n",
    )
    assert done.returncode == EX_DATAERR
    assert set(reports(done)) == {1, 2}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stderr)


# ---- files of every shape ----
@pytest.mark.parametrize(
    ("data", "loaded", "refused"),
    [
        pytest.param(b"", 0, set(), id="nothing"),
        pytest.param(b"\n\n\n", 0, set(), id="blank lines only"),
        pytest.param(b" \t \r\n\t\n", 0, set(), id="lines of blanks"),
        pytest.param(line(sku="a"), 1, set(), id="no end of line at the end"),
        pytest.param(line(sku="a") + b"\n" + line(sku="b"), 2, set(), id="no end at the last"),
        pytest.param(line(sku="a") + b"\r\n" + line(sku="b") + b"\r\n", 2, set(), id="CRLF"),
        pytest.param(line(sku="a") + b"\r", 1, set(), id="CR at the end"),
        pytest.param(line(sku="a") + b"\r" + line(sku="b"), 0, {1}, id="CR is no end of line"),
        pytest.param(b"\n\n" + line(sku="a") + b"\n\nx\n\n", 1, {5}, id="blank lines count"),
        pytest.param(b"\xef\xbb\xbf" + line(sku="a") + b"\nx\n", 1, {2}, id="byte order mark"),
        pytest.param(b"\xef\xbb\xbf\n" + line(sku="a"), 1, set(), id="byte order mark alone"),
        pytest.param(b"\xef\xbb\xbf", 0, set(), id="nothing but a byte order mark"),
        pytest.param(b"\xef\xbb" + line(sku="a"), 0, {1}, id="half a byte order mark"),
        pytest.param(b"x" * 65536 + b"\n" + line(sku="a"), 1, {1}, id="64 KiB"),
        pytest.param(b"x" * 65537 + b"\n" + line(sku="a"), 1, {1}, id="more than 64 KiB"),
        pytest.param(b"x" * 5_000_000, 0, {1}, id="one endless line"),
        pytest.param(b"x" * 5_000_000 + b"\n" + line(sku="a"), 1, {1}, id="endless, then good"),
        pytest.param(line(sku="a") + b" " * 65_000 + b"\n", 1, set(), id="long, but of blanks"),
        pytest.param(b" " * 70_000 + line(sku="a") + b"\n", 0, {1}, id="too many blanks"),
        pytest.param(b"\x00" * 1000 + b"\n" + line(sku="a"), 1, {1}, id="NUL bytes"),
        pytest.param(b"\xff\xfe" + line(sku="a").decode().encode("utf-16-le"), 0, {1}, id="UTF-16"),
    ],
)  # fmt: skip
def test_shape_of_a_file(
    database: Database, tmp_path: Path, data: bytes, loaded: int, refused: set[int]
) -> None:
    file = tmp_path / "products.ndjson"
    file.write_bytes(data)
    for done in (database.cbu("import", "-", input=data), database.cbu("import", str(file))):
        assert summary(done) == (loaded, len(refused), 0)
        assert done.returncode == (EX_DATAERR if refused else 0)
        assert set(reports(done)) == refused
    assert len(rows(database)) == loaded


def test_line_of_exactly_the_limit(database: Database) -> None:
    data = line(sku="a")
    for padding, loaded in ((65536 - len(data), 1), (65537 - len(data), 0)):
        done = database.cbu("import", "-", input=b" " * padding + data + b"\n")
        assert summary(done)[0] == loaded


def test_progress_is_for_terminals_only(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "products.ndjson"
    file.write_bytes(b"".join(line(sku=f"s{n}") + b"\n" for n in range(500)) + b"nonsense\n")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        importer = subprocess.Popen(
            [CBU, "import", str(file)],
            cwd=ROOT,
            env=plain_environment(DATABASE_URL=database.url),
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        # A terminal that nobody holds any more fails to read.
        with contextlib.suppress(OSError):
            while part := terminal.read(4096):
                shown += part
        output, _ = importer.communicate(timeout=PATIENCE_S)
    assert importer.returncode == EX_DATAERR
    assert b" 100 %" in shown and b"[####" in shown and b" 99 %" in shown
    # The bar goes before a report, so the report stands on a line of its own.
    assert re.search(rb"\r\x1b\[Kline 501: value expected", shown)
    assert output == b"500 lines loaded, 1 lines refused, 0 repeated SKUs\n"


# ---- the same SKU again ----
def test_sku_twice_last_wins_and_both_lines_are_named(database: Database) -> None:
    filler = b"".join(line(sku=f"filler {n}", description="x" * 300) + b"\n" for n in range(200))
    data = (
        line(sku="a", stock=1) + b"\n" + line(sku="b") + b"\n" + line(sku="a", stock=2) + b"\n"
        + filler + line(sku="a", stock=3) + b"\n" + line(sku="A", stock=4) + b"\n"
    )  # fmt: skip
    done = database.cbu("import", "-", input=data)
    assert done.returncode == 0
    assert summary(done) == (205, 0, 2)
    said = reports(done)
    for number, (first, last) in {3: (1, 3), 204: (3, 204)}.items():
        assert re.search(rf"\ba\b.*\b{first}\b.*\b{last}\b", said[number])
    found = rows(database)
    assert (found["a"]["stock"], found["A"]["stock"]) == (3, 4)


def test_longest_sku_twice_still_names_both_lines(database: Database) -> None:
    data = line(sku="🍵" * 64) + b"\n"
    done = database.cbu("import", "-", input=data * 2)
    assert re.fullmatch(f"SKU {'🍵' * 64} .*\\b1\\b.*\\b2\\b.*", reports(done)[2])


def test_refused_line_does_not_count_as_a_repetition(database: Database) -> None:
    data = line(sku="a") + b"\n" + line(sku="a", stock=-1) + b"\n" + line(sku="b") + b"\n"
    done = database.cbu("import", "-", input=data)
    assert summary(done) == (2, 1, 0)
    assert rows(database)["a"]["stock"] == 1


def test_sku_twice_with_the_same_values_is_one_version(database: Database) -> None:
    done = database.cbu("import", "-", input=(line(sku="a") + b"\n") * 3)
    assert summary(done) == (3, 0, 2)
    assert rows(database)["a"]["version"] == 1


# ---- a product that is there already ----
CHANGES: list[dict[str, object]] = [
    {"name": "Other"},
    {"name": "good"},
    {"name": "Góod"},
    {"name": "Good "},
    {"description": "x"},
    {"description": " "},
    {"brand": "b"},
    {"category": "other"},
    {"category": "C"},
    {"price_minor": 2},
    {"stock": 0},
    {"status": "draft"},
]


def age(database: Database) -> None:
    """Makes all products a day older, so that a change of times shows."""
    database.sql.run(
        "UPDATE products SET created_at = created_at - INTERVAL 1 DAY,"
        " updated_at = updated_at - INTERVAL 1 DAY"
    )


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_changed_product_keeps_its_id_and_gets_a_new_version(
    module_database: Database, change: dict[str, object]
) -> None:
    database = module_database
    database.sql.run("DELETE FROM products")
    database.load(good(), good(sku="other"))
    age(database)
    before = rows(database)
    database.load(good(**change), good(sku="other"))
    after = rows(database)
    assert after["other"] == before["other"]
    row = after["good"]
    assert row["version"] == 2
    assert row["updated_at"] > before["good"]["updated_at"]
    kept = {"id", "sku", "created_at"}
    assert {name: row[name] for name in kept} == {name: before["good"][name] for name in kept}
    for name, value in change.items():
        assert row[name] == value
    # And back again, with every other member as it was.
    database.load(good())
    again = rows(database)["good"]
    assert again["version"] == 3
    own = {"version", "updated_at"}
    assert [(k, v) for k, v in again.items() if k not in own] == [
        (k, v) for k, v in before["good"].items() if k not in own
    ]


def test_unchanged_product_keeps_its_version_and_time(database: Database) -> None:
    products = [
        good(sku="a"),
        good(sku="b", description="x", brand="y", currency="USD", status="draft"),
    ]
    database.load(*products)
    age(database)
    before = rows(database)
    for _ in range(2):
        database.load(*products)
        assert rows(database) == before


def test_import_restores_a_deleted_product(database: Database) -> None:
    database.load(good())
    age(database)
    database.sql.run("UPDATE products SET deleted_at = updated_at")
    before = rows(database)["good"]
    database.load(good())
    after = rows(database)["good"]
    assert (after["id"], after["deleted_at"], after["version"]) == (before["id"], None, 2)
    assert after["updated_at"] > before["updated_at"]
    assert list(expected_products(database.sql)) == [before["id"]]


def test_other_products_stay(database: Database) -> None:
    database.load(good(sku="a"), good(sku="b"))
    before = rows(database)
    database.load(good(sku="c"))
    after = rows(database)
    assert {sku: after[sku] for sku in before} == before


# ---- the shop's currency ----
def test_currency_of_the_shop(database: Database) -> None:
    data = b"\n".join((line(sku="a"), line(sku="b", currency="EUR"), line(sku="c", currency="USD")))
    done = database.cbu("import", "-", input=data, SHOP_CURRENCY="EUR")
    assert done.returncode == EX_DATAERR
    assert reports(done) == {3: "/currency must be EUR, not USD"}
    assert {sku: row["currency"] for sku, row in rows(database).items()} == {"a": "EUR", "b": "EUR"}


# ---- exit codes and faults of the world around ----
def test_file_that_is_not_there(database: Database, tmp_path: Path) -> None:
    done = database.cbu("import", str(tmp_path / "absent"))
    assert done.returncode == EX_NOINPUT
    assert "absent: No such file" in done.stderr


def test_folder_instead_of_a_file(database: Database, tmp_path: Path) -> None:
    done = database.cbu("import", str(tmp_path))
    assert done.returncode == EX_NOINPUT
    assert str(tmp_path) in done.stderr


@pytest.mark.parametrize("arguments", [[], ["-", "-"], ["a", "b"], ["--dry-run"]])
def test_wrong_usage(database: Database, arguments: list[str]) -> None:
    done = database.cbu("import", *arguments)
    assert done.returncode == EX_USAGE
    assert done.stdout == "" and "import" in done.stderr


def test_database_that_is_not_there(database: Database, tmp_path: Path) -> None:
    url = f"mysql://nobody:secret-password@localhost/x?socket={tmp_path}/absent.sock"
    done = run_cbu("import", "-", input=line(), DATABASE_URL=url)
    assert done.returncode == EX_UNAVAILABLE
    assert "stopped at line 1" in done.stderr and "database_down" in done.stderr
    assert done.stdout == "0 lines loaded, 0 lines refused, 0 repeated SKUs\n"
    assert "secret-password" not in done.stderr


def test_database_without_tables(make_database: Callable[..., Database]) -> None:
    database = make_database(migrated=False)
    done = database.cbu("import", "-", input=line())
    assert done.returncode not in (0, EX_DATAERR)
    assert "categories" in done.stderr and done.stdout.startswith("0 lines loaded")


def test_connection_killed_on_the_way(database: Database) -> None:
    """How far an import came is said, and running it again brings the rest."""
    sql = database.sql
    half = "".join(f"{line(sku=f's{n}', description='x' * 1000).decode()}\n" for n in range(200))
    importer = subprocess.Popen(
        [CBU, "import", "-"],
        cwd=ROOT,
        env=plain_environment(DATABASE_URL=database.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert importer.stdin is not None
        importer.stdin.write(half)
        importer.stdin.flush()
        wait_for(lambda: sql.value("SELECT COUNT(*) FROM products"), "the first rows")
        [[id]] = sql.rows(
            "SELECT id FROM information_schema.processlist WHERE db = %s AND user = 'cbu'",
            database.name,
        )
        sql.run(f"KILL {id}")
        output, errors = importer.communicate(half.replace('": "s', '": "t'), timeout=PATIENCE_S)
    finally:
        importer.kill()
        importer.wait()
    assert importer.returncode == EX_UNAVAILABLE
    assert re.search(r"stopped at line \d+: (database_down|write_unknown)", errors)
    loaded = int(output.split()[0])
    # A statement whose answer was lost may have been done all the same, and this is said.
    assert loaded == len(rows(database)) or "write_unknown" in errors
    assert 0 < loaded <= len(rows(database)) < 400
    done = database.cbu("import", "-", input=half + half.replace('": "s', '": "t'))
    assert done.returncode == 0
    assert len(rows(database)) == 400


# ---- size ----
def test_row_larger_than_a_proxied_statement(database: Database) -> None:
    """Above 16 KB a statement pins a proxy's connection, so the connection ends behind it."""
    large = {"description": "🎈" * 4000, "name": "🍵" * 200}
    products = [
        good(sku=f"s{n}", **(large if n % 2 else {}))
        for n in range(10)
    ]  # fmt: skip
    before = database.sql.status("Connections")["Connections"]
    database.load(*products)
    after = database.sql.status("Connections")["Connections"]
    found = rows(database)
    assert len(found) == 10
    for product in products:
        assert found[str(product["sku"])]["description"] == product.get("description", "")
    # One for each of the five large ones, and one for the rest behind the last.
    assert 5 <= after - before <= 6


def test_many_products_and_categories(database: Database) -> None:
    products = [good(sku=f"s{n}", category=f"c{n % 1500}", stock=n) for n in range(3000)]
    database.load(*products)
    found = rows(database)
    assert {sku: row["stock"] for sku, row in found.items()} == {f"s{n}": n for n in range(3000)}
    assert database.sql.value("SELECT COUNT(*) FROM categories") == 1500


def test_imports_at_once(database: Database) -> None:
    """The same SKUs and new categories, from both ends: they meet, and deadlock, on the way."""
    products = [good(sku=f"s{n}", category=f"c{n % 97}") for n in range(5000)]

    def load(number: int) -> subprocess.CompletedProcess[str]:
        order = products if number % 2 else reversed(products)
        lines = (json.dumps({**product, "brand": f"import {number}"}) for product in order)
        return database.cbu("import", "-", input="\n".join(lines))

    with ThreadPoolExecutor(4) as threads:
        for done in threads.map(load, range(4)):
            assert (done.returncode, done.stderr) == (0, "")
            assert summary(done) == (5000, 0, 0)
    found = rows(database)
    assert {sku: row["category"] for sku, row in found.items()} == {
        product["sku"]: product["category"] for product in products
    }
    assert {row["brand"] for row in found.values()} <= {f"import {n}" for n in range(4)}
    assert database.sql.value("SELECT COUNT(*) FROM categories") == 97


# ---- the catalogue of a real vendor ----
@pytest.fixture(scope="module")
def vendor_lines() -> list[dict[str, object]]:
    folder = Path(os.environ.get("SAMPLE_CATALOGUE", ""))
    if not (folder / "package.json").is_file():
        pytest.skip("SAMPLE_CATALOGUE names no sample catalogue (local/setup test fetches it)")
    return list(SampleCatalogue(folder).lines())


def vendor_reason(line: dict[str, object]) -> str | None:
    """Why a line of the vendor is no product of ours; None for a good one."""
    reasons = [f"/{name} is required" for name in ("sku", "category") if name not in line]
    if line.get("currency", "USD") != "USD":
        reasons.append(f"/currency must be USD, not {line['currency']}")
    return "; ".join(reasons) or None


def test_catalogue_of_a_vendor(vendor_lines: list[dict[str, object]], database: Database) -> None:
    reasons = {number: vendor_reason(line) for number, line in enumerate(vendor_lines, 1)}
    good_lines = {
        str(line["sku"]): line for number, line in enumerate(vendor_lines, 1) if not reasons[number]
    }
    bad = {number: reason for number, reason in reasons.items() if reason}
    # It is the catalogue these tests were written for.
    assert len(good_lines) + len(bad) == len(vendor_lines) > 300
    assert {"sku is", "AUD", "EUR"} <= {w for w in ("sku is", "AUD", "EUR") if w in str(bad)}
    data = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in vendor_lines)
    done = database.cbu("import", "-", input=data)
    assert done.returncode == EX_DATAERR
    assert summary(done) == (len(good_lines), len(bad), 0)
    assert reports(done) == bad
    found = rows(database)
    assert set(found) == set(good_lines)
    for sku, line in good_lines.items():
        expected = {"brand": None, "currency": "USD", **line}
        assert {name: found[sku][name] for name in expected} == expected
    names = " ".join(str(line["name"]) for line in good_lines.values())
    assert '"' in names and "ü" in names
    assert any(line["price_minor"] == 0 for line in vendor_lines)
    assert any(line["description"] == "" for line in good_lines.values())
    keys = {str(line["category"]) for line in good_lines.values()}
    assert {row[0] for row in database.sql.rows("SELECT category_key FROM categories")} == keys
    assert len(keys) > 50
