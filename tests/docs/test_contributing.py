"""Follows the recipes of CONTRIBUTING.md, one after the other, in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import LIMIT_S
from documents import ROOT, Block, blocks, read

RECIPES = ["Add a setting", "Add an endpoint", "Add a migration", "Add a test"]
# What `make` hands to its commands, and what would make the copy use this tree's program.
LEFT_OUT = re.compile(r"^(MAKE.*|MFLAGS|SUITE|TEST|CBU|DB|DATA|PORT|WORKERS|[A-Z_]*SOCKET)$")
# The number of the migration in the example.
EXAMPLE_NUMBER = 2


def _copy(to: Path) -> None:
    """The tree with its object files, whose times are kept, so that little is compiled again."""
    unwanted = shutil.ignore_patterns(".git", ".*_cache", "__pycache__", "build", "data")
    shutil.copytree(ROOT, to, ignore=unwanted)
    (to / "build").mkdir()
    for each in (ROOT / "build").iterdir():
        if each.name in {"obj", "setup"}:
            shutil.copytree(each, to / "build" / each.name)
        elif each.name in {"deps", "docs-assets", "venv", "venv-contract", "venv-infra"}:
            (to / "build" / each.name).symlink_to(each)
        elif each.is_file():
            shutil.copy2(each, to / "build" / each.name)


class Copy:
    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *argv: str, input: str | None = None) -> str:
        """What a command prints, standard error included; it must succeed."""
        done = subprocess.run(
            argv,
            cwd=self.root,
            env={name: each for name, each in os.environ.items() if not LEFT_OUT.match(name)},
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, f"{argv}\n{input}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    copy = Copy(tmp_path_factory.mktemp("recipes") / "tree")
    _copy(copy.root)
    try:
        yield copy
    finally:
        # A recipe that failed has not come to its `down`.
        if (copy.root / "build/try/stack.json").exists():
            copy.run("local/stack", "down", "--data", "build/try")


def _recipe(title: str) -> list[Block]:
    """The blocks of a recipe."""
    lines = read("CONTRIBUTING.md").splitlines()
    begin = lines.index(f"### {title}") + 1
    ends = [n for n, line in enumerate(lines, 1) if re.match(r"##+ ", line) and n > begin]
    end = min(ends, default=len(lines))
    return [block for block in blocks("CONTRIBUTING.md") if begin < block.line < end]


def _renumbered(text: str) -> str:
    """The text with the number that a new migration has today in place of the example's."""
    number = len(list((ROOT / "migrations").glob("*.sql"))) + 1
    text = text.replace(f"{EXAMPLE_NUMBER:04d}_", f"{number:04d}_")
    for each in (EXAMPLE_NUMBER, EXAMPLE_NUMBER - 1):
        now = number - EXAMPLE_NUMBER + each
        text = re.sub(rf"(SCHEMA_VERSION_NEEDED ){each}$", rf"\g<1>{now}", text, flags=re.MULTILINE)
    return re.sub(r'("schema_version(?:_needed)?":)\d+', rf"\g<1>{number}", text)


def _assert_printed(expected: str, output: str) -> None:
    """The expected lines are in the output in this order; others may stand between them."""
    rest = iter(output.splitlines())
    for line in expected.splitlines():
        assert line in rest, f"{line!r} is not printed, or not in this order:\n{output}"


def test_all_recipes_are_followed() -> None:
    section = read("CONTRIBUTING.md").partition("\n## Recipes\n")[2]
    assert re.findall(r"^### (.+)$", section, re.MULTILINE) == RECIPES


@pytest.mark.parametrize("title", RECIPES)
def test_recipe(title: str, copy: Copy) -> None:
    """Applies the diffs in order and runs the commands, which print what the text says. The recipes
    build on each other, in the order in which they stand."""
    recipe = _recipe(title)
    assert {block.language for block in recipe} == {"diff", "sh", "text"}
    for block, following in pairwise([*recipe, Block("", "", 0)]):
        if block.language == "diff":
            copy.run("patch", "-p1", "--no-backup-if-mismatch", input=_renumbered(block.text))
        elif block.language == "sh":
            output = copy.run("bash", "-e", "-c", block.text)
            if following.language == "text":
                _assert_printed(_renumbered(following.text), output)


def test_code_of_recipes_passes_the_checks(copy: Copy) -> None:
    """What the recipes show is laid out and includes as the house rules ask."""
    files = {
        line.removeprefix("+++ b/")
        for title in RECIPES
        for block in _recipe(title)
        if block.language == "diff"
        for line in block.text.splitlines()
        if re.match(r"\+\+\+ b/.*\.[ch]$", line)
    }
    assert files
    copy.run("build/venv/bin/clang-format", "--dry-run", "-Werror", *sorted(files))
    copy.run("tests/lint/include-directions")
