"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench/peers"
WORK = ROOT / "build/bench"
REPORTS = ROOT / "build/reports"
VENV = ROOT / "build/venv-bench"
