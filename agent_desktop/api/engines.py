"""Engines over the API: found, put on file, corrected; with their warranty and who had them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.api import shapes, versions
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, behind, cut, number, page
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.api.versions import IfMatch
from agent_desktop.desktop import LARGEST_ID, Desktop, DesktopHere, Id, Reading
from callcenter.database import now
from ticketing import customers, engines, owners
from ticketing import warranty as warranties
from ticketing.rows import Engine

router = APIRouter(prefix="/v1/engines", tags=["engines"])
FOUND_AT_MOST = 200


class NewEngine(Sent):
    serial: str = Field(min_length=4, max_length=60)
    model: str = Field(min_length=1, max_length=40)
    customer_id: Reference | None = Field(None, description="Its owner.")
    dealer_id: Reference | None = None
    vehicle: str = Field("", max_length=80)
    vin: str = Field("", max_length=40)
    plant: str = Field("", max_length=80)
    built_on: date | None = None
    sold_on: date | None = None
    warranty_until: date | None = Field(None, description="Agreed for this engine, whatever the rules say.")
    warranty_hours: int | None = Field(None, ge=0, le=100_000)


class ChangedEngine(Sent):
    model: str | None = Field(None, min_length=1, max_length=40)
    vehicle: str | None = Field(None, max_length=80)
    vin: str | None = Field(None, max_length=40)
    plant: str | None = Field(None, max_length=80)
    dealer_id: Reference | None = None
    built_on: date | None = None
    sold_on: date | None = None
    warranty_until: date | None = None
    warranty_hours: int | None = Field(None, ge=0, le=100_000)
    run_in_on: date | None = None
    run_in_hours: int | None = Field(None, ge=0, le=100_000)
    run_in_station_id: Reference | None = None
    as_on_plate: bool = Field(False, description="The VIN was read again and is kept though it cannot be one.")


class Owner(Shape):
    id: int
    customer_id: int
    from_on: date | None
    until_on: date | None
    note: str


class NewOwner(Sent):
    customer_id: Reference | None = Field(None, description="null: nobody knows whose.")
    on: date | None = Field(None, description="Today where it is not said.")
    note: str = Field("", max_length=200)


@router.get("", dependencies=[right("engines")], summary="List or find engines")
def list_engines(
    request: Request,
    db: Reading,
    serial: Annotated[str, Query(max_length=40, description="The whole serial number or its end, four at least.")] = "",
    customer_id: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    before: Before = "",
    limit: Limit = 50,
) -> Listed[shapes.Engine]:
    if serial:
        found = {engine.id: engine for engine in engines.find(db, serial, FOUND_AT_MOST)}
        there, more = behind(list(found), before, limit)
        return page(request, shapes.Engine, [found[one] for one in there], limit, lambda one: one.id, more=more)
    rows = select(Engine)
    if customer_id is not None:
        rows = rows.where(Engine.customer_id == customers.standing_id(db, customer_id))
    below = number(before)
    if below is not None:
        rows = rows.where(Engine.id < below)
    newest = db.scalars(rows.order_by(Engine.id.desc()).limit(limit + 1)).all()
    return page(request, shapes.Engine, newest, limit, lambda one: one.id)


def _whole(desktop: Desktop, db: Session, engine: Engine) -> shapes.WholeEngine:
    today = desktop.settings.centre.day(now())
    warranty = shapes.Warranty.model_validate(warranties.warranty(engine, today, warranties.rules(db)))
    return shapes.WholeEngine(**shapes.Engine.model_validate(engine).model_dump(), warranty=warranty)


@router.get("/{engine_id}", dependencies=[right("engines")], summary="One engine with its warranty")
def read_engine(
    desktop: DesktopHere, db: Reading, user: TokenUser, response: Response, engine_id: Id
) -> shapes.WholeEngine:
    engine = engines.load_engine(db, engine_id, user)
    versions.tag(response, engine.version)
    return _whole(desktop, db, engine)


@router.post("", dependencies=[right("engines.write")], status_code=201, summary="Put an engine on file")
def create_engine(desktop: DesktopHere, once: OnceHere, sent: NewEngine) -> shapes.WholeEngine:
    return once.do(lambda db: _whole(desktop, db, engines.create(db, **sent.model_dump())))


@router.patch("/{engine_id}", dependencies=[right("engines.write")], summary="Correct an engine's file")
def change_engine(
    desktop: DesktopHere,
    user: TokenUser,
    response: Response,
    engine_id: Id,
    sent: ChangedEngine,
    if_match: IfMatch = "",
) -> shapes.WholeEngine:
    changes = sent.model_dump(exclude_unset=True)
    version = versions.looked_at(if_match)
    with desktop.database.write() as db:
        engine = engines.load_engine(db, engine_id, user)
        engine = engines.change(db, engine, now(), by=user.login, version=version, **changes)
        versions.tag(response, engine.version)
        return _whole(desktop, db, engine)


@router.get("/{engine_id}/owners", dependencies=[right("engines")], summary="Who had it, today's owner first")
def list_owners(
    request: Request, db: Reading, user: TokenUser, engine_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Owner]:
    found = owners.history(db, engines.load_engine(db, engine_id, user).id)
    return cut(request, Owner, found, before, limit, lambda one: one.id)


@router.post("/{engine_id}/owners", dependencies=[right("engines.write")], summary="It is another's from a day on")
def change_owner(
    desktop: DesktopHere, once: OnceHere, user: TokenUser, engine_id: Id, sent: NewOwner
) -> shapes.WholeEngine:
    def changed(db: Session) -> shapes.WholeEngine:
        engine, today = engines.load_engine(db, engine_id, user), desktop.settings.centre.day(now())
        owners.hand_over(
            db, engine, sent.customer_id, sent.on or today, by=user.login, now=now(), today=today, note=sent.note
        )
        return _whole(desktop, db, engine)

    return once.do(changed)
