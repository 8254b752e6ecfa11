"""The API document is valid OpenAPI, and two public tools have nothing to say against it."""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from checks import check_problem
from closed import close_answers
from issuer import Issuer
from jsonschema import Draft202012Validator
from nginx_server import ROOT, Answer, Nginx
from openapi_spec_validator import OpenAPIV31SpecValidator
from stacks import Client, Service, run_cbu

# RFC 9110 has newer names than Python 3.11.
TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
REDOCLY = ROOT / "build/deps/redocly/bin/cli.js"


def test_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_lints_clean(document: dict[str, Any], tmp_path: Path) -> None:
    """Redocly's rules for good documents, with tests/contract/redocly.yaml."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document, indent=2))
    config = Path(__file__).with_name("redocly.yaml")
    done = subprocess.run(
        ["node", REDOCLY, "lint", "--config", config, "--format", "json", file],
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    report = json.loads(done.stdout)
    assert report["problems"] == [], done.stderr
    assert done.returncode == 0
    assert report["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}


# ---- answers are open for clients, and closed for the tests ----
def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object with declared members, however deep."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from _objects(each)


def test_only_inputs_are_closed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    inputs = {name for name in schemas if name.endswith(("Input", "Patch"))}
    assert inputs == {"ProductInput", "ProductPatch"}
    for name, schema in schemas.items():
        for each in _objects(schema):
            assert (each.get("additionalProperties") is False) == (name in inputs), name


def _faults(document: dict[str, Any], name: str, value: Any) -> list[str]:
    root = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return [fault.message for fault in Draft202012Validator(root).iter_errors(value)]


def test_undeclared_members_are_still_found(client: Client, document: dict[str, Any]) -> None:
    closed = copy.deepcopy(document)
    close_answers(closed)
    page = client.get("/v1/products?limit=1&include=total").json()
    assert _faults(closed, "ProductList", page) == []
    page["items"][0]["colour"] = "red"
    assert _faults(document, "ProductList", page) == []
    [fault] = _faults(closed, "ProductList", page)
    assert "'colour' was unexpected" in fault


# ---- examples ----
JSON = "application/json"
GOOD = {"sku": "KIT-0009", "name": "x", "category": "x", "price_minor": 1, "stock": 1}


@pytest.mark.parametrize(
    ("code", "status", "method", "target", "body"),
    [
        ("query_invalid", 400, "GET", "/v1/products?limit=0&colour=red", None),
        ("json_invalid", 400, "POST", "/v1/products", b'{"price_minor":8900,}'),
        (
            "body_invalid",
            422,
            "POST",
            "/v1/products",
            b'{"price_minor":-1,"sku":"S","category":"c","stock":1}',
        ),
        ("sku_taken", 409, "POST", "/v1/products", json.dumps(GOOD).encode()),
    ],
)
def test_examples_of_faults_are_true(
    client: Client,
    document: dict[str, Any],
    issuer: Issuer,
    code: str,
    status: int,
    method: str,
    target: str,
    body: bytes | None,
) -> None:
    fields = {"Authorization": f"Bearer {issuer.mint('editors')}"}
    if body is not None:
        fields["Content-Type"] = JSON
    problem = check_problem(client.request(method, target, body, **fields), status, code)
    example = document["components"]["examples"][code]["value"]
    if code == "sku_taken":
        example["errors"][0]["message"] = problem["errors"][0]["message"]
    assert example["errors"] == problem["errors"]
    assert set(example) == set(problem)


def test_nothing_live_is_an_example(document: dict[str, Any]) -> None:
    """The page at /docs fills examples in: one click must not change a product that exists, nor use
    up an Idempotency-Key that everybody has."""
    components = document["components"]["parameters"].values()
    listed = [
        parameter
        for item in document["paths"].values()
        for operation in item.values()
        for parameter in operation["parameters"]
        if parameter.get("in") in ("path", "header")
    ]
    for each in (*components, *listed):
        assert "example" not in str(each), each
    patch = document["paths"]["/v1/products/{id}"]["patch"]["requestBody"]
    assert patch["content"]["application/merge-patch+json"]["example"] == {"stock": 12}


def test_one_type_of_body(operations: list[Any]) -> None:
    """Two of one schema are two calls of the same name for the makers of clients."""
    bodies = {each.spec["operationId"]: each.body_types for each in operations if each.body_types}
    assert bodies.pop("patchProduct") == ["application/merge-patch+json"]
    assert bodies and all(types == [JSON] for types in bodies.values())


def test_defaults_are_what_a_product_gets(
    changing: Service, document: dict[str, Any], issuer: Issuer
) -> None:
    members = document["components"]["schemas"]["ProductInput"]
    defaults = {
        name: member["default"]
        for name, member in members["properties"].items()
        if name not in members["required"]
    }
    body = json.dumps({**GOOD, "sku": "default"}).encode()
    fields = {"Authorization": f"Bearer {issuer.mint('editors')}", "Content-Type": JSON}
    with changing.client() as client:
        made = client.request("POST", "/v1/products", body, **fields)
    assert made.status == 201
    assert {name: made.json()[name] for name in defaults} == defaults


# What gets each code that one request to a service in good health gets; what a worker answers, its
# examples are made by the function that makes the answers.
ASKED: list[tuple[str, str, str, dict[str, str]]] = [
    ("bad_request", "GET", "/v1/products/%ff", {}),
    ("not_found", "GET", "/v1/nothing", {}),
    ("query_invalid", "GET", "/v1/products?limit=0", {}),
    ("cursor_invalid", "GET", "/v1/products?cursor=x", {}),
    ("authentication_required", "DELETE", "/v1/products/1", {}),
    ("token_malformed", "DELETE", "/v1/products/1", {"Authorization": "Bearer x"}),
    ("product_absent", "GET", "/v1/products/999999999", {}),
    ("not_acceptable", "GET", "/v1/products", {"Accept": "image/png"}),
    ("precondition_failed", "GET", "/v1/products/1", {"If-Match": '"x"'}),
    ("uri_too_long", "GET", f"/v1/products?{'x' * 9000}", {}),
    ("headers_too_large", "GET", "/v1/products", {"X-Long": "x" * 9000}),
]


@pytest.fixture(scope="module")
def examples(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {code: each["value"] for code, each in document["components"]["examples"].items()}


def _check_example(answer: Answer, example: dict[str, Any]) -> None:
    problem = check_problem(answer, example["status"], example["code"])
    of_this_request = {"instance", "request_id", "errors"}
    assert set(example) - of_this_request == set(problem) - of_this_request
    for name in set(example) - of_this_request:
        assert problem[name] == example[name]


@pytest.mark.parametrize(("code", "method", "target", "fields"), ASKED, ids=[a[0] for a in ASKED])
def test_examples_are_answers(
    client: Client,
    examples: dict[str, dict[str, Any]],
    code: str,
    method: str,
    target: str,
    fields: dict[str, str],
) -> None:
    _check_example(client.request(method, target, **fields), examples[code])


def test_examples_of_nginx_are_answers(examples: dict[str, dict[str, Any]]) -> None:
    """Without a worker, and with one that never answers."""
    with (
        tempfile.TemporaryDirectory(prefix="cbu-") as folder,
        socket.socket(socket.AF_UNIX) as mute,
        Nginx(Path(folder), NGINX_READ_TIMEOUT_S="1") as nginx,
    ):
        _check_example(nginx.get("/v1/products"), examples["unavailable"])
        mute.bind(nginx.settings["FCGI_SOCKET"])
        mute.listen()
        _check_example(nginx.get("/v1/products"), examples["gateway_timeout"])


def test_examples_have_a_title_each(examples: dict[str, dict[str, Any]]) -> None:
    for code, example in examples.items():
        status = example["status"]
        assert example["title"] == TITLES.get(status, HTTPStatus(status).phrase)
        assert example["code"] == code


# A field that the document must name for the answers of a status; whether all of them have it.
FIELDS = [
    ("post", "/v1/products", 409, "Retry-After", False),
    ("post", "/v1/products", 415, "Accept", False),
    ("put", "/v1/products/{id}", 415, "Accept", False),
    ("patch", "/v1/products/{id}", 415, "Accept-Patch", False),
    ("patch", "/v1/products/{id}", 415, "Accept-Encoding", False),
    ("patch", "/v1/products/{id}", 412, "ETag", True),
    ("get", "/v1/products/{id}", 412, "ETag", True),
    ("get", "/v1/products", 503, "Retry-After", True),
    ("get", "/health/ready", 503, "Retry-After", False),
    ("post", "/v1/products", 401, "WWW-Authenticate", True),
    ("post", "/v1/products", 201, "Idempotent-Replayed", False),
]


@pytest.mark.parametrize(("method", "path", "status", "name", "required"), FIELDS)
def test_header_fields_are_told(
    document: dict[str, Any], method: str, path: str, status: int, name: str, required: bool
) -> None:
    """That an answer has them is tested where it is made."""

    def follow(node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        _, _, section, key = node["$ref"].split("/")
        found: dict[str, Any] = document["components"][section][key]
        return found

    answer = follow(document["paths"][path][method]["responses"][str(status)])
    assert follow(answer["headers"][name]).get("required", False) == required


def test_command_prints_the_same(client: Client) -> None:
    done = run_cbu("openapi")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.encode() == client.get("/openapi.json").body + b"\n"


def test_currency_is_the_shops() -> None:
    document = json.loads(run_cbu("openapi", SHOP_CURRENCY="EUR").stdout)
    for schema in document["components"]["schemas"].values():
        currency = schema.get("properties", {}).get("currency")
        assert currency is None or set(currency["enum"]) <= {"EUR", None}


def test_if_none_match(client: Client) -> None:
    etag = client.get("/openapi.json").headers["ETag"]
    assert etag.startswith('"')
    answer = client.get("/openapi.json", **{"If-None-Match": etag})
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
