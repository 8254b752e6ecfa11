"""The network: one VPC, the tasks' and the database's subnets, and the way out.

The load balancer, the database's subnet group and RDS Proxy each insist on two availability zones.
So there is a second pair of subnets that holds nothing else unless `multi_az` is on; tasks and
database stay in the first zone. Because all four exist from the start, turning `multi_az` on
renumbers nothing.
"""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.options import Options

VPC_CIDR = "10.0.0.0/16"


@dataclass(frozen=True)
class SubnetRow:
    name: str
    zone: str  # the letter behind the region's name
    cidr: str
    public: bool


SUBNETS = (
    SubnetRow("PublicA", "a", "10.0.1.0/24", public=True),
    SubnetRow("PrivateA", "a", "10.0.2.0/24", public=False),
    SubnetRow("PublicB", "b", "10.0.11.0/24", public=True),
    SubnetRow("PrivateB", "b", "10.0.12.0/24", public=False),
)

# Where the load balancer's nodes live, hence whose X-Forwarded-For nginx believes.
LOAD_BALANCER_CIDRS = tuple(row.cidr for row in SUBNETS if row.public)


class Network(Construct):
    """Attributes: vpc, public and private (by zone letter), zones in use, s3_endpoint."""

    def __init__(self, scope: Construct, id: str, options: Options) -> None:
        super().__init__(scope, id)
        self.zones = ("a", "b") if options.multi_az else ("a",)
        zone_names = {letter: f"{options.region}{letter}" for letter in ("a", "b")}
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(VPC_CIDR),
            availability_zones=list(zone_names.values()),
            enable_dns_hostnames=True,
            enable_dns_support=True,
            # The subnets are written out below: their addresses were asked for one by one.
            subnet_configuration=[],
            # Emptying it needs a custom resource with a Lambda function; nothing uses the group.
            restrict_default_security_group=False,
        )
        self.public: dict[str, ec2.PublicSubnet] = {}
        self.private: dict[str, ec2.PrivateSubnet] = {}
        for row in SUBNETS:
            make, table = (
                (ec2.PublicSubnet, self.public) if row.public else (ec2.PrivateSubnet, self.private)
            )
            table[row.zone] = make(
                self,
                row.name,
                vpc_id=self.vpc.vpc_id,
                availability_zone=zone_names[row.zone],
                cidr_block=row.cidr,
                # Only the load balancer and the NAT gateways live here; they bring their own.
                map_public_ip_on_launch=False,
            )
            cdk.Tags.of(table[row.zone]).add("Name", f"cbu-{options.environment}-{row.name}")
        self._open_to_internet()
        self.s3_endpoint = self._make_s3_endpoint()

    @property
    def public_subnets(self) -> ec2.SubnetSelection:
        """Both zones: what the load balancer needs."""
        return ec2.SubnetSelection(subnets=list(self.public.values()))

    @property
    def private_subnets(self) -> ec2.SubnetSelection:
        """Both zones: what the database's subnet group and the proxy need."""
        return ec2.SubnetSelection(subnets=list(self.private.values()))

    @property
    def task_subnets(self) -> ec2.SubnetSelection:
        """Where tasks run: the first zone, or both with `multi_az`."""
        return ec2.SubnetSelection(subnets=[self.private[zone] for zone in self.zones])

    def _open_to_internet(self) -> None:
        gateway = ec2.CfnInternetGateway(self, "InternetGateway")
        attachment = ec2.CfnVPCGatewayAttachment(
            self, "GatewayAttachment", vpc_id=self.vpc.vpc_id, internet_gateway_id=gateway.ref
        )
        for subnet in self.public.values():
            subnet.add_default_internet_route(gateway.ref, attachment)
        for zone in self.zones:
            nat = self.public[zone].add_nat_gateway()
            # Without the attachment the address of the gateway cannot be reached.
            nat.node.add_dependency(attachment)
            self.private[zone].add_default_nat_route(nat.ref)

    def _make_s3_endpoint(self) -> ec2.GatewayVpcEndpoint:
        """It costs nothing and keeps pictures and image layers off the NAT gateway's bill. Its
        policy names what the tasks need; data.py adds the pictures' bucket."""
        endpoint = ec2.GatewayVpcEndpoint(
            self,
            "S3Endpoint",
            vpc=self.vpc,
            service=ec2.GatewayVpcEndpointAwsService.S3,
            subnets=[self.private_subnets],
        )
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],  # the only principal such a policy may name
                actions=["s3:GetObject"],
                # Where ECR keeps the layers of images; Amazon ECR User Guide, "VPC endpoints".
                resources=[
                    cdk.Fn.sub(
                        "arn:${AWS::Partition}:s3:::prod-${AWS::Region}-starport-layer-bucket/*"
                    )
                ],
            )
        )
        return endpoint
