"""docs/aws.md against what is deployed: whoever is woken by an alarm finds it there."""

import re
from pathlib import Path

from assembly import FLAGS, Assembly, synthesize

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "aws.md").read_text()


def test_every_alarm_has_an_entry(default: Assembly) -> None:
    names = {
        alarm["Properties"]["AlarmName"].rsplit("-", 1)[1]
        for alarm in default.resources("AWS::CloudWatch::Alarm").values()
        if "AlarmName" in alarm["Properties"]
    }
    entries = re.findall(r"^\| `(\w+)` \| ", RUNBOOK, re.M)
    assert names <= set(entries)


def test_parameters_and_outputs_it_names_exist() -> None:
    assembly = synthesize(**FLAGS)
    known = {name.split(".")[1] for name in assembly.parameters()}
    named = set(re.findall(r"--parameters (\w+)=", RUNBOOK))
    assert "ImageTag" in named <= known
    outputs = {
        output for template in assembly.templates.values() for output in template.get("Outputs", {})
    }
    used = set(re.findall(r"\(output \w+ (\w+)\)", RUNBOOK))
    assert "RepositoryUri" in used <= outputs
