"""Which records may be of one customer, and why. Suggested, never acted upon; what is "not the same" is remembered.

Looked for when a record is saved, by the indexes of numbers, names and words, so that it costs no more with a million
customers than with a thousand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, delete, literal_column, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from callcenter import jobs
from callcenter.errors import BadInput
from callcenter.events import Event
from callcenter.worker import Work
from ticketing import findable
from ticketing.merge_rows import Likeness
from ticketing.record_rows import Relation
from ticketing.rows import IDS, Customer, CustomerKind, Phone

SHARED = 4
"""A number that more have is a company's line: no reason by itself."""
_LOOKED_AT = 60  # records of one name; the commonest names are many
_WEIGHTS = {"code": 5, "number": 3, "name": 3, "sound": 2, "core": 2, "town": 1, "company": 1}
_LEGAL = re.compile(r"股份|有限责任|有限|责任|公司|集团|（.*?）|\(.*?\)|\s")
"""What is left out when names of companies are compared: 有限公司 and what stands in brackets."""


@dataclass
class _Like:
    reasons: set[str] = field(default_factory=set)

    @property
    def kinds(self) -> set[str]:
        return {reason.partition(":")[0] for reason in self.reasons}

    @property
    def weight(self) -> int:
        return sum(_WEIGHTS[kind] for kind in self.kinds)

    def suffices(self, named_alone: bool) -> bool:
        """One number; one code; or names alike in one town or company. A company's full name is reason enough."""
        named = self.kinds & {"name", "sound", "core"}
        return bool(self.kinds & {"code", "number"} or (named and (named_alone or self.kinds & {"town", "company"})))


# --- looking -----------------------------------------------------------------------------------------------------


def refresh(db: Session, customer: Customer, now: datetime) -> None:
    """To be called after each change of what he can be taken for another by."""
    held = {}
    for row in db.scalars(select(Likeness).where(_of(customer.id))):
        held[row.one_id if row.other_id == customer.id else row.other_id] = row
    found = _looked_for(db, customer) if customer.merged_into_id is None else {}
    for other_id, row in held.items():
        if other_id not in found and not row.answer:
            db.delete(row)
    for other_id, like in found.items():
        known = held.get(other_id)
        if known is None:
            one_id, far_id = sorted((customer.id, other_id))
            known = Likeness(one_id=one_id, other_id=far_id, found_at=now)
            db.add(known)
        known.reasons, known.weight = sorted(like.reasons), like.weight
    db.flush()


def _looked_for(db: Session, customer: Customer) -> dict[int, _Like]:
    likes: dict[int, _Like] = {}

    def like(other_id: int) -> _Like:
        return likes.setdefault(other_id, _Like())

    numbers = select(Phone.number).where(Phone.customer_id == customer.id)
    for number in db.scalars(numbers.limit(20)).all():
        rows = select(Phone.customer_id).join(Customer, Customer.id == Phone.customer_id)
        rows = rows.where(Phone.number == number, Phone.customer_id != customer.id, Customer.merged_into_id.is_(None))
        with_it = db.scalars(rows.limit(SHARED)).all()
        if len(with_it) < SHARED:
            for other_id in with_it:
                like(other_id).reasons.add(f"number:{number}")
    own_core = core(customer.name)
    for other in _named(db, customer, own_core):
        if other.name == customer.name:
            like(other.id).reasons.add("name")
        elif own_core and core(other.name) == own_core:
            like(other.id).reasons.add("core")
        elif other.sound and other.sound == customer.sound:
            like(other.id).reasons.add("sound")
    if customer.code:
        rows = select(Customer.id).where(Customer.code == customer.code, Customer.code != literal_column("''"))
        rows = rows.where(Customer.id != customer.id)
        for other_id in db.scalars(rows.where(Customer.merged_into_id.is_(None)).limit(SHARED)):
            like(other_id).reasons.add("code")
    if not likes:
        return {}
    tied, company = _tied(db, customer.id, likes)
    for other in db.scalars(select(Customer).where(Customer.id.in_(likes))):
        if town(other.region) and town(other.region) == town(customer.region):
            like(other.id).reasons.add("town")
        if other.id in company:
            like(other.id).reasons.add("company")
    alone = len(own_core) >= 4 and customer.kind not in (CustomerKind.END_USER, CustomerKind.PERSON)
    return {one: found for one, found in likes.items() if one not in tied and found.suffices(alone)}


def _named(db: Session, customer: Customer, own_core: str) -> Iterator[Customer]:
    """Records whose names may be his: by the index of names and of how they sound, and by name and town together."""
    standing = select(Customer).where(Customer.id != customer.id, Customer.merged_into_id.is_(None))
    ways = [standing.where(Customer.name == customer.name)]
    if customer.sound:
        ways.append(standing.where(Customer.sound == customer.sound))
    if len(own_core) >= 4:
        ways.append(standing.where(Customer.name >= own_core, Customer.name < own_core + "\U0010ffff"))
    seen: set[int] = set()
    for way in ways:
        found = db.scalars(way.limit(_LOOKED_AT)).all()
        if len(found) == _LOOKED_AT and town(customer.region):  # a common name: those of his town
            ids = findable.having(db, "customer", f"{customer.name} {town(customer.region)}", _LOOKED_AT)
            found = [*found, *db.scalars(standing.where(Customer.id.in_(ids)))]
        yield from (one for one in found if one.id not in seen)
        seen |= {one.id for one in found}


def core(name: str) -> str:
    """A company's name without what companies are called by law; "" for a name that has nothing of it."""
    bare = _LEGAL.sub("", name)
    return bare if bare != name and len(bare) >= 4 else (name if len(name) >= 6 else "")


def town(region: str) -> str:
    """The narrowest part of a region: 河南 郑州 is 郑州."""
    return region.split()[-1] if region.split() else ""


def _tied(db: Session, customer_id: int, others: dict[int, _Like]) -> tuple[set[int], set[int]]:
    """Who is known to stand to him in some way, and so is another; and who belongs where he belongs."""
    rows = select(Relation.one_id, Relation.other_id).where(
        or_(Relation.one_id.in_([customer_id, *others]), Relation.other_id.in_([customer_id, *others]))
    )
    near: dict[int, set[int]] = {}
    for one_id, other_id in db.execute(rows.limit(500)):
        near.setdefault(one_id, set()).add(other_id)
        near.setdefault(other_id, set()).add(one_id)
    own = near.get(customer_id, set())
    return own & set(others), {one for one in others if near.get(one, set()) & own}


# --- asking and answering ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suggestion:
    """Somebody a customer may be."""

    likeness: Likeness
    other: Customer


def of(db: Session, customer: Customer, ids: Sequence[int], limit: int = 8) -> list[Suggestion]:
    """Whom he may be, the likeliest first. ``ids``: his own and those merged into his, of which somebody may have said
    that they are not the same as one of these.
    """
    refused = select(Likeness.one_id, Likeness.other_id).where(
        Likeness.answer == "not_same", or_(Likeness.one_id.in_(ids), Likeness.other_id.in_(ids))
    )
    apart = {one for pair in db.execute(refused) for one in pair} - set(ids)
    found = []
    for row in _open(db, _of(customer.id), limit * 2):
        other = row.other if row.one_id == customer.id else row.one
        if other.id not in apart:
            found.append(Suggestion(row, other))
    return found[:limit]


def listed(db: Session, limit: int = 100) -> Sequence[Likeness]:
    """All pairs nobody has said anything to, the likeliest first."""
    return _open(db, Likeness.id > 0, limit)


def _open(db: Session, which: ColumnElement[bool], limit: int) -> Sequence[Likeness]:
    one, other = aliased(Customer), aliased(Customer)
    rows = (
        select(Likeness)
        .join(one, one.id == Likeness.one_id)
        .join(other, other.id == Likeness.other_id)
        .where(which, Likeness.answer == "", one.merged_into_id.is_(None), other.merged_into_id.is_(None))
        .options(joinedload(Likeness.one), joinedload(Likeness.other))
        .order_by(Likeness.weight.desc(), Likeness.id.desc())
        .limit(limit)
    )
    return db.scalars(rows).all()


def not_same(db: Session, one_id: int, other_id: int, *, by: str, now: datetime) -> Likeness:
    """Said by a person, and remembered."""
    first, second = sorted((one_id, other_id))
    row = db.scalar(select(Likeness).where(Likeness.one_id == first, Likeness.other_id == second))
    if row is None:
        if first == second or any(one not in IDS or db.get(Customer, one) is None for one in (first, second)):
            raise BadInput("there are not two such customers")
        row = Likeness(one_id=first, other_id=second, weight=0, found_at=now, reasons=[])
        db.add(row)
    row.answer, row.answered_at, row.answered_by = "not_same", now, by
    db.flush()
    return row


def forget(db: Session, customer_id: int) -> None:
    """Of a record that goes for good."""
    db.execute(delete(Likeness).where(_of(customer_id)))


def _of(customer_id: int) -> ColumnElement[bool]:
    return or_(Likeness.one_id == customer_id, Likeness.other_id == customer_id)


# --- what was on file before there were suggestions --------------------------------------------------------------


def doubtful(db: Session, after: int, batch: int) -> tuple[list[int], int | None]:
    """Of the next records by id, whose number, code or name and region another has; None: no more."""
    ids = list(db.scalars(select(Customer.id).where(Customer.id > after).order_by(Customer.id).limit(batch)))
    if not ids:
        return [], None
    within = (Customer.id > after) & (Customer.id <= ids[-1]) & Customer.merged_into_id.is_(None)
    phone, far = aliased(Phone), aliased(Customer)
    found: Counter[int] = Counter()
    found.update(
        db.scalars(
            select(Phone.customer_id)
            .join(phone, (phone.number == Phone.number) & (phone.customer_id != Phone.customer_id))
            .where(Phone.customer_id > after, Phone.customer_id <= ids[-1])
            .distinct()
        )
    )
    named = (far.sound == Customer.sound) & (far.region == Customer.region) & (Customer.sound != "")
    for same in (named, (far.code == Customer.code) & (far.code != literal_column("''"))):
        alike = select(far.id).where(same, far.id != Customer.id).exists()
        found.update(db.scalars(select(Customer.id).where(within, alike)))
    return sorted(found), ids[-1]


JOB = "duplicates"
_AT_ONCE = 200  # records in one transaction: nobody waits for the writer for long


def plan(db: Session, now: datetime, after: int = 0) -> None:
    """Once, for what was on file before: the next records by id; the last look plans no other."""
    jobs.plan(db, JOB, f"{JOB}:{after}", {"after": after}, now)


def work() -> Work:
    """The worker's part."""

    def do(db: Session, job: jobs.Job, now: datetime) -> list[Event]:
        ids, last = doubtful(db, int(job.payload["after"]), _AT_ONCE)
        for customer in db.scalars(select(Customer).where(Customer.id.in_(ids))):
            refresh(db, customer, now)
        if last is not None:
            plan(db, now, last)
        return []

    return do
