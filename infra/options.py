"""What may be chosen for a deployment: the typed context, its defaults and its limits.

Every option is one field of Options. The service's own settings are given beside them, under their
own names (`-c WORKERS=4`), and are checked against settings.json. Anything else is refused: a
mistyped `-c mulit_az=true` must not quietly deploy a single-AZ system.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from infra import times
from infra.settings import Setting, load_settings

# A check returns the typed value, or raises ValueError with the end of a sentence.
Check = Callable[[Any], Any]

# Context of the CDK itself: feature flags, what its CLI passes on, and cached look-ups.
CDK_OWN_KEY = re.compile(r"^(@|aws:|aws-cdk:|cdk:)|^(tree|cli-telemetry)$")


class OptionsError(Exception):
    """The context is invalid; the message lists every fault, one a line."""


@dataclass(frozen=True)
class InstanceClass:
    """What the alarms and checks must know of a class of database instance."""

    memory_gib: int
    burstable: bool
    performance_insights: bool  # AWS offers it on no micro or small class of MySQL

    @property
    def max_connections(self) -> int:
        """RDS's own default for MySQL, DBInstanceClassMemory / 12582880. A little less in
        practice: the memory that RDS itself takes is not counted."""
        return self.memory_gib * 2**30 // 12582880


INSTANCE_CLASSES = {
    "t3.micro": InstanceClass(1, True, False),
    "t3.small": InstanceClass(2, True, False),
    "t3.medium": InstanceClass(4, True, True),
    "t3.large": InstanceClass(8, True, True),
    "t4g.micro": InstanceClass(1, True, False),
    "t4g.small": InstanceClass(2, True, False),
    "t4g.medium": InstanceClass(4, True, True),
    "t4g.large": InstanceClass(8, True, True),
    "m6g.large": InstanceClass(8, False, True),
    "m7g.large": InstanceClass(8, False, True),
    "r6g.large": InstanceClass(16, False, True),
    "r7g.large": InstanceClass(16, False, True),
}


def _flag(value: Any) -> bool:
    # The CLI hands every -c value over as text; cdk.json may hold a JSON boolean.
    words = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in words:
        raise ValueError("must be true or false")
    return words[value]


def _integer(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            raise ValueError(f"must be a whole number from {least} to {most}")
        if not least <= int(text) <= most:
            raise ValueError(f"must be from {least} to {most}")
        return int(text)

    return check


def _choice(*choices: str) -> Check:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return check


def _text(pattern: str, meaning: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"must be {meaning}")
        return value

    return check


def _option(default: Any, check: Check, help: str) -> Any:
    return field(default=default, metadata={"check": check, "help": help})


@dataclass(frozen=True)
class Options:
    """The choices of one deployment. The defaults are the system as it was asked for."""

    environment: str = _option(
        "production",
        _text(r"[a-z][a-z0-9-]{0,14}[a-z0-9]", "2 to 16 of a-z, 0-9 and -"),
        "name of this copy of the system; part of stack names and a tag",
    )
    cost_center: str = _option(
        "core-business-unit",
        _text(r"[\w .:/=+@-]{1,128}", "1 to 128 characters that a tag may hold"),
        "value of the tag CostCenter",
    )
    region: str = _option(
        "us-east-2",
        _text(r"[a-z]{2}(-[a-z]+)+-\d", "the name of a region"),
        "another region is for recovery from the loss of us-east-2",
    )
    domain: str = _option(
        "cbu.example.com",
        _text(
            r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
            "a host name in lower case",
        ),
        "host name of the service; its hosted zone is the parameter HostedZoneId",
    )
    engine_version: str = _option(
        "8.0.46",
        _text(r"8\.[04]\.\d{1,2}(-rds\.\d{8})?", "a full version, 8.0.x or 8.4.x"),
        "MySQL of the database; 8.4.x is recommended, see docs/deployment.md",
    )
    instance_class: str = _option(
        "t3.micro", _choice(*INSTANCE_CLASSES), "class of the database instance"
    )
    performance_insights: bool = _option(
        False, _flag, "Performance Insights; needs a class that offers it (t3.medium and larger)"
    )
    budget_usd: int = _option(
        300, _integer(1, 1_000_000), "US dollars a month; e-mail at 80 % and 100 %"
    )
    multi_az: bool = _option(False, _flag, "tasks, NAT and database in two availability zones")
    cloudfront: bool = _option(False, _flag, "product images through CloudFront")
    waf: bool = _option(False, _flag, "AWS WAF in front of the load balancer")
    pipeline: bool = _option(False, _flag, "CodePipeline: build, approve by hand, deploy")
    inner_tls: bool = _option(False, _flag, "HTTPS between the load balancer and nginx")
    exec: bool = _option(False, _flag, "ECS Exec into running tasks")
    container_insights: str = _option(
        "off", _choice("off", "enabled", "enhanced"), "CloudWatch Container Insights"
    )
    # Not a context key itself: what was given of the service's own settings, by name.
    service: Mapping[str, str] = field(default_factory=dict)

    @property
    def database(self) -> InstanceClass:
        return INSTANCE_CLASSES[self.instance_class]

    def as_context(self) -> dict[str, str]:
        """What differs from the defaults, as it would be given again."""
        chosen = {
            name: getattr(self, name)
            for name, row in OPTION_FIELDS.items()
            if getattr(self, name) != row.default
        }
        texts = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in chosen.items()
        }
        return {**texts, **self.service}

    def setting(self, name: str) -> str:
        """The value of one of the service's settings: the one given, or its default."""
        default = load_settings()[name].default
        return self.service.get(name, default or "")


OPTION_FIELDS = {f.name: f for f in fields(Options) if f.metadata}


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"{key}: is no option" + (f"; did you mean {near[0]}?" if near else "")


def _read_setting(setting: Setting, value: Any) -> str:
    if not setting.tunable:
        raise ValueError("is decided by the stacks and cannot be given")
    text = str(value)
    if fault := setting.fault(text):
        raise ValueError(fault)
    return text


# Settings of the service that a time of the infrastructure bounds, from below or from above.
LEAST_SETTINGS = {
    "STOP_TIMEOUT_S": (times.DEREGISTRATION_DELAY, "the load balancer's deregistration delay"),
    "DATABASE_IO_TIMEOUT_S": (times.PROXY_BORROW, "RDS Proxy's borrow timeout"),
}
MOST_SETTINGS = {
    "DATABASE_IDLE_S": (times.PROXY_CLIENT_IDLE, "RDS Proxy's idle client timeout"),
}


def _contradictions(options: Options) -> list[str]:
    faults = []
    if options.performance_insights and not options.database.performance_insights:
        faults.append(f"performance_insights: is not offered on {options.instance_class} for MySQL")
    for name, (seconds, whose) in LEAST_SETTINGS.items():
        if int(options.setting(name)) <= seconds:
            faults.append(f"{name}: must be more than {seconds}, {whose}")
    for name, (seconds, whose) in MOST_SETTINGS.items():
        if int(options.setting(name)) >= seconds:
            faults.append(f"{name}: must be less than {seconds}, {whose}")
    return faults


def parse_options(context: Mapping[str, Any]) -> Options:
    """Options from the context of the app. Raises OptionsError with all faults at once."""
    settings = load_settings()
    known = [*OPTION_FIELDS, *(s.name for s in settings.values() if s.tunable)]
    values: dict[str, Any] = {}
    service: dict[str, str] = {}
    faults: list[str] = []
    for key, value in context.items():
        try:
            if key in OPTION_FIELDS:
                values[key] = OPTION_FIELDS[key].metadata["check"](value)
            elif key in settings:
                service[key] = _read_setting(settings[key], value)
            elif not CDK_OWN_KEY.match(key):
                faults.append(_unknown(key, known))
        except ValueError as fault:
            faults.append(f"{key}: {fault}")
    options = Options(**values, service=service)
    faults += _contradictions(options)
    if faults:
        raise OptionsError("\n".join(f"  {fault}" for fault in faults))
    return options
