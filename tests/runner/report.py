"""Reports: counting JUnit XML, and making it of what Check writes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    # Names and reasons of what was skipped, for people.
    skips: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.passed + self.failed + self.skipped

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.skips += other.skips


def count(junit: Path) -> Counts:
    """The tests of a JUnit file; OSError or ET.ParseError when there is no whole one."""
    counts = Counts()
    for case in ET.parse(junit).iter("testcase"):
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failed += 1
        elif skipped is not None:
            counts.skipped += 1
            counts.skips.append(_describe_skip(case, skipped))
        else:
            counts.passed += 1
    return counts


def _describe_skip(case: ET.Element, skipped: ET.Element) -> str:
    name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
    # For a whole file pytest has the reason in the text alone: ('FILE', LINE, 'Skipped: REASON').
    reason = re.search(r"'Skipped: (.*)'\)", skipped.text or "")
    return f"{name}: {reason[1] if reason else skipped.get('message', 'no reason given')}"


def write_junit_of_check(check: Path, junit: Path, suite: str) -> None:
    """Makes JUnit XML of Check's own XML. Errors are those of count()."""
    root = ET.Element("testsuites")
    for check_suite in ET.parse(check).findall("{*}suite"):
        title = check_suite.findtext("{*}title", "")
        made = ET.SubElement(root, "testsuite", name=f"{suite}.{title}")
        for test in check_suite.findall("{*}test"):
            _add_check_test(made, test, f"{suite}.{title}")
        made.set("tests", str(len(made)))
        for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            made.set(name, str(len(made.findall(f"testcase/{kind}"))))
    _write(root, junit)


def _add_check_test(suite: ET.Element, test: ET.Element, title: str) -> None:
    name = test.findtext("{*}id", "")
    iteration = test.findtext("{*}iteration", "0")
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{title}.{test.findtext('{*}description', '')}",
        # A loop test runs its table row by row under one name.
        name=name if iteration == "0" else f"{name}[{iteration}]",
        time=test.findtext("{*}duration", "0"),
    )
    result = test.get("result")
    if name == "skipped":
        # Check knows no such result: suite_skip() of tests/unit names the test so.
        left_out, _, reason = test.findtext("{*}description", "").partition(": ")
        case.set("classname", title)
        case.set("name", left_out)
        ET.SubElement(case, "skipped", message=reason)
    elif result != "success":
        kind = "failure" if result == "failure" else "error"
        place = f"{test.findtext('{*}path', '')}/{test.findtext('{*}fn', '')}"
        message = test.findtext("{*}message", "")
        ET.SubElement(case, kind, message=message).text = f"{place}: {message}"


def add_error(junit: Path, suite: str, message: str) -> None:
    """Adds an error of the suite as a whole (a crash, a time limit) to its report."""
    try:
        root = ET.parse(junit).getroot()
    except (OSError, ET.ParseError):
        root = ET.Element("testsuites")
    made = ET.SubElement(root, "testsuite", name=suite, tests="1", failures="0", errors="1")
    case = ET.SubElement(made, "testcase", classname=suite, name="the suite itself", time="0")
    ET.SubElement(case, "error", message=message).text = message
    _write(root, junit)


def _write(root: ET.Element, file: Path) -> None:
    ET.indent(root)
    ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
