"""The documents of the project, and the pieces of Markdown that the tests look at."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CBU = Path(os.environ.get("CBU") or ROOT / "build/cbu").absolute()
DOCUMENTS = sorted(
    file.relative_to(ROOT).as_posix() for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)
# The address that the documents write; the tests put their stack's in its place.
ADDRESS = "http://127.0.0.1:8000"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block and where it begins."""

    language: str
    text: str
    line: int


def read(document: str) -> str:
    return (ROOT / document).read_text()


def blocks(document: str) -> list[Block]:
    text = read(document)
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1)
        for match in _FENCE.finditer(text)
    ]


def prose(document: str) -> str:
    """The text outside fenced blocks."""
    return _FENCE.sub("", read(document))


def code_spans(document: str) -> list[str]:
    return _CODE.findall(prose(document))


def links(document: str) -> list[str]:
    return _LINK.findall(_CODE.sub("", prose(document)))


def anchors(document: str) -> set[str]:
    """The names that GitHub gives to headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose(document))
    }


def table(document: str, *columns: str, below: str = "") -> list[list[str]]:
    """The cells of the table with these column heads; exactly one must be there, or the first one
    `below` a heading is meant."""
    head = f"| {' | '.join(columns)} |"
    lines = read(document).splitlines()
    if below:
        lines = lines[lines.index(below) :]
    starts = [number for number, line in enumerate(lines) if line == head]
    assert starts and (below or len(starts) == 1), f"{document} has {len(starts)} tables {head}"
    rows = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == len(columns), f"{document}: {line}"
        rows.append(cells)
    return rows


def codes_in(cell: str) -> list[str]:
    """What stands in `backquotes` in a cell."""
    return _CODE.findall(cell)
