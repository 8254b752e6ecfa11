"""The private database of a stack: MariaDB, or Oracle MySQL 8 and later."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from .certificates import make_certificates
from .folder import Folder, write_private
from .process import POLL_S, Process, StackError, free_port, run_to_end, start, tail

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = "cbu"
SERVING_USER = "cbu"
ADMIN_USER = "cbu_admin"
# sbin is not on the PATH of every ordinary user.
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))


class Kind(ABC):
    """A make of server: how it is found, initialised and started."""

    name: str
    title: str

    @abstractmethod
    def find(self) -> Path:
        """The server's program; told by what --version says, since Debian's mysqld is MariaDB."""

    @abstractmethod
    def initialise_argv(self, server: Path, data: Path) -> Sequence[str | Path]: ...

    @abstractmethod
    def own_options(self, server: Path) -> Sequence[str]: ...


class MariaDb(Kind):
    name = "mariadb"
    title = "MariaDB"

    def find(self) -> Path:
        for program in ("mariadbd", "mysqld"):
            found = shutil.which(program, path=SEARCH_PATH)
            if found and "MariaDB" in _version(Path(found)):
                return Path(found)
        raise StackError("there is no MariaDB server; local/setup run installs one")

    def initialise_argv(self, server: Path, data: Path) -> Sequence[str | Path]:
        program = shutil.which("mariadb-install-db", path=SEARCH_PATH)
        if program is None:
            raise StackError("mariadb-install-db is missing; local/setup run installs it")
        return [
            *(program, "--no-defaults", f"--datadir={data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
        ]

    def own_options(self, server: Path) -> Sequence[str]:
        return []


class MySql(Kind):
    name = "mysql"
    title = "MySQL"

    def find(self) -> Path:
        link = ROOT / "build/deps/mysqld"
        if not link.exists():
            raise StackError("there is no Oracle MySQL server; local/setup mysql installs one")
        # Its files are found from where it really is.
        return link.resolve()

    def initialise_argv(self, server: Path, data: Path) -> Sequence[str | Path]:
        return [
            *(server, "--no-defaults", "--initialize-insecure"),
            *(f"--basedir={server.parent.parent}", f"--datadir={data}"),
        ]

    def own_options(self, server: Path) -> Sequence[str]:
        return [
            f"--basedir={server.parent.parent}",
            "--mysqlx=OFF",
            "--secure-file-priv=NULL",
            "--auto-generate-certs=OFF",
        ]


KINDS: dict[str, Kind] = {kind.name: kind for kind in (MariaDb(), MySql())}


class Database:
    """The database in a data folder."""

    # Initialising takes seconds, on a busy machine many.
    INITIALISE_S = 300
    START_S = 120
    STOP_S = 60

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.kind = KINDS[folder.state["db"]]

    # ---- addresses ----
    @property
    def socket(self) -> Path:
        return self.folder.socket("database")

    @property
    def ca_file(self) -> Path:
        return self.folder.tls / "ca.pem"

    def url(self, user: str) -> str:
        socket_path = quote(str(self.socket), safe="")
        return f"mysql://{user}:{self._password(user)}@localhost/{SCHEMA}?socket={socket_path}"

    def url_without_password(self, user: str) -> str:
        return self.url(user).replace(f":{self._password(user)}@", "@")

    def login(self, user: str) -> tuple[str, str]:
        return user, self._password(user)

    def tcp_url(self, user: str) -> str:
        port = self.folder.state["database_port"]
        return f"mysql://{user}:{self._password(user)}@127.0.0.1:{port}/{SCHEMA}"

    def _password(self, user: str) -> str:
        return self.folder.secret(f"database-{user}")

    # ---- life ----
    def start(self) -> Process:
        """Starts the server, initialised at the first time, and returns when it answers."""
        server = self.kind.find()
        make_certificates(self.folder.tls)
        self._initialise(server)
        # The port was free when it was chosen; another stack may have taken it since then.
        for attempt in range(5):
            self.folder.save(database_port=free_port(self.folder.state.get("database_port")))
            process = self._start(server)
            if self._wait_until_ready(process):
                return process
            if attempt < 4 and "in use" in tail(self.folder.log("database")):
                self.folder.save(database_port=None)
                continue
            break
        raise StackError(f"the database ended at its start; {tail(self.folder.log('database'))}")

    def stop(self, process: Process) -> bool:
        return process.stop(signal.SIGTERM, self.STOP_S)

    def change_password(self, user: str) -> str:
        """Gives the user a new random password on the running server, and returns it. Connections
        that are open stay."""
        password = self.folder.renew_secret(f"database-{user}")
        statements = "".join(
            f"ALTER USER '{user}'@'{host}' IDENTIFIED BY '{password}';"
            for host in ("localhost", "127.0.0.1")
        )
        client = shutil.which("mariadb") or shutil.which("mysql")
        if client is None:
            raise StackError("there is no mariadb client; local/setup run installs one")
        done = subprocess.run(
            [client, "--no-defaults", f"--socket={self.socket}", f"--user={ADMIN_USER}"],
            input=statements,
            env={**os.environ, "MYSQL_PWD": self._password(ADMIN_USER)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise StackError(f"the password could not be changed: {done.stderr.strip()}")
        return password

    def _initialise(self, server: Path) -> None:
        if self.folder.database.exists():
            return
        # Under another name until it is whole, so that an interrupted run leaves nothing half made.
        fresh = self.folder.path / "db.new"
        shutil.rmtree(fresh, ignore_errors=True)
        log = self.folder.log("database")
        argv = [*self.kind.initialise_argv(server, fresh), *_as_this_user()]
        if run_to_end(argv, log=log, cwd=self.folder.path, limit_s=self.INITIALISE_S) != 0:
            raise StackError(f"{self.kind.title} could not make its data; {tail(log)}")
        fresh.rename(self.folder.database)

    def _start(self, server: Path) -> Process:
        self.socket.unlink(missing_ok=True)
        init_file = self.folder.path / "secrets" / "init.sql"
        write_private(init_file, self._init_sql())
        argv = [
            *(str(server), "--no-defaults"),
            *self.kind.own_options(server),
            *_as_this_user(),
            f"--datadir={self.folder.database}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder.run / 'database-server.pid'}",
            f"--init-file={init_file}",
            "--bind-address=127.0.0.1",
            f"--port={self.folder.state['database_port']}",
            f"--ssl-ca={self.ca_file}",
            f"--ssl-cert={self.folder.tls / 'server.pem'}",
            f"--ssl-key={self.folder.tls / 'server.key'}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--performance-schema=OFF",
            # 64 workers and room for whoever looks on.
            "--max-connections=151",
            "--innodb-buffer-pool-size=128M",
            # Shorter than DATABASE_IO_TIMEOUT_S, as in AWS: who waits for a lock in vain is told
            # so, instead of losing the connection.
            "--innodb-lock-wait-timeout=3",
            # A crash of the server loses nothing; one of the machine may lose the last second.
            "--innodb-flush-log-at-trx-commit=2",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_520_ci",
        ]
        return start(
            argv,
            pid_file=self.folder.pid_file("database"),
            log=self.folder.log("database"),
            owner=self.folder.owner,
            cwd=self.folder.path,
        )

    def _init_sql(self) -> str:
        """What the server runs before it takes connections; the same at every start, so a folder
        whose first start was interrupted becomes whole at the next. One statement a line."""
        lines = [
            f"CREATE DATABASE IF NOT EXISTS {SCHEMA} "
            "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;",
            f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{self._password('root')}';",
        ]
        # MariaDB makes these without a password.
        strangers = ("127.0.0.1", "::1", socket.gethostname())
        lines += [f"DROP USER IF EXISTS 'root'@'{host}';" for host in strangers]
        for user in (SERVING_USER, ADMIN_USER):
            for host, rule in (("localhost", ""), ("127.0.0.1", " REQUIRE SSL")):
                account = f"'{user}'@'{host}'"
                password = self._password(user)
                lines += [
                    f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{password}'{rule};",
                    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.* TO {account};"
                    if user == SERVING_USER
                    else f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;",
                ]
        return "\n".join(lines) + "\n"

    def _wait_until_ready(self, process: Process) -> bool:
        """True once the server greets a client, which it does only after its init file; False when
        it has ended."""
        end = time.monotonic() + self.START_S
        while time.monotonic() < end:
            if not process.is_alive():
                return False
            if _greets(self.socket):
                return True
            time.sleep(POLL_S)
        process.stop(signal.SIGKILL, 0)
        raise StackError(
            f"the database did not answer within {self.START_S} s; "
            f"{tail(self.folder.log('database'))}"
        )


def _as_this_user() -> list[str]:
    """The servers refuse to run as root unless told so by name."""
    return [f"--user={getpass.getuser()}"] if os.getuid() == 0 else []


def _version(server: Path) -> str:
    done = subprocess.run(
        [server, "--no-defaults", "--version"], capture_output=True, text=True, timeout=30
    )
    return done.stdout


def _greets(path: Path) -> bool:
    """Whether the server sends its greeting: a packet header of four bytes, then version 10 of the
    protocol."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect(str(path))
        greeting = connection.recv(5)
        return len(greeting) == 5 and greeting[4] == 10
    return False
