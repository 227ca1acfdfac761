"""Service stations: whom to send, by distance, skill, load and who is on duty, with the reasons said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column

from callcenter.database import Base
from callcenter.errors import BadInput, NotFound
from config import calendar
from ticketing import roads
from ticketing.roads import Point
from ticketing.rows import Customer, CustomerKind, Station, Ticket
from ticketing.text import line

KM_AN_HOUR = 55  # what a service van makes of the straight line, on the road
UNKNOWN_KM = 150
BUSY_MIN = 45  # each order above the first that a crew has already
SHUT_MIN = 240
NO_SKILL_MIN = 600
OUT_OF_AREA_MIN = 60
KNOWN = timedelta(days=7)  # a roster that ended longer ago is none


class StationDuty(Base):
    """Who is on duty at a station from when until when."""

    __tablename__ = "station_duties"

    id: Mapped[int] = mapped_column(primary_key=True)
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id"))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    name: Mapped[str] = mapped_column(String(80))
    phone: Mapped[str] = mapped_column(String(40), default="")

    __table_args__ = (Index("ix_station_duties_station_id_ends_at", "station_id", "ends_at"),)


def create(
    db: Session,
    customer: Customer,
    area: str,
    skills: Sequence[str] = (),
    hours: str = "",
    *,
    point: Point | None = None,
    opens: str = "",
    crews: int = 2,
) -> Station:
    """Make a customer of kind station one that can be sent. Without a position, that of its town."""
    if customer.kind != CustomerKind.STATION:
        raise BadInput("%(name)s is not a service station", name=customer.name)
    if point is None:
        found = roads.point_of(customer.address, customer.region)
        point = found[1] if found else None
    station = Station(
        customer_id=customer.id,
        area=area[:200],
        skills=list(skills),
        hours=hours[:80],
        latitude=point.latitude if point else None,
        longitude=point.longitude if point else None,
        opens=calendar.spelt(calendar.hours(opens)),
        crews=crews,
    )
    db.add(station)
    db.flush()
    return station


def load(db: Session, station_id: int) -> Station:
    row = db.get(Station, station_id)
    if row is None:
        raise NotFound("station %(id)s", id=station_id)
    return row


def change(
    row: Station, *, area: str, skills: Sequence[str], opens: str, crews: int, active: bool, point: str = ""
) -> Station:
    """Its area, skills, hours, crews and position (as people write it); whether it is sent at all."""
    try:
        place = roads.point(point) if point.strip() else None
    except roads.NoSuchPlace as fault:
        raise BadInput("%(what)s cannot be %(value)s", what="point", value=fault.en) from None
    row.opens = calendar.spelt(calendar.hours(opens))
    row.area, row.skills = line(area)[:200], [skill.upper() for skill in skills][:20]
    row.crews, row.active = min(max(crews, 1), 99), active
    row.latitude, row.longitude = (place.latitude, place.longitude) if place else (None, None)
    return row


def ahead(db: Session, now: datetime) -> dict[int, list[StationDuty]]:
    """Who is on duty, now and later, by station."""
    found: dict[int, list[StationDuty]] = {}
    rows = select(StationDuty).where(StationDuty.ends_at > now).order_by(StationDuty.begins_at)
    for duty in db.scalars(rows):
        found.setdefault(duty.station_id, []).append(duty)
    return found


def put_on_duty(
    db: Session, station: Station, begins_at: datetime, ends_at: datetime, name: str, phone: str = ""
) -> StationDuty:
    name, phone = line(name)[:80], line(phone)[:40]
    if ends_at <= begins_at or not name:
        raise BadInput("a duty has a name, and ends after it begins")
    duty = StationDuty(station_id=station.id, begins_at=begins_at, ends_at=ends_at, name=name, phone=phone)
    db.add(duty)
    db.flush()
    return duty


def near(db: Session, region: str, skill: str = "", limit: int = 10) -> list[Station]:
    """Stations that serve the region (河南 郑州), those of the very city first; with the skill, where one is asked."""
    words = region.split()
    if not words:
        return []
    rows = select(Station).options(joinedload(Station.customer).selectinload(Customer.phones))
    rows = rows.where(Station.area.contains(words[0], autoescape=True), Station.active)
    able = [station for station in db.scalars(rows) if not skill or skill in station.skills]
    able.sort(key=lambda station: (-sum(word in station.area for word in words), station.id))
    return able[:limit]


# --- whom to send ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A station as it is right now."""

    station_id: int
    name: str
    area: str = ""
    point: Point | None = None
    skills: tuple[str, ...] = ()
    open_now: bool = True
    on_duty: str = ""  # who, with the number; empty: nobody is named
    rostered: bool = False  # the station names who is on duty, so nobody named means nobody there
    out: int = 0  # orders it has taken and not done
    crews: int = 2
    phones: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for a station or against it."""

    good: bool
    zh: str
    en: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    station: Candidate
    km: float | None
    minutes: int  # until somebody could be there, with what speaks against it counted as time
    reasons: tuple[Reason, ...]


def ranked(
    candidates: Iterable[Candidate], *, place: Point | None, words: Sequence[str] = (), skill: str = ""
) -> list[Suggestion]:
    """The stations by how soon each could help, the best first, and why. Pure.

    ``words`` are the province and town the machine is in; ``skill`` the engine's model.
    """
    found = [_weighed(one, place, words, skill) for one in candidates]
    return sorted(found, key=lambda one: (one.minutes, one.station.station_id))


def _weighed(station: Candidate, place: Point | None, words: Sequence[str], skill: str) -> Suggestion:
    reasons = []
    km = None
    if place is not None and station.point is not None:
        km = roads.distance_km(place, station.point)
        reasons.append(Reason(True, f"直线约 {km:.0f} 公里", f"about {km:.0f} km away"))
    else:
        reasons.append(Reason(False, "距离不详", "distance not known"))
    minutes = (UNKNOWN_KM if km is None else km) / KM_AN_HOUR * 60
    named = [word for word in words if word and word in station.area]
    if named:
        reasons.append(Reason(True, f"服务区域含{named[-1]}", f"serves {named[-1]}"))
    elif words:
        minutes += OUT_OF_AREA_MIN
        reasons.append(Reason(False, "不在其服务区域", "outside its area"))
    if skill and station.skills:
        able = any(skill.upper().startswith(one.upper()) for one in station.skills)
        minutes += 0 if able else NO_SKILL_MIN
        told = (f"能修 {skill}", f"trained for {skill}") if able else (f"不会修 {skill}", f"not trained for {skill}")
        reasons.append(Reason(able, *told))
    if station.on_duty:
        reasons.append(Reason(True, f"值班：{station.on_duty}", f"on duty: {station.on_duty}"))
    elif station.rostered or not station.open_now:
        minutes += SHUT_MIN
        told = ("现在无人值班", "nobody on duty now") if station.rostered else ("现在不营业", "closed now")
        reasons.append(Reason(False, *told))
    else:
        reasons.append(Reason(True, "营业中", "open now"))
    if station.out:
        over = max(0, station.out + 1 - max(station.crews, 1))
        minutes += BUSY_MIN * over
        told = (f"在修 {station.out} 单 / {station.crews} 组", _in_hand(station.out, station.crews))
        reasons.append(Reason(not over, *told))
    else:
        reasons.append(Reason(True, "空闲", "free"))
    return Suggestion(station=station, km=km, minutes=round(minutes), reasons=tuple(reasons))


def _in_hand(orders: int, crews: int) -> str:
    return f"{orders} order{'s' * (orders != 1)} for {crews} crew{'s' * (crews != 1)}"


def where(ticket: Ticket) -> tuple[str, Point | None, list[str]]:
    """Where the machine is: the words it was found by, the position, and province and town."""
    region = ticket.customer.region if ticket.customer else ""
    said, fields = str(ticket.fields.get("place", "")), ticket.fields
    if fields.get("point"):
        return str(fields["point"]), roads.point(str(fields["point"])), region.split()
    found = roads.point_of(said, region)
    if found is None:
        return "", None, region.split()
    town, point = found
    return town, point, [*region.split()[:1], town]


def candidates(db: Session, now: datetime, zone: tzinfo, load: Mapping[int, int]) -> list[Candidate]:
    """Every station that can be sent, with who is on duty there; ``load`` are its orders in hand."""
    rows = select(Station).where(Station.active).options(joinedload(Station.customer).selectinload(Customer.phones))
    on = select(StationDuty).where(StationDuty.begins_at <= now, StationDuty.ends_at > now)
    there = {duty.station_id: f"{duty.name} {duty.phone}".strip() for duty in db.scalars(on)}
    rostered = set(db.scalars(select(StationDuty.station_id).where(StationDuty.ends_at > now - KNOWN).distinct()))
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    found = []
    for row in db.scalars(rows):
        spans = calendar.hours(row.opens)
        point = None
        if row.latitude is not None and row.longitude is not None:
            point = Point(row.latitude, row.longitude)
        found.append(
            Candidate(
                station_id=row.id,
                name=row.customer.name,
                area=row.area,
                point=point,
                skills=tuple(row.skills),
                open_now=not spans or any(begins <= minute < ends for begins, ends in spans),
                on_duty=there.get(row.id, ""),
                rostered=row.id in rostered,
                out=load.get(row.id, 0),
                crews=row.crews,
                phones=tuple(phone.number for phone in row.customer.phones),
            )
        )
    return found
