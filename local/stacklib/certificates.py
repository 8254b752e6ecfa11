"""A certificate authority and a server certificate for the database's TCP port."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .process import StackError

# A developer's data folder may live for years; nothing but this machine trusts the authority.
DAYS = "3650"


def make_certificates(folder: Path) -> None:
    """Writes ca.pem, server.pem and server.key, unless they are there. The server's name is
    127.0.0.1, since clients must verify it and the database listens nowhere else."""
    if (folder / "server.pem").exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    new_key = ["-newkey", "rsa:2048", "-noenc", "-sha256", "-days", DAYS]
    _openssl(
        folder,
        *("req", "-x509", *new_key, "-subj", "/CN=cbu local stack CA"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", "ca.key", "-out", "ca.pem"),
    )
    _openssl(
        folder,
        *("req", "-x509", *new_key, "-subj", "/CN=127.0.0.1"),
        *("-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "extendedKeyUsage=serverAuth"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-keyout", "server.key", "-out", "server.new"),
    )
    # The authority has signed the one certificate it is there for.
    (folder / "ca.key").unlink()
    (folder / "server.new").replace(folder / "server.pem")


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        raise StackError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
