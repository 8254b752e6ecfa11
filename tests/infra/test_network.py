"""Where things are in the network."""

from typing import Any

from assembly import Assembly


def test_only_public_subnets_reach_the_internet_gateway(default: Assembly) -> None:
    """And the second private subnet has no way out at all: nothing runs there."""
    subnets = {
        id: s["Properties"]["CidrBlock"] for id, s in default.resources("AWS::EC2::Subnet").items()
    }
    tables = {
        a["Properties"]["RouteTableId"]["Ref"]: subnets[a["Properties"]["SubnetId"]["Ref"]]
        for a in default.resources("AWS::EC2::SubnetRouteTableAssociation").values()
    }
    ways_out = {
        tables[r["Properties"]["RouteTableId"]["Ref"]]: (
            "gateway" if "GatewayId" in r["Properties"] else "nat"
        )
        for r in default.resources("AWS::EC2::Route").values()
    }
    assert ways_out == {"10.0.1.0/24": "gateway", "10.0.11.0/24": "gateway", "10.0.2.0/24": "nat"}


def test_the_nat_gateway_is_in_the_first_zone(default: Assembly) -> None:
    id = default.one("AWS::EC2::NatGateway")["SubnetId"]["Ref"]
    assert default.resources("AWS::EC2::Subnet")[id]["Properties"]["CidrBlock"] == "10.0.1.0/24"


def subnet_of(reference: dict[str, str], subnets: dict[str, Any]) -> str:
    """Logical id; from another stack the export's name holds it."""
    text = reference.get("Ref") or reference["Fn::ImportValue"]
    return next(id for id in subnets if id in text)


def test_database_and_proxy_are_in_private_subnets(default: Assembly) -> None:
    subnets = default.resources("AWS::EC2::Subnet")
    for ids in (
        default.one("AWS::RDS::DBSubnetGroup")["SubnetIds"],
        default.one("AWS::RDS::DBProxy")["VpcSubnetIds"],
    ):
        cidrs = {subnets[subnet_of(id, subnets)]["Properties"]["CidrBlock"] for id in ids}
        assert cidrs == {"10.0.2.0/24", "10.0.12.0/24"}
