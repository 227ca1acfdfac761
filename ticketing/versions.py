"""Two people at one ticket: what the other changed meanwhile, and the two brought together field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from callcenter.errors import CallCenterError
from config import people
from ticketing.kinds import Fault, Form
from ticketing.rows import Ticket, TicketEntry


class StaleTicket(CallCenterError):
    """Somebody changed this ticket while you had it open; yours was not saved over it."""

    status = 409

    def __init__(self, ticket: Ticket, form: Form, theirs: Mapping[str, Any], by: Sequence[str], who: str) -> None:
        self.ticket = ticket
        self.form = form
        self.theirs = dict(theirs)
        """What the fields that were changed in the meantime hold now; of ``fields`` only the answers that changed."""
        self.by = list(by)
        self.who = who
        super().__init__(f"{ticket.number} {', '.join(self.theirs)}, {', '.join(self.by)}")

    def as_json(self) -> dict[str, object]:
        changed = {name: _told(value) for name, value in self.theirs.items()}
        return {"version": self.ticket.version, "changed": changed, "by": self.by}

    @property
    def faults(self) -> dict[str, Fault]:
        """The same by the form's fields, to be shown beside what was typed; saving again replaces theirs knowingly."""
        told = {name.removesuffix("_id"): self.theirs[name] for name in self.theirs if name != "fields"}
        told |= self.theirs.get("fields", {})
        faults = {}
        for name, value in told.items():
            field = self.form.field(name)
            zh, en = (field.word(value, "zh"), field.word(value, "en")) if field else (value, value)
            plain = isinstance(value, str | int) and not isinstance(value, bool)
            faults[name] = Fault(
                f"{self.who} 已改为“{zh}”" if plain else f"{self.who} 已改动",
                f"{self.who} made it “{en}”" if plain else f"{self.who} changed it",
            )
        return faults


def refuse_stale(db: Session, ticket: Ticket, form: Form, version: int) -> None:
    """StaleTicket if more than notes came since the version somebody was looking at."""
    since = _since(ticket, version)
    if not since:
        return
    names = {name for entry in since for name in entry.changes} | {"state" for entry in since if not entry.changes}
    names &= {column.key for column in Ticket.__mapper__.column_attrs}
    names -= {"responded_at", "solved_at"}  # they follow from the stage
    if not names:
        return
    theirs = {name: getattr(ticket, name) for name in sorted(names)}
    if "fields" in theirs:
        before = next(entry.changes["fields"][0] for entry in since if "fields" in entry.changes)
        held = ticket.fields
        theirs["fields"] = {
            name: held.get(name) for name in sorted(held | before) if held.get(name) != before.get(name)
        }
    by, called = sorted({entry.by for entry in since}), people.names(db)
    raise StaleTicket(ticket, form, theirs, by, ", ".join(called.get(login, login) for login in by))


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _since(ticket: Ticket, version: int) -> list[TicketEntry]:
    return [entry for entry in ticket.entries if entry.version > version and (entry.changes or entry.what in _STATES)]


_STATES = frozenset({"closed", "reopened"})


@dataclass(frozen=True)
class Merged:
    """A form whose ticket was changed meanwhile: what it should hold now, and what both made different."""

    values: dict[str, str]
    taken: dict[str, str]  # by name: what only the other changed, as it was
    disputed: dict[str, str]  # by name: what the other made of a field that both changed


def merged(before: Mapping[str, str], mine: Mapping[str, str], theirs: Mapping[str, str]) -> Merged:
    """Three forms as they would be sent: as I found it, as I leave it, as it is by now.

    What only one of us changed is kept, whoever it was; what both changed stays as I have it and is asked about.
    """
    values, taken, disputed = dict(mine), {}, {}
    for name in theirs.keys() | mine.keys():
        was, now = before.get(name, ""), theirs.get(name, "")
        own = mine.get(name, was)
        if now in (was, own):
            values[name] = own
            continue
        if own == was:
            values[name] = now
            taken[name] = was
        else:
            disputed[name] = now
    return Merged(values, taken, disputed)


def as_of(ticket: Ticket, version: int, names: Sequence[str]) -> dict[str, Any]:
    """What these columns held at an earlier version: the entries since then, taken back."""
    held = {name: getattr(ticket, name) for name in names}
    for entry in reversed(ticket.entries):
        if entry.version <= version:
            break
        held |= {name: change[0] for name, change in entry.changes.items() if name in held}
    return held
