"""Requests that our SigV4 has signed, judged by a server that verifies signatures as S3 does: it
takes every one of ours and refuses each of them with a single bit changed. Needs versitygw (go
install github.com/versity/versitygw/cmd/versitygw@v1.8.0), whose path VERSITYGW names; left out
without it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SIGV4_CASES", ROOT / "build/tests/sigv4_cases"))
SERVER = os.environ.get("VERSITYGW") or shutil.which("versitygw")
KEY, SECRET, REGION = "AKIDLOCALTEST", "local-test-secret", "us-east-2"
START_S = 60
# Bytes that clients and servers like to disagree on.
NAMES = [
    "plain",
    "a b",
    "a+b",
    "a%b",
    "a&b=c",
    "it's",
    "tilde~",
    "ümlaut",
    "dots..",
    "a;b,c",
    "(x)*",
]

pytestmark = pytest.mark.skipif(not SERVER, reason="there is no versitygw")


@dataclass(frozen=True)
class S3:
    host: str

    def send(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=START_S)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def case(self, kind: str, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        return {
            "kind": kind,
            "method": method,
            "scheme": "http",
            "host": self.host,
            "path": path,
            "query": [],
            "headers": [["x-amz-meta-colour", "  deep   red "]] if method == "PUT" else [],
            "payload_hash": "UNSIGNED-PAYLOAD"
            if kind == "query"
            else hashlib.sha256(body).hexdigest(),
            "access_key": KEY,
            "secret_key": SECRET,
            "session_token": None,
            "region": REGION,
            "service": "s3",
            "time": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            "expires": 300,
        }

    def signed(self, case: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run(
            [PROGRAM], input=json.dumps(case) + "\n", capture_output=True, text=True, check=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        assert "error" not in answer, answer
        return answer

    def put(self, path: str, body: bytes) -> int:
        case = self.case("header", "PUT", path, body)
        return self.send("PUT", path, self.header_fields(case), body)[0]

    def header_fields(self, case: dict[str, Any]) -> dict[str, str]:
        return {
            "x-amz-date": case["time"],
            "x-amz-content-sha256": case["payload_hash"],
            "Authorization": self.signed(case)["authorization"],
            **dict(case["headers"]),
        }


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    folder = tmp_path_factory.mktemp("s3")
    for name in ("data", "meta"):
        (folder / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(str(SERVER), "--port", host, "--region", REGION, "--quiet"),
                *("posix", "--sidecar", str(folder / "meta"), str(folder / "data")),
            ],
            env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
            stdout=log,
            stderr=log,
        )
    try:
        made = S3(host)
        end = time.monotonic() + START_S
        while True:
            try:
                made.send("GET", "/", {}, b"")
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, "versitygw does not answer"
                time.sleep(0.05)
        case = made.case("header", "PUT", "/bucket")
        assert made.send("PUT", "/bucket", made.header_fields(case), b"")[0] == 200
        yield made
    finally:
        process.terminate()
        process.wait(START_S)


def encoded(name: str) -> str:
    return "/bucket/" + quote(name, safe="-_.~")


@pytest.mark.parametrize("name", NAMES)
def test_ours_are_taken(s3: S3, name: str) -> None:
    path = encoded(name)
    assert s3.put(path, name.encode()) == 200
    for method in ("HEAD", "GET"):
        case = s3.case("header", method, path)
        status, body = s3.send(method, path, s3.header_fields(case), b"")
        assert (status, body) == (200, b"" if method == "HEAD" else name.encode())
    url = urlsplit(s3.signed(s3.case("query", "GET", path))["url"])
    assert s3.send("GET", f"{url.path}?{url.query}", {}, b"") == (200, name.encode())


def flipped(text: str) -> Iterator[str]:
    """The signature in `text` with each of its 256 bits flipped in turn."""
    start = text.rindex("Signature=") + len("Signature=")
    digits = text[start : start + 64]
    assert len(digits) == 64
    for bit in range(256):
        other = f"{int(digits, 16) ^ (1 << bit):064x}"
        yield text[:start] + other + text[start + 64 :]


def test_each_flipped_bit_is_refused(s3: S3) -> None:
    assert s3.put("/bucket/flip", b"x") == 200
    fields = s3.header_fields(s3.case("header", "GET", "/bucket/flip"))
    for authorization in flipped(fields["Authorization"]):
        wrong = {**fields, "Authorization": authorization}
        assert s3.send("GET", "/bucket/flip", wrong, b"")[0] == 403
    url = urlsplit(s3.signed(s3.case("query", "GET", "/bucket/flip"))["url"])
    for query in flipped(url.query):
        assert s3.send("GET", f"{url.path}?{query}", {}, b"")[0] == 403


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "another path": lambda case: case.update(path="/bucket/other"),
    "another method": lambda case: case.update(method="HEAD"),
    "another body": lambda case: case.update(payload_hash=hashlib.sha256(b"y").hexdigest()),
    "another region": lambda case: case.update(region="us-east-1"),
    "another secret": lambda case: case.update(secret_key="local-test-secreu"),
    "another header": lambda case: case.update(headers=[["x-amz-meta-colour", "blue"]]),
    "another day": lambda case: case.update(time="20150830T123600Z"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_not_signed_is_refused(s3: S3, name: str) -> None:
    """Signed as one request, sent as another."""
    sent = s3.case("header", "PUT", "/bucket/key", b"x")
    signed = dict(sent)
    CHANGES[name](signed)
    fields = s3.header_fields(sent)
    fields["Authorization"] = s3.signed(signed)["authorization"]
    assert s3.send("PUT", "/bucket/key", fields, b"x")[0] in (400, 403)
