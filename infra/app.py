"""The stacks, in the order in which they are deployed.

They are cut by how often they change and by what may be lost with them, not by concern: the
concerns are the modules. docs/decisions/0020 says why.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from infra.data import Database, Images, Proxy
from infra.edge import Edge
from infra.findings import acknowledge
from infra.firewall import Firewall
from infra.identity import Identity
from infra.migration import Migration
from infra.monitoring import Monitoring
from infra.network import Network
from infra.options import Options, parse_options
from infra.pipeline import Pipeline
from infra.registry import Registry
from infra.scaling import Scaling
from infra.secrets import Secrets
from infra.service import Service

ROOT = Path(__file__).parent.parent

CONTAINER_INSIGHTS = {
    "off": ecs.ContainerInsights.DISABLED,
    "enabled": ecs.ContainerInsights.ENABLED,
    "enhanced": ecs.ContainerInsights.ENHANCED,
}


class _Stack(cdk.Stack):
    def __init__(
        self, scope: Construct, id: str, options: Options, *, description: str, keep: bool = False
    ) -> None:
        super().__init__(
            scope,
            id,
            stack_name=f"cbu-{options.environment}-{id.lower()}",
            description=description,
            env=cdk.Environment(region=options.region),
            termination_protection=keep,
        )


class RegistryStack(_Stack):
    """First: the images must be there before anything can run them."""

    def __init__(self, scope: Construct, options: Options) -> None:
        super().__init__(scope, "Registry", options, description="container images", keep=True)
        self.repository = Registry(self, "Registry", options).repository


class BaseStack(_Stack):
    """What stays when releases come and go: network, database, pictures, users, secrets."""

    def __init__(self, scope: Construct, options: Options) -> None:
        super().__init__(
            scope, "Base", options, description="network, data, identity, secrets", keep=True
        )
        self.network = Network(self, "Network", options)
        self.firewall = Firewall(self, "Firewall", self.network.vpc)
        self.secrets = Secrets(self, "Secrets")
        self.database = Database(
            self,
            "Database",
            options,
            network=self.network,
            firewall=self.firewall,
            secrets=self.secrets,
        )
        self.images = Images(self, "Images", options, self.network)
        self.identity = Identity(self, "Identity")
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=self.network.vpc,
            container_insights_v2=CONTAINER_INSIGHTS[options.container_insights],
        )
        acknowledge(
            self.network.vpc,
            {"AwsSolutions-VPC7": "Flow logs cost by the gigabyte and were not asked for."},
        )
        acknowledge(
            self.firewall,
            {"AwsSolutions-EC23": "The load balancer is public: 80 and 443 were asked for."},
        )
        acknowledge(
            self.cluster,
            {"AwsSolutions-ECS4": "Container Insights was not asked for; an option turns it on."},
        )
        subnets = self.network.task_subnets.subnets
        for name, value in {
            "ClusterName": self.cluster.cluster_name,
            "TaskSubnets": cdk.Fn.join(",", [subnet.subnet_id for subnet in subnets]),
            "MigrationSecurityGroup": self.firewall.migration.security_group_id,
        }.items():
            cdk.CfnOutput(self, name, value=value, description="for `aws ecs run-task`")


class MigrationStack(_Stack):
    """Deployed with each release, run once, before the service."""

    def __init__(
        self, scope: Construct, options: Options, registry: RegistryStack, base: BaseStack
    ) -> None:
        super().__init__(scope, "Migration", options, description="one-off schema migration")
        self.migration = Migration(
            self,
            "Migration",
            options,
            repository=registry.repository,
            database=base.database,
        )


class ServiceStack(_Stack):
    """What answers requests, its way to the database, and what watches both."""

    def __init__(
        self, scope: Construct, options: Options, registry: RegistryStack, base: BaseStack
    ) -> None:
        super().__init__(scope, "Service", options, description="load balancer, tasks, monitoring")
        edge = Edge(self, "Edge", options, network=base.network, firewall=base.firewall)
        proxy = Proxy(
            self, "Database", network=base.network, firewall=base.firewall, database=base.database
        )
        service = Service(
            self,
            "Tasks",
            options,
            repository=registry.repository,
            cluster=base.cluster,
            network=base.network,
            firewall=base.firewall,
            database=base.database,
            proxy=proxy,
            images=base.images,
            identity=base.identity,
            secrets=base.secrets,
            edge=edge,
        )
        Scaling(self, "Scaling", service.service)
        Monitoring(
            self,
            "Monitoring",
            options,
            edge=edge,
            service=service,
            database=base.database,
            proxy=proxy,
        )
        for name, value in {
            "ServiceName": service.service.service_name,
            "Address": f"https://{options.domain}",
            "LoadBalancer": edge.load_balancer.load_balancer_dns_name,
        }.items():
            cdk.CfnOutput(self, name, value=value)


class PipelineStack(_Stack):
    """Only with `pipeline=true`."""

    def __init__(
        self, scope: Construct, options: Options, registry: RegistryStack, release: MigrationStack
    ) -> None:
        super().__init__(scope, "Pipeline", options, description="build, approve, deploy")
        Pipeline(
            self,
            "Pipeline",
            options,
            repository=registry.repository,
            migration=release.migration,
        )


def make_app(context: Mapping[str, Any] | None = None, outdir: str | None = None) -> cdk.App:
    """The whole system. The context comes from the command line of the CDK; `context` adds to it,
    for tests. Raises OptionsError. The CDK's own feature flags are read from cdk.json here too, so
    that the templates are the same with and without its CLI."""
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(
        context={**flags, **(context or {})},
        outdir=outdir or os.environ.get("CDK_OUTDIR", str(ROOT / "build" / "cdk.out")),
        # No resource that reports to AWS which constructs are used.
        analytics_reporting=False,
    )
    options = parse_options(app.node.get_all_context())
    registry = RegistryStack(app, options)
    base = BaseStack(app, options)
    migration = MigrationStack(app, options, registry, base)
    ServiceStack(app, options, registry, base)
    if options.pipeline:
        PipelineStack(app, options, registry, migration)
    for key, value in {
        "Project": "cbu",
        "Environment": options.environment,
        "CostCenter": options.cost_center,
    }.items():
        cdk.Tags.of(app).add(
            # Its schema has no tags, whatever its documentation says.
            key,
            value,
            exclude_resource_types=["AWS::RDS::DBProxyTargetGroup"],
        )
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app
