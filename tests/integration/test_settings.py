"""The command line and its settings: help, faults, and what is never shown."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from catalogue import Catalogue
from nginx_server import ROOT
from stacks import (
    CBU,
    EX_CONFIG,
    EX_UNAVAILABLE,
    EX_USAGE,
    Service,
    is_alive,
    plain_environment,
    run_cbu,
    wait_for,
)

COMMANDS = ["serve", "status", "healthcheck", "migrate", "import", "config", "openapi", "version"]
# Enough for every command; nobody is there to answer.
GOOD = {
    "DATABASE_URL": "mysql://user:password-of-the-database@127.0.0.1:1/name",
    "APP_JWT_SECRET": "a secret of thirty-two characters",
}
BAD_VALUES: dict[str, list[str]] = {
    "DATABASE_URL": [
        *(
            "nonsense",
            "http://u:p@h/n",
            "mysql://h/n",
            "mysql://u@h",
            "mysql://u@h/",
            "mysql://@h/n",
        ),
        *("mysql://u:p@/n", "mysql://u:p@h:0/n", "mysql://u:p@h:65536/n", "mysql://u:p@h:x/n"),
        *("mysql://u:%zz@h/n", "mysql://u:%00@h/n", "mysql://u:p@h/n?socket=relative"),
        *("mysql://u:p@h/n?sslmode=disable", "mysql://u:p@h/n?socket=/" + "x" * 107, "x" * 2049),
        "mysql://u:p@h/n?socket=",
    ],
    "MIGRATE_DATABASE_URL": ["nonsense", "mysql://h/n"],
    "DATABASE_CA_FILE": ["x" * 1025],
    "DATABASE_CONNECT_TIMEOUT_S": ["0", "61", "-1", "2s", "1.5", " 2", "2 ", "0x2", "02", "+2"],
    "DATABASE_IO_TIMEOUT_S": ["0", "301", "9" * 30],
    "DATABASE_IDLE_S": ["0", "28801"],
    "DATABASE_MAX_AGE_S": ["9", "86401"],
    "MIGRATIONS_DIR": ["x" * 1025],
    "APP_JWT_SECRET": ["short", "x" * 31, "x" * 4097],
    **{
        name: ["x" * 2049]
        for name in (
            *("DATABASE_SECRET_ARN", "MIGRATE_DATABASE_SECRET_ARN", "APP_JWT_SECRET_ARN"),
            *("COGNITO_CLIENT_SECRET_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        )
    },
    **{
        name: ["x" * 1025]
        for name in (
            *("AWS_CA_BUNDLE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONFIG_FILE"),
            "AWS_SHARED_CREDENTIALS_FILE",
        )
    },
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": ["127.0.0.1:5000", "ftp://x", "https://x/", "x" * 1025],
    "AWS_ENDPOINT_URL_S3": ["127.0.0.1:5000", "https://x/"],
    "COGNITO_USER_POOL_ID": ["no pool", "us-east-2", "x" * 129],
    "COGNITO_CLIENT_ID": ["x" * 129],
    "COGNITO_CLIENT_SECRET": ["x" * 4097],
    "COGNITO_ENDPOINT_URL": ["http://cognito.example", "https://x/", "ftp://x", "127.0.0.1:1"],
    "COGNITO_JWKS_URL": ["http://cognito.example/jwks", "https://user@x/", "x" * 1025],
    "JWKS_REFRESH_S": ["0", "86401"],
    "JWKS_MAX_AGE_S": ["0", "604801"],
    "TOKEN_LEEWAY_S": ["-1", "301"],
    "S3_BUCKET_NAME": ["ab", "Images"],
    "SECRETS_INTERVAL_S": ["0", "86401"],
    "AWS_REGION": ["x" * 65],
    "AWS_ACCESS_KEY_ID": ["x" * 129],
    "AWS_SECRET_ACCESS_KEY": ["x" * 257],
    "AWS_SESSION_TOKEN": ["x" * 8193],
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": ["x" * 8193],
    "AWS_PROFILE": ["x" * 257],
    "SHOP_CURRENCY": ["usd", "US", "USDX", "U5D", "€€€"],
    "LOG_LEVEL": ["info", "TRACE", "INFO ", "1"],
    "WORKERS": ["0", "65", "-1", "eight", "8.0"],
    "FCGI_SOCKET": ["relative.sock", "/" + "x" * 107, "x"],
    "FCGI_BACKLOG": ["0", "65536"],
    "STATUS_SOCKET": ["relative.sock", "/" + "x" * 107],
    "STOP_TIMEOUT_S": ["0", "111"],
    "KEEPER_INTERVAL_MS": ["99", "60001"],
}
SECRETS = {
    *("DATABASE_URL", "MIGRATE_DATABASE_URL", "APP_JWT_SECRET", "COGNITO_CLIENT_SECRET"),
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
}


def settings_of_the_help() -> list[str]:
    done = run_cbu("config", "--help")
    return re.findall(r"^  ([A-Z][A-Z0-9_]+) ", done.stdout, re.MULTILINE)


# ---- help and usage ----
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_of_a_command(command: str, option: str) -> None:
    done = run_cbu(command, option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: cbu {command}")
    assert run_cbu("help", command).stdout == done.stdout
    if command in ("serve", "config"):
        assert set(BAD_VALUES) <= set(re.findall("[A-Z][A-Z0-9_]+", done.stdout))


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"]])
def test_help(arguments: list[str]) -> None:
    done = run_cbu(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  ([a-z]+) ", done.stdout, re.MULTILINE)
    assert listed == COMMANDS


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["nonsense"], ["help", "me"], ["SERVE"], [""], ["serve", "now"], ["status", "--xml"]),
        *(["config", "--yaml"], ["migrate", "all"], ["version", "2"], ["healthcheck", "x"]),
        *(["status", "--json", "--json"], ["import"], ["import", "a", "b"]),
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = run_cbu(*arguments, **GOOD)
    assert (done.returncode, done.stdout) == (EX_USAGE, "")
    assert done.stderr.startswith("cbu") or "usage: cbu" in done.stderr


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_version(argument: str) -> None:
    done = run_cbu(argument)
    version = (ROOT / "VERSION").read_text().strip()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"cbu {re.escape(version)}(\+[0-9a-f]+)?\n", done.stdout)


def test_every_setting_is_in_the_help_and_in_this_test() -> None:
    assert sorted(settings_of_the_help()) == sorted(BAD_VALUES)


# ---- faults ----
@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_VALUES.items() for value in values],
    ids=lambda text: text[:30],
)
def test_bad_value(name: str, value: str) -> None:
    for command in ("serve", "config"):
        done = run_cbu(command, **{**GOOD, name: value})
        assert (done.returncode, done.stdout) == (EX_CONFIG, "")
        lines = [line for line in done.stderr.splitlines() if line.startswith(name)]
        assert len(lines) == 1 == len(done.stderr.splitlines()) - 1, done.stderr
        # The value, or the beginning of a long one, is told, unless it is secret.
        assert (value[:60] in lines[0]) == (name not in SECRETS)


def test_all_faults_are_told_at_once() -> None:
    done = run_cbu("serve", **{name: values[0] for name, values in BAD_VALUES.items()})
    assert done.returncode == EX_CONFIG
    told = re.findall(r"^([A-Z0-9_]+)(?:=[^\n]*)?: ", done.stderr, re.MULTILINE)
    assert sorted(told) == sorted(BAD_VALUES)


@pytest.mark.parametrize("missing", list(GOOD))
@pytest.mark.parametrize("empty", [False, True])
def test_required_setting(missing: str, empty: bool) -> None:
    settings = {name: value for name, value in GOOD.items() if name != missing}
    done = run_cbu("serve", **settings, **({missing: ""} if empty else {}))
    assert done.returncode == EX_CONFIG
    assert f"{missing}: is required and not set" in done.stderr


def test_commands_ask_for_what_they_need_only(tmp_path: Path) -> None:
    sockets = {"STATUS_SOCKET": str(tmp_path / "status.sock")}
    assert run_cbu("status", **sockets).returncode == EX_UNAVAILABLE
    assert run_cbu("healthcheck", **sockets).returncode == 1
    for command in (["migrate"], ["import", "-"]):
        done = run_cbu(*command)
        assert done.returncode == EX_CONFIG
        assert "DATABASE_URL: is required" in done.stderr and "APP_JWT" not in done.stderr


def test_empty_value_counts_as_not_set() -> None:
    plain = run_cbu("config", **GOOD)
    optional = {name: "" for name in BAD_VALUES if name not in GOOD}
    assert run_cbu("config", **{**GOOD, **optional}).stdout == plain.stdout


# ---- what is shown ----
def test_config_shows_every_setting_and_no_secret() -> None:
    values = {
        **GOOD,
        "MIGRATE_DATABASE_URL": "mysql://admin:other-password@host/name",
        **{name: f"password-{name}" for name in SECRETS - {*GOOD, "MIGRATE_DATABASE_URL"}},
        "WORKERS": "3",
        "LOG_LEVEL": "WARN",
        "SHOP_CURRENCY": "EUR",
    }
    done = run_cbu("config", **values)
    assert (done.returncode, done.stderr) == (0, "")
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert list(shown) == settings_of_the_help()
    assert {shown[name] for name in SECRETS} == {"***"}
    assert (shown["WORKERS"], shown["LOG_LEVEL"], shown["SHOP_CURRENCY"]) == ("3", "WARN", "EUR")
    assert "password" not in done.stdout


def test_markdown_needs_no_settings_and_shows_none() -> None:
    done = run_cbu("config", "--markdown", **GOOD)
    assert done.stdout == run_cbu("config", "--markdown").stdout
    assert re.findall(r"^\| `([A-Z0-9_]+)` \|", done.stdout, re.MULTILINE) == settings_of_the_help()


def test_no_secret_leaves_a_running_service(catalogue: Catalogue) -> None:
    settings = {**catalogue.stack.settings, "LOG_LEVEL": "DEBUG", "WORKERS": "2"}
    password = unquote(urlsplit(settings["DATABASE_URL"]).password or "")
    hidden = [password, settings["APP_JWT_SECRET"]]
    assert all(len(secret) >= 32 for secret in hidden)
    with Service(**settings) as service:
        service.wait_until_ready()
        with service.client() as client:
            texts = [
                client.get(target).body.decode()
                for target in (
                    "/",
                    "/status",
                    "/health/ready",
                    "/v1/products?limit=x",
                    "/v1/products",
                )
            ]
        texts += [
            output
            for command in (["status"], ["status", "--json"], ["config"], ["healthcheck"])
            for done in [service.run_cbu(*command)]
            for output in (done.stdout, done.stderr)
        ]
        pids = [service.process.pid, *service.workers().values()]
        texts += [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
        texts += [service.log(), service.nginx.error_log()]
        assert service.events("request.done") and service.events("request.failed")
        for secret in hidden:
            assert not any(secret in text for text in texts)


# ---- the log ----
def test_log_lines(catalogue: Catalogue) -> None:
    settings = {**catalogue.stack.settings, "LOG_LEVEL": "DEBUG", "WORKERS": "1"}
    with Service(**settings) as service, service.client() as client:
        answer = client.get("/v1/products?limit=1", **{"X-Amzn-Trace-Id": "Root=1-2-3"})
        request_id = answer.headers["X-Request-Id"]
        [event] = wait_for(lambda: service.events("request.done"), "request.done")
        time = event.pop("time")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
        assert event.pop("bytes") == len(answer.body)
        assert event == {
            "level": "DEBUG",
            "event": "request.done",
            "request_id": request_id,
            "trace_id": "Root=1-2-3",
            "method": "GET",
            "path": "/v1/products",
            "status": 200,
        }
        problem = client.get("/v1/products/0?x=1").json()
        [event] = wait_for(lambda: service.events("request.failed"), "request.failed")
        assert event["request_id"] == problem["request_id"]
        assert (event["status"], event["code"]) == (problem["status"], problem["code"])
        assert "trace_id" not in event


@pytest.mark.parametrize("level", ["INFO", "WARN", "ERROR"])
def test_log_level(catalogue: Catalogue, level: str, tmp_path: Path) -> None:
    """Started by hand: the fixture's service would wait for an event of level INFO."""
    settings = {**catalogue.stack.settings, "LOG_LEVEL": level, "WORKERS": "1"}
    sockets = {name: str(tmp_path / name) for name in ("FCGI_SOCKET", "STATUS_SOCKET")}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [CBU, "serve"],
            cwd=ROOT,
            env=plain_environment(**settings, **sockets),
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(
            lambda: run_cbu("healthcheck", **sockets).returncode == 0, "the master to be alive"
        )
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    levels = ["DEBUG", "INFO", "WARN", "ERROR"]
    seen = set(re.findall(r'"level":"([A-Z]+)"', log.read_text()))
    assert seen <= set(levels[levels.index(level) :])
    assert ("INFO" in seen) == (level == "INFO")


# ---- sockets ----
def test_second_service_on_a_live_socket_is_refused(catalogue: Catalogue) -> None:
    settings = {**catalogue.stack.settings, "WORKERS": "1"}
    with Service(**settings) as service, service.client() as client:
        done = service.run_cbu("serve")
        assert done.returncode == EX_CONFIG
        assert str(service.folder / "fcgi.sock") in done.stdout and "in use" in done.stdout
        other = service.folder / "other.sock"
        own = {**service.settings, "FCGI_SOCKET": str(other)}
        done = run_cbu("serve", **own)
        assert done.returncode == EX_CONFIG
        assert str(service.folder / "status.sock") in done.stdout and "in use" in done.stdout
        assert not other.exists(), "what it had opened already is gone again"
        assert client.get("/v1/products").status == 200
        assert service.page("/health/live").status == 200


def test_stale_sockets_are_replaced(catalogue: Catalogue) -> None:
    settings = {**catalogue.stack.settings, "WORKERS": "1"}
    with Service(**settings) as first:
        workers = wait_for(first.workers, "a worker")
        first.process.kill()
        first.wait()
        # They end with their master, but a moment later, and listen until then.
        wait_for(lambda: not any(is_alive(pid) for pid in workers.values()), "their end")
        paths = [first.folder / name for name in ("fcgi.sock", "status.sock")]
        assert all(path.is_socket() for path in paths)
        sockets = {name: first.settings[name] for name in ("FCGI_SOCKET", "STATUS_SOCKET")}
        with (
            Service(with_nginx=False, **{**settings, **sockets}) as second,
            first.client() as client,
        ):
            assert client.get("/status").json()["pid"] == second.process.pid
            assert client.get("/v1/products").status == 200


@pytest.mark.parametrize("kind", ["file", "folder", "link", "no folder"])
def test_path_that_cannot_be_a_socket(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "fcgi.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path = tmp_path / "absent/fcgi.sock"
    done = run_cbu(
        "serve", **GOOD, FCGI_SOCKET=str(path), STATUS_SOCKET=str(tmp_path / "status.sock")
    )
    assert done.returncode == EX_CONFIG
    assert str(path) in done.stdout
    if kind == "file":
        assert path.read_text() == "precious"


def test_sockets_are_for_the_group_too(catalogue: Catalogue) -> None:
    with Service(with_nginx=False, WORKERS="1", **catalogue.stack.settings) as service:
        for name in ("fcgi.sock", "status.sock"):
            assert (service.folder / name).stat().st_mode & 0o777 == 0o660


def test_sockets_of_a_successor_stay(catalogue: Catalogue) -> None:
    """A service that ends must not remove what the next one has put in its place."""
    settings = {**catalogue.stack.settings, "WORKERS": "1"}
    with Service(with_nginx=False, **settings) as service:
        path = service.folder / "status.sock"
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
            service.process.terminate()
            assert service.wait() == 0
            assert path.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_ordinary_user() -> None:
    nobody = 65534
    if any(not parent.stat().st_mode & 0o001 for parent in CBU.parents):
        pytest.skip(f"{CBU} is closed to other users")
    # Not below pytest's own folders, which are closed to other users.
    with tempfile.TemporaryDirectory(prefix="cbu-user-", dir="/tmp") as name:
        os.chown(name, nobody, nobody)
        run_as(nobody, Path(name))


def run_as(user: int, folder: Path) -> None:
    sockets = {
        "FCGI_SOCKET": str(folder / "fcgi.sock"),
        "STATUS_SOCKET": str(folder / "status.sock"),
    }
    process = subprocess.Popen(
        [CBU, "serve"],
        cwd="/",
        env=plain_environment(**GOOD, **sockets, WORKERS="1"),
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        group=user,
        extra_groups=[],
    )
    try:
        wait_for(
            lambda: run_cbu("healthcheck", **sockets).returncode == 0, "the master to be alive"
        )
        process.terminate()
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "serve.started" in output and "serve.root" not in output
