"""The service's own settings, from the committed settings.json: their defaults and limits.

The file has the shape of the program's settings table, so a value that the service would refuse at
start is refused here, before anything is deployed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS_FILE = Path(__file__).with_name("settings.json")

# The stacks decide these from what they build, the images by where they put their files, and ECS
# hands out the credentials. They and all secrets cannot be given as context; nor can what names
# another place for the user pool's keys: whoever answers there decides who is an administrator.
DECIDED = frozenset(
    {"DATABASE_CA_FILE", "FCGI_SOCKET", "MIGRATIONS_DIR", "S3_BUCKET_NAME", "STATUS_SOCKET"}
)
DECIDED_FAMILIES = re.compile(r"AWS_|COGNITO_|.*_ARN$")


@dataclass(frozen=True)
class Setting:
    """One row of the table. Values are texts, as in the environment of a container."""

    name: str
    kind: str
    default: str | None
    unit: str
    secret: bool
    min: int = 0
    max: int = 0
    choices: tuple[str, ...] = ()

    @property
    def tunable(self) -> bool:
        """Whether it may be given as context, under its own name."""
        decided = self.name in DECIDED or DECIDED_FAMILIES.match(self.name)
        return not self.secret and not decided

    def fault(self, value: str) -> str | None:
        """What is wrong with the value, as the end of a sentence; None when nothing is."""
        if self.kind == "choice":
            return None if value in self.choices else f"must be one of {', '.join(self.choices)}"
        if self.kind == "integer":
            number = int(value) if value.isascii() and value.isdigit() else None
            if number is None or not self.min <= number <= self.max:
                return f"must be a whole number from {self.min} to {self.max} ({self.unit})"
            return None
        if not self.min <= len(value.encode()) <= self.max:
            return f"must be {self.min} to {self.max} {self.unit} long"
        return None


def load_settings(file: Path = SETTINGS_FILE) -> Mapping[str, Setting]:
    """The table by name, in the order of the file."""
    rows: list[dict[str, Any]] = json.loads(file.read_text())["settings"]
    return {
        row["name"]: Setting(**{**row, "choices": tuple(row.get("choices", ()))}) for row in rows
    }
