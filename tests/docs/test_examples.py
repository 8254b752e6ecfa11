"""The examples of the documents do what the text around them says, against a running stack."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Stack
from documents import ADDRESS, ROOT, Block, blocks

# What curl gets is the number behind it.
STATUS = re.compile(r" # (\d{3})$")
HTTP_DOCUMENTS = ("README.md", "docs/api.md")


def _curl_blocks(document: str) -> list[Block]:
    return [each for each in blocks(document) if each.language == "sh" and "curl" in each.text]


def _run_block(block: Block, stack: Stack, folder: Path) -> list[tuple[int, str]]:
    """Runs a block line by line in one shell; status and body of each curl, in order."""
    script = ["set -u", *(f"{name}={value}" for name, value in stack.tokens().items())]
    for number, line in enumerate(block.text.replace(ADDRESS, stack.url).splitlines()):
        # Whatever the line does with the output of curl, the status is noted aside.
        curl = f"curl -sS --max-time 60 -w '%{{stderr}}{number} %{{http_code}}\\n' "
        script.append(re.sub(r"\bcurl ", lambda _, curl=curl: curl, line))
        script.append(f"printf '\\n--- {number} ---\\n'")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    statuses = dict(re.findall(r"^(\d+) (\d{3})$", done.stderr, re.MULTILINE))
    outputs = re.split(r"\n--- \d+ ---\n", done.stdout)
    return [(int(status), outputs[int(number)]) for number, status in statuses.items()]


@pytest.mark.parametrize(
    ("document", "block"),
    [
        pytest.param(document, block, id=f"{document}:{block.line}")
        for document in HTTP_DOCUMENTS
        for block in _curl_blocks(document)
    ],
)
def test_curl(document: str, block: Block, stack: Stack, tmp_path: Path) -> None:
    lines = [line for line in block.text.splitlines() if "curl " in line]
    assert all(STATUS.search(line) for line in lines), "every curl names the status it gets"
    expected = [int(STATUS.search(line)[1]) for line in lines]  # type: ignore[index]
    assert [status for status, _ in _run_block(block, stack, tmp_path)] == expected


def _shape(value: Any) -> Any:
    """Names and types of a document; of a list its first item, null like anything."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _examples_with_answers() -> list[Any]:
    found = []
    for document in HTTP_DOCUMENTS:
        for example, answer in itertools.pairwise(blocks(document)):
            if answer.language == "json":
                found.append(pytest.param(example, answer, id=f"{document}:{answer.line}"))
    return found


@pytest.mark.parametrize(("example", "answer"), _examples_with_answers())
def test_answers(example: Block, answer: Block, stack: Stack, tmp_path: Path) -> None:
    """A JSON block shows the answer of the example before it: the same members, the same types."""
    ((_, body),) = _run_block(example, stack, tmp_path)
    assert _shape(json.loads(body)) == _shape(json.loads(answer.text))


def test_token_command(stack: Stack, tmp_path: Path) -> None:
    """The line of api.md that gets a token, for this stack instead of the one of `make run`."""
    (block,) = [each for each in blocks("docs/api.md") if "local/stack token" in each.text]
    line = block.text.replace("local/stack token", f"{ROOT}/local/stack token --data {stack.data}")
    assert _shell(f'{line.strip()}; echo "$token"', stack, tmp_path).startswith("eyJ")


def test_status_commands(stack: Stack, tmp_path: Path) -> None:
    """The commands of operations.md that ask the master, with this stack's socket in place."""
    (block,) = [each for each in blocks("docs/operations.md") if "--unix-socket" in each.text]
    text = block.text.replace("/run/cbu/status.sock", stack.env["STATUS_SOCKET"])
    for line in text.splitlines():
        _shell(line, stack, tmp_path)


def test_import_commands(stack: Stack, tmp_path: Path) -> None:
    (block,) = [each for each in blocks("docs/operations.md") if "cbu import" in each.text]
    shutil.copy(ROOT / "local/demo/products.ndjson", tmp_path)
    subprocess.run(["gzip", "-k", "products.ndjson"], cwd=tmp_path, check=True, timeout=60)
    for line in block.text.splitlines():
        assert "239 lines loaded, 0 lines refused" in _shell(line, stack, tmp_path)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_jq_questions(stack: Stack, tmp_path: Path) -> None:
    for name in ("app", "nginx"):
        shutil.copy(stack.data / "log" / f"{name}.log", tmp_path)
    (block,) = [each for each in blocks("docs/operations.md") if each.text.startswith("jq ")]
    for line in block.text.splitlines():
        _shell(line, stack, tmp_path)


def _shell(line: str, stack: Stack, folder: Path) -> str:
    """What a command line prints; it must succeed, in a folder where `cbu` is on the PATH."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    program = bin_folder / "cbu"
    if not program.exists():
        program.symlink_to(Path(stack.settings.get("CBU") or ROOT / "build/cbu").absolute())
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env={**stack.settings, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout
