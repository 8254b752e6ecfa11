"""A real S3 server on this machine, and a client of it whose every signature is our program's."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SIGV4_CASES", ROOT / "build/tests/sigv4_cases"))
KIND = os.environ.get("S3_SERVER", "versitygw")
REGION, BUCKET = "us-east-2", "bucket"
START_S = 60


def program() -> str | None:
    """VERSITYGW or MINIO names it, local/setup has built it, or it is installed."""
    built = ROOT / "build/deps" / KIND
    return os.environ.get(KIND.upper()) or shutil.which(built) or shutil.which(KIND)


@dataclass(frozen=True)
class Key:
    access_key: str
    secret_key: str
    session_token: str | None = None


ROOT_KEY = Key("AKIDLOCALTEST", "local-test-secret")


def signed(case: dict[str, Any]) -> dict[str, Any]:
    """What our program makes of a signing case (tests/programs/sigv4_cases.c)."""
    done = subprocess.run(
        [PROGRAM], input=json.dumps(case) + "\n", capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "error" not in answer, answer
    return answer


@dataclass(frozen=True)
class S3:
    """The server at `host`, asked with `key`."""

    host: str
    key: Key = ROOT_KEY

    def asked_with(self, key: Key) -> S3:
        return replace(self, key=key)

    def send(
        self, method: str, target: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=START_S)
        with contextlib.closing(connection):
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def case(self, kind: str, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        return {
            "kind": kind,
            "method": method,
            "scheme": "http",
            "host": self.host,
            "path": path,
            "query": [],
            "headers": [["x-amz-meta-colour", "  deep   red "]] if method == "PUT" else [],
            "payload_hash": "UNSIGNED-PAYLOAD"
            if kind == "query"
            else hashlib.sha256(body).hexdigest(),
            "access_key": self.key.access_key,
            "secret_key": self.key.secret_key,
            "session_token": self.key.session_token,
            "region": REGION,
            "service": "s3",
            "time": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            "expires": 300,
        }

    def header_fields(self, case: dict[str, Any]) -> dict[str, str]:
        token = case["session_token"]
        return {
            "x-amz-date": case["time"],
            "x-amz-content-sha256": case["payload_hash"],
            "Authorization": signed(case)["authorization"],
            **({"x-amz-security-token": token} if token else {}),
            **dict(case["headers"]),
        }

    def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Signed in the header."""
        fields = self.header_fields(self.case("header", method, path, body))
        return self.send(method, path, fields, body)

    def presigned(self, method: str, path: str) -> str:
        """The target of a presigned address."""
        case = self.case("query", method, path)
        case["headers"] = []  # whoever has the address sends none of ours
        url = urlsplit(signed(case)["url"])
        return f"{url.path}?{url.query}"


def _arguments(host: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of the server."""
    data = folder / "data"
    data.mkdir()
    if KIND == "minio":
        console = _free_host()
        return (
            ["server", "--quiet", "--address", host, "--console-address", console, str(data)],
            {
                "MINIO_ROOT_USER": ROOT_KEY.access_key,
                "MINIO_ROOT_PASSWORD": ROOT_KEY.secret_key,
                "MINIO_REGION": REGION,
                "MINIO_BROWSER": "off",
                "HOME": str(folder),
            },
        )
    meta = folder / "meta"
    meta.mkdir()
    return (
        ["--port", host, "--region", REGION, "--quiet", "posix", "--sidecar", str(meta), str(data)],
        {"ROOT_ACCESS_KEY": ROOT_KEY.access_key, "ROOT_SECRET_KEY": ROOT_KEY.secret_key},
    )


def _free_host() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[S3]:
    """The server, with an empty bucket."""
    server = S3(_free_host())
    arguments, settings = _arguments(server.host, folder)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(program()), *arguments],
            env={"PATH": os.environ["PATH"], **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        end = time.monotonic() + START_S
        while _make_bucket(server) != 200:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, f"{KIND} does not answer: {log.read_text()}"
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _make_bucket(server: S3) -> int:
    """The status; 0 when nobody answers yet. MinIO says 503 while it starts."""
    try:
        return server.request("PUT", f"/{BUCKET}")[0]
    except OSError:
        return 0
