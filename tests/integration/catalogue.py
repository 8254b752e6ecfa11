"""A generated catalogue, and what plain SQL says of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from stacks import Client, Database, Sql, Stack

LISTED = 10_000
DRAFTS = 300
DELETED = 200
# Same bytes in every run, so that a failure can be looked at again.
SEED = 20261122

# Ties in the collation: case, accents, sharp s, trailing blanks, and the same name twice.
NAMES = (
    *("Cafe", "café", "CAFÉ", "Cafe ", "Straße", "Strasse", "STRASSE", "œuvre", "oeuvre"),
    *("Ærø", "Åre", "Zebra", "zebra", "ångström", "Ñandú", "nandu", "İstanbul", "istanbul"),
    *(
        "Ωmega",
        "ωmega",
        "Борщ",
        "борщ",
        "日本茶",
        "日本酒",
        "中文",
        "한국 차",
        "🍵",
        "🍵 tea",
        "🚲",
    ),
    *("100 % wool", "a_b", "O'Neil's \"best\"", "back\\slash", "<b>bold</b>", "&amp;", "-", "0"),
    *("e\u0301clair", "éclair", "\u200bzero width", "الشاي", "שלום", "x" * 200, "🎈" * 200),
)
BRANDS = (
    *("Acme", "acme", "ACME", "Ünder & Über", "100% Brand", "O'Neil", 'Double "Q"', "a+b=c"),
    *("back\\slash", "日本", "B" * 100, "🏔" * 100, "a b", "?#/:@", "%00", "NULL", "émile"),
)
# Some hold hundreds of products, some one.
CATEGORIES = (
    *(f"cat-{number:02}" for number in range(60)),
    *(
        "Kitchen",
        "kitchen",
        "kitchen & dining",
        "cuisine/été",
        "日用品",
        "🎁",
        "K" * 100,
        "ç" * 100,
    ),
    *("a,b", "50%", "'; DROP TABLE products; --", "\\"),
)


def make_products(count: int) -> Iterator[dict[str, object]]:
    """Products to import, from all the values above."""
    rng = random.Random(SEED)
    for number in range(count):
        product: dict[str, object] = {
            "sku": f"SKU-{number:05}" if number % 50 else f"Ключ №{number} '\"\\%",
            "name": _make_name(rng),
            "category": rng.choice(CATEGORIES[:8] if rng.random() < 0.4 else CATEGORIES),
            "price_minor": _make_price(rng),
            "stock": rng.choice((0, 0, 1, rng.randrange(1000), 999_999_999)),
        }
        if rng.random() < 0.8:
            product["description"] = rng.choice(
                ("", "One line.", "Two\nlines\tand a tab.", "é" * 500)
            )
        if rng.random() < 0.7:
            product["brand"] = rng.choice(BRANDS)
        if rng.random() < 0.1:
            product["currency"] = "USD"
        yield product


def _make_name(rng: random.Random) -> str:
    name = rng.choice(NAMES)
    kind = rng.random()
    if kind < 0.4:
        return name  # in hundreds of ties
    numbered = f"{name[:190]} {rng.randrange(2000)}"
    return numbered.swapcase() if kind < 0.6 else numbered


def _make_price(rng: random.Random) -> int:
    kind = rng.random()
    if kind < 0.2:
        return rng.choice((0, 1, 999, 1999))  # in hundreds of ties
    return 999_999_999_999 if kind < 0.21 else rng.randrange(20_000)


def ndjson(products: Iterable[Mapping[str, object]]) -> bytes:
    return "".join(f"{json.dumps(product)}\n" for product in products).encode()


# ---- the oracle ----
# Written from the documentation of the API, not from the service's own statements.
CONDITIONS = {
    "category": "c.category_key = %s",
    "brand": "p.brand = %s",
    "price_min": "p.price_minor >= %s",
    "price_max": "p.price_minor <= %s",
    "in_stock": "(p.stock > 0) = %s",
}
ORDERS = {
    "newest": "p.id DESC",
    "price": "p.price_minor ASC, p.id ASC",
    "-price": "p.price_minor DESC, p.id DESC",
    "name": "p.name COLLATE utf8mb4_unicode_520_ci ASC, p.id ASC",
}
LISTED_ROWS = (
    "FROM products p JOIN categories c ON c.id = p.category_id "
    "WHERE p.status = 0 AND p.deleted_at IS NULL"
)
TIME = "CONCAT(LEFT(DATE_FORMAT({}, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')"
MEMBERS = {
    **{name: f"p.{name}" for name in ("id", "sku", "name", "description", "brand")},
    "category": "c.category_key",
    **{name: f"p.{name}" for name in ("price_minor", "currency", "stock")},
    "in_stock": "p.stock > 0",
    "status": "CASE p.status WHEN 0 THEN 'active' ELSE 'draft' END",
    "version": "p.version",
    "created_at": TIME.format("p.created_at"),
    "updated_at": TIME.format("p.updated_at"),
}
BOOLEANS = {"true": 1, "false": 0}


@dataclass(frozen=True)
class Query:
    """Filters, by the names of the query parameters; and a sort."""

    filters: Mapping[str, str]
    sort: str | None = None

    def target(self, **more: object) -> str:
        sort = {"sort": self.sort} if self.sort else {}
        return "/v1/products?" + urlencode({**self.filters, **sort, **more})


def _where(filters: Mapping[str, str]) -> tuple[str, list[object]]:
    conditions = "".join(f" AND {CONDITIONS[name]}" for name in filters)
    return conditions, [BOOLEANS.get(value, value) for value in filters.values()]


def expected_ids(sql: Sql, query: Query) -> list[int]:
    """The listed products of a query in their order."""
    where, values = _where(query.filters)
    order = ORDERS[query.sort or "newest"]
    rows = sql.rows(f"SELECT p.id {LISTED_ROWS}{where} ORDER BY {order}", *values)
    return [row[0] for row in rows]


def expected_count(sql: Sql, filters: Mapping[str, str]) -> int:
    where, values = _where(filters)
    return int(sql.value(f"SELECT COUNT(*) {LISTED_ROWS}{where}", *values))


def expected_products(sql: Sql) -> dict[int, dict[str, Any]]:
    """Every listed product with all its members, by id."""
    columns = ", ".join(f"{column} AS {name}" for name, column in MEMBERS.items())
    products = sql.dicts(f"SELECT {columns} {LISTED_ROWS}")
    for product in products:
        product["in_stock"] = bool(product["in_stock"])
    return {product["id"]: product for product in products}


@dataclass(frozen=True)
class Catalogue:
    """The shared stack with the generated catalogue in it. Tests leave its rows as they are."""

    stack: Stack
    database: Database
    # Every listed product, as the database has it.
    products: dict[int, dict[str, Any]]

    @property
    def sql(self) -> Sql:
        return self.database.sql


# ---- the service ----
def walk(client: Client, query: Query, limits: Sequence[int | None]) -> list[dict[str, Any]]:
    """Every item of a list, page by page to the end. The limits are taken in turn; None leaves the
    parameter out, which makes 20."""
    items: list[dict[str, Any]] = []
    for page in pages(client, query, limits):
        items += page["items"]
    return items


def pages(client: Client, query: Query, limits: Sequence[int | None]) -> Iterator[dict[str, Any]]:
    cursor = None
    number = 0
    while cursor is not None or number == 0:
        limit = limits[number % len(limits)]
        more = {"limit": limit, "cursor": cursor}
        answer = client.get(query.target(**{k: v for k, v in more.items() if v is not None}))
        assert answer.status == 200, answer.body
        page: dict[str, Any] = answer.json()
        assert set(page) == {"items", "next_cursor"}
        cursor = page["next_cursor"]
        # Every page but the last is full, and there is no empty page behind a full one.
        if cursor is not None:
            assert len(page["items"]) == (limit or 20)
        else:
            assert len(page["items"]) in range(0 if number == 0 else 1, (limit or 20) + 1)
        yield page
        number += 1
