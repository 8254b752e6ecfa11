"""compose.yaml against the task definition and the settings: what runs on a machine with Docker is
what runs on ECS."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from assembly import Assembly

from infra.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("app", "nginx", "migrate", "demo")


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("name", OURS)
def test_hardened_like_the_task(default: Assembly, name: str) -> None:
    service = SERVICES[name]
    container = default.containers()[{"demo": "app"}.get(name, name)]
    assert service["user"] == container["User"]
    assert service["read_only"] is container["ReadonlyRootFilesystem"] is True
    assert service["cap_drop"] == container["LinuxParameters"]["Capabilities"]["Drop"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert seconds(service["stop_grace_period"]) == container["StopTimeout"]
    assert service["build"]["target"] == ("nginx" if name == "nginx" else "app")
    assert service["image"].endswith(f"-{service['build']['target']}")
    if name != "demo":
        assert service["mem_limit"] == f"{container['Memory']}m"


@pytest.mark.parametrize("name", ["app", "nginx"])
def test_the_same_folders_can_be_written(default: Assembly, name: str) -> None:
    mounted = {m["ContainerPath"] for m in default.containers()[name]["MountPoints"]}
    volumes = dict(volume.split(":")[:2] for volume in SERVICES[name]["volumes"])
    database = volumes.pop("database-socket", None)
    assert set(volumes.values()) == mounted
    assert set(volumes) <= set(COMPOSE["volumes"])
    assert database == (None if name == "nginx" else "/run/mysqld")


def test_started_in_the_order_of_a_deployment(default: Assembly) -> None:
    conditions = {
        name: {needed: how["condition"] for needed, how in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert conditions["migrate"] == {"database": "service_healthy"}
    assert conditions["app"] == {"migrate": "service_completed_successfully"}
    assert conditions["nginx"] == {"app": "service_healthy"}
    health = default.containers()["app"]["HealthCheck"]
    ours = SERVICES["app"]["healthcheck"]
    assert ours["test"] == health["Command"]
    assert seconds(ours["interval"]) == health["Interval"]
    assert (ours["retries"], seconds(ours["timeout"])) == (health["Retries"], health["Timeout"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        setting = load_settings()[variable]
        if setting.kind != "choice":
            assert setting.min <= len(value) <= setting.max


def test_only_nginx_is_reachable_and_from_this_machine_alone() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(ports) == ["nginx"]
    assert all(port.startswith("127.0.0.1:") for port in ports["nginx"])


def test_the_stages_are_there() -> None:
    stages = {
        line.split(" AS ")[1]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("FROM ")
    }
    assert {s["build"]["target"] for s in SERVICES.values() if "build" in s} <= stages
