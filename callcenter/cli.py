"""The command ``callcenter …``. Exit codes: 0 fine, 1 found something, 2 bad use."""

from __future__ import annotations

import os
import sys

import typer
from rich.markup import escape
from typer.core import TyperGroup

from callcenter.commands import flows, parts, queues, records, reports, rows, trying, users
from callcenter.commands.console import app, err, localised, read
from callcenter.errors import BadInput, CallCenterError

__all__ = ["app", "flows", "main", "parts", "queues", "records", "reports", "rows", "trying", "users"]


def main() -> None:
    """Run a command; a fault is one sentence on standard error."""
    try:
        command = typer.main.get_command(app)
        assert isinstance(command, TyperGroup)
        localised(command)(prog_name="callcenter")
    except CallCenterError as fault:
        err.print(f"[red]{fault.word}[/red]: {escape(read(fault.said))}", soft_wrap=True)
        sys.exit(2 if isinstance(fault, BadInput) else 1)
    except OSError as fault:
        if fault.errno is None:
            raise
        err.print(f"[red]{os.strerror(fault.errno)}[/red]: {fault.filename or fault}", soft_wrap=True)
        sys.exit(1)
