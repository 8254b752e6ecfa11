"""A user pool of our own: mints access tokens, good and bad, with keys it makes itself, and serves
their public halves as Cognito does. It can be slow, away, or talk nonsense, and rotate its keys."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

POOL = "us-east-2_TestPool1"
CLIENT = "testclient1234567890"
ISSUER = f"https://cognito-idp.us-east-2.amazonaws.com/{POOL}"
JWKS_PATH = f"/{POOL}/.well-known/jwks.json"

# Stands for a claim or a member of the header that is left out.
ABSENT = object()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _members(usual: Mapping[str, Any], changed: Mapping[str, Any]) -> bytes:
    members = {name: value for name, value in {**usual, **changed}.items() if value is not ABSENT}
    return json.dumps(members, separators=(",", ":")).encode()


class Key:
    """An RSA key under its kid."""

    def __init__(self, kid: str, bits: int = 2048) -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(65537, bits)

    def jwk(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        public = {"n": _number(numbers.n), "e": _number(numbers.e)}
        return {"alg": "RS256", "kid": self.kid, "kty": "RSA", "use": "sig", **public}

    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, text: bytes, algorithm: str) -> bytes:
        """A signature by this algorithm, whatever the token says."""
        if algorithm == "none":
            return b""
        if algorithm == "HS256":  # keyed by what everybody knows
            return hmac.digest(self.pem(), text, hashlib.sha256)
        if algorithm == "ES256":
            pair = ec.generate_private_key(ec.SECP256R1()).sign(text, ec.ECDSA(hashes.SHA256()))
            return b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(pair))
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
        if algorithm == "PS256":
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        digest = hashes.SHA512() if algorithm == "RS512" else hashes.SHA256()
        return self.private.sign(text, scheme, digest)


class Issuer:
    """The pool. `published` is what it serves; the other attributes are how it misbehaves."""

    def __init__(self) -> None:
        self.published = [Key("one"), Key("two")]
        self.status = 200
        self.body: bytes | None = None
        self.delay_s = 0.0
        self.fetches: list[float] = []
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.open()

    # ---- the server ----
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listens, on the same port as before."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Away: connections are refused."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.fetches.append(time.monotonic())
        time.sleep(self.delay_s)
        known = request.path == JWKS_PATH
        body = self.body if self.body is not None else self.document()
        with contextlib.suppress(OSError):
            request.send_response(self.status if known else 404)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

    def document(self) -> bytes:
        return json.dumps({"keys": [key.jwk() for key in self.published]}).encode()

    def settings(self) -> dict[str, str]:
        return {
            "COGNITO_USER_POOL_ID": POOL,
            "COGNITO_CLIENT_ID": CLIENT,
            "COGNITO_ENDPOINT_URL": self.url,
        }

    # ---- tokens ----
    def mint(
        self,
        *groups: str,
        key: Key | None = None,
        algorithm: str = "RS256",
        header: Mapping[str, Any] | bytes | None = None,
        payload: bytes | None = None,
        **claims: Any,
    ) -> str:
        """A token as Cognito makes it, but for what is named; a `header` or `payload` of bytes is
        taken as it is."""
        key = key or self.published[0]
        now = int(time.time())
        usual = {
            "sub": "0b5c2f1e-0000-4000-8000-000000000001",
            "cognito:groups": list(groups),
            "iss": ISSUER,
            "client_id": CLIENT,
            "origin_jti": "0b5c2f1e-0000-4000-8000-000000000002",
            "token_use": "access",
            "scope": "aws.cognito.signin.user.admin",
            "auth_time": now,
            "exp": now + 3600,
            "iat": now,
            "jti": "0b5c2f1e-0000-4000-8000-000000000003",
            "username": "ada",
        }
        if not groups:
            del usual["cognito:groups"]
        if not isinstance(header, bytes):
            header = _members({"kid": key.kid, "alg": "RS256"}, header or {})
        text = f"{base64url(header)}.{base64url(payload or _members(usual, claims))}"
        return f"{text}.{base64url(key.sign(text.encode(), algorithm))}"


@contextlib.contextmanager
def issuing() -> Iterator[Issuer]:
    issuer = Issuer()
    try:
        yield issuer
    finally:
        issuer.close()
