"""Who may change things: every token that the rules refuse, over HTTP, and what happens to good
ones while the user pool rotates its keys, is slow, or is away."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from issuer import ABSENT, CLIENT, ISSUER, Issuer, Key, base64url, issuing
from nginx_server import Answer
from stacks import Client, Database, Service, Stack, wait_for

# Needs an editor, changes nothing, and there is no such product: what it answers shows how far
# the request came.
PROBE = "/v1/products/999999999/history"
LET_IN = (404, "product_absent")

Mint = Callable[[Issuer], str]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def service(stack: Stack, module_database: Database, issuer: Issuer) -> Iterator[Service]:
    settings = {**stack.settings, "DATABASE_URL": module_database.url, "WORKERS": "4"}
    with Service(**settings, **issuer.settings()) as service:
        service.wait_until_ready()
        yield service


def make_service(stack: Stack, issuer: Issuer, **settings: str) -> Service:
    """A service of a test's own, on the shared stack's database, which it does not change."""
    return Service(**{**stack.settings, "WORKERS": "4", **issuer.settings(), **settings})


def ask(client: Client, token: str | None, target: str = PROBE) -> Answer:
    fields = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.get(target, **fields)


def outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


# ---- refusals ----
def with_parts(change: Callable[[str, str, str], str]) -> Mint:
    return lambda issuer: change(*issuer.mint("editors").split("."))


def flip(text: str, at: int) -> str:
    other = "A" if text[at] != "A" else "B"
    return text[:at] + other + text[at:][1:]


def claims_text(**changed: str) -> bytes:
    """A payload whose claims are written as they stand here, twice where they are given."""
    usual = {
        "sub": '"s"',
        "iss": f'"{ISSUER}"',
        "client_id": f'"{CLIENT}"',
        "token_use": '"access"',
        "exp": "9000000000",
    }
    members = [f'"{name}":{value}' for name, value in usual.items()]
    members += [f'"{name}":{value}' for name, value in changed.items()]
    return ("{" + ",".join(members) + "}").encode()


REFUSALS: dict[str, tuple[str, Mint]] = {
    # the text
    "not a token": ("token_malformed", lambda _: "garbage"),
    "two parts": ("token_malformed", with_parts(lambda h, p, s: f"{h}.{p}")),
    "four parts": ("token_malformed", with_parts(lambda h, p, s: f"{h}.{p}.{s}.{s}")),
    "a dot behind": ("token_malformed", with_parts(lambda h, p, s: f"{h}.{p}.{s}.")),
    "trailing bytes": ("token_malformed", with_parts(lambda h, p, s: f"{h}.{p}.{s}!")),
    "padding": ("token_malformed", with_parts(lambda h, p, s: f"{h}.{p}.{s}==")),
    "standard base64": ("token_malformed", with_parts(lambda h, p, s: f"{h}.{p}+/.{s}")),
    "two tokens": ("token_malformed", with_parts(lambda h, p, s: f"{h}.{p}.{s} {h}.{p}.{s}")),
    "huge header": ("token_malformed", lambda i: i.mint("editors", header={"x": "x" * 1000})),
    "payload is a list": ("token_malformed", lambda i: i.mint(payload=b"[]")),
    "payload is a number": ("token_malformed", lambda i: i.mint(payload=b"7")),
    "payload is cut off": ("token_malformed", lambda i: i.mint(payload=b'{"sub":"s"')),
    "payload is no UTF-8": ("token_malformed", lambda i: i.mint(payload=b'{"sub":"\xff"}')),
    "header is a list": ("token_malformed", lambda i: i.mint(header=b"[]")),
    # the header
    "alg none, unsigned": (
        "token_algorithm",
        lambda i: i.mint("editors", header={"alg": "none"}, algorithm="none"),
    ),
    "alg NONE, unsigned": (
        "token_algorithm",
        lambda i: i.mint("editors", header={"alg": "NONE"}, algorithm="none"),
    ),
    "RS256, unsigned": ("token_signature", lambda i: i.mint("editors", algorithm="none")),
    "HS256 keyed by our public key": (
        "token_algorithm",
        lambda i: i.mint("editors", header={"alg": "HS256"}, algorithm="HS256"),
    ),
    "the same, called RS256": ("token_signature", lambda i: i.mint("editors", algorithm="HS256")),
    "ES256": (
        "token_algorithm",
        lambda i: i.mint("editors", header={"alg": "ES256"}, algorithm="ES256"),
    ),
    "PS256": (
        "token_algorithm",
        lambda i: i.mint("editors", header={"alg": "PS256"}, algorithm="PS256"),
    ),
    "PS256, called RS256": ("token_signature", lambda i: i.mint("editors", algorithm="PS256")),
    "RS512": (
        "token_algorithm",
        lambda i: i.mint("editors", header={"alg": "RS512"}, algorithm="RS512"),
    ),
    "RS512, called RS256": ("token_signature", lambda i: i.mint("editors", algorithm="RS512")),
    "no alg": ("token_algorithm", lambda i: i.mint("editors", header={"alg": ABSENT})),
    "alg twice": (
        "token_malformed",
        lambda i: i.mint(header=b'{"kid":"one","alg":"none","alg":"RS256"}'),
    ),
    "no kid": ("token_malformed", lambda i: i.mint("editors", header={"kid": ABSENT})),
    "kid is a number": ("token_malformed", lambda i: i.mint("editors", header={"kid": 1})),
    "kid is endless": ("token_malformed", lambda i: i.mint("editors", header={"kid": "k" * 128})),
    "crit": (
        "token_malformed",
        lambda i: i.mint("editors", header={"crit": ["exp"], "exp": 9000000000}),
    ),
    # the key
    "the kid of another key": (
        "token_signature",
        lambda i: i.mint("editors", header={"kid": i.published[1].kid}),
    ),
    "a key of nobody's under our kid": (
        "token_signature",
        lambda i: i.mint("editors", key=Key("one")),
    ),
    "a key that it brings along": (
        "token_signature",
        lambda i: i.mint("editors", key=(own := Key("one")), header={"jwk": {"k": own.kid}}),
    ),
    "an unknown kid": ("token_unknown_key", lambda i: i.mint("editors", key=Key("unknown"))),
    "an address of keys": (
        "token_unknown_key",
        lambda i: i.mint("editors", key=Key("unknown"), header={"jku": f"{i.url}/mine.json"}),
    ),
    # the signature
    "a flipped bit": ("token_signature", with_parts(lambda h, p, s: f"{h}.{p}.{flip(s, 9)}")),
    "another payload": (
        "token_signature",
        lambda i: ".".join(
            (
                *i.mint().split(".")[:1],
                i.mint("editors").split(".")[1],
                *i.mint().split(".")[2:],
            )
        ),
    ),
    "a shorter signature": ("token_signature", with_parts(lambda h, p, s: f"{h}.{p}.{s[:-6]}")),
    "a longer signature": ("token_signature", with_parts(lambda h, p, s: f"{h}.{p}.AAAA{s}")),
    # the claims
    "no sub": ("token_claims", lambda i: i.mint("editors", sub=ABSENT)),
    "sub is empty": ("token_claims", lambda i: i.mint("editors", sub="")),
    "sub is a number": ("token_claims", lambda i: i.mint("editors", sub=1)),
    "sub twice": ("token_malformed", lambda i: i.mint(payload=claims_text(sub='"t"'))),
    "exp twice": ("token_malformed", lambda i: i.mint(payload=claims_text(exp="9000000001"))),
    "groups twice": (
        "token_malformed",
        lambda i: i.mint(payload=claims_text(a='{"b":1,"b":2}')),
    ),
    "sub with a NUL": ("token_malformed", lambda i: i.mint("editors", sub="s\0t")),
    "no iss": ("token_claims", lambda i: i.mint("editors", iss=ABSENT)),
    "iss is a list": ("token_claims", lambda i: i.mint("editors", iss=[ISSUER])),
    "another pool": ("token_wrong_issuer", lambda i: i.mint("editors", iss=ISSUER + "2")),
    "another region": (
        "token_wrong_issuer",
        lambda i: i.mint("editors", iss=ISSUER.replace("us-east-2.", "us-west-2.")),
    ),
    "iss with a slash": ("token_wrong_issuer", lambda i: i.mint("editors", iss=ISSUER + "/")),
    "iss over http": (
        "token_wrong_issuer",
        lambda i: i.mint("editors", iss=ISSUER.replace("https", "http")),
    ),
    "the address that it is fetched from": (
        "token_wrong_issuer",
        lambda i: i.mint("editors", iss=i.url),
    ),
    "an ID token": (
        "token_wrong_use",
        lambda i: i.mint("editors", token_use="id", aud=CLIENT),
    ),
    "an ID token without client_id": (
        "token_claims",
        lambda i: i.mint("editors", token_use="id", aud=CLIENT, client_id=ABSENT),
    ),
    "a refresh token": ("token_wrong_use", lambda i: i.mint("editors", token_use="refresh")),
    "no token_use": ("token_claims", lambda i: i.mint("editors", token_use=ABSENT)),
    "another client": ("token_wrong_client", lambda i: i.mint("editors", client_id="other")),
    "a list of clients": ("token_claims", lambda i: i.mint("editors", client_id=[CLIENT])),
    "aud in its place": (
        "token_claims",
        lambda i: i.mint("editors", client_id=ABSENT, aud=CLIENT),
    ),
    "no exp": ("token_claims", lambda i: i.mint("editors", exp=ABSENT)),
    "exp is a text": ("token_claims", lambda i: i.mint("editors", exp="9000000000")),
    "exp is null": ("token_claims", lambda i: i.mint("editors", exp=None)),
    "exp is infinite": ("token_claims", lambda i: i.mint(payload=claims_text(nbf="1e999"))),
    "exp is negative": ("token_claims", lambda i: i.mint("editors", exp=-1)),
    "expired long ago": ("token_expired", lambda i: i.mint("editors", exp=1)),
    "expired a second ago": (
        "token_expired",
        lambda i: i.mint("editors", exp=int(time.time()) - 1),
    ),
    "expires now": ("token_expired", lambda i: i.mint("editors", exp=int(time.time()))),
    "not yet valid": (
        "token_not_yet_valid",
        lambda i: i.mint("editors", nbf=int(time.time()) + 60),
    ),
    "issued in the future": (
        "token_not_yet_valid",
        lambda i: i.mint("editors", iat=int(time.time()) + 300),
    ),
    "nbf is a text": ("token_claims", lambda i: i.mint("editors", nbf="0")),
    "iat is a text": ("token_claims", lambda i: i.mint("editors", iat="0")),
    "groups as a text": ("token_claims", lambda i: i.mint(**{"cognito:groups": "editors"})),
    "groups as an object": (
        "token_claims",
        lambda i: i.mint(**{"cognito:groups": {"editors": True}}),
    ),
    "129 groups": ("token_claims", lambda i: i.mint(*("editors",) * 129)),
    "username is a number": ("token_claims", lambda i: i.mint("editors", username=1)),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(service: Service, issuer: Issuer, name: str) -> None:
    code, mint = REFUSALS[name]
    with service.client() as client:
        answer = ask(client, mint(issuer))
    assert outcome(answer) == (401, code)
    challenge = answer.headers["WWW-Authenticate"]
    detail = answer.json()["detail"]
    assert challenge == f'Bearer realm="cbu", error="invalid_token", error_description="{detail}"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_huge(service: Service, issuer: Issuer) -> None:
    """Beyond a header line of 8 KiB no worker sees it."""
    with service.client() as client:
        answer = ask(client, issuer.mint("editors", fill="x" * 6000))
    assert outcome(answer) == (431, "headers_too_large")


def test_no_two_reasons_are_the_same(service: Service, issuer: Issuer) -> None:
    """A client can tell from the sentence alone."""
    sentences = {}
    with service.client() as client:
        for code, mint in REFUSALS.values():
            sentences[code] = ask(client, mint(issuer)).json()["detail"]
    assert len(set(sentences.values())) == len(sentences) == 10


# ---- good ones ----
GOOD: dict[str, Mint] = {
    "editors": lambda i: i.mint("editors"),
    "admins": lambda i: i.mint("admins"),
    "among others": lambda i: i.mint("staff", "editors", "z"),
    "the other key": lambda i: i.mint("editors", key=i.published[1]),
    "typ and more": lambda i: i.mint("editors", header={"typ": "JWT", "x": [1, {"y": None}]}),
    "the last seconds": lambda i: i.mint("editors", exp=int(time.time()) + 30),
    "nbf has come": lambda i: i.mint("editors", nbf=int(time.time()) - 1),
    "iat a little ahead": lambda i: i.mint("editors", iat=int(time.time()) + 30),
    "without what nobody needs": lambda i: i.mint(
        "editors", iat=ABSENT, jti=ABSENT, origin_jti=ABSENT, username=ABSENT, auth_time=ABSENT
    ),
    "claims of its own": lambda i: i.mint("editors", **{"custom:x": {"a": [1, 2]}}),
    "4 KiB": lambda i: i.mint("editors", fill="x" * 2500),
}


@pytest.mark.parametrize("name", GOOD)
def test_let_in(service: Service, issuer: Issuer, name: str) -> None:
    with service.client() as client:
        assert outcome(ask(client, GOOD[name](issuer))) == LET_IN


@pytest.mark.parametrize("groups", [(), ("staff",), ("Editors",), ("editors ",), ("admin",)])
def test_wrong_group(service: Service, issuer: Issuer, groups: tuple[str, ...]) -> None:
    with service.client() as client:
        answer = ask(client, issuer.mint(*groups))
    assert outcome(answer) == (403, "forbidden")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic ZWRpdG9yczplZGl0b3Jz", "Token x", "Bearerx", "bearer"],
)
def test_no_token(service: Service, authorization: str) -> None:
    with service.client() as client:
        answer = client.get(PROBE, Authorization=authorization)
    assert outcome(answer) == (401, "authentication_required")
    # RFC 6750 section 3.1: no error code for a request that did not try.
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="cbu"'


def test_a_product_is_made(service: Service, issuer: Issuer) -> None:
    body = {"sku": "T-1", "name": "Tea", "category": "tea", "price_minor": 5, "stock": 1}
    with service.client() as client:
        fields = {
            "Authorization": f"Bearer {issuer.mint('editors')}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        answer = client.request("POST", "/v1/products", json.dumps(body).encode(), **fields)
        assert answer.status == 201, answer.body
        history = ask(client, issuer.mint("editors"), f"/v1/products/{answer.json()['id']}/history")
    assert history.status == 200
    # Who did it stands in the audit log: the token's subject and user name.
    assert "ada" in history.body.decode()


def test_public_addresses_need_none(service: Service) -> None:
    with service.client() as client:
        assert client.get("/v1/products?limit=1").status == 200
        answer = client.get("/v1/products?limit=1", Authorization="Bearer garbage")
        assert answer.status == 200


def test_tokens_are_in_no_log(service: Service, issuer: Issuer) -> None:
    good, bad = issuer.mint("editors"), issuer.mint("editors", exp=1)
    with service.client() as client:
        for token in (good, bad):
            service.nginx.access_log(ask(client, token).headers["X-Request-Id"])
    wait_for(lambda: "token_expired" in service.log(), "the refusal's line")
    logs = service.log() + service.nginx.error_log()
    logs += (service.folder / "access.log").read_text()
    for token in (good, bad):
        assert not any(part in logs for part in token.split(".")[1:])


# ---- the keys ----
def keys_of(service: Service) -> dict[str, Any]:
    keys: dict[str, Any] = service.status()["keys"]
    return keys


def test_status_shows_the_keys(service: Service) -> None:
    keys = keys_of(service)
    assert (keys["state"], keys["count"], keys["error"]) == ("known", 2, "")
    assert 0 <= keys["age_s"] < 300


def test_not_ready_without_keys(stack: Stack) -> None:
    """A task that cannot verify a token yet gets no traffic, and comes up by itself."""
    with issuing() as issuer:
        issuer.close()
        with make_service(stack, issuer) as service, service.client() as client:
            wait_for(lambda: service.events("keys.failed"), "a failed fetch")
            page = service.page("/health/ready")
            assert page.status == 503
            assert page.json()["checks"]["secrets"] == {"ok": False, "detail": "keys"}
            assert keys_of(service)["state"] == "missing"
            answer = ask(client, issuer.mint("editors"))
            assert outcome(answer) == (503, "keys_unavailable")
            assert "Retry-After" in answer.headers
            assert client.get("/v1/products?limit=1").status == 200
            issuer.open()
            service.wait_until_ready()
            assert outcome(ask(client, issuer.mint("editors"))) == LET_IN


def test_without_a_user_pool(stack: Stack) -> None:
    with Service(WORKERS="1", **stack.settings) as service, service.client() as client:
        service.wait_until_ready()
        with issuing() as issuer:
            answer = ask(client, issuer.mint("editors"))
            assert issuer.fetches == []
        assert outcome(answer) == (503, "keys_unavailable")
        assert outcome(ask(client, None)) == (401, "authentication_required")
        assert keys_of(service) == {"state": "none", "count": 0, "age_s": None, "error": ""}


def test_one_fetch_a_task(stack: Stack) -> None:
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda _: ask_once(service, issuer.mint("editors")), range(100)))
        assert set(done) == {LET_IN}
        assert len(issuer.fetches) == 1


def ask_once(service: Service, token: str) -> tuple[int, str]:
    with service.client() as client:
        return outcome(ask(client, token))


def test_rotation_under_load(stack: Stack) -> None:
    """Keys come and go while 8 clients ask: nobody notices."""
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        seen: set[tuple[int, str]] = set()
        count = 0
        ended = threading.Event()
        lock = threading.Lock()

        def load() -> None:
            nonlocal count
            with service.client() as client:
                while not ended.is_set():
                    got = outcome(ask(client, issuer.mint("editors")))
                    with lock:
                        seen.add(got)
                        count += 1

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for number in range(5):
            before, fetches = count, len(issuer.fetches)
            # The new key signs from now on; the old ones stay, as tokens by them still come.
            issuer.published = [Key(f"rotated-{number}"), *issuer.published]
            wait_for(lambda: len(issuer.fetches) > fetches, "a fetch")  # noqa: B023
            wait_for(lambda: count > before + 50, "more requests")  # noqa: B023
        ended.set()
        for thread in threads:
            thread.join()
        refused = [e for e in service.events("request.failed") if e["status"] != LET_IN[0]]
        assert seen == {LET_IN}, json.dumps(refused)
        assert len(issuer.fetches) <= 2 * 5 + 1


def test_a_removed_key_is_forgotten(stack: Stack) -> None:
    with issuing() as issuer, make_service(stack, issuer, JWKS_REFRESH_S="1") as service:
        service.wait_until_ready()
        removed = issuer.published[1]
        token = issuer.mint("editors", key=removed)
        assert ask_once(service, token) == LET_IN
        issuer.published = issuer.published[:1]
        wait_for(lambda: ask_once(service, token) == (401, "token_unknown_key"), "its refusal")


def test_garbage_kids_cause_no_storm(stack: Stack) -> None:
    """One kid is asked for once in ten seconds, and many different ones twice a second at most."""
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        same = issuer.mint("editors", header={"kid": "garbage"})
        for _ in range(50):
            assert ask_once(service, same) == (401, "token_unknown_key")
        assert len(issuer.fetches) == 2
        seen = set()
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            tokens = [issuer.mint("editors", header={"kid": f"g{n}"}) for n in range(40)]
            seen = set(pool.map(lambda token: ask_once(service, token), tokens))
        took_s = time.monotonic() - begin
        # What could not be found out without a worker too many waiting is asked for again later.
        assert seen <= {(401, "token_unknown_key"), (503, "keys_unavailable")}
        assert len(issuer.fetches) <= 2 + took_s / 0.5 + 1
        gaps = [b - a for a, b in zip(issuer.fetches[2:], issuer.fetches[3:], strict=False)]
        assert all(gap > 0.4 for gap in gaps)


def test_garbage_delays_no_good_key(stack: Stack) -> None:
    """While garbage kids come without end, known keys are served by the workers that are left, and
    a new key is known as soon as the keeper may fetch again."""
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        ended = threading.Event()

        def flood(number: int) -> None:
            count = 0
            while not ended.is_set():
                count += 1
                ask_once(service, issuer.mint("editors", header={"kid": f"{number}-{count}"}))

        threads = [threading.Thread(target=flood, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: len(issuer.fetches) > 2, "the flood")
            for _ in range(50):
                assert ask_once(service, issuer.mint("editors")) == LET_IN
            fetches = len(issuer.fetches)
            issuer.published = [Key("new"), issuer.published[0]]
            token = issuer.mint("editors")
            wait_for(lambda: ask_once(service, token) == LET_IN, "the new key")
            assert len(issuer.fetches) <= fetches + 3
            # Until then it was never called wrong: nobody knew better.
            refused = service.events("request.failed")
            assert not any("kid new" in event["cause"] for event in refused)
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def test_garbage_stops_no_worker(stack: Stack) -> None:
    """Many clients send one garbage kid at the same moment, and then another one, and so on: at
    most half of the workers wait for it, so good tokens are never far from a free one."""
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        ask_once(service, issuer.mint("editors", header={"kid": "first"}))
        issuer.delay_s = 1
        token = issuer.mint("editors", header={"kid": "second"})
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(ask_once, service, token) for _ in range(16)]
            wait_for(lambda: service.status()["workers"]["busy"] == 2, "two that wait")
            fetches = len(issuer.fetches)
            for _ in range(20):
                assert ask_once(service, issuer.mint("editors")) == LET_IN
            # All of that while the two still wait for one fetch.
            assert len(issuer.fetches) <= fetches + 1
            outcomes = [each.result() for each in asked]
        assert outcomes.count((503, "keys_unavailable")) >= 16 - 2 - 2
        assert set(outcomes) <= {(503, "keys_unavailable"), (401, "token_unknown_key")}


def test_slow_keys(stack: Stack) -> None:
    """A new key whose fetch takes a while is waited for."""
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        issuer.published = [Key("new"), issuer.published[0]]
        issuer.delay_s = 1
        assert ask_once(service, issuer.mint("editors")) == LET_IN


def test_keys_that_never_come(stack: Stack) -> None:
    """An endpoint that hangs: known keys go on, an unknown one is not judged."""
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        issuer.delay_s = 20
        known, unknown = issuer.mint("editors"), issuer.mint("editors", key=Key("new"))
        assert ask_once(service, unknown) == (503, "keys_unavailable")
        assert ask_once(service, known) == LET_IN
        wait_for(lambda: service.events("keys.failed"), "the failure")
        # And at once from then on: the keeper is trying again anyway.
        before = len(service.events("keys.failed"))
        for _ in range(20):
            assert ask_once(service, unknown) == (503, "keys_unavailable")
        assert len(service.events("keys.failed")) <= before + 1


NONSENSE = {
    "500": (500, None, "status 500"),
    "404": (404, None, "status 404"),
    "a redirect": (302, None, "status 302"),
    "a page": (200, b"<html>maintenance</html>", "no usable JWKS: value expected"),
    "no keys": (200, b'{"keys":[]}', "no usable JWKS: there is no key for RS256"),
    "too much": (200, b" " * 40000, "body of more than 32768 bytes"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_changes_nothing(stack: Stack, name: str) -> None:
    with issuing() as issuer, make_service(stack, issuer, JWKS_REFRESH_S="1") as service:
        service.wait_until_ready()
        issuer.status, issuer.body, cause = NONSENSE[name]
        wait_for(lambda: service.events("keys.failed"), "a failure")
        assert service.events("keys.failed")[0]["cause"] == cause
        assert ask_once(service, issuer.mint("editors")) == LET_IN
        wait_for(lambda: keys_of(service)["error"] == cause, "the error in /status")
        assert keys_of(service)["state"] == "known"
        assert service.page("/health/ready").status == 200


def test_outage(stack: Stack) -> None:
    """Known keys verify until JWKS_MAX_AGE_S, then everything is 503 and never 401; and all is well
    soon after the endpoint's return."""
    settings = {"JWKS_REFRESH_S": "1", "JWKS_MAX_AGE_S": "4"}
    with issuing() as issuer, make_service(stack, issuer, **settings) as service:
        service.wait_until_ready()
        token = issuer.mint("editors")
        assert ask_once(service, token) == LET_IN
        issuer.close()
        seen = []
        while not service.events("keys.expired"):
            seen.append(ask_once(service, token))
            time.sleep(0.05)
        seen.append(ask_once(service, token))
        # First let in, then not judged; no third kind, and no way back.
        assert set(seen) == {LET_IN, (503, "keys_unavailable")}
        assert seen == sorted(seen)
        assert len([each for each in seen if each == LET_IN]) > 10
        wait_for(lambda: keys_of(service)["state"] == "expired", "the state in /status")
        # Those who need no token are served, and the task stays in service.
        assert service.page("/health/ready").status == 200
        for bad in ("garbage", issuer.mint("editors", exp=1)):
            assert ask_once(service, bad) == (503, "keys_unavailable")
        issuer.open()
        wait_for(lambda: ask_once(service, token) == LET_IN, "its return")
        assert service.events("keys.fetched")


def test_dead_keeper(stack: Stack) -> None:
    """A new key is waited for over the death of the keeper that was asked for it."""
    with issuing() as issuer, make_service(stack, issuer) as service:
        service.wait_until_ready()
        issuer.published = [Key("new"), issuer.published[0]]
        os.kill(service.status()["keeper"]["pid"], signal.SIGKILL)
        assert ask_once(service, issuer.mint("editors")) == LET_IN


def test_leeway(stack: Stack) -> None:
    with issuing() as issuer, make_service(stack, issuer, TOKEN_LEEWAY_S="60") as service:
        service.wait_until_ready()
        now = int(time.time())
        assert ask_once(service, issuer.mint("editors", exp=now - 5)) == LET_IN
        assert ask_once(service, issuer.mint("editors", nbf=now + 30)) == LET_IN
        late = issuer.mint("editors", exp=now - 61)
        assert ask_once(service, late) == (401, "token_expired")


# ---- settings ----
BAD_SETTINGS = {
    "a pool without a client": ({"COGNITO_USER_POOL_ID": "us-east-2_a"}, "COGNITO_CLIENT_ID"),
    "a client without a pool": ({"COGNITO_CLIENT_ID": "a"}, "COGNITO_USER_POOL_ID"),
    "no pool id": ({"COGNITO_USER_POOL_ID": "pool", "COGNITO_CLIENT_ID": "a"}, "REGION_ID"),
    "keys over the network": ({"COGNITO_JWKS_URL": "http://10.0.0.1/jwks.json"}, "https://"),
    "Cognito over the network": ({"COGNITO_ENDPOINT_URL": "http://cognito.local"}, "https://"),
    "a name that only begins like ours": (
        {"COGNITO_JWKS_URL": "http://127.0.0.1.evil.example/x"},
        "https://",
    ),
    "a user in the address": ({"COGNITO_JWKS_URL": "http://127.0.0.1:1@evil.example/"}, "'@'"),
    "a slash behind": ({"COGNITO_ENDPOINT_URL": "http://127.0.0.1:5000/"}, "no slash"),
    "refreshed too late": ({"JWKS_REFRESH_S": "60", "JWKS_MAX_AGE_S": "60"}, "JWKS_MAX_AGE_S"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings(stack: Stack, name: str) -> None:
    settings, said = BAD_SETTINGS[name]
    service = Service(with_nginx=False, **stack.settings, **settings)
    done = service.run_cbu("serve")
    assert done.returncode == 78
    assert re.search(re.escape(said), done.stderr), done.stderr


def test_base64url_of_the_tests() -> None:
    """The helper that every token here is made with."""
    assert base64url(b"\xff\xfe\xfd\xfc") == "__79_A"
