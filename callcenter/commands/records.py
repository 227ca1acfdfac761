"""Sheets of customers, engines, relations and parts, in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from callcenter.commands.console import Json, _, app, database_of, language, out, start
from callcenter.database import now
from callcenter.errors import BadInput

BY = "callcenter"
"""Who it was, in the records: somebody at the server."""
KIND = "customers, engines, relations or parts."


@app.command("import")
def import_(
    kind: Annotated[str, typer.Argument(help=KIND)] = "",
    file: Annotated[Path | None, typer.Argument(help="A CSV or Excel file.", exists=True, dir_okay=False)] = None,
    column: Annotated[list[str] | None, typer.Option(help="What a column is, such as name=客户; else guessed.")] = None,
    look: Annotated[bool, typer.Option("--look", help="Only say what would become of the first rows.")] = False,
    undo: Annotated[int | None, typer.Option(help="Undo the import of this number.")] = None,
    as_json: Json = False,
) -> None:
    """Take a sheet over, row by row; what cannot be is listed, and all of it can be undone."""
    from ticketing import import_undo, imports, sheets

    settings = start()
    if undo is not None:
        taken_back = import_undo.undo(database_of(settings), undo, by=BY, now=now())
        for one in taken_back.kept:
            out.print(f"{one['title']}: {one[language()]}", markup=False, soft_wrap=True)
        out.print(_("undone; %(count)s records left as they are", count=len(taken_back.kept)))
        raise typer.Exit(1 if taken_back.kept else 0)
    if file is None:
        raise BadInput("a file is needed, or --undo")
    if file.stat().st_size > sheets.LARGEST:
        raise sheets.SheetTooLarge("%(megabytes)s MB at most", megabytes=sheets.LARGEST // 1024 // 1024)
    content = file.read_bytes()
    sheet = sheets.read(content)
    chosen = imports.mapped(kind, sheet) | _chosen(column or (), sheet.headings)
    mapping, database, at = imports.mapped(kind, sheet, chosen), database_of(settings), now()
    number: int | None = None
    if look:
        account = imports.look(database, kind, sheet, mapping, centre=settings.centre, by=BY, now=at)
        counts = [account.created, account.changed, account.same, account.refused]
        faults = account.faults
    else:
        with database.write() as db:
            number = imports.keep_file(db, kind, content, file.name, sheet, by=BY, now=at).id
        done = imports.take_over(database, number, mapping, centre=settings.centre, by=BY, now=at)
        counts, faults = [done.created, done.changed, done.same, done.refused], done.faults
    told = dict(zip(("created", "changed", "same", "refused"), counts, strict=True))
    if as_json:
        out.print_json(json.dumps({"import": number, **told, "faults": faults}, ensure_ascii=False))
    else:
        for one in faults:
            line = _("line %(line)s", line=one["line"])
            out.print(f"{line}: {one['field']}: {one[language()]}", markup=False, soft_wrap=True)
        out.print(_("%(created)s new · %(changed)s changed · %(same)s as before · %(refused)s refused", **told))
        if number is not None:
            out.print(_("to undo it: callcenter import --undo %(number)s", number=number))
    raise typer.Exit(1 if faults else 0)


@app.command()
def export(
    kind: Annotated[str, typer.Argument(help=KIND)],
    file: Annotated[Path, typer.Argument(help="Where to write: a name that ends in .csv or .xlsx.", dir_okay=False)],
) -> None:
    """Write all records of a kind into a sheet, in the columns in which they come in."""
    from ticketing import exports, sheets

    settings = start()
    headings = exports.headings(kind, settings.centre.language)
    with database_of(settings).read() as db:
        if file.suffix == ".xlsx":
            file.write_bytes(sheets.write_excel(headings, exports.rows(db, kind)))
        else:
            with file.open("wb") as written:
                written.writelines(sheets.write_csv(headings, exports.rows(db, kind)))
    out.print(_("written to %(file)s", file=file))


def _chosen(said: tuple[str, ...] | list[str], headings: tuple[str, ...]) -> dict[str, int]:
    chosen = {}
    for one in said:
        name, _equals, heading = one.partition("=")
        if heading not in headings:
            raise BadInput("the sheet has no column %(heading)s", heading=repr(heading[:40]))
        chosen[name] = headings.index(heading)
    return chosen
