"""The API document is valid OpenAPI, and two public tools have nothing to say against it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from nginx_server import ROOT
from openapi_spec_validator import OpenAPIV31SpecValidator
from stacks import Client, run_cbu

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
