"""Each flag alone: the system gains exactly the resources named here, and nothing else."""

import shlex
from typing import Any

import pytest
from assembly import FLAGS, Assembly, as_list, synthesize

from infra.options import OPTION_FIELDS

GAINS: dict[str, dict[str, int]] = {
    "multi_az": {"AWS::EC2::EIP": 1, "AWS::EC2::NatGateway": 1, "AWS::EC2::Route": 1},
    "cloudfront": {
        "AWS::CloudFront::CachePolicy": 1,
        "AWS::CloudFront::Distribution": 1,
        "AWS::CloudFront::Function": 1,
    },
    "waf": {"AWS::WAFv2::WebACL": 1, "AWS::WAFv2::WebACLAssociation": 1},
    "pipeline": {
        "AWS::CodeBuild::Project": 2,
        "AWS::CodePipeline::Pipeline": 1,
        "AWS::IAM::Role": 3,
        "AWS::Logs::LogGroup": 2,
        "AWS::S3::Bucket": 1,
        "AWS::S3::BucketPolicy": 1,
    },
    "exec": {},
    "inner_tls": {},
    "container_insights": {},
}


def test_every_flag_is_tested_here() -> None:
    switches = {name for name, option in OPTION_FIELDS.items() if option.default is False}
    # Performance Insights needs a class of instance that is not the default; see test_values().
    assert switches - {"performance_insights"} | {"container_insights"} == set(FLAGS) == set(GAINS)


def alone(flag: str) -> Assembly:
    return synthesize(**{flag: FLAGS[flag]})


@pytest.mark.parametrize("flag", FLAGS)
def test_gains_exactly(default: Assembly, flag: str) -> None:
    before, after = default.types(), alone(flag).types()
    assert dict(after - before) == GAINS[flag]
    assert not before - after


def test_all_together_gain_the_sum(default: Assembly) -> None:
    before, after = default.types(), synthesize(**FLAGS).types()
    gained: dict[str, int] = {}
    for types in GAINS.values():
        for type, count in types.items():
            gained[type] = gained.get(type, 0) + count
    assert dict(after - before) == gained


@pytest.mark.parametrize("flag", FLAGS)
def test_logical_ids_stay(default: Assembly, flag: str) -> None:
    """A resource under another id would be a new one: turned on, a flag replaces nothing."""
    for stack, template in default.templates.items():
        before, after = template["Resources"], alone(flag).templates[stack]["Resources"]
        assert before.keys() <= after.keys()
        assert all(before[id]["Type"] == after[id]["Type"] for id in before)


def test_multi_az() -> None:
    assembly = alone("multi_az")
    database = assembly.one("AWS::RDS::DBInstance")
    assert database["MultiAZ"] is True
    assert "AvailabilityZone" not in database
    service = assembly.one("AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert len(service["Subnets"]) == 2


def test_multi_az_has_a_nat_gateway_and_a_way_out_in_each_zone() -> None:
    assembly = alone("multi_az")
    subnets = assembly.resources("AWS::EC2::Subnet")
    nat_zone = {
        id: subnets[nat["Properties"]["SubnetId"]["Ref"]]["Properties"]["AvailabilityZone"]
        for id, nat in assembly.resources("AWS::EC2::NatGateway").items()
    }
    zone_of_table = {
        a["Properties"]["RouteTableId"]["Ref"]: subnets[a["Properties"]["SubnetId"]["Ref"]][
            "Properties"
        ]["AvailabilityZone"]
        for a in assembly.resources("AWS::EC2::SubnetRouteTableAssociation").values()
    }
    zones = {
        (zone_of_table[r["Properties"]["RouteTableId"]["Ref"]], nat_zone[nat["Ref"]])
        for r in assembly.resources("AWS::EC2::Route").values()
        if (nat := r["Properties"].get("NatGatewayId"))
    }
    assert zones == {("us-east-2a", "us-east-2a"), ("us-east-2b", "us-east-2b")}


def test_cloudfront_serves_pictures_only() -> None:
    assembly = alone("cloudfront")
    config = assembly.one("AWS::CloudFront::Distribution")["DistributionConfig"]
    (pictures,) = config["CacheBehaviors"]
    assert pictures["PathPattern"] == "/v1/images/*"
    assert (
        config["DefaultCacheBehavior"]["FunctionAssociations"][0]["EventType"] == "viewer-request"
    )
    (origin,) = config["Origins"]
    assert origin["DomainName"] == "cbu.example.com"
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def test_cloudfront_caches_by_the_whole_address_and_nothing_of_the_client() -> None:
    policy = alone("cloudfront").one("AWS::CloudFront::CachePolicy")["CachePolicyConfig"]
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert key["HeadersConfig"] == {"HeaderBehavior": "none"}


def test_cloudfront_is_told_to_the_service(default: Assembly) -> None:
    assert "IMAGE_BASE_URL" not in default.environment("app")
    address = alone("cloudfront").environment("app")["IMAGE_BASE_URL"]
    assert address["Fn::Join"][1][0] == "https://"
    assert address["Fn::Join"][1][1]["Fn::GetAtt"][1] == "DomainName"


def test_waf() -> None:
    acl = alone("waf").one("AWS::WAFv2::WebACL")
    assert acl["Scope"] == "REGIONAL"
    rules = {rule["Name"]: rule for rule in acl["Rules"]}
    assert list(rules) == [
        "rate",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    ]
    common = rules["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]
    # It would refuse every picture above 8 KB.
    assert common["RuleActionOverrides"] == [
        {"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}
    ]
    association = alone("waf").one("AWS::WAFv2::WebACLAssociation")
    assert association["ResourceArn"]["Ref"].startswith("EdgeLoadBalancer")


def test_pipeline_asks_a_person_before_it_deploys() -> None:
    assembly = alone("pipeline")
    pipeline = assembly.one("AWS::CodePipeline::Pipeline")
    providers = [
        (stage["Name"], [action["ActionTypeId"]["Provider"] for action in stage["Actions"]])
        for stage in pipeline["Stages"]
    ]
    assert providers == [
        ("Source", ["CodeStarSourceConnection"]),
        ("Build", ["CodeBuild"]),
        ("Approve", ["Manual"]),
        ("Deploy", ["CodeBuild"]),
    ]
    source = pipeline["Stages"][0]["Actions"][0]["Configuration"]
    assert source["ConnectionArn"] == {"Ref": "ConnectionArn"}
    assert {"Pipeline.ConnectionArn", "Pipeline.Repository", "Pipeline.Branch"} <= set(
        assembly.parameters()
    )


def test_pipeline_is_privileged_only_where_it_builds_images() -> None:
    projects = alone("pipeline").resources("AWS::CodeBuild::Project")
    privileged = {
        id: project["Properties"]["Environment"]["PrivilegedMode"]
        for id, project in projects.items()
    }
    assert sorted(privileged.values()) == [False, True]
    (builder,) = (id for id, value in privileged.items() if value)
    assert "make push" in str(projects[builder]["Properties"]["Source"]["BuildSpec"])


def test_pipeline_deploys_what_was_chosen() -> None:
    """With the defaults it would take every other option back at its first run."""
    chosen = {"pipeline": "true", "cost_center": "a b", "WORKERS": "4"}
    assembly = synthesize(**chosen)
    for project in assembly.resources("AWS::CodeBuild::Project").values():
        (variable,) = project["Properties"]["Environment"]["EnvironmentVariables"]
        assert variable["Name"] == "CONTEXT"
        assert dict(x.split("=") for x in shlex.split(variable["Value"])) == chosen


def test_both_projects_may_clone_the_source() -> None:
    holders = {
        holder
        for holder, statement in alone("pipeline").role_statements()
        if "codeconnections:UseConnection" in as_list(statement["Action"])
    }
    assert len(holders) == 3  # and the pipeline itself


def test_exec() -> None:
    assembly = alone("exec")
    assert assembly.one("AWS::ECS::Service")["EnableExecuteCommand"] is True
    for name in ("app", "nginx"):
        container = assembly.containers()[name]
        assert container["LinuxParameters"]["InitProcessEnabled"] is True
        # Its agent writes here, and the root stays read-only.
        folders = {m["ContainerPath"]: m["SourceVolume"] for m in container["MountPoints"]}
        assert folders["/var/lib/amazon"] == f"{name}-exec-lib"
        assert folders["/var/log/amazon"] == f"{name}-exec-log"
        assert container["ReadonlyRootFilesystem"] is True


def test_exec_gains_the_rights_of_its_channels_and_no_others(default: Assembly) -> None:
    def actions(assembly: Assembly) -> set[str]:
        found: set[str] = set()
        for _, statement in assembly.role_statements():
            action = statement["Action"]
            found |= set(action if isinstance(action, list) else [action])
        return found

    gained = actions(alone("exec")) - actions(default)
    assert {
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    } == gained


def test_inner_tls(default: Assembly) -> None:
    assembly = alone("inner_tls")
    target_group = assembly.one("AWS::ElasticLoadBalancingV2::TargetGroup")
    assert target_group["Protocol"] == "HTTPS"
    assert target_group["HealthCheckProtocol"] == "HTTPS"
    assert target_group["Port"] == 8000
    assert assembly.environment("nginx")["INNER_TLS"] == "1"
    assert "INNER_TLS" not in default.environment("nginx")


@pytest.mark.parametrize(
    ("value", "setting"),
    [("off", "disabled"), ("enabled", "enabled"), ("enhanced", "enhanced")],
)
def test_container_insights(value: str, setting: str) -> None:
    cluster = synthesize(container_insights=value).one("AWS::ECS::Cluster")
    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": setting}]


@pytest.mark.parametrize(
    ("context", "type", "properties"),
    [
        (
            {"engine_version": "8.4.11"},
            "AWS::RDS::DBInstance",
            {
                "EngineVersion": "8.4.11",
                # Never paid Extended Support without anybody noticing.
                "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
                "AllowMajorVersionUpgrade": True,
            },
        ),
        ({"engine_version": "8.4.11"}, "AWS::RDS::DBParameterGroup", {"Family": "mysql8.4"}),
        (
            {"instance_class": "t4g.medium", "performance_insights": "true"},
            "AWS::RDS::DBInstance",
            {"DBInstanceClass": "db.t4g.medium", "EnablePerformanceInsights": True},
        ),
        ({"domain": "shop.example.org"}, "AWS::Route53::RecordSet", {"Name": "shop.example.org."}),
    ],
    ids=str,
)
def test_values(context: dict[str, str], type: str, properties: dict[str, Any]) -> None:
    assert properties.items() <= synthesize(**context).one(type).items()


def test_budget() -> None:
    budget = synthesize(budget_usd="1200").one("AWS::Budgets::Budget")["Budget"]
    assert budget["BudgetLimit"] == {"Amount": 1200, "Unit": "USD"}


def test_a_class_without_credits_has_no_alarm_on_them() -> None:
    alarms = synthesize(instance_class="m7g.large").resources("AWS::CloudWatch::Alarm").values()
    names = {alarm["Properties"].get("AlarmName") for alarm in alarms}
    assert "cbu-production-DatabaseConnectionsHigh" in names
    assert "cbu-production-DatabaseCreditsLow" not in names


def test_another_region_and_environment() -> None:
    """For recovery: nothing in the templates insists on us-east-2 or on production."""
    assembly = synthesize(region="us-west-2", environment="recovery")
    text = "".join(file.read_text() for file in assembly.files)
    assert "us-east-2" not in text
    assert "production" not in text
    assert "us-west-2a" in text
