"""The house rules: imports point left only, and each outside library has its one room."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ["callcenter", "config", "ticketing", "cti", "recordings", "ivr", "reports", "agent_desktop"]
JOINS = {"callcenter/cli.py", "callcenter/run.py", "callcenter/start.py", "callcenter/__main__.py"} | {
    str(path.relative_to(ROOT)) for path in (ROOT / "callcenter/commands").glob("*.py")
}
JOINED = ("callcenter.cli", "callcenter.commands", "callcenter.run", "callcenter.start")
ONLY_IN = {
    "panoramisk": {"cti/ami.py", "cti/link.py"},
    "twisted": {"ivr/agi.py", "ivr/session.py", "callcenter/run.py"},
}
FILES = sorted(path for room in ORDER for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left_only(path):
    name = str(path.relative_to(ROOT))
    if name in JOINS:
        return
    room = ORDER.index(path.relative_to(ROOT).parts[0])
    for module in imports(path):
        head = module.split(".")[0]
        if head in ORDER:
            assert ORDER.index(head) <= room, f"{name} imports {module}, which stands right of it"
            assert not module.startswith(
                ("callcenter.cli", "callcenter.commands", "callcenter.run", "callcenter.start")
            ), f"{name} imports the place where parts are joined"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_outside_library_has_its_one_room(path):
    name = str(path.relative_to(ROOT))
    for module in imports(path):
        head = module.split(".")[0]
        if head in ONLY_IN:
            assert name in ONLY_IN[head], f"{name} imports {module}; only {sorted(ONLY_IN[head])} may"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_room_is_named_for_doing_something(path):
    assert not {"handler", "manager", "processor", "service", "helper", "helpers", "util", "utils"} & set(
        path.stem.split("_")
    )


def test_every_colour_and_size_that_a_style_names_is_there():
    styles = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "agent_desktop/static").glob("*.css")}
    there = set(re.findall(r"(--[\w-]+)\s*:", styles["app.css"]))
    for name, style in styles.items():
        own = set(re.findall(r"(--[\w-]+)\s*:", style))
        assert set(re.findall(r"var\((--[\w-]+)", style)) <= there | own, name


def test_a_centre_on_sqlite_starts_with_the_packages_of_a_run_alone():
    """psycopg and what only tests need is not installed there."""
    absent = (
        "import sys; sys.modules.update(dict.fromkeys(('psycopg', 'duckdb', 'pytest', 'hypothesis', 'playwright')))"
    )
    started = f"{absent}; import callcenter.cli, callcenter.run, callcenter.worker, agent_desktop.app, cti.intake"
    wants = "sys.argv = ['callcenter', 'migrate']; callcenter.cli.main()"
    elsewhere = os.environ | {"CALLCENTER_DATABASE__URL": "postgresql://db/calls"}
    asked = [sys.executable, "-c", f"{started}; {wants}"]
    told = subprocess.run(asked, cwd=ROOT, env=elsewhere, capture_output=True, text=True, check=False)
    assert told.returncode == 1, "all was imported"
    assert "pip install -c requirements.lock 'psycopg[binary]'" in told.stderr
