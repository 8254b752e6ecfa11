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
# JSON has no way to say U+0000 that cJSON would not cut the text at.
IN_QUERY = AWKWARD + [chr(c) for c in range(0x01, 0x20)] + ["\x7f", "\x80", "\xa0"]
# Bytes of a path that may stand for themselves but need not (RFC 3986, pchar without unreserved).
SUB_DELIMS = "!$&'()*+,;=:@"


def text(rng: random.Random, most: int, alphabet: list[str] | None = None) -> str:
    return "".join(rng.choices(alphabet or AWKWARD, k=rng.randint(0, most)))


def in_path(rng: random.Random, char: str) -> str:
    """One of the ways in which a client may put it on the wire."""
    if char in SUB_DELIMS and rng.random() < 0.5:
        return char
    encoded = quote(char, safe="~")
    return encoded.lower() if encoded != char and rng.random() < 0.3 else encoded


def random_path(rng: random.Random) -> str:
    alphabet = [*IN_QUERY, "\x00"]
    segments = [
        rng.choice(["", ".", "..", text(rng, 12, alphabet)]) for _ in range(rng.randint(0, 6))
    ]
    return "/" + "/".join("".join(in_path(rng, char) for char in part) for part in segments)


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
    names = [text(rng, 6, IN_QUERY) for _ in range(rng.randint(0, 4))]
    query = [
        [rng.choice(names), text(rng, 10, IN_QUERY)] for _ in range(rng.randint(0, 6)) if names
    ]
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


def has_repeated_name(case: Case) -> bool:
    return len({name for name, _ in case["query"]}) < len(case["query"])


def is_verified(case: Case, url: str) -> bool:
    """Botocore keeps one value a name when it presigns. So where a name is repeated it is asked, as
    a server would be, for the signature of the address that we made."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    given = [list(pair) for pair in pairs if not pair[0].startswith("X-Amz-")]
    bare, _, signature = url.rpartition("&X-Amz-Signature=")
    request = AWSRequest(case["method"], bare, dict(case["headers"]))
    request.headers["Host"] = case["host"]
    request.context["timestamp"] = case["time"]
    credentials = Credentials(case["access_key"], case["secret_key"], case["session_token"])
    signer = fixed(botocore.auth.S3SigV4QueryAuth, case["payload_hash"])(
        credentials, case["service"], case["region"], expires=case["expires"]
    )
    canonical = signer.canonical_request(request)
    right = signer.signature(signer.string_to_sign(request, canonical), request)
    return sorted(given) == sorted(case["query"]) and right == signature


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
    wrong: list[tuple[Case, object, object]] = []
    repeated = 0
    for case, ours in zip(cases, sign(cases), strict=True):
        if case["kind"] == "query" and has_repeated_name(case):
            repeated += 1
            if not is_verified(case, ours["url"]):
                wrong.append((case, ours, "another signature"))
            continue
        theirs = by_botocore(case, monkeypatch)
        if case["kind"] == "query":
            good = same_url(ours["url"], theirs["url"])
        else:
            good = ours["authorization"] == theirs["authorization"]
        if not good:
            wrong.append((case, ours, theirs))
    assert not wrong, f"{len(wrong)} of {RANDOM_CASES} differ; the first: {wrong[0]}"
    assert repeated > RANDOM_CASES / 10


# ---- the program itself: each line gets one answer, and what it cannot sign gets an error ----

CASE: Case = {
    "kind": "query",
    "method": "GET",
    "scheme": "https",
    "host": "h.example",
    "path": "/",
    "query": [],
    "headers": [],
    "payload_hash": "UNSIGNED-PAYLOAD",
    "access_key": "AKID",
    "secret_key": "secret",
    "session_token": None,
    "region": "us-east-2",
    "service": "s3",
    "time": "20150830T123600Z",
    "expires": 900,
}
GOOD: dict[str, Case] = {
    "as it is": {},
    "as many pairs as a line may have": {"query": [[f"k{i}", "v"] for i in range(1024)]},
    "as many header fields": {"headers": [[f"x-{i}", "v"] for i in range(1024)]},
    "a long token": {"session_token": "T" * 1_000_000},
    "a long token that grows": {"session_token": "+" * 1_000_000},
    "a long path that grows": {"path": "/" + "%" * 500_000, "service": "other", "kind": "header"},
    "an empty token": {"session_token": ""},
    "control characters in the query": {"query": [["a\x01\x7f", "\r\n"]]},
}
BAD: dict[str, Case] = {
    "a pair too many": {"query": [[f"k{i}", "v"] for i in range(1025)]},
    "a header field too many": {"headers": [[f"x-{i}", "v"] for i in range(1025)]},
    "NUL in the query": {"query": [["a\0b", "c"]]},
    "a pair of one": {"query": [["a"]]},
    "a pair of three": {"query": [["a", "b", "c"]]},
    "a pair with a number": {"query": [["a", 1]]},
    "no pair": {"query": ["a"]},
    "no list": {"query": {"a": "b"}},
    "no expires": {"expires": None},
    "a text for expires": {"expires": "900"},
    "half a second": {"expires": 0.5},
    "it never expires": {"expires": 0},
    "more than a week": {"expires": 604801},
    "more than any integer": {"expires": 1e300},
    "a kind of its own": {"kind": "Query"},
    "no method": {"method": None},
    "a number for the host": {"host": 1},
    "another host": {"path": "@evil.example/x"},
    "a query in the path": {"path": "/a?b"},
    "no such day": {"time": "20159999T000000Z"},
    "a blank before the time": {"time": " 20150830T12360Z"},
    "a token too long": {"session_token": "T" * 1_100_000},
    "far too long": {"session_token": "T" * 9_000_000},
}


def outcomes(lines: list[str], end: str = "\n") -> list[bool]:
    """Whether each line was signed; every one has an answer, and the answers are whole."""
    done = subprocess.run(
        [PROGRAM], input=("\n".join(lines) + end).encode(), capture_output=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        assert set(answer) == {"error"} or len(answer) == 5
    return ["error" not in answer for answer in answers]


def test_every_case_gets_one_whole_answer() -> None:
    table = {**dict.fromkeys(GOOD, True), **dict.fromkeys(BAD, False)}
    lines = [json.dumps({**CASE, **(GOOD | BAD)[name]}) for name in table]
    assert dict(zip(table, outcomes(lines), strict=True)) == table


def test_what_is_no_case_gets_one_answer_too() -> None:
    good = json.dumps(CASE)
    lines = [
        "",
        "[]",
        "null",
        "{}",
        "{",
        good[:-1],
        good + good,
        "\x00",
        good,
        good.replace("G", "\x01"),
    ]
    assert outcomes(lines) == [line == good for line in lines]
    assert outcomes([good, good], end="") == [True, True]
