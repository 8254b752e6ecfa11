"""The default system is synthesized once for the whole run, and so is every other choice."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
# Context must come from the test alone.
os.environ.pop("CDK_CONTEXT_JSON", None)

from assembly import Assembly, synthesize


@pytest.fixture(scope="session")
def default() -> Assembly:
    """What `python3 cdk_app.py` writes without any context."""
    return synthesize()
