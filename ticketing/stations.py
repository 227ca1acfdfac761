"""Service stations: whom to send, by area and by what they are able to do."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from callcenter.errors import BadInput
from ticketing.rows import Customer, CustomerKind, Station


def create(db: Session, customer: Customer, area: str, skills: Sequence[str] = (), hours: str = "") -> Station:
    """Make a customer of kind station one that can be sent."""
    if customer.kind != CustomerKind.STATION:
        raise BadInput("%(name)s is not a service station", name=customer.name)
    station = Station(customer_id=customer.id, area=area[:200], skills=list(skills), hours=hours[:80])
    db.add(station)
    db.flush()
    return station


def near(db: Session, region: str, skill: str = "", limit: int = 10) -> list[Station]:
    """Stations that serve the region (河南 郑州), those of the very city first; with the skill, where one is asked."""
    words = region.split()
    if not words:
        return []
    rows = select(Station).options(joinedload(Station.customer).selectinload(Customer.phones))
    rows = rows.where(Station.area.contains(words[0], autoescape=True))
    able = [station for station in db.scalars(rows) if not skill or skill in station.skills]
    able.sort(key=lambda station: (-sum(word in station.area for word in words), station.id))
    return able[:limit]
