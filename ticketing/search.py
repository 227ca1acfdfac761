"""One box for everything: a number, a name, its pinyin or initials, part of a serial, a VIN, a ticket's number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Executable, case, func, literal, select
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


_Way = tuple[str, ColumnElement[bool], ColumnElement[int]]  # what it matched, the condition, its rank
_NUMBER = re.compile(r"[\d+\-()./~\s*#]+")
_TICKET = re.compile(r"[A-Z]\d{1,6}(-\d{0,6})?|\d{6}-\d{1,6}")


def find(db: Session, text: str, user: User, limit: int = 20, country: str = "CN", area_code: str = "") -> list[Hit]:
    """What this user may see of it, the likeliest first, each record once.

    A whole number of a phone, an engine or a ticket is looked up and answered at once; only what is none of these is
    looked for inside names and texts.
    """
    said = line(text[:LONGEST])
    if not said:
        return []
    box = _Box(db, said, user, limit, country, area_code)
    hits = list(box.exactly()) or [*box.by_number(), *box.by_name(), *box.engines(), *box.tickets()]
    best: dict[tuple[str, int], Hit] = {}
    for hit in hits:
        standing = best.get((hit.kind, hit.id))
        if standing is None or hit.rank < standing.rank:
            best[hit.kind, hit.id] = hit
    return sorted(best.values(), key=lambda hit: (hit.rank, hit.kind, hit.id))[:limit]


@dataclass(frozen=True)
class _Box:
    """What was typed, by whom, and the ways to look for it."""

    db: Session
    said: str
    user: User
    limit: int
    country: str
    area_code: str

    def exactly(self) -> Iterator[Hit]:
        """By the indexes alone."""
        whole = phone.normalise(self.said, self.country, self.area_code)
        if _NUMBER.fullmatch(self.said) and phone.is_number(whole):
            yield from self._phones(Phone.number == whole, literal(0))
        serial = engines.spell(self.said)
        if len(serial) >= engines.SERIAL_END:
            ends = (Engine.serial_end == serial[-engines.SERIAL_END :]) & Engine.serial.endswith(serial)
            yield from self._engines("serial", ends, case((Engine.serial == serial, 0), else_=1))
        yield from self._tickets("ticket", Ticket.number == self.said.upper().replace(" ", ""), literal(0))

    def by_number(self) -> Iterator[Hit]:
        digits = re.sub(r"\D", "", self.said)
        if len(digits) >= 3 and _NUMBER.fullmatch(self.said):
            rank = case((Phone.number.endswith(digits), 2), else_=4)
            yield from self._phones(Phone.number.contains(digits), rank)

    def by_name(self) -> Iterator[Hit]:
        typed = self.said.lower()
        joined = typed.replace(" ", "").replace("'", "")
        ways: list[_Way] = []
        if not _NUMBER.fullmatch(self.said):
            ways.append(("name", *_inside(Customer.name, self.said, 0)))
        if re.fullmatch(r"[a-z0-9]*[a-z][a-z0-9]*", joined):
            if " " in typed:
                ways.append(("pinyin", *_inside(Customer.pinyin, pinyin.full(typed), 1, kept_so=True)))
            elif len(joined) >= 3:  # "jianguo" as well as "jian guo"
                unspaced = func.replace(Customer.pinyin, " ", "")
                ways.append(("pinyin", *_inside(unspaced, joined, 1, kept_so=True)))
            if len(joined) >= 2:
                ways.append(("initials", *_inside(Customer.initials, joined, 2, kept_so=True)))
        for matched, condition, rank in ways:
            rows = select(Customer, rank).where(condition).order_by(rank, Customer.id).limit(self.limit)
            for customer, place in self._rows("customers", rows):
                yield Hit(
                    kind="customer",
                    id=customer.id,
                    title=customer.name,
                    detail=customer.region,
                    matched=matched,
                    rank=place,
                )

    def engines(self) -> Iterator[Hit]:
        serial = engines.spell(self.said)
        if len(serial) >= 4:
            rank = case((Engine.serial.endswith(serial), 1), else_=4)
            yield from self._engines("serial", Engine.serial.contains(serial), rank)
            yield from self._engines("vin", *_inside(Engine.vin, serial, 1, kept_so=True))
        if len(self.said) >= 2 and not _NUMBER.fullmatch(self.said):
            yield from self._engines("vehicle", *_inside(Engine.vehicle, self.said, 5))
            yield from self._engines("model", *_inside(Engine.model, self.said, 4))

    def tickets(self) -> Iterator[Hit]:
        typed = self.said.upper().replace(" ", "")
        if _TICKET.fullmatch(typed):
            inside = Ticket.number.contains(typed)
            begins = (Ticket.number >= typed) & (Ticket.number < typed + "~")  # by the index; "~" is behind all digits
            yield from self._tickets("ticket", begins if typed[0].isalpha() else inside, literal(1))
        if len(self.said) >= 2 and not _NUMBER.fullmatch(self.said):
            yield from self._tickets("subject", *_inside(Ticket.subject, self.said, 5))

    # --- rows to hits ------------------------------------------------------------------------------------------

    def _rows(self, permission: str, rows: Executable) -> Iterable[Any]:
        return self.db.execute(rows) if may(self.user.role, permission) else ()

    def _phones(self, condition: ColumnElement[bool], rank: ColumnElement[int]) -> Iterator[Hit]:
        rows = select(Phone.number, rank, Customer).join(Customer, Customer.id == Phone.customer_id)
        for number, place, customer in self._rows(
            "customers", rows.where(condition).order_by(rank, Customer.id).limit(self.limit)
        ):
            yield Hit(
                kind="customer",
                id=customer.id,
                title=customer.name,
                detail=f"{phone.pretty(number, self.country)} {customer.region}".strip(),
                matched="number",
                rank=place,
            )

    def _engines(self, matched: str, condition: ColumnElement[bool], rank: ColumnElement[int]) -> Iterator[Hit]:
        rows = select(Engine, rank).where(condition).options(selectinload(Engine.customer))
        for engine, place in self._rows("engines", rows.order_by(rank, Engine.id).limit(self.limit)):
            owner = engine.customer.name if engine.customer else ""
            yield Hit(
                kind="engine",
                id=engine.id,
                title=f"{engine.model} {engine.serial}",
                detail=" · ".join(part for part in (engine.vehicle, owner) if part),
                matched=matched,
                rank=place,
            )

    def _tickets(self, matched: str, condition: ColumnElement[bool], rank: ColumnElement[int]) -> Iterator[Hit]:
        rows = select(Ticket, rank).where(condition, tickets.visible(self.user)).options(selectinload(Ticket.customer))
        for ticket, place in self._rows("tickets", rows.order_by(rank, Ticket.id.desc()).limit(self.limit)):
            yield Hit(
                kind="ticket",
                id=ticket.id,
                title=f"{ticket.number} {ticket.subject}",
                detail=ticket.customer.name if ticket.customer else "",
                matched=matched,
                rank=place,
            )


def _inside(
    column: InstrumentedAttribute[str] | ColumnElement[str], said: str, rank: int, *, kept_so: bool = False
) -> tuple[ColumnElement[bool], ColumnElement[int]]:
    """Whether it is inside, and its rank: the whole ``rank``, the beginning one more, anywhere three more.

    ``kept_so``: the column is kept in the letter case of ``said``; otherwise case does not count.
    """
    if kept_so or said.lower() == said.upper():
        inside, begins = column.contains(said, autoescape=True), column.startswith(said, autoescape=True)
    else:
        inside, begins = column.icontains(said, autoescape=True), column.istartswith(said, autoescape=True)
    return inside, case((column == said, rank), (begins, rank + 1), else_=rank + 3)
