"""The statements that the service really sends, as the server's optimizer sees them.

They are taken from the server's general log, and replayed in a session of our own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from catalogue import ORDERS, Catalogue, Query, pages
from stacks import Client, Database, Sql, Stack, serving

# How many pages down a deep page is.
DEPTH = 60
LIMIT = 20
CATEGORY = "cat-03"  # one of those that hold hundreds of products
INDEXES = {
    "newest": ("ix_products_newest", "ix_products_category_newest"),
    "price": ("ix_products_price", "ix_products_category_price"),
    "-price": ("ix_products_price", "ix_products_category_price"),
    "name": ("ix_products_name", "ix_products_category_name"),
}


@dataclass
class Recorder:
    """Collects the statements of others on a server."""

    sql: Sql

    def record(self, act: Callable[[], object]) -> list[str]:
        """The SELECT statements on products that the service sends meanwhile."""
        self.sql.run("TRUNCATE mysql.general_log")
        self.sql.run("SET GLOBAL general_log = ON")
        try:
            act()
        finally:
            self.sql.run("SET GLOBAL general_log = OFF")
        rows = self.sql.rows("SELECT argument FROM mysql.general_log ORDER BY event_time")
        statements = [row[0].decode() if isinstance(row[0], bytes) else row[0] for row in rows]
        return [s for s in statements if s.startswith("SELECT") and "FROM products" in s]


@pytest.fixture(scope="module")
def recorder(catalogue: Catalogue) -> Iterator[Recorder]:
    sql = catalogue.sql
    sql.run("SET GLOBAL log_output = 'TABLE'")
    try:
        yield Recorder(sql)
    finally:
        sql.run("SET GLOBAL log_output = 'FILE'")


def explain(sql: Sql, statement: str) -> dict[str, Any]:
    """The plan of the products, after a look at the plans of the other tables."""
    plans = sql.dicts(f"EXPLAIN {statement}")
    for plan in plans:
        extra = plan["Extra"] or ""
        assert "filesort" not in extra and "temporary" not in extra, plans
    [plan] = [plan for plan in plans if plan["table"] == "p"]
    return plan


def handler_reads(sql: Sql, statement: str) -> int:
    """How many rows and index entries the statement makes the server read."""
    sql.run("FLUSH STATUS")
    sql.rows(statement)
    reads = sql.status("Handler%", "SESSION")
    # Index entries that MariaDB's storage engine passes over by itself are not in Handler_read.
    names = [name for name in reads if re.match("Handler_(read|icp_attempts)", name)]
    return sum(reads[name] for name in names)


def record_page(recorder: Recorder, client: Client, query: Query, number: int) -> str:
    """The statement of one page of a list."""
    cursor = None
    for _ in range(number):
        cursor = client.get(query.target(limit=100, **cursor_parameter(cursor))).json()[
            "next_cursor"
        ]
        assert cursor is not None, "the list is too short for a page so deep"
    target = query.target(limit=LIMIT, **cursor_parameter(cursor))
    [statement] = recorder.record(lambda: client.get(target))
    return statement


def cursor_parameter(cursor: str | None) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


@pytest.mark.parametrize("filtered", [False, True], ids=["all", "category"])
@pytest.mark.parametrize("sort", ORDERS)
def test_default_sorts_are_index_ranges_at_any_depth(
    recorder: Recorder, client: Client, sort: str, filtered: bool
) -> None:
    sql = recorder.sql
    query = Query({"category": CATEGORY} if filtered else {}, sort)
    first = record_page(recorder, client, query, 0)
    # Pages of 100 on the way: 6,000 products down, or near the end of the category.
    deep = record_page(recorder, client, query, 3 if filtered else DEPTH)
    assert "LIMIT 21" in first and "LIMIT 21" in deep
    for statement in (first, deep):
        plan = explain(sql, statement)
        assert plan["key"] == INDEXES[sort][filtered]
        assert plan["type"] in ("ref", "range")
    # A page costs what it shows, wherever it is. (MariaDB may test each entry of an index before
    # it reads the row, and counts that too.)
    reads = [handler_reads(sql, statement) for statement in (first, deep)]
    assert reads[1] <= reads[0] + 2 * LIMIT, reads


@pytest.mark.parametrize("sort", ORDERS)
def test_ties_are_not_read_again_on_every_page(
    recorder: Recorder, database: Database, stack: Stack, sort: str
) -> None:
    """With one price and one name for all, the id alone tells where a page begins."""
    database.load(
        *(
            {"sku": f"s{n}", "name": "Same", "category": "c", "price_minor": 1, "stock": 1}
            for n in range(1000)
        )
    )
    with serving(stack, database) as client:
        first, *_, last = pages(client, Query({}, sort), (100,))
        assert len(first["items"]) == len(last["items"]) == 100
        statement = record_page(recorder, client, Query({}, sort), 9)
    plan = explain(database.sql, statement)
    assert plan["key"] == INDEXES[sort][0]
    # The range is bounded by every column of the index: (listed, key, id).
    widths = {"newest": 2 + 8, "price": 2 + 8 + 8, "-price": 2 + 8 + 8, "name": 2 + 802 + 8}
    assert int(plan["key_len"]) == widths[sort]
    assert int(plan["rows"]) <= 200
    assert handler_reads(database.sql, statement) <= 5 * LIMIT


def test_product_is_found_by_its_key(
    recorder: Recorder, client: Client, catalogue: Catalogue
) -> None:
    id = next(iter(catalogue.products))
    [statement] = recorder.record(lambda: client.get(f"/v1/products/{id}"))
    plan = explain(recorder.sql, statement)
    assert (plan["type"], plan["key"]) == ("const", "PRIMARY")
    assert handler_reads(recorder.sql, statement) <= 4


def test_category_counts_read_one_index(recorder: Recorder, client: Client) -> None:
    [statement] = recorder.record(lambda: client.get("/v1/categories"))
    plans = recorder.sql.dicts(f"EXPLAIN {statement}")
    [plan] = [plan for plan in plans if plan["table"] == "products"]
    # Counting the rows of an index alone, in its order: no sort, and no row is looked up.
    assert "Using index" in plan["Extra"] and "filesort" not in plan["Extra"], plans
    assert plan["key"].startswith("ix_products_category")
