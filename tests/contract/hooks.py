"""What schemathesis cannot read from the API document, since no schema can say it: makes requests
that are meant to be good into ones that are. Those that are meant to be bad stay as they are."""

from __future__ import annotations

import uuid
from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode


def _is_meant_good(case: schemathesis.Case) -> bool:
    meta = case.meta
    return meta is not None and meta.generation.mode is GenerationMode.POSITIVE


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    if not _is_meant_good(case):
        return
    query = case.query or {}
    # A cursor is opaque: only the service makes good ones, each for one list. Following them is
    # tested in tests/integration/test_catalogue.py.
    query.pop("cursor", None)
    # A rule over two parameters.
    low, high = query.get("price_min"), query.get("price_max")
    if low is not None and high is not None and int(low) > int(high):
        query["price_min"], query["price_max"] = high, low
    headers = case.headers or {}
    # The ETag of a product is known by reading it only, and is another one after each change. That
    # stale and malformed ones get 412 is tested in tests/integration/test_writes.py.
    if "If-Match" in headers:
        headers["If-Match"] = "*"
    # A key may be used for one request only.
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = str(uuid.uuid4())
