"""One row for each line of what was asked for, and of what was added after review: the wish, and
where the default templates fulfil it. What needs more than a look at properties is in the other
files: security groups in test_firewall.py, rights in test_rights.py, and so on."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from assembly import Assembly
from aws_cdk.assertions import Match

ANY = Match.any_value()


@dataclass(frozen=True)
class Wish:
    text: str
    stack: str
    type: str
    properties: dict[str, Any] = field(default_factory=dict)
    count: int | None = None  # of resources of this type, where that was asked for


def subnet(cidr: str, zone: str) -> dict[str, Any]:
    return {"CidrBlock": cidr, "AvailabilityZone": zone, "MapPublicIpOnLaunch": False}


def container(name: str, **properties: Any) -> Any:
    return {
        "ContainerDefinitions": Match.array_with([Match.object_like({"Name": name, **properties})])
    }


def secret(**properties: Any) -> dict[str, Any]:
    return {"GenerateSecretString": Match.object_like(properties)}


ELB = "AWS::ElasticLoadBalancingV2"

WISHES = [
    # Network
    Wish("VPC 10.0.0.0/16", "Base", "AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}, 1),
    Wish(
        "DNS host names",
        "Base",
        "AWS::EC2::VPC",
        {"EnableDnsHostnames": True, "EnableDnsSupport": True},
    ),
    Wish("public subnet", "Base", "AWS::EC2::Subnet", subnet("10.0.1.0/24", "us-east-2a"), 4),
    Wish("private subnet", "Base", "AWS::EC2::Subnet", subnet("10.0.2.0/24", "us-east-2a")),
    Wish("second zone, public", "Base", "AWS::EC2::Subnet", subnet("10.0.11.0/24", "us-east-2b")),
    Wish("second zone, private", "Base", "AWS::EC2::Subnet", subnet("10.0.12.0/24", "us-east-2b")),
    Wish("Internet gateway", "Base", "AWS::EC2::InternetGateway", count=1),
    Wish("attached", "Base", "AWS::EC2::VPCGatewayAttachment", {"InternetGatewayId": ANY}, 1),
    Wish("a single NAT gateway", "Base", "AWS::EC2::NatGateway", {"AllocationId": ANY}, 1),
    Wish("its address", "Base", "AWS::EC2::EIP", {"Domain": "vpc"}, 1),
    Wish(
        "S3 not through NAT",
        "Base",
        "AWS::EC2::VPCEndpoint",
        {"VpcEndpointType": "Gateway", "RouteTableIds": [ANY, ANY]},
        1,
    ),
    # Edge
    Wish(
        "ALB, internet-facing, in two zones",
        "Service",
        f"{ELB}::LoadBalancer",
        {
            "Scheme": "internet-facing",
            "Type": "application",
            "Subnets": [ANY, ANY],
            "LoadBalancerAttributes": Match.array_with(
                [
                    {"Key": "deletion_protection.enabled", "Value": "true"},
                    {"Key": "idle_timeout.timeout_seconds", "Value": "60"},
                    {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
                ]
            ),
        },
        1,
    ),
    Wish(
        "SSL termination, no TLS below 1.2",
        "Service",
        f"{ELB}::Listener",
        {
            "Port": 443,
            "Protocol": "HTTPS",
            "Certificates": [{"CertificateArn": ANY}],
            "SslPolicy": Match.string_like_regexp("^ELBSecurityPolicy-TLS13-1-2-"),
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": ANY}],
        },
        2,
    ),
    Wish(
        "80 -> HTTPS",
        "Service",
        f"{ELB}::Listener",
        {
            "Port": 80,
            "DefaultActions": [
                {
                    "Type": "redirect",
                    "RedirectConfig": {
                        "Protocol": "HTTPS",
                        "Port": "443",
                        "StatusCode": "HTTP_301",
                    },
                }
            ],
        },
    ),
    Wish(
        "ACM certificate that renews itself",
        "Service",
        "AWS::CertificateManager::Certificate",
        {
            "DomainName": "cbu.example.com",
            "ValidationMethod": "DNS",
            "DomainValidationOptions": [
                {"DomainName": "cbu.example.com", "HostedZoneId": {"Ref": "HostedZoneId"}}
            ],
        },
        1,
    ),
    Wish("HTTP inside", "Service", f"{ELB}::TargetGroup", {"Protocol": "HTTP", "Port": 8000}, 1),
    Wish("TLS to the proxy", "Service", "AWS::RDS::DBProxy", {"RequireTLS": True}),
    Wish(
        "TLS to the database",
        "Base",
        "AWS::RDS::DBParameterGroup",
        {"Parameters": Match.object_like({"require_secure_transport": "1"})},
    ),
    Wish(
        "TLS to S3",
        "Base",
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Deny",
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        )
                    ]
                )
            }
        },
    ),
    Wish(
        "Route 53 alias",
        "Service",
        "AWS::Route53::RecordSet",
        {
            "Name": "cbu.example.com.",
            "Type": "A",
            "AliasTarget": ANY,
            "HostedZoneId": {"Ref": "HostedZoneId"},
        },
        1,
    ),
    Wish(
        "ALB health checks: liveness",
        "Service",
        f"{ELB}::TargetGroup",
        {
            "HealthCheckPath": "/health/live",
            "HealthCheckProtocol": "HTTP",
            "Matcher": {"HttpCode": "200"},
            "TargetType": "ip",
        },
    ),
    Wish(
        "ALB access logs",
        "Service",
        f"{ELB}::LoadBalancer",
        {
            "LoadBalancerAttributes": Match.array_with(
                [
                    {"Key": "access_logs.s3.enabled", "Value": "true"},
                    {"Key": "access_logs.s3.bucket", "Value": ANY},
                ]
            )
        },
    ),
    Wish(
        "access logs: not KMS, expire",
        "Service",
        "AWS::S3::Bucket",
        {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                ]
            },
            "LifecycleConfiguration": {"Rules": [{"ExpirationInDays": 90, "Status": "Enabled"}]},
        },
        1,
    ),
    Wish(
        "access logs: the region's load balancers may write them",
        "Service",
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Action": "s3:PutObject",
                                "Principal": {"AWS": Match.string_like_regexp("033677994240")},
                            }
                        )
                    ]
                )
            }
        },
    ),
    # Compute
    Wish("ECS cluster", "Base", "AWS::ECS::Cluster", count=1),
    Wish(
        "Fargate, 512/1024",
        "Service",
        "AWS::ECS::TaskDefinition",
        {
            "Cpu": "512",
            "Memory": "1024",
            "NetworkMode": "awsvpc",
            "RequiresCompatibilities": ["FARGATE"],
        },
        1,
    ),
    Wish(
        "desired 2, in the private subnet of the first zone",
        "Service",
        "AWS::ECS::Service",
        {
            "LaunchType": "FARGATE",
            "DesiredCount": {"Ref": "DesiredCount"},
            "HealthCheckGracePeriodSeconds": 60,
            "NetworkConfiguration": {
                "AwsvpcConfiguration": Match.object_like(
                    {"AssignPublicIp": "DISABLED", "Subnets": [ANY], "SecurityGroups": [ANY]}
                )
            },
        },
        1,
    ),
    Wish(
        "ECR private: immutable, scanned, cleaned up",
        "Registry",
        "AWS::ECR::Repository",
        {
            "ImageTagMutability": "IMMUTABLE",
            "ImageScanningConfiguration": {"ScanOnPush": True},
            "LifecyclePolicy": {"LifecyclePolicyText": ANY},
        },
        1,
    ),
    # Scaling
    Wish(
        "2-10 tasks",
        "Service",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {"MinCapacity": 2, "MaxCapacity": 10, "ScalableDimension": "ecs:service:DesiredCount"},
        1,
    ),
    *(
        Wish(
            f"target {metric} {target} %, cooldown 300, adds tasks only",
            "Service",
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            {
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": f"ECSServiceAverage{metric}Utilization"
                    },
                    "TargetValue": target,
                    "ScaleOutCooldown": 300,
                    "ScaleInCooldown": 300,
                    "DisableScaleIn": True,
                },
            },
            4,
        )
        for metric, target in (("CPU", 70), ("Memory", 80))
    ),
    *(
        Wish(
            f"out: {metric} > {threshold} for 2 min",
            "Service",
            "AWS::CloudWatch::Alarm",
            {
                "MetricName": metric,
                "Namespace": "AWS/ECS",
                "Threshold": threshold,
                "ComparisonOperator": "GreaterThanThreshold",
                "Period": 60,
                "EvaluationPeriods": 2,
                "Statistic": "Average",
                "AlarmActions": [{"Ref": Match.string_like_regexp("^ScalingScaleOut")}],
            },
        )
        for metric, threshold in (("CPUUtilization", 70), ("MemoryUtilization", 80))
    ),
    Wish(
        "in: CPU < 30 and memory < 50 for 5 min",
        "Service",
        "AWS::CloudWatch::Alarm",
        {
            "Metrics": Match.array_with(
                [
                    Match.object_like({"Expression": "IF(cpu < 30 AND memory < 50, 1, 0)"}),
                    Match.object_like(
                        {
                            "Id": "cpu",
                            "MetricStat": Match.object_like({"Period": 60, "Stat": "Average"}),
                        }
                    ),
                    Match.object_like(
                        {
                            "Id": "memory",
                            "MetricStat": Match.object_like({"Period": 60, "Stat": "Average"}),
                        }
                    ),
                ]
            ),
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "EvaluationPeriods": 5,
            "AlarmActions": [{"Ref": Match.string_like_regexp("^ScalingScaleIn")}],
        },
    ),
    Wish(
        "one task less, cooldown 300",
        "Service",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": Match.object_like(
                {
                    "Cooldown": 300,
                    "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": -1}],
                }
            ),
        },
    ),
    Wish(
        "more tasks, cooldown 300",
        "Service",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": Match.object_like(
                {
                    "Cooldown": 300,
                    "StepAdjustments": Match.array_with(
                        [Match.object_like({"ScalingAdjustment": 1})]
                    ),
                }
            ),
        },
    ),
    # Database
    Wish(
        "RDS MySQL 8.0, t3.micro, 20 GB gp2, single AZ",
        "Base",
        "AWS::RDS::DBInstance",
        {
            "Engine": "mysql",
            "EngineVersion": Match.string_like_regexp(r"^8\.0\.\d+$"),
            "EngineLifecycleSupport": "open-source-rds-extended-support",
            "DBInstanceClass": "db.t3.micro",
            "AllocatedStorage": "20",
            "StorageType": "gp2",
            "MultiAZ": False,
            "AvailabilityZone": "us-east-2a",
            "PubliclyAccessible": False,
        },
        1,
    ),
    Wish(
        "backups 30 days, windows, PITR",
        "Base",
        "AWS::RDS::DBInstance",
        {
            "BackupRetentionPeriod": 30,
            "PreferredBackupWindow": "03:00-04:00",
            "PreferredMaintenanceWindow": "Sun:04:00-Sun:05:00",
            "DeleteAutomatedBackups": False,
            "DeletionProtection": True,
        },
    ),
    Wish("encryption at rest", "Base", "AWS::RDS::DBInstance", {"StorageEncrypted": True}),
    Wish(
        "instead of Performance Insights, not offered on t3.micro",
        "Base",
        "AWS::RDS::DBInstance",
        {"EnablePerformanceInsights": False, "MonitoringInterval": 60, "MonitoringRoleArn": ANY},
    ),
    Wish(
        "slow query log: written",
        "Base",
        "AWS::RDS::DBParameterGroup",
        {
            "Family": "mysql8.0",
            "Parameters": Match.object_like(
                {"slow_query_log": "1", "long_query_time": "1", "log_output": "FILE"}
            ),
        },
    ),
    Wish(
        "slow query log: exported",
        "Base",
        "AWS::RDS::DBInstance",
        {"EnableCloudwatchLogsExports": Match.array_with(["slowquery"])},
    ),
    Wish(
        "slow query log: kept 30 days, in the group that RDS writes to",
        "Base",
        "AWS::Logs::LogGroup",
        {"LogGroupName": "/aws/rds/instance/cbu-production/slowquery", "RetentionInDays": 30},
    ),
    Wish(
        "RDS Proxy",
        "Service",
        "AWS::RDS::DBProxy",
        {
            "EngineFamily": "MYSQL",
            "IdleClientTimeout": 1800,
            "VpcSubnetIds": [ANY, ANY],
            # The serving user's; the admin goes past it.
            "Auth": [Match.object_like({"SecretArn": ANY})],
        },
        1,
    ),
    Wish(
        "RDS Proxy: short borrow timeout, session set up",
        "Service",
        "AWS::RDS::DBProxyTargetGroup",
        {
            "ConnectionPoolConfigurationInfo": {
                "ConnectionBorrowTimeout": 3,
                "InitQuery": Match.string_like_regexp("^SET sql_mode="),
                "MaxConnectionsPercent": 90,
            }
        },
    ),
    # Pictures
    Wish(
        "S3: encrypted, private, no versions, no lifecycle",
        "Base",
        "AWS::S3::Bucket",
        {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                ]
            },
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "VersioningConfiguration": Match.absent(),
            "LifecycleConfiguration": Match.absent(),
        },
        1,
    ),
    # Users
    Wish(
        "Cognito user pool",
        "Base",
        "AWS::Cognito::UserPool",
        {
            "UsernameAttributes": ["email"],
            "DeletionProtection": "ACTIVE",
            "Policies": {"PasswordPolicy": Match.object_like({"MinimumLength": 12})},
        },
        1,
    ),
    Wish(
        "Cognito client with a secret, for the service's own calls",
        "Base",
        "AWS::Cognito::UserPoolClient",
        {
            "GenerateSecret": True,
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            "AllowedOAuthFlowsUserPoolClient": False,
            "PreventUserExistenceErrors": "ENABLED",
        },
        1,
    ),
    Wish(
        "client secret kept in Secrets Manager, by the plain attribute",
        "Base",
        "AWS::SecretsManager::Secret",
        {"SecretString": {"Fn::GetAtt": [ANY, "ClientSecret"]}},
    ),
    *(
        Wish(f"group {name}", "Base", "AWS::Cognito::UserPoolGroup", {"GroupName": name}, 2)
        for name in ("admins", "editors")
    ),
    # Secrets
    Wish(
        "secret of the serving user",
        "Base",
        "AWS::SecretsManager::Secret",
        secret(SecretStringTemplate='{"username":"cbu"}', GenerateStringKey="password"),
        4,
    ),
    Wish(
        "secret of the admin",
        "Base",
        "AWS::SecretsManager::Secret",
        secret(SecretStringTemplate='{"username":"cbu_admin"}', GenerateStringKey="password"),
    ),
    Wish(
        "JWT key, at least 32 characters",
        "Base",
        "AWS::SecretsManager::Secret",
        secret(PasswordLength=64),
    ),
    Wish(
        "both database users' secrets know the host",
        "Base",
        "AWS::SecretsManager::SecretTargetAttachment",
        {"TargetType": "AWS::RDS::DBInstance"},
        2,
    ),
    Wish(
        "rotation, not before the user exists",
        "Base",
        "AWS::SecretsManager::RotationSchedule",
        {
            "HostedRotationLambda": Match.object_like({"RotationType": "MySQLSingleUser"}),
            "RotationRules": {"AutomaticallyAfterDays": 30},
            "RotateImmediatelyOnUpdate": False,
        },
        2,
    ),
    # Monitoring
    Wish("dashboard", "Service", "AWS::CloudWatch::Dashboard", count=1),
    Wish("alarms go somewhere", "Service", "AWS::SNS::Subscription", {"Protocol": "email"}, 1),
    Wish(
        "the topic accepts alarms, and TLS only",
        "Service",
        "AWS::SNS::TopicPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like({"Effect": "Deny", "Action": "sns:Publish"}),
                        Match.object_like(
                            {
                                "Effect": "Allow",
                                "Action": "sns:Publish",
                                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                            }
                        ),
                    ]
                )
            }
        },
    ),
    Wish(
        "billing alerts, by tag in the shared account",
        "Service",
        "AWS::Budgets::Budget",
        {
            "Budget": Match.object_like(
                {
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "CostFilters": {"TagKeyValue": ["user:Project$cbu"]},
                }
            ),
            "NotificationsWithSubscribers": [
                Match.object_like({"Subscribers": [{"SubscriptionType": "EMAIL", "Address": ANY}]})
            ]
            * 2,
        },
        1,
    ),
    Wish(
        "rollback if health checks fail",
        "Service",
        "AWS::ECS::Service",
        {
            "DeploymentConfiguration": {
                "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "Alarms": {"Enable": True, "Rollback": True, "AlarmNames": [ANY, ANY]},
            }
        },
    ),
    # Added after review
    Wish(
        "ECS Exec is off unless asked for",
        "Service",
        "AWS::ECS::Service",
        {"EnableExecuteCommand": False},
    ),
    Wish(
        "migration: a one-off task",
        "Migration",
        "AWS::ECS::TaskDefinition",
        container("migrate", Command=["migrate"], User="10001:10001"),
        1,
    ),
    Wish(
        "access tokens live 15 minutes to 1 hour, and can be revoked",
        "Base",
        "AWS::Cognito::UserPoolClient",
        {
            "AccessTokenValidity": 30,
            "TokenValidityUnits": Match.object_like({"AccessToken": "minutes"}),
            "EnableTokenRevocation": True,
        },
    ),
]


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.text)
def test_wish(default: Assembly, wish: Wish) -> None:
    template = default.template(wish.stack)
    template.has_resource_properties(wish.type, wish.properties)
    if wish.count is not None:
        template.resource_count_is(wish.type, wish.count)
