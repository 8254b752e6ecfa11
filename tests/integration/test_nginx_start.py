"""nginx/start, the entry of the nginx image: renders, makes a certificate, becomes nginx."""

from __future__ import annotations

import contextlib
import http.client
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nginx_server import LIMIT_S, ROOT, StatusPeer, free_port
from stacks import DB, wait_for

if DB != "mariadb":
    pytest.skip("no database takes part; see the run on MariaDB", allow_module_level=True)


@dataclass(frozen=True)
class Started:
    process: subprocess.Popen[str]
    folder: Path
    port: int

    def live(self, tls: ssl.SSLContext | None = None) -> tuple[int, bytes] | None:
        """What /health/live answers, over TLS where that is given; None when nothing does."""
        address = ("127.0.0.1", self.port)
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(*address, timeout=LIMIT_S, context=tls)
            if tls
            else http.client.HTTPConnection(*address, timeout=LIMIT_S)
        )
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/health/live")
            answer = connection.getresponse()
            return answer.status, answer.read()
        return None


@contextlib.contextmanager
def started(**settings: str) -> Iterator[Started]:
    with tempfile.TemporaryDirectory(prefix="cbu-start-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(StatusPeer(folder / "status.sock"))
        port = free_port()
        process = subprocess.Popen(
            [ROOT / "nginx" / "start"],
            env={
                "PATH": f"{os.environ['PATH']}:/usr/sbin",
                "NGINX_RUN_DIR": name,
                "NGINX_LISTEN": "127.0.0.1",
                "NGINX_USER": pwd.getpwuid(os.geteuid()).pw_name,
                "NGINX_ACCESS_LOG": f"{name}/access.log",
                "NGINX_ERROR_LOG": f"{name}/error.log",
                "STATUS_SOCKET": f"{name}/status.sock",
                "FCGI_SOCKET": f"{name}/fcgi.sock",
                "PORT": str(port),
                **settings,
            },
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield Started(process, folder, port)
        finally:
            # Its own session, so its own process group: the workers of a killed nginx would stay.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_becomes_nginx_and_ends_by_sigquit() -> None:
    with started() as nginx:
        assert wait_for(nginx.live, "an answer") == (200, b'{"status":"ok"}')
        assert not list(nginx.folder.glob("tls.*"))
        nginx.process.send_signal(signal.SIGQUIT)
        assert nginx.process.wait(LIMIT_S) == 0


def test_inner_tls_with_a_key_of_its_own() -> None:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    with started(INNER_TLS="1") as nginx:
        wait_for(lambda: nginx.live(unchecked), "an answer over TLS")
        assert nginx.live(unchecked) == (200, b'{"status":"ok"}')
        assert (nginx.folder / "tls.key").stat().st_mode & 0o777 == 0o600
        # Whoever speaks plain HTTP there is told so in the form of all errors.
        refused = nginx.live()
        assert refused is not None
        assert refused[0] == 400
        assert b'"code":"bad_request"' in refused[1]


def test_bad_settings_end_it_before_nginx_starts() -> None:
    with started(INNER_TLS="yes") as nginx:
        assert nginx.process.wait(LIMIT_S) == 78
        assert "INNER_TLS must be" in nginx.process.stderr.read()


def test_without_openssl_inner_tls_is_an_error_and_not_plain_http() -> None:
    with tempfile.TemporaryDirectory() as programs:
        for name in ("sh", "id", "awk", "mktemp", "chmod", "mv", "rm", "cat", "dirname", "nginx"):
            found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
            assert found, name
            (Path(programs) / name).symlink_to(found)
        with started(INNER_TLS="1", PATH=programs) as nginx:
            assert nginx.process.wait(LIMIT_S) == 70
            assert "openssl" in nginx.process.stderr.read()
