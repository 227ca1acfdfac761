"""Draft the next migration from what the tables say and the migrations do not.

python setup/draft_migration.py "Sentence."
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from alembic import command  # noqa: E402

from callcenter.database import Database, migrations  # noqa: E402

if __name__ == "__main__":
    importlib.import_module("tests.tables")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/draft.db"
        Database(url).migrate()
        number = len(list((ROOT / "callcenter/migrations/versions").glob("[0-9]*.py"))) + 1
        command.revision(migrations(url), message=sys.argv[1], autogenerate=True, rev_id=f"{number:04d}")
