"""A service with secrets, as local/stack starts it: in a shell that is set up for work on a real
account, with nothing to complain of, without its database; and what is said of a rotation."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nginx_server import ROOT
from stacks import Service, Stack, status_page, wait_for

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


def test_a_healthy_start_has_nothing_to_complain_of(stack: Stack) -> None:
    """An ERROR at each start would be an alarm at each deployment."""
    events = [json.loads(line) for line in stack.app_log().split("\n")[:-1]]
    # What is said of this machine, not of the start: who runs it, and its kernel's limits.
    others = {"serve.root", "config.rule_broken"}
    loud = [event for event in events if event["level"] != "INFO" and event["event"] not in others]
    assert loud == []
    assert [event["state"] for event in events if event["event"] == "database.state"] == ["up"]


def test_a_shell_with_aws_of_somebody_else(stack: Stack) -> None:
    """It is up, so it is ready; and what it uses is the stand-ins'."""
    status = stack.status()
    assert status["secrets"]["missing"] == ""
    assert status["secrets"]["credentials_left_s"] > 0
    assert status["keys"]["state"] == "known"
    wait_for(lambda: stack.status()["bucket"]["state"] == "up", "the bucket")
    log = stack.app_log()
    assert "somebody" not in log and "eu-west-1" not in log


@contextlib.contextmanager
def database_away(stack: Stack) -> Iterator[Callable[[], str]]:
    """Yields what starts it again, which is done at the end in any case."""
    stack.command("stop", "database")
    try:
        yield lambda: stack.command("start", "database")
    finally:
        with contextlib.suppress(AssertionError):  # it is up
            stack.command("start", "database")


def test_a_start_without_the_database(stack: Stack) -> None:
    """What is missing is the database, not its password; and it is ready as soon as it is back."""
    names = ("DATABASE_URL", "DATABASE_SECRET_ARN", "APP_JWT_SECRET_ARN")
    settings = {
        name: value for name, value in stack.env.items() if name in names or name.startswith("AWS_")
    }
    with (
        database_away(stack) as bring_back,
        Service(with_nginx=False, **settings) as service,
    ):

        def checks() -> dict[str, dict[str, object]]:
            path = Path(service.settings["STATUS_SOCKET"])
            return dict(status_page(path, "/health/ready").json()["checks"])

        wait_for(lambda: checks()["secrets"]["ok"], "the secrets")
        wait_for(lambda: checks()["database"]["detail"] == "down", "a look at the database")
        assert "connect" in service.status()["database"]["error"]
        assert service.status()["secrets"]["error"] == ""
        assert service.events("secret.failed") == []
        bring_back()
        wait_for(lambda: checks()["database"]["ok"], "the database")


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
