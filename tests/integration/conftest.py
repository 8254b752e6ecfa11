"""Fixtures: one stack for all tests of a run, databases of their own on its server."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from catalogue import (
    DELETED,
    DRAFTS,
    LISTED,
    SEED,
    Catalogue,
    expected_products,
    make_products,
    ndjson,
)
from stacks import Client, Database, Sql, Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that most tests share; nothing is in its catalogue until `catalogue` fills it."""
    data = tmp_path_factory.mktemp("stack") / "data"
    with Stack(data, "--empty", "--workers", "4", LOG_LEVEL="DEBUG") as stack:
        yield stack


@pytest.fixture(scope="session")
def make_database(stack: Stack) -> Callable[..., Database]:
    """Makes databases beside the shared stack's own, for tests that change rows or tables."""
    numbers = itertools.count(1)
    return lambda **options: stack.make_database(f"cbu_{next(numbers)}", **options)


@pytest.fixture(scope="module")
def module_database(make_database: Callable[..., Database]) -> Database:
    return make_database()


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Iterator[Database]:
    database = make_database()
    yield database
    # The server has room for a limited number of connections, and a run has many tests.
    database.sql.close()


@pytest.fixture(scope="session")
def catalogue(stack: Stack) -> Catalogue:
    database = stack.serving_database()
    sql = database.sql
    products = list(make_products(LISTED + DRAFTS + DELETED))
    # Anywhere among the others, so that no sort can find them at an end.
    hidden = random.Random(SEED).sample(products, DRAFTS + DELETED)
    drafts, deleted = hidden[:DRAFTS], hidden[DRAFTS:]
    for product in drafts:
        product["status"] = "draft"
    drafts[0]["category"] = "drafts only"
    deleted[0]["category"] = "deleted only"
    done = database.cbu("import", "-", input=ndjson(products))
    assert (done.returncode, done.stderr) == (0, "")
    marks = ",".join(["%s"] * DELETED)
    sql.run(
        f"UPDATE products SET deleted_at = UTC_TIMESTAMP(3) WHERE sku IN ({marks})",
        *(product["sku"] for product in deleted),
    )
    listed = expected_products(sql)
    assert len(listed) == LISTED
    return Catalogue(stack, database, listed)


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[Client]:
    with Client(catalogue.stack.port) as client:
        yield client


@pytest.fixture
def sql(catalogue: Catalogue) -> Sql:
    """Plain SQL on the generated catalogue, as the administrator."""
    return catalogue.sql
