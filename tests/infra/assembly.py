"""Synthesized templates, and the questions that tests ask them."""

import functools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aws_cdk.assertions import Template

from infra.app import make_app

Resource = dict[str, Any]

# Every flag, and the value that turns it on.
FLAGS = {
    "multi_az": "true",
    "cloudfront": "true",
    "waf": "true",
    "pipeline": "true",
    "exec": "true",
    "inner_tls": "true",
    "container_insights": "enhanced",
}


class Assembly:
    """The templates of one choice of options, by stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = sorted(folder.glob("*.template.json"))
        self.templates: dict[str, dict[str, Any]] = {
            file.name.split(".")[0]: json.loads(file.read_text()) for file in self.files
        }

    @functools.cache  # noqa: B019 - as few as there are choices, and for the whole run
    def template(self, stack: str) -> Template:
        """For the matchers of aws_cdk.assertions."""
        return Template.from_json(self.templates[stack])

    def resources(self, type: str, stack: str | None = None) -> dict[str, Resource]:
        """By logical id."""
        return {
            id: resource
            for name, template in self.templates.items()
            if stack in (None, name)
            for id, resource in template["Resources"].items()
            if resource["Type"] == type
        }

    def one(self, type: str, stack: str | None = None) -> Resource:
        """Properties of the only resource of its type."""
        (resource,) = self.resources(type, stack).values()
        return resource["Properties"]

    def types(self) -> Counter[str]:
        return Counter(
            resource["Type"]
            for template in self.templates.values()
            for resource in template["Resources"].values()
        )

    def containers(self) -> dict[str, Resource]:
        return {
            container["Name"]: container
            for definition in self.resources("AWS::ECS::TaskDefinition").values()
            for container in definition["Properties"]["ContainerDefinitions"]
        }

    def environment(self, container: str) -> dict[str, Any]:
        return {
            variable["Name"]: variable["Value"]
            for variable in self.containers()[container]["Environment"]
        }

    def parameters(self) -> dict[str, dict[str, Any]]:
        """As "Stack.Name"; BootstrapVersion, which the CDK adds for itself, is left out."""
        return {
            f"{stack}.{name}": parameter
            for stack, template in self.templates.items()
            for name, parameter in template.get("Parameters", {}).items()
            if name != "BootstrapVersion"
        }

    def role_statements(self) -> Iterator[tuple[str, Resource]]:
        """Every statement of every identity policy, with the logical id of what holds it."""
        for id, role in self.resources("AWS::IAM::Role").items():
            for policy in role["Properties"].get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield id, statement
        for id, policy in self.resources("AWS::IAM::Policy").items():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                yield id, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@functools.cache
def _synthesize(context: tuple[tuple[str, Any], ...]) -> Assembly:
    folder = Path(tempfile.mkdtemp(prefix="cbu-infra-"))
    make_app(dict(context), outdir=str(folder)).synth()
    return Assembly(folder)


def synthesize(**context: Any) -> Assembly:
    """The system with this context beside the defaults; once per run for each choice. Fails when
    cdk-nag or the CDK's own rules have a finding that nobody acknowledged."""
    return _synthesize(tuple(sorted(context.items())))
