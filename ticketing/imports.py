"""Sheets of records taken over row by row: what cannot be is listed, all of it can be undone.

The same file twice changes nothing the second time: a customer is known by his number, or by his name and phone, an
engine by its serial. Of two that may be meant none is guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.database import Database
from callcenter.errors import BadInput, NotFound
from config.settings import Centre
from ticketing import columns, sheets
from ticketing.import_parts import take_part
from ticketing.import_relations import take_relation
from ticketing.import_rows import Run, take_customer, take_engine
from ticketing.kinds import Fault
from ticketing.record_rows import Import
from ticketing.sheets import Sheet
from ticketing.text import line
from ticketing.unfit import RecordUnfit

LOOKED_AT = 200
"""Rows that are tried before anything is taken over."""
MOST_FAULTS = 1000
_BATCH = 100  # rows in one transaction: nobody else waits for the writer for long


class WrongColumns(BadInput):
    """The sheet lacks a column that is needed, or one is named twice; nothing was changed."""


@dataclass
class Account:
    """What became of the rows."""

    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    shown: list[tuple[int, str, str]] = field(default_factory=list)  # line, what became of it, whose

    def add(self, number: int, what: str, title: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
        if len(self.shown) < LOOKED_AT:
            self.shown.append((number, what, title))

    def fault(self, number: int, title: str, faults: Mapping[str, Fault]) -> None:
        self.add(number, "refused", title)
        for name, wrong in faults.items():
            if len(self.faults) < MOST_FAULTS:
                self.faults.append({"line": number, "field": name, "zh": wrong.zh, "en": wrong.en})


# --- a file comes in ---------------------------------------------------------------------------------------------


def mapped(kind: str, sheet: Sheet, chosen: Mapping[str, int] | None = None) -> dict[str, int]:
    """Which heading is which column: as chosen, else as guessed; WrongColumns if a needed one is not there."""
    if kind not in columns.OF:
        raise BadInput("there is no import of %(kind)s", kind=repr(kind[:20]))
    found = dict(chosen) if chosen is not None else columns.guessed(kind, sheet.headings)
    known = {column.name for column in columns.OF[kind]}
    if found.keys() - known or len(set(found.values())) < len(found):
        raise WrongColumns
    if any(not 0 <= place < len(sheet.headings) for place in found.values()):
        raise WrongColumns
    lacking = [column.zh for column in columns.OF[kind] if column.needed and column.name not in found]
    if lacking:
        raise WrongColumns(", ".join(lacking))
    return found


def look(
    database: Database, kind: str, sheet: Sheet, mapping: Mapping[str, int], *, centre: Centre, by: str, now: datetime
) -> Account:
    """Try the first rows, as they would be taken over, and leave everything as it was."""
    account = Account()
    with database.write() as db:
        _take(Run(db, centre, by, now), kind, sheet.rows[:LOOKED_AT], mapping, account)
        db.rollback()
    return account


def keep_file(db: Session, kind: str, content: bytes, name: str, sheet: Sheet, *, by: str, now: datetime) -> Import:
    """Hold the file until it is taken over. What others of this user were only looked at is let go."""
    for old in db.scalars(select(Import).where(Import.state == "looked_at", Import.by == by)):
        db.delete(old)
    kept = Import(
        kind=kind,
        state="looked_at",
        at=now,
        by=by,
        file_name=line(name)[:200],
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        rows=len(sheet.rows),
    )
    db.add(kept)
    db.flush()
    return kept


def load(db: Session, import_id: int) -> Import:
    found = db.get(Import, import_id)
    if found is None:
        raise NotFound("import %(import_id)s", import_id=import_id)
    return found


def sheet_of(kept: Import) -> Sheet:
    """The rows of a file that is held."""
    if kept.state != "looked_at" or kept.content is None:
        raise BadInput("this file was taken over already")
    return sheets.read(kept.content)


def take_over(
    database: Database, import_id: int, mapping: Mapping[str, int], *, centre: Centre, by: str, now: datetime
) -> Import:
    """Every row that can be, some at a time, so that nobody waits for long."""
    with database.write() as db:
        kept = load(db, import_id)
        kind, sheet = kept.kind, sheet_of(kept)
        kept.state, kept.content, kept.at = "running", None, now
    account = Account()
    for at in range(0, len(sheet.rows), _BATCH):
        with database.write() as db:
            run = Run(db, centre, by, now)
            _take(run, kind, sheet.rows[at : at + _BATCH], mapping, account)
            for step in run.steps:
                step.import_id = import_id
                db.add(step)
            _write(load(db, import_id), account)
    with database.write() as db:
        kept = load(db, import_id)
        kept.state = "done"
        _write(kept, account)
    return kept


def _write(kept: Import, account: Account) -> None:
    kept.created, kept.changed, kept.same = account.created, account.changed, account.same
    kept.refused, kept.faults = account.refused, list(account.faults)


def _take(
    run: Run, kind: str, rows: Sequence[tuple[int, Sequence[str]]], mapping: Mapping[str, int], account: Account
) -> None:
    ways = {"customers": take_customer, "engines": take_engine, "relations": take_relation, "parts": take_part}
    take = ways[kind]
    exact = {column.name for column in columns.OF[kind] if column.exact}
    for number, cells in rows:
        said = {name: cells[place].strip() for name, place in mapping.items()}
        title = next((said[name] for name in ("name", "serial", "one", "number") if said.get(name)), "")
        before = len(run.steps)
        try:
            with run.db.begin_nested():
                account.add(number, take(run, _repaired(said, exact)), title)
        except RecordUnfit as fault:
            del run.steps[before:]
            account.fault(number, title, fault.faults)
        except BadInput as fault:
            del run.steps[before:]
            account.fault(number, title, {"": Fault(fault.detail or fault.sentence, fault.detail or fault.sentence)})


def _repaired(said: Mapping[str, str], exact: set[str]) -> dict[str, str]:
    whole = {name: sheets.whole(text) if name in exact else text for name, text in said.items()}
    lost = {
        name: Fault(
            f"表格软件已把号码缩写为 {said[name]}，位数丢失；请把该列设为文本后重新导出",
            f"The spreadsheet shortened it to {said[name]} and digits are lost; make the column text and export again",
        )
        for name, text in whole.items()
        if text is None
    }
    if lost:
        raise RecordUnfit(lost)
    return {name: text for name, text in whole.items() if text is not None}
