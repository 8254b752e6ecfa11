"""Servers that answer differently are found out before anything is measured."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from benchlib import same

PRODUCT = {"id": 7, "name": "Crème", "brand": None, "in_stock": True}
LIVE, SERVICE = {"status": "ok"}, {"service": "cbu"}
PAGE = {"items": [PRODUCT], "next_cursor": "c1"}
LAST = {"items": [], "next_cursor": None}
ANSWERS: dict[str, tuple[int, Any]] = {
    "/health/live": (200, LIVE),
    "/": (200, SERVICE),
    "/v1/products/7": (200, PRODUCT),
    "/v1/products": (200, PAGE),
    "/v1/products?limit=5&cursor=c1": (200, LAST),
    "/v1/products/999999999999": (404, {"status": 404}),
    "/v1/products?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": (400, {"status": 400}),
}


@contextmanager
def server(answers: dict[str, tuple[int, Any]], write: Callable[[Any], str]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, value = answers.get(self.path, (500, {}))
            body = write(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listening.server_port
        finally:
            listening.shutdown()
            thread.join()


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def asked(answers: dict[str, tuple[int, Any]], write: Callable[[Any], str]) -> same.Answers:
    with server(answers, write) as port:
        return same.ask(port, 7)


def test_blanks_escapes_and_cursors_of_its_own_make_no_difference() -> None:
    theirs = {
        **ANSWERS,
        "/v1/products": (200, {**PAGE, "next_cursor": "their own"}),
        "/v1/products?limit=5&cursor=their%20own": (200, LAST),
    }
    wanted = asked(ANSWERS, compact)
    assert "second page" in wanted.shapes
    assert wanted.sizes["live"] == len(compact(LIVE))
    assert same.compare(wanted, asked(theirs, json.dumps)) == []


@pytest.mark.parametrize(
    ("path", "answer", "fault"),
    [
        ("/", (503, {}), "service: status 503 instead of 200"),
        ("/v1/products/7", (200, {**PRODUCT, "name": "Creme"}),
         "product: /name: 'Creme' instead of 'Crème'"),
        ("/v1/products/7", (200, dict(reversed(PRODUCT.items()))),
         "product: /: members ['in_stock', 'brand', 'name', 'id'] "
         "instead of ['id', 'name', 'brand', 'in_stock']"),
        ("/v1/products/7", (200, {**PRODUCT, "in_stock": 1}),
         "product: /in_stock: 1 instead of True"),
        ("/v1/products", (200, {**PAGE, "items": [PRODUCT, PRODUCT]}),
         "products: /items: 2 items instead of 1"),
        ("/v1/products", (200, {**PAGE, "items": [{**PRODUCT, "brand": ""}]}),
         "products: /items/0/brand: '' instead of None"),
        ("/v1/products?limit=5&cursor=c1", (200, {**LAST, "next_cursor": "c2"}),
         "second page: /next_cursor: 'a text' instead of 'None'"),
        ("/v1/products/999999999999", (200, PRODUCT), "absent product: status 200 instead of 404"),
        ("/v1/products?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", (200, LAST),
         "forged cursor: status 200 instead of 400"),
    ],
)  # fmt: skip
def test_differences(path: str, answer: tuple[int, Any], fault: str) -> None:
    wanted = asked(ANSWERS, compact)
    assert same.compare(wanted, asked({**ANSWERS, path: answer}, compact)) == [fault]


def test_a_list_without_a_cursor_has_no_second_page() -> None:
    wanted = asked(ANSWERS, compact)
    seen = asked({**ANSWERS, "/v1/products": (200, LAST)}, compact)
    assert same.compare(wanted, seen) == [
        "products: /items: 0 items instead of 1",
        "second page: status None instead of 200",
    ]
