"""Requests that are wrong in every way a client can think of: a 4xx problem, never a 5xx, a hang or
a dead worker."""

from __future__ import annotations

import base64
import json
import random
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from catalogue import ORDERS, SEED, Catalogue
from checks import check_problem
from nginx_server import Answer, read_all, read_answer
from stacks import Client, Service

MUTATED_REQUESTS = 5000
THREADS = 16


@pytest.fixture(scope="module")
def service(catalogue: Catalogue) -> Iterator[Service]:
    """A service whose workers must all outlive this module. Its nginx soon cuts off whoever sends
    half a request."""
    settings = catalogue.stack.settings
    with Service(nginx={"NGINX_CLIENT_TIMEOUT_S": "1"}, WORKERS="4", **settings) as service:
        workers = service.workers()
        yield service
        page = service.status()
        assert service.workers() == workers
        assert page["restarts"]["crashes"] == 0
        assert [w["server_errors"] for w in page["workers"]["list"]] == [0] * len(workers)
        failed = service.events("request.failed")
        assert failed and all(400 <= event["status"] < 500 for event in failed)


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with service.client() as client:
        yield client


# ---- queries ----
LONG = "x" * 101
QUERIES = [
    # query string, then each fault's pointer and code
    ("limit=0", ["limit range"]),
    ("limit=101", ["limit range"]),
    ("limit=-1", ["limit range"]),
    ("limit=", ["limit type"]),
    ("limit", ["limit type"]),
    ("limit=ten", ["limit type"]),
    ("limit=1.0", ["limit type"]),
    ("limit=1e1", ["limit type"]),
    ("limit=0x10", ["limit type"]),
    ("limit=01", ["limit type"]),
    ("limit=%2B1", ["limit type"]),
    ("limit=+1", ["limit type"]),
    ("limit=1%20", ["limit type"]),
    ("limit=-0", ["limit type"]),
    ("limit=%EF%BC%91", ["limit type"]),  # FULLWIDTH DIGIT ONE
    ("limit=9223372036854775808", ["limit range"]),
    ("limit=" + "9" * 500, ["limit range"]),
    ("limit=1&limit=2", ["limit repeated"]),
    ("limit=1&limit=1&limit=1", ["limit repeated", "limit repeated"]),
    ("price_min=-1", ["price_min range"]),
    ("price_min=1000000000000", ["price_min range"]),
    ("price_max=1000000000000", ["price_max range"]),
    ("price_max=1,5", ["price_max type"]),
    ("price_min=2&price_max=1", ["price_max range"]),
    ("in_stock=1", ["in_stock type"]),
    ("in_stock=TRUE", ["in_stock type"]),
    ("in_stock=", ["in_stock type"]),
    ("in_stock=yes", ["in_stock type"]),
    ("sort=", ["sort choice"]),
    ("sort=PRICE", ["sort choice"]),
    ("sort=-name", ["sort choice"]),
    ("sort=+price", ["sort choice"]),
    ("sort=newest|price", ["sort choice"]),
    ("sort=price%20", ["sort choice"]),
    ("sort=relevance", ["sort choice"]),
    ("include=", ["include choice"]),
    ("include=totals", ["include choice"]),
    ("include=total,", ["include choice"]),
    ("include=,total", ["include choice"]),
    ("include=total,facets", ["include choice"]),
    ("include=total&include=total", ["include repeated"]),
    ("category=", ["category length"]),
    (f"category={LONG}", ["category length"]),
    (f"category={quote('é' * 101)}", ["category length"]),
    (f"brand={quote('🍵' * 101)}", ["brand length"]),
    ("brand=", ["brand length"]),
    ("cursor=", ["cursor length"]),
    (f"cursor={'A' * 1201}", ["cursor length"]),
    (f"cursor={'A' * 7000}", ["cursor length"]),
    ("colour=red", ["colour unknown"]),
    ("=red", [" unknown"]),
    ("=", [" unknown"]),
    ("Limit=1", ["Limit unknown"]),
    ("limit%20=1", ["limit  unknown"]),
    ("limit[]=1", ["limit[] unknown"]),
    ("a/b=1", ["a~1b unknown"]),
    ("a~b=1", ["a~0b unknown"]),
    ("q=tea", ["q unknown"]),
    ("category=%", ["category encoding"]),
    ("category=%4", ["category encoding"]),
    ("category=%4g", ["category encoding"]),
    ("category=%u0041", ["category encoding"]),
    ("category=a%00b", ["category encoding"]),
    ("category=%ff", ["category encoding"]),
    ("category=%C0%AF", ["category encoding"]),  # an overlong '/'
    ("category=%E0%80%AF", ["category encoding"]),
    ("category=%F0%80%80%AF", ["category encoding"]),
    ("category=%ED%A0%80", ["category encoding"]),  # a surrogate
    ("category=%F4%90%80%80", ["category encoding"]),  # above U+10FFFF
    ("category=%E2%82", ["category encoding"]),
    ("category=%80", ["category encoding"]),
    ("%ff=1", ["%ff encoding"]),
    ("limit=0&sort=sideways&colour=red&in_stock=maybe&category=%ff&price_min=x", [
        *("limit range", "sort choice", "colour unknown", "in_stock type", "category encoding"),
        "price_min type",
    ]),
    ("&".join(f"x{n}=1" for n in range(500)), [f"x{n} unknown" for n in range(32)]),
    ("y" * 3000 + "=1", [None]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "faults"), QUERIES, ids=[q[:40] for q, _ in QUERIES])
def test_malformed_query(client: Client, query: str, faults: list[str | None]) -> None:
    problem = check_problem(client.get(f"/v1/products?{query}"), 400, "query_invalid")
    assert problem["instance"] == "/v1/products"
    seen = [f"{error['pointer']} {error['code']}" for error in problem["errors"]]
    if faults != [None]:
        assert seen == [f"/query/{fault}" for fault in faults]


@pytest.mark.parametrize("path", ["/", "/v1/categories", "/v1/products/{id}"])
@pytest.mark.parametrize("query", ["x=1", "sort=name", "%zz", "a=1&a=1", "=", "limit=0"])
def test_parameter_where_there_is_none(
    client: Client, catalogue: Catalogue, path: str, query: str
) -> None:
    path = path.replace("{id}", str(next(iter(catalogue.products))))
    check_problem(client.get(f"{path}?{query}"), 400, "query_invalid")


@pytest.mark.parametrize("query", ["", "&", "&&&", "limit=3&", "&limit=3&&sort=name"])
def test_empty_pairs_of_a_query_are_nothing(client: Client, query: str) -> None:
    assert client.get(f"/v1/products?{query}").status == 200


# ---- cursors ----
QUERY = "sort=name&category=cat-03"


@pytest.fixture(scope="module")
def cursor(service: Service) -> str:
    with service.client() as client:
        page = client.get(f"/v1/products?{QUERY}&limit=2").json()
    text: str = page["next_cursor"]
    return text


def refuse(client: Client, query: str, cursor: str) -> None:
    answer = client.get(f"/v1/products?{query}&cursor={quote(cursor, safe='')}")
    check_problem(answer, 400, "cursor_invalid")


def test_cursor_fits_its_query_only(client: Client, cursor: str) -> None:
    good = client.get(f"/v1/products?{QUERY}&cursor={cursor}")
    assert good.status == 200
    for more in ("limit=1", "limit=100", "include=total"):
        assert client.get(f"/v1/products?{QUERY}&{more}&cursor={cursor}").status == 200
    for query in (
        *("sort=name", "category=cat-03", "sort=name&category=cat-04", "sort=name&category=cat-3"),
        *(f"{QUERY}&brand=Acme", f"{QUERY}&price_min=0", f"{QUERY}&price_max=999999999999"),
        *(f"{QUERY}&in_stock=true", f"{QUERY}&in_stock=false", "sort=name&brand=cat-03"),
        *(f"sort={sort}&category=cat-03" for sort in ORDERS if sort != "name"),
        "sort=name&category=cat-03%22,%22brand%22:%22",
    ):
        refuse(client, query, cursor)


def test_cursors_of_other_sorts_and_filters(client: Client) -> None:
    queries = [
        *(f"sort={sort}" for sort in ORDERS),
        *("brand=Acme", "price_min=1", "price_max=1", "in_stock=true", "in_stock=false"),
        *("price_min=1&in_stock=true", "price_min=0", "price_min=1&price_max=2"),
    ]
    cursors = {
        query: client.get(f"/v1/products?{query}&limit=1").json()["next_cursor"]
        for query in queries
    }
    for query in queries:
        for other, cursor in cursors.items():
            if query == other:
                assert client.get(f"/v1/products?{query}&cursor={cursor}").status == 200
            else:
                refuse(client, query, cursor)


def test_cursor_of_another_list(client: Client, cursor: str) -> None:
    theirs = client.get("/v1/categories?limit=1").json()["next_cursor"]
    refuse(client, "sort=name", theirs)
    refuse(client, "sort=newest", theirs)
    for text in (cursor, theirs[:-1], theirs[1:], theirs.swapcase(), "A" * 50):
        check_problem(client.get(f"/v1/categories?cursor={text}"), 400, "cursor_invalid")
    assert client.get(f"/v1/categories?cursor={theirs}&limit=500").status == 200


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        *(("limit=501", "limit range"), ("limit=ten", "limit type"), ("cursor=", "cursor length")),
        *(("limit=1&limit=1", "limit repeated"), ("category=a", "category unknown")),
    ],
)
def test_malformed_query_for_categories(client: Client, query: str, fault: str) -> None:
    problem = check_problem(client.get(f"/v1/categories?{query}"), 400, "query_invalid")
    assert [f"{e['pointer']} {e['code']}" for e in problem["errors"]] == [f"/query/{fault}"]


def test_damaged_cursor(client: Client, cursor: str) -> None:
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    assert encode(raw) == cursor
    for bit in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        refuse(client, QUERY, encode(bytes(flipped)))
    for length in range(1, len(cursor)):
        refuse(client, QUERY, cursor[:length])
    for length in range(len(raw)):
        if length:
            refuse(client, QUERY, encode(raw[:length]))
        refuse(client, QUERY, encode(raw[length + 1 :]) or "A")
    for text in (
        *(cursor + "=", cursor + "A", cursor + "AA", cursor + "AAAA", "A" + cursor, cursor * 2),
        *(f" {cursor}", f"{cursor} ", f"{cursor}\n", cursor + "\u200b", cursor + "+", cursor + "/"),
        *(cursor.swapcase(), cursor[::-1], encode(raw) + ".", encode(bytes(16) + raw[16:])),
        *(encode(raw + bytes(1)), encode(bytes(33)), encode(bytes(800)), "A", "AA", "A" * 1200),
        *("null", "0", "eyJpZCI6MX0", "../../etc/passwd", "' OR 1=1 --", "🍵"),
    ):
        refuse(client, QUERY, text)


def test_spare_bits_of_the_last_character_are_no_second_spelling(client: Client) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    seen = set()
    cursor = None
    # Cursors of every length modulo 3: names of several lengths.
    for _ in range(12):
        more = f"&cursor={cursor}" if cursor else ""
        page = client.get(f"/v1/products?sort=name&limit=90{more}").json()
        cursor = page["next_cursor"]
        seen.add(len(cursor) % 4)
        for last in alphabet:
            if last != cursor[-1]:
                refuse(client, "sort=name", cursor[:-1] + last)
    assert len(seen) > 1


def test_forged_cursors(client: Client) -> None:
    rng = random.Random(SEED)
    for _ in range(300):
        length = rng.choice((33, 33, 34, 40, rng.randrange(1, 900)))
        text = base64.urlsafe_b64encode(rng.randbytes(length)).decode().rstrip("=")
        refuse(client, f"sort={rng.choice(list(ORDERS))}", text)


def test_cursor_of_another_secret(client: Client, catalogue: Catalogue, cursor: str) -> None:
    settings = {**catalogue.stack.settings, "APP_JWT_SECRET": "another secret of 32 characters."}
    with Service(WORKERS="1", **settings) as other, other.client() as stranger:
        refuse(stranger, QUERY, cursor)
        theirs = stranger.get(f"/v1/products?{QUERY}&limit=2").json()["next_cursor"]
        assert theirs != cursor
        refuse(client, QUERY, theirs)


# ---- paths ----
PATHS = [
    # path, status, code
    *(
        (f"/v1/products/{id}", 404, "product_absent")
        for id in (
            *("0", "-1", "+1", "01", "1.0", "1e3", "0x1", "abc", "%20", "1%20", "-0", "null", "*"),
            *("9223372036854775807", "9223372036854775808", "9" * 400, "1%2F2", "1;2", "1,2"),
            *("%EF%BC%91", "%F0%9F%8D%B5", "1'%20OR%20'1'='1", "{id}", "1%0A", "1%7F"),
        )
    ),
    ("/v1/products/", 404, "not_found"),
    ("/v1/products/1/", 404, "not_found"),
    ("/v1/products//1", 404, "not_found"),
    ("/v1/products/1/images", 404, "not_found"),
    ("/v1/product", 404, "not_found"),
    ("/v1/Products", 404, "not_found"),
    ("/v1/products%2F1", 404, "not_found"),
    ("/v1%2Fproducts", 404, "not_found"),
    ("/V1/products", 404, "not_found"),
    ("/v1", 404, "not_found"),
    ("/v1/", 404, "not_found"),
    ("//", 404, "not_found"),
    ("//v1/products", 404, "not_found"),
    ("/v1//products", 404, "not_found"),
    ("/v1/categories/", 404, "not_found"),
    ("/v1/categories/1", 404, "not_found"),
    ("/health", 404, "not_found"),
    ("/health/live/", 404, "not_found"),
    ("/favicon.ico", 404, "not_found"),
    ("/.git/config", 404, "not_found"),
    ("/.problem", 404, "not_found"),
    ("/v1/./products", 404, "not_found"),
    ("/v1/../v1/products", 404, "not_found"),
    ("/v1/products/..", 404, "product_absent"),
    ("/v1/%2e%2e/products", 404, "not_found"),
    ("/v1/..%2f..%2fetc/passwd", 400, "bad_request"),
    ("/../../etc/passwd", 400, "bad_request"),
    ("/%2e%2e/etc/passwd", 400, "bad_request"),
    ("/v1/products/%", 400, "bad_request"),
    ("/v1/products/%1", 400, "bad_request"),
    ("/v1/products/%zz", 400, "bad_request"),
    ("/v1/products/%00", 400, "bad_request"),
    ("/v1/products/1%00", 400, "bad_request"),
    ("/v1/products/%FF", 400, "bad_request"),
    ("/v1/products/%C0%B1", 400, "bad_request"),  # an overlong '1'
    ("/v1/products/%E0%80%B1", 400, "bad_request"),
    ("/v1/products/%ED%A0%80", 400, "bad_request"),
    ("/v1/products/\xff", 400, "bad_request"),
    ("/v1/products/\xc3", 400, "bad_request"),
    ("/\xff\xfe", 404, "not_found"),
    ("/" + "a" * 8000, 404, "not_found"),
    ("/" + "/" * 8000, 404, "not_found"),
    ("/v1/products/" + "1" * 8000, 404, "product_absent"),
    ("/" + "a" * 9000, 414, "uri_too_long"),
    ("/v1/products?brand=" + "a" * 9000, 414, "uri_too_long"),
    ("v1/products", 400, "bad_request"),
    ("*", 400, "bad_request"),
    ("?limit=1", 400, "bad_request"),
    ("http://", 400, "bad_request"),
    ("http://a?", 400, "bad_request"),
    ("http://host/v1/product", 404, "not_found"),
    ("/v1/products?limit=1#fragment", 400, "query_invalid"),
    ("/v1/products/1#fragment", 404, "product_absent"),
    ("http://user:password@host/v1/products", 400, "bad_request"),
]


@pytest.mark.parametrize(("path", "status", "code"), PATHS, ids=[p[:40] for p, *_ in PATHS])
def test_bad_path(service: Service, path: str, status: int, code: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode("latin-1")
    check_problem(service.nginx.raw(request), status, code)


@pytest.mark.parametrize(
    "target",
    [
        *(
            "http://anywhere/v1/products?limit=1",
            "HTTP://a:80/v1/products",
            "https://a/v1/products",
        ),
        *("http://a", "http://a/", "/?", "/?&", "/v1/products?", "/v1/products?limit=%31"),
    ],
)
def test_unusual_but_valid_target(service: Service, target: str) -> None:
    answer = service.nginx.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert answer.status == 200, answer.body


def test_percent_encoded_id(client: Client, catalogue: Catalogue) -> None:
    id = str(min(catalogue.products))
    encoded = "".join(f"%{ord(digit):02x}" for digit in id)
    assert client.get(f"/v1/products/{encoded}").body == client.get(f"/v1/products/{id}").body


# ---- methods ----
ROUTES = {
    "/": ["GET", "HEAD"],
    "/v1/products": ["GET", "HEAD", "POST"],
    "/v1/products/1": ["GET", "HEAD", "PUT", "PATCH", "DELETE"],
    "/v1/products/1/restore": ["POST"],
    "/v1/products/1/history": ["GET", "HEAD"],
    "/v1/categories": ["GET", "HEAD"],
    "/health/live": ["GET", "HEAD"],
    "/health/ready": ["GET", "HEAD"],
}
METHODS = ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW", "PROPFIND"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", METHODS)
def test_method_that_is_not_allowed(service: Service, method: str, path: str) -> None:
    answer = service.nginx.raw(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    if method in ROUTES[path]:
        # Nobody writes without a token.
        check_problem(answer, 401, "authentication_required")
        assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="cbu"']
        return
    check_problem(answer, 405, "method_not_allowed")
    # TRACE and CONNECT never come as far as the route table, nor does anything of /health/.
    by_nginx = method in ("TRACE", "CONNECT") or path.startswith("/health/")
    allowed = ["GET", "HEAD"] if by_nginx else [*ROUTES[path], "OPTIONS"]
    assert answer.headers.get_all("Allow") == [", ".join(allowed)]


@pytest.mark.parametrize("method", ["POST", "DELETE", "BREW"])
@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/products/"])
def test_method_on_a_path_that_is_not_there(service: Service, method: str, path: str) -> None:
    answer = service.nginx.raw(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    check_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    "method", ["get", "Get", "gET", "", "G ET", "GET\t", "GÉT", "GET\x00", "1"]
)
def test_method_that_is_no_method(service: Service, method: str) -> None:
    request = f"{method} /v1/products HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    check_problem(service.nginx.raw(request), 400, "bad_request")


def test_longest_method(service: Service) -> None:
    request = f"{'A' * 7000} /v1/products HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    check_problem(service.nginx.raw(request), 405, "method_not_allowed")


# ---- headers ----
@pytest.mark.parametrize(
    "value",
    [
        *("", "x", '"', '""', ",,,,", "W/", 'W/"', "**", '"a' * 1000, "," * 7000, "\xff\xfe"),
        *('"a1-1', "\t", '"\t"', "W/" * 3000),
    ],
)
def test_strange_validator_is_no_match(service: Service, catalogue: Catalogue, value: str) -> None:
    target = f"/v1/products/{min(catalogue.products)}"
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nIf-None-Match: {value}\r\n\r\n"
    answer = service.nginx.raw(request.encode("latin-1"))
    assert answer.status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Accept: text/html\xff\xfe, */*",
        "Accept: " + "text/htm," * 800 + "application/*",
        "Accept:",
        "X-Amzn-Trace-Id: \x80\xff",
        'X-Amzn-Trace-Id: "}\\\t{"a":1',
        "X-Amzn-Trace-Id: " + "x" * 7000,
        "X-Forwarded-For: ' OR 1=1, \xff, 999.999.999.999",
        "X-Request-Id: chosen",
        "Content-Type: \xff",
        "Range: bytes=0-1,5-2,-",
        "Expect: 200-maybe",
        "Cookie: a=b; " * 500,
        "Authorization: Bearer x",
        "If-Match: *",
        "If-Modified-Since: yesterday",
        "nothing",
        "Über: x",
        "Connection: close, keep-alive, upgrade\r\nUpgrade: h2c",
        "Content-Length: 0",
        "Proxy: http://evil/",
    ],
    ids=lambda header: header.partition(":")[0],
)
def test_strange_header_changes_nothing(service: Service, header: str) -> None:
    request = f"GET /v1/products?limit=1 HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n"
    answer = service.nginx.raw(request.encode("latin-1"))
    assert answer.status == 200
    assert len(answer.json()["items"]) == 1
    # Whatever went into the logs left them readable.
    request_id = answer.headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert service.nginx.access_log(request_id)["status"] == 200
    service.events("request.failed")


@pytest.mark.parametrize(
    "header",
    [
        "Host : b",
        ": no name",
        "a blank: x",
        "a\0: x",
        "a\tb: x",
        "Accept: \0",
        "Host: b",
        "\x7f: x",
    ],
)
def test_header_that_is_no_header(service: Service, header: str) -> None:
    request = f"GET /v1/products?limit=1 HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n"
    check_problem(service.nginx.raw(request.encode("latin-1")), 400, "bad_request")


def test_trace_id_in_the_log_is_json(service: Service, client: Client) -> None:
    request = b'GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Amzn-Trace-Id: a"\\\xff\xc3\r\n\r\n'
    answer = service.nginx.raw(request)
    [event] = [
        event
        for event in service.events("request.failed")
        if event["request_id"] == answer.headers["X-Request-Id"]
    ]
    assert event["trace_id"] == 'a"\\\ufffd\ufffd'


# ---- bodies ----
def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


BODIES = [
    (b"Content-Length: 5\r\n\r\nhello", 200),
    (b"Content-Length: 65536\r\n\r\n" + bytes(65536), 200),
    (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"he", b"llo"), 200),
    (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"x" * 65536), 200),
    (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(), 200),
    (b"Content-Length: 65537\r\n\r\n" + bytes(65537), 413),
    (b"Content-Length: 99999999999\r\n\r\n", 413),
    (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*[b"x" * 4096] * 17), 413),
    (b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    (b"Content-Length: five\r\n\r\nhello", 400),
    (b"Content-Length: -5\r\n\r\nhello", 400),
    (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello"), 400),
    (b"Transfer-Encoding: gzip\r\n\r\nhello", 400),
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(("rest", "status"), BODIES, ids=[b[:50].decode() for b, _ in BODIES])
def test_body(service: Service, method: str, rest: bytes, status: int) -> None:
    answer = service.nginx.raw(
        b"%s /v1/categories HTTP/1.1\r\nHost: a\r\n%s" % (method.encode(), rest)
    )
    if status != 200:
        check_problem(answer, status)
    elif method == "GET":
        assert answer.status == 200
        assert answer.json()["items"]
    else:
        check_problem(answer, 405)


def test_half_a_body_never_reaches_a_worker(service: Service) -> None:
    before = service.status()
    data = b"POST /v1/products HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
    # nginx cuts the client off without an answer, as HTTP wants it for a request that never ends.
    assert service.nginx.raw_bytes(data) == b""
    after = service.status()
    count = [sum(w["requests"] for w in page["workers"]["list"]) for page in (before, after)]
    assert count[0] == count[1]


# ---- anything at all ----
SEEDS = [
    b"GET /v1/products?category=cat-03&brand=Acme&sort=-price&limit=5&include=total HTTP/1.1\r\n"
    b"Host: localhost\r\nAccept: application/json\r\nUser-Agent: test\r\n\r\n",
    b"GET /v1/products?sort=name&category=cat-03&cursor=CURSOR HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b'GET /v1/products/1 HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "a1-1", W/"x"\r\n\r\n',
    b"HEAD /v1/categories HTTP/1.1\r\nHost: localhost\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n\r\n",
    b"POST /v1/products HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 13\r\n\r\n{"sku": "a1"}',
    b"PUT /v1/products/7 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n",
    b"GET / HTTP/1.0\r\nAccept: text/html\r\n\r\n",
]
PIECES = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"%", b"%00", b"%ff", b"%C0%AF", b"\xff", b"\xc3"),
    *(
        b"&",
        b"=",
        b"?",
        b"#",
        b"/",
        b"//",
        b"/../",
        b"..",
        b";",
        b",",
        b'"',
        b"'",
        b"\\",
        b"{",
        b"}",
    ),
    *(b"-1", b"0", b"99999999999999999999", b"1e9", b"HTTP/9.9", b"HTTP/1.1", b"GET ", b"HEAD "),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n"),
    *(b"Expect: x\r\n", b"limit=", b"cursor=", b"sort=", b"A" * 300, b"A" * 9000, b"\x7f", b"\x1b"),
    "🍵".encode(),
]


def mutate(rng: random.Random, data: bytes) -> bytes:
    """A few random edits: bytes changed, cut out, doubled, or put in from the pieces above."""
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 8, 40)))
        data = rng.choice(
            (
                data[:at] + rng.choice(PIECES) + data[at:],
                data[:at] + rng.choice(PIECES) + data[end:],
                data[:at] + data[end:],
                data[:end] + data[at:end] + data[end:],
                data[:at] + rng.randbytes(1) + data[end:],
                data[:at]
                + bytes(byte ^ 1 << rng.randrange(8) for byte in data[at:end])
                + data[end:],
            )
        )
    return data


def is_head(data: bytes) -> bool:
    return data.lstrip(b"\r\n").startswith(b"HEAD ")


def exchange(service: Service, data: bytes) -> Answer | bytes:
    """The first answer to these bytes; bytes where there is no status line."""
    with service.nginx.connect() as connection:
        try:
            connection.sendall(data)
            if connection.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/":
                return read_answer(connection, "HEAD" if is_head(data) else "GET")
            return read_all(connection)
        except ConnectionError:
            return b""


def check_reply(data: bytes, reply: Answer | bytes) -> None:
    """A good answer, a 4xx problem, or none at all for a request without an end."""
    if isinstance(reply, bytes):
        # HTTP/0.9 has no status line: the problem alone.
        assert not reply or json.loads(reply)["status"] == 400
    elif reply.status not in (200, 204, 304):
        assert 400 <= reply.status < 500
        if not is_head(data):
            check_problem(reply, reply.status)


def test_random_mutations(service: Service, cursor: str) -> None:
    rng = random.Random(SEED)
    seeds = [seed.replace(b"CURSOR", cursor.encode()) for seed in SEEDS]
    # An end for headers that have lost theirs, and the wish to be told no more.
    end = b"\r\nConnection: close\r\n\r\n"
    requests = [mutate(rng, rng.choice(seeds)) + end for _ in range(MUTATED_REQUESTS)]
    with ThreadPoolExecutor(THREADS) as threads:
        replies = list(threads.map(lambda data: exchange(service, data), requests))
    for data, reply in zip(requests, replies, strict=True):
        try:
            check_reply(data, reply)
        except Exception as error:
            raise AssertionError(f"sent {data!r}, got {reply!r}") from error
    assert sum(bool(reply) for reply in replies) > MUTATED_REQUESTS * 0.9
    with service.client() as client:
        assert client.get("/v1/products").status == 200
