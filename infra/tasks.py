"""What all tasks have in common: Fargate, hardened containers, logs, and the environment.

The images promise (docs/infrastructure.md, "The images"; tests/images holds them to it): the
programs run as these users; each folder mounted here is declared with VOLUME and belongs to its
user, since Fargate gives an empty volume the owner and mode that the image has at that path; the
entry point of the app image is `cbu`, and nginx's STOPSIGNAL is SIGQUIT.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.findings import acknowledge
from infra.options import Options
from infra.secrets import LOG_RETENTION
from infra.settings import load_settings

# Two users who share a group, through which nginx may use the workers' socket.
APP_USER = "10001:10001"
NGINX_USER = "10002:10001"

# Where both containers find FCGI_SOCKET and STATUS_SOCKET, by the settings' own defaults.
SOCKET_FOLDER = str(PurePosixPath(load_settings()["FCGI_SOCKET"].default or "").parent)

# What the agent of ECS Exec writes to; on a read-only root it fails without.
EXEC_FOLDERS = {"exec-lib": "/var/lib/amazon", "exec-log": "/var/log/amazon"}

# Fargate kills a container at this age after the stop signal; the programs end by themselves
# within STOP_TIMEOUT_S, so this is the margin in between.
STOP_MARGIN_S = 5


@dataclass(frozen=True)
class Container:
    """One container of a task; `folders` maps names of volumes to the paths they are mounted at."""

    name: str
    image: ecs.ContainerImage
    user: str
    memory_mib: int
    environment: dict[str, str]
    folders: dict[str, str]
    command: list[str] | None = None
    health_check: ecs.HealthCheck | None = None
    port: int | None = None


def image_of(repository: ecr.IRepository, tag: cdk.CfnParameter, name: str) -> ecs.ContainerImage:
    """The image `name` (app or nginx) of the release."""
    return ecs.ContainerImage.from_ecr_repository(repository, f"{tag.value_as_string}-{name}")


def service_environment(options: Options) -> dict[str, str]:
    """The service's settings that hold for every command of it: those given as context, and those
    that somebody who looks at the task should see although they have their default."""
    shown = ("LOG_LEVEL", "STOP_TIMEOUT_S", "WORKERS")
    return {
        "AWS_REGION": options.region,
        **{name: options.setting(name) for name in shown},
        **options.service,
    }


class Task(Construct):
    """A task definition. Attributes: definition, family, log_groups (by name of container)."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        family: str,
        cpu: int,
        memory_mib: int,
        statements: list[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, id)
        self._options = options
        self.log_groups: dict[str, logs.LogGroup] = {}
        self._volumes: set[str] = set()
        self.family = f"cbu-{options.environment}-{family}"
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            family=self.family,
            cpu=cpu,
            memory_limit_mib=memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        for statement in statements:
            self.definition.add_to_task_role_policy(statement)
        acknowledge(
            self.definition,
            {
                "AwsSolutions-ECS2": "The variables hold names and addresses; what is secret is"
                " named by ARN and read at run time.",
                "AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken of the execution role"
                " and the channels of ECS Exec know no resources.",
            },
        )

    def add_container(self, container: Container) -> ecs.ContainerDefinition:
        """Adds it with an ordinary user, no capabilities, and a root it cannot write to."""
        added = self.definition.add_container(
            container.name,
            container_name=container.name,
            image=container.image,
            command=container.command,
            user=container.user,
            memory_limit_mib=container.memory_mib,
            environment=container.environment,
            health_check=container.health_check,
            essential=True,
            readonly_root_filesystem=True,
            linux_parameters=self._linux_parameters(container.name),
            stop_timeout=cdk.Duration.seconds(
                int(self._options.setting("STOP_TIMEOUT_S")) + STOP_MARGIN_S
            ),
            logging=self._log_driver(container.name),
            port_mappings=[ecs.PortMapping(container_port=container.port)]
            if container.port
            else None,
        )
        for volume, path in container.folders.items():
            self._mount(added, volume, path)
        if self._options.exec:
            # Two containers must not share these: each runs an agent of its own.
            for volume, path in EXEC_FOLDERS.items():
                self._mount(added, f"{container.name}-{volume}", path)
        return added

    def _linux_parameters(self, name: str) -> ecs.LinuxParameters:
        parameters = ecs.LinuxParameters(
            self,
            f"{name.capitalize()}Linux",
            # Commands run by ECS Exec leave orphans; the service's master reaps its own only.
            init_process_enabled=self._options.exec,
        )
        parameters.drop_capabilities(ecs.Capability.ALL)
        return parameters

    def _log_driver(self, name: str) -> ecs.LogDriver:
        self.log_groups[name] = logs.LogGroup(
            self,
            f"{name.capitalize()}Log",
            log_group_name=f"/cbu/{self._options.environment}/{name}",
            retention=LOG_RETENTION,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        return ecs.LogDrivers.aws_logs(
            log_group=self.log_groups[name],
            stream_prefix="task",
            # When CloudWatch stalls, lines are lost beyond the buffer, but no request waits.
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
            max_buffer_size=cdk.Size.mebibytes(4),
        )

    def _mount(self, container: ecs.ContainerDefinition, volume: str, path: str) -> None:
        if volume not in self._volumes:
            self._volumes.add(volume)
            self.definition.add_volume(name=volume)  # empty, gone with the task
        container.add_mount_points(
            ecs.MountPoint(source_volume=volume, container_path=path, read_only=False)
        )
