"""One box for everything: a number, a name, its pinyin or initials, part of a serial, a VIN, a ticket's number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from callcenter import phone
from config.people import User, may
from ticketing import engines, pinyin, tickets
from ticketing.rows import Customer, Engine, Phone, Ticket
from ticketing.text import line

LONGEST = 100


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One answer. ``rank`` 0 is what was meant exactly; the larger the less likely."""

    kind: Literal["customer", "engine", "ticket"]
    id: int
    title: str
    detail: str
    matched: str  # number, name, pinyin, initials, serial, vin, ticket, vehicle, subject
    rank: int


def find(db: Session, text: str, user: User, limit: int = 20, country: str = "CN", area_code: str = "") -> list[Hit]:
    """What this user may see of it, the likeliest first, each record once."""
    said = line(text[:LONGEST])
    if not said:
        return []
    best: dict[tuple[str, int], Hit] = {}
    for hit in _all(db, said, user, limit, country, area_code):
        standing = best.get((hit.kind, hit.id))
        if standing is None or hit.rank < standing.rank:
            best[hit.kind, hit.id] = hit
    return sorted(best.values(), key=lambda hit: (hit.rank, hit.kind, hit.id))[:limit]


def _all(db: Session, said: str, user: User, limit: int, country: str, area_code: str) -> Iterator[Hit]:
    if may(user.role, "customers"):
        yield from _by_number(db, said, limit, country, area_code)
        yield from _by_name(db, said, limit)
    if may(user.role, "engines"):
        yield from _engines(db, said, limit)
    yield from _tickets(db, said, user, limit)


def _by_number(db: Session, said: str, limit: int, country: str, area_code: str) -> Iterator[Hit]:
    digits = re.sub(r"\D", "", said)
    if len(digits) < 3 or re.search(r"[^\d+\-()./~\s*#]", said):
        return
    whole = phone.normalise(said, country, area_code)
    rank = case((Phone.number == whole, 0), (Phone.number.endswith(digits), 2), else_=4)
    rows = db.execute(
        select(Phone.number, rank, Customer)
        .join(Customer, Customer.id == Phone.customer_id)
        .where((Phone.number == whole) | Phone.number.contains(digits))
        .order_by(rank, Customer.id)
        .limit(limit)
    )
    for number, place, customer in rows:
        yield Hit(
            kind="customer",
            id=customer.id,
            title=customer.name,
            detail=f"{phone.pretty(number, country)} {customer.region}".strip(),
            matched="number",
            rank=place,
        )


def _by_name(db: Session, said: str, limit: int) -> Iterator[Hit]:
    typed = said.lower()
    joined = typed.replace(" ", "").replace("'", "")
    ways: list[tuple[str, ColumnElement[bool], ColumnElement[int]]] = [("name", *_like(Customer.name, said, 0))]
    if re.fullmatch(r"[a-z0-9]+", joined):
        syllables = pinyin.full(typed)
        ways.append(("pinyin", *_like(Customer.pinyin, syllables, 1)))
        if len(joined) >= 2:
            ways.append(("initials", *_like(Customer.initials, joined, 2)))
        if len(joined) >= 3:  # "jianguo" as well as "jian guo"
            ways.append(("pinyin", *_like(_unspaced(Customer.pinyin), joined, 1)))
    for matched, condition, rank in ways:
        rows = select(Customer, rank).where(condition).order_by(rank, Customer.id).limit(limit)
        for customer, place in db.execute(rows):
            yield Hit(
                kind="customer",
                id=customer.id,
                title=customer.name,
                detail=customer.region,
                matched=matched,
                rank=place,
            )


def _engines(db: Session, said: str, limit: int) -> Iterator[Hit]:
    kept = engines.spell(said)
    ways: list[tuple[str, ColumnElement[bool], ColumnElement[int]]] = []
    if len(kept) >= 4 and kept.isascii():
        ends = Engine.serial.endswith(kept)
        ways.append(("serial", Engine.serial.contains(kept), case((Engine.serial == kept, 0), (ends, 1), else_=4)))
        ways.append(("vin", *_like(Engine.vin, kept, 1)))
    if len(said) >= 2:
        ways.append(("vehicle", *_like(Engine.vehicle, said, 5)))
        ways.append(("model", *_like(Engine.model, said, 4)))
    for matched, condition, rank in ways:
        rows = select(Engine, rank).where(condition).options(selectinload(Engine.customer))
        for engine, place in db.execute(rows.order_by(rank, Engine.id).limit(limit)):
            owner = engine.customer.name if engine.customer else ""
            yield Hit(
                kind="engine",
                id=engine.id,
                title=f"{engine.model} {engine.serial}",
                detail=" · ".join(part for part in (engine.vehicle, owner) if part),
                matched=matched,
                rank=place,
            )


def _tickets(db: Session, said: str, user: User, limit: int) -> Iterator[Hit]:
    typed = said.upper().replace(" ", "")
    ways: list[tuple[str, ColumnElement[bool], ColumnElement[int]]] = []
    if re.fullmatch(r"[A-Z]?\d{3,6}(-\d{0,6})?", typed):
        ways.append(("ticket", *_like(Ticket.number, typed, 0)))
    if len(said) >= 2:
        ways.append(("subject", *_like(Ticket.subject, said, 5)))
    for matched, condition, rank in ways:
        rows = select(Ticket, rank).where(condition, tickets.visible(user)).options(selectinload(Ticket.customer))
        for ticket, place in db.execute(rows.order_by(rank, Ticket.id.desc()).limit(limit)):
            owner = ticket.customer.name if ticket.customer else ""
            yield Hit(
                kind="ticket",
                id=ticket.id,
                title=f"{ticket.number} {ticket.subject}",
                detail=owner,
                matched=matched,
                rank=place,
            )


def _like(
    column: InstrumentedAttribute[str] | ColumnElement[str], said: str, rank: int
) -> tuple[ColumnElement[bool], ColumnElement[int]]:
    """Whether it is inside, and its rank: the whole ``rank``, the beginning one more, anywhere three more."""
    begins = column.istartswith(said, autoescape=True)
    place = case((column == said, rank), (begins, rank + 1), else_=rank + 3)
    return column.icontains(said, autoescape=True), place


def _unspaced(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    return func.replace(column, " ", "")
