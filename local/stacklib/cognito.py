"""The Cognito stand-in of a stack that was started with --sign-in: a user pool, its app client with
a secret, the groups, and a demo user in each. Its state is in memory, so it is made anew at every
start; accounts made meanwhile are gone then, and the client has another secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import signal
from pathlib import Path
from typing import Any

from .folder import Folder
from .process import Process, StackError, free_port, start

SERVER = Path(__file__).with_name("cognito_server.py")
PYTHON = Path(__file__).resolve().parents[2] / "build/venv-local/bin/python"
REGION = "us-east-2"
# Each with a demo user of its own; the one without a group may only read.
USERS = {"admins": "admin", "editors": "editor", None: "customer"}
GROUPS = tuple(group for group in USERS if group)


class Cognito:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    def is_wanted(self) -> bool:
        return bool(self.folder.state.get("sign_in"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.folder.state['cognito_port']}"

    @property
    def client_secret(self) -> str:
        return str(self.folder.state["cognito_client_secret"])

    def settings(self) -> dict[str, str]:
        """But for the client's secret."""
        if not self.is_wanted:
            return {}
        return {
            "COGNITO_USER_POOL_ID": self.folder.state["cognito_pool"],
            "COGNITO_CLIENT_ID": self.folder.state["cognito_client"],
            "COGNITO_ENDPOINT_URL": self.url,
        }

    @property
    def password(self) -> str:
        """Of every demo user of this stack; the letters in front are for the pool's rules."""
        return "Demo-1" + self.folder.secret("demo-users")[:24]

    # ---- life ----
    @staticmethod
    def find() -> None:
        """An error unless it can be started."""
        if not PYTHON.exists():
            raise StackError(f"{PYTHON} is missing; `local/setup sign-in` makes it")

    def start(self) -> Process:
        self.folder.save(cognito_port=free_port(self.folder.state.get("cognito_port")))
        key = self.folder.path / "secrets" / "cognito-key.json"
        key.parent.mkdir(mode=0o700, exist_ok=True)
        return start(
            [PYTHON, SERVER, key, str(self.folder.state["cognito_port"])],
            pid_file=self.folder.pid_file("cognito"),
            log=self.folder.log("cognito"),
            owner=self.folder.owner,
            cwd=self.folder.path,
            # Ids that follow from what is made: a restart of this part alone changes none.
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder.path),
                "MOTO_COGNITO_IDP_USER_POOL_ID_STRATEGY": "HASH",
                "MOTO_COGNITO_IDP_USER_POOL_CLIENT_ID_STRATEGY": "HASH",
            },
        )

    def stop(self, process: Process) -> bool:
        return process.stop(signal.SIGTERM, 10)

    def is_ready(self) -> bool:
        connection = self._connect(5)
        try:
            connection.request("GET", "/any/.well-known/jwks.json")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    # ---- what is in it ----
    def prepare(self) -> None:
        pool = self._call("CreateUserPool", PoolName="cbu")["UserPool"]["Id"]
        client = self._call(
            "CreateUserPoolClient",
            UserPoolId=pool,
            ClientName="cbu",
            GenerateSecret=True,
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )["UserPoolClient"]
        self.folder.save(
            cognito_pool=pool,
            cognito_client=client["ClientId"],
            cognito_client_secret=client["ClientSecret"],
        )
        for group, user in USERS.items():
            self._call(
                "AdminCreateUser",
                UserPoolId=pool,
                Username=user,
                MessageAction="SUPPRESS",
                UserAttributes=[{"Name": "email", "Value": f"{user}@example.com"}],
            )
            self._call(
                "AdminSetUserPassword",
                UserPoolId=pool,
                Username=user,
                Password=self.password,
                Permanent=True,
            )
            if group:
                self._call("CreateGroup", UserPoolId=pool, GroupName=group)
                self._call("AdminAddUserToGroup", UserPoolId=pool, Username=user, GroupName=group)

    def token(self, group: str | None) -> str:
        """An access token of the demo user in this group."""
        if not self.is_wanted:
            raise StackError("only a stack that was started with --sign-in has users")
        user, client = USERS[group], self.folder.state["cognito_client"]
        mac = hmac.digest(self.client_secret.encode(), f"{user}{client}".encode(), hashlib.sha256)
        answer = self._call(
            "InitiateAuth",
            ClientId=client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={
                "USERNAME": user,
                "PASSWORD": self.password,
                "SECRET_HASH": base64.b64encode(mac).decode(),
            },
        )
        return str(answer["AuthenticationResult"]["AccessToken"])

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        port = self.folder.state["cognito_port"]
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        connection = self._connect(30)
        scope = f"local/20260101/{REGION}/cognito-idp/aws4_request"
        fields = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
            # moto checks no signature, but takes the region from it.
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
            "Signature=0",
        }
        try:
            connection.request("POST", "/", json.dumps(parameters), fields)
            response = connection.getresponse()
            body = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise StackError(f"the Cognito stand-in does not answer: {error}") from None
        finally:
            connection.close()
        if response.status != 200:
            raise StackError(f"the Cognito stand-in refuses {operation}: {body[:300]}")
        return dict(json.loads(body or "{}"))
