"""A stand-in for Cognito: moto's, with a signing key of this stack's own. Run by build/venv-local's
Python as `cognito_server.py KEY_FILE PORT`.

The key that moto brings along is published with its private half, so whoever reads moto's source
could sign in here as anybody. KEY_FILE is made at the first start."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from joserfc.jwk import RSAKey
from moto.cognitoidp import models, responses
from moto.server import main

# What moto writes into the header of every token.
KID = "dummy"


def own_key(file: Path) -> RSAKey:
    if not file.exists():
        made = RSAKey.generate_key(2048).as_dict(private=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            json.dump(made, output)
    return RSAKey.import_key(json.loads(file.read_text()))


def use_key(key: RSAKey) -> None:
    """Fails, instead of leaving moto's key in use, should moto look different one day."""
    theirs = models.CognitoIdpUserPool.__init__

    def init(self: models.CognitoIdpUserPool, *args: object, **options: object) -> None:
        theirs(self, *args, **options)  # type: ignore[arg-type]
        if not isinstance(self.json_web_key, RSAKey):
            raise RuntimeError("moto keeps its key somewhere else")
        self.json_web_key = key

    models.CognitoIdpUserPool.__init__ = init  # type: ignore[method-assign]
    public = {**key.as_dict(private=False), "kid": KID, "alg": "RS256", "use": "sig"}
    page = responses.CognitoIdpJsonWebKeyResponse
    if not isinstance(page.json_web_key, bytes):
        raise RuntimeError("moto publishes its keys in another way")
    page.json_web_key = json.dumps({"keys": [public]}).encode()


if __name__ == "__main__":
    use_key(own_key(Path(sys.argv[1])))
    main(["-H", "127.0.0.1", "-p", sys.argv[2]])
