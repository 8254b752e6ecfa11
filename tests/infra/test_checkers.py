"""What the checkers say: cfn-lint, the CDK's own validation, cdk-nag; and that synth needs no
network and no context.

An error of the CDK's rules or an unacknowledged finding of cdk-nag makes every synth fail, so each
test that synthesizes is a test of them too. Here is what would not fail by itself.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from assembly import FLAGS, Assembly, synthesize
from aws_cdk import aws_s3 as s3

from infra.app import make_app

ROOT = Path(__file__).resolve().parents[2]

# Reasoned exceptions of cfn-lint; all else fails.
IGNORED = {
    "W3010": "The zones were asked for by name, and a second one had to be chosen with them.",
}


def test_cfn_lint(default: Assembly) -> None:
    """One run for the default and for all flags: loading its schemas is what takes the time."""
    files = [*default.files, *synthesize(**FLAGS).files]
    lint = subprocess.run(
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            "--regions",
            "us-east-2",
            "--ignore-checks",
            *IGNORED,
            "--template",
            *map(str, files),
        ],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert (lint.returncode, lint.stdout) == (0, ""), lint.stdout + lint.stderr


@pytest.mark.parametrize("everything", [False, True], ids=["default", "all flags"])
def test_no_warning_of_the_cdk_is_left(everything: bool) -> None:
    assembly = synthesize(**FLAGS) if everything else synthesize()
    report = json.loads((assembly.folder / "validation-report.json").read_text())
    assert "CloudFormation Validate" in {p["pluginName"] for p in report["pluginReports"]}
    for plugin in report["pluginReports"]:
        assert plugin["conclusion"] == "success", plugin["pluginName"]
        assert plugin["violations"] == [], plugin["pluginName"]


def test_a_finding_that_nobody_acknowledged_stops_the_synth(tmp_path: Path) -> None:
    app = make_app(outdir=str(tmp_path))
    stack = app.node.find_child("Registry")
    assert isinstance(stack, cdk.Stack)
    s3.CfnBucket(stack, "WithoutLogsOrTls")
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    found = {v["ruleName"] for p in report["pluginReports"] for v in p["violations"]}
    assert {"AwsSolutions-S1", "AwsSolutions-S10"} <= found


def test_the_program_needs_no_network_and_no_context(default: Assembly, tmp_path: Path) -> None:
    """In a network namespace without an interface where the system allows one."""
    command = [sys.executable, str(ROOT / "cdk_app.py")]
    if shutil.which("unshare"):
        isolated = ["unshare", "--net", "--map-root-user"]
        if subprocess.run([*isolated, "true"], capture_output=True).returncode == 0:
            command = [*isolated, *command]
    environment = {**os.environ, "CDK_OUTDIR": str(tmp_path)}
    environment.pop("CDK_CONTEXT_JSON", None)
    for name in [name for name in environment if name.startswith("AWS_")]:
        del environment[name]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    for file in default.files:
        assert json.loads((tmp_path / file.name).read_text()) == json.loads(file.read_text())


def test_a_finding_is_acknowledged_in_one_place_only() -> None:
    """infra/findings.py, which asks for a reason."""
    users = {f.name for f in (ROOT / "infra").glob("*.py") if "Acknowledgment(" in f.read_text()}
    assert users == {"findings.py"}
