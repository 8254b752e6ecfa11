"""The Cognito stand-in of local/stack: its demo users may do what their groups say, the service
takes its tokens, and the private key that moto's package publishes opens nothing."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from nginx_server import ROOT
from stacks import Client, Stack, wait_for

PROBE = "/v1/products/999999999/history"

# Signs the payload on standard input with the key in moto's package.
MOTO_SIGNS = """
import json, sys
from joserfc import jwt
from joserfc.jwk import RSAKey
from moto.utilities.utils import load_resource
key = RSAKey.import_key(load_resource("cognitoidp/resources/jwks-private.json"))
print(jwt.encode({"kid": "dummy", "alg": "RS256"}, json.load(sys.stdin), key))
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("sign-in") / "data"
    with Stack(data, "--empty", "--workers", "2", "--sign-in") as stack:
        yield stack


def probe(stack: Stack, token: str) -> tuple[int, str]:
    with Client(stack.port) as client:
        answer = client.get(PROBE, Authorization=f"Bearer {token}")
        return answer.status, answer.json()["code"]


def claims(token: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


@pytest.mark.parametrize(
    ("group", "outcome"),
    [
        ("editors", (404, "product_absent")),
        ("admins", (404, "product_absent")),
        (None, (403, "forbidden")),
    ],
)
def test_demo_users(local: Stack, group: str | None, outcome: tuple[int, str]) -> None:
    token = local.command("token", *(["--group", group] if group else [])).strip()
    assert claims(token).get("cognito:groups", []) == ([group] if group else [])
    assert probe(local, token) == outcome


def test_editor_makes_a_product(local: Stack) -> None:
    token = local.command("token", "--group", "editors").strip()
    body = {"sku": "S-1", "name": "Tea", "category": "tea", "price_minor": 5, "stock": 1}
    fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    fields["Idempotency-Key"] = "one"
    with Client(local.port) as client:
        made = client.request("POST", "/v1/products", json.dumps(body).encode(), **fields)
        assert made.status == 201, made.body
        assert client.get(f"/v1/products/{made.json()['id']}").status == 200


def test_key_of_the_package_opens_nothing(local: Stack) -> None:
    good = local.command("token", "--group", "admins").strip()
    done = subprocess.run(
        [ROOT / "build/venv-local/bin/python", "-c", MOTO_SIGNS],
        input=json.dumps(claims(good)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert probe(local, done.stdout.strip()) == (401, "token_signature")
    assert probe(local, good) == (404, "product_absent")


def test_status(local: Stack) -> None:
    keys = local.status()["keys"]
    assert (keys["state"], keys["count"]) == ("known", 1)


def test_stand_in_is_away(local: Stack) -> None:
    """Tokens go on being taken, and what it makes after its return as well."""
    token = local.command("token", "--group", "editors").strip()
    assert probe(local, token) == (404, "product_absent")
    local.command("stop", "cognito")
    assert probe(local, token) == (404, "product_absent")
    local.command("start", "cognito")
    again = local.command("token", "--group", "editors").strip()
    wait_for(lambda: probe(local, again) == (404, "product_absent"), "a new token")


def test_no_key_or_secret_is_published(local: Stack) -> None:
    """Its page of keys has public halves only."""
    pool, url = local.env["COGNITO_USER_POOL_ID"], local.env["COGNITO_ENDPOINT_URL"]
    with urllib.request.urlopen(f"{url}/{pool}/.well-known/jwks.json", timeout=60) as answer:
        [key] = json.load(answer)["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}


def test_token_needs_sign_in(stack: Stack) -> None:
    with pytest.raises(AssertionError, match="--sign-in"):
        stack.command("token")
