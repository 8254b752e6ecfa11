"""Editors and what they send: the write endpoints over HTTP."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Mapping
from typing import Any

from nginx_server import Answer
from stacks import Client, Sql

_numbers = itertools.count(1)

WRITABLE = (
    *("sku", "name", "description", "brand", "category", "price_minor", "currency", "stock"),
    "status",
)


def make_input(**changed: Any) -> dict[str, Any]:
    """A product of a SKU that no other has."""
    usual = {
        "sku": f"E-{next(_numbers)}-{uuid.uuid4().hex[:8]}",
        "name": "Tea Glass",
        "category": "glasses",
        "price_minor": 900,
        "stock": 6,
    }
    return {**usual, **changed}


class Editor:
    """Sends requests with a token; one connection, for one thread."""

    def __init__(self, client: Client, token: str | None) -> None:
        self.client = client
        self.fields = {"Authorization": f"Bearer {token}"} if token else {}

    def send(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        if_match: str | None = None,
        key: str | None = None,
        **fields: str,
    ) -> Answer:
        """A body of bytes is sent as it is, anything else as JSON."""
        headers = {**self.fields, **fields}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        if if_match is not None:
            headers["If-Match"] = if_match
        if key is not None:
            headers["Idempotency-Key"] = key
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.request(method, target, data, **headers)

    def create(self, product: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        return self.send("POST", "/v1/products", product or make_input(), **options)

    def created(self, **changed: Any) -> tuple[str, str, dict[str, Any]]:
        """The address, ETag and members of a new product."""
        answer = self.create(make_input(**changed))
        assert answer.status == 201, answer.body
        return answer.headers["Location"], answer.headers["ETag"], answer.json()

    def get(self, target: str, **fields: str) -> Answer:
        return self.send("GET", target, **fields)

    def history(self, target: str) -> list[dict[str, Any]]:
        """All of it, the latest change first, over as many pages as it takes."""
        items: list[dict[str, Any]] = []
        query = "?limit=50"
        while query:
            answer = self.get(f"{target}/history{query}")
            assert answer.status == 200, answer.body
            page = answer.json()
            items += page["items"]
            query = f"?limit=50&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        return items


def audit_rows(sql: Sql, product_id: int) -> list[dict[str, Any]]:
    return sql.dicts(
        "SELECT * FROM audit_log WHERE noun = 'product' AND noun_id = %s ORDER BY id", product_id
    )
