"""The AWS stand-in of a stack that was started with --aws: credentials and secrets, and their
rotation. What it knows is in secrets/aws.json, which the server (aws_server.py) reads at each
request; the drills change that file."""

from __future__ import annotations

import http.client
import json
import secrets
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

from .folder import Folder, write_private
from .process import Process, free_port, start

SERVER = Path(__file__).with_name("aws_server.py")
ARN = "arn:aws:secretsmanager:us-east-2:000000000000:secret:cbu"
DATABASE, MIGRATE, APP = f"{ARN}/database", f"{ARN}/migrate", f"{ARN}/app"
COGNITO = f"{ARN}/cognito"
BUCKET = "cbu-images"
CREDENTIALS_LIFE_S = 3600


class Aws:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    def is_wanted(self) -> bool:
        return bool(self.folder.state.get("aws"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.folder.state['aws_port']}"

    def settings(self) -> dict[str, str]:
        return {
            "DATABASE_SECRET_ARN": DATABASE,
            "APP_JWT_SECRET_ARN": APP,
            "S3_BUCKET_NAME": BUCKET,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.folder.secret("aws-token"),
        }

    # ---- life ----
    def start(self) -> Process:
        self.folder.save(aws_port=free_port(self.folder.state.get("aws_port")))
        return start(
            [sys.executable, str(SERVER), str(self._file), str(self.folder.state["aws_port"])],
            pid_file=self.folder.pid_file("aws"),
            log=self.folder.log("aws"),
            owner=self.folder.owner,
            cwd=self.folder.path,
        )

    def stop(self, process: Process) -> bool:
        return process.stop(signal.SIGTERM, 10)

    def is_ready(self) -> bool:
        """It answers at all; what, without a token, is a refusal."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.folder.state["aws_port"], timeout=5
        )
        try:
            connection.request("GET", "/credentials")
            return connection.getresponse().status == 401
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    # ---- what it knows ----
    @property
    def _file(self) -> Path:
        return self.folder.path / "secrets" / "aws.json"

    def _load(self) -> dict[str, Any]:
        if self._file.exists():
            return dict(json.loads(self._file.read_text()))
        return {"token": self.folder.secret("aws-token"), "keys": [], "secrets": {}}

    def _save(self, state: dict[str, Any]) -> None:
        write_private(self._file, json.dumps(state, indent=2) + "\n")

    def prepare(self, logins: dict[str, tuple[str, str]]) -> None:
        """The first versions, once; `logins` are user and password of the database secrets."""
        self.folder.secret("aws-token")
        state = self._load()
        state["life_s"] = CREDENTIALS_LIFE_S
        state["bucket"] = BUCKET
        for arn, (user, password) in logins.items():
            if arn not in state["secrets"]:
                _put(state, arn, json.dumps({"username": user, "password": password}))
        if APP not in state["secrets"]:
            _put(state, APP, json.dumps({"key": self.folder.secret("app-jwt")}))
        if not state["keys"]:
            _add_key(state)
        self._save(state)

    def put_login(self, arn: str, user: str, password: str) -> None:
        state = self._load()
        _put(state, arn, json.dumps({"username": user, "password": password}))
        self._save(state)

    def put_client_secret(self, secret: str) -> None:
        state = self._load()
        _put(state, COGNITO, json.dumps({"client_secret": secret}))
        self._save(state)

    def rotate_app_key(self) -> None:
        state = self._load()
        _put(state, APP, json.dumps({"key": secrets.token_hex(32)}))
        self._save(state)

    def rotate_credentials(self) -> None:
        state = self._load()
        _add_key(state)
        self._save(state)


def _put(state: dict[str, Any], arn: str, text: str) -> None:
    versions = state["secrets"].setdefault(arn, {})
    if "AWSCURRENT" in versions:
        versions["AWSPREVIOUS"] = versions["AWSCURRENT"]
    versions["AWSCURRENT"] = {"VersionId": str(uuid.uuid4()), "SecretString": text}


def _add_key(state: dict[str, Any]) -> None:
    key = {
        "AccessKeyId": "ASIA" + secrets.token_hex(8).upper(),
        "SecretAccessKey": secrets.token_hex(20),
        "Token": secrets.token_urlsafe(300),
    }
    # AWS takes the old ones until they expire; here they are revoked, which is harder to live with.
    state["keys"] = [key]
