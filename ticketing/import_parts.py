"""One row of a sheet of parts: a part made, or its names, days and models changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticketing import parts
from ticketing.import_rows import Run, whole_day
from ticketing.kinds import Fault
from ticketing.unfit import RecordUnfit


def take_part(run: Run, said: Mapping[str, str]) -> str:
    faults: dict[str, Fault] = {}
    values: dict[str, Any] = {name: said[name] for name in ("zh", "en", "superseded_by", "note") if said.get(name)}
    for name in ("superseded_on", "from_on", "until_on"):
        day = whole_day(said.get(name, ""), name, faults)
        if day is not None:
            values[name] = day
    if faults:
        raise RecordUnfit(faults)
    fits = parts.families(said.get("fits", ""))
    found = parts.by_number(run.db, said.get("number", ""))
    if found is None:
        made = parts.create(run.db, said.get("number", ""), by=run.by, now=run.now, fits=fits, **values)
        run.did("part", {"version": (None, made.version)}, ref_id=made.id)
        return "created"
    changed = parts.change(run.db, found, by=run.by, now=run.now, fits=fits or None, **values)
    if not changed:
        return "same"
    run.did("part_as", changed, ref_id=found.id)
    return "changed"
