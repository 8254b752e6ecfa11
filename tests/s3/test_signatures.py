"""Requests that our SigV4 has signed, judged by a server that verifies signatures as S3 does: it
takes every one of ours and refuses each of them with a single bit changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from s3_server import BUCKET, S3, signed

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


@pytest.mark.parametrize("name", NAMES)
def test_ours_are_taken(s3: S3, name: str) -> None:
    path = f"/{BUCKET}/{quote(name, safe='-_.~')}"
    assert s3.request("PUT", path, name.encode())[0] == 200
    assert s3.request("HEAD", path) == (200, b"")
    assert s3.request("GET", path) == (200, name.encode())
    assert s3.send("GET", s3.presigned("GET", path), {}) == (200, name.encode())


def flipped(text: str) -> Iterator[str]:
    """The signature in `text` with each of its 256 bits flipped in turn."""
    start = text.rindex("Signature=") + len("Signature=")
    digits = text[start : start + 64]
    assert len(digits) == 64
    for bit in range(256):
        other = f"{int(digits, 16) ^ (1 << bit):064x}"
        yield text[:start] + other + text[start + 64 :]


def test_each_flipped_bit_is_refused(s3: S3) -> None:
    path = f"/{BUCKET}/flip"
    assert s3.request("PUT", path, b"x")[0] == 200
    fields = s3.header_fields(s3.case("header", "GET", path))
    for authorization in flipped(fields["Authorization"]):
        assert s3.send("GET", path, {**fields, "Authorization": authorization})[0] == 403
    for target in flipped(s3.presigned("GET", path)):
        assert s3.send("GET", target, {})[0] == 403
    assert s3.send("GET", path, fields) == (200, b"x")  # it was the bits, and nothing else


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "another path": lambda case: case.update(path=f"/{BUCKET}/other"),
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
    path = f"/{BUCKET}/key"
    sent = s3.case("header", "PUT", path, b"x")
    other = dict(sent)
    CHANGES[name](other)
    fields = s3.header_fields(sent)
    fields["Authorization"] = signed(other)["authorization"]
    assert s3.send("PUT", path, fields, b"x")[0] in (400, 403)
