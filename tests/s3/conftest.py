"""One S3 server that verifies signatures, for all tests of a run: S3_SERVER says which."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from s3_server import KIND, S3, program, running

# Only MinIO issues temporary credentials and knows them again.
collect_ignore = [] if KIND == "minio" else ["test_temporary.py"]


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    if not program():
        pytest.skip(f"there is no {KIND}, which local/setup builds")
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server
