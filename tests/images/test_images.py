"""The images themselves: what they promise to the task definitions, and what is not in them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from assembly import Assembly
from conftest import TAG, Note
from ecs import ROOT, run

NAMES = ("app", "nginx")
LIMIT_COMPRESSED = 60_000_000


def config(name: str) -> dict[str, Any]:
    return json.loads(run("podman", "image", "inspect", f"cbu:{TAG}-{name}"))[0]


def inside(name: str, script: str) -> str:
    """What a shell says inside the image, run as its own user."""
    return run(
        *("podman", "run", "--rm", "--network=none", "--no-healthcheck", "--entrypoint=sh"),
        *(f"localhost/cbu:{TAG}-{name}", "-c", script),
    )


def test_users_entries_and_signals(default: Assembly) -> None:
    containers = default.containers()
    for name, signal in (("app", "SIGTERM"), ("nginx", "SIGQUIT")):
        image = config(name)["Config"]
        assert image["User"] == containers[name]["User"]
        assert image["StopSignal"] in (signal, {"SIGTERM": "15", "SIGQUIT": "3"}[signal])
        mounted = {mount["ContainerPath"] for mount in containers[name]["MountPoints"]}
        assert set(image["Volumes"]) == mounted
    assert config("app")["Config"]["Entrypoint"] == ["cbu"]
    assert set(config("nginx")["Config"]["ExposedPorts"]) == {
        f"{p['ContainerPort']}/tcp" for p in containers["nginx"]["PortMappings"]
    }


def test_health_check_of_the_image_is_that_of_the_task(default: Assembly) -> None:
    image, task = config("app")["Healthcheck"], default.containers()["app"]["HealthCheck"]
    assert image["Test"] == task["Command"]
    for ours, theirs in (
        ("Interval", "Interval"),
        ("Timeout", "Timeout"),
        ("StartPeriod", "StartPeriod"),
    ):
        assert image[ours] == task[theirs] * 1_000_000_000
    assert image["Retries"] == task["Retries"]


@pytest.mark.parametrize("name", NAMES)
def test_labels_tell_where_it_comes_from(name: str) -> None:
    labels = config(name)["Labels"]
    assert labels["org.opencontainers.image.revision"] == TAG
    assert labels["org.opencontainers.image.title"] == f"cbu-{name}"
    # What keeps an image on a base made here out of the registry; see tests/infra/test_release.py.
    assert labels["org.opencontainers.image.base.name"].startswith("localhost/")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_build_with(name: str) -> None:
    found = inside(
        name,
        "for each in gcc cc c++ clang ld as make python3 perl pkg-config git curl wget; do"
        " command -v $each; done; dpkg-query -W -f '${Package}\\n' | grep -E -- '-dev$'; true",
    )
    # perl-base is essential in Debian and cannot be left out.
    assert found.split() in ([], ["/usr/bin/perl"])


@pytest.mark.parametrize("name", NAMES)
def test_the_user_owns_nothing_but_its_volumes(name: str) -> None:
    owned = inside(
        name,
        "find / -not -path '/proc/*' \\( -user 10001 -o -user 10002 -o -group 10001 \\)"
        " 2>/dev/null; true",
    )
    volumes = {"app": {"/run/cbu"}, "nginx": {"/run/cbu", "/run/nginx"}}[name]
    # The terminal-less devices of the container's own streams are theirs, too.
    assert set(owned.split()) <= volumes


def test_nginx_has_no_program_and_app_no_nginx() -> None:
    assert inside("nginx", "command -v cbu || true") == ""
    assert inside("app", "command -v nginx || true") == ""


def test_the_program_knows_its_commit_and_brings_its_migrations() -> None:
    assert TAG in inside("app", "cbu version")
    ours = sorted(p.name for p in (ROOT / "migrations").glob("*.sql"))
    assert inside("app", 'ls "$MIGRATIONS_DIR"').split() == ours


@pytest.mark.parametrize("name", NAMES)
def test_size(name: str, tmp_path: Path, note: Note) -> None:
    """As a registry holds it: the sum of the compressed layers."""
    run("podman", "push", "--compress", f"cbu:{TAG}-{name}", f"dir:{tmp_path}/image", limit_s=300)
    manifest = json.loads((tmp_path / "image/manifest.json").read_text())
    compressed = sum(
        (tmp_path / "image" / layer["digest"].removeprefix("sha256:")).stat().st_size
        for layer in manifest["layers"]
    )
    plain = config(name)["Size"]
    note(f"{name}: {compressed / 1e6:.1f} MB compressed, {plain / 1e6:.1f} MB unpacked")
    assert compressed < LIMIT_COMPRESSED


def test_an_unknown_command_is_refused() -> None:
    done = subprocess.run(
        ["podman", "run", "--rm", "--network=none", f"localhost/cbu:{TAG}-app", "nonsense"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 64
