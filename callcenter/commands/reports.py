"""What happened: figures, one call told again, and the double-entry."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from agent_desktop.i18n import LANGUAGES
from callcenter.commands.console import Json, _, app, database_of, out, start
from callcenter.commands.console import language as terminal
from callcenter.database import now
from callcenter.errors import BadInput


def _spoken(language: str) -> str:
    """The language asked for, else the terminal's."""
    if language and language not in LANGUAGES:
        raise BadInput(
            "language %(language)s; one of %(choices)s", language=repr(language), choices=", ".join(LANGUAGES)
        )
    return language or terminal()


@app.command()
def report(
    first: Annotated[str, typer.Option("--from", help="The first day, such as 2026-11-01; today if not said.")] = "",
    last: Annotated[str, typer.Option("--to", help="The last day; the first if not said.")] = "",
    by: Annotated[str, typer.Option(help="quarter, half_hour, hour, day, week, month, queue or agent.")] = "day",
    queue: Annotated[str, typer.Option(help="Only this queue.")] = "",
    language: Annotated[str, typer.Option(help="zh or en; the terminal's if not said.")] = "",
    as_json: Json = False,
) -> None:
    """Print the figures of a period, line by line; with --json each with its formula, thresholds and version."""
    from agent_desktop import report as shown
    from agent_desktop.i18n import Format
    from config.queues import titles
    from reports import periods
    from reports import report as reporting

    settings = start()
    zone = settings.centre.zone
    language = _spoken(language)
    if by not in reporting.BY:
        raise BadInput("by %(by)s; one of %(choices)s", by=repr(by), choices=", ".join(reporting.BY))
    try:
        begin = date.fromisoformat(first) if first else settings.centre.day(now())
        end = date.fromisoformat(last) if last else begin
    except ValueError as fault:
        raise BadInput(str(fault)) from None
    asked = reporting.Asked(period=periods.span(begin, end, zone), by=by, queue=queue or None)
    with database_of(settings).read() as db:
        told = reporting.report(db, zone, now(), asked, settings.service_level)
        if as_json:
            out.print_json(json.dumps(shown.as_data(told, zone)))
            return
        for rows in shown.as_rows(told, Format(language, zone), titles(db, language)):
            table = Table(*rows[0], box=None)
            for row in rows[1:]:
                table.add_row(*map(Text, row))
            out.print(table)


@app.command()
def replay(
    wanted: Annotated[
        str, typer.Argument(metavar="CALL", help="A call's id, a ticket's number, or a caller's number.")
    ],
    every: Annotated[bool, typer.Option("--all", help="With what only interests who looks for a fault.")] = False,
    language: Annotated[str, typer.Option(help="zh or en; the terminal's if not said.")] = "",
    as_json: Json = False,
) -> None:
    """Tell a call step by step: menu, queue, who was asked and why, states, hold, recording, end."""
    from agent_desktop.replay import Telling, as_data, as_rows, headline
    from reports.material import find, load
    from reports.replay import compose

    language = _spoken(language)
    settings = start()
    with database_of(settings).read() as db:
        found = compose(load(db, find(db, wanted, settings.centre), now()), now())
        telling = Telling.of(db, language, settings.centre.country, found)
    if as_json:
        out.print_json(json.dumps(as_data(found, telling)))
        return
    out.print(headline(found, telling, settings.centre.zone), markup=False, soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in as_rows(found, telling, settings.centre.zone, every=every):
        table.add_row(*(Text(cell, style=style) for cell, style in zip(row, ("", "dim", "", "dim"), strict=True)))
    out.print(table)


@app.command()
def reconcile(
    day: Annotated[str, typer.Option(help="The local day, such as 2026-11-22; today if not given.")] = "",
    cdr: Annotated[Path | None, typer.Option(help="A carrier's CSV: start, caller, called, duration.")] = None,
    as_json: Json = False,
) -> None:
    """Hold a day's calls against the switch's own logs, the recordings on disk and a carrier's record, one by one."""
    from reports import carrier, nightly, periods

    settings = start()
    zone = settings.centre.zone
    try:
        local = date.fromisoformat(day) if day else settings.centre.day(now())
    except ValueError as fault:
        raise BadInput("day %(day)s; such as 2026-11-22", day=repr(day)) from fault
    with database_of(settings).read() as db:
        account = nightly.of_day(db, settings, local, now())
        if cdr is not None:
            lines = carrier.carrier_calls(cdr, zone)
            carrier.compare(db, account, settings.switch.name, lines, periods.day(local, zone))
    if as_json:
        out.print_json(json.dumps(asdict(account)))
    else:
        for one in account.differences:
            sides = _("ours %(ours)s, theirs %(theirs)s", ours=one.ours or "-", theirs=one.theirs or "-")
            out.print(f"{one.call_id or '-'}  {one.what}: {sides} ({one.cause})", markup=False, soft_wrap=True)
        out.print(
            _(
                "%(day)s: %(calls)s calls, %(waits)s waits, %(recordings)s recordings; %(differences)s differences",
                day=local,
                calls=account.calls,
                waits=account.waits,
                recordings=account.recordings,
                differences=len(account.differences),
            )
        )
    raise typer.Exit(1 if account.differences else 0)
