"""How customers stand to one another, dated: maker – dealer – fleet – owner – driver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from callcenter.errors import NotFound
from ticketing import customers, entries
from ticketing.kinds import Fault, too_long
from ticketing.record_rows import Relation
from ticketing.rows import IDS, Customer
from ticketing.text import line
from ticketing.unfit import RecordUnfit


class RelationKind(StrEnum):
    """Read from the one to the other."""

    SUPPLIES = "supplies"  # the maker of machines, his dealer
    SELLS = "sells"  # a dealer, his customer
    SERVES = "serves"  # a station, whom it looks after
    OWNS = "owns"  # a person, his fleet or company
    DRIVES = "drives"  # a driver, for whom
    WORKS = "works"  # a contact, for whom
    FAMILY = "family"


@dataclass(frozen=True)
class Side:
    """A relation as one of the two sees it."""

    relation: Relation
    customer: Customer  # the other one
    forward: bool  # the one who looks supplies, sells, drives …

    def holds(self, today: date) -> bool:
        first, last = self.relation.from_on, self.relation.until_on
        return (first is None or first <= today) and (last is None or today <= last)


def of(db: Session, customer_id: int, limit: int = 200) -> list[Side]:
    """All of a customer's, those that stand first, then by their first day, the latest first.

    Not those to a record that was merged: it is himself, or says what another of his relations says.
    """
    one, other = aliased(Customer), aliased(Customer)
    rows = (
        select(Relation)
        .join(one, one.id == Relation.one_id)
        .join(other, other.id == Relation.other_id)
        .where(or_(Relation.one_id == customer_id, Relation.other_id == customer_id))
        .where(or_(Relation.one_id == customer_id, one.merged_into_id.is_(None)))
        .where(or_(Relation.other_id == customer_id, other.merged_into_id.is_(None)))
        .options(joinedload(Relation.one), joinedload(Relation.other))
        .order_by(Relation.until_on.is_not(None), Relation.from_on.desc(), Relation.id.desc())
        .limit(limit)
    )
    return [
        Side(row, row.other if row.one_id == customer_id else row.one, row.one_id == customer_id)
        for row in db.scalars(rows)
    ]


def add(
    db: Session,
    one: Customer,
    other_id: int,
    kind: str,
    *,
    by: str,
    now: datetime,
    from_on: date | None = None,
    until_on: date | None = None,
    note: str = "",
) -> Relation:
    """``one`` supplies, sells to, drives for … the other."""
    customers.refuse_merged(db, one)
    other = customers.standing(db, other_id)
    faults: dict[str, Fault] = {}
    if other is None:
        faults["other"] = Fault("没有这个客户", "There is no such customer")
    elif other.id == one.id:
        faults["other"] = Fault("不能与自己建立关系", "Nobody stands so to himself")
    if kind not in set(RelationKind):
        faults["kind"] = Fault("请选择关系", "Choose how they stand")
    if from_on is not None and until_on is not None and until_on < from_on:
        faults["until_on"] = Fault("早于开始日期", "Before its first day")
    note = line(note)
    if len(note) > 200:
        faults["note"] = too_long(200)
    if other is not None and not faults and _overlaps(db, one.id, other.id, kind, from_on, until_on):
        faults["other"] = Fault("这段时间已有同样的关系", "They stand so already at that time")
    if faults or other is None:
        raise RecordUnfit(faults)
    relation = Relation(kind=kind, one_id=one.id, other_id=other.id, from_on=from_on, until_on=until_on, note=note)
    db.add(relation)
    db.flush()
    _tell(db, "related", relation, one, other, by, now)
    return relation


def end(db: Session, customer: Customer, relation_id: int, until_on: date, *, by: str, now: datetime) -> Relation:
    """The last day of one of his; it stays on both sides as what was."""
    relation = db.get(Relation, relation_id) if relation_id in IDS else None
    if relation is None or customer.id not in (relation.one_id, relation.other_id):
        raise NotFound("relation %(relation_id)s", relation_id=relation_id)
    if relation.from_on is not None and until_on < relation.from_on:
        raise RecordUnfit({"until_on": Fault("早于开始日期", "Before its first day")})
    relation.until_on = until_on
    db.flush()
    _tell(db, "relation_ended", relation, relation.one, relation.other, by, now)
    return relation


def take_back(db: Session, relation: Relation, *, by: str, now: datetime) -> None:
    """One that should never have been written; that it was stays told on both sides."""
    one, other = relation.one, relation.other
    db.delete(relation)
    db.flush()
    _tell(db, "unrelated", relation, one, other, by, now)


def _overlaps(db: Session, one_id: int, other_id: int, kind: str, first: date | None, last: date | None) -> bool:
    rows = select(Relation).where(Relation.one_id == one_id, Relation.other_id == other_id, Relation.kind == kind)
    return any(
        (last is None or row.from_on is None or row.from_on <= last)
        and (first is None or row.until_on is None or row.until_on >= first)
        for row in db.scalars(rows)
    )


def _tell(db: Session, what: str, relation: Relation, one: Customer, other: Customer, by: str, now: datetime) -> None:
    for customer, name, seen in ((one, other.name, "relation"), (other, one.name, "relation_back")):
        told = {
            seen: (None, relation.kind),
            "customer": (None, name),
            "from_on": (None, relation.from_on),
            "until_on": (None, relation.until_on),
        }
        entries.tell(db, what, by=by, at=now, customer_id=customer.id, text=relation.note, changes=told)
