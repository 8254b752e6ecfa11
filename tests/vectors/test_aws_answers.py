"""Endpoints that misbehave: whatever the container's credentials endpoint, Secrets Manager or S3
sends, the program's answer is bounded in time and memory, says what was wrong, and shows no
secret."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("AWS_GET") or ROOT / "build/tests/aws_get")
UNREACHABLE, ANSWER, REFUSED = (
    "dependency_unreachable",
    "dependency_answer_invalid",
    "dependency_refused",
)
# Far above the program's own budget of 4 s, and what a sanitizer build may add.
LIMIT_S = 60

CREDENTIALS = {"AccessKeyId": "ASIA", "SecretAccessKey": "sesame", "Token": "t"}
SECRET = {"VersionId": "v", "SecretString": "sesame"}

Behaviour = Callable[[socket.socket], None]


class Endpoint:
    """A server on a free port that treats every connection the same way, and counts requests."""

    def __init__(self, behaviour: Behaviour, context: ssl.SSLContext | None = None) -> None:
        self.behaviour, self.context = behaviour, context
        self.requests: list[bytes] = []
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(LIMIT_S)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(65536)
                if not part:
                    return
                head += part
            self.requests.append(head)
            self.behaviour(connection)

    def close(self) -> None:
        self.ended.set()
        self.listener.close()


@contextlib.contextmanager
def endpoint(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    made = Endpoint(behaviour, context)
    try:
        yield made
    finally:
        made.close()


def get(what: str, url: str, *more: str) -> dict[str, object]:
    done = subprocess.run(
        [PROGRAM, what, url, *more], capture_output=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    for secret in (b"sesame", b"test-token", b"test-secret", b"test-session"):
        assert secret not in done.stdout + done.stderr
    answer = json.loads(done.stdout)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["aws.call"]
    return {**answer, "event": events[0]}


def reply(body: bytes | str, status: str = "200 OK", headers: str = "") -> bytes:
    content = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def send(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def drip(connection: socket.socket) -> None:
    """An answer that never ends, one byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def drip_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b'{"a":' * 10000)


def endless_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Many: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n" * 100)


def silence(connection: socket.socket) -> None:
    time.sleep(LIMIT_S)


HOSTILE = {
    "nothing": (send(b""), UNREACHABLE),
    "silence": (silence, UNREACHABLE),
    "drip": (drip, UNREACHABLE),
    "drip in the header": (drip_header, UNREACHABLE),
    "endless body": (endless, ANSWER),
    "endless header": (endless_header, ANSWER),
    "cut": (send(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"Acc'), UNREACHABLE),
    "no HTTP": (send(b"SSH-2.0-OpenSSH\r\n"), ANSWER),
    "claims a huge body": (
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{"),
        UNREACHABLE,
    ),
    "a length that is no number": (
        send(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"),
        ANSWER,
    ),
    "empty": (send(reply("")), ANSWER),
    "no JSON": (send(reply("<html>")), ANSWER),
    "half JSON": (send(reply('{"AccessKeyId":"A"')), ANSWER),
    "wrong types": (
        send(reply(json.dumps(dict.fromkeys((*CREDENTIALS, *SECRET), 1)))),
        ANSWER,
    ),
    "deep": (send(reply("[" * 10000)), ANSWER),
    "invalid UTF-8": (send(reply(b'{"AccessKeyId":"\xff\xfe"}')), ANSWER),
    "compressed": (
        send(reply(b"\x1f\x8b\x08\x00", headers="Content-Encoding: gzip\r\n")),
        ANSWER,
    ),
}


@pytest.mark.parametrize("what", ["credentials", "secret"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers(what: str, name: str) -> None:
    behaviour, result = HOSTILE[name]
    with endpoint(behaviour) as server:
        answer = get(what, server.url)
    assert (answer["result"], answer["length"]) == (result, 0), answer
    assert answer["cause"]


@pytest.mark.parametrize(("what", "body"), [("credentials", CREDENTIALS), ("secret", SECRET)])
def test_a_redirect_is_not_followed(what: str, body: dict[str, str]) -> None:
    with endpoint(send(reply(json.dumps(body)))) as other:
        location = f"Location: {other.url}/elsewhere\r\n"
        with endpoint(send(reply("", "307 Temporary Redirect", location))) as server:
            answer = get(what, server.url)
        assert answer["result"] in (ANSWER, REFUSED)
        assert other.requests == []


@pytest.mark.parametrize(("what", "body"), [("credentials", CREDENTIALS), ("secret", SECRET)])
def test_a_good_answer(what: str, body: dict[str, str]) -> None:
    identity = "x-amzn-RequestId: id-1\r\nx-amz-id-2: id-2\r\n"
    with endpoint(send(reply(json.dumps(body), headers=identity))) as server:
        answer = get(what, server.url)
    assert (answer["result"], answer["length"]) == ("ok", len("sesame")), answer
    event = answer["event"]
    assert event["aws_request_id"] == "id-1"  # type: ignore[index]
    assert event["aws_extended_id"] == "id-2"  # type: ignore[index]
    head = server.requests[0].lower()
    if what == "credentials":
        assert b"authorization: bearer test-token\r\n" in head
    else:
        assert b"authorization: aws4-hmac-sha256 credential=akid/" in head
        assert b"x-amz-security-token: test-session\r\n" in head
    assert b"expect:" not in head


# A HEAD has no body, so what could be wrong with one is passed over.
HOSTILE_HEADS = {
    "nothing": (send(b""), UNREACHABLE),
    "silence": (silence, UNREACHABLE),
    "drip in the header": (drip_header, UNREACHABLE),
    "endless header": (endless_header, ANSWER),
    "no HTTP": (send(b"SSH-2.0-OpenSSH\r\n"), ANSWER),
    "a length that is no number": (send(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), ANSWER),
    "another region": (send(reply("", "301 Moved Permanently")), ANSWER),
    "an error of its own": (send(reply("", "500 Internal Server Error")), ANSWER),
    "forbidden": (send(reply("", "403 Forbidden")), REFUSED),
    "absent": (send(reply("", "404 Not Found")), "bucket_absent"),
    "a body all the same": (endless, "ok"),
    "good": (send(reply("")), "ok"),
}


@pytest.mark.parametrize("name", HOSTILE_HEADS)
def test_heads_of_a_bucket(name: str) -> None:
    behaviour, result = HOSTILE_HEADS[name]
    with endpoint(behaviour) as server:
        answer = get("bucket", server.url)
    assert answer["result"] == result, answer
    assert server.requests[0].startswith(b"HEAD /images HTTP/1.1\r\n")
    assert b"x-amz-security-token: test-session\r\n" in server.requests[0].lower()


def test_a_head_does_not_follow_a_redirect() -> None:
    with endpoint(send(reply(""))) as other:
        location = f"Location: {other.url}/images\r\n"
        with endpoint(send(reply("", "307 Temporary Redirect", location))) as server:
            assert get("bucket", server.url)["result"] == ANSWER
        assert other.requests == []


def test_answers_in_pieces() -> None:
    def pieces(connection: socket.socket) -> None:
        for byte in reply(json.dumps(CREDENTIALS)):
            connection.sendall(bytes([byte]))

    with endpoint(pieces) as server:
        assert get("credentials", server.url)["result"] == "ok"


def test_a_failure_is_tried_again() -> None:
    answers = [reply("{}", "500 Oops"), reply(json.dumps(CREDENTIALS))]
    with endpoint(lambda connection: connection.sendall(answers.pop(0))) as server:
        answer = get("credentials", server.url)
    assert answer["result"] == "ok"
    assert answer["event"]["attempts"] == 2  # type: ignore[index]


def test_a_connection_is_used_again() -> None:
    """A second request does not pay for another handshake."""

    def twice(connection: socket.socket) -> None:
        connection.sendall(reply("{}", "500 Oops"))
        if connection.recv(65536):
            connection.sendall(reply(json.dumps(CREDENTIALS)))

    with endpoint(twice) as server:
        answer = get("credentials", server.url)
    assert (answer["result"], answer["event"]["attempts"]) == ("ok", 2)  # type: ignore[index]
    assert len(server.requests) == 1  # connections: the second request came on the first one


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert get("credentials", f"http://127.0.0.1:{port}/")["result"] == UNREACHABLE


def test_no_proxy_is_ever_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(send(reply(json.dumps(CREDENTIALS)))) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with endpoint(send(reply(json.dumps(CREDENTIALS)))) as server:
            assert get("credentials", server.url)["result"] == "ok"
        assert proxy.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    files = "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    subprocess.run(f"{request} {files}".split(), cwd=folder, check=True, capture_output=True)
    return folder


def test_tls_is_verified(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    trusted = str(certificate / "certificate.pem")
    with endpoint(send(reply(json.dumps(SECRET))), context) as server:
        assert get("secret", server.url, trusted)["result"] == "ok"
        assert get("secret", server.url)["result"] == ANSWER
        other_name = server.url.replace("127.0.0.1", "localhost")
        assert get("secret", other_name, trusted)["result"] == ANSWER
        assert len(server.requests) == 1
