"""How a finding of a checker is acknowledged: beside the construct it is about, with a reason."""

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Each key is the id of a rule of cdk-nag (AwsSolutions-...); each value says why the finding
    is meant. A finding that nobody acknowledged makes `synth` fail."""
    for rule, reason in reasons.items():
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))
