"""The API document as the tests judge answers by it: nothing but what it declares.

A client has to take members that it does not know, since any release may add one; so the document
leaves answers open. What is answered today is declared today, though, so the tests close them."""

from __future__ import annotations

from typing import Any


def _close(schema: Any) -> None:
    if isinstance(schema, list):
        for each in schema:
            _close(each)
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for each in schema.values():
        _close(each)


def close_answers(document: dict[str, Any]) -> None:
    """In place. Inputs are closed already, by the service itself."""
    schemas = document["components"]["schemas"]
    _close(schemas)
    # All that there are today; open for clients, as members are.
    code = schemas["Problem"]["properties"]["errors"]["items"]["properties"]["code"]
    code["enum"] = code["examples"]
