"""Who may sign in: the Cognito user pool, its groups, and the one client, which is the service."""

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.findings import acknowledge

GROUPS = {
    "admins": "may administer users and edit the catalogue",
    "editors": "may edit the catalogue",
}

# The calls that need the task's own rights. Sign-in, sign-up, refresh and password reset are
# calls of the client, proven by its secret.
ADMIN_ACTIONS = (
    "cognito-idp:AdminAddUserToGroup",
    "cognito-idp:AdminDeleteUser",
    "cognito-idp:AdminDisableUser",
    "cognito-idp:AdminEnableUser",
    "cognito-idp:AdminGetUser",
    "cognito-idp:AdminListGroupsForUser",
    "cognito-idp:AdminRemoveUserFromGroup",
    "cognito-idp:AdminUpdateUserAttributes",
    "cognito-idp:AdminUserGlobalSignOut",
)


class Identity(Construct):
    """Attributes: pool, client, client_secret (in Secrets Manager)."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.pool = self._make_pool()
        for name, meaning in GROUPS.items():
            cognito.CfnUserPoolGroup(
                self,
                name.capitalize(),
                user_pool_id=self.pool.user_pool_id,
                group_name=name,
                description=meaning,
            )
        self.client = self._make_client()
        self.client_secret = self._keep_client_secret()

    def _make_pool(self) -> cognito.UserPool:
        pool = cognito.UserPool(
            self,
            "Pool",
            # People sign in with their e-mail address, and may change it: the user name that
            # tokens and SECRET_HASH carry is an id that Cognito makes.
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            self_sign_up_enabled=True,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            keep_original=cognito.KeepOriginalAttrs(email=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=cdk.Duration.days(3),
            ),
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            pool,
            {
                "AwsSolutions-COG2": "A second factor was not asked for, and the service has no"
                " way yet to enrol one.",
                "AwsSolutions-COG8": "The Plus tier is paid for each user and was not asked for.",
            },
        )
        return pool

    def _make_client(self) -> cognito.UserPoolClient:
        return self.pool.add_client(
            "Client",
            generate_secret=True,
            # The service itself calls InitiateAuth with the secret's hash; there is no hosted
            # page, so the OAuth flows, on by default, are off.
            auth_flows=cognito.AuthFlow(user_password=True),
            disable_o_auth=True,
            access_token_validity=cdk.Duration.minutes(30),
            id_token_validity=cdk.Duration.minutes(30),
            refresh_token_validity=cdk.Duration.days(30),
            # Access tokens carry origin_jti, by which one sign-in is revoked, only with this.
            enable_token_revocation=True,
            prevent_user_existence_errors=True,
        )

    def _keep_client_secret(self) -> secretsmanager.Secret:
        # The attribute of the plain resource: the construct's own property would read the secret
        # with a custom resource, whose function keeps logs for ever.
        resource = self.client.node.default_child
        secret = secretsmanager.Secret(
            self,
            "ClientSecret",
            description="secret of the Cognito client",
            secret_string_value=cdk.SecretValue.resource_attribute(resource.attr_client_secret),
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            secret,
            {
                "AwsSolutions-SMG4": "Cognito makes the value together with the client; a new one"
                " means a new client, as docs/deployment.md says."
            },
        )
        return secret

    def task_statements(self) -> list[iam.PolicyStatement]:
        """What the service may do with users: in this pool only."""
        return [
            iam.PolicyStatement(
                sid="AdministerUsers",
                actions=list(ADMIN_ACTIONS),
                resources=[self.pool.user_pool_arn],
            )
        ]
