"""local/stack in a shell that is set up for work on a real account; what it says of a rotation."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from nginx_server import ROOT
from stacks import Stack, wait_for

# Each of these alone kept the service from the stand-in, or made it refuse its settings.
SHELL = {
    "AWS_ACCESS_KEY_ID": "AKIDOFSOMEBODY",
    "AWS_SECRET_ACCESS_KEY": "key-of-somebody",
    "AWS_SESSION_TOKEN": "token-of-somebody",
    "AWS_PROFILE": "work",
    "AWS_REGION": "eu-west-1",
    "AWS_CA_BUNDLE": "/nonexistent",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/nowhere",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nonexistent",
    "COGNITO_JWKS_URL": "http://127.0.0.1:1/jwks",
    "COGNITO_CLIENT_SECRET": "secret-of-somebody",
    "APP_JWT_SECRET": "an application secret of somebody",
    "DATABASE_SECRET_ARN": "of/somebody",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("local") / "data"
    with Stack(data, "--empty", "--workers", "1", "--aws", "--sign-in", **SHELL) as made:
        yield made


def test_a_shell_with_aws_of_somebody_else(stack: Stack) -> None:
    """It is up, so it is ready; and what it uses is the stand-ins'."""
    status = stack.status()
    assert status["secrets"]["missing"] == ""
    assert status["secrets"]["credentials_left_s"] > 0
    assert status["keys"]["state"] == "known"
    wait_for(lambda: stack.status()["bucket"]["state"] == "up", "the bucket")
    log = stack.app_log()
    assert "somebody" not in log and "eu-west-1" not in log


@pytest.mark.parametrize("what", ["database", "app-key", "credentials"])
def test_a_rotation_says_what_it_did(stack: Stack, what: str) -> None:
    said = stack.command("rotate", what)
    assert said.startswith(f"{what}: ") and "noticed" in said
    assert f"kill -HUP {stack.status()['pid']}" in said


def test_a_rotation_that_nobody_would_hear_of_is_refused(stack: Stack) -> None:
    stack.command("stop", "aws")
    done = subprocess.run(
        [ROOT / "local/stack", "rotate", "database", "--data", stack.data],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "local/stack start aws" in done.stderr
    stack.command("start", "aws")
    stack.command("rotate", "database")
