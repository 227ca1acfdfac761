"""The parts catalogue, over the API."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api import versions
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, number, page
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.api.versions import IfMatch
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from ticketing import parts

router = APIRouter(prefix="/v1", tags=["parts"])
FOUND_AT_MOST = 200


class Part(Shape):
    id: int
    number: str
    zh: str
    en: str
    families: list[str] = Field(description="Models it fits, or how their names begin.")
    superseded_by: str = Field(description="The number of what takes its place, letters and digits only.")
    superseded_on: date | None
    from_on: date | None
    until_on: date | None
    note: str
    version: int


class ChangedPart(Sent):
    zh: str | None = Field(None, min_length=1, max_length=120)
    en: str | None = Field(None, max_length=120)
    families: list[str] | None = Field(None, max_length=60)
    superseded_by: str | None = Field(None, max_length=40)
    superseded_on: date | None = None
    from_on: date | None = None
    until_on: date | None = None
    note: str | None = Field(None, max_length=200)


class NewPart(ChangedPart):
    number: str = Field(max_length=40)


@router.get("/parts", dependencies=[right("parts")], summary="List or find parts")
def list_parts(
    request: Request,
    db: Reading,
    q: Annotated[str, Query(max_length=100, description="Number or part of it, name, pinyin or initials.")] = "",
    model: Annotated[str, Query(max_length=40, description="Those that fit this model.")] = "",
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Part]:
    if q.strip():  # the likeliest first, and no further page
        return page(request, Part, parts.find(db, q, model, limit=FOUND_AT_MOST)[:limit], limit, lambda one: one.id)
    found = parts.find(db, "", model, below_id=number(before), limit=limit + 1)
    return page(request, Part, found, limit, lambda one: one.id)


@router.get("/parts/{part_id}", dependencies=[right("parts")], summary="One part")
def read_part(db: Reading, response: Response, part_id: Id) -> Part:
    part = parts.load(db, part_id)
    versions.tag(response, part.version)
    return Part.model_validate(part)


@router.post("/parts", dependencies=[right("parts.write")], status_code=201, summary="Enter a part")
def create_part(once: OnceHere, user: TokenUser, sent: NewPart) -> Part:
    given = sent.model_dump(exclude_unset=True, exclude={"number", "families"}, exclude_none=True)
    fits = parts.families(" ".join(sent.families or ()))

    def created(db: Session) -> Part:
        return Part.model_validate(parts.create(db, sent.number, by=user.login, now=now(), fits=fits, **given))

    return once.do(created)


@router.patch("/parts/{part_id}", dependencies=[right("parts.write")], summary="Change a part")
def change_part(
    desktop: DesktopHere, user: TokenUser, response: Response, part_id: Id, sent: ChangedPart, if_match: IfMatch = ""
) -> Part:
    """A day set to null is taken away; a text set to null stays."""
    told = sent.model_dump(exclude_unset=True, exclude={"families"})
    given = {name: value for name, value in told.items() if value is not None or name.endswith("_on")}
    fits = parts.families(" ".join(sent.families)) if sent.families is not None else None
    with desktop.database.write() as db:
        part = parts.load(db, part_id)
        version = versions.looked_at(if_match)
        parts.change(db, part, by=user.login, now=now(), version=version, fits=fits, **given)
        versions.tag(response, part.version)
        return Part.model_validate(part)
