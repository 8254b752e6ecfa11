"""The API document is valid OpenAPI, and two public tools have nothing to say against it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from checks import check_problem
from nginx_server import ROOT, Answer, Nginx
from openapi_spec_validator import OpenAPIV31SpecValidator
from stacks import Client, run_cbu

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
