"""Records as sheets, in the columns in which they come in."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from callcenter.errors import BadInput
from ticketing import columns
from ticketing.import_relations import WORDS
from ticketing.part_rows import Part
from ticketing.record_rows import Relation
from ticketing.rows import Customer, Engine, Phone

_BATCH = 1000


def headings(kind: str, language: str) -> list[str]:
    if kind not in columns.OF:
        raise BadInput("there is no import of %(kind)s", kind=repr(kind[:20]))
    return [column.title(language) for column in columns.OF[kind]]


def rows(db: Session, kind: str) -> Iterator[list[str]]:
    """Every record, in the order of their ids, some read at a time."""
    yield from {"customers": _customers, "engines": _engines, "relations": _relations, "parts": _parts}[kind](db)


def _customers(db: Session) -> Iterator[list[str]]:
    last = 0
    while True:
        some = select(Customer).where(Customer.id > last, Customer.merged_into_id.is_(None)).order_by(Customer.id)
        found = db.scalars(some.limit(_BATCH).options(selectinload(Customer.phones))).all()
        for one in found:
            phones = "、".join(_number(phone.number) for phone in one.phones if phone.level == "known")
            yield [one.code, one.name, one.kind, phones, one.region, one.address, one.language, one.note]
        if len(found) < _BATCH:
            return
        last = found[-1].id
        db.expunge_all()


def _engines(db: Session) -> Iterator[list[str]]:
    last = 0
    while True:
        some = select(Engine).where(Engine.id > last).order_by(Engine.id).limit(_BATCH)
        whole = selectinload(Engine.customer).selectinload(Customer.phones)
        found = db.scalars(some.options(whole)).all()
        for one in found:
            yield [_said(value) for value in _engine(one)]
        if len(found) < _BATCH:
            return
        last = found[-1].id
        db.expunge_all()


def _engine(one: Engine) -> Iterator[object]:
    owner = one.customer
    known = [_number(phone.number) for phone in owner.phones if phone.level == "known"] if owner else []
    yield from (one.serial, one.model, one.plant, one.vehicle, one.vin, one.built_on, one.sold_on)
    yield from (owner.name if owner else None, known[0] if known else None, owner.code if owner else None, None)
    yield from (one.hours, one.km, one.hours_on or one.km_on, one.run_in_on, one.run_in_hours)


def _relations(db: Session) -> Iterator[list[str]]:
    last = 0
    while True:
        some = select(Relation).where(Relation.id > last).order_by(Relation.id).limit(_BATCH)
        found = db.scalars(some.options(*(selectinload(side) for side in (Relation.one, Relation.other)))).all()
        for one in found:
            if one.one.merged_into_id is None and one.other.merged_into_id is None:
                sides = [(side.name, side.code, _first(db, side)) for side in (one.one, one.other)]
                yield [*sides[0], WORDS[one.kind][0], *sides[1], _said(one.from_on), _said(one.until_on), one.note]
        if len(found) < _BATCH:
            return
        last = found[-1].id
        db.expunge_all()


def _parts(db: Session) -> Iterator[list[str]]:
    last = 0
    while True:
        some = select(Part).where(Part.id > last).order_by(Part.id).limit(_BATCH).options(selectinload(Part.fits))
        found = db.scalars(some).all()
        for one in found:
            days = [_said(day) for day in (one.superseded_on, one.from_on, one.until_on)]
            yield [one.number, one.zh, one.en, "、".join(one.families), one.superseded_by, *days, one.note]
        if len(found) < _BATCH:
            return
        last = found[-1].id
        db.expunge_all()


def _first(db: Session, customer: Customer) -> str:
    """The first number that is known: what tells one 李建国 from another."""
    known = select(Phone.number).where(Phone.customer_id == customer.id, Phone.level == "known")
    return _number(db.scalar(known.order_by(Phone.id).limit(1)) or "")


def _number(number: str) -> str:
    """As people write an extension; a semicolon parts two numbers."""
    return number.replace(";ext=", "转")


def _said(value: object) -> str:
    return "" if value is None else str(value)
