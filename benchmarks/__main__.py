"""``python -m benchmarks [NAME …]``: every benchmark or those named; a table, and ``build/bench.json``.

A benchmark is a module here with ``measure() -> list[Row]``; its name is the module's. Ends with 1 if a goal is missed.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.frame import Row, machine

RESULT = Path("build/bench.json")


def names() -> list[str]:
    """Every module here that can measure."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_"))
    return [name for name in found if hasattr(importlib.import_module(f"benchmarks.{name}"), "measure")]


def main(wanted: list[str]) -> int:
    screen = Console()
    if not screen.is_terminal:
        screen = Console(width=160)
    known = names()
    unknown = [name for name in wanted if name not in known]
    if unknown:
        screen.print(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(known)}.")
        return 2
    rows: list[Row] = []
    for name in wanted or known:
        with screen.status(f"{name} …"):
            rows += importlib.import_module(f"benchmarks.{name}").measure()
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=1) + "\n")
    screen.print(table(rows))
    return 0 if all(row.holds for row in rows) else 1


def table(rows: list[Row]) -> Table:
    shown = Table(title=machine(), title_justify="left")
    for column in ("", "ours", "peer", "ratio", "unit", "goal", "holds"):
        shown.add_column(column, justify="right" if column in ("ours", "peer", "ratio") else "left")
    for row in rows:
        peer = f"{_figure(row.peer)} {row.peer_name}" if row.peer is not None else ""
        goal = "" if row.goal is None else str(row.goal)
        holds = "" if row.goal is None else "yes" if row.holds else "[bold red]no[/]"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        shown.add_row(row.name, _figure(row.ours), peer, ratio, row.unit, goal, holds)
    return shown


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
