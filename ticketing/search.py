"""One box for everything: a number, a name, its pinyin or initials, part of a serial, a VIN, a ticket, words in notes.

What is meant exactly is looked up by the ordinary indexes; what is only part of something by ``findable``. Nothing is
looked for by reading a table from end to end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Executable, case, literal, select
from sqlalchemy.orm import Session, selectinload

from callcenter import phone
from config.people import User
from ticketing import catalogue, customers, engines, findable, tickets
from ticketing.rows import Customer, Engine, Phone, Ticket, TicketKind
from ticketing.text import line

LONGEST = 100


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One answer. ``rank`` 0 is what was meant exactly; the larger the less likely."""

    kind: Literal["customer", "engine", "ticket"]
    id: int
    title: str
    detail: str
    matched: str  # number, name, pinyin, initials, code, serial, vin, ticket, model, vehicle, subject, note
    rank: int


_NUMBER = re.compile(r"[\d+\-()./~\s*#]+")
_TICKET = re.compile(r"[A-Z]\d{1,6}(-\d{0,6})?|\d{6}-\d{1,6}")
_LATIN = re.compile(r"[a-z0-9]*[a-z][a-z0-9]*")


def find(db: Session, text: str, user: User, limit: int = 20, country: str = "CN", area_code: str = "") -> list[Hit]:
    """What this user may see of it, the likeliest first, each record once.

    A whole number of a phone, an engine or a ticket is looked up and answered at once; only what is none of these is
    looked for inside names and texts.
    """
    said = line(text[:LONGEST])
    if not said:
        return []
    box = _Box(db, said, user, limit, country, area_code)
    hits = list(box.exactly()) or [*box.beginning(), *box.customers(), *box.engines(), *box.tickets()]
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

    @property
    def joined(self) -> str:
        """As pinyin and initials are typed: small, without gaps."""
        return re.sub(r"[ '\-]", "", findable.plain(self.said))

    # --- by the ordinary indexes -----------------------------------------------------------------------------------

    def exactly(self) -> Iterator[Hit]:
        whole = phone.normalise(self.said, self.country, self.area_code)
        if _NUMBER.fullmatch(self.said) and phone.is_number(whole):
            yield from self._phones(Phone.number == whole)
        serial = engines.spell(self.said)
        if len(serial) >= engines.SERIAL_END:
            ends = (Engine.serial_end == serial[-engines.SERIAL_END :]) & Engine.serial.endswith(serial)
            yield from self._engines("serial", ends, case((Engine.serial == serial, 0), else_=1))
            if len(serial) >= 10:
                yield from self._engines("vin", Engine.vin == serial, literal(0))
        yield from self._tickets("ticket", Ticket.number == self.said.upper().replace(" ", ""), literal(0))
        if not _NUMBER.fullmatch(self.said) or len(self.said) >= 4:
            yield from self._customers("code", customers.of_code(self.said), literal(0))
            merged = select(Customer.id).where(customers.of_code(self.said), Customer.merged_into_id.is_not(None))
            ids = {customers.standing_id(self.db, one) for (one,) in self._rows("customers", merged.limit(self.limit))}
            if ids:
                yield from self._customers("code", Customer.id.in_(ids), literal(0))

    def beginning(self) -> Iterator[Hit]:
        """Names, how they sound, and ticket numbers that begin so."""
        if not _NUMBER.fullmatch(self.said):
            rank = case((Customer.name == self.said, 0), else_=1)
            yield from self._customers("name", customers.begins(Customer.name, self.said), rank)
        if _LATIN.fullmatch(self.joined) and len(self.joined) >= 2:
            rank = case((Customer.initials == self.joined, 2), else_=3)
            yield from self._customers("initials", customers.begins(Customer.initials, self.joined), rank)
            rank = case((Customer.sound == self.joined, 1), else_=2)
            yield from self._customers("pinyin", customers.begins(Customer.sound, self.joined), rank)
        typed = self.said.upper().replace(" ", "")
        if _TICKET.fullmatch(typed):
            letters = (
                [""] if typed[0].isalpha() else {form.letter for form in catalogue.current(self.db).forms.values()}
            )
            for number in (letter + typed for letter in letters):  # said without its letter it may be of each kind
                yield from self._tickets("ticket", customers.begins(Ticket.number, number), literal(1))

    # --- by the pieces of their words ------------------------------------------------------------------------------

    def customers(self) -> Iterator[Hit]:
        digits = re.sub(r"\D", "", self.said)
        number = digits if _NUMBER.fullmatch(self.said) else ""
        words = number or (self.joined if _LATIN.fullmatch(self.joined) else self.said)
        ids = self._having("customer", words) if self.user.may("customers") else []
        rows = select(Customer).where(Customer.id.in_(ids), Customer.merged_into_id.is_(None))
        for customer in self.db.scalars(rows.options(selectinload(Customer.phones))) if ids else ():
            way = self._way_to(customer, number)
            if way is not None:
                matched, rank, detail = way
                yield Hit(
                    kind="customer", id=customer.id, title=customer.name, detail=detail, matched=matched, rank=rank
                )

    def _way_to(self, customer: Customer, number: str) -> tuple[str, int, str] | None:
        """How he was found, how likely he is meant, what to show beside his name; None: his pieces fit by chance."""
        if number:
            for own in customer.phones:
                if number in own.number:
                    shown = f"{phone.pretty(own.number, self.country)} {customer.region}".strip()
                    return "number", 2 if own.number.endswith(number) else 4, shown
        said = findable.plain(self.said)
        if said in findable.plain(customer.name):
            return "name", 3, customer.region
        if self.joined and self.joined in customer.sound:
            return "pinyin", 4, customer.region
        if self.joined and self.joined in customer.initials:
            return "initials", 5, customer.region
        for matched, text in (("code", customer.code), ("note", customer.region), ("note", customer.address)):
            if said in findable.plain(text):
                return matched, 6, text
        if any(word not in findable.plain(customer.name + customer.region + customer.address) for word in said.split()):
            if said in findable.plain(customer.note):
                return "note", 7, _around(customer.note, said)
            if any(findable.signs(self.said)):
                return ("name", 8, customer.region) if self._once(customer, said) else None
            by_chance = number or _LATIN.fullmatch(self.joined)
            return None if by_chance else ("note", 8, customer.region)  # a dated one
        return "name", 4, customer.region  # every word of it, in another order: 郑州 诚信

    def _once(self, customer: Customer, said: str) -> bool:
        """Whether a record that was merged into his says so."""
        merged = select(Customer).where(
            Customer.id.in_(customers.ids_of(self.db, customer)), Customer.id != customer.id
        )
        return any(
            said in findable.plain(text)
            for one in self.db.scalars(merged)
            for text in (one.name, one.code, one.address)
        )

    def engines(self) -> Iterator[Hit]:
        if not self.user.may("engines"):
            return
        serial = engines.spell(self.said)
        ids = self._having("engine", self.said)
        rows = select(Engine).where(Engine.id.in_(ids)).options(selectinload(Engine.customer))
        for engine in self.db.scalars(rows) if ids else ():
            if serial and serial in engine.serial:
                matched, rank = "serial", 1 if engine.serial.endswith(serial) else 4
            elif serial and serial in engine.vin:
                matched, rank = "vin", 2 if engine.vin.startswith(serial) else 4
            elif serial and serial in engines.spell(engine.model):
                matched, rank = "model", 4
            elif all(word in findable.plain(engine.vehicle) for word in findable.plain(self.said).split()):
                matched, rank = "vehicle", 5
            elif any(findable.signs(self.said)) or _NUMBER.fullmatch(self.said):
                continue
            else:
                matched, rank = "note", 7
            yield self._engine_hit(engine, matched, rank)

    def tickets(self) -> Iterator[Hit]:
        if _NUMBER.fullmatch(self.said) and len(re.sub(r"\D", "", self.said)) < 4:
            return
        only = None if self.user.may("tickets.all") else TicketKind.FOLLOW_UP
        ids = self._having("ticket", self.said, only) if self.user.may("tickets") else []
        if ids:
            said = findable.plain(self.said)
            for hit in self._tickets("note", Ticket.id.in_(ids), literal(7)):
                inside = said in findable.plain(hit.title)
                yield Hit(**(vars(hit) | {"matched": "subject", "rank": 5})) if inside else hit

    def _having(self, kind: findable.Kind, words: str, only: TicketKind | None = None) -> list[int]:
        return findable.having(self.db, kind, words, self.limit * 2 + 20, only=only)

    # --- rows to hits ------------------------------------------------------------------------------------------

    def _rows(self, permission: str, rows: Executable) -> Iterable[Any]:
        return self.db.execute(rows) if self.user.may(permission) else ()

    def _phones(self, condition: ColumnElement[bool]) -> Iterator[Hit]:
        rows = select(Phone.number, Customer).join(Customer, Customer.id == Phone.customer_id)
        rows = rows.where(condition, Customer.merged_into_id.is_(None)).order_by(Customer.id).limit(self.limit)
        for number, customer in self._rows("customers", rows):
            detail = f"{phone.pretty(number, self.country)} {customer.region}".strip()
            yield Hit(kind="customer", id=customer.id, title=customer.name, detail=detail, matched="number", rank=0)

    def _customers(self, matched: str, condition: ColumnElement[bool], rank: ColumnElement[int]) -> Iterator[Hit]:
        rows = select(Customer, rank).where(condition, Customer.merged_into_id.is_(None)).limit(self.limit)
        for customer, place in self._rows("customers", rows):
            yield Hit(
                kind="customer",
                id=customer.id,
                title=customer.name,
                detail=customer.region,
                matched=matched,
                rank=place,
            )

    def _engines(self, matched: str, condition: ColumnElement[bool], rank: ColumnElement[int]) -> Iterator[Hit]:
        rows = select(Engine, rank).where(condition).options(selectinload(Engine.customer)).limit(self.limit)
        for engine, place in self._rows("engines", rows):
            yield self._engine_hit(engine, matched, place)

    def _engine_hit(self, engine: Engine, matched: str, rank: int) -> Hit:
        owner = engine.customer.name if engine.customer else ""
        return Hit(
            kind="engine",
            id=engine.id,
            title=f"{engine.model} {engine.serial}",
            detail=" · ".join(part for part in (engine.vehicle, owner) if part),
            matched=matched,
            rank=rank,
        )

    def _tickets(self, matched: str, condition: ColumnElement[bool], rank: ColumnElement[int]) -> Iterator[Hit]:
        rows = select(Ticket, rank).where(condition, tickets.visible(self.user)).options(selectinload(Ticket.customer))
        for ticket, place in self._rows("tickets", rows.limit(self.limit)):
            yield Hit(
                kind="ticket",
                id=ticket.id,
                title=f"{ticket.number} {ticket.subject}",
                detail=ticket.customer.name if ticket.customer else "",
                matched=matched,
                rank=place,
            )


def _around(text: str, said: str, width: int = 40) -> str:
    """The words around what was found."""
    at = max(findable.plain(text).find(said), 0)
    return line(text[max(at - width // 2, 0) : at + width])
