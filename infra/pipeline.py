"""With `pipeline=true`: build and push, wait for a person, deploy.

It runs the same make targets that a person runs, with the same context, so there is one way to
deploy, not two. Written as plain CloudFormation resources, because the constructs' own grants hold
wildcards.
"""

import shlex

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.findings import acknowledge
from infra.migration import Migration
from infra.options import Options
from infra.secrets import LOG_RETENTION

BUILD_IMAGE = "aws/codebuild/standard:7.0"
SOURCE = "Source"

# Roles that `cdk bootstrap` makes; they, not the pipeline, hold the rights to change the stacks.
BOOTSTRAP_ROLES = ("deploy-role", "file-publishing-role")

Action = codepipeline.CfnPipeline.ActionDeclarationProperty
Stage = codepipeline.CfnPipeline.StageDeclarationProperty


class Pipeline(Construct):
    """Source, Build, Approve, Deploy. The source's connection is made and approved by hand in the
    console, so its ARN is a parameter."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        repository: ecr.IRepository,
        migration: Migration,
    ) -> None:
        super().__init__(scope, id)
        self._options = options
        self._connection = self._parameter("ConnectionArn", "CodeConnections connection")
        self._source = self._parameter("Repository", "OWNER/NAME of the source repository")
        self._branch = self._parameter("Branch", "branch that is deployed", default="main")
        self._artifacts = self._make_artifact_bucket()
        bucket_id = cdk.Stack.of(self).get_logical_id(self._artifacts.node.default_child)
        acknowledge(
            self,
            {
                f"AwsSolutions-IAM5[Resource::<{bucket_id}.Arn>/*]": "CodePipeline names the"
                " objects of the artifact bucket at run time.",
                "AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken knows no resources.",
            },
        )
        build = self._make_project(
            "Build",
            commands=["make push IMAGE_TAG=$CODEBUILD_RESOLVED_SOURCE_VERSION CONFIRM=yes"],
            statements=self._may_push(repository),
            privileged=True,  # it runs a Docker daemon
        )
        deploy = self._make_project(
            "Deploy",
            commands=["make deploy IMAGE_TAG=$CODEBUILD_RESOLVED_SOURCE_VERSION CONFIRM=yes"],
            statements=[*self._may_deploy(migration), self._may_find_images(repository)],
            privileged=False,
        )
        self._make_pipeline(build, deploy)

    def _parameter(self, name: str, description: str, default: str | None = None) -> str:
        parameter = cdk.CfnParameter(
            cdk.Stack.of(self), name, description=description, default=default, min_length=1
        )
        return parameter.value_as_string

    def _make_artifact_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Artifacts",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(30))],
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            bucket, {"AwsSolutions-S1": "It holds copies of the source for a month, no data."}
        )
        return bucket

    def _role(self, id: str, service: str, statements: list[iam.PolicyStatement]) -> iam.Role:
        return iam.Role(
            self,
            f"{id}Role",
            assumed_by=iam.ServicePrincipal(f"{service}.amazonaws.com"),
            inline_policies={"Rights": iam.PolicyDocument(statements=statements)},
        )

    def _may_use_artifacts(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=["s3:GetObject", "s3:PutObject"],
            resources=[self._artifacts.arn_for_objects("*")],
        )

    def _may_push(self, repository: ecr.IRepository) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),
            iam.PolicyStatement(
                actions=[
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:CompleteLayerUpload",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:InitiateLayerUpload",
                    "ecr:PutImage",
                    "ecr:UploadLayerPart",
                ],
                resources=[repository.repository_arn],
            ),
        ]

    def _may_find_images(self, repository: ecr.IRepository) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            actions=["ecr:BatchGetImage"], resources=[repository.repository_arn]
        )

    def _may_clone(self) -> iam.PolicyStatement:
        """CodeBuild itself clones the source, with its history."""
        return iam.PolicyStatement(
            actions=["codeconnections:UseConnection", "codestar-connections:UseConnection"],
            resources=[self._connection],
        )

    def _may_deploy(self, migration: Migration) -> list[iam.PolicyStatement]:
        environment = self._options.environment
        definition = migration.task.definition
        qualifier = cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER
        place = f"{cdk.Aws.ACCOUNT_ID}-{self._options.region}"
        return [
            iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                resources=[
                    f"arn:aws:iam::{cdk.Aws.ACCOUNT_ID}:role/cdk-{qualifier}-{role}-{place}"
                    for role in BOOTSTRAP_ROLES
                ],
            ),
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks"],
                resources=[self._arn("cloudformation", f"stack/cbu-{environment}-*")],
            ),
            iam.PolicyStatement(
                actions=["ecs:RunTask"],
                resources=[self._arn("ecs", f"task-definition/{migration.task.family}:*")],
            ),
            # To watch the migration end and the service become steady, and to look at the alarms.
            iam.PolicyStatement(
                actions=["ecs:DescribeServices", "ecs:DescribeTasks"],
                resources=[self._arn("ecs", "service/*"), self._arn("ecs", "task/*")],
            ),
            iam.PolicyStatement(
                actions=["cloudwatch:DescribeAlarms"],
                resources=[self._arn("cloudwatch", "alarm:*")],
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[
                    definition.task_role.role_arn,
                    definition.obtain_execution_role().role_arn,
                ],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
        ]

    def _arn(self, service: str, resource: str) -> str:
        """Of something in this account and region; a `*` in it is acknowledged."""
        place = f"arn:aws:{service}:{self._options.region}"
        finding = f"AwsSolutions-IAM5[Resource::{place}:<AWS::AccountId>:{resource}]"
        reason = (
            "The stacks' names are known up to their ends only; ECS names the revisions of the"
            " task definition, the tasks and the service; alarms are listed as a whole."
        )
        acknowledge(self, {finding: reason})
        return f"{place}:{cdk.Aws.ACCOUNT_ID}:{resource}"

    def _make_project(
        self,
        id: str,
        *,
        commands: list[str],
        statements: list[iam.PolicyStatement],
        privileged: bool,
    ) -> codebuild.CfnProject:
        log_group = logs.LogGroup(
            self,
            f"{id}Log",
            log_group_name=f"/cbu/{self._options.environment}/pipeline/{id.lower()}",
            retention=LOG_RETENTION,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = self._role(
            id,
            "codebuild",
            [
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[log_group.log_group_arn],
                ),
                self._may_use_artifacts(),
                self._may_clone(),
                *statements,
            ],
        )
        project = codebuild.CfnProject(
            self,
            f"{id}Project",
            service_role=role.role_arn,
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="CODEPIPELINE"),
            source=codebuild.CfnProject.SourceProperty(
                type="CODEPIPELINE",
                build_spec=cdk.Fn.to_json_string(
                    {
                        "version": "0.2",
                        "phases": {
                            "install": {"runtime-versions": {"python": "3.12", "nodejs": "20"}},
                            "build": {"commands": commands},
                        },
                    }
                ),
            ),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER",
                compute_type="BUILD_GENERAL1_SMALL",
                image=BUILD_IMAGE,
                privileged_mode=privileged,
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(
                        name="CONTEXT",
                        value=" ".join(
                            shlex.quote(f"{name}={value}")
                            for name, value in self._options.as_context().items()
                        ),
                    )
                ],
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=log_group.log_group_name
                )
            ),
            timeout_in_minutes=60,
        )
        acknowledge(
            project,
            {
                "AwsSolutions-CB3": "The build project makes container images, which needs it; the"
                " deploy project is not privileged.",
                "AwsSolutions-CB4": "Encrypted with AWS's own key for S3: nothing in it is secret.",
            },
        )
        return project

    def _make_pipeline(self, build: codebuild.CfnProject, deploy: codebuild.CfnProject) -> None:
        role = self._role(
            "Pipeline",
            "codepipeline",
            [
                self._may_use_artifacts(),
                iam.PolicyStatement(
                    actions=["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
                    resources=[build.attr_arn, deploy.attr_arn],
                ),
                self._may_clone(),
            ],
        )
        source = Action(
            name=SOURCE,
            action_type_id=_action_type("Source", "CodeStarSourceConnection"),
            configuration={
                "ConnectionArn": self._connection,
                "FullRepositoryId": self._source,
                "BranchName": self._branch,
                # With the history: the tag of the images is the hash of the commit.
                "OutputArtifactFormat": "CODEBUILD_CLONE_REF",
            },
            output_artifacts=[codepipeline.CfnPipeline.OutputArtifactProperty(name=SOURCE)],
        )
        approval = Action(name="Approve", action_type_id=_action_type("Approval", "Manual"))
        codepipeline.CfnPipeline(
            self,
            "Pipeline",
            role_arn=role.role_arn,
            pipeline_type="V2",
            execution_mode="QUEUED",
            artifact_store=codepipeline.CfnPipeline.ArtifactStoreProperty(
                type="S3", location=self._artifacts.bucket_name
            ),
            stages=[
                Stage(name="Source", actions=[source]),
                Stage(name="Build", actions=[_run("Build", build)]),
                Stage(name="Approve", actions=[approval]),
                Stage(name="Deploy", actions=[_run("Deploy", deploy)]),
            ],
        )


def _action_type(category: str, provider: str) -> codepipeline.CfnPipeline.ActionTypeIdProperty:
    return codepipeline.CfnPipeline.ActionTypeIdProperty(
        category=category, owner="AWS", provider=provider, version="1"
    )


def _run(name: str, project: codebuild.CfnProject) -> Action:
    return Action(
        name=name,
        action_type_id=_action_type("Build", "CodeBuild"),
        configuration={"ProjectName": project.ref},
        input_artifacts=[codepipeline.CfnPipeline.InputArtifactProperty(name=SOURCE)],
    )
