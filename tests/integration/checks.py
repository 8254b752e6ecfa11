"""What answers promise, checked in one place."""

from __future__ import annotations

import re
from typing import Any

from nginx_server import Answer

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}
# By whom a problem may be written: the service, or nginx in its place.
CODES = {
    400: {"bad_request", "query_invalid", "cursor_invalid", "json_invalid"},
    401: {"authentication_required"},
    403: {"forbidden"},
    404: {"not_found", "product_absent"},
    405: {"method_not_allowed"},
    406: {"not_acceptable"},
    409: {"product_deleted", "product_not_deleted", "sku_taken", "idempotency_in_progress"},
    412: {"precondition_failed"},
    413: {"body_too_large"},
    422: {"body_invalid", "idempotency_key_reused"},
    428: {"if_match_required"},
    414: {"uri_too_long"},
    431: {"headers_too_large"},
    503: {"unavailable", "database_down", "database_schema", "database_busy", "write_unknown"},
    504: {"gateway_timeout"},
}


def check_problem(answer: Answer, status: int, code: str | None = None) -> dict[str, Any]:
    """A whole problem document (RFC 9457) and the headers that belong to it; returns it."""
    assert answer.status == status, answer.body
    assert answer.headers.get_all("Content-Type") == ["application/problem+json"]
    problem: dict[str, Any] = answer.json()
    assert set(problem) - {"errors"} == MEMBERS
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"] and problem["detail"].endswith(".")
    assert problem["code"] in ({code} if code else CODES[status])
    assert re.fullmatch("[0-9a-f]{32}", problem["request_id"])
    assert answer.headers.get_all("X-Request-Id") == [problem["request_id"]]
    for error in problem.get("errors", []):
        assert set(error) == {"pointer", "code", "message"}
        # "" is the pointer to the body as a whole.
        assert all(isinstance(text, str) for text in error.values())
        assert error["code"] and error["message"]
    later = status == 503 or problem["code"] == "idempotency_in_progress"
    assert (answer.headers["Retry-After"] is not None) == later
    assert (answer.headers["Allow"] is not None) == (status == 405)
    return problem
