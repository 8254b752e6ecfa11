"""The private image registry: a stack of its own, deployed before anything is built.

A service whose image is not there yet waits until the circuit breaker gives up, so the repository
must exist, and hold the images, before the first deployment of the service.
"""

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from infra.options import Options

# A release is two images, HASH-app and HASH-nginx, so this is the last 30 releases.
IMAGES_KEPT = 60


def image_tag_parameter(scope: Construct) -> cdk.CfnParameter:
    """The release, as the hash of its commit: never a word like "latest". With an unchanged tag
    nothing would be deployed, and there would be nothing to roll back to."""
    return cdk.CfnParameter(
        scope,
        "ImageTag",
        description="git hash of the release; the images HASH-app and HASH-nginx must be pushed",
        allowed_pattern="^[0-9a-f]{7,40}$",
        constraint_description="must be a git hash of 7 to 40 hexadecimal digits",
    )


class Registry(Construct):
    """Attributes: repository."""

    def __init__(self, scope: Construct, id: str, options: Options) -> None:
        super().__init__(scope, id)
        self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=f"cbu-{options.environment}",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    description="left over from a build",
                    rule_priority=1,
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=cdk.Duration.days(7),
                ),
                ecr.LifecycleRule(
                    description="the last 30 releases stay, to roll back to",
                    rule_priority=2,
                    tag_status=ecr.TagStatus.ANY,
                    max_image_count=IMAGES_KEPT,
                ),
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        cdk.CfnOutput(
            cdk.Stack.of(self),
            "RepositoryUri",
            value=self.repository.repository_uri,
            description="push here",
        )
