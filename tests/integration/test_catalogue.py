"""The catalogue as clients read it, against plain SQL on the same rows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from catalogue import (
    LISTED,
    ORDERS,
    Catalogue,
    Query,
    expected_count,
    expected_ids,
    pages,
    walk,
)
from checks import check_problem
from stacks import Client, Database, Sql, Stack, serving

# Values of each filter; of the first ones the combinations are made.
FILTERS: dict[str, list[str]] = {
    "category": [
        *("Kitchen", "cat-03", "kitchen", "kitchen & dining", "cuisine/été", "日用品", "🎁"),
        *("K" * 100, "ç" * 100, "a,b", "50%", "'; DROP TABLE products; --", "\\", "absent"),
        *("drafts only", "deleted only"),
    ],
    "brand": [
        *("Acme", "acme", "ACME", "Ünder & Über", "100% Brand", "O'Neil", 'Double "Q"', "a+b=c"),
        *("back\\slash", "日本", "B" * 100, "🏔" * 100, "a b", "?#/:@", "%00", "NULL", "absent"),
    ],
    "price_min": ["1999", "0", "1", "2000", "19999", "999999999999"],
    "price_max": ["15000", "0", "1", "1999", "999999999999"],
    "in_stock": ["true", "false"],
}
COMBINATIONS = [
    {name: FILTERS[name][0] for name in names}
    for count in range(len(FILTERS) + 1)
    for names in itertools.combinations(FILTERS, count)
]


def spell(value: object) -> str:
    """A short name for a test."""
    text = "+".join(value) or "all" if isinstance(value, dict) else str(value)
    return text if len(text) < 30 else f"{text[:10]}...{len(text)}"


def limits_for(count: int) -> Sequence[int | None]:
    """Page sizes for a walk: small ones for a short list, so that each walk has many pages."""
    if count > 2000:
        return (100,)
    return (99, None, 100) if count > 200 else (1, 3, None, 2)


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("filters", COMBINATIONS, ids=spell)
def test_walk_is_what_sql_says(
    catalogue: Catalogue, client: Client, filters: dict[str, str], sort: str
) -> None:
    query = Query(filters, sort)
    expected = expected_ids(catalogue.sql, query)
    items = walk(client, query, limits_for(len(expected)))
    assert [item["id"] for item in items] == expected
    for item in items:
        assert item == catalogue.products[item["id"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in FILTERS.items() for value in values],
    ids=spell,
)
def test_filter_value_is_matched_exactly(
    catalogue: Catalogue, client: Client, name: str, value: str
) -> None:
    query = Query({name: value})
    expected = expected_ids(catalogue.sql, query)
    assert bool(expected) == (value not in ("absent", "drafts only", "deleted only"))
    assert [item["id"] for item in walk(client, query, (100,))] == expected


@pytest.mark.parametrize("limits", [(None,), (1,), (2,), (100,), (7, 1, 100)], ids=str)
def test_page_size_changes_nothing_but_the_pages(
    catalogue: Catalogue, client: Client, limits: Sequence[int | None]
) -> None:
    for sort in ORDERS:
        query = Query({"category": "cat-03"}, sort)
        assert [p["id"] for p in walk(client, query, limits)] == expected_ids(catalogue.sql, query)


def test_newest_is_the_default(catalogue: Catalogue, client: Client) -> None:
    page = client.get("/v1/products").json()
    assert [item["id"] for item in page["items"]] == expected_ids(catalogue.sql, Query({}))[:20]
    assert client.get("/v1/products?sort=newest").json()["items"] == page["items"]


def test_last_page_that_is_full_has_no_next_one(catalogue: Catalogue, client: Client) -> None:
    query = Query({"category": "日用品"}, "name")
    expected = expected_ids(catalogue.sql, query)
    assert len(expected) < 100
    page = client.get(query.target(limit=len(expected))).json()
    assert ([item["id"] for item in page["items"]], page["next_cursor"]) == (expected, None)
    page = client.get(query.target(limit=len(expected) - 1)).json()
    page = client.get(query.target(limit=100, cursor=page["next_cursor"])).json()
    assert ([item["id"] for item in page["items"]], page["next_cursor"]) == (expected[-1:], None)


def test_order_and_spelling_of_parameters_do_not_bind_a_cursor(client: Client) -> None:
    page = client.get("/v1/products?sort=price&brand=a%20b&in_stock=true&limit=2").json()
    target = (
        f"/v1/products?in_stock=true&cursor={page['next_cursor']}&limit=3&brand=a+b&&s%6Frt=price"
    )
    rest = client.get(target).json()
    whole = client.get("/v1/products?sort=price&brand=a%20b&in_stock=true&limit=5").json()
    assert page["items"] + rest["items"] == whole["items"]


# ---- totals and categories ----
@pytest.mark.parametrize("filters", COMBINATIONS, ids=spell)
def test_total(catalogue: Catalogue, client: Client, filters: dict[str, str]) -> None:
    page = client.get(Query(filters).target(include="total", limit=1)).json()
    assert set(page) == {"items", "next_cursor", "total", "total_is_estimate"}
    assert page["total"] == expected_count(catalogue.sql, filters)
    # 10,000 products are still counted one by one.
    assert page["total_is_estimate"] is False


def test_total_on_a_later_page(catalogue: Catalogue, client: Client) -> None:
    first = client.get("/v1/products?limit=1").json()
    later = client.get(f"/v1/products?limit=1&include=total&cursor={first['next_cursor']}").json()
    assert later["total"] == LISTED


@pytest.mark.parametrize("limit", [None, 1, 7, 100, 500])
def test_categories(client: Client, sql: Sql, limit: int | None) -> None:
    items: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        more = (f"&limit={limit}" if limit else "") + (f"&cursor={cursor}" if cursor else "")
        page = client.get(f"/v1/categories?{more}").json()
        assert set(page) == {"items", "next_cursor"}
        cursor = page["next_cursor"]
        # Every page but the last is full.
        assert len(page["items"]) == (limit or 100) or (cursor is None and page["items"])
        items += page["items"]
    expected = sql.rows(
        "SELECT c.category_key, COUNT(*) FROM products p JOIN categories c ON c.id = p.category_id "
        "WHERE p.status = 0 AND p.deleted_at IS NULL GROUP BY c.category_key"
    )
    # Keys are compared byte by byte, whatever a collation would say.
    expected.sort(key=lambda row: row[0].encode())
    assert items == [{"key": key, "products": products} for key, products in expected]
    assert {"drafts only", "deleted only"}.isdisjoint(item["key"] for item in items)


# ---- one product ----
def test_product_by_id(catalogue: Catalogue, client: Client) -> None:
    for product in list(catalogue.products.values())[::50]:
        answer = client.get(f"/v1/products/{product['id']}")
        assert (answer.status, answer.json()) == (200, product)
        assert answer.headers.get_all("Content-Type") == ["application/json"]


def test_members_of_a_product(database: Database, stack: Stack) -> None:
    database.load(
        {
            "sku": "full",
            "name": 'Tea "Ωmega" <1>',
            "description": "Two\nlines\\",
            "brand": "日本",
            "category": "tea",
            "price_minor": 999_999_999_999,
            "currency": "USD",
            "stock": 3,
            "status": "active",
        },
        {"sku": "bare", "name": "Bare", "category": "tea", "price_minor": 0, "stock": 0},
    )
    with serving(stack, database) as client:
        for expected in (
            {
                "sku": "full",
                "name": 'Tea "Ωmega" <1>',
                "description": "Two\nlines\\",
                "brand": "日本",
                "price_minor": 999_999_999_999,
                "stock": 3,
                "in_stock": True,
            },
            {
                "sku": "bare",
                "name": "Bare",
                "description": "",
                "brand": None,
                "price_minor": 0,
                "stock": 0,
                "in_stock": False,
            },
        ):
            id = database.sql.value("SELECT id FROM products WHERE sku = %s", expected["sku"])
            product = client.get(f"/v1/products/{id}").json()
            for name in ("created_at", "updated_at"):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", product.pop(name))
            common = {"category": "tea", "currency": "USD", "status": "active", "version": 1}
            assert product == {"id": id, **common, **expected}


@pytest.mark.parametrize("condition", ["status = 1", "deleted_at IS NOT NULL"])
def test_hidden_product_is_absent(
    catalogue: Catalogue, client: Client, sql: Sql, condition: str
) -> None:
    rows = sql.rows(f"SELECT id FROM products WHERE {condition}")
    assert rows
    for (id,) in rows:
        check_problem(client.get(f"/v1/products/{id}"), 404, "product_absent")
        check_problem(client.get(f"/v1/products/{id}", **{"If-None-Match": "*"}), 404)


# ---- validators and HEAD ----
def test_etag(catalogue: Catalogue, client: Client) -> None:
    ids = list(catalogue.products)[:2]
    tags = [client.get(f"/v1/products/{id}").headers["ETag"] for id in ids]
    assert tags[0] != tags[1]
    target = f"/v1/products/{ids[0]}"
    tag = tags[0]
    assert re.fullmatch(r'"[\x21\x23-\x7e]+"', tag), "a strong tag"
    matching = [
        *(tag, f"W/{tag}", "*", f'"other", {tag}', f'"a",{tag},"b"', f'  {tag}  , "x"'),
        f'W/"x" , W/{tag}',
    ]
    for value in matching:
        answer = client.get(target, **{"If-None-Match": value})
        assert (answer.status, answer.body) == (304, b""), value
        assert answer.headers.get_all("ETag") == [tag]
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Content-Type"] is None
    for value in ('"other"', tags[1], tag.strip('"'), tag[:-1], f'"{tag}"', "", ",", '"*"', "W/"):
        answer = client.get(target, **{"If-None-Match": value})
        assert (answer.status, answer.headers["ETag"]) == (200, tag), value


def test_etag_changes_with_the_product(database: Database, stack: Stack) -> None:
    product = {"sku": "a", "name": "A", "category": "c", "price_minor": 1, "stock": 1}
    database.load(product)
    id = database.sql.value("SELECT id FROM products")
    with serving(stack, database) as client:
        before = client.get(f"/v1/products/{id}").headers["ETag"]
        database.load(product)
        unchanged = client.get(f"/v1/products/{id}", **{"If-None-Match": before})
        assert unchanged.status == 304
        database.load({**product, "stock": 2})
        changed = client.get(f"/v1/products/{id}", **{"If-None-Match": before})
        assert (changed.status, changed.json()["stock"]) == (200, 2)
        assert changed.headers["ETag"] != before


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/",
            "/v1/products",
            "/v1/products?limit=100&sort=name&include=total",
            "/v1/products/{id}",
        ),
        *("/v1/categories", "/health/live", "/health/ready", "/v1/products?limit=0", "/nothing"),
        *("/v1/products/0", "/v1/products/{id}?x=1"),
    ],
)
def test_head_is_get_without_its_body(catalogue: Catalogue, client: Client, target: str) -> None:
    target = target.replace("{id}", str(next(iter(catalogue.products))))
    get, head = client.get(target), client.request("HEAD", target)
    assert (head.status, head.body) == (get.status, b"")
    own = {"X-Request-Id", "Date", "Server-Timing"}
    kept = [[(k, v) for k, v in a.headers.items() if k not in own] for a in (get, head)]
    assert kept[0] == kept[1]
    tag = {"If-None-Match": get.headers["ETag"]} if get.headers["ETag"] else {}
    assert client.request("HEAD", target, **tag).status == (304 if tag else get.status)


# ---- the service itself ----
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
    ],
)
def test_service_information(client: Client, accept: str | None, kind: str) -> None:
    answer = client.get("/", **({"Accept": accept} if accept else {}))
    assert answer.status == 200
    assert answer.headers.get_all("Content-Type") == [kind]
    assert answer.headers["Vary"] == "Accept"
    if kind == "application/json":
        links = answer.json()["links"]
        assert links and answer.json()["currency"] == "USD"
    else:
        links = dict(enumerate(re.findall('href="([^"]*)"', answer.body.decode())))
        links = {name: link.replace("&amp;", "&") for name, link in links.items()}
    for link in links.values():
        assert client.get(link).status == 200, link


# ---- rows that come and go ----
def simple_product(number: int, **members: object) -> dict[str, object]:
    """Prices and names in ties of five."""
    common = {"category": f"c{number % 2}", "stock": number % 3}
    tied = {"name": f"Name {number % 10}", "price_minor": number % 10 * 100}
    return {"sku": f"s{number}", **common, **tied, **members}


@pytest.fixture(scope="module")
def changing(
    make_database: Callable[..., Database], stack: Stack
) -> Iterator[tuple[Database, Client]]:
    database = make_database()
    with serving(stack, database) as client:
        yield database, client


@pytest.mark.parametrize("filters", [{}, {"category": "c0"}, {"in_stock": "true"}], ids=spell)
@pytest.mark.parametrize("sort", ORDERS)
def test_rows_that_come_and_go_between_pages_cost_no_others(
    changing: tuple[Database, Client], filters: dict[str, str], sort: str
) -> None:
    database, client = changing
    database.sql.run("DELETE FROM products")
    database.load(*(simple_product(number) for number in range(50)))
    query = Query(filters, sort)
    staying = expected_ids(database.sql, query)
    seen: list[int] = []
    added = 1000
    for page in pages(client, query, (3,)):
        seen += [item["id"] for item in page["items"]]
        # The row the cursor points at goes, one that was seen goes, one to come goes, and rows with
        # every price and name come in.
        gone = {seen[-1], seen[0], next((id for id in staying if id not in seen), seen[-1])}
        for id in gone:
            database.sql.run("DELETE FROM products WHERE id = %s", id)
        staying = [id for id in staying if id not in gone or id in seen]
        if added < 1050:
            database.load(*(simple_product(n) for n in range(added, added + 10)))
            added += 10
    assert len(seen) == len(set(seen))
    assert [id for id in seen if id in staying] == staying


def test_total_is_an_estimate_beyond_ten_thousand(
    database: Database, stack: Stack, catalogue: Catalogue
) -> None:
    sql = database.sql
    sql.run("INSERT INTO categories (category_key, created_at) VALUES ('c', UTC_TIMESTAMP(3))")
    insert = (
        "INSERT INTO products (sku, name, description, category_id, price_minor, currency, stock, "
        "status, created_at, updated_at) SELECT CONCAT(%s, s.id), 'n', '', c.id, 5, 'USD', "
        "s.id %% 2, 0, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) "
        f"FROM {catalogue.database.name}.products s, categories c LIMIT %s"
    )
    with serving(stack, database) as client:
        for sku, rows, total, estimate in (
            ("a", 9_999, 9_999, False),
            ("b", 1, 10_000, False),
            ("c", 1, 10_000, True),
            ("d", 500, 10_000, True),
        ):
            assert sql.run(insert, sku, rows) == rows
            for filters in ({}, {"category": "c"}, {"price_max": "5"}, {"price_min": "5"}):
                page = client.get(Query(filters).target(include="total", limit=1)).json()
                assert (page["total"], page["total_is_estimate"]) == (total, estimate), filters
        page = client.get("/v1/products?include=total&in_stock=true").json()
        assert (page["total"], page["total_is_estimate"]) == (
            sql.value("SELECT COUNT(*) FROM products WHERE stock > 0"),
            False,
        )
