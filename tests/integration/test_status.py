"""The master's own listener: liveness, readiness, the status page, and who reads them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue import Catalogue
from checks import MEMBERS
from nginx_server import read_all, read_answer
from stacks import CBU, EX_UNAVAILABLE, PATIENCE_S, Service, plain_environment, wait_for

# More than the listener serves at the same time.
SILENT_CLIENTS = 20


@pytest.fixture(scope="module")
def service(catalogue: Catalogue) -> Iterator[Service]:
    with Service(WORKERS="3", **catalogue.stack.settings) as service:
        service.wait_until_ready()
        yield service


def connect(service: Service) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    # With a timeout a full queue would be an error at once.
    connection.connect(str(service.folder / "status.sock"))
    connection.settimeout(PATIENCE_S)
    return connection


def test_liveness(service: Service) -> None:
    answer = service.page("/health/live")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})
    assert answer.headers.get_all("Cache-Control") == ["no-store"]


def test_readiness(service: Service) -> None:
    answer = service.page("/health/ready")
    assert answer.status == 200
    page = answer.json()
    assert page["status"] == "ready"
    assert {name: check["ok"] for name, check in page["checks"].items()} == {
        "database": True,
        "secrets": True,
        "workers": True,
        "pool": True,
    }


def test_status_page(service: Service, catalogue: Catalogue) -> None:
    before = sum(worker["requests"] for worker in service.status()["workers"]["list"])
    with service.client() as client:
        for _ in range(20):
            assert client.get("/v1/products?limit=1").status == 200

    def has_counted() -> bool:
        workers = service.status()["workers"]["list"]
        return sum(worker["requests"] for worker in workers) == before + 20

    # A worker counts an answer a moment after its client has it.
    wait_for(has_counted, "20 requests more")
    page = service.status()
    assert page["pid"] == service.process.pid
    assert page["stopping"] is False
    assert page["uptime_s"] >= 0
    workers = page["workers"]
    assert (workers["limit"], workers["idle"], workers["busy"]) == (3, 3, 0)
    assert [worker["slot"] for worker in workers["list"]] == [0, 1, 2]
    assert all(worker["state"] == "idle" for worker in workers["list"])
    assert sum(worker["database_connects"] for worker in workers["list"]) <= 3
    assert set(page["restarts"].values()) == {0}
    assert page["keeper"]["pid"] > 0
    database = page["database"]
    assert database["state"] == "up" and database["error"] == ""
    assert database["schema_version"] >= database["schema_version_needed"]
    version = catalogue.sql.value("SELECT VERSION()").split("-")[0]
    kind = {"mariadb": "MariaDB", "mysql": "MySQL"}[catalogue.stack.env["DB"]]
    assert database["server"] == f"{kind} {version}"


def test_status_through_nginx(service: Service) -> None:
    with service.client() as client:
        assert client.get("/status").json()["pid"] == service.process.pid
        assert client.get("/health/ready").status == 200
        assert client.get("/health/live").status == 200


# ---- clients of every kind ----
@pytest.mark.parametrize("target", ["/health/live", "/health/ready", "/status", "/nothing"])
def test_head(service: Service, target: str) -> None:
    get, head = service.page(target), service.page(target, "HEAD")
    assert (head.status, head.body) == (get.status, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW", "get"])
def test_method_that_is_not_allowed(service: Service, method: str) -> None:
    answer = service.page("/status", method)
    assert answer.status == 405
    assert answer.headers.get_all("Allow") == ["GET, HEAD"]
    assert set(answer.json()) == MEMBERS


@pytest.mark.parametrize("target", ["/", "/status/", "/Status", "/health", "//status", "/%73tatus"])
def test_path_that_is_not_there(service: Service, target: str) -> None:
    answer = service.page(target)
    assert answer.status == 404
    assert set(answer.json()) == MEMBERS


@pytest.mark.parametrize("target", ["/status?x=1", "http://a/status", "/status?"])
def test_query_and_authority_are_nothing(service: Service, target: str) -> None:
    assert service.page(target).status == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET /status\r\n\r\n", 400),
        (b"GET /status HTTP/2.0\r\n\r\n", 400),
        (b"GET status HTTP/1.1\r\n\r\n", 400),
        (b"GET  HTTP/1.1\r\n\r\n", 400),
        (b"GET /st\x00atus HTTP/1.1\r\n\r\n", 400),
        (b"\xff\xfe\x00\r\n\r\n", 400),
        (b"GET /status HTTP/1.1\r\n\r\nGET /health/live HTTP/1.1\r\n\r\n", 200),
        (b"GET /status HTTP/1.0\r\n\r\n", 200),
        (b"GET /status HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 200),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", None),
        (b"x" * 10_000, None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_raw_request(service: Service, data: bytes, status: int | None) -> None:
    with connect(service) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        received = read_all(connection)
    # More than the listener reads may cost the answer, but nothing else.
    if status is not None and len(data) < 4096:
        assert received.startswith(f"HTTP/1.1 {status} ".encode())
        assert received.count(b"HTTP/1.1 ") == 1
        assert b"Connection: close" in received
    assert not received.startswith(b"HTTP/1.1 5")
    assert service.page("/health/live").status == 200


def test_request_in_pieces(service: Service) -> None:
    with connect(service) as connection:
        for byte in b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert read_answer(connection).json() == {"status": "ok"}


def test_silent_clients_keep_nobody_out_for_ever(service: Service) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(SILENT_CLIENTS):
            stack.enter_context(connect(service))
        # The listener hangs up on them one after the other.
        assert service.page("/health/live").status == 200


def test_client_that_hangs_up(service: Service) -> None:
    for data in (b"", b"GET /sta", b"GET /status HTTP/1.1\r\n\r\n"):
        for _ in range(50):
            with connect(service) as connection:
                connection.sendall(data)
    assert service.page("/health/live").status == 200


# ---- pages for machines, and for people ----
def test_metrics_are_those_of_the_status_page(service: Service) -> None:
    with service.client() as client:
        answer = client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    text = answer.body.decode()
    assert text.endswith("# EOF\n")
    samples: dict[str, float] = {}
    families: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            family = line.split()[2]
            assert family not in families, "one family, one block"
            families.add(family)
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in samples
            assert re.sub(r"(_(total|bucket|sum|count|info))?(\{.*)?$", "", name) in families
            samples[name] = float(value)
    page = service.status()
    assert samples["cbu_workers_limit"] == page["workers"]["limit"]
    assert samples['cbu_restarts_total{cause="crashes"}'] == page["restarts"]["crashes"]
    assert samples["cbu_requests_total"] <= page["totals"]["requests"]
    assert samples['cbu_service_seconds_bucket{le="+Inf"}'] == samples["cbu_service_seconds_count"]
    assert samples["cbu_database_up"] == 1


def test_page_for_people(service: Service) -> None:
    with service.client() as client:
        answer = client.get("/status.html")
    assert answer.status == 200
    assert answer.headers.get_all("Content-Type") == ["text/html; charset=utf-8"]
    # Its own policy, and no second one of nginx's.
    [policy] = answer.headers.get_all("Content-Security-Policy") or []
    assert "script" not in policy and policy.startswith("default-src 'none'")
    page = answer.body.decode()
    assert "http-equiv=refresh" in page and "<script" not in page
    assert str(service.process.pid) in page


def test_metrics_for_cloudwatch(catalogue: Catalogue) -> None:
    settings = {**catalogue.stack.settings, "METRICS_INTERVAL_S": "1", "WORKERS": "2"}
    with Service(**settings) as service:
        with service.client() as client:
            for _ in range(10):
                assert client.get("/v1/products?limit=1").status == 200

        def requests() -> int:
            return sum(event["Requests"] for event in service.events("pool.metrics"))

        wait_for(lambda: requests() == 10, "metrics of 10 requests")
        event = service.events("pool.metrics")[-1]
        [directive] = event["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "cbu"
        for metric in directive["Metrics"]:
            assert event[metric["Name"]] >= 0
        assert event["WorkersLimit"] == 2


# ---- the commands that ask ----
def test_status_command(service: Service) -> None:
    done = service.run_cbu("status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    page = json.loads(done.stdout)
    assert set(page) == set(service.status())
    assert page["pid"] == service.process.pid
    done = service.run_cbu("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert page["database"]["server"] in done.stdout
    for line in ("secrets   known  ", "bucket    none  ", "keys      none  0  "):
        assert f"\n{line}" in done.stdout
    for worker in page["workers"]["list"]:
        assert re.search(rf"^ +{worker['slot']} +{worker['pid']} +idle", done.stdout, re.MULTILINE)


def test_watch_command(service: Service) -> None:
    watching = subprocess.Popen(
        [CBU, "status", "--watch"],
        env=plain_environment(**service.settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    with watching:
        assert watching.stdout is not None
        pages = 0
        while pages < 2:
            line = watching.stdout.readline()
            assert line, "it ended"
            pages += line.startswith("cbu ")
        watching.terminate()


def test_orders_are_for_the_owner_alone(service: Service) -> None:
    """Whoever may read the status, as nginx does, may not change the pool by that."""
    if os.geteuid() != 0:
        pytest.skip("another user is needed")
    with tempfile.TemporaryDirectory(prefix="cbu-owner-", dir="/tmp") as folder:
        # The same socket where another user may reach it: not below the folder of this run.
        path = Path(folder) / "status.sock"
        path.hardlink_to(service.folder / "status.sock")
        Path(folder).chmod(0o755)
        path.chmod(0o666)
        try:
            for arguments in (["reload"], ["workers", "1"]):
                done = subprocess.run(
                    [CBU, *arguments],
                    env={"STATUS_SOCKET": str(path)},
                    user=65534,
                    capture_output=True,
                    text=True,
                    timeout=PATIENCE_S,
                )
                assert done.returncode == 77, done.stderr
                assert "Only the service's own user and root" in done.stderr
        finally:
            path.chmod(0o660)
    assert service.status()["workers"]["limit"] == 3


def test_healthcheck_command(service: Service) -> None:
    done = service.run_cbu("healthcheck")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_commands_without_a_master(catalogue: Catalogue) -> None:
    with Service(with_nginx=False, WORKERS="1", **catalogue.stack.settings) as service:
        service.process.terminate()
        service.wait()
        done = service.run_cbu("status")
        assert (done.returncode, done.stdout) == (EX_UNAVAILABLE, "")
        assert str(service.folder / "status.sock") in done.stderr
        done = service.run_cbu("status", "--json")
        assert (done.returncode, done.stdout) == (EX_UNAVAILABLE, "")
        done = service.run_cbu("healthcheck")
        assert done.returncode == 1
        assert str(service.folder / "status.sock") in done.stderr


def test_commands_and_a_stuck_master(catalogue: Catalogue) -> None:
    with Service(with_nginx=False, WORKERS="1", **catalogue.stack.settings) as service:
        os.kill(service.process.pid, signal.SIGSTOP)
        try:
            assert service.run_cbu("healthcheck").returncode == 1
            assert service.run_cbu("status").returncode == EX_UNAVAILABLE
        finally:
            os.kill(service.process.pid, signal.SIGCONT)
        wait_for(lambda: service.run_cbu("healthcheck").returncode == 0, "health")
