"""nginx in front of the service, rendered by nginx/render as everywhere else."""

from __future__ import annotations

import errno
import getpass
import http.client
import os
import shutil
import signal
import socket
import subprocess

from .app import http_status, stop_timeout_s
from .database import ROOT, SEARCH_PATH
from .folder import Folder
from .process import Process, StackError, start


class Nginx:
    """The nginx of one data folder."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        # A stack on a developer's machine is nobody else's business.
        self.listen = os.environ.get("NGINX_LISTEN") or "127.0.0.1"

    @property
    def port(self) -> int:
        return int(self.folder.state["port"])

    @property
    def host(self) -> str:
        return "127.0.0.1" if self.listen in ("0.0.0.0", "[::]") else self.listen

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def settings(self) -> dict[str, str]:
        own = {
            "PORT": str(self.port),
            "NGINX_LISTEN": self.listen,
            "FCGI_SOCKET": str(self.folder.socket("fcgi")),
            "STATUS_SOCKET": str(self.folder.socket("status")),
            "NGINX_RUN_DIR": str(self.folder.nginx),
            "NGINX_ACCESS_LOG": str(self.folder.log("nginx")),
            "NGINX_ERROR_LOG": str(self.folder.log("nginx-error")),
            "NGINX_DOCS_DIR": str(ROOT / "build/docs-assets"),
        }
        if os.getuid() == 0:
            # Its processes must reach sockets that are root's here.
            own["NGINX_USER"] = getpass.getuser()
        return own

    def check_port(self) -> None:
        """Refuses a port that somebody else listens on before anything is started."""
        family = socket.AF_INET6 if self.listen.startswith("[") else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.listen.strip("[]"), self.port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    reason = "is in use; name another one (--port, PORT=)"
                else:
                    reason = f"cannot be used: {error.strerror}"
                raise StackError(f"port {self.port} {reason}") from None

    def start(self) -> Process:
        program = shutil.which("nginx", path=SEARCH_PATH)
        if program is None:
            raise StackError("nginx is missing; local/setup run installs it")
        config = self.folder.nginx / "nginx.conf"
        self._run(str(ROOT / "nginx/render"), str(config))
        # Before its configuration names one, nginx would log to a file of the system.
        argv = [program, "-e", "stderr", "-c", str(config)]
        self._run(*argv, "-q", "-t")
        return start(
            [*argv, "-g", "daemon off;"],
            pid_file=self.folder.pid_file("nginx"),
            log=self.folder.log("nginx-error"),
            owner=self.folder.owner,
            cwd=self.folder.nginx,
        )

    def stop(self, process: Process) -> bool:
        return process.stop(signal.SIGQUIT, stop_timeout_s() + 10)

    def is_ready(self) -> bool:
        return self.status("/v1/products?limit=1") == 200

    def status(self, path: str) -> int | None:
        """The status code of a GET through nginx, or None when it does not answer."""
        host = self.host.strip("[]")
        return http_status(lambda: http.client.HTTPConnection(host, self.port, timeout=20), path)

    def _run(self, *argv: str) -> None:
        done = subprocess.run(
            argv,
            env={**os.environ, **self.settings()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder.nginx,
        )
        if done.returncode != 0:
            raise StackError(f"{' '.join(argv)} failed:\n{(done.stderr + done.stdout).strip()}")
