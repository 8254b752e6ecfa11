"""A service with the demo catalogue, whose API document the tests hold it to."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from issuer import Issuer, issuing
from nginx_server import ROOT
from stacks import Client, Database, Service, Stack

# A page of this origin may call the service.
ORIGIN = "http://localhost:3000"
DEMO = ROOT / "local/demo/products.ndjson"
METHODS = ("get", "put", "post", "delete", "patch")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack") / "data", "--empty", "--workers", "1") as stack:
        yield stack


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


def serving_demo(stack: Stack, database: Database, issuer: Issuer) -> Service:
    """A service with the demo catalogue in this database."""
    done = database.cbu("import", str(DEMO))
    assert done.returncode == 0, done.stderr
    return Service(
        nginx={"CORS_ORIGINS": ORIGIN, "NGINX_DOCS_DIR": str(ROOT / "build/docs-assets")},
        **{**stack.settings, "DATABASE_URL": database.url, "WORKERS": "4"},
        **issuer.settings(),
    )


@pytest.fixture(scope="session")
def service(stack: Stack, issuer: Issuer) -> Iterator[Service]:
    with serving_demo(stack, stack.serving_database(), issuer) as service:
        service.wait_until_ready()
        yield service


_numbers = itertools.count()


@pytest.fixture
def changing(stack: Stack, issuer: Issuer) -> Iterator[Service]:
    """A service whose catalogue the test may change."""
    name = f"cbu_changing_{next(_numbers)}"
    with serving_demo(stack, stack.make_database(name), issuer) as service:
        service.wait_until_ready()
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with service.client() as client:
        yield client


@dataclass(frozen=True)
class Operation:
    """One operation of the document, with an address at which it can be asked for."""

    method: str
    path: str
    target: str
    spec: dict[str, Any]

    def answers(self, status: int) -> bool:
        return str(status) in self.spec["responses"]

    @property
    def body_types(self) -> list[str]:
        return list(self.spec.get("requestBody", {}).get("content", {}))


@pytest.fixture(scope="session")
def document(service: Service) -> dict[str, Any]:
    with service.client() as client:
        answer = client.get("/openapi.json")
    assert answer.status == 200
    document: dict[str, Any] = answer.json()
    return document


@pytest.fixture(scope="session")
def operations(document: dict[str, Any]) -> list[Operation]:
    found = []
    for path, item in document["paths"].items():
        for method, spec in item.items():
            examples = {
                parameter["name"]: parameter["example"]
                for parameter in spec["parameters"]
                if parameter.get("in") == "path"
            }
            target = path.format_map(examples)
            found.append(Operation(method.upper(), path, target, spec))
    assert found
    return found
