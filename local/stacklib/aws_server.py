"""A stand-in for what the service needs of AWS beside Cognito: the container credentials endpoint
of ECS, GetSecretValue of Secrets Manager, and HeadBucket of S3. Run as `aws_server.py STATE PORT`.

It reads its state file (see aws.py) at every request, and refuses what AWS would refuse: a wrong
authorization token, a signature that is not right, an unknown or expired key, a clock that is off,
a secret or version that does not exist."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

CLOCK_LIMIT_S = 300
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


class Refusal(Exception):
    """An answer of 400 with this error type."""


def sign(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def signature(secret: str, scope: tuple[str, str, str], when: str, canonical: str) -> str:
    key = b"AWS4" + secret.encode()
    for part in (*scope, "aws4_request"):
        key = sign(key, part)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", when, "/".join((*scope, "aws4_request")), digest))
    return sign(key, text).hex()


def is_now(when: str) -> bool:
    try:
        sent = calendar.timegm(time.strptime(when, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return False
    return abs(time.time() - sent) <= CLOCK_LIMIT_S


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state_file: Path
    timeout = 60

    def setup(self) -> None:
        super().setup()
        self.state: dict[str, Any] = {}

    def do_GET(self) -> None:
        self.state = json.loads(self.state_file.read_text())
        if self.path != "/credentials":
            self.answer(404, {"code": "NotFound", "message": "no such path"})
        elif self.headers.get("Authorization") != self.state["token"]:
            self.answer(401, {"code": "Unauthorized", "message": "wrong authorization token"})
        else:
            key = self.state["keys"][0]
            fresh = {name: key[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")}
            expiry = time.gmtime(time.time() + self.state["life_s"])
            fresh["Expiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", expiry)
            self.answer(200, {"RoleArn": "arn:aws:iam::000000000000:role/local", **fresh})

    def do_POST(self) -> None:
        self.state = json.loads(self.state_file.read_text())
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.check_signature(body, "secretsmanager", "x-amz-target")
            self.answer(200, self.secret(body))
        except Refusal as refusal:
            self.answer(400, {"__type": str(refusal), "Message": str(refusal)})

    def do_HEAD(self) -> None:
        """HeadBucket, path style; a HEAD is refused without a word."""
        self.state = json.loads(self.state_file.read_text())
        try:
            self.check_signature(b"", "s3", "x-amz-content-sha256")
            status = 200 if self.path == f"/{self.state['bucket']}" else 404
        except Refusal:
            status = 403
        self.send_response(status)
        self.send_header("x-amz-request-id", hashlib.md5(str(time.time_ns()).encode()).hexdigest())
        self.end_headers()

    def check_signature(self, body: bytes, wanted: str, header: str) -> None:
        parts = AUTHORIZATION.fullmatch(self.headers.get("Authorization", ""))
        if not parts:
            raise Refusal("MissingAuthenticationTokenException")
        access_key, day, region, service, names, given = parts.groups()
        keys = [key for key in self.state["keys"] if key["AccessKeyId"] == access_key]
        if not keys or self.headers.get("X-Amz-Security-Token") != keys[0]["Token"]:
            raise Refusal("UnrecognizedClientException")
        when = self.headers.get("X-Amz-Date", "")
        if not is_now(when) or not when.startswith(day) or service != wanted:
            raise Refusal("InvalidSignatureException")
        fields = [
            f"{name}:{' '.join(self.headers.get(name, '').split())}\n" for name in names.split(";")
        ]
        path = quote(unquote(self.path), safe="/-_.~")
        digest = hashlib.sha256(body).hexdigest()
        canonical = "\n".join((self.command, path, "", "".join(fields), names, digest))
        secret = keys[0]["SecretAccessKey"]
        right = signature(secret, (day, region, service), when, canonical)
        needed = {"host", "x-amz-date", "x-amz-security-token", header}
        if not hmac.compare_digest(right, given) or not needed <= set(names.split(";")):
            raise Refusal("InvalidSignatureException")

    def secret(self, body: bytes) -> dict[str, object]:
        if self.headers.get("X-Amz-Target") != "secretsmanager.GetSecretValue":
            raise Refusal("UnknownOperationException")
        wanted = json.loads(body)
        versions = self.state["secrets"].get(wanted["SecretId"], {})
        label = wanted.get("VersionStage", "AWSCURRENT")
        if label not in versions:
            raise Refusal("ResourceNotFoundException")
        return {
            "ARN": wanted["SecretId"],
            "Name": wanted["SecretId"].rpartition(":")[2],
            "CreatedDate": time.time(),
            "VersionStages": [label],
            **versions[label],
        }

    def answer(self, status: int, members: dict[str, object]) -> None:
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", hashlib.md5(str(time.time_ns()).encode()).hexdigest())
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    Handler.state_file = Path(sys.argv[1])
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()


if __name__ == "__main__":
    main()
