"""The security groups, as one table of who may talk to whom.

The design's table knew three groups; RDS Proxy, the migration and the function that rotates
passwords have groups of their own. So the service's tasks reach the database through the proxy
only, and the migration, whose lock would pin a connection of the proxy, past it.

The rules are written as plain CloudFormation resources, and the groups are handed out as
read-only: constructs of the CDK like to add rules of their own, and then nobody could say from
this table what is open. Rules between groups stand free, because two groups that name each other
could not be created otherwise.
"""

from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

HTTP_PORT = 8000  # nginx
MYSQL_PORT = 3306

INTERNET = "0.0.0.0/0"


@dataclass(frozen=True)
class Rule:
    """Traffic between `group` and a peer, which is the name of another group or a CIDR."""

    group: str
    peer: str
    port: int | None  # None: all protocols and ports
    why: str


GROUPS = {
    "LoadBalancer": "Application Load Balancer",
    "Tasks": "ECS tasks of the service",
    "Migration": "ECS task of the migration",
    "Proxy": "RDS Proxy",
    "Rotation": "functions that rotate the passwords of the database",
    "Database": "RDS MySQL",
}

INGRESS = (
    Rule("LoadBalancer", INTERNET, 443, "HTTPS from anywhere"),
    Rule("LoadBalancer", INTERNET, 80, "HTTP from anywhere, to be redirected to HTTPS"),
    Rule("Tasks", "LoadBalancer", HTTP_PORT, "requests from the load balancer"),
    Rule("Proxy", "Tasks", MYSQL_PORT, "connections of the workers"),
    Rule("Database", "Proxy", MYSQL_PORT, "the proxy's pool"),
    Rule("Database", "Migration", MYSQL_PORT, "changing tables and users"),
    Rule("Database", "Rotation", MYSQL_PORT, "changing a password"),
)

EGRESS = (
    Rule("LoadBalancer", "Tasks", None, "requests and health checks"),
    Rule("Tasks", INTERNET, 443, "AWS services"),
    Rule("Tasks", "Proxy", MYSQL_PORT, "the database"),
    Rule("Proxy", "Database", MYSQL_PORT, "the proxy's pool"),
    Rule("Migration", INTERNET, 443, "AWS services"),
    Rule("Migration", "Database", MYSQL_PORT, "changing tables and users"),
    Rule("Rotation", "Database", MYSQL_PORT, "changing a password"),
    Rule("Rotation", INTERNET, 443, "Secrets Manager"),
)

# EC2 gives a group without egress rules one that allows everything. This one allows nothing that
# exists: a host that answers to no address, and a type of ICMP that means nothing.
NO_EGRESS = ec2.CfnSecurityGroup.EgressProperty(
    ip_protocol="icmp",
    cidr_ip="255.255.255.255/32",
    from_port=252,
    to_port=86,
    description="Disallow all traffic",
)


def _protocol(rule: Rule) -> dict[str, str | int]:
    if rule.port is None:
        return {"ip_protocol": "-1"}
    return {"ip_protocol": "tcp", "from_port": rule.port, "to_port": rule.port}


def _inline(rules: tuple[Rule, ...], group: str) -> list[Rule]:
    return [rule for rule in rules if rule.group == group and rule.peer not in GROUPS]


class Firewall(Construct):
    """Attributes: one read-only security group for each name in GROUPS, in snake case."""

    def __init__(self, scope: Construct, id: str, vpc: ec2.IVpc) -> None:
        super().__init__(scope, id)
        self._groups = {name: self._make_group(name, vpc) for name in GROUPS}
        self._add_rules_between_groups()
        self.load_balancer = self._hand_out("LoadBalancer")
        self.tasks = self._hand_out("Tasks")
        self.migration = self._hand_out("Migration")
        self.proxy = self._hand_out("Proxy")
        self.rotation = self._hand_out("Rotation")
        self.database = self._hand_out("Database")

    def _make_group(self, name: str, vpc: ec2.IVpc) -> ec2.CfnSecurityGroup:
        egress = [
            ec2.CfnSecurityGroup.EgressProperty(
                cidr_ip=rule.peer, description=rule.why, **_protocol(rule)
            )
            for rule in _inline(EGRESS, name)
        ]
        return ec2.CfnSecurityGroup(
            self,
            name,
            vpc_id=vpc.vpc_id,
            group_description=GROUPS[name],
            security_group_ingress=[
                ec2.CfnSecurityGroup.IngressProperty(
                    cidr_ip=rule.peer, description=rule.why, **_protocol(rule)
                )
                for rule in _inline(INGRESS, name)
            ],
            security_group_egress=egress or [NO_EGRESS],
        )

    def _add_rules_between_groups(self) -> None:
        for rule in INGRESS:
            if rule.peer in GROUPS:
                ec2.CfnSecurityGroupIngress(
                    self,
                    f"{rule.group}From{rule.peer}",
                    group_id=self._groups[rule.group].attr_group_id,
                    source_security_group_id=self._groups[rule.peer].attr_group_id,
                    description=rule.why,
                    **_protocol(rule),
                )
        for rule in EGRESS:
            if rule.peer in GROUPS:
                ec2.CfnSecurityGroupEgress(
                    self,
                    f"{rule.group}To{rule.peer}",
                    group_id=self._groups[rule.group].attr_group_id,
                    destination_security_group_id=self._groups[rule.peer].attr_group_id,
                    description=rule.why,
                    **_protocol(rule),
                )

    def _hand_out(self, name: str) -> ec2.ISecurityGroup:
        return ec2.SecurityGroup.from_security_group_id(
            self, f"{name}Group", self._groups[name].attr_group_id, mutable=False
        )
