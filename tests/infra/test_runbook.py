"""The documents against what is deployed: whoever is woken by an alarm finds it there, and the
release commands ask for what the templates have."""

import re
from pathlib import Path

from assembly import FLAGS, Assembly, synthesize

ROOT = Path(__file__).resolve().parents[2]
INFRASTRUCTURE = (ROOT / "docs" / "infrastructure.md").read_text()
RELEASE = (ROOT / "infra" / "release.py").read_text()


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
    named = set(re.findall(r"\b([A-Z]\w+)=(?:tag|self\.|connection|source|\"\")", RELEASE))
    assert named == known - {"Branch"}
    outputs = {
        (stack.lower(), output)
        for stack, template in assembly.templates.items()
        for output in template.get("Outputs", {})
    }
    used = set(re.findall(r"_output\(\"(\w+)\", \"(\w+)\"\)", RELEASE))
    assert len(used) == 6
    assert used <= outputs


def test_images_and_their_repository_are_named_alike(default: Assembly) -> None:
    assert default.one("AWS::ECR::Repository")["RepositoryName"] == "cbu-production"


def test_the_environment_of_the_service_is_in_the_document(default: Assembly) -> None:
    for name in default.environment("app"):
        assert f"`{name}`" in INFRASTRUCTURE
