"""The documents against what is deployed: whoever is woken by an alarm finds it there, and the
release commands ask for what the templates have."""

import ast
import re
from pathlib import Path

from assembly import FLAGS, Assembly, synthesize

ROOT = Path(__file__).resolve().parents[2]
INFRASTRUCTURE = (ROOT / "docs" / "infrastructure.md").read_text()
RELEASE = ast.parse((ROOT / "infra" / "release.py").read_text())


def calls(method: str) -> list[ast.Call]:
    """Where infra/release.py calls a method of its own."""
    return [
        node
        for node in ast.walk(RELEASE)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
    ]


def test_every_alarm_has_an_entry(default: Assembly) -> None:
    names = {
        alarm["Properties"]["AlarmName"].rsplit("-", 1)[1]
        for alarm in default.resources("AWS::CloudWatch::Alarm").values()
        if "AlarmName" in alarm["Properties"]
    }
    entries = re.findall(r"^\| `(\w+)` \| ", INFRASTRUCTURE, re.M)
    assert names <= set(entries)


def test_release_commands_name_parameters_and_outputs_that_exist() -> None:
    assembly = synthesize(**FLAGS)
    known = {name.split(".")[1] for name in assembly.parameters()}
    named = {word.arg for call in calls("_deploy") for word in call.keywords}
    assert named == known - {"Branch"}  # which has a default
    outputs = {
        (stack.lower(), output)
        for stack, template in assembly.templates.items()
        for output in template.get("Outputs", {})
    }
    used = {tuple(ast.literal_eval(each) for each in call.args) for call in calls("_output")}
    assert len(used) == 6
    assert used <= outputs


def test_images_and_their_repository_are_named_alike(default: Assembly) -> None:
    assert default.one("AWS::ECR::Repository")["RepositoryName"] == "cbu-production"


def test_the_environment_of_the_service_is_in_the_document(default: Assembly) -> None:
    for name in default.environment("app"):
        assert f"`{name}`" in INFRASTRUCTURE
