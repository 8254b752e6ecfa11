"""The one-off task that brings the database's schema up to date, before the service is updated. It
goes to the database itself: its lock would pin a connection of RDS Proxy, and the user that the
proxy logs in as is made by the first run.

It is a stack of its own so that a release can be deployed in the right order: this stack with the
new image, one run of the task, then the service. Only this task may read the admin's secret; the
serving user, which it makes, cannot change tables.
"""

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from infra.data import Database
from infra.options import Options
from infra.registry import image_tag_parameter
from infra.secrets import ADMIN_USER, SERVING_USER, may_read
from infra.tasks import APP_USER, Container, Task, image_of, service_environment

# Where the Dockerfile puts infra/rds-ca.pem.
RDS_CA_FILE = "/usr/local/share/cbu/rds-ca.pem"


class Migration(Construct):
    """Attributes: task."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        repository: ecr.IRepository,
        database: Database,
    ) -> None:
        super().__init__(scope, id)
        tag = image_tag_parameter(cdk.Stack.of(self))
        self.task = Task(
            self,
            "Task",
            options,
            family="migration",
            cpu=256,
            memory_mib=512,
            statements=[may_read([database.admin_secret, database.serving_secret])],
        )
        self.task.add_container(
            Container(
                name="migrate",
                image=image_of(repository, tag, "app"),
                user=APP_USER,
                memory_mib=512,
                command=["migrate"],
                environment={
                    **service_environment(options),
                    "DATABASE_CA_FILE": RDS_CA_FILE,
                    "DATABASE_URL": database.url(SERVING_USER),
                    "DATABASE_SECRET_ARN": database.serving_secret.secret_arn,
                    "MIGRATE_DATABASE_URL": database.url(ADMIN_USER),
                    "MIGRATE_DATABASE_SECRET_ARN": database.admin_secret.secret_arn,
                },
                folders={"tmp": "/tmp"},
            )
        )
        cdk.CfnOutput(
            cdk.Stack.of(self),
            "TaskDefinition",
            value=self.task.definition.task_definition_arn,
            description="what `aws ecs run-task` is to run",
        )
