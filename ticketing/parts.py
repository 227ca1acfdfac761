"""The parts catalogue: found by number, name, pinyin and model; what took the place of what; parts named in tickets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session, selectinload

from callcenter.database import changed
from callcenter.errors import CallCenterError, NotFound
from ticketing import findable
from ticketing.kinds import MISSING, Fault
from ticketing.part_rows import Part, PartFit
from ticketing.rows import IDS
from ticketing.text import line
from ticketing.unfit import RecordUnfit, overlong

FIELDS = ("zh", "en", "superseded_by", "superseded_on", "from_on", "until_on", "note")
_LENGTHS = {"number": 40, "zh": 120, "en": 120, "superseded_by": 40, "note": 200}
_CHAIN = 50  # parts that took each other's place
_USED = re.compile(r"(?P<number>.+?)(?:\s*[x×*＊]\s*(?P<count>\d{1,4}))?")
"""One line of parts used: 1000-3812A ×2."""


class PartTaken(RecordUnfit):
    """A part of this number is in the catalogue already."""

    def __init__(self, number: str) -> None:
        super().__init__({"number": Fault(f"目录中已有 {number}", f"{number} is in the catalogue already")})


class StalePart(CallCenterError):
    """A colleague changed this part while you had it open; yours was not saved over it."""

    status = 409


def spell(number: str) -> str:
    """A part number as it is compared: capitals, letters and digits only."""
    return re.sub(r"[^0-9A-Z]", "", number.upper())


def families(text: str) -> list[str]:
    """6D107、4D, 6D as models and families, each once."""
    found = (part.strip().upper() for part in re.split(r"[\s,，、;；/|]+", text))
    return list(dict.fromkeys(part for part in found if part))


# --- keeping -----------------------------------------------------------------------------------------------------


def create(db: Session, number: str, *, by: str, now: datetime, fits: Sequence[str] = (), **values: Any) -> Part:
    """A new part; RecordUnfit names every field at fault."""
    spelt = spell(number)
    if spelt and db.scalar(select(Part.id).where(Part.spelt == spelt)) is not None:
        raise PartTaken(line(number)[:40])
    part = Part(number=line(number), spelt=spelt, zh="", changed_at=now, changed_by=by)
    kept = _fit(db, part, values | {"zh": values.get("zh", "")}, fits)
    for name, value in kept.items():
        setattr(part, name, value)
    part.fits = [PartFit(family=family) for family in fits]
    db.add(part)
    db.flush()
    findable.keep_part(db, part)
    return part


def change(
    db: Session,
    part: Part,
    *,
    by: str,
    now: datetime,
    version: int | None = None,
    fits: Sequence[str] | None = None,
    **values: Any,
) -> dict[str, tuple[Any, Any]]:
    """Set names, days, what takes its place, which models it fits; what differed, before and after."""
    kept = _fit(db, part, values, fits or ())
    differing = {name: (getattr(part, name), value) for name, value in kept.items() if getattr(part, name) != value}
    if fits is not None and sorted(fits) != part.families:
        differing["fits"] = (" ".join(part.families), " ".join(sorted(fits)))
    if not differing:
        return {}
    own = update(Part).where(Part.id == part.id, Part.version == (part.version if version is None else version))
    values = kept | {"changed_at": now, "changed_by": by}
    if changed(db, own.values(version=Part.version + 1, **values)) != 1:
        raise StalePart(part.number)
    db.refresh(part)
    if fits is not None:
        held = {fit.family: fit for fit in part.fits}
        part.fits = [held.get(family) or PartFit(family=family) for family in sorted(fits)]
        db.flush()
    findable.keep_part(db, part)
    return differing


def _fit(db: Session, part: Part, given: Mapping[str, Any], fits: Sequence[str]) -> dict[str, Any]:
    kept = {name: line(value) if isinstance(value, str) else value for name, value in given.items()}
    if "superseded_by" in kept:
        kept["superseded_by"] = spell(kept["superseded_by"])
    faults = overlong(kept | {"number": part.number}, _LENGTHS)
    if len(part.spelt) < 3:
        faults["number"] = Fault("图号至少 3 个字母或数字", "Three letters or digits at least")
    if kept.get("zh") == "":
        faults["zh"] = MISSING
    if any(len(family) > 20 for family in fits) or len(fits) > 60:
        faults["fits"] = Fault("机型最多 20 字，60 个以内", "Models of 20 characters at most, no more than 60")
    first, last = (kept.get(name, getattr(part, name)) for name in ("from_on", "until_on"))
    if first is not None and last is not None and last < first:
        faults["until_on"] = Fault("早于开始日期", "Before its first day")
    if kept.get("superseded_by") and _leads_back(db, part.spelt, kept["superseded_by"]):
        faults["superseded_by"] = Fault("替代关系绕回自身", "That would lead back to itself")
    if faults:
        raise RecordUnfit(faults)
    return kept


def _leads_back(db: Session, spelt: str, follows: str) -> bool:
    for _ in range(_CHAIN):
        if not follows or follows == spelt:
            return follows == spelt
        follows = db.scalar(select(Part.superseded_by).where(Part.spelt == follows)) or ""
    return True


# --- finding -----------------------------------------------------------------------------------------------------


def load(db: Session, part_id: int) -> Part:
    part = db.get(Part, part_id, options=[selectinload(Part.fits)]) if part_id in IDS else None
    if part is None:
        raise NotFound("part %(part_id)s", part_id=part_id)
    return part


def by_number(db: Session, number: str) -> Part | None:
    spelt = spell(number)
    return db.scalar(select(Part).where(Part.spelt == spelt)) if spelt else None


def newest(db: Session, part: Part) -> Part:
    """What took its place in the end; itself, where nothing did, or what did is not on file."""
    for _ in range(_CHAIN):
        following = db.scalar(select(Part).where(Part.spelt == part.superseded_by)) if part.superseded_by else None
        if following is None:
            return part
        part = following
    return part


def before(db: Session, part: Part) -> Sequence[Part]:
    """Whose place it takes."""
    return db.scalars(select(Part).where(Part.superseded_by == part.spelt).order_by(Part.spelt).limit(_CHAIN)).all()


def find(db: Session, said: str = "", model: str = "", *, below_id: int | None = None, limit: int = 50) -> list[Part]:
    """By number or its beginning, name, pinyin or initials; those that fit a model; the newest, if nothing is said."""
    rows = select(Part).options(selectinload(Part.fits))
    if model:
        spelt = line(model).upper()
        names = [spelt[:length] for length in range(1, len(spelt) + 1)][:40]
        rows = rows.where(Part.id.in_(select(PartFit.part_id).where(PartFit.family.in_(names))))
    said = line(said[:80])
    if not said:
        if below_id is not None:
            rows = rows.where(Part.id < below_id)
        return list(db.scalars(rows.order_by(Part.id.desc()).limit(limit)))
    found: dict[int, Part] = {}
    spelt = spell(said)
    ways: list[ColumnElement[bool]] = []
    if len(spelt) >= 2:
        ways.append(or_(Part.spelt == spelt, (Part.spelt >= spelt) & (Part.spelt < spelt + "\U0010ffff")))
    ids = findable.having(db, "part", said, limit * 2)
    ids += findable.having(db, "part", spelt, limit) if spelt and spelt != said else []
    ways += [Part.id.in_(ids)] if ids else []
    for way in ways:
        found |= {part.id: part for part in db.scalars(rows.where(way).order_by(Part.spelt).limit(limit))}
    return list(found.values())[:limit]


# --- parts named in tickets --------------------------------------------------------------------------------------


def used(db: Session, text: str) -> tuple[str, Fault | None]:
    """The parts of a repair, one a line, as they are kept: number, name and how many; and what is not understood."""
    kept, unknown = [], []
    for said in re.split(r"[\n;；]+", text):
        words = line(said).partition(" · ")
        found = _USED.fullmatch(words[0]) if words[0] else None
        if found is None:
            continue
        count = found["count"] or (tail[1] if (tail := re.search(r"×(\d{1,4})$", words[2])) else "1")
        part = by_number(db, found["number"])
        if part is None or int(count) < 1:
            unknown.append(words[0][:40])
        else:
            kept.append(f"{part.number} · {part.zh} ×{int(count)}")
    if unknown:
        names = "、".join(unknown[:5])
        return text, Fault(
            f"配件目录中没有：{names}（每行一个图号，可加 ×数量）",
            f"Not in the catalogue: {names} (one number a line, ×2 for two)",
        )
    return "\n".join(kept), None
