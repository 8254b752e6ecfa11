"""Task definitions: containers, images, volumes, and times that must fit together."""

import json

import pytest
from assembly import Assembly, as_list, synthesize


def test_containers_of_the_service_task(default: Assembly) -> None:
    task = default.one("AWS::ECS::TaskDefinition", "Service")
    assert [c["Name"] for c in task["ContainerDefinitions"]] == ["app", "nginx"]
    assert all(c["Essential"] for c in task["ContainerDefinitions"])
    assert sum(c["Memory"] for c in task["ContainerDefinitions"]) == int(task["Memory"])


def test_nginx_starts_after_the_workers_are_healthy(default: Assembly) -> None:
    containers = default.containers()
    assert containers["app"]["HealthCheck"]["Command"] == ["CMD", "cbu", "healthcheck"]
    assert containers["nginx"]["DependsOn"] == [{"ContainerName": "app", "Condition": "HEALTHY"}]
    assert [p["ContainerPort"] for p in containers["nginx"]["PortMappings"]] == [8000]
    assert "PortMappings" not in containers["app"]


def test_app_and_nginx_share_the_socket_folder(default: Assembly) -> None:
    mounts = {
        name: {
            mount["SourceVolume"]: mount["ContainerPath"]
            for mount in default.containers()[name]["MountPoints"]
        }
        for name in ("app", "nginx")
    }
    assert mounts["app"].keys() & mounts["nginx"].keys() == {"sockets"}
    assert mounts["app"]["sockets"] == mounts["nginx"]["sockets"] == "/run/cbu"


@pytest.mark.parametrize("name", ["app", "nginx", "migrate"])
def test_containers_are_hardened(default: Assembly, name: str) -> None:
    container = default.containers()[name]
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    user, group = container["User"].split(":")
    assert int(user) > 0
    assert group == "10001"
    assert container["Memory"] > 0
    assert all(m["ContainerPath"].startswith(("/run/", "/tmp")) for m in container["MountPoints"])


def test_volumes_are_empty_and_all_used(default: Assembly) -> None:
    for definition in default.resources("AWS::ECS::TaskDefinition").values():
        task = definition["Properties"]
        mounted = {
            m["SourceVolume"] for c in task["ContainerDefinitions"] for m in c["MountPoints"]
        }
        assert task["Volumes"] == [{"Name": name} for name in (v["Name"] for v in task["Volumes"])]
        assert {v["Name"] for v in task["Volumes"]} == mounted


def test_images_are_named_by_release_never_by_latest(default: Assembly) -> None:
    for name, kind in (("app", "app"), ("nginx", "nginx"), ("migrate", "app")):
        parts = default.containers()[name]["Image"]["Fn::Join"][1]
        assert parts[-2:] == [{"Ref": "ImageTag"}, f"-{kind}"]
    assert "latest" not in json.dumps(list(default.templates.values()))


def test_deregistration_ends_before_nginx_does(default: Assembly) -> None:
    target_group = default.one("AWS::ElasticLoadBalancingV2::TargetGroup")
    pairs = {a["Key"]: a["Value"] for a in target_group["TargetGroupAttributes"]}
    delay = int(pairs["deregistration_delay.timeout_seconds"])
    assert delay < int(default.environment("nginx")["STOP_TIMEOUT_S"])


@pytest.mark.parametrize("stop", ["21", "25", "110"])
def test_ecs_waits_longer_than_the_programs_take_to_stop(stop: str) -> None:
    assembly = synthesize(STOP_TIMEOUT_S=stop)
    for name in ("app", "nginx"):
        assert assembly.environment(name)["STOP_TIMEOUT_S"] == stop
        assert int(stop) < assembly.containers()[name]["StopTimeout"] <= 120


def test_only_the_migration_may_read_the_admin_secret(default: Assembly) -> None:
    environment = default.environment("migrate")
    assert environment["MIGRATE_DATABASE_URL"]["Fn::Join"][1][0] == "mysql://cbu_admin@"
    assert environment["DATABASE_URL"]["Fn::Join"][1][0] == "mysql://cbu@"
    admin = environment["MIGRATE_DATABASE_SECRET_ARN"]
    readers = [
        holder
        for holder, statement in default.role_statements()
        if admin in as_list(statement["Resource"])
    ]
    assert len(readers) == 1
    assert readers[0].startswith("MigrationTaskDefinitionTaskRole")
