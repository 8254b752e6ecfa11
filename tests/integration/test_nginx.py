"""nginx alone, between raw clients and peers that misbehave in every way a worker can.

No program of the project and no database takes part, so one run serves both databases.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from fcgi_peer import Behaviour, Exchange, FcgiPeer, answer, die, die_at_accept
from nginx_server import (
    LIMIT_S,
    ROOT,
    Answer,
    Nginx,
    StatusPeer,
    nginx_command,
    read_all,
    read_answer,
    render,
)

if os.environ.get("DB") == "mysql":
    # One skip for all of them: they ran, or will run, with MariaDB.
    pytest.skip("no database takes part; see the run on MariaDB", allow_module_level=True)

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
READS = ["GET", "HEAD"]
# Over new connections, for one read.
ATTEMPTS = 4
# What a worker is told of every request; the other parameters only when they are not empty.
PARAMS_ALWAYS = {"REQUEST_METHOD", "REQUEST_URI", "REQUEST_ID", "REQUEST_MSEC", "REMOTE_ADDR"}
TITLES = {
    "bad_request": (400, "Bad Request"),
    "not_found": (404, "Not Found"),
    "method_not_allowed": (405, "Method Not Allowed"),
    "body_too_large": (413, "Content Too Large"),
    "uri_too_long": (414, "URI Too Long"),
    "headers_too_large": (431, "Request Header Fields Too Large"),
    "unavailable": (503, "Service Unavailable"),
    "gateway_timeout": (504, "Gateway Timeout"),
}


@dataclass(frozen=True)
class Edge:
    """nginx between its two peers."""

    nginx: Nginx
    workers: FcgiPeer
    master: StatusPeer


@contextlib.contextmanager
def edge_with(prefix: str = "cbu-nginx-", **settings: str) -> Iterator[Edge]:
    # A short path: a Unix socket address holds 107 bytes, and pytest's own folders can be long.
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        workers = stack.enter_context(FcgiPeer(folder / "fcgi.sock"))
        master = stack.enter_context(StatusPeer(folder / "status.sock"))
        nginx = stack.enter_context(Nginx(folder, **settings))
        # Before the rest goes, so that nothing waits for a behaviour that waits for the test.
        stack.callback(workers.stopping.set)
        stack.callback(master.stopping.set)
        yield Edge(nginx, workers, master)


@pytest.fixture(scope="module")
def shared_edge() -> Iterator[Edge]:
    with edge_with(NGINX_REAL_IP_FROM="127.0.0.1") as edge:
        yield edge
        # Whatever the tests of this file did to it, nothing went wrong inside nginx itself.
        assert not re.search(r"\[(alert|emerg)\]", edge.nginx.error_log())


@pytest.fixture
def edge(shared_edge: Edge) -> Edge:
    """One nginx for all tests that need no settings of their own."""
    shared_edge.workers.reset()
    shared_edge.master.requests.clear()
    return shared_edge


@pytest.fixture
def hasty_edge() -> Iterator[Edge]:
    """An nginx that loses patience with workers and clients at once."""
    with edge_with(NGINX_READ_TIMEOUT_S="1", NGINX_CLIENT_TIMEOUT_S="1") as edge:
        yield edge


def check_headers(got: Answer) -> None:
    """What every answer carries, exactly once."""
    expected = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Server": "nginx",
    }
    for name, value in expected.items():
        assert got.headers.get_all(name) == [value], name
    request_ids = got.headers.get_all("X-Request-Id")
    assert request_ids is not None and len(request_ids) == 1
    assert re.fullmatch("[0-9a-f]{32}", request_ids[0])


def check_problem(got: Answer, code: str, instance: str | None = None) -> None:
    """nginx's own error: the whole problem document, and the headers that belong to it."""
    status, title = TITLES[code]
    assert got.status == status, got.body
    check_headers(got)
    assert got.headers.get_all("Content-Type") == ["application/problem+json"]
    assert got.headers.get_all("Cache-Control") == ["no-store"]
    assert got.headers.get_all("Retry-After") == (["1"] if status == 503 else None)
    assert got.headers.get_all("Allow") == (["GET, HEAD, OPTIONS"] if status == 405 else None)
    problem = got.json()
    assert problem["detail"].endswith(".")
    assert problem == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": problem["detail"],
        "instance": problem["instance"] if instance is None else instance,
        "code": code,
        "request_id": got.headers["X-Request-Id"],
    }


# --- Requests that are not valid -----------------------------------------------------------------

# Always answered by nginx itself, and no worker hears of it.
REFUSED = [
    # name, the bytes, code of the problem
    ("garbage request line", b"!!!\r\n\r\n", "bad_request"),
    ("binary request line", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "bad_request"),
    ("lower-case method", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("method only", b"GET\r\n\r\n", "bad_request"),
    ("relative URI", b"GET v1/products HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad_request"),
    ("HTTP/2 by its number", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "bad_request"),
    ("HTTP/3.0", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "bad_request"),
    ("no protocol at all", b"GET / FTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", "bad_request"),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "bad_request"),
    ("bad Host", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "bad_request"),
    ("NUL in the URI", b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("control character in the URI", b"GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("encoded NUL in the URI", b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("bad percent sign", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("above the root", b"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("above the root, encoded", b"GET /%2e%2e/x HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ("NUL in a header", b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", "bad_request"),
    ("negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "bad_request"),
    ("length in hex", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", "bad_request"),
    (
        "length beyond 64 bits",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "bad_request",
    ),
    (
        "two lengths",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "bad_request",
    ),
    (
        "length and chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "bad_request",
    ),
    (
        "unknown transfer encoding",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: foo\r\n\r\n",
        "bad_request",
    ),
    (
        "stacked transfer encodings",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "bad_request",
    ),
    (
        "chunked in HTTP/1.0",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "bad_request",
    ),
    (
        "chunk size that is no number",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "bad_request",
    ),
    (
        "chunk longer than its size",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        "bad_request",
    ),
    (
        "chunk size beyond 64 bits",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "bad_request",
    ),
    (
        "GET with a bad chunk",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "bad_request",
    ),
    ("TRACE of a page", b"TRACE /docs HTTP/1.1\r\nHost: a\r\n\r\n", "method_not_allowed"),
    ("CONNECT", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", "method_not_allowed"),
    # No path in it, so nginx sees a request line that is not valid before it sees the method.
    ("CONNECT to a host", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    (
        # The second error of a request must not end in nginx's HTML page either.
        "TRACE with a bad chunk",
        b"TRACE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "bad_request",
    ),
    (
        "health check with a bad chunk",
        b"POST /health/live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "bad_request",
    ),
    ("9000-byte URI", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "uri_too_long"),
    (
        "9000-byte header",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        "headers_too_large",
    ),
    (
        "40 kB of headers",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: %s\r\n" % (b"a" * 4000) * 10 + b"\r\n",
        "headers_too_large",
    ),
    (
        "body too large by its length",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n",
        "body_too_large",
    ),
    (
        "body too large by its chunks",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1000\r\n%s\r\n" % (b"a" * 4096) * 17
        + b"0\r\n\r\n",
        "body_too_large",
    ),
    (
        "body too large, but only announced",
        b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
        "body_too_large",
    ),
    (
        "internal location",
        b"GET /.problem HTTP/1.1\r\nHost: a\r\n\r\n",
        "not_found",
    ),
]


@pytest.mark.parametrize(
    ("data", "code"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused_request_gets_a_problem(edge: Edge, data: bytes, code: str) -> None:
    check_problem(edge.nginx.raw(data), code)
    assert edge.workers.requests == []


# Unusual, but allowed: the worker decides. The URI is what the worker must see.
PASSED = [
    ("HTTP/1.0 without Host", b"GET /a HTTP/1.0\r\n\r\n", "/a"),
    ("absolute form", b"GET http://b/a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "/a?x=1"),
    ("dots within the root", b"GET /v1/../a HTTP/1.1\r\nHost: a\r\n\r\n", "/v1/../a"),
    ("two slashes", b"GET //status HTTP/1.1\r\nHost: a\r\n\r\n", "//status"),
    ("encoded slash", b"GET /v1%2fproducts HTTP/1.1\r\nHost: a\r\n\r\n", "/v1%2fproducts"),
    ("bytes that are not UTF-8", b'GET /\xff"\\ HTTP/1.1\r\nHost: a\r\n\r\n', '/\xff"\\'),
    # Refused by nginx, in the words of the worker, which knows what the path allows.
    ("TRACE", b"TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n", "/a"),
    ("method nobody knows", b"BREW /a HTTP/1.1\r\nHost: a\r\n\r\n", "/a"),
    (
        "100 headers",
        b"GET /a HTTP/1.1\r\nHost: a\r\n"
        + b"".join(b"X-%d: y\r\n" % i for i in range(100))
        + b"\r\n",
        "/a",
    ),
    ("unknown expectation", b"GET /a HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", "/a"),
    ("header without a colon", b"GET /a HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", "/a"),
    ("header with an underscore", b"GET /a HTTP/1.1\r\nHost: a\r\nContent_Type: x\r\n\r\n", "/a"),
]


@pytest.mark.parametrize(("data", "uri"), [row[1:] for row in PASSED], ids=[r[0] for r in PASSED])
def test_unusual_request_reaches_the_worker(edge: Edge, data: bytes, uri: str) -> None:
    got = edge.nginx.raw(data)
    assert got.status == 200
    check_headers(got)
    [request] = edge.workers.requests
    assert request.params["REQUEST_URI"] == uri
    assert "CONTENT_TYPE" not in request.params


@pytest.mark.parametrize(
    "name", ["If-Match", "If-None-Match", "Authorization", "Accept", "Idempotency-Key"]
)
def test_header_field_in_two_lines(edge: Edge, name: str) -> None:
    """As docs/api.md says: of the first three it would be dangerous to know but one."""
    got = edge.nginx.raw(f"GET /a HTTP/1.1\r\nHost: a\r\n{name}: x\r\n{name}: y\r\n\r\n".encode())
    if name in ("If-Match", "If-None-Match", "Authorization"):
        check_problem(got, "bad_request", "/a")
        assert edge.workers.requests == []
    else:
        [request] = edge.workers.requests
        # The first line; all of them from nginx 1.23 on.
        assert request.params["HTTP_" + name.upper().replace("-", "_")] in ("x", "x, y")


def test_http_0_9_gets_no_catalogue(edge: Edge) -> None:
    got = edge.nginx.raw_bytes(b"GET /v1/products\r\n")
    # HTTP/0.9 has neither status line nor headers.
    assert got.startswith(b'{"type":"about:blank","title":"Bad Request","status":400,')
    assert edge.workers.requests == []


def test_body_is_asked_for_and_handed_over_whole(edge: Edge) -> None:
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: x/y\r\n"
    body = bytes(range(256)) * 256  # NGINX_MAX_BODY exactly
    with edge.nginx.connect() as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        interim = connection.recv(100)
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_answer(connection).status == 200
    [request] = edge.workers.requests
    assert request.body == body
    assert request.params["CONTENT_LENGTH"] == "65536"
    assert request.params["CONTENT_TYPE"] == "x/y"


def test_worker_hears_of_a_request_when_its_body_is_complete(edge: Edge) -> None:
    with edge.nginx.connect() as connection:
        connection.sendall(
            b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        )
        # nginx answers this one behind the first, so it has certainly read the first.
        assert edge.nginx.get("/other").status == 200
        assert [r.params["REQUEST_URI"] for r in edge.workers.requests] == ["/other"]
        connection.sendall(b"2\r\nde\r\n0\r\n\r\n")
        assert read_answer(connection).status == 200
    request = edge.workers.requests[1]
    assert (request.body, request.params["CONTENT_LENGTH"]) == (b"abcde", "5")


@pytest.mark.parametrize(
    ("target", "instance"),
    [
        ("/health/live?a=b", "/health/live"),
        ("http://somewhere/health/live", "/health/live"),
        ("/x/../health/live", "/x/../health/live"),
        ('/health/"x\\/../live', ""),
        ("/health/\xe9/../live", ""),
    ],
)
def test_instance_is_the_path_or_nothing(edge: Edge, target: str, instance: str) -> None:
    request = f"DELETE {target} HTTP/1.1\r\nHost: a\r\n\r\n"
    check_problem(edge.nginx.raw(request.encode("latin-1")), "method_not_allowed", instance)


def test_error_answer_to_head_has_no_body(edge: Edge) -> None:
    with edge.nginx.connect() as connection:
        connection.sendall(b"HEAD /.problem HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"application/problem+json" in head
    assert body == b""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HT", id="half a request line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n", id="half of the headers"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", id="half a body"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            id="half a chunk",
        ),
    ],
)
def test_client_too_slow_to_send_is_cut_off(hasty_edge: Edge, data: bytes) -> None:
    assert hasty_edge.nginx.raw_bytes(data) == b""
    assert hasty_edge.workers.requests == []


# --- What a worker is told -----------------------------------------------------------------------


def test_worker_gets_exactly_the_listed_params(edge: Edge) -> None:
    got = edge.nginx.get(
        "/v1/products?limit=2&cursor=a%2Bb",
        **{
            "Accept": "application/json",
            "If-None-Match": '"1"',
            "If-Match": '"2"',
            "Content-Type": "x/y",
            "Content-Encoding": "gzip",
            "Idempotency-Key": "key",
            "X-Amzn-Trace-Id": "Root=1-2-3",
            "X-Request-Id": "chosen by the client",
            "Authorization": "Bearer x",
            "Cookie": "a=b",
            "Proxy": "http://evil/",
        },
    )
    [request] = edge.workers.requests
    expected = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/v1/products?limit=2&cursor=a%2Bb",
        "CONTENT_TYPE": "x/y",
        "REQUEST_ID": got.headers["X-Request-Id"],
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_ACCEPT": "application/json",
        "HTTP_CONTENT_ENCODING": "gzip",
        "HTTP_IF_MATCH": '"2"',
        "HTTP_IF_NONE_MATCH": '"1"',
        "HTTP_AUTHORIZATION": "Bearer x",
        "HTTP_IDEMPOTENCY_KEY": "key",
        "HTTP_X_AMZN_TRACE_ID": "Root=1-2-3",
    }
    assert set(request.params) == {*expected, "REQUEST_MSEC"}
    assert {name: request.params[name] for name in expected} == expected
    assert re.fullmatch(r"\d+\.\d{3}", request.params["REQUEST_MSEC"])
    check_headers(got)


@pytest.mark.parametrize("method", METHODS)
def test_worker_gets_the_same_params_for_every_method(edge: Edge, method: str) -> None:
    assert edge.nginx.request(method, "/a").status == 200
    [request] = edge.workers.requests
    # The length is a request's own when it has a body, even an empty one.
    assert set(request.params) - {"CONTENT_LENGTH"} == PARAMS_ALWAYS
    assert request.params["REQUEST_METHOD"] == method
    assert request.body == b""


@pytest.mark.parametrize(
    ("source", "forwarded", "remote_addr"),
    [
        pytest.param("127.0.0.1", "203.0.113.7", "203.0.113.7", id="trusted peer"),
        pytest.param("127.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7", id="last entry"),
        pytest.param(
            "127.0.0.1", "6.6.6.6, 127.0.0.1", "127.0.0.1", id="client inside the network"
        ),
        pytest.param("127.0.0.1", "2001:db8::1", "2001:db8::1", id="IPv6"),
        pytest.param("127.0.0.1", "nonsense", "127.0.0.1", id="no address"),
        pytest.param("127.0.0.1", None, "127.0.0.1", id="no header"),
        pytest.param("127.0.0.2", "203.0.113.7", "127.0.0.2", id="untrusted peer"),
    ],
)
def test_client_address(edge: Edge, source: str, forwarded: str | None, remote_addr: str) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    edge.nginx.request("GET", "/a", headers=headers, source=source)
    [request] = edge.workers.requests
    assert request.params["REMOTE_ADDR"] == remote_addr


# --- What a worker answers -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 405, 413, 500, 502, 503, 504])
def test_error_of_a_worker_passes_untouched(edge: Edge, status: int) -> None:
    body = b'{"type":"about:blank","code":"the_worker_says"}'
    edge.workers.behave = lambda exchange: exchange.answer(
        body,
        status,
        "Content-Type: application/problem+json",
        "Retry-After: 7",
        "Allow: PUT",
        "Cache-Control: max-age=1",
        "X-Request-Id: not the worker's to say",
    )
    got = edge.nginx.get("/v1/products/9")
    assert (got.status, got.body) == (status, body)
    check_headers(got)
    for name, value in {
        "Content-Type": "application/problem+json",
        "Retry-After": "7",
        "Allow": "PUT",
        "Cache-Control": "max-age=1",
    }.items():
        assert got.headers.get_all(name) == [value]
    assert edge.workers.attempts == 1


def test_strong_etag_stays_strong(edge: Edge) -> None:
    edge.workers.behave = lambda exchange: exchange.answer(b"{}" * 5000, 200, 'ETag: "7"')
    got = edge.nginx.get("/v1/products/9", **{"Accept-Encoding": "gzip, br"})
    assert got.headers.get_all("ETag") == ['"7"']
    assert got.headers.get_all("Content-Encoding") is None


def test_page_of_a_worker_brings_its_own_policy(edge: Edge) -> None:
    policy = "Content-Security-Policy: style-src 'self'"
    edge.workers.behave = lambda exchange: exchange.answer(b"<p>", 200, policy)
    got = edge.nginx.get("/")
    assert got.headers.get_all("Content-Security-Policy") == ["style-src 'self'"]


@pytest.mark.parametrize("origins", ["none", "https://a.example"])
def test_regression_files_of_the_page_whatever_the_origins(origins: str) -> None:
    """$1 of the location was that of the next map: "GET"."""
    folder = ROOT / "nginx/docs"
    with edge_with(NGINX_DOCS_DIR=str(folder), CORS_ORIGINS=origins) as edge:
        for name, path in (("index.html", "/docs"), ("page.css", "/docs/page.css")):
            got = edge.nginx.get(path)
            assert (got.status, got.body) == (200, (folder / name).read_bytes())


def test_hsts_only_behind_tls(edge: Edge) -> None:
    name = "Strict-Transport-Security"
    assert edge.nginx.get("/").headers.get_all(name) is None
    assert edge.nginx.get("/", **{"X-Forwarded-Proto": "http"}).headers.get_all(name) is None
    for path in ("/", "/.problem", "/health/live"):
        got = edge.nginx.get(path, **{"X-Forwarded-Proto": "https"})
        assert got.headers.get_all(name) == ["max-age=31536000"]


def test_large_headers_of_a_worker_pass(edge: Edge) -> None:
    edge.workers.behave = lambda exchange: exchange.answer(b"{}", 200, "X-Large: " + "a" * 12000)
    assert len(edge.nginx.get("/").headers["X-Large"]) == 12000


@pytest.mark.parametrize(
    ("size", "needs_a_file"),
    [pytest.param(400_000, False, id="page of a list"), pytest.param(6_000_000, True, id="huge")],
)
def test_slow_reader_does_not_hold_a_worker(edge: Edge, size: int, needs_a_file: bool) -> None:
    released = threading.Event()

    def send_all(exchange: Exchange) -> None:
        exchange.answer(b"x" * size)
        released.set()

    edge.workers.behave = send_all
    with edge.nginx.connect() as connection:
        connection.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % size)
        assert released.wait(LIMIT_S), "the worker waits for a client that does not read"
        assert len(read_answer(connection).body) == size
    # nginx warns of each answer that it writes to a file.
    warnings = [line for line in edge.nginx.error_log().splitlines() if "temporary file" in line]
    assert any(f"GET /{size} " in line for line in warnings) == needs_a_file


# --- Workers that fail ---------------------------------------------------------------------------


def die_within_headers(exchange: Exchange) -> None:
    exchange.write(b"Status: 200\r\nContent-Ty")


def die_within_body(exchange: Exchange) -> None:
    exchange.write(b"Status: 200\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)


def die_within_body_of_unknown_length(exchange: Exchange) -> None:
    exchange.write(b"Status: 200\r\n\r\n" + b"x" * 500)


def talk_nonsense(exchange: Exchange) -> None:
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")


def reset_connection(exchange: Exchange) -> None:
    # A socket that is closed before all was read makes the other side see a reset.
    exchange.connection.shutdown(socket.SHUT_RD)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "behaviour", [die, die_at_accept, die_within_headers, reset_connection, talk_nonsense]
)
def test_dying_worker_only_reads_are_repeated(
    edge: Edge, method: str, behaviour: Behaviour
) -> None:
    edge.workers.reset(behaviour)
    # As much as is allowed, so that nginx may still be sending.
    body = b"x" * 65536 if method in ("POST", "PUT", "PATCH") else None
    got = edge.nginx.request(method, "/v1/products/1", body)
    assert got.status == 503
    check_headers(got)
    if method != "HEAD":
        check_problem(got, "unavailable", "/v1/products/1")
    repeated = method in READS and behaviour is not talk_nonsense
    assert edge.workers.attempts == (ATTEMPTS if repeated else 1)
    # All attempts are one request, for the worker's log too.
    request_ids = {r.params["REQUEST_ID"] for r in edge.workers.requests}
    assert request_ids <= {got.headers["X-Request-Id"]}


@pytest.mark.parametrize("method", READS)
def test_read_survives_one_dying_worker(edge: Edge, method: str) -> None:
    attempts: list[Exchange] = []

    def die_once(exchange: Exchange) -> None:
        attempts.append(exchange)
        (die if len(attempts) == 1 else answer)(exchange)

    edge.workers.reset(die_once)
    got = edge.nginx.request(method, "/v1/products/1")
    assert got.status == 200
    assert edge.workers.attempts == 2
    log = edge.nginx.access_log(got.headers["X-Request-Id"])
    assert (log["attempts"], log["upstream_status"]) == (2, "502, 200")


def keep_connections(edge: Edge, count: int) -> None:
    """Makes nginx keep so many connections to the workers, all of them idle."""
    edge.workers.reset()
    edge.workers.keeping = True
    together = threading.Barrier(count)

    def answer_together(exchange: Exchange) -> None:
        together.wait(LIMIT_S)
        edge.workers.behave = answer
        exchange.answer()

    edge.workers.behave = answer_together
    with ThreadPoolExecutor(count) as threads:
        for got in threads.map(edge.nginx.get, ["/a"] * count):
            assert got.status == 200
    assert edge.workers.attempts == count


# Not those, so that no test passes by chance.
KEPT = 5


@pytest.fixture
def kept_edge() -> Iterator[Edge]:
    """An nginx that keeps some connections, all of which are open and idle."""
    with edge_with(NGINX_KEEPALIVE=str(KEPT)) as edge:
        keep_connections(edge, KEPT)
        edge.workers.requests.clear()
        edge.workers.attempts = 0
        yield edge


@pytest.mark.parametrize("method", METHODS)
def test_only_reads_use_kept_connections(kept_edge: Edge, method: str) -> None:
    for number in range(1, 4):
        assert kept_edge.nginx.request(method, "/v1/products/1").status == 200
        assert len(kept_edge.workers.requests) == number
        assert kept_edge.workers.attempts == (0 if method in READS else number)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("behaviour", [die, die_within_headers, reset_connection])
def test_dying_workers_with_kept_connections(
    kept_edge: Edge, method: str, behaviour: Behaviour
) -> None:
    """A kept connection that fails is no attempt to nginx. So it goes on until it has none left and
    makes its other attempts then; that a worker serves no request under which three have died is
    the workers' part. A write takes none of this, however many connections are kept."""
    kept_edge.workers.behave = behaviour
    got = kept_edge.nginx.request(method, "/v1/products/1")
    assert got.status == 503
    if method != "HEAD":
        check_problem(got, "unavailable", "/v1/products/1")
    assert len(kept_edge.workers.requests) == (KEPT + ATTEMPTS if method in READS else 1)
    assert kept_edge.workers.attempts == (ATTEMPTS if method in READS else 1)
    assert "no live upstreams" not in kept_edge.nginx.error_log()


def test_all_kept_connections_die_at_once(kept_edge: Edge) -> None:
    """Every worker with every kept connection, in the instant of the request."""
    died = 0

    def die_on_kept(exchange: Exchange) -> None:
        nonlocal died
        died += 1
        (die if died < KEPT + ATTEMPTS else answer)(exchange)

    kept_edge.workers.behave = die_on_kept
    assert kept_edge.nginx.get("/v1/products/1").status == 200
    assert (died, kept_edge.workers.attempts) == (KEPT + ATTEMPTS, ATTEMPTS)


@pytest.mark.parametrize("keepalive", ["0", "1", "3"])
def test_no_more_connections_are_kept_than_set(keepalive: str) -> None:
    with edge_with(NGINX_KEEPALIVE=keepalive) as edge:
        keep_connections(edge, 5)
        deadline = time.monotonic() + LIMIT_S
        while edge.workers.open != int(keepalive) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert edge.workers.open == int(keepalive)
        # A worker is told when no other request will come.
        closes = {request.params.get("CONNECTION_CLOSE") for request in edge.workers.requests}
        assert closes == ({"1"} if keepalive == "0" else {None})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("behaviour", [die_within_body, die_within_body_of_unknown_length])
def test_half_an_answer_is_cut_off_and_never_repeated(
    edge: Edge, method: str, behaviour: Behaviour
) -> None:
    edge.workers.reset(behaviour)
    request = f"{method} /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    with edge.nginx.connect() as connection:
        connection.sendall(request.encode())
        if method == "HEAD":
            assert read_answer(connection, method).status == 200
        else:
            # The status line is gone; all nginx can do is to hang up, so that the client notices.
            with pytest.raises(http.client.IncompleteRead) as caught:
                read_answer(connection)
            assert len(caught.value.partial) == 500
    assert edge.workers.attempts == 1


def test_answer_without_content_is_unavailable(edge: Edge) -> None:
    edge.workers.behave = lambda exchange: exchange.end()
    check_problem(edge.nginx.get("/a"), "unavailable", "/a")
    assert edge.workers.attempts == 1


@pytest.mark.parametrize("method", METHODS)
def test_stuck_worker_times_out_and_nothing_is_repeated(hasty_edge: Edge, method: str) -> None:
    hasty_edge.workers.behave = hasty_edge.workers.hang
    got = hasty_edge.nginx.request(method, "/v1/products")
    assert got.status == 504
    check_headers(got)
    if method != "HEAD":
        check_problem(got, "gateway_timeout", "/v1/products")
    assert hasty_edge.workers.attempts == 1
    log = hasty_edge.nginx.access_log(got.headers["X-Request-Id"])
    assert (log["status"], log["attempts"], log["method"]) == (504, 1, method)


def test_no_socket_is_unavailable() -> None:
    with edge_with(NGINX_RETRY_AFTER_S="1") as edge:
        (edge.nginx.folder / "fcgi.sock").unlink()
        for method in METHODS:
            got = edge.nginx.request(method, "/a")
            assert got.status == 503
            if method != "HEAD":
                check_problem(got, "unavailable", "/a")


def test_full_backlog_is_unavailable(edge: Edge) -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cbu-nginx-")))
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(folder / "fcgi.sock"))
        listener.listen(1)
        with contextlib.suppress(BlockingIOError):
            for _ in range(10):
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(str(folder / "fcgi.sock"))
            raise AssertionError("the backlog did not fill")
        nginx = stack.enter_context(Nginx(folder))
        check_problem(nginx.get("/a"), "unavailable", "/a")
        check_problem(nginx.request("PUT", "/a", b"{}"), "unavailable", "/a")


# --- Health and status ---------------------------------------------------------------------------


STATUS_PAGES = ["/health/live", "/health/ready", "/status", "/status.html", "/metrics"]


@pytest.mark.parametrize("path", STATUS_PAGES)
def test_status_pages_come_from_the_master(edge: Edge, path: str) -> None:
    for method in READS:
        edge.master.requests.clear()
        got = edge.nginx.request(method, path + "?a=b", headers={"Cookie": "a=b"})
        status, body = edge.master.pages[path]
        assert (got.status, got.body) == (status, body if method == "GET" else b"")
        check_headers(got)
        # The master is told nothing but the method and the path.
        [request] = edge.master.requests
        assert request == (method, path, {"Host": "localhost", "Connection": "close"})
    assert edge.workers.requests == []


@pytest.mark.parametrize("path", STATUS_PAGES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_status_pages_are_for_reading(edge: Edge, path: str, method: str) -> None:
    check_problem(edge.nginx.request(method, path), "method_not_allowed", path)
    assert edge.master.requests == []
    assert edge.workers.requests == []


def test_liveness_without_a_master(edge: Edge) -> None:
    with edge_with() as fresh:
        (fresh.nginx.folder / "status.sock").unlink()
        check_problem(fresh.nginx.get("/health/live"), "unavailable", "/health/live")


def test_liveness_with_a_stuck_master(edge: Edge) -> None:
    with edge_with() as fresh:
        fresh.master.hanging = True
        check_problem(fresh.nginx.get("/health/live"), "gateway_timeout", "/health/live")
        assert len(fresh.master.requests) == 1


def own_address() -> str:
    """An address of this machine that is not its loopback, or nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1; a datagram socket sends nothing by this
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def test_details_are_for_the_machine_itself() -> None:
    address = own_address()
    if not address:
        pytest.skip("this machine has no address but its loopback")
    with edge_with(NGINX_LISTEN="0.0.0.0", NGINX_REAL_IP_FROM=address) as edge:
        for path in (*STATUS_PAGES[1:], "/%73tatus", "/v1/../status"):
            for method in METHODS:
                # Even a trusted peer cannot pass for the loopback.
                got = edge.nginx.request(
                    method, path, headers={"X-Forwarded-For": "127.0.0.1"}, host=address
                )
                assert got.status == 404
                if method != "HEAD":
                    check_problem(got, "not_found", path)
        bad_chunk = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        with edge.nginx.connect(address) as connection:
            connection.sendall(b"POST /status HTTP/1.1\r\n" + bad_chunk)
            check_problem(read_answer(connection), "bad_request", "/status")
        assert edge.master.requests == []
        assert edge.nginx.request("GET", "/health/live", host=address).status == 200
        assert edge.nginx.request("GET", "/status").status == 200
        assert edge.workers.requests == []


# --- Access log ----------------------------------------------------------------------------------


def test_access_log_line(edge: Edge) -> None:
    edge.workers.behave = lambda exchange: exchange.answer(b"{}", 200, "Server-Timing: sql;dur=1.2")
    got = edge.nginx.request(
        "PUT",
        "/v1/products?limit=2",
        b"{}",
        {
            "User-Agent": 'a "quoted" agent\\',
            "X-Amzn-Trace-Id": "Root=1-2-3",
            "X-Forwarded-For": "203.0.113.7",
            "Authorization": "Bearer secret-token",
            "Cookie": "session=secret-cookie",
        },
    )
    log = edge.nginx.access_log(got.headers["X-Request-Id"])
    time = datetime.datetime.strptime(log.pop("time"), "%Y-%m-%dT%H:%M:%S.%f%z")
    # nginx runs in another time zone here, nine hours away.
    assert time.utcoffset() == datetime.timedelta(hours=9)
    assert abs(time - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(hours=1)
    for name in ("request_time", "bytes"):
        assert log.pop(name) >= 0
    for name in ("upstream_connect_time", "upstream_response_time"):
        assert float(log.pop(name)) >= 0
    assert log == {
        "level": "INFO",
        "event": "nginx.access",
        "request_id": got.headers["X-Request-Id"],
        "trace_id": "Root=1-2-3",
        "remote_addr": "203.0.113.7",
        "peer_addr": "127.0.0.1",
        "method": "PUT",
        "uri": "/v1/products?limit=2",
        "protocol": "HTTP/1.1",
        "status": 200,
        "attempts": 1,
        "upstream_status": "200",
        "server_timing": "sql;dur=1.2",
        "user_agent": 'a "quoted" agent\\',
    }


def test_access_log_of_an_error_names_the_request(edge: Edge) -> None:
    got = edge.nginx.request("PATCH", "/health/live?x=y")
    log = edge.nginx.access_log(got.headers["X-Request-Id"])
    assert (log["method"], log["uri"], log["status"]) == ("PATCH", "/health/live?x=y", 405)
    assert (log["attempts"], log["upstream_status"]) == (0, "")


@pytest.mark.parametrize(
    ("uri", "logged"),
    [
        ("/v1/products?q=key%20token&cursor=abc", "/v1/products?q=key%20token&cursor=abc"),
        ("/v1/products?access_token=abc", "/v1/products?(hidden)"),
        ("/v1/products?limit=1&Password=abc", "/v1/products?(hidden)"),
        ("/v1/products?%70assword=abc", "/v1/products?(hidden)"),
        ("/v1/products?x?code=abc", "/v1/products?(hidden)"),
        ("/v1/products?a=1&code=abc&b=2", "/v1/products?(hidden)"),
        ("/v1/products?limit=1&token", "/v1/products?(hidden)"),
        # Work for a regular expression that goes back and forth.
        ("/?" + "&toke" * 1600, "/?" + "&toke" * 1600),
        ("/?" + "toke" * 2000, "/?" + "toke" * 2000),
        ("/?" + "token" * 1600, "/?(hidden)"),
    ],
)
def test_access_log_hides_what_may_be_secret(edge: Edge, uri: str, logged: str) -> None:
    got = edge.nginx.get(uri)
    assert edge.nginx.access_log(got.headers["X-Request-Id"])["uri"] == logged


def test_access_log_is_json_whatever_the_client_sends(edge: Edge) -> None:
    got = edge.nginx.raw(
        b"GET /\xff HTTP/1.1\r\nHost: a\r\nUser-Agent: \xc3\x28\r\nX-Amzn-Trace-Id: \x80\r\n\r\n"
    )
    # access_log() decodes every line on its way.
    log = edge.nginx.access_log(got.headers["X-Request-Id"])
    assert {log["uri"], log["user_agent"], log["trace_id"]} == {"(not ascii)"}
    got = edge.nginx.raw(b"!!!\r\n\r\n")
    log = edge.nginx.access_log(got.headers["X-Request-Id"])
    assert (log["status"], log["method"], log["uri"]) == (400, "", "")


def test_access_log_is_json_when_no_status_was_sent(hasty_edge: Edge) -> None:
    assert hasty_edge.nginx.raw_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n") == b""
    hasty_edge.nginx.raw_bytes(b"GET /\r\n")
    got = hasty_edge.nginx.get("/")
    hasty_edge.nginx.access_log(got.headers["X-Request-Id"])


# --- Life of the process -------------------------------------------------------------------------


def wait_until_refused(nginx: Nginx) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            nginx.connect().close()
        except ConnectionError:
            return
        time.sleep(0.02)
    pytest.fail("nginx still lets connections in after SIGQUIT")


def test_sigquit_finishes_running_requests() -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(exchange: Exchange) -> None:
        started.set()
        go_on.wait(LIMIT_S)
        exchange.answer(b'{"finished":true}')

    with edge_with() as edge:
        edge.workers.behave = wait
        with edge.nginx.connect() as idle, edge.nginx.connect() as busy:
            idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(idle).status == 200
            busy.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            assert started.wait(LIMIT_S)
            edge.nginx.process.send_signal(signal.SIGQUIT)
            # A kept connection that is idle is closed at once, and soon nobody can come in: the
            # worker process closes its listening socket first, the master a moment later.
            assert read_all(idle) == b""
            wait_until_refused(edge.nginx)
            go_on.set()
            assert read_answer(busy).json() == {"finished": True}
        assert edge.nginx.process.wait(LIMIT_S) == 0


# --- Rendering -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_nginx_accepts_the_configuration_without_a_warning(folder: Path) -> None:
    nginx = Nginx(folder, NGINX_REAL_IP_FROM="10.0.0.0/16,10.1.0.0/16,2001:db8::/32")
    nginx.settings["FCGI_SOCKET"] = "/run/cbu/fcgi.sock"
    nginx.settings["STATUS_SOCKET"] = "/run/cbu/status.sock"
    nginx.port = 8000
    nginx.render()
    done = subprocess.run(
        nginx_command(folder, "-t"), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "[" not in done.stderr.replace("[notice]", "")


def test_paths_may_hold_what_people_put_into_them() -> None:
    # A clone may lie below "My Code (2)/größe"; what is refused is in BAD_VALUES.
    with edge_with(prefix="cbu nginx (ü) 'n=1' %20 & ~ | * [x] ") as edge:
        assert edge.nginx.get("/").status == 200
        got = edge.nginx.get("/status")
        assert got.status == 200
        edge.nginx.access_log(got.headers["X-Request-Id"])


def test_default_configuration() -> None:
    done = render("-")
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "listen 0.0.0.0:8000 default_server;",
        "set_real_ip_from 10.0.0.0/16;",
        "keepalive_timeout 75s;",
        "client_max_body_size 64k;",
        'access_log "/dev/stdout" json;',
    ):
        assert line in done.stdout
    assert not re.search("@[A-Z]", done.stdout)
    assert "daemon" not in done.stdout


BAD_VALUES = [
    *(("PORT", value) for value in ("0", "65536", "-1", "8000;", "80 80", "0x50", "08", "1e3")),
    *(
        ("NGINX_LISTEN", value)
        for value in ("localhost", "1.2.3", "1.2.3.256", "[::1", "[1:2]", "*")
    ),
    *(
        ("NGINX_REAL_IP_FROM", value)
        for value in (
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/8/8",
            "a",
            ",",
            "10.0.0.0/8, ::1",
        )
    ),
    *(
        ("FCGI_SOCKET", value)
        for value in (
            "fcgi.sock",
            "/",
            *(f"/a{character}b" for character in '"\\$:,@;{}#\n\t\x7f'),
            "/@PORT@",
            "/" + "a" * 107,
        )
    ),
    *(("NGINX_MAX_BODY", value) for value in ("0", "16", "0k", "100m", "1g", "16K", "16k;")),
    *(("NGINX_KEEPALIVE_TIMEOUT_S", value) for value in ("60", "75s", "99999999999999999999")),
    *(("NGINX_USER", value) for value in ("Root", "a b", "a;", "0")),
    # No browser sends these, so they would allow nobody.
    *(
        ("CORS_ORIGINS", value)
        for value in (
            "https://shop.example:443",
            "http://shop.example:80",
            "http://a.example,https://[::1]:443",
            "https://shop.example:65536",
            "https://shop.example:0443",
            "https://shop.example/",
            "https://Shop.example",
            "shop.example",
            "https://shop.example, https://b.example",
        )
    ),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_bad_value_is_refused(name: str, value: str) -> None:
    done = render("-", **{name: value})
    assert done.returncode == 78
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"nginx/render: {name} must be ")


def test_origin_with_the_port_of_its_scheme() -> None:
    """The one spelling that looks right: what is wrong is said."""
    assert "no :443 with https" in render("-", CORS_ORIGINS="https://shop.example:443").stderr
    for good in ("http://shop.example:443", "https://shop.example:80", "https://shop.example:4430"):
        assert f'"{good}" $http_origin;' in render("-", CORS_ORIGINS=good).stdout


def test_all_bad_values_are_reported_and_nothing_is_written(folder: Path) -> None:
    out = folder / "nginx.conf"
    out.write_text("as it was")
    done = render(str(out), PORT="x", NGINX_MAX_BODY="x", NGINX_LISTEN="x", NGINX_COLOUR="red")
    assert done.returncode == 78
    lines = sorted(done.stderr.splitlines())
    assert [line.split()[1] for line in lines] == [
        "NGINX_LISTEN",
        "NGINX_MAX_BODY",
        "PORT",
        "warning:",
    ]
    assert "NGINX_COLOUR" in lines[-1]
    assert out.read_text() == "as it was"
    assert list(folder.iterdir()) == [out]


def test_unknown_setting_is_only_a_warning(folder: Path) -> None:
    done = render(str(folder / "nginx.conf"), NGINX_COLOUR="red")
    assert done.returncode == 0
    assert "NGINX_COLOUR" in done.stderr
    assert (folder / "nginx.conf").stat().st_mode & 0o777 == 0o644


def test_empty_value_counts_as_unset() -> None:
    assert render("-", PORT="", NGINX_MAX_BODY="").stdout == render("-").stdout


@pytest.mark.parametrize("arguments", [[], ["--colour"], ["a", "b"], [""]])
def test_wrong_usage(arguments: list[str]) -> None:
    done = render(*arguments)
    assert done.returncode == 64
    assert "Usage: nginx/render" in done.stderr


def settings_table() -> list[tuple[str, str, str]]:
    """Name, default and allowed values of each row of nginx/variables."""
    lines = (ROOT / "nginx" / "variables").read_text().splitlines()
    rows = [line.split() for line in lines if re.match("[A-Z]", line)]
    return [(row[0], row[1], row[2]) for row in rows]


@pytest.mark.parametrize(("name", "default", "allowed"), settings_table())
def test_every_setting_is_rendered_and_documented(name: str, default: str, allowed: str) -> None:
    other = {
        "address": "[2001:db8::1]",
        "networks": "192.168.0.0/16,2001:db8::/32",
        "origins": "https://shop.example,http://[::1]:3000",
        "path": "/somewhere/else",
        "socket": "/somewhere/else.sock",
        "size": "1m",
        "user": "somebody",
    }.get(allowed) or allowed.split(".")[-1]
    done = render("-", **{name: other})
    assert done.returncode == 0, done.stderr
    if name != "NGINX_USER" or os.geteuid() == 0:
        assert done.stdout != render("-").stdout
    assert f"| `{name}` | `{default}` |" in render("--markdown").stdout
    assert f"\n  {name} " in render("--help").stdout


def test_user_is_left_out_without_root(folder: Path) -> None:
    (folder / "id").write_text("#!/bin/sh\necho 1000\n")
    (folder / "id").chmod(0o755)
    done = render("-", PATH=f"{folder}:{os.environ['PATH']}")
    assert done.returncode == 0
    assert not re.search(r"^\s*user ", done.stdout, re.MULTILINE)


AWKS = [name for name in ("mawk", "gawk", "busybox", "original-awk") if shutil.which(name)]


@pytest.mark.parametrize("program", AWKS)
def test_every_awk_renders_the_same(folder: Path, program: str) -> None:
    (folder / "awk").symlink_to(str(shutil.which(program)))
    path = f"{folder}:{os.environ['PATH']}"
    for argument in ("-", "--markdown", "--help"):
        assert render(argument, PATH=path).stdout == render(argument).stdout
    for name, value in BAD_VALUES:
        assert render("-", PATH=path, **{name: value}).returncode == 78, (name, value)
