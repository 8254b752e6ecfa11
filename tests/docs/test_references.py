"""What the documents name is there: files, headings, targets, commands, settings."""

from __future__ import annotations

import re
import subprocess

import pytest
from documents import CBU, DOCUMENTS, ROOT, anchors, blocks, code_spans, links

# The words of a command line, in code spans and in shell blocks.
COMMAND = re.compile(r"(?:^|[\s;|(])(make|build/cbu|cbu|local/stack)[ \n]+([a-z][a-z-]*)")
# A path in a code span: it has a slash, or the ending of a file of ours.
PATH = re.compile(r"^(?:[\w.-]+/)+[\w.-]*$|^[\w-]+\.(?:md|toml|txt|mk|sql)$")
FOLDERS = {"bench", "common", "docs", "fcgi", "local", "migrations", "nginx", "tests"}
SETTING = re.compile(r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")


def _run(*argv: str) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links(document: str) -> None:
    wrong = []
    for link in links(document):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        good = target.exists() and target.resolve().is_relative_to(ROOT)
        if good and anchor:
            good = anchor in anchors(target.resolve().relative_to(ROOT).as_posix())
        if not good:
            wrong.append(link)
    assert not wrong


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths(document: str) -> None:
    """A path in a code span is one of this repository, from its root or the document's folder, or
    one that a recipe of CONTRIBUTING.md makes."""
    made = {
        line.removeprefix("+++ b/").strip()
        for block in blocks("CONTRIBUTING.md")
        for line in block.text.splitlines()
        if line.startswith("+++ b/")
    }
    wrong = []
    for path in filter(PATH.match, code_spans(document)):
        if "/" in path and path.split("/")[0] not in FOLDERS:
            continue
        places = (ROOT / path, (ROOT / document).parent / path)
        if path not in made and not any(place.exists() for place in places):
            wrong.append(path)
    assert not wrong


def _commands(document: str) -> set[tuple[str, str]]:
    shell = [block.text for block in blocks(document) if block.language == "sh"]
    texts = [*code_spans(document), *(re.sub(r"#.*", "", text) for text in shell)]
    return {
        (program.removeprefix("build/"), word)
        for text in texts
        for program, word in COMMAND.findall(text)
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands(document: str) -> None:
    known = {
        "make": set(re.findall(r"^  ([a-z-]+) ", _run("make", "help"), re.MULTILINE)),
        "cbu": {*re.findall(r"^  ([a-z]+) ", _run(str(CBU), "help"), re.MULTILINE), "help"},
        "local/stack": set(re.findall(r"^    ([a-z]+) ", _run("local/stack", "-h"), re.MULTILINE)),
    }
    assert all(known.values())
    assert not {
        (program, word) for program, word in _commands(document) if word not in known[program]
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings(document: str) -> None:
    """A code span that looks like a setting is one, or is added by a recipe of CONTRIBUTING.md."""
    tables = _run(str(CBU), "config", "--markdown") + _run("nginx/render", "--markdown")
    known = set(re.findall(r"^\| `([A-Z0-9_]+)`", tables, re.MULTILINE))
    if document == "CONTRIBUTING.md":
        known |= set(re.findall(r'^\+ +CONF_\w+\("([A-Z0-9_]+)"', _diffs(), re.MULTILINE))
    named = {span for span in code_spans(document) if SETTING.match(span)}
    # A macro of the sources looks like a setting, as does a constant of the AWS side.
    assert not {name for name in named - known if name not in _sources()}


def _diffs() -> str:
    return "".join(block.text for block in blocks("CONTRIBUTING.md") if block.language == "diff")


def _sources() -> str:
    kinds = {"common": "*.[ch]", "fcgi": "*.[ch]", "infra": "*.py"}
    files = [file for top, kind in kinds.items() for file in (ROOT / top).rglob(kind)]
    return "".join(file.read_text() for file in files)


def test_settings_page_is_generated() -> None:
    made = subprocess.run(
        [ROOT / "docs/write-configuration", CBU], capture_output=True, text=True, timeout=60
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout == (ROOT / "docs/configuration.md").read_text(), "`make docs` renews it"
