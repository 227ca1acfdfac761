"""One row of a sheet of relations: who supplies, sells to, owns, drives for whom, and from when to when."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from ticketing import relations
from ticketing.import_rows import Run, meant, numbers, whole_day
from ticketing.kinds import MISSING, Fault
from ticketing.record_rows import Relation
from ticketing.relations import RelationKind
from ticketing.rows import Customer
from ticketing.text import line
from ticketing.unfit import RecordUnfit

WORDS = {
    "supplies": ("供货给", "供货", "配套", "supplies"),
    "sells": ("销售给", "销售", "经销", "sells to"),
    "serves": ("负责服务", "服务", "looks after"),
    "owns": ("是老板", "拥有", "老板", "所有人", "is the owner of"),
    "drives": ("为其开车", "驾驶", "司机", "drives for"),
    "works": ("是联系人", "任职", "联系人", "is the contact at"),
    "family": ("亲属", "家属", "家人", "is family of"),
}
"""The first of each is written when relations go out."""


def take_relation(run: Run, said: Mapping[str, str]) -> str:
    faults: dict[str, Fault] = {}
    from_on, until_on = (whole_day(said.get(name, ""), name, faults) for name in ("from_on", "until_on"))
    kind = _kind(said.get("kind", ""), faults)
    both = [_party(run, said, name, faults) for name in ("one", "other")]
    if faults:
        raise RecordUnfit(faults)
    one, other = both
    assert one is not None  # else there were faults
    assert other is not None
    note = line(said.get("note", ""))
    standing = _standing(run.db, one, other, kind, said, from_on)
    if standing is None:
        made = relations.add(
            run.db, one, other.id, kind, by=run.by, now=run.now, from_on=from_on, until_on=until_on, note=note
        )
        run.did("related", {"until_on": (None, until_on)}, customer_id=one.id, ref_id=made.id)
        return "created"
    if until_on is None or standing.until_on == until_on:
        return "same"
    before = standing.until_on
    relations.end(run.db, one, standing.id, until_on, by=run.by, now=run.now)
    run.did("relation", {"until_on": (before, until_on)}, customer_id=one.id, ref_id=standing.id)
    return "changed"


def _standing(
    db: Session, one: Customer, other: Customer, kind: str, said: Mapping[str, str], from_on: object
) -> Relation | None:
    """The one that is meant: of the same first day, or, where the sheet names none, the latest."""
    rows = select(Relation).where(Relation.one_id == one.id, Relation.other_id == other.id, Relation.kind == kind)
    if said.get("from_on"):
        rows = rows.where(Relation.from_on == from_on)
    return db.scalar(rows.order_by(Relation.id.desc()).limit(1))


def _kind(text: str, faults: dict[str, Fault]) -> str:
    spelt = line(text).lower()
    for kind in RelationKind:
        if spelt and (spelt == kind.value or spelt in WORDS[kind.value]):
            return kind.value
    known = "、".join(words[0] for words in WORDS.values())
    faults["kind"] = (
        Fault(f"没有“{text[:20]}”这种关系（{known}）", f"There is no relation “{text[:20]}”") if spelt else MISSING
    )
    return ""


def _party(run: Run, said: Mapping[str, str], name: str, faults: dict[str, Fault]) -> Customer | None:
    """Whom a side of the row names, if he is on file: who is not must come in as a customer first."""
    words, code, phone = (said.get(column, "") for column in (name, f"{name}_code", f"{name}_phone"))
    if not line(words) and not code:
        faults[name] = MISSING
        return None
    try:
        found = meant(run.db, code, words, numbers(run, phone) if phone else [], name)
    except RecordUnfit as unfit:
        faults[name] = next(iter(unfit.faults.values()))
        return None
    if found is None:
        title = line(words) or code
        faults[name] = Fault(
            f"没有客户“{title[:40]}”，请先导入客户", f"No customer “{title[:40]}” is on file: import customers first"
        )
    return found
