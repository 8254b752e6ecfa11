"""What HTTP promises for every address, asked of every operation in the API document."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from checks import check_problem
from conftest import METHODS, ORIGIN, Operation
from issuer import Issuer
from stacks import Client

# nginx answers these itself: it knows no OPTIONS there, and no media types.
BY_NGINX = ("/health/",)


def _is_by_worker(operation: Operation) -> bool:
    return not operation.path.startswith(BY_NGINX)


def _reading(operations: list[Operation]) -> list[Operation]:
    """What can be read without a token."""
    return [
        each
        for each in operations
        if each.method == "GET" and each.spec["security"] != [{"bearer": []}]
    ]


def _methods(operations: list[Operation], path: str) -> set[str]:
    return {each.method for each in operations if each.path == path}


def test_head_is_get_without_a_body(client: Client, operations: list[Operation]) -> None:
    for each in _reading(operations):
        got, head = client.get(each.target), client.request("HEAD", each.target)
        assert (head.status, head.body) == (got.status, b""), each
        for name in ("Content-Type", "ETag", "Cache-Control", "Vary"):
            assert head.headers.get_all(name) == got.headers.get_all(name), (each, name)


def test_options_lists_the_methods(client: Client, operations: list[Operation]) -> None:
    for path, target in {(each.path, each.target) for each in operations if _is_by_worker(each)}:
        answer = client.request("OPTIONS", target)
        assert (answer.status, answer.body) == (204, b""), path
        allowed = set(answer.headers["Allow"].split(", "))
        methods = _methods(operations, path)
        assert allowed == methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()), path


def test_other_methods_are_refused(client: Client, operations: list[Operation]) -> None:
    for path, target in {(each.path, each.target) for each in operations}:
        for method in {each.upper() for each in METHODS} - _methods(operations, path):
            answer = client.request(method, target, b"{}" if method != "GET" else None)
            check_problem(answer, 405, "method_not_allowed")
            assert _methods(operations, path) <= set(answer.headers["Allow"].split(", ")), path


def test_accept_without_json(client: Client, operations: list[Operation]) -> None:
    for each in _reading(operations):
        answer = client.get(each.target, Accept="application/xml;q=0.9, image/*")
        if each.answers(406):
            check_problem(answer, 406, "not_acceptable")
        else:
            assert answer.status == client.get(each.target).status


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", "application/json;q=0.1", "text/html;q=0.9, */*;q=0.1", ""]
)
def test_accept_with_json(client: Client, operations: list[Operation], accept: str) -> None:
    for each in _reading(operations):
        assert client.get(each.target, Accept=accept).status == client.get(each.target).status


# ---- bodies ----
@pytest.fixture
def editor(issuer: Issuer) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.mint('editors')}", "If-Match": '"none"'}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
    ],
)
def test_other_bodies_are_refused(
    client: Client,
    operations: list[Operation],
    editor: dict[str, str],
    content_type: str | None,
) -> None:
    reading_one = [each for each in operations if each.body_types]
    assert reading_one
    for each in reading_one:
        fields = editor if content_type is None else {**editor, "Content-Type": content_type}
        answer = client.request(each.method, each.target, b"{}", **fields)
        check_problem(answer, 415, "media_type_unsupported")
        name = "Accept-Patch" if each.method == "PATCH" else "Accept"
        assert answer.headers[name].split(", ") == each.body_types


@pytest.mark.parametrize("suffix", ["", ";charset=utf-8", '; charset="UTF-8"', "; v=1"])
def test_every_type_of_the_document_is_read(
    client: Client, operations: list[Operation], editor: dict[str, str], suffix: str
) -> None:
    for each in operations:
        for body_type in each.body_types:
            fields = {**editor, "Content-Type": body_type + suffix}
            answer = client.request(each.method, each.target, b"[]", **fields)
            check_problem(answer, 422, "body_invalid")


def test_bodies_that_are_no_json(
    client: Client, operations: list[Operation], editor: dict[str, str]
) -> None:
    for each in operations:
        if each.body_types:
            fields = {**editor, "Content-Type": "application/json"}
            problem = check_problem(
                client.request(each.method, each.target, b'{"sku": 01}', **fields),
                400,
                "json_invalid",
            )
            [error] = problem["errors"]
            assert error["message"].endswith("at byte 10")


def test_tokens_are_asked_for(client: Client, operations: list[Operation]) -> None:
    for each in operations:
        if each.spec["security"] == [{"bearer": []}]:
            answer = client.request(each.method, each.target)
            check_problem(answer, 401, "authentication_required")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


# ---- compression ----
def test_no_strong_etag_is_lost(client: Client, operations: list[Operation]) -> None:
    """A single resource keeps its ETag for whoever accepts gzip; a list is compressed."""
    compressed = 0
    for each in _reading(operations):
        plain = client.get(each.target)
        answer = client.get(each.target, **{"Accept-Encoding": "gzip"})
        is_compressed = answer.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(answer.body) if is_compressed else answer.body
        if each.spec["operationId"] != "showReadiness":
            assert body == plain.body, each
        compressed += is_compressed
        if each.path != "/openapi.json":
            assert answer.headers["ETag"] == plain.headers["ETag"], each
            assert plain.headers["ETag"] is None or not is_compressed, each
    # The document, and at least one list that is long enough.
    assert compressed >= 2


def test_weak_tag_of_the_document_is_good_for_reading(client: Client) -> None:
    etag = client.get("/openapi.json", **{"Accept-Encoding": "gzip"}).headers["ETag"]
    assert etag.startswith("W/")
    assert client.get("/openapi.json", **{"If-None-Match": etag}).status == 304


# ---- pages of other origins ----
EXPOSED = {"ETag", "Location", "Retry-After", "X-Request-Id"}


def _preflight(client: Client, target: str, origin: str, method: str) -> Any:
    return client.request(
        "OPTIONS",
        target,
        **{
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,if-match",
        },
    )


def test_preflight(client: Client, operations: list[Operation]) -> None:
    for each in operations:
        answer = _preflight(client, each.target, ORIGIN, each.method)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers.get_all("Access-Control-Allow-Origin") == [ORIGIN]
        assert each.method in answer.headers["Access-Control-Allow-Methods"].split(", ")
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        asked_for = {
            "authorization",
            "content-type",
            "if-match",
            "if-none-match",
            "idempotency-key",
        }
        assert asked_for <= set(allowed)
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert answer.headers["Access-Control-Allow-Credentials"] is None
        assert "Origin" in answer.headers.get_all("Vary")


@pytest.mark.parametrize(
    "origin",
    [
        "https://localhost:3000",
        "http://localhost",
        "http://localhost:30000",
        "null",
        "http://evil/",
    ],
)
def test_other_origins_are_told_nothing(client: Client, origin: str) -> None:
    for answer in (
        _preflight(client, "/v1/products/1", origin, "PUT"),
        client.get("/v1/products/1", Origin=origin),
    ):
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]
        assert "Origin" in answer.headers.get_all("Vary")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/v1/products/1", 200),
        ("GET", "/v1/products", 200),
        ("GET", "/v1/products/999999999", 404),
        ("DELETE", "/v1/categories", 405),
        ("TRACE", "/", 405),
        ("GET", "/health/live", 200),
    ],
)
def test_answers_for_an_origin(client: Client, method: str, target: str, status: int) -> None:
    answer = client.request(method, target, Origin=ORIGIN)
    assert answer.status == status
    assert answer.headers.get_all("Access-Control-Allow-Origin") == [ORIGIN]
    assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) == EXPOSED


def test_options_without_a_preflight(client: Client) -> None:
    """It has an Origin, but asks for no method, so it is for the worker."""
    answer = client.request("OPTIONS", "/v1/categories", Origin=ORIGIN)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
