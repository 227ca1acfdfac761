"""Sheets of records in and out: sent in, looked at with the columns as they are understood, taken over, undone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from agent_desktop.desktop import Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from callcenter.database import Database, now
from callcenter.errors import BadInput, CallCenterError
from ticketing import columns, exports, import_undo, imports, sheets
from ticketing.imports import WrongColumns
from ticketing.record_rows import Import
from ticketing.sheets import Sheet, SheetTooLarge, UnreadableSheet

PAST = 50
AT_ONCE = 20_000
"""Rows a page takes over while one waits; the command takes any number."""
TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

router = APIRouter()


@router.get("/imports", dependencies=[allow("imports")])
def list_imports(page: PageHere, db: Reading) -> HTMLResponse:
    return _list(page, db)


def _list(page: Page, db: Session, fault: CallCenterError | None = None, kind: str = "customers") -> HTMLResponse:
    past = select(Import).where(Import.state != "looked_at").options(defer(Import.content))
    return page.render(
        "imports.html",
        status=fault.status if fault else 200,
        past=db.scalars(past.order_by(Import.id.desc()).limit(PAST)).all(),
        kinds=columns.OF,
        chosen=kind,
        fault=fault,
        megabytes=sheets.LARGEST // 1024 // 1024,
    )


@router.post("/imports", dependencies=[allow("imports")])
def send_sheet(
    page: PageHere, reading: Reading, file: Annotated[UploadFile, File()], kind: Annotated[str, Form(max_length=12)]
) -> Response:
    content, name = file.file.read(sheets.LARGEST + 1), file.filename or ""
    try:
        sheet = read_sheet(content, kind)
    except (UnreadableSheet, SheetTooLarge) as fault:
        return _list(page, reading, fault, kind)
    with page.database.write() as db:
        kept = imports.keep_file(db, kind, content, name, sheet, by=page.user.login, now=now())
    return RedirectResponse(f"/imports/{kept.id}", status_code=303)


def read_sheet(content: bytes, kind: str) -> Sheet:
    """One small enough to be taken over while one waits."""
    sheet = sheets.read(content)
    if kind not in columns.OF:
        raise BadInput
    if len(sheet.rows) > AT_ONCE:
        raise SheetTooLarge("%(rows)s rows at most", rows=AT_ONCE)
    return sheet


@router.get("/imports/{import_id}", dependencies=[allow("imports")])
def show_import(page: PageHere, db: Reading, import_id: Id) -> HTMLResponse:
    kept = imports.load(db, import_id)
    if kept.state == "looked_at" and kept.content is not None:
        return _look(page, kept, imports.sheet_of(kept))
    return page.render("import.html", kept=kept, titles=_titles(page, kept.kind))


def _titles(page: Page, kind: str) -> dict[str, str]:
    return {column.name: column.title(page.language) for column in columns.OF[kind]} | {"": ""}


def _look(
    page: Page, kept: Import, sheet: Sheet, mapping: dict[str, int] | None = None, fault: CallCenterError | None = None
) -> HTMLResponse:
    """What the columns are taken for and what the first rows would become."""
    account = None
    chosen = columns.guessed(kept.kind, sheet.headings) if mapping is None else mapping
    try:
        chosen = imports.mapped(kept.kind, sheet, mapping)
        account = imports.look(
            page.database,
            kept.kind,
            sheet,
            chosen,
            centre=page.settings.centre,
            by=page.user.login,
            now=now(),
        )
    except WrongColumns as wrong:
        fault = fault or wrong
    return page.render(
        "import_look.html",
        status=fault.status if fault and mapping is not None else 200,
        kept=kept,
        sheet=sheet,
        columns=columns.OF[kept.kind],
        mapping=chosen,
        account=account,
        titles=_titles(page, kept.kind),
        fault=fault,
        looked_at=imports.LOOKED_AT,
    )


@router.post("/imports/{import_id}", dependencies=[allow("imports")])
def take_over(page: PageHere, reading: Reading, import_id: Id, sent: SentForm) -> Response:
    """Look again with other columns (``look``), or take all rows over."""
    kept = imports.load(reading, import_id)
    if kept.state != "looked_at" or kept.content is None:
        return RedirectResponse(f"/imports/{import_id}", status_code=303)
    sheet = imports.sheet_of(kept)
    mapping = {
        name.removeprefix("column."): int(place)
        for name, place in sent.items()
        if name.startswith("column.") and place.isascii() and place.isdigit() and len(place) <= 3
    }
    if "look" in sent:
        return _look(page, kept, sheet, mapping)
    try:
        mapping = imports.mapped(kept.kind, sheet, mapping)
    except WrongColumns as fault:
        return _look(page, kept, sheet, mapping, fault)
    imports.take_over(page.database, import_id, mapping, centre=page.settings.centre, by=page.user.login, now=now())
    return RedirectResponse(f"/imports/{import_id}", status_code=303)


@router.post("/imports/{import_id}/undo", dependencies=[allow("imports")])
def undo_import(page: PageHere, import_id: Id) -> Response:
    import_undo.undo(page.database, import_id, by=page.user.login, now=now())
    return RedirectResponse(f"/imports/{import_id}", status_code=303)


@router.get("/exports/{kind}.{ending}", dependencies=[allow("imports")])
def export(
    page: PageHere,
    kind: Annotated[str, Path(pattern="^(customers|engines|relations|parts)$")],
    ending: Annotated[str, Path(pattern="^(csv|xlsx)$")],
) -> Response:
    name = f"{kind}-{page.format.local(now(), 'date')}.{ending}"
    kept = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    parts = written(page.database, kind, ending, page.language)
    return StreamingResponse(parts, media_type=TYPES[ending], headers=kept)


def written(database: Database, kind: str, ending: str, language: str) -> Iterator[bytes]:
    headings = exports.headings(kind, language)
    with database.read() as db:
        if ending == "xlsx":
            yield sheets.write_excel(headings, exports.rows(db, kind))
        else:
            yield from sheets.write_csv(headings, exports.rows(db, kind))
