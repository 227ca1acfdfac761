"""Service stations over the API: what they can do, who is on duty there, and what they have in hand."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.api.access import right
from agent_desktop.api.calls import aware
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from ticketing import dispatch, stations
from ticketing.rows import Station as Row

router = APIRouter(prefix="/v1/stations", tags=["stations"])


class OnDuty(Shape):
    id: int
    begins_at: datetime
    ends_at: datetime
    name: str
    phone: str


class Station(Shape):
    id: int
    customer_id: int
    name: str
    area: str
    skills: list[str]
    opens: str
    latitude: float | None
    longitude: float | None
    crews: int
    out: int = Field(description="Orders it has in hand.")
    active: bool
    duties: list[OnDuty] = Field(description="Who is on duty, now and later.")


class ChangedStation(Sent):
    area: str | None = Field(None, max_length=200)
    skills: list[str] | None = Field(None, max_length=20)
    opens: str | None = Field(None, max_length=80, description="08:00-18:00 of every day; empty: around the clock.")
    crews: int | None = Field(None, ge=1, le=99)
    active: bool | None = None
    point: str | None = Field(None, max_length=80, description="Its position, such as 34.75, 113.62; empty: unknown.")


class NewDuty(Sent):
    begins_at: datetime
    ends_at: datetime
    name: str = Field(min_length=1, max_length=80)
    phone: str = Field("", max_length=40)


@router.get("", dependencies=[right("tickets")], summary="Every station")
def list_stations(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Station]:
    rows = list(db.scalars(select(Row).order_by(Row.id)))
    out, ahead = dispatch.in_hand(db), stations.ahead(db, now())
    found = [_shape(row, out.get(row.id, 0), ahead.get(row.id, [])) for row in rows]
    return cut(request, Station, found, before, limit, lambda one: one.id)


def _shape(row: Row, out: int, duties: list[stations.StationDuty]) -> Station:
    return Station(
        id=row.id,
        customer_id=row.customer_id,
        name=row.customer.name,
        area=row.area,
        skills=row.skills,
        opens=row.opens,
        latitude=row.latitude,
        longitude=row.longitude,
        crews=row.crews,
        out=out,
        active=row.active,
        duties=[OnDuty.model_validate(duty) for duty in duties],
    )


def _one(db: Session, station_id: int) -> Station:
    row = stations.load(db, station_id)
    return _shape(row, dispatch.in_hand(db).get(row.id, 0), stations.ahead(db, now()).get(row.id, []))


@router.get("/{station_id}", dependencies=[right("tickets")], summary="One station")
def read_station(db: Reading, station_id: Id) -> Station:
    return _one(db, station_id)


@router.patch("/{station_id}", dependencies=[right("agents", writes=True)], summary="Change what it can do")
def change_station(desktop: DesktopHere, station_id: Id, sent: ChangedStation) -> Station:
    with desktop.database.write() as db:
        row = stations.load(db, station_id)
        held = {name: getattr(row, name) for name in ("area", "skills", "opens", "crews", "active")}
        held["point"] = "" if row.latitude is None else f"{row.latitude}, {row.longitude}"
        stations.change(row, **held | sent.model_dump(exclude_none=True))
        db.flush()
        return _one(db, station_id)


@router.post(
    "/{station_id}/duties", dependencies=[right("agents", writes=True)], status_code=201, summary="Who is on duty there"
)
def add_duty(once: OnceHere, station_id: Id, sent: NewDuty) -> OnDuty:
    aware(sent.begins_at)
    aware(sent.ends_at)

    def added(db: Session) -> OnDuty:
        row = stations.load(db, station_id)
        return OnDuty.model_validate(stations.put_on_duty(db, row, sent.begins_at, sent.ends_at, sent.name, sent.phone))

    return once.do(added)
