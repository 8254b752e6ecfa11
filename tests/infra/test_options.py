"""The context: typed, limited, and refused where it is not known."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.options import OPTION_FIELDS, Options, OptionsError, parse_options
from infra.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]


def fault_of(context: dict[str, Any]) -> str:
    with pytest.raises(OptionsError) as error:
        parse_options(context)
    return str(error.value)


def test_without_context_everything_has_its_default() -> None:
    assert parse_options({}) == Options()


def test_what_the_cdk_says_to_itself_is_let_through() -> None:
    context = {
        "@aws-cdk/core:checkSecretUsage": True,
        "aws:cdk:enable-path-metadata": True,
        "aws:cdk:bundling-stacks": ["**"],
    }
    assert parse_options(context) == Options()


@pytest.mark.parametrize(
    ("context", "values"),
    [
        ({"multi_az": "true"}, {"multi_az": True}),
        ({"multi_az": True}, {"multi_az": True}),
        ({"multi_az": "false"}, {"multi_az": False}),
        ({"budget_usd": "45"}, {"budget_usd": 45}),
        ({"budget_usd": 45}, {"budget_usd": 45}),
        ({"engine_version": "8.0.46-rds.20260908"}, {"engine_version": "8.0.46-rds.20260908"}),
        ({"engine_version": "8.4.11"}, {"engine_version": "8.4.11"}),
        ({"instance_class": "r7g.large"}, {"instance_class": "r7g.large"}),
        ({"domain": "a-b.example.co.uk"}, {"domain": "a-b.example.co.uk"}),
        ({"WORKERS": "4"}, {"service": {"WORKERS": "4"}}),
        ({"WORKERS": 4}, {"service": {"WORKERS": "4"}}),
        (
            {"LOG_LEVEL": "DEBUG", "SHOP_CURRENCY": "EUR"},
            {"service": {"LOG_LEVEL": "DEBUG", "SHOP_CURRENCY": "EUR"}},
        ),
    ],
    ids=str,
)
def test_accepted(context: dict[str, Any], values: dict[str, Any]) -> None:
    options = parse_options(context)
    assert {name: getattr(options, name) for name in values} == values


@pytest.mark.parametrize(
    ("context", "fault"),
    [
        ({"mulit_az": "true"}, "mulit_az: is no option; did you mean multi_az?"),
        ({"elasticache": "true"}, "elasticache: is no option"),
        ({"WORKER": "4"}, "WORKER: is no option; did you mean WORKERS?"),
        ({"service": {"WORKERS": "4"}}, "service: is no option"),
        ({"multi_az": "yes"}, "multi_az: must be true or false"),
        ({"multi_az": 1}, "multi_az: must be true or false"),
        ({"multi_az": ""}, "multi_az: must be true or false"),
        ({"waf": ["true"]}, "waf: must be true or false"),
        ({"budget_usd": "0"}, "budget_usd: must be from 1 to 1000000"),
        ({"budget_usd": "12.5"}, "budget_usd: must be a whole number"),
        ({"budget_usd": True}, "budget_usd: must be a whole number"),
        ({"engine_version": "8.0"}, "engine_version: must be a full version"),
        ({"engine_version": "5.7.44"}, "engine_version: must be a full version"),
        ({"engine_version": "8.0.46\n"}, "engine_version: must be a full version"),
        ({"instance_class": "db.t3.micro"}, "instance_class: must be one of t3.micro"),
        ({"container_insights": "true"}, "container_insights: must be one of off, enabled"),
        ({"domain": "cbu"}, "domain: must be a host name"),
        ({"domain": "https://cbu.example.com"}, "domain: must be a host name"),
        ({"environment": "Production"}, "environment: must be 2 to 16"),
        ({"region": "us-east"}, "region: must be the name of a region"),
        ({"cost_center": "a;b"}, "cost_center: must be"),
        ({"WORKERS": "0"}, "WORKERS: must be a whole number from 1 to 64 (processes)"),
        ({"WORKERS": "65"}, "WORKERS: must be a whole number from 1 to 64"),
        ({"WORKERS": "-1"}, "WORKERS: must be a whole number"),
        ({"STOP_TIMEOUT_S": "111"}, "STOP_TIMEOUT_S: must be a whole number from 1 to 110"),
        ({"LOG_LEVEL": "info"}, "LOG_LEVEL: must be one of DEBUG, INFO, WARN, ERROR"),
        ({"SHOP_CURRENCY": "EURO"}, "SHOP_CURRENCY: must be 3 to 3 letters long"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: is decided by the stacks"),
        ({"APP_JWT_SECRET": "x" * 40}, "APP_JWT_SECRET: is decided by the stacks"),
        ({"FCGI_SOCKET": "/run/x"}, "FCGI_SOCKET: is decided by the stacks"),
        ({"AWS_REGION": "us-west-2"}, "AWS_REGION: is decided by the stacks"),
        ({"AWS_ENDPOINT_URL_S3": "http://x"}, "AWS_ENDPOINT_URL_S3: is decided by the stacks"),
        ({"DATABASE_SECRET_ARN": "arn:x"}, "DATABASE_SECRET_ARN: is decided by the stacks"),
        ({"COGNITO_CLIENT_SECRET_ARN": "arn:x"}, "COGNITO_CLIENT_SECRET_ARN: is decided by the"),
        ({"S3_BUCKET_NAME": "mine"}, "S3_BUCKET_NAME: is decided by the stacks"),
        ({"STOP_TIMEOUT_S": "20"}, "STOP_TIMEOUT_S: must be more than 20, the load balancer's"),
        ({"DATABASE_IO_TIMEOUT_S": "3"}, "DATABASE_IO_TIMEOUT_S: must be more than 3, RDS Proxy's"),
        ({"DATABASE_IDLE_S": "1800"}, "DATABASE_IDLE_S: must be less than 1800, RDS Proxy's"),
        (
            {"performance_insights": "true"},
            "performance_insights: is not offered on t3.micro for MySQL",
        ),
    ],
    ids=str,
)
def test_refused(context: dict[str, Any], fault: str) -> None:
    assert fault in fault_of(context)


def test_all_faults_are_told_at_once_and_secrets_are_not_repeated() -> None:
    message = fault_of({"mulit_az": "true", "waf": "maybe", "APP_JWT_SECRET": "hunter2" * 6})
    assert len(message.splitlines()) == 3
    assert "hunter2" not in message


def test_a_domain_is_at_most_253_characters_long() -> None:
    domain = ".".join(["a" * 50] * 5)[:250] + ".com"
    assert "domain: must be a host name" in fault_of({"domain": domain})


def run_app(folder: Path, context: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": context}
    return subprocess.run(
        [sys.executable, str(ROOT / "cdk_app.py")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_the_program_refuses_with_a_message_and_no_trace(tmp_path: Path) -> None:
    done = run_app(tmp_path, '{"mulit_az": "true"}')
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.splitlines() == [
        "cdk_app.py: the context (-c KEY=VALUE) is invalid:",
        "  mulit_az: is no option; did you mean multi_az?",
    ]
    assert not list(tmp_path.glob("*.template.json"))


@pytest.mark.parametrize("name", OPTION_FIELDS)
def test_every_option_is_in_the_runbook(name: str) -> None:
    default = OPTION_FIELDS[name].default
    if isinstance(default, bool):
        default = str(default).lower()
    assert f"| `{name}` | `{default}` |" in (ROOT / "docs" / "infrastructure.md").read_text()


def test_settings_that_are_tunable() -> None:
    tunable = {setting.name for setting in load_settings().values() if setting.tunable}
    assert {"WORKERS", "LOG_LEVEL", "STOP_TIMEOUT_S", "SHOP_CURRENCY"} <= tunable
    assert not tunable & {"DATABASE_URL", "APP_JWT_SECRET", "MIGRATE_DATABASE_URL"}
    # Whoever serves the keys decides who is an administrator.
    assert not tunable & {"COGNITO_ENDPOINT_URL", "COGNITO_JWKS_URL"}
