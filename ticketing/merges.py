"""Two records of one customer brought together, and parted again just as they were.

What points to the one record is made to point to the other, row by row, and which rows those were is kept. Parting
sends back those that still stand where the merge put them: what was added or changed since stays with the one kept.
What is never rewritten – calls, and what was done to a record – stays and is read with ``customers.ids_of``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TableClause, and_, column, exists, func, select, table, update
from sqlalchemy.orm import Session, aliased, joinedload

from callcenter.errors import BadInput, CallCenterError, NotFound
from ticketing import customers, duplicates, entries, findable, pointing
from ticketing.kinds import too_long
from ticketing.merge_rows import Merge
from ticketing.record_rows import Relation
from ticketing.rows import IDS, Customer, Phone, Station
from ticketing.text import line
from ticketing.unfit import RecordUnfit

FIELDS = ("kind", "code", "name", "region", "address", "language", "note")
"""Of which one is chosen; the other is kept with the merged record."""
_OWN_WAYS = frozenset({"customers", "merges", "likenesses", "record_entries", "phones", "relations"})
"""Tables whose rows stay, or are moved with care; all others that point to customers simply follow."""
_SOME = 500  # ids in one statement


class MergedWithItself(BadInput):
    """A customer cannot be merged with himself; nothing was changed."""


class MergedMeanwhile(CallCenterError):
    """One of the two was merged already, perhaps by a colleague a moment ago; nothing was changed."""

    status = 409


class MergedInCircle(CallCenterError):
    """The one to keep was himself merged into this one: undo that first. Nothing was changed."""

    status = 409


class TwoStationFiles(CallCenterError):
    """Both are service stations with a file of their own, so they stay two; nothing was changed."""

    status = 409


class PartedAlready(CallCenterError):
    """This merge was undone already; nothing was changed."""

    status = 409


class MergedOn(CallCenterError):
    """The one kept was merged on since: undo that merge first. Nothing was changed."""

    status = 409


# --- looking -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """What a merge would do."""

    differing: dict[str, tuple[Any, Any]]  # fields: of the merged, of the kept
    moves: dict[str, int]  # rows by "table.column"
    numbers_both: Sequence[str]
    calls: int = 0


def look(db: Session, merged: Customer, into: Customer) -> Look:
    """Without changing anything; the same refusals as ``merge``."""
    _allowed(db, merged, into)
    moves = {}
    for rows, name in _pointing(db):
        count = db.scalar(select(func.count()).select_from(rows).where(rows.c[name] == merged.id))
        if count:
            moves[f"{rows.name}.{name}"] = count
    own, theirs = {one.number for one in merged.phones}, {one.number for one in into.phones}
    moves |= {"phones.customer_id": len(own - theirs)} if own - theirs else {}
    related = len(_relations(db, "one_id", merged.id, into.id)) + len(_relations(db, "other_id", merged.id, into.id))
    moves |= {"relations.one_id": related} if related else {}
    differing = {
        name: (getattr(merged, name), getattr(into, name))
        for name in FIELDS
        if getattr(merged, name) != getattr(into, name)
    }
    return Look(differing, moves, sorted(own & theirs))


def of(db: Session, customer: Customer) -> list[Merge]:
    """What was merged into him and stands, the latest first."""
    rows = select(Merge).where(Merge.into_id == customer.id, Merge.undone_at.is_(None))
    return list(db.scalars(rows.options(joinedload(Merge.merged)).order_by(Merge.id.desc())))


def load(db: Session, merge_id: int) -> Merge:
    row = db.get(Merge, merge_id) if merge_id in IDS else None
    if row is None:
        raise NotFound("merge %(merge_id)s", merge_id=merge_id)
    return row


# --- bringing together -------------------------------------------------------------------------------------------


def merge(
    db: Session, merged_id: int, into_id: int, *, by: str, now: datetime, take: Collection[str] = (), note: str = ""
) -> Merge:
    """``merged_id`` goes into ``into_id``; of the fields in ``take`` the merged one's words are kept."""
    unknown = set(take) - set(FIELDS)
    if unknown:
        raise BadInput("a customer has no %(unknown)s", unknown=", ".join(sorted(unknown)))
    note = line(note)
    if len(note) > 200:
        raise RecordUnfit({"note": too_long(200)})
    merged, into = _locked(db, merged_id, into_id)
    _allowed(db, merged, into)
    changes = {
        name: [getattr(into, name), getattr(merged, name)]
        for name in FIELDS
        if name in take and getattr(into, name) != getattr(merged, name)
    }
    row = Merge(merged_id=merged.id, into_id=into.id, at=now, by=by, note=note, changes=changes, moved={}, raised=[])
    db.add(row)
    merged.merged_into_id = into.id
    merged.changed_at = now
    db.flush()
    _move(db, row)
    customers.change(db, into, now, by=by, **{name: after for name, (_before, after) in changes.items()})
    entries.tell(
        db, "merged", by=by, at=now, customer_id=into.id, text=note, changes={"customer": (None, _title(merged))}
    )
    _keep(db, row, merged, into)
    return row


def part(db: Session, merge_id: int, *, by: str, now: datetime) -> Merge:
    """Undo a merge: the record stands again as it was. What was added since stays with the one he was merged into.

    Merges into the same customer that came later are taken back first and made again after, so that it does not
    matter in which order merges are undone.
    """
    row = load(db, merge_id)
    merged, into = _locked(db, row.merged_id, row.into_id)
    db.refresh(row)
    if row.undone_at is not None:
        raise PartedAlready
    if into.merged_into_id is not None:
        raise MergedOn
    rows = select(Merge).where(Merge.into_id == into.id, Merge.undone_at.is_(None), Merge.id > row.id)
    later = list(db.scalars(rows.order_by(Merge.id)))
    held = {name: getattr(into, name) for name in FIELDS}
    values = dict(held)
    again = {other.id: _unmove(db, other, values) for other in reversed(later)}
    _unmove(db, row, values)
    for other in later:
        _move(db, other)
        other.changes = other.changes | {name: [values[name], other.changes[name][1]] for name in again[other.id]}
        values |= {name: other.changes[name][1] for name in again[other.id]}
    merged.merged_into_id = None
    merged.changed_at = now
    row.undone_at, row.undone_by = now, by
    db.flush()
    back = {name: value for name, value in values.items() if value != held[name]}
    duplicates.not_same(db, merged.id, into.id, by=by, now=now)
    customers.change(db, into, now, by=by, **back)
    for one, far in ((merged, into), (into, merged)):
        told = {"customer": (_title(far), None)}
        entries.tell(db, "unmerged", by=by, at=now, customer_id=one.id, text=row.note, changes=told)
    _keep(db, row, merged, into)
    return row


def _locked(db: Session, *ids: int) -> tuple[Customer, Customer]:
    """Both records as they are now, held until we have done; NotFound where there is none."""
    db.flush()
    if any(one not in IDS for one in ids):
        raise NotFound("customer %(customer_id)s", customer_id=next(one for one in ids if one not in IDS))
    held = select(Customer).where(Customer.id.in_(ids)).order_by(Customer.id).with_for_update()
    found = {one.id: one for one in db.scalars(held.execution_options(populate_existing=True))}
    for one in ids:
        if one not in found:
            raise NotFound("customer %(customer_id)s", customer_id=one)
    return found[ids[0]], found[ids[1]]


def _allowed(db: Session, merged: Customer, into: Customer) -> None:
    if merged.id == into.id:
        raise MergedWithItself
    if into.merged_into_id is not None:
        stands = customers.standing(db, into.id)
        raise MergedInCircle if stands is not None and stands.id == merged.id else MergedMeanwhile(into.name)
    if merged.merged_into_id is not None:
        raise MergedMeanwhile(merged.name)
    files = db.scalar(select(func.count()).where(Station.customer_id.in_((merged.id, into.id))))
    if files == 2:
        raise TwoStationFiles


def _title(customer: Customer) -> str:
    return " · ".join(part for part in (customer.name, customer.region) if part)


def _keep(db: Session, row: Merge, *both: Customer) -> None:
    """What was moved past the session is read again, and found by its words."""
    db.flush()
    db.expire_all()
    db.refresh(row)
    for one in both:
        findable.keep_customer(db, one)


# --- rows there and back -----------------------------------------------------------------------------------------


def _pointing(db: Session) -> Iterator[tuple[TableClause, str]]:
    """The tables and columns that follow their customer."""
    for other, name in sorted(pointing.to(db, "customers")):
        if other not in _OWN_WAYS:
            yield table(other, column("id"), column(name)), name


def _move(db: Session, row: Merge) -> None:
    moved: dict[str, list[int]] = {}
    for rows, name in _pointing(db):
        moved[f"{rows.name}.{name}"] = list(db.scalars(select(rows.c.id).where(rows.c[name] == row.merged_id)))
    for name in ("one_id", "other_id"):
        moved[f"relations.{name}"] = _relations(db, name, row.merged_id, row.into_id)
    moved["phones.customer_id"], row.raised = _numbers(db, row)
    row.moved = {place: sorted(ids) for place, ids in moved.items() if ids}
    for place, ids in row.moved.items():
        _point(db, place, ids, row.merged_id, row.into_id)


def _unmove(db: Session, row: Merge, values: dict[str, Any]) -> set[str]:
    """Back what still stands as this merge left it; which of the fields those were, ``values`` being what they hold."""
    for cell in row.raised:
        for name in cell.keys() - {"id"}:
            before, after = cell[name]
            phones = update(Phone).where(Phone.id == cell["id"], getattr(Phone, name) == after)
            db.execute(phones.values({name: before}).execution_options(synchronize_session=False))
    for place, ids in row.moved.items():
        _point(db, place, ids, row.into_id, row.merged_id)
    back = {name for name, (_before, after) in row.changes.items() if values[name] == after}
    values |= {name: row.changes[name][0] for name in back}
    return back


def _point(db: Session, place: str, ids: Sequence[int], here: int, there: int) -> None:
    other, _, name = place.partition(".")
    rows = table(other, column("id"), column(name))
    for at in range(0, len(ids), _SOME):
        some = update(rows).where(rows.c.id.in_(ids[at : at + _SOME]), rows.c[name] == here)
        db.execute(some.values({name: there}))


def _numbers(db: Session, row: Merge) -> tuple[list[int], list[dict[str, Any]]]:
    """The numbers to move; and of those both have, what the one kept learns from the other."""
    own = {one.number: one for one in db.scalars(_phones(row.into_id))}
    moved: list[int] = []
    raised: list[dict[str, Any]] = []
    for one in db.scalars(_phones(row.merged_id)):
        same = own.get(one.number)
        if same is None:
            moved.append(one.id)
            continue
        learnt: dict[str, Any] = {}
        if one.level == "known" != same.level:
            learnt["level"] = [same.level, "known"]
        if one.label and not same.label:
            learnt["label"] = ["", one.label]
        if learnt:
            values = {name: after for name, (_before, after) in learnt.items()}
            phones = update(Phone).where(Phone.id == same.id).values(values)
            db.execute(phones.execution_options(synchronize_session=False))
            raised.append({"id": same.id} | learnt)
    return moved, raised


def _phones(customer_id: int) -> Any:
    rows = select(Phone).where(Phone.customer_id == customer_id).order_by(Phone.id)
    return rows.execution_options(populate_existing=True)


def _relations(db: Session, name: str, merged_id: int, into_id: int) -> list[int]:
    """Those to follow: not how the two stand to each other, and not what the one kept says already, word for word."""
    far = {"one_id": "other_id", "other_id": "one_id"}[name]
    same, own = aliased(Relation), (Relation.kind, Relation.from_on, Relation.until_on, Relation.note)
    said = exists().where(
        getattr(same, name) == into_id,
        getattr(same, far) == getattr(Relation, far),
        and_(*(getattr(same, one.key).is_not_distinct_from(one) for one in own)),
    )
    rows = select(Relation.id).where(getattr(Relation, name) == merged_id, getattr(Relation, far) != into_id, ~said)
    return list(db.scalars(rows))
