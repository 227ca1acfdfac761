"""What is kept around customers and engines, over the API: how they stand to each other, and what meters showed."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from ticketing import customers, engines, readings, relations

router = APIRouter(prefix="/v1")


class Relation(Shape):
    id: int
    kind: str
    one_id: int
    other_id: int
    from_on: date | None
    until_on: date | None
    note: str


class NewRelation(Sent):
    other_id: Reference
    kind: str = Field(max_length=12, description="supplies, sells, serves, owns, drives, works, family")
    from_on: date | None = None
    until_on: date | None = None
    note: str = Field("", max_length=200)


class Until(Sent):
    until_on: date


class Meter(Shape):
    id: int
    on: date
    hours: int | None
    km: int | None
    new_meter: bool
    source: str
    by: str


class TakenBack(Shape):
    taken_back: bool = True


class NewMeter(Sent):
    on: date
    hours: int | None = Field(None, ge=0, le=1_000_000)
    km: int | None = Field(None, ge=0, le=100_000_000)
    new_meter: bool = False


@router.get(
    "/customers/{customer_id}/relations",
    dependencies=[right("customers")],
    tags=["customers"],
    summary="How a customer stands to others",
)
def list_relations(
    request: Request, db: Reading, user: TokenUser, customer_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Relation]:
    customer = customers.load_customer(db, customer_id, user)
    found = [side.relation for side in relations.of(db, customer.id)]
    return cut(request, Relation, found, before, limit, lambda one: one.id)


@router.post(
    "/customers/{customer_id}/relations",
    dependencies=[right("customers.write")],
    tags=["customers"],
    status_code=201,
    summary="Say how he stands to another",
)
def add_relation(once: OnceHere, user: TokenUser, customer_id: Id, sent: NewRelation) -> Relation:
    def added(db: Session) -> Relation:
        customer = customers.load_customer(db, customer_id, user)
        return Relation.model_validate(relations.add(db, customer, **sent.model_dump(), by=user.login, now=now()))

    return once.do(added)


@router.post(
    "/customers/{customer_id}/relations/{relation_id}/end",
    dependencies=[right("customers.write")],
    tags=["customers"],
    summary="The last day of a relation",
)
def end_relation(once: OnceHere, user: TokenUser, customer_id: Id, relation_id: Id, sent: Until) -> Relation:
    def ended(db: Session) -> Relation:
        customer = customers.load_customer(db, customer_id, user)
        return Relation.model_validate(
            relations.end(db, customer, relation_id, sent.until_on, by=user.login, now=now())
        )

    return once.do(ended)


@router.get(
    "/engines/{engine_id}/readings", dependencies=[right("engines")], tags=["engines"], summary="What its meters showed"
)
def list_readings(
    request: Request, db: Reading, user: TokenUser, engine_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Meter]:
    engine = engines.load_engine(db, engine_id, user)
    return cut(request, Meter, readings.history(db, engine.id), before, limit, lambda one: one.id)


@router.post(
    "/engines/{engine_id}/readings",
    dependencies=[right("engines.write")],
    tags=["engines"],
    status_code=201,
    summary="Keep a reading of its meters",
)
def add_reading(desktop: DesktopHere, once: OnceHere, user: TokenUser, engine_id: Id, sent: NewMeter) -> Meter:
    def added(db: Session) -> Meter:
        engine = engines.load_engine(db, engine_id, user)
        today = desktop.settings.centre.day(now())
        return Meter.model_validate(
            readings.add(db, engine, **sent.model_dump(), by=user.login, now=now(), today=today)
        )

    return once.do(added)


@router.delete(
    "/engines/{engine_id}/readings/{reading_id}",
    dependencies=[right("engines.write")],
    tags=["engines"],
    summary="Take back a reading that was wrong",
)
def take_back_reading(once: OnceHere, user: TokenUser, engine_id: Id, reading_id: Id) -> TakenBack:
    """That it was there stays told."""

    def taken_back(db: Session) -> TakenBack:
        readings.take_back(db, engines.load_engine(db, engine_id, user), reading_id, by=user.login, now=now())
        return TakenBack()

    return once.do(taken_back)
