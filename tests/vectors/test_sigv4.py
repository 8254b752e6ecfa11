"""Our SigV4 against AWS's own test suite, and against botocore on random requests."""

from __future__ import annotations

import json
import os
import random
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SIGV4_CASES", ROOT / "build/tests/sigv4_cases"))
SUITE = Path(os.environ.get("VECTORS", ROOT / "../shared/vectors")) / "aws-sigv4/v4"
RANDOM_CASES = 10_000
SEED = 20150830

Case = dict[str, Any]


def sign(cases: list[Case]) -> list[dict[str, str]]:
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run(
        [PROGRAM], input=lines.encode(), capture_output=True, check=True, timeout=300
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


# ---- AWS's suite ----


def suite_cases() -> list[str]:
    return sorted(path.name for path in SUITE.glob("*") if path.is_dir())


def read_request(folder: Path) -> tuple[str, str, list[list[str]], bytes]:
    """Method, raw target, header fields in order (folded lines joined) and body."""
    head, _, body = (folder / "request.txt").read_bytes().partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    method, rest = first.split(" ", 1)
    fields: list[list[str]] = []
    for line in filter(None, lines):
        if line[0] in " \t":
            fields[-1][1] += "\n" + line
        else:
            fields.append(line.split(":", 1))
    return method, rest.rsplit(" ", 1)[0], fields, body


def suite_case(name: str, kind: str) -> Case:
    folder = SUITE / name
    context = json.loads((folder / "context.json").read_text())
    method, target, fields, _ = read_request(folder)
    path, _, query = target.partition("?")
    headers = [field for field in fields if field[0].lower() not in ("host", "x-amz-date")]
    hosts = [value for field, value in fields if field.lower() == "host"]
    token = context["credentials"].get("token")
    canonical = (folder / f"{kind}-canonical-request.txt").read_text()
    return {
        "kind": kind,
        "method": method,
        "scheme": "https",
        "host": hosts[0],
        "path": path,
        "query": [list(pair) for pair in parse_qsl(query, keep_blank_values=True)],
        "headers": headers,
        "payload_hash": canonical.rsplit("\n", 1)[1],
        "access_key": context["credentials"]["access_key_id"],
        "secret_key": context["credentials"]["secret_access_key"],
        # A token that is added after signing is no part of what is signed.
        "session_token": None if context.get("omit_session_token") else token,
        "region": context["region"],
        "service": context["service"],
        "normalize_path": context["normalize"],
        "payload_header": context["sign_body"] and kind == "header",
        "time": context["timestamp"].replace("-", "").replace(":", ""),
        "expires": context["expiration_in_seconds"],
    }


@pytest.mark.skipif(not SUITE.is_dir(), reason=f"no AWS signing test suite at {SUITE}")
@pytest.mark.parametrize("kind", ["header", "query"])
@pytest.mark.parametrize("name", suite_cases())
def test_aws_signing_suite(name: str, kind: str) -> None:
    (answer,) = sign([suite_case(name, kind)])
    for part in ("canonical_request", "string_to_sign", "signature"):
        expected = (SUITE / name / f"{kind}-{part.replace('_', '-')}.txt").read_text()
        assert answer[part] == expected, part


# ---- botocore ----

AWKWARD = [chr(c) for c in range(0x20, 0x7F)] + list("äß€日本\U0001f600\u200b")


def text(rng: random.Random, most: int, alphabet: list[str] | None = None) -> str:
    return "".join(rng.choices(alphabet or AWKWARD, k=rng.randint(0, most)))


def random_path(rng: random.Random) -> str:
    segments = [rng.choice(["", ".", "..", text(rng, 12)]) for _ in range(rng.randint(0, 6))]
    return "/" + quote("/".join(segments), safe="/~")


def random_case(rng: random.Random) -> Case:
    kind = rng.choice(["header", "query"])
    service = "s3" if kind == "query" else rng.choice(["s3", "secretsmanager", "cognito-idp"])
    blanks = [*AWKWARD, " ", "  ", "\t"]
    headers = {
        "X-Amz-Meta-" + text(rng, 8, list("abcXYZ019-")) + str(i): text(rng, 20, blanks)
        for i in range(rng.randint(0, 5))
    }
    if rng.random() < 0.3:
        headers["User-Agent"] = "never signed"
    if rng.random() < 0.5:
        headers["Content-Type"] = rng.choice(["image/png", " application/x-amz-json-1.1 ", "a  b"])
    names = [text(rng, 6) for _ in range(rng.randint(0, 4))]
    query = [[rng.choice(names), text(rng, 10)] for _ in range(rng.randint(0, 6)) if names]
    if kind == "query":  # botocore keeps one value a name when it presigns
        query = [[name, value] for name, value in dict(query).items()]
    return {
        "kind": kind,
        "method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]),
        "scheme": "https",
        "host": rng.choice(
            ["b.s3.us-east-2.amazonaws.com", "localhost:9000", "x.example", "127.0.0.1:7101"]
        ),
        "path": random_path(rng),
        "query": query,
        "headers": [list(pair) for pair in headers.items()],
        "payload_hash": rng.choice(["UNSIGNED-PAYLOAD", f"{rng.getrandbits(256):064x}"]),
        "access_key": "AKID" + text(rng, 16, list("ABCXYZ234567")),
        "secret_key": text(rng, 40, list("abcXYZ019/+")) + "s",
        "session_token": rng.choice([None, "T" + text(rng, 1500, list("abcXYZ019/+="))]),
        "region": rng.choice(["us-east-2", "eu-west-1"]),
        "service": service,
        "time": f"20{rng.randint(10, 37)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
        f"T{rng.randint(0, 23):02}{rng.randint(0, 59):02}{rng.randint(0, 59):02}Z",
        "expires": rng.choice([1, 900, 3600, 604800]),
    }


def fixed(base: type, payload_hash: str) -> type:
    """The botocore signer with the case's payload hash instead of a computed one."""
    return type("Fixed" + base.__name__, (base,), {"payload": lambda self, request: payload_hash})


def by_botocore(case: Case, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    now = datetime.strptime(case["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: now.replace(tzinfo=None)
    )
    credentials = Credentials(case["access_key"], case["secret_key"], case["session_token"])
    encoded = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in case["query"])
    url = f"{case['scheme']}://{case['host']}{case['path']}" + (f"?{encoded}" if encoded else "")
    request = AWSRequest(case["method"], url, dict(case["headers"]))
    request.headers["Host"] = case["host"]
    scope = (credentials, case["service"], case["region"])
    if case["kind"] == "query":
        signer = fixed(botocore.auth.S3SigV4QueryAuth, case["payload_hash"])(
            *scope, expires=case["expires"]
        )
    elif case["service"] == "s3":
        signer = fixed(botocore.auth.S3SigV4Auth, case["payload_hash"])(*scope)
    else:
        signer = fixed(botocore.auth.SigV4Auth, case["payload_hash"])(*scope)
    signer.add_auth(request)
    return {"url": request.url, "authorization": request.headers.get("Authorization", "")}


def same_url(left: str, right: str) -> bool:
    a, b = urlsplit(left), urlsplit(right)
    pairs = [sorted(parse_qsl(part.query, keep_blank_values=True)) for part in (a, b)]
    return a[:3] == b[:3] and pairs[0] == pairs[1]


def test_agrees_with_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(SEED)
    cases = [random_case(rng) for _ in range(RANDOM_CASES)]
    wrong = []
    for case, ours in zip(cases, sign(cases), strict=True):
        theirs = by_botocore(case, monkeypatch)
        if case["kind"] == "query":
            good = same_url(ours["url"], theirs["url"])
        else:
            good = ours["authorization"] == theirs["authorization"]
        if not good:
            wrong.append((case, ours, theirs))
    assert not wrong, f"{len(wrong)} of {RANDOM_CASES} differ; the first: {wrong[0]}"
