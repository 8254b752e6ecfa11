"""The security groups, read back from the templates as a plain list of who may talk to whom."""

from typing import Any

from assembly import FLAGS, Assembly, synthesize

ALL = "all"
NOWHERE = "255.255.255.255/32"  # stands for "none": see infra/firewall.py

# Asked for: load balancer in 443 and 80 from anywhere, out everything to the tasks; tasks in 8000
# from the load balancer, out 443 anywhere and 3306 to the database; database in 3306, out none.
# Added: the proxy in between, the migration past it, and the rotation of passwords.
WANTED = {
    ("LoadBalancer", "in", "0.0.0.0/0", 443),
    ("LoadBalancer", "in", "0.0.0.0/0", 80),
    ("LoadBalancer", "out", "Tasks", ALL),
    ("Tasks", "in", "LoadBalancer", 8000),
    ("Tasks", "out", "0.0.0.0/0", 443),
    ("Tasks", "out", "Proxy", 3306),
    ("Proxy", "in", "Tasks", 3306),
    ("Proxy", "out", "Database", 3306),
    ("Database", "in", "Proxy", 3306),
    ("Database", "in", "Migration", 3306),
    ("Database", "in", "Rotation", 3306),
    ("Migration", "out", "0.0.0.0/0", 443),
    ("Migration", "out", "Database", 3306),
    ("Rotation", "out", "Database", 3306),
    ("Rotation", "out", "0.0.0.0/0", 443),
}


def groups_of(assembly: Assembly) -> dict[str, str]:
    """Logical id -> name. The CDK ends ids with 8 hexadecimal digits."""
    return {
        id: id.removeprefix("Firewall")[:-8] for id in assembly.resources("AWS::EC2::SecurityGroup")
    }


def ports(rule: dict[str, Any]) -> int | str:
    if rule["IpProtocol"] == "-1":
        return ALL
    assert rule["IpProtocol"] == "tcp"
    assert rule["FromPort"] == rule["ToPort"]
    return rule["FromPort"]


def rules_of(assembly: Assembly) -> set[tuple[str, str, str, int | str]]:
    names = groups_of(assembly)
    found = []
    for id, group in assembly.resources("AWS::EC2::SecurityGroup").items():
        for way, key in (("in", "SecurityGroupIngress"), ("out", "SecurityGroupEgress")):
            found += [
                (names[id], way, rule["CidrIp"], ports(rule))
                for rule in group["Properties"][key]
                if rule["CidrIp"] != NOWHERE
            ]
    for way, peer in (("in", "Source"), ("out", "Destination")):
        kind = "Ingress" if way == "in" else "Egress"
        for resource in assembly.resources(f"AWS::EC2::SecurityGroup{kind}").values():
            rule = resource["Properties"]
            found.append(
                (
                    names[rule["GroupId"]["Fn::GetAtt"][0]],
                    way,
                    names[rule[f"{peer}SecurityGroupId"]["Fn::GetAtt"][0]],
                    ports(rule),
                )
            )
    assert len(found) == len(set(found))
    return set(found)


def test_exactly_these_rules(default: Assembly) -> None:
    assert rules_of(default) == WANTED


def test_no_flag_opens_anything() -> None:
    assert rules_of(synthesize(**FLAGS)) == WANTED


def test_no_group_falls_back_to_all_egress(default: Assembly) -> None:
    """A group without a rule of its own in the group itself gets one that allows everything."""
    for id, group in default.resources("AWS::EC2::SecurityGroup").items():
        assert group["Properties"]["SecurityGroupEgress"], id


def test_the_database_talks_to_nobody(default: Assembly) -> None:
    (database,) = (id for id, name in groups_of(default).items() if name == "Database")
    group = default.resources("AWS::EC2::SecurityGroup")[database]["Properties"]
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == [NOWHERE]


def test_groups_are_where_they_belong(default: Assembly) -> None:
    names = groups_of(default)

    def name(reference: dict[str, Any]) -> str:
        if "Fn::ImportValue" in reference:  # from another stack: the export's name holds the id
            return next(n for id, n in names.items() if id in reference["Fn::ImportValue"])
        return names[reference["Fn::GetAtt"][0]]

    balancer = default.one("AWS::ElasticLoadBalancingV2::LoadBalancer")
    service = default.one("AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert [name(g) for g in balancer["SecurityGroups"]] == ["LoadBalancer"]
    assert [name(g) for g in service["SecurityGroups"]] == ["Tasks"]
    assert [name(g) for g in default.one("AWS::RDS::DBProxy")["VpcSecurityGroupIds"]] == ["Proxy"]
    assert [name(g) for g in default.one("AWS::RDS::DBInstance")["VPCSecurityGroups"]] == [
        "Database"
    ]
    for schedule in default.resources("AWS::SecretsManager::RotationSchedule").values():
        rotation = schedule["Properties"]["HostedRotationLambda"]
        assert name(rotation["VpcSecurityGroupIds"]) == "Rotation"
