"""Least privilege: each statement of each role, and what no statement may say."""

from typing import Any

import pytest
from assembly import FLAGS, Assembly, as_list, synthesize

# Actions that know no resources. Service Authorization Reference, "Resource types: -".
WITHOUT_RESOURCES = {
    "ecr:GetAuthorizationToken",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}


def role_of(default: Assembly, stack: str, key: str) -> str:
    """Logical id of a task definition's role."""
    return default.one("AWS::ECS::TaskDefinition", stack)[key]["Fn::GetAtt"][0]


def actions_by_resource(assembly: Assembly, role: str) -> dict[str, set[str]]:
    """What a role may do, by a readable form of what it may do it to."""
    found: dict[str, set[str]] = {}
    for policy in assembly.resources("AWS::IAM::Policy").values():
        properties = policy["Properties"]
        if {"Ref": role} not in properties["Roles"]:
            continue
        for statement in properties["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for resource in as_list(statement["Resource"]):
                found.setdefault(readable(resource), set()).update(as_list(statement["Action"]))
    return found


def readable(resource: Any) -> str:
    """The id that an intrinsic function refers to, without the CDK's prefixes and hashes."""
    if isinstance(resource, str):
        return resource
    ((function, value),) = resource.items()
    if function == "Fn::Join":
        return "".join(readable(part) for part in value[1])
    name = value[0] if function == "Fn::GetAtt" else value
    name = name.split(":")[-1]
    for prefix in ("ExportsOutputFnGetAtt", "ExportsOutputRef"):
        name = name.removeprefix(prefix)
    known = (
        "SecretsDatabaseAdmin",
        "SecretsDatabaseServing",
        "SecretsAppJwt",
        "IdentityClientSecret",
        "IdentityPool",
        "RegistryRepository",
        "AppLog",
        "NginxLog",
        "MigrateLog",
    )
    return next((k for k in known if k in name), name)


PULL = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
}
WRITE_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
READ_SECRET = {"secretsmanager:GetSecretValue"}


def test_execution_role_of_the_service(default: Assembly) -> None:
    role = role_of(default, "Service", "ExecutionRoleArn")
    assert actions_by_resource(default, role) == {
        "RegistryRepository": PULL,
        "*": {"ecr:GetAuthorizationToken"},
        "AppLog": WRITE_LOG,
        "NginxLog": WRITE_LOG,
    }


def test_task_role_of_the_service(default: Assembly) -> None:
    role = role_of(default, "Service", "TaskRoleArn")
    assert actions_by_resource(default, role) == {
        "SecretsDatabaseServing": READ_SECRET,
        "IdentityClientSecret": READ_SECRET,
        "SecretsAppJwt": READ_SECRET,
        "cbu-production-image-bucket-arn/products/*": {
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
        },
        "cbu-production-image-bucket-arn": {"s3:ListBucket"},
        "IdentityPool": {
            "cognito-idp:AdminAddUserToGroup",
            "cognito-idp:AdminDeleteUser",
            "cognito-idp:AdminDisableUser",
            "cognito-idp:AdminEnableUser",
            "cognito-idp:AdminGetUser",
            "cognito-idp:AdminListGroupsForUser",
            "cognito-idp:AdminRemoveUserFromGroup",
            "cognito-idp:AdminUpdateUserAttributes",
            "cognito-idp:AdminUserGlobalSignOut",
        },
    }


def test_listing_is_limited_to_the_pictures(default: Assembly) -> None:
    (statement,) = (s for _, s in default.role_statements() if s["Action"] == "s3:ListBucket")
    assert statement["Condition"] == {"StringLikeIfExists": {"s3:prefix": ["products/*"]}}


def test_roles_of_the_migration(default: Assembly) -> None:
    assert actions_by_resource(default, role_of(default, "Migration", "TaskRoleArn")) == {
        "SecretsDatabaseAdmin": READ_SECRET,
        "SecretsDatabaseServing": READ_SECRET,
    }
    assert actions_by_resource(default, role_of(default, "Migration", "ExecutionRoleArn")) == {
        "RegistryRepository": PULL,
        "*": {"ecr:GetAuthorizationToken"},
        "MigrateLog": WRITE_LOG,
    }


def test_role_of_the_proxy(default: Assembly) -> None:
    role = default.one("AWS::RDS::DBProxy")["RoleArn"]["Fn::GetAtt"][0]
    read = READ_SECRET | {"secretsmanager:DescribeSecret"}
    assert actions_by_resource(default, role) == {"SecretsDatabaseServing": read}


@pytest.mark.parametrize("everything", [False, True], ids=["default", "all flags"])
def test_no_statement_allows_a_wildcard_of_actions(everything: bool) -> None:
    assembly = synthesize(**FLAGS) if everything else synthesize()
    seen = 0
    for holder, statement in assembly.role_statements():
        seen += 1
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys(), holder
        for action in as_list(statement["Action"]):
            assert "*" not in action, holder
            if "*" in as_list(statement["Resource"]):
                assert action in WITHOUT_RESOURCES, holder
    assert seen >= 12


@pytest.mark.parametrize("everything", [False, True], ids=["default", "all flags"])
def test_resource_policies_allow_nobody_in_general(everything: bool) -> None:
    """But for the endpoint of S3, whose policies can name no other principal."""
    assembly = synthesize(**FLAGS) if everything else synthesize()
    for type in ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"):
        for id, policy in assembly.resources(type).items():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":
                    assert statement["Principal"] not in ("*", {"AWS": "*"}), id
                    assert all("*" not in action for action in as_list(statement["Action"])), id


def test_the_endpoint_of_s3_reaches_pictures_and_image_layers_only(default: Assembly) -> None:
    endpoint = default.one("AWS::EC2::VPCEndpoint")
    allowed = {
        str(statement["Resource"]): set(as_list(statement["Action"]))
        for statement in endpoint["PolicyDocument"]["Statement"]
    }
    assert len(allowed) == 3
    assert {action for actions in allowed.values() for action in actions} == {
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    }
    (layers,) = (resource for resource in allowed if "starport-layer-bucket" in resource)
    assert allowed[layers] == {"s3:GetObject"}


@pytest.mark.parametrize("everything", [False, True], ids=["default", "all flags"])
def test_the_only_managed_policy_is_enhanced_monitorings(everything: bool) -> None:
    assembly = synthesize(**FLAGS) if everything else synthesize()
    managed = [
        str(arn)
        for role in assembly.resources("AWS::IAM::Role").values()
        for arn in role["Properties"].get("ManagedPolicyArns", [])
    ]
    assert len(managed) == 1
    assert "AmazonRDSEnhancedMonitoringRole" in managed[0]


@pytest.mark.parametrize("everything", [False, True], ids=["default", "all flags"])
def test_roles_are_assumed_by_one_service_each(everything: bool) -> None:
    assembly = synthesize(**FLAGS) if everything else synthesize()
    for id, role in assembly.resources("AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"].keys() == {"Service"}, id


def test_the_pipeline_may_pass_only_the_migrations_roles() -> None:
    assembly = synthesize(pipeline="true")
    (statement,) = (s for _, s in assembly.role_statements() if s["Action"] == "iam:PassRole")
    assert len(statement["Resource"]) == 2
    assert all("MigrationTaskDefinition" in str(role) for role in statement["Resource"])
    assert statement["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }
