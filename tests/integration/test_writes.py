"""Editors change the catalogue: through nginx, on a real database, alone and many at once."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from checks import check_problem
from editing import WRITABLE, Editor, audit_rows, make_input
from issuer import Issuer, issuing
from nginx_server import Answer
from stacks import Database, Service, Sql, Stack, wait_for

SUB = "0b5c2f1e-0000-4000-8000-00000000ed17"
NAME = "edith"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def service(stack: Stack, module_database: Database, issuer: Issuer) -> Iterator[Service]:
    settings = {**stack.settings, "DATABASE_URL": module_database.url, "WORKERS": "8"}
    with Service(**settings, **issuer.settings()) as service:
        service.wait_until_ready()
        yield service


@pytest.fixture
def sql(module_database: Database) -> Sql:
    return module_database.sql


class Desk:
    """Where editors of one service come from, one connection each."""

    def __init__(self, service: Service, issuer: Issuer, stack: contextlib.ExitStack) -> None:
        self._service, self._issuer, self._stack = service, issuer, stack
        self.token = issuer.mint("editors", sub=SUB, username=NAME)

    def editor(self, *groups: str, **claims: Any) -> Editor:
        token = self._issuer.mint(*groups, **claims) if groups or claims else self.token
        return Editor(self._stack.enter_context(self._service.client()), token)

    def stranger(self) -> Editor:
        return Editor(self._stack.enter_context(self._service.client()), None)

    def at_once(self, number: int, act: Callable[[Editor], Answer]) -> list[Answer]:
        """What as many editors get who send theirs in the same moment."""
        barrier = threading.Barrier(number)

        def run() -> Answer:
            with self._service.client() as client:
                editor = Editor(client, self.token)
                barrier.wait()
                return act(editor)

        with ThreadPoolExecutor(number) as threads:
            return [each.result() for each in [threads.submit(run) for _ in range(number)]]


@pytest.fixture
def desk(service: Service, issuer: Issuer) -> Iterator[Desk]:
    with contextlib.ExitStack() as stack:
        yield Desk(service, issuer, stack)


@pytest.fixture
def editor(desk: Desk) -> Editor:
    return desk.editor()


# ---- the life of a product ----
def test_a_product_lives(desk: Desk, editor: Editor, sql: Sql) -> None:
    stranger = desk.stranger()
    product = make_input(brand="Acme", description='Two\nlines, "quoted" \\ 🍵', category=f"c{SUB}")
    made = editor.create(product)
    assert made.status == 201
    shown = made.json()
    at = made.headers["Location"]
    assert at == f"/v1/products/{shown['id']}"
    assert made.headers["ETag"] == f'"a{shown["id"]}-1"'
    assert {name: shown[name] for name in product} == product
    assert (shown["currency"], shown["status"], shown["version"]) == ("USD", "active", 1)
    assert shown["created_at"] == shown["updated_at"]
    for reader in (stranger, editor):
        got = reader.get(at)
        assert (got.status, got.headers["ETag"], got.body) == (200, made.headers["ETag"], made.body)

    tag = made.headers["ETag"]
    put = editor.send("PUT", at, {**product, "price_minor": 950, "brand": "Best"}, if_match=tag)
    assert (put.status, put.json()["price_minor"], put.json()["version"]) == (200, 950, 2)
    assert put.json()["created_at"] == shown["created_at"]
    patched = editor.send(
        "PATCH",
        at,
        {"brand": None, "stock": 0},
        if_match=put.headers["ETag"],
        **{"Content-Type": "application/merge-patch+json"},
    )
    assert patched.status == 200
    assert (patched.json()["brand"], patched.json()["in_stock"]) == (None, False)
    assert stranger.get(at, **{"If-None-Match": patched.headers["ETag"]}).status == 304

    gone = editor.send("DELETE", at, if_match=patched.headers["ETag"])
    assert (gone.status, gone.body, gone.headers["Content-Type"]) == (204, b"", None)
    check_problem(stranger.get(at), 404, "product_absent")
    seen = editor.get(at)
    assert (seen.status, seen.json()["status"]) == (200, "deleted")
    assert seen.headers["ETag"] == gone.headers["ETag"]
    for method in ("PUT", "PATCH", "DELETE"):
        answer = editor.send(method, at, product, if_match="*")
        check_problem(answer, 409, "product_deleted")
    back = editor.send("POST", f"{at}/restore", if_match=gone.headers["ETag"])
    assert (back.status, back.json()["status"], back.json()["version"]) == (200, "active", 5)
    assert stranger.get(at).body == back.body
    answer = editor.send("POST", f"{at}/restore", if_match="*")
    check_problem(answer, 409, "product_not_deleted")

    history = editor.history(at)
    assert [(item["action"], item["version"]) for item in history] == [
        *(("restored", 5), ("deleted", 4), ("changed", 3), ("changed", 2), ("created", 1)),
    ]
    assert {(item["user_id"], item["username"]) for item in history} == {(SUB, NAME)}
    assert history[2]["changes"] == {
        "brand": {"before": "Best", "after": None},
        "stock": {"before": 6, "after": 0},
    }
    assert history[0]["changes"] == {"status": {"before": "deleted", "after": "active"}}
    assert history[0]["request_id"] == back.headers["X-Request-Id"]
    assert history[0]["at"] == back.json()["updated_at"] or history[0]["at"] > shown["created_at"]
    assert replayed(history) == {name: back.json()[name] for name in WRITABLE}
    assert len(audit_rows(sql, shown["id"])) == 5


def replayed(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The product that the changes make, one upon the other; each begins where the last ended."""
    product: dict[str, Any] = dict.fromkeys(WRITABLE)
    for item in reversed(history):
        for name, change in item["changes"].items():
            assert change["before"] == product[name]
            assert change["before"] != change["after"]
            product[name] = change["after"]
    return product


def test_drafts_are_for_editors(desk: Desk, editor: Editor) -> None:
    at, tag, product = editor.created(status="draft")
    assert product["status"] == "draft"
    admin, reader = desk.editor("admins"), desk.editor("readers")
    assert editor.get(at).status == admin.get(at).status == 200
    for other in (reader, desk.stranger()):
        check_problem(other.get(at), 404, "product_absent")
    # A token that is sent must be good.
    expired = desk.editor("editors", exp=1)
    assert expired.get(at).status == 401
    assert editor.get(at).headers["Cache-Control"] == "private, no-cache"
    assert editor.get(at).headers["Vary"] == "Authorization"
    assert editor.send("PATCH", at, {"status": None}, if_match=tag).status == 200
    assert desk.stranger().get(at).json()["status"] == "active"


WRITES = [
    ("POST", "/v1/products"),
    *((method, "/v1/products/{id}") for method in ("PUT", "PATCH", "DELETE")),
    ("POST", "/v1/products/{id}/restore"),
    ("GET", "/v1/products/{id}/history"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_only_editors_write(desk: Desk, editor: Editor, sql: Sql, method: str, path: str) -> None:
    at, _, product = editor.created()
    target = path.replace("{id}", str(product["id"]))
    before = sql.value("SELECT COUNT(*) FROM audit_log")
    for other, status in ((desk.stranger(), 401), (desk.editor("readers"), 403)):
        answer = other.send(method, target, make_input(), if_match="*", key="k")
        check_problem(answer, status)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert sql.value("SELECT COUNT(*) FROM audit_log") == before
    assert editor.get(at).json() == product


# ---- If-Match ----
def test_nothing_changed_is_no_version(editor: Editor, sql: Sql) -> None:
    at, tag, product = editor.created(brand="Acme")
    same = {name: product[name] for name in WRITABLE}
    for method, body in (("PUT", same), ("PATCH", {}), ("PATCH", {"brand": "Acme", "stock": 6})):
        answer = editor.send(method, at, body, if_match=tag)
        assert (answer.status, answer.headers["ETag"], answer.json()) == (200, tag, product)
    assert len(audit_rows(sql, product["id"])) == 1
    # Case and accents are a change, though names sort alike.
    for name in ("tea glass", "TEA GLASS", "Téa Glass", "Tea Glass "):
        answer = editor.send("PATCH", at, {"name": name}, if_match="*")
        assert answer.json()["name"] == name
    assert len(audit_rows(sql, product["id"])) == 5


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_if_match(editor: Editor, method: str) -> None:
    at, tag, product = editor.created()
    body = make_input(sku=product["sku"], stock=7) if method != "DELETE" else None
    check_problem(editor.send(method, at, body), 428, "if_match_required")
    stale = f'"a{product["id"]}-0"'
    for value in (stale, f"W/{tag}", tag.strip('"'), f'"b{tag[2:]}', f"{stale}, W/{tag}", "x", ","):
        answer = editor.send(method, at, body, if_match=value)
        check_problem(answer, 412, "precondition_failed")
    assert editor.get(at).json() == product
    assert editor.send(method, at, body, if_match=f"{stale} , {tag}").status in (200, 204)
    assert editor.get(at).json()["version"] == 2


def test_two_editors_at_once(desk: Desk, editor: Editor, sql: Sql) -> None:
    at, tag, product = editor.created()
    for number in range(20):
        prices = iter(range(10 * number + 1, 10 * number + 9))
        lock = threading.Lock()

        def change(each: Editor) -> Answer:
            with lock:  # noqa: B023
                price = next(prices)  # noqa: B023
            return each.send("PATCH", at, {"price_minor": price}, if_match=tag)  # noqa: B023

        answers = desk.at_once(4, change)
        assert Counter(answer.status for answer in answers) == {200: 1, 412: 3}
        [done] = [answer for answer in answers if answer.status == 200]
        assert editor.get(at).body == done.body
        tag = done.headers["ETag"]
    assert [row["version"] for row in audit_rows(sql, product["id"])] == list(range(1, 22))


def test_no_change_is_lost(desk: Desk, editor: Editor) -> None:
    """Everybody adds one, ten times, and reads again when told to."""
    at, _, _ = editor.created(stock=0)

    def add(each: Editor) -> Answer:
        done = 0
        while True:
            seen = each.get(at)
            answer = each.send(
                "PATCH", at, {"stock": seen.json()["stock"] + 1}, if_match=seen.headers["ETag"]
            )
            if answer.status != 200:
                check_problem(answer, 412, "precondition_failed")
                continue
            done += 1
            if done == 10:
                return answer

    desk.at_once(6, add)
    last = editor.get(at).json()
    assert (last["stock"], last["version"]) == (60, 61)
    history = editor.history(at)
    assert [item["version"] for item in history] == list(range(61, 0, -1))
    assert replayed(history)["stock"] == 60


def test_any_version_will_do(desk: Desk, editor: Editor) -> None:
    """With If-Match: * nobody is refused for what came between, and each change is one."""
    at, _, _ = editor.created(name="0")
    names = iter(range(1, 100))
    lock = threading.Lock()

    def rename(each: Editor) -> Answer:
        with lock:
            name = str(next(names))
        return each.send("PATCH", at, {"name": name}, if_match="*")

    statuses = Counter(answer.status for answer in desk.at_once(8, rename))
    # Three rounds lost in a row are told as a collision, surely not done.
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 1
    assert editor.get(at).json()["version"] == 1 + statuses[200]
    assert len(editor.history(at)) == 1 + statuses[200]


# ---- SKUs ----
def test_sku_is_unique(editor: Editor, sql: Sql) -> None:
    at, _, product = editor.created()
    other, tag, _ = editor.created()
    for answer in (
        editor.create(make_input(sku=product["sku"])),
        editor.send("PATCH", other, {"sku": product["sku"]}, if_match=tag),
        editor.send("PUT", other, make_input(sku=product["sku"]), if_match=tag),
    ):
        problem = check_problem(answer, 409, "sku_taken")
        [error] = problem["errors"]
        assert (error["pointer"], error["code"]) == ("/sku", "taken")
        assert error["message"] == f"belongs to product {product['id']}"
    editor.send("DELETE", at, if_match="*")
    problem = check_problem(editor.create(make_input(sku=product["sku"])), 409, "sku_taken")
    assert problem["errors"][0]["message"].endswith(f"{product['id']}, which is deleted")
    # SKUs are exact, so this is another one.
    assert editor.create(make_input(sku=product["sku"].lower())).status == 201
    assert editor.send("PATCH", other, {"sku": "x" + product["sku"]}, if_match=tag).status == 200


def test_one_of_many_gets_the_sku(desk: Desk, sql: Sql) -> None:
    for _ in range(5):
        product = make_input(category=f"new {uuid.uuid4().hex[:8]}")
        answers = desk.at_once(20, lambda each: each.create(product))  # noqa: B023
        assert Counter(answer.status for answer in answers) == {201: 1, 409: 19}
        assert sql.value("SELECT COUNT(*) FROM products WHERE sku = %s", product["sku"]) == 1


# ---- Idempotency-Key ----
def test_many_at_once_with_one_key_make_one_product(desk: Desk, editor: Editor, sql: Sql) -> None:
    for _ in range(3):
        key, product = str(uuid.uuid4()), make_input(category=f"new {uuid.uuid4().hex[:8]}")
        answers = desk.at_once(100, lambda each: each.create(product, key=key))  # noqa: B023
        made = [answer for answer in answers if answer.status == 201]
        for answer in answers:
            if answer.status != 201:
                check_problem(answer, 409, "idempotency_in_progress")
        assert len({answer.body for answer in made}) == 1
        first = [answer for answer in made if not answer.headers["Idempotent-Replayed"]]
        assert len(first) == 1
        rows = sql.rows("SELECT id FROM products WHERE sku = %s", product["sku"])
        assert rows == [(first[0].json()["id"],)]
        assert len(audit_rows(sql, rows[0][0])) == 1
        again = editor.create(product, key=key)
        assert again.headers["Idempotent-Replayed"] == "true"
        for name in ("ETag", "Location", "Content-Type", "Cache-Control"):
            assert again.headers.get_all(name) == first[0].headers.get_all(name)
        assert (again.status, again.body) == (201, first[0].body)
        assert again.headers["X-Request-Id"] != first[0].headers["X-Request-Id"]


def test_a_key_belongs_to_its_caller_and_its_request(desk: Desk, editor: Editor) -> None:
    key, product = str(uuid.uuid4()), make_input()
    made = editor.create(product, key=key)
    other = editor.create({**product, "stock": 7}, key=key)
    check_problem(other, 422, "idempotency_key_reused")
    # The same product, spelled differently, is another body.
    spelled = json.dumps(product, indent=1).encode()
    for body in (spelled, b"", b"{"):
        answer = editor.send("POST", "/v1/products", body, key=key)
        check_problem(answer, 422, "idempotency_key_reused")
    # Another caller's is another key, and so is one of another route.
    colleague = desk.editor("editors", sub="someone-else")
    check_problem(colleague.create(product, key=key), 409, "sku_taken")
    assert colleague.create(make_input(), key=key).status == 201
    at = made.headers["Location"]
    gone = editor.send("DELETE", at, if_match="*", key=key)
    back = editor.send("POST", f"{at}/restore", if_match=gone.headers["ETag"], key=key)
    assert (back.status, back.json()["version"]) == (200, 3)
    again = editor.send("POST", f"{at}/restore", if_match=gone.headers["ETag"], key=key)
    assert (again.status, again.body) == (200, back.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    # Whatever became of it since: what was answered then is answered now.
    assert editor.create(product, key=key).body == made.body
    check_problem(
        editor.send("POST", "/v1/products/1/restore", if_match="*", key=key), 422,
        "idempotency_key_reused",
    )  # fmt: skip


def test_a_refused_request_leaves_its_key_free(editor: Editor, sql: Sql) -> None:
    key, (at, _, product) = str(uuid.uuid4()), editor.created()
    check_problem(editor.create({"sku": "x"}, key=key), 422, "body_invalid")
    taken = make_input(sku=product["sku"])
    check_problem(editor.create(taken, key=key), 409, "sku_taken")
    check_problem(editor.create(taken, key=key), 409, "sku_taken")
    assert editor.send("PATCH", at, {"sku": f"{product['sku']}-2"}, if_match="*").status == 200
    assert editor.create(taken, key=key).status == 201
    assert editor.create(taken, key=key).headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["a b", "é", "\x7f", "x" * 256, "\t"])
def test_a_key_that_is_none(editor: Editor, key: str) -> None:
    answer = editor.send("POST", "/v1/products", make_input(), key=key)
    check_problem(answer, 400, "idempotency_key_invalid")


@pytest.mark.parametrize("key", ["x", "x" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "!~'\\"])
def test_a_key_that_is_one(editor: Editor, key: str) -> None:
    product = make_input()
    made = editor.create(product, key=key)
    assert (made.status, editor.create(product, key=key).body) == (201, made.body)


def test_still_running(desk: Desk, editor: Editor, service: Service, sql: Sql) -> None:
    """One request with the key hangs in the middle of its transaction."""
    key, product = str(uuid.uuid4()), make_input()
    with ThreadPoolExecutor(1) as threads, contextlib.closing(Sql(sql.url)) as blocker:
        blocker.run("START TRANSACTION")
        # Nobody can make a product of this SKU until the end.
        blocker.run(
            "INSERT INTO products (sku, name, description, category_id, price_minor, currency,"
            " stock, status, created_at, updated_at) SELECT %s, 'x', '', MIN(id), 1, 'USD', 1, 0,"
            " UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM categories",
            product["sku"],
        )
        first = threads.submit(desk.editor().create, product, key=key)
        waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE %s"
        wait_for(lambda: sql.value(waiting, "INSERT INTO products %") == 1, "the first to wait")
        # Nobody else waits: neither the same request nor any other.
        for _ in range(3):
            answer = editor.create(product, key=key)
            check_problem(answer, 409, "idempotency_in_progress")
            assert answer.headers["Retry-After"] == "1"
        assert editor.create(key=str(uuid.uuid4())).status == 201
        blocker.run("ROLLBACK")
        made = first.result()
    assert made.status == 201
    assert editor.create(product, key=key).body == made.body


def test_old_keys_go_a_few_at_a_time(editor: Editor, sql: Sql) -> None:
    sql.run("DELETE FROM idempotency_keys")
    for number in range(25):
        sql.run(
            "INSERT INTO idempotency_keys (id, created_at) VALUES"
            " (UNHEX(SHA2(%s, 256)), UTC_TIMESTAMP(3) - INTERVAL 1441 MINUTE)",
            str(number),
        )
    sql.run(
        "INSERT INTO idempotency_keys (id, created_at) VALUES"
        " (UNHEX(SHA2('young', 256)), UTC_TIMESTAMP(3) - INTERVAL 1439 MINUTE)"
    )
    counts = []
    for _ in range(4):
        assert editor.create(key=str(uuid.uuid4())).status == 201
        counts.append(sql.value("SELECT COUNT(*) FROM idempotency_keys"))
    assert counts == [17, 8, 4, 5]


# ---- locks of others ----
def test_a_lock_held_too_long_is_told(editor: Editor, sql: Sql) -> None:
    at, tag, product = editor.created()
    with contextlib.closing(Sql(sql.url)) as blocker:
        blocker.run("START TRANSACTION")
        blocker.rows("SELECT id FROM products WHERE id = %s FOR UPDATE", product["id"])
        answer = editor.send("PATCH", at, {"stock": 9}, if_match=tag)
        check_problem(answer, 503, "database_busy")
        blocker.run("ROLLBACK")
    assert editor.get(at).json() == product
    assert editor.send("PATCH", at, {"stock": 9}, if_match=tag).status == 200


# ---- bodies ----
GOOD = make_input(sku="never made")
BAD_BODIES: list[tuple[str, bytes, int, list[str]]] = [
    # name, body, status, pointer and code of each fault
    ("empty", b"", 400, [" json"]),
    ("blank", b" \n", 400, [" json"]),
    ("cut off", b'{"sku": "x"', 400, [" json"]),
    ("two documents", b"{}{}", 400, [" json"]),
    ("single quotes", b"{'sku': 1}", 400, [" json"]),
    ("a comment", b"/**/{}", 400, [" json"]),
    ("a comma too many", b'{"sku": "x",}', 400, [" json"]),
    ("NaN", b'{"stock": NaN}', 400, [" json"]),
    ("a leading zero", b'{"stock": 01}', 400, [" json"]),
    ("no UTF-8", b'{"sku": "\xff"}', 400, [" json"]),
    ("a surrogate", b'{"sku": "\\ud800"}', 400, [" json"]),
    ("an escaped NUL", b'{"sku": "a\\u0000b"}', 400, [" json"]),
    ("a NUL", b'{"sku": "a\0b"}', 400, [" json"]),
    ("a byte order mark", b"\xef\xbb\xbf{}", 400, [" json"]),
    ("UTF-16", '{"sku": "x"}'.encode("utf-16"), 400, [" json"]),
    ("too deep", b"[" * 1000 + b"]" * 1000, 400, [" json"]),
    ("a form", b"sku=x&name=y", 400, [" json"]),
    ("a list", b"[]", 422, [" type"]),
    ("a text", b'"sku"', 422, [" type"]),
    ("null", b"null", 422, [" type"]),
    ("an unknown member", {**GOOD, "colour": "red"}, 422, ["/colour unknown"]),
    ("a member that is ours", {**GOOD, "id": 7, "version": 1}, 422, [
        "/id unknown", "/version unknown"
    ]),
    ("a member given twice", json.dumps(GOOD)[:-1].encode() + b', "stock": 1}', 422, [
        "/stock repeated"
    ]),
    ("wrong types", {**GOOD, "sku": 1, "stock": "6", "price_minor": 1.5, "name": None}, 422, [
        "/sku type", "/name type", "/price_minor type", "/stock type"
    ]),
    ("out of range", {**GOOD, "stock": -1, "price_minor": 10**12}, 422, [
        "/price_minor range", "/stock range"
    ]),
    ("a huge number", json.dumps({**GOOD, "stock": 0})[:-2].encode() + b"1e400}", 422, [
        "/stock range"
    ]),
    ("too long", {**GOOD, "name": "🍵" * 201, "sku": "x" * 65, "description": "é" * 4001}, 422, [
        "/sku length", "/name length", "/description length"
    ]),
    ("blanks", {**GOOD, "sku": " x", "category": "x ", "name": "  "}, 422, [
        "/sku blanks", "/name blanks", "/category blanks"
    ]),
    ("control characters", {**GOOD, "name": "a\tb", "description": "\x07"}, 422, [
        "/name control", "/description control"
    ]),
    ("choices", {**GOOD, "status": "deleted", "currency": "EUR"}, 422, [
        "/status choice", "/currency currency"
    ]),
    ("escaped pointers", {**GOOD, "a/b~": 1}, 422, ["/a~1b~0 unknown"]),
]  # type: ignore[list-item]  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    ("body", "status", "faults"), [row[1:] for row in BAD_BODIES], ids=[r[0] for r in BAD_BODIES]
)
def test_bad_body(
    editor: Editor, sql: Sql, method: str, body: Any, status: int, faults: list[str]
) -> None:
    at, tag, product = editor.created()
    before = sql.value("SELECT COUNT(*) FROM audit_log")
    target = "/v1/products" if method == "POST" else at
    answer = editor.send(method, target, body, if_match=tag, key="bad-body")
    problem = check_problem(answer, status)
    seen = {f"{error['pointer']} {error['code']}" for error in problem["errors"]}
    wanted = set(faults)
    if method == "PATCH" and "/name type" in wanted:  # null removes, and a name must be there
        wanted = wanted - {"/name type"} | {"/name required"}
    assert seen == wanted
    assert sql.value("SELECT COUNT(*) FROM audit_log") == before
    assert editor.get(at).json() == product


def test_all_that_is_missing_is_named_at_once(editor: Editor) -> None:
    problem = check_problem(editor.create({"brand": ""}), 422, "body_invalid")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        *(("/brand", "length"), ("/sku", "required"), ("/name", "required")),
        *(("/category", "required"), ("/price_minor", "required"), ("/stock", "required")),
    ]


@pytest.mark.parametrize("target", ["/v1/products", "/v1/products/7/restore"])
def test_no_query_is_known_here(editor: Editor, target: str) -> None:
    answer = editor.send("POST", f"{target}?dry_run=true", make_input(), if_match="*")
    check_problem(answer, 400, "query_invalid")


@pytest.mark.parametrize("character", ["🍵", '"', "\\", "\n", "'"])
def test_the_longest_product(editor: Editor, desk: Desk, character: str) -> None:
    """Written and changed whole, however long its JSON and its SQL become on the way."""
    line = "x" if character == "\n" else character
    longest = {
        "sku": uuid.uuid4().hex + line * 32,
        "name": line * 200,
        "description": character * 4000,
        "brand": line * 100,
        "category": line * 100,
        "price_minor": 999999999999,
        "currency": "USD",
        "stock": 999999999,
        "status": "active",
    }
    key = str(uuid.uuid4())
    body = json.dumps(longest).encode()  # \uXXXX\uXXXX for what is not ASCII
    made = editor.send("POST", "/v1/products", body, key=key)
    assert made.status == 201, made.body
    assert {name: made.json()[name] for name in WRITABLE} == longest
    assert editor.send("POST", "/v1/products", body, key=key).body == made.body
    at, tag = made.headers["Location"], made.headers["ETag"]
    assert desk.stranger().get(at).body == made.body
    shorter = {**longest, "description": character * 3999}
    changed = editor.send("PUT", at, shorter, if_match=tag)
    assert (changed.status, changed.json()["description"]) == (200, shorter["description"])
    [change, _] = editor.history(at)
    assert change["changes"]["description"] == {
        "before": longest["description"],
        "after": shorter["description"],
    }


def test_a_body_beyond_all_products(editor: Editor) -> None:
    body = json.dumps(make_input()).encode()
    assert editor.send("POST", "/v1/products", body + b" " * (65536 - len(body))).status == 201
    too_long = editor.send("POST", "/v1/products", body + b" " * (65537 - len(body)))
    check_problem(too_long, 413, "body_too_large")


# ---- the history ----
def test_history_by_pages(editor: Editor) -> None:
    at, _, _ = editor.created(stock=0)
    for stock in range(1, 8):
        editor.send("PATCH", at, {"stock": stock}, if_match="*")
    whole = editor.get(f"{at}/history").json()
    assert whole["next_cursor"] is None
    assert [item["version"] for item in whole["items"]] == list(range(8, 0, -1))
    pages, query = [], "?limit=3"
    while query:
        page = editor.get(f"{at}/history{query}").json()
        pages.append(page["items"])
        query = f"?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [item for page in pages for item in page] == whole["items"]


def test_history_of_what_was_imported(editor: Editor, module_database: Database) -> None:
    product = make_input()
    module_database.load(product)
    row = module_database.sql.value("SELECT id FROM products WHERE sku = %s", product["sku"])
    at = f"/v1/products/{row}"
    assert editor.get(f"{at}/history").json() == {"items": [], "next_cursor": None}
    tag = editor.get(at).headers["ETag"]
    module_database.load({**product, "stock": 7})
    # The import made a new version, so who saw the old one is told.
    check_problem(editor.send("PATCH", at, {"stock": 8}, if_match=tag), 412, "precondition_failed")
    assert editor.send("PATCH", at, {"stock": 8}, if_match="*").status == 200
    [item] = editor.history(at)
    assert (item["version"], item["changes"]) == (3, {"stock": {"before": 7, "after": 8}})
    check_problem(editor.get("/v1/products/999999999/history"), 404, "product_absent")


# ---- the statements ----
def recorded(sql: Sql, act: Callable[[], object]) -> list[str]:
    """What clients ask the server for meanwhile."""
    sql.run("SET GLOBAL log_output = 'TABLE'")
    sql.run("TRUNCATE mysql.general_log")
    sql.run("SET GLOBAL general_log = ON")
    try:
        act()
    finally:
        sql.run("SET GLOBAL general_log = OFF")
        sql.run("SET GLOBAL log_output = 'FILE'")
    rows = sql.rows("SELECT argument FROM mysql.general_log ORDER BY event_time")
    return [row[0].decode() if isinstance(row[0], bytes) else row[0] for row in rows]


PLANS = [
    # how the statement begins, the index it uses, and the most rows it may look at
    ("SELECT COALESCE(status, 0)", "PRIMARY", 1),
    ("UPDATE idempotency_keys", "PRIMARY", 1),
    ("UPDATE products SET sku", "PRIMARY", 1),
    ("UPDATE products SET deleted_at = UTC", "PRIMARY", 1),
    ("UPDATE products SET deleted_at = NULL", "PRIMARY", 1),
    ("DELETE FROM idempotency_keys", "ix_idempotency_keys_created", None),
    ("SELECT id, version, action", "ix_audit_log_noun", None),
]


def test_statements_use_their_indexes(desk: Desk, editor: Editor, sql: Sql) -> None:
    for _ in range(30):
        editor.create(key=str(uuid.uuid4()))
    sql.run("ANALYZE TABLE audit_log, idempotency_keys, products")
    at, _, _ = editor.created()

    def act() -> None:
        assert editor.create(key=str(uuid.uuid4())).status == 201
        assert editor.send("PATCH", at, {"stock": 1}, if_match="*").status == 200
        assert editor.send("DELETE", at, if_match="*").status == 204
        assert editor.send("POST", f"{at}/restore", if_match="*").status == 200
        assert editor.get(f"{at}/history").status == 200

    statements = recorded(sql, act)
    for beginning, index, most in PLANS:
        found = [s for s in statements if s.startswith(beginning)]
        assert found, beginning
        for statement in found:
            # The plan of a row that is not there is "no row"; the lock clause changes no plan.
            [plan] = sql.dicts(f"EXPLAIN {statement.removesuffix(' FOR UPDATE NOWAIT')}")
            assert plan["key"] == index, (statement, plan)
            assert "filesort" not in (plan["Extra"] or ""), plan
            if most is not None:
                assert int(plan["rows"]) <= most, plan
