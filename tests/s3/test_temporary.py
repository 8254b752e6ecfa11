"""Temporary credentials, as a task role has them: a key, a secret and a session token that MinIO's
AssumeRole has issued and that MinIO alone knows again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlencode

import pytest
from s3_server import BUCKET, ROOT_KEY, S3, Key
from stacks import Service, wait_for
from test_keeper import bucket_seen, settings
from test_signatures import NAMES, flipped

LIFE_S = 900  # the shortest there is


def assume_role(s3: S3) -> tuple[Key, str]:
    """New credentials and when they expire; the call is signed by our program as well."""
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "DurationSeconds": str(LIFE_S)}
    body = urlencode(form).encode()
    case = s3.case("header", "POST", "/", body) | {
        "service": "sts",
        "headers": [["Content-Type", "application/x-www-form-urlencoded"]],
        "payload_header": True,
    }
    status, answer = s3.send("POST", "/", s3.header_fields(case), body)
    assert status == 200, answer
    found = ET.fromstring(answer).find(".//{*}Credentials")
    assert found is not None, answer
    texts = {each.tag.rpartition("}")[2]: each.text or "" for each in found}
    key = Key(texts["AccessKeyId"], texts["SecretAccessKey"], texts["SessionToken"])
    return key, texts["Expiration"]


@pytest.fixture(scope="module")
def role(s3: S3) -> S3:
    return s3.asked_with(assume_role(s3)[0])


def test_a_token_was_issued(role: S3) -> None:
    """The other tests say nothing without one."""
    assert role.key.session_token
    assert role.key.access_key != ROOT_KEY.access_key


@pytest.mark.parametrize("name", NAMES)
def test_signed_header(role: S3, name: str) -> None:
    path = f"/{BUCKET}/temporary/{quote(name, safe='-_.~')}"
    assert role.request("PUT", path, name.encode())[0] == 200
    assert role.request("HEAD", path) == (200, b"")
    assert role.request("GET", path) == (200, name.encode())


@pytest.mark.parametrize("name", NAMES)
def test_presigned_address(role: S3, name: str) -> None:
    path = f"/{BUCKET}/presigned/{quote(name, safe='-_.~')}"
    assert role.send("PUT", role.presigned("PUT", path), {}, name.encode())[0] == 200
    assert role.send("GET", role.presigned("GET", path), {}) == (200, name.encode())
    # It is for one method and one object.
    assert role.send("DELETE", role.presigned("GET", path), {})[0] == 403
    other = role.presigned("GET", path).replace("/presigned/", "/temporary/")
    assert role.send("GET", other, {})[0] == 403


def test_each_flipped_bit_is_refused(role: S3) -> None:
    path = f"/{BUCKET}/temporary/flip"
    assert role.request("PUT", path, b"x")[0] == 200
    fields = role.header_fields(role.case("header", "GET", path))
    for authorization in flipped(fields["Authorization"]):
        assert role.send("GET", path, {**fields, "Authorization": authorization})[0] == 403
    for target in flipped(role.presigned("GET", path)):
        assert role.send("GET", target, {})[0] == 403
    assert role.send("GET", path, fields) == (200, b"x")


def other_letter(token: str, at: int) -> str:
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


def wrong_keys(role: S3) -> dict[str, Key]:
    token = role.key.session_token or ""
    return {
        "no token": replace(role.key, session_token=None),
        "another letter in its middle": replace(
            role.key, session_token=other_letter(token, len(token) // 2)
        ),
        "its first half": replace(role.key, session_token=token[: len(token) // 2]),
        "another session's": replace(
            role.key, session_token=assume_role(role.asked_with(ROOT_KEY))[0].session_token
        ),
        "a token with the root's key": replace(ROOT_KEY, session_token=token),
    }


def test_a_wrong_token_is_refused(role: S3) -> None:
    """Signed with that token, in both forms."""
    path = f"/{BUCKET}/temporary/token"
    assert role.request("PUT", path, b"x")[0] == 200
    for name, key in wrong_keys(role).items():
        wrong = role.asked_with(key)
        assert wrong.request("GET", path)[0] in (400, 403), name
        assert wrong.send("GET", wrong.presigned("GET", path), {})[0] in (400, 403), name


def test_a_token_is_signed(role: S3) -> None:
    """One that is left out, or comes instead of the signed one, is noticed."""
    path = f"/{BUCKET}/temporary/signed"
    fields = role.header_fields(role.case("header", "PUT", path, b"x"))
    assert role.send("PUT", path, fields, b"x")[0] == 200
    token = fields.pop("x-amz-security-token")
    assert role.send("PUT", path, fields, b"x")[0] in (400, 403)
    for at in range(0, len(token), 37):
        wrong = {**fields, "x-amz-security-token": other_letter(token, at)}
        assert role.send("PUT", path, wrong, b"x")[0] in (400, 403), at


def test_the_digest_of_a_body_counts(role: S3) -> None:
    """Signed for one body, sent with another."""
    path = f"/{BUCKET}/temporary/body"
    fields = role.header_fields(role.case("header", "PUT", path, b"x"))
    assert role.send("PUT", path, fields, b"y")[0] == 400
    fields["x-amz-content-sha256"] = hashlib.sha256(b"y").hexdigest()
    assert role.send("PUT", path, fields, b"y")[0] == 403


# ---- the keeper, with the credentials of a task role ----


class TaskRole:
    """The container's credentials endpoint, which gives what `answer` holds."""

    def __init__(self) -> None:
        self.answer: dict[str, str] = {}
        role = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(role.answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/role"

    def give(self, key: Key, expiration: str) -> None:
        self.answer = {
            "AccessKeyId": key.access_key,
            "SecretAccessKey": key.secret_key,
            "Token": key.session_token or "",
            "Expiration": expiration,
        }


@contextlib.contextmanager
def task_role() -> Iterator[TaskRole]:
    role = TaskRole()
    thread = threading.Thread(target=role.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield role
    finally:
        role.server.shutdown()
        role.server.server_close()
        thread.join()


def test_the_keeper_heads_the_bucket(s3: S3) -> None:
    """With a token; when S3 takes it no longer, the keeper asks for other credentials by itself,
    long before the old ones expire."""
    key, expiration = assume_role(s3)
    token = key.session_token or ""
    with task_role() as role:
        role.give(replace(key, session_token=other_letter(token, len(token) // 2)), expiration)
        more = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": role.url, "SECRETS_INTERVAL_S": "1"}
        with Service(with_nginx=False, **settings(s3, **more)) as service:
            bucket = bucket_seen(service)
            assert bucket["state"] == "down"
            assert bucket["error"].startswith("HeadBucket: status 40")
            role.give(key, expiration)
            wait_for(
                lambda: service.status()["bucket"] == {"state": "up", "error": ""}, "the bucket"
            )
            assert 0 < service.status()["secrets"]["credentials_left_s"] <= LIFE_S
            shown = service.log() + json.dumps(service.status())
        assert token not in shown
        assert key.secret_key not in shown
