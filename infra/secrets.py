"""The secrets that nobody types: made by Secrets Manager, read by the service at run time.

Values that ECS injects are fixed when a task starts, so after a rotation every task would have to
be replaced. The service is given ARNs instead, and reads a secret again when it is refused.
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.findings import acknowledge
from infra.options import Options

# `cbu migrate` makes the serving user; the admin is the database's own first user.
SERVING_USER = "cbu"
ADMIN_USER = "cbu_admin"

ROTATION_DAYS = 30
LOG_RETENTION = logs.RetentionDays.ONE_MONTH

# Characters that a shell, a URL or RDS itself (/, @, ", blank) would take for something else.
EXCLUDED = " %+~`#$&*()|[]{}:;<>?!'/@\"\\,="


class Secrets(Construct):
    """Attributes: admin, serving (of the database, JSON with username and password), app_jwt
    (plain text). The Cognito client's secret is made in identity.py, where its value comes from."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.admin = self._database_user("DatabaseAdmin", ADMIN_USER, "`cbu migrate` only")
        self.serving = self._database_user("DatabaseServing", SERVING_USER, "workers")
        self.app_jwt = secretsmanager.Secret(
            self,
            "AppJwt",
            description="application secret: session tokens and cursors",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            self.app_jwt,
            {
                "AwsSolutions-SMG4": "Rotated by hand, as docs/deployment.md says: a new value"
                " beside the previous one, which the service still accepts. No function can do it,"
                " because only the service knows when the last token of the old key has expired."
            },
        )

    def _database_user(self, id: str, user: str, who: str) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            id,
            description=f"MySQL user {user}: {who}",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=f'{{"username":"{user}"}}',
                generate_string_key="password",
                password_length=40,
                exclude_characters=EXCLUDED,
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )


class Rotation(Construct):
    """Rotates the password of one database user every 30 days.

    Between the change in MySQL and the new value in the secret, the old password is refused for a
    moment; the service then reads the secret again, and the proxy keeps its open connections."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        secret: secretsmanager.ISecret,
        security_group: ec2.ISecurityGroup,
        subnets: list[ec2.ISubnet],
    ) -> None:
        super().__init__(scope, id)
        name = f"cbu-{options.environment}-rotate-{id.lower()}"
        # Lambda would make the group itself at the first rotation, and keep its lines for ever.
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{name}",
            retention=LOG_RETENTION,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        # The macro that turns HostedRotationLambda into a function, in a nested stack.
        cdk.Stack.of(self).add_transform("AWS::SecretsManager-2024-09-16")
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            "Schedule",
            secret_id=secret.secret_arn,
            hosted_rotation_lambda=secretsmanager.CfnRotationSchedule.HostedRotationLambdaProperty(
                rotation_type="MySQLSingleUser",
                rotation_lambda_name=name,
                exclude_characters=EXCLUDED,
                vpc_security_group_ids=security_group.security_group_id,
                vpc_subnet_ids=cdk.Fn.join(",", [subnet.subnet_id for subnet in subnets]),
            ),
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=ROTATION_DAYS
            ),
            # The serving user does not exist before the first `cbu migrate`.
            rotate_immediately_on_update=False,
        )
        schedule.node.add_dependency(log_group)


def may_read(secrets: list[secretsmanager.ISecret]) -> iam.PolicyStatement:
    """Reading the values of exactly these secrets. (grant_read() would also let describe them.)"""
    return iam.PolicyStatement(
        sid="ReadSecrets",
        actions=["secretsmanager:GetSecretValue"],
        resources=[secret.secret_arn for secret in secrets],
    )
