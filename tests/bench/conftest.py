"""The yardstick's own logic, without a server of the yardstick or a load generator."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "local")]
