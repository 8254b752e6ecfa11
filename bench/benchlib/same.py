"""Whether servers answer the same: nothing is measured before they do."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

# Opaque, and signed with a key of the server's own.
OPAQUE = "next_cursor"


@dataclass(frozen=True)
class Route:
    name: str
    title: str
    path: str


def routes(product: int) -> dict[str, Route]:
    rows = (
        Route("live", "GET /health/live (no work)", "/health/live"),
        Route("service", "GET / (no database)", "/"),
        Route("product", "GET /v1/products/{id}", f"/v1/products/{product}"),
        Route("products", "GET /v1/products (20)", "/v1/products"),
    )
    return {route.name: route for route in rows}


def get(port: int, path: str) -> tuple[int, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("GET", path)
        response = client.getresponse()
        return response.status, response.read()


def shape(body: bytes) -> Any:
    """The document, with opaque texts by their kind alone. What two servers write differently but
    mean alike (blanks, escapes) is gone; the order of members stays."""

    def without_opaque(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: _kind(value) if name == OPAQUE else value for name, value in pairs}

    return json.loads(body, object_pairs_hook=without_opaque)


def _kind(value: Any) -> str:
    return "a text" if isinstance(value, str) and value else repr(value)


def cursor(body: bytes) -> str | None:
    text = json.loads(body).get(OPAQUE)
    return text if isinstance(text, str) else None


def difference(wanted: Any, seen: Any, at: str = "") -> str | None:
    """Where two shapes first differ, in words; None where they do not."""
    if type(wanted) is not type(seen):
        return f"{at or '/'}: {seen!r} instead of {wanted!r}"
    if isinstance(wanted, dict):
        if list(wanted) != list(seen):
            return f"{at or '/'}: members {list(seen)} instead of {list(wanted)}"
        pairs = [(name, wanted[name], seen[name]) for name in wanted]
    elif isinstance(wanted, list):
        if len(wanted) != len(seen):
            return f"{at or '/'}: {len(seen)} items instead of {len(wanted)}"
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(wanted, seen, strict=True))]
    else:
        return None if wanted == seen else f"{at or '/'}: {seen!r} instead of {wanted!r}"
    found = (difference(one, other, f"{at}/{name}") for name, one, other in pairs)
    return next(filter(None, found), None)


@dataclass(frozen=True)
class Answers:
    """What a server says to every route, to the page after the first, and to what is not there."""

    shapes: dict[str, Any]
    statuses: dict[str, int]
    sizes: dict[str, int]


def ask(port: int, product: int) -> Answers:
    shapes, statuses, sizes = {}, {}, {}

    def keep(name: str, path: str) -> bytes:
        statuses[name], body = get(port, path)
        sizes[name] = len(body)
        if statuses[name] == 200:
            shapes[name] = shape(body)
        return body

    for route in routes(product).values():
        body = keep(route.name, route.path)
    following = cursor(body) if statuses["products"] == 200 else None
    if following:
        keep("second page", f"/v1/products?limit=5&cursor={quote(following)}")
    keep("absent product", "/v1/products/999999999999")
    keep("forged cursor", "/v1/products?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    return Answers(shapes, statuses, sizes)


def compare(wanted: Answers, seen: Answers) -> list[str]:
    """Every difference, in words."""
    faults = []
    for name, status in wanted.statuses.items():
        if seen.statuses.get(name) != status:
            faults.append(f"{name}: status {seen.statuses.get(name)} instead of {status}")
        elif name in wanted.shapes:
            found = difference(wanted.shapes[name], seen.shapes.get(name))
            if found:
                faults.append(f"{name}: {found}")
    return faults
