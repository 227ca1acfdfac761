"""Fixtures of the flows: whole rooms on a real SQLite database, nothing mocked."""

from __future__ import annotations

from pathlib import Path

import pytest

from callcenter.database import Database
from tests.desktop import Desk, make_desk


@pytest.fixture
def desk(tmp_path: Path, database: Database) -> Desk:
    """A desktop with six people, two queues and nothing else."""
    return make_desk(tmp_path, database)
