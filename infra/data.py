"""What must never be lost: the MySQL database behind RDS Proxy, and the bucket of pictures."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra import times
from infra.findings import acknowledge
from infra.firewall import MYSQL_PORT, Firewall
from infra.network import Network
from infra.options import Options
from infra.secrets import LOG_RETENTION, Rotation, Secrets

DATABASE_NAME = "cbu"
STORAGE_GIB = 20
IMAGE_PREFIX = "products/"

# The workers' connect statement (common/db/db.c), word for word: a session that is already as they
# want it need not be set up again when the proxy hands it to another client.
INIT_QUERY = (
    "SET sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+00:00'"
)

PARAMETERS = {
    "require_secure_transport": "1",
    "slow_query_log": "1",
    "long_query_time": "1",  # seconds
    # Seconds; shorter than DATABASE_IO_TIMEOUT_S: who waits for a lock in vain is told so, instead
    # of losing the connection.
    "innodb_lock_wait_timeout": "3",
    # The default, TABLE, is not exported to CloudWatch.
    "log_output": "FILE",
}


class Database(Construct):
    """Attributes: instance, proxy, admin_secret, serving_secret (both know the host as well)."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        network: Network,
        firewall: Firewall,
        secrets: Secrets,
    ) -> None:
        super().__init__(scope, id)
        self.instance = self._make_instance(options, network, firewall, secrets)
        self.admin_secret = self.instance.secret
        self.serving_secret = secrets.serving.attach(self.instance)
        for name, secret in (("Admin", self.admin_secret), ("Serving", self.serving_secret)):
            Rotation(
                self,
                name,
                options,
                secret=secret,
                security_group=firewall.rotation,
                # The function reaches Secrets Manager through the NAT gateway.
                subnets=network.task_subnets.subnets,
            )
        self.proxy = self._make_proxy(network, firewall)

    def url(self, user: str) -> str:
        """Through the proxy, and without a password: that comes from a secret."""
        return f"mysql://{user}@{self.proxy.endpoint}:{MYSQL_PORT}/{DATABASE_NAME}"

    def _make_instance(
        self, options: Options, network: Network, firewall: Firewall, secrets: Secrets
    ) -> rds.DatabaseInstance:
        series = options.engine_version[:3]
        engine = rds.DatabaseInstanceEngine.mysql(
            version=rds.MysqlEngineVersion.of(options.engine_version, series)
        )
        # RDS names its log groups after the instance, and would make them without an expiry.
        identifier = f"cbu-{options.environment}"
        exports = ["error", "slowquery"]
        log_groups = [
            logs.LogGroup(
                self,
                f"{export.capitalize()}Log",
                log_group_name=f"/aws/rds/instance/{identifier}/{export}",
                retention=LOG_RETENTION,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            )
            for export in exports
        ]
        instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=identifier,
            engine=engine,
            # 8.0 left standard support in July 2026: with "disabled" RDS would refuse to create
            # it, and without it is billed as Extended Support. 8.4 is not to slide into that.
            engine_lifecycle_support=(
                rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT
                if series == "8.0"
                else rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED
            ),
            allow_major_version_upgrade=series != "8.0",
            auto_minor_version_upgrade=True,
            instance_type=ec2.InstanceType(options.instance_class),
            allocated_storage=STORAGE_GIB,
            storage_type=rds.StorageType.GP2,
            storage_encrypted=True,  # cannot be switched on later
            database_name=DATABASE_NAME,
            credentials=rds.Credentials.from_secret(secrets.admin),
            parameter_group=rds.ParameterGroup(
                self,
                "Parameters",
                engine=engine,
                description=f"cbu {options.environment}, MySQL {series}",
                parameters=PARAMETERS,
            ),
            vpc=network.vpc,
            vpc_subnets=network.private_subnets,
            security_groups=[firewall.database],
            publicly_accessible=False,
            multi_az=options.multi_az,
            availability_zone=None if options.multi_az else network.private["a"].availability_zone,
            backup_retention=cdk.Duration.days(30),  # more than 0 is what turns on PITR
            preferred_backup_window="03:00-04:00",
            preferred_maintenance_window="Sun:04:00-Sun:05:00",
            delete_automated_backups=False,
            copy_tags_to_snapshot=True,
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.SNAPSHOT,
            # Stands in for Performance Insights, which the smallest classes do not have.
            monitoring_interval=cdk.Duration.seconds(60),
            enable_performance_insights=options.performance_insights,
            cloudwatch_logs_exports=exports,
        )
        instance.node.add_dependency(*log_groups)
        acknowledge(
            instance,
            {
                "AwsSolutions-RDS3": "Single AZ was asked for; multi_az=true changes it.",
                "AwsSolutions-RDS11": "The port is no secret: only the proxy's and the rotation's"
                " groups reach it, and 3306 was asked for.",
                "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                "AmazonRDSEnhancedMonitoringRole]": "The one policy AWS documents for Enhanced"
                " Monitoring; it may write to its own log group only.",
            },
        )
        return instance

    def _make_proxy(self, network: Network, firewall: Firewall) -> rds.DatabaseProxy:
        return rds.DatabaseProxy(
            self,
            "Proxy",
            proxy_target=rds.ProxyTarget.from_instance(self.instance),
            secrets=[self.admin_secret, self.serving_secret],
            client_password_auth_type=rds.ClientPasswordAuthType.MYSQL_CACHING_SHA2_PASSWORD,
            vpc=network.vpc,
            vpc_subnets=network.private_subnets,
            security_groups=[firewall.proxy],
            require_tls=True,
            borrow_timeout=cdk.Duration.seconds(times.PROXY_BORROW),
            idle_client_timeout=cdk.Duration.seconds(times.PROXY_CLIENT_IDLE),
            # The rest stays for the rotation and for a person in need.
            max_connections_percent=90,
            max_idle_connections_percent=50,
            init_query=INIT_QUERY,
        )


class Images(Construct):
    """Attributes: bucket."""

    def __init__(self, scope: Construct, id: str, options: Options, network: Network) -> None:
        super().__init__(scope, id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            # No versions and no lifecycle, as asked: the service itself deletes what no row of the
            # database leads to any more.
            versioned=False,
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            self.bucket,
            {
                "AwsSolutions-S1": "Only the service reads and writes it, and logs each request"
                " itself; S3's own log would say the same a second time."
            },
        )
        # Exported under a name of our own, because a finding about the service's rights is known
        # by it; the CDK's own names end in a hash.
        self._export = f"cbu-{options.environment}-image-bucket-arn"
        self._arn = cdk.Stack.of(self).export_value(self.bucket.bucket_arn, name=self._export)
        network.s3_endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                resources=[self.bucket.arn_for_objects(f"{IMAGE_PREFIX}*")],
            )
        )
        network.s3_endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["s3:ListBucket"],
                resources=[self.bucket.bucket_arn],
            )
        )

    def let_use(self, role: iam.IRole) -> None:
        """What the service, in another stack, may do with the pictures."""
        objects = f"{self._arn}/{IMAGE_PREFIX}*"
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="Pictures",
                actions=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                resources=[objects],
            )
        )
        # Without it S3 answers 403 instead of 404 for a key that is not there. IfExists, because
        # HeadBucket, with which the service sees whether the bucket answers, knows no prefix.
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="TellAbsentFromForbidden",
                actions=["s3:ListBucket"],
                resources=[self._arn],
                conditions={"StringLikeIfExists": {"s3:prefix": [f"{IMAGE_PREFIX}*"]}},
            )
        )
        finding = f"AwsSolutions-IAM5[Resource::{self._export}/{IMAGE_PREFIX}*]"
        acknowledge(role, {finding: "Keys are made at run time; all begin with this prefix."})
