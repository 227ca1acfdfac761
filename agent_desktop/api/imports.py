"""Sheets of records over the API: sent in and looked at, taken over, undone; and written out again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, number, page
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from agent_desktop.imports import TYPES, read_sheet, written
from callcenter.database import now
from ticketing import columns, import_undo, imports, sheets
from ticketing.record_rows import Import

router = APIRouter(prefix="/v1", tags=["imports"])


class Sheet(Shape):
    id: int
    kind: str
    state: str = Field(description="looked_at, running, done, undoing, undone")
    at: datetime
    by: str
    file_name: str
    sha256: str
    rows: int
    created: int
    changed: int
    same: int
    refused: int
    faults: list[dict[str, Any]] = Field(description="Of rows that were refused: line, field and why.")
    undone_at: datetime | None
    undone_by: str
    kept: list[dict[str, Any]] = Field(description="What undoing left as it is, and why.")


class Column(Shape):
    name: str
    zh: str
    en: str
    needed: bool


class LookedAt(Sheet):
    headings: list[str]
    columns: list[Column]
    guessed: dict[str, int] = Field(description="Column: the place of its heading, from 0.")


class Mapping(Sent):
    columns: dict[str, int] | None = Field(None, description="As guessed where it is not said.")


@router.get("/imports", dependencies=[right("imports")], summary="Sheets that came in, newest first")
def list_imports(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Sheet]:
    rows = select(Import).options(defer(Import.content))
    below = number(before)
    if below is not None:
        rows = rows.where(Import.id < below)
    found = db.scalars(rows.order_by(Import.id.desc()).limit(limit + 1)).all()
    return page(request, Sheet, found, limit, lambda one: one.id)


@router.get("/imports/{import_id}", dependencies=[right("imports")], summary="What became of a sheet")
def read_import(db: Reading, import_id: Id) -> Sheet:
    return Sheet.model_validate(imports.load(db, import_id))


@router.post(
    "/imports", dependencies=[right("imports", writes=True)], status_code=201, summary="Send a sheet to be looked at"
)
def send_sheet(
    once: OnceHere,
    user: TokenUser,
    kind: Annotated[Literal["customers", "engines", "relations", "parts"], Form()],
    file: Annotated[UploadFile, File(description="CSV (UTF-8 or GBK) or Excel.")],
) -> LookedAt:
    """Nothing is changed yet; whatever else this user only looked at is let go."""
    content, name = file.file.read(sheets.LARGEST + 1), file.filename or ""
    sheet = read_sheet(content, kind)

    def kept(db: Session) -> LookedAt:
        row = imports.keep_file(db, kind, content, name, sheet, by=user.login, now=now())
        return LookedAt(
            **Sheet.model_validate(row).model_dump(),
            headings=list(sheet.headings),
            columns=[Column.model_validate(column) for column in columns.OF[kind]],
            guessed=columns.guessed(kind, sheet.headings),
        )

    return once.do(kept)


@router.post(
    "/imports/{import_id}/take-over", dependencies=[right("imports", writes=True)], summary="Take its rows over"
)
def take_over(
    desktop: DesktopHere, db: Reading, once: OnceHere, user: TokenUser, import_id: Id, sent: Mapping
) -> Sheet:
    """Some rows at a time; a sheet is taken over once, whoever asks again."""
    kept = imports.load(db, import_id)
    mapping = imports.mapped(kept.kind, imports.sheet_of(kept), sent.columns)
    centre = desktop.settings.centre
    imports.take_over(desktop.database, import_id, mapping, centre=centre, by=user.login, now=now())
    return once.do(lambda db: Sheet.model_validate(imports.load(db, import_id)))


@router.post("/imports/{import_id}/undo", dependencies=[right("imports", writes=True)], summary="Undo it whole")
def undo_import(desktop: DesktopHere, once: OnceHere, user: TokenUser, import_id: Id) -> Sheet:
    """What somebody has worked with since is kept, and named."""
    import_undo.undo(desktop.database, import_id, by=user.login, now=now())
    return once.do(lambda db: Sheet.model_validate(imports.load(db, import_id)))


@router.get(
    "/exports/{kind}",
    dependencies=[right("imports")],
    summary="Every customer or engine as a sheet, in the columns in which they come in",
    response_class=StreamingResponse,
    responses={200: {"content": {name: {} for name in TYPES.values()}, "description": "The sheet"}},
)
def export(
    desktop: DesktopHere,
    user: TokenUser,
    kind: Literal["customers", "engines", "relations", "parts"],
    ending: Literal["csv", "xlsx"] = "csv",
) -> StreamingResponse:
    parts = written(desktop.database, kind, ending, user.language)
    return StreamingResponse(parts, media_type=TYPES[ending])
