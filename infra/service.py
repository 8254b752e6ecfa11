"""The service: nginx and the worker pool in one Fargate task, and how a new release replaces it."""

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra.data import Database, Images, Proxy
from infra.edge import Edge
from infra.firewall import HTTP_PORT, Firewall
from infra.identity import Identity
from infra.network import LOAD_BALANCER_CIDRS, Network
from infra.options import DESIRED_TASKS, MAX_TASKS, MIN_TASKS, Options
from infra.registry import image_tag_parameter
from infra.secrets import SERVING_USER, Secrets, may_read
from infra.tasks import (
    APP_USER,
    NGINX_USER,
    SOCKET_FOLDER,
    Container,
    Task,
    image_of,
    service_environment,
)

CPU = 512
MEMORY_MIB = 1024
# The task's memory is shared out, so that a leak in one container cannot starve the other.
NGINX_MEMORY_MIB = 256
APP_MEMORY_MIB = MEMORY_MIB - NGINX_MEMORY_MIB


class Service(Construct):
    """Attributes: service, task."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        repository: ecr.IRepository,
        cluster: ecs.ICluster,
        network: Network,
        firewall: Firewall,
        database: Database,
        proxy: Proxy,
        images: Images,
        identity: Identity,
        secrets: Secrets,
        edge: Edge,
    ) -> None:
        super().__init__(scope, id)
        readable = {
            "DATABASE_SECRET_ARN": database.serving_secret,
            "COGNITO_CLIENT_SECRET_ARN": identity.client_secret,
            "APP_JWT_SECRET_ARN": secrets.app_jwt,
        }
        tag = image_tag_parameter(cdk.Stack.of(self))
        self.task = Task(
            self,
            "Task",
            options,
            family="service",
            cpu=CPU,
            memory_mib=MEMORY_MIB,
            statements=[
                may_read(list(readable.values())),
                *identity.task_statements(),
            ],
        )
        images.let_use(self.task.definition.task_role)
        app = self.task.add_container(
            Container(
                name="app",
                image=image_of(repository, tag, "app"),
                user=APP_USER,
                memory_mib=APP_MEMORY_MIB,
                command=["serve"],
                environment={
                    **service_environment(options),
                    # For its check at start: they have to fit to its own.
                    **options.nginx,
                    "DATABASE_URL": proxy.url(SERVING_USER),
                    "COGNITO_USER_POOL_ID": identity.pool.user_pool_id,
                    "COGNITO_CLIENT_ID": identity.client.user_pool_client_id,
                    "S3_BUCKET_NAME": images.bucket.bucket_name,
                    **{name: secret.secret_arn for name, secret in readable.items()},
                    **({"IMAGE_BASE_URL": edge.image_base_url} if edge.image_base_url else {}),
                },
                folders={"sockets": SOCKET_FOLDER, "app-tmp": "/tmp"},
                # Asks the master, not a worker and not the database.
                health_check=ecs.HealthCheck(
                    command=["CMD", "cbu", "healthcheck"],
                    interval=cdk.Duration.seconds(10),
                    timeout=cdk.Duration.seconds(5),
                    retries=3,
                    start_period=cdk.Duration.seconds(15),
                ),
            )
        )
        nginx = self.task.add_container(
            Container(
                name="nginx",
                image=image_of(repository, tag, "nginx"),
                user=NGINX_USER,
                memory_mib=NGINX_MEMORY_MIB,
                environment={
                    "NGINX_REAL_IP_FROM": ",".join(LOAD_BALANCER_CIDRS),
                    "STOP_TIMEOUT_S": options.setting("STOP_TIMEOUT_S"),
                    **options.nginx,
                    **({"INNER_TLS": "1"} if options.inner_tls else {}),
                },
                folders={"sockets": SOCKET_FOLDER, "nginx-run": "/run/nginx"},
                port=HTTP_PORT,
            )
        )
        # Starts nginx once the workers answer, and by that also stops it before them.
        nginx.add_container_dependencies(
            ecs.ContainerDependency(
                container=app, condition=ecs.ContainerDependencyCondition.HEALTHY
            )
        )
        self.service = self._make_service(options, cluster, network, firewall)
        # Tasks that start before the proxy answers would only wait.
        self.service.node.add_dependency(proxy)
        edge.target_group.add_target(
            self.service.load_balancer_target(container_name="nginx", container_port=HTTP_PORT)
        )

    def _make_service(
        self, options: Options, cluster: ecs.ICluster, network: Network, firewall: Firewall
    ) -> ecs.FargateService:
        desired = cdk.CfnParameter(
            cdk.Stack.of(self),
            "DesiredCount",
            type="Number",
            default=DESIRED_TASKS,
            min_value=MIN_TASKS,
            max_value=MAX_TASKS,
            # A changed template sets the count anew, in the middle of whatever scaling has done.
            description="tasks to run; on an update give the count that is running",
        )
        return ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=self.task.definition,
            desired_count=desired.value_as_number,
            vpc_subnets=network.task_subnets,
            security_groups=[firewall.tasks],
            assign_public_ip=False,
            platform_version=ecs.FargatePlatformVersion.VERSION1_4,
            health_check_grace_period=cdk.Duration.seconds(60),
            # A release starts beside the old one, and takes its place when it is healthy.
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            enable_execute_command=options.exec,
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
