"""Placing a call by hand, and looking for the broken link."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from callcenter.commands.console import Json, _, app, out, read, start


@app.command()
def call(
    did: Annotated[str, typer.Argument(help="The number to call, such as 4008.")],
    caller: Annotated[str, typer.Option("--from", help="The caller's number.")] = "13800138000",
    name: Annotated[str, typer.Option(help="The caller's name.")] = "",
    keys: Annotated[str, typer.Option(help="Keys to press, separated by commas.")] = "",
    say: Annotated[Path | None, typer.Option(help="A WAV file to speak.", exists=True, dir_okay=False)] = None,
    listen: Annotated[Path | None, typer.Option(help="Keep what the caller heard in this WAV file.")] = None,
    hold: Annotated[float, typer.Option(help="Seconds to stay on the line.", min=1, max=3600)] = 60.0,
    as_json: Json = False,
) -> None:
    """Place a real SIP call into the switch and tell what happened, step by step."""
    from cti import trial

    settings = start()
    pressed = [key.strip() for key in keys.split(",") if key.strip()]

    def report(step: trial.Step) -> None:
        if not as_json:
            out.print(f"[dim]{step.at_s:7.2f} s[/dim]  {read(step.text)}")

    outcome = asyncio.run(
        trial.place(
            settings, did, caller=caller, name=name, keys=pressed, say=say, listen=listen, hold_s=hold, report=report
        )
    )
    if as_json:
        out.print_json(json.dumps(asdict(outcome), default=str))
    raise typer.Exit(0 if outcome.answered else 1)


@app.command()
def check(as_json: Json = False) -> None:
    """Look at every link of the chain, name the broken one and how to mend it."""
    import config.check
    import cti.check

    settings = start()
    found = [*config.check.checks(settings), *cti.check.checks(settings)]
    if as_json:
        out.print_json(json.dumps([asdict(finding) for finding in found]))
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in found:
            mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]"
            mend = "" if finding.ok else f"\n→ {read(finding.fix)}"
            table.add_row(mark, _(finding.name), escape(read(finding.sentence) + mend))
        out.print(table)
    raise typer.Exit(0 if all(finding.ok for finding in found) else 1)
