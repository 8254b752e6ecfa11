"""infra/release.py, the commands behind `make push`, `make deploy` and so on: programs of our own
on the PATH stand in for AWS's, the CDK's, Docker's and git, and write down what they were asked."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.options import parse_options
from infra.release import CDK_CLI, COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAD = "0123456789abcdef0123456789abcdef01234567"
TAG = HEAD[:12]
ACCOUNT = "123456789012"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.us-east-2.amazonaws.com/cbu-production"
PINNED = next(
    line.removeprefix("ARG BASE=")
    for line in (ROOT / "Dockerfile").read_text().splitlines()
    if line.startswith("ARG BASE=")
)

# Answers with the first row whose words all stand in the command line, in this order: standard
# output, standard error, exit code. A row that is used up answers no more.
FAKE = f"""#!{sys.executable}
import json, os, sys
name = os.path.basename(sys.argv[0])
line = " ".join([name, *sys.argv[1:]])
world = json.load(open(os.environ["FAKE_WORLD"]))
given = sys.stdin.read() if "--password-stdin" in sys.argv else ""
with open(os.environ["FAKE_CALLS"], "a") as calls:
    calls.write(json.dumps([line, given]) + "\\n")
for row in world:
    if row["times"] != 0 and all(word in line for word in row["words"]):
        row["times"] -= 1
        json.dump(world, open(os.environ["FAKE_WORLD"], "w"))
        sys.stdout.write(row["out"])
        sys.stderr.write(row["error"])
        sys.exit(row["code"])
"""


def row(
    *words: str, out: str = "", error: str = "", code: int = 0, times: int = -1
) -> dict[str, object]:
    return {"words": words, "out": out, "error": error, "code": code, "times": times}


def output(stack: str, key: str, value: str) -> dict[str, object]:
    return row("describe-stacks", f"cbu-production-{stack} ", f"'{key}'", out=value)


def deployments(*states: tuple[str, str]) -> str:
    return json.dumps(
        [
            {"status": status, "rolloutState": state, "runningCount": 2, "desiredCount": 2}
            for status, state in states
        ]
    )


STEADY = deployments(("PRIMARY", "COMPLETED"))
PUSHED = row("batch-get-image", out=f"{TAG}-app\t{TAG}-nginx\n")

# A service that is deployed and well. Rows that a test gives come first.
WORLD = [
    row("git rev-parse --short=12 HEAD", out=TAG),
    row("git rev-parse HEAD", out=HEAD),
    row("git status", out=""),
    row("git describe --always --dirty", out="fedcba9-dirty"),
    row("aws --version", out="aws-cli/2.31.0 Python/3.13\n"),
    row("get-caller-identity", out=ACCOUNT),
    row("get-login-password", out="a-password"),
    row("docker inspect", out=PINNED),
    output("base", "ClusterName", "the-cluster"),
    output("base", "TaskSubnets", "subnet-1,subnet-2"),
    output("base", "TaskSecurityGroup", "sg-1"),
    output("migration", "TaskDefinition", "arn:migration:7"),
    output("service", "ServiceName", "the-service"),
    output("service", "Address", "https://cbu.example.com"),
    output("service", "ImageTag", "fedcba987654"),
    row("describe-stacks", "ParameterKey", out="AlarmEmail\tDesiredCount\tHostedZoneId\tImageTag"),
    row("describe-stacks", out="UPDATE_COMPLETE"),
    row("run-task", out="arn:task:1"),
    row("describe-tasks", out='{"status": "STOPPED", "code": 0, "reason": "Essential container"}'),
    row("describe-services", "desiredCount", out="4"),
    row("describe-services", "services[0].deployments", out=STEADY),
    row("describe-services", "events", out='["(service x) has reached a steady state."]'),
]


@dataclass
class Done:
    code: int
    said: str
    calls: list[tuple[str, str]] = field(default_factory=list)

    def lines(self, *words: str) -> list[str]:
        return [line for line, _ in self.calls if all(word in line for word in words)]

    def changes(self) -> list[str]:
        """What was run that changes something, in its order, without the options."""
        changing = ("npx", "docker", "aws ecs run-task", "aws cloudformation update-stack")
        harmless = ("docker info", "docker inspect")
        return [
            line
            for line, _ in self.calls
            if line.startswith(changing) and not line.startswith(harmless)
        ]


# Takes the command, rows of the world that come first, and variables.
Run = Callable[..., Done]


@pytest.fixture
def release(tmp_path: Path) -> Run:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("aws", "npx", "git", "docker", "curl"):
        (programs / name).write_text(FAKE)
        (programs / name).chmod(0o755)

    def run(
        command: str, *first: dict[str, object], confirm: str = "yes", **variables: str
    ) -> Done:
        world, calls = tmp_path / "world", tmp_path / "calls"
        world.write_text(json.dumps([*first, *WORLD]))
        calls.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "infra.release", command],
            cwd=ROOT,
            env={
                "PATH": f"{programs}:/usr/bin:/bin",
                "FAKE_WORLD": str(world),
                "FAKE_CALLS": str(calls),
                "RELEASE_POLL_S": "0",
                "CONFIRM": confirm,
                **variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        lines = calls.read_text().splitlines() if calls.exists() else []
        return Done(done.returncode, done.stdout + done.stderr, [json.loads(x) for x in lines])

    return run


def in_order(lines: Sequence[str], *parts: str) -> bool:
    """Whether these are, one by one, parts of the lines, and no line is left over."""
    assert len(lines) == len(parts), lines
    return all(part in line for line, part in zip(lines, parts, strict=True))


# ---- what is asked before anything is changed ----
CHANGING = sorted(set(COMMANDS) - {"watch", "diff"})
NEEDED = {"TO": TAG, "CONTEXT": "pipeline=true"}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_credentials_nothing_is_done(release: Run, command: str) -> None:
    refusal = row("get-caller-identity", error="Unable to locate credentials", code=253)
    done = release(command, refusal, PUSHED, **NEEDED)
    assert done.code == 77
    assert "Sign in first" in done.said
    assert "Traceback" not in done.said
    assert done.changes() == []


@pytest.mark.parametrize("command", CHANGING)
def test_without_anybody_to_ask_nothing_is_done(release: Run, command: str) -> None:
    done = release(command, PUSHED, confirm="", **NEEDED)
    assert done.code == 64
    assert "CONFIRM=yes" in done.said
    assert ACCOUNT in done.said
    assert done.changes() == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dry_run_needs_no_account_and_runs_nothing(release: Run, command: str) -> None:
    done = release(command, confirm="", DRY_RUN="1", **NEEDED)
    assert done.code == 0, done.said
    assert all(line.startswith("git ") for line, _ in done.calls), done.calls
    if command != "watch":
        assert "+ " in done.said


def test_a_mistyped_option_is_refused(release: Run) -> None:
    done = release("deploy", CONTEXT="mulit_az=true")
    assert done.code == 78
    assert "did you mean multi_az?" in done.said
    assert done.calls == []


def test_usage(release: Run) -> None:
    done = release("nonsense")
    assert done.code == 64
    assert all(f"  {name} " in done.said for name in COMMANDS)


# ---- push ----
def test_push_builds_and_pushes_both_images_under_the_hash(release: Run) -> None:
    done = release("push")
    assert done.code == 0, done.said
    assert in_order(
        done.changes(),
        f"docker build --target app -t cbu:{TAG}-app --platform linux/amd64",
        f"docker build --target nginx -t cbu:{TAG}-nginx --platform linux/amd64",
        f"docker login --username AWS --password-stdin {REPOSITORY.split('/')[0]}",
        f"docker tag cbu:{TAG}-app {REPOSITORY}:{TAG}-app",
        f"docker push {REPOSITORY}:{TAG}-app",
        f"docker tag cbu:{TAG}-nginx {REPOSITORY}:{TAG}-nginx",
        f"docker push {REPOSITORY}:{TAG}-nginx",
        f"docker logout {REPOSITORY.split('/')[0]}",
    )
    assert [given for line, given in done.calls if "login " in line] == ["a-password"]
    assert "a-password" not in done.said + "".join(line for line, _ in done.calls)


def test_push_again_does_nothing(release: Run) -> None:
    done = release("push", PUSHED)
    assert (done.code, done.changes()) == (0, [])


def test_an_interrupted_push_is_finished(release: Run) -> None:
    done = release("push", row("batch-get-image", out=f"{TAG}-app"))
    assert done.code == 0
    assert len(done.lines("docker push")) == 1
    assert done.lines("docker push", "-nginx")


@pytest.mark.parametrize(
    ("world", "variables", "reason"),
    [
        (row("git status", out=" M Makefile"), {}, "files differ"),
        (row("git unused"), {"IMAGE_TAG": "abcdef123456"}, "is not the commit"),
        (row("docker inspect", out="localhost/cbu-base:bookworm"), {}, "is not pushed"),
        (
            row("batch-get-image", error="RepositoryNotFoundException: ...", code=254),
            {},
            "make deploy-registry",
        ),
        (row("docker build", code=1), {}, "failed"),
    ],
)
def test_push_refuses(release: Run, world: dict, variables: dict[str, str], reason: str) -> None:
    done = release("push", world, **variables)
    assert done.code != 0
    assert reason in done.said
    assert done.lines("docker push") == []


def test_push_by_the_pipeline_uses_the_whole_hash(release: Run) -> None:
    done = release("push", IMAGE_TAG=HEAD)
    assert done.code == 0
    assert done.lines(f"docker push {REPOSITORY}:{HEAD}-app")


# ---- deploy ----
def test_deploy_migrates_first_then_replaces_the_tasks_then_watches(release: Run) -> None:
    done = release("deploy", PUSHED)
    assert done.code == 0, done.said
    assert in_order(
        done.changes(),
        f"{CDK_CLI} deploy Migration --exclusively",
        "aws ecs run-task",
        f"{CDK_CLI} deploy Service --exclusively",
    )
    (run_task,) = done.lines("run-task")
    assert "--cluster the-cluster" in run_task
    assert "--task-definition arn:migration:7" in run_task
    assert "subnets=[subnet-1,subnet-2],securityGroups=[sg-1],assignPublicIp=DISABLED" in run_task
    for stack in ("Migration", "Service"):
        assert f"--parameters ImageTag={TAG}" in done.lines(f"deploy {stack}")[0]
    # What scaling has done stays done.
    assert "--parameters DesiredCount=4" in done.lines("deploy Service")[0]
    lines = [line for line, _ in done.calls]
    assert lines.index(done.lines("curl")[0]) > lines.index(done.lines("deploy Service")[0])
    assert "https://cbu.example.com/health/live" in done.lines("curl")[0]
    assert "steady" in done.said
    assert f"deploy {TAG}, with the templates of fedcba9-dirty" in done.said


def test_options_reach_the_cdk(release: Run) -> None:
    done = release("deploy-base", CONTEXT="waf=true cost_center='a b'")
    assert done.code == 0, done.said
    assert "-c waf=true -c cost_center=a b" in done.changes()[0]


def test_another_environment_has_names_of_its_own(release: Run) -> None:
    done = release("push", CONTEXT="environment=staging region=us-west-2")
    assert done.code == 0, done.said
    assert done.lines(f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/cbu-staging:{TAG}-app")
    assert done.lines("batch-get-image", "--repository-name cbu-staging")


NO_SERVICE = row(
    "describe-stacks",
    "cbu-production-service",
    error="Stack with id cbu-production-service does not exist",
    code=254,
    times=1,
)


FIRST = {
    "HOSTED_ZONE_ID": "Z1",
    "ALARM_EMAIL": "a@example.com",
    "CONTEXT": "domain=shop.example.org",
}


def test_the_first_deployment_needs_zone_and_address(release: Run) -> None:
    done = release("deploy", PUSHED, NO_SERVICE)
    assert done.code == 64
    assert "HOSTED_ZONE_ID= and ALARM_EMAIL=" in done.said
    assert done.changes() == []
    done = release("deploy", PUSHED, NO_SERVICE, **{**FIRST, "CONTEXT": ""})
    assert done.code == 78
    assert "cbu.example.com is an example" in done.said
    assert done.changes() == []
    done = release("deploy", PUSHED, NO_SERVICE, **FIRST)
    assert done.code == 0, done.said
    (service,) = done.lines("deploy Service")
    assert "HostedZoneId=Z1" in service
    assert "AlarmEmail=a@example.com" in service
    assert "DesiredCount" not in service


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"])
def test_a_first_deployment_that_failed_can_be_repeated(release: Run, status: str) -> None:
    left = row("describe-stacks", "cbu-production-service", "StackStatus", out=status, times=1)
    done = release("deploy", PUSHED, left)
    assert (done.code, done.changes()) == (64, [])
    done = release("deploy", PUSHED, left, **FIRST)
    assert done.code == 0, done.said
    assert "DesiredCount" not in done.lines("deploy Service")[0]


def test_deploy_without_images_says_push(release: Run) -> None:
    done = release("deploy", row("batch-get-image", out=f"{TAG}-app"))
    assert done.code == 69
    assert f"{TAG}-nginx not in the registry: make push" in done.said
    assert done.changes() == []


def test_deploy_without_base_says_so(release: Run) -> None:
    absent = row("describe-stacks", "cbu-production-base", error="does not exist", code=254)
    done = release("deploy", PUSHED, absent)
    assert done.code == 69
    assert "make deploy-base" in done.said
    assert done.changes() == []


@pytest.mark.parametrize(
    "world",
    [
        row("describe-tasks", out='{"status": "STOPPED", "code": 70, "reason": "exited"}'),
        row("describe-tasks", out='{"status": "STOPPED", "code": null, "reason": "no image"}'),
        row("run-task", out="None"),
        row("run-task", error="AccessDenied", code=254),
        row("deploy Migration", code=1),
    ],
)
def test_after_a_failed_migration_the_service_is_left_alone(release: Run, world: dict) -> None:
    done = release("deploy", PUSHED, world)
    assert done.code != 0
    assert done.lines("deploy Service") == []
    assert "Traceback" not in done.said


def test_a_migration_that_runs_is_waited_for(release: Run) -> None:
    running = row("describe-tasks", out='{"status": "RUNNING", "code": null}', times=3)
    done = release("deploy-migration", PUSHED, running)
    assert done.code == 0
    assert len(done.lines("describe-tasks")) == 4
    assert done.lines("deploy Service") == []


def test_a_deployment_that_cloudformation_took_back_is_a_failure(release: Run) -> None:
    done = release("deploy", PUSHED, row("deploy Service", code=1))
    assert done.code == 1
    assert "fedcba987654 is deployed" in done.said
    assert "has reached a steady state" in done.said


# ---- watch ----
def test_watch_waits_until_old_tasks_are_gone(release: Run) -> None:
    busy = deployments(("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "COMPLETED"))
    done = release("watch", row("services[0].deployments", out=busy, times=2))
    assert done.code == 0
    assert done.said.count("IN_PROGRESS") == 1
    assert len(done.lines("services[0].deployments")) == 3


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (
            row(
                "services[0].deployments",
                out=deployments(("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "FAILED")),
            ),
            "is taken back",
        ),
        (row("describe-alarms", out="cbu-production-ErrorRate"), "cbu-production-ErrorRate"),
        (row("curl", error="connection refused", code=7), "connection refused"),
    ],
)
def test_watch_fails(release: Run, world: dict, said: str) -> None:
    done = release("watch", world)
    assert done.code != 0
    assert said in done.said


# ---- rollback ----
def test_rollback_changes_the_image_and_nothing_else(release: Run) -> None:
    done = release("rollback", PUSHED, TO=TAG)
    assert done.code == 0, done.said
    (update,) = done.changes()
    assert "--stack-name cbu-production-service --use-previous-template" in update
    assert f"ParameterKey=ImageTag,ParameterValue={TAG}" in update
    assert "ParameterKey=DesiredCount,ParameterValue=4" in update
    for kept in ("AlarmEmail", "HostedZoneId"):
        assert f"ParameterKey={kept},UsePreviousValue=true" in update
    assert update.count("ParameterKey=") == 4
    assert done.lines("wait stack-update-complete")
    assert done.lines("curl")


def test_a_rollback_that_fails_says_what_is_deployed(release: Run) -> None:
    done = release("rollback", PUSHED, row("wait stack-update-complete", code=255), TO=TAG)
    assert done.code == 1
    assert "fedcba987654 is deployed" in done.said


def test_rollback_without_a_release_lists_them(release: Run) -> None:
    pushed = "".join(
        f"2026-11-2{day}T10:00:00\t{tag}-{stage}\n"
        for day, tag in ((5, "bbbbbbbbbbbb"), (4, "aaaaaaaaaaaa"))
        for stage in ("nginx", "app")
    )
    done = release("rollback", row("describe-images", out=pushed))
    assert done.code == 64
    assert "deployed: fedcba987654" in done.said
    assert done.said.index("bbbbbbbbbbbb") < done.said.index("aaaaaaaaaaaa")
    assert "nginx" not in done.said
    assert done.changes() == []


def test_rollback_to_images_that_are_gone_is_refused(release: Run) -> None:
    done = release("rollback", TO=TAG)
    assert done.code == 69
    assert done.changes() == []


# ---- one way to deploy ----
def test_the_pipelines_context_is_what_was_given() -> None:
    given = {
        "pipeline": "true",
        "cost_center": "a b",
        "budget_usd": "45",
        "WORKERS": "4",
        "container_insights": "enhanced",
    }
    assert parse_options(given).as_context() == given
    assert parse_options({}).as_context() == {}
