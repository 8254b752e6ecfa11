"""Stacks over time: what the default leaves out, what outlives a stack, what a deployer says."""

import json

import pytest
from assembly import Assembly


def test_region_is_us_east_2(default: Assembly) -> None:
    manifest = json.loads((default.folder / "manifest.json").read_text())
    stacks = [a for a in manifest["artifacts"].values() if a["type"] == "aws:cloudformation:stack"]
    assert {stack["environment"] for stack in stacks} == {"aws://unknown-account/us-east-2"}


def test_what_can_carry_tags_carries_all_three(default: Assembly) -> None:
    wanted = {"Project": "cbu", "Environment": "production", "CostCenter": "core-business-unit"}
    tagged = 0
    for template in default.templates.values():
        for id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            tags = properties.get("Tags", properties.get("UserPoolTags"))
            if tags is None:
                continue
            pairs = tags if isinstance(tags, dict) else {t["Key"]: t["Value"] for t in tags}
            assert wanted.items() <= pairs.items(), id
            tagged += 1
    assert tagged >= 40


def test_a_proxy_target_group_has_no_tags(default: Assembly) -> None:
    assert "Tags" not in default.one("AWS::RDS::DBProxyTargetGroup")


@pytest.mark.parametrize(
    "prefix",
    [
        "AWS::WAFv2::",
        "AWS::CloudFront::",
        "AWS::CodePipeline::",
        "AWS::CodeBuild::",
        "AWS::ElastiCache::",
        "AWS::KMS::",
        "AWS::Lambda::",
        "AWS::CDK::",
        "Custom::",
        "AWS::CloudFormation::CustomResource",
    ],
)
def test_the_default_has_none_of(default: Assembly, prefix: str) -> None:
    assert not [type for type in default.types() if type.startswith(prefix)]


RETAINED = {"UpdateReplacePolicy": "Retain", "DeletionPolicy": "RetainExceptOnCreate"}


@pytest.mark.parametrize(
    ("type", "policy"),
    [
        ("AWS::RDS::DBInstance", {"UpdateReplacePolicy": "Snapshot", "DeletionPolicy": "Snapshot"}),
        ("AWS::S3::Bucket", RETAINED),
        ("AWS::Cognito::UserPool", RETAINED),
        ("AWS::SecretsManager::Secret", RETAINED),
        ("AWS::ECR::Repository", RETAINED),
    ],
)
def test_what_must_not_be_lost_outlives_its_stack(
    default: Assembly, type: str, policy: dict[str, str]
) -> None:
    for id, resource in default.resources(type).items():
        assert policy.items() <= resource.items(), id


def test_stacks_with_data_are_protected(default: Assembly) -> None:
    manifest = json.loads((default.folder / "manifest.json").read_text())
    protected = {
        name
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
        and artifact["properties"].get("terminationProtection")
    }
    assert protected == {"Registry", "Base"}


def test_parameters_are_what_only_the_deployer_knows(default: Assembly) -> None:
    parameters = default.parameters()
    assert set(parameters) == {
        "Migration.ImageTag",
        "Service.AlarmEmail",
        "Service.DesiredCount",
        "Service.HostedZoneId",
        "Service.ImageTag",
    }
    assert parameters["Service.HostedZoneId"]["Type"] == "AWS::Route53::HostedZone::Id"
    desired = parameters["Service.DesiredCount"]
    assert (desired["Default"], desired["MinValue"], desired["MaxValue"]) == (2, 2, 10)
    for name in ("Migration.ImageTag", "Service.ImageTag", "Service.AlarmEmail"):
        assert "Default" not in parameters[name]
        assert "AllowedPattern" in parameters[name]


def test_untagged_images_go_and_releases_stay(default: Assembly) -> None:
    repository = default.one("AWS::ECR::Repository")
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [r["selection"]["tagStatus"] for r in rules] == ["untagged", "any"]
    assert rules[1]["selection"]["countNumber"] == 60


def test_a_release_can_be_migrated_before_the_service_is_updated(default: Assembly) -> None:
    """Neither stack is deployed because of the other."""
    manifest = json.loads((default.folder / "manifest.json").read_text())
    for stack, other in (("Service", "Migration"), ("Migration", "Service")):
        assert other not in manifest["artifacts"][stack].get("dependencies", [])
