"""What a ticket's page shows, as plain values in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from agent_desktop.page import Page
from agent_desktop.words import english
from config import calendar
from ticketing import catalogue
from ticketing.catalogue import Catalogue
from ticketing.clocks import Clock
from ticketing.rows import Ticket, TicketEntry, TicketState
from ticketing.versions import Merged, as_of, merged

_SILENT = frozenset({"state", "station_id", "file"})  # told by the stage, and by the words beside
_CODES = {"dispatch": "dispatch", "duty": "duty_state", "link": "link"}


@dataclass(frozen=True, kw_only=True)
class Hand:
    """The clock of a ticket as one line: how much time there is, or how late it is."""

    tone: str  # good, soon, bad, quiet
    sign: str
    words: str
    until: datetime | None = None


def hand(page: Page, ticket: Ticket, left: timedelta | None, now: datetime) -> Hand:
    """From the row's own columns; ``left`` is working time until it is due."""
    _, roughly = page._, page.format.roughly
    if ticket.state == TicketState.CLOSED or ticket.solved_at is not None:
        done = ticket.solved_at or ticket.closed_at or now
        if ticket.due_at is not None and done > ticket.due_at:
            return Hand(tone="bad", sign="✕", words=_("solved %(span)s late", span=roughly(done - ticket.due_at)))
        return Hand(tone="quiet", sign="✓", words=_("solved in time") if ticket.due_at else _("solved"))
    if ticket.due_at is None:
        if ticket.left_s is None:
            return Hand(tone="quiet", sign="–", words="")
        resting = timedelta(seconds=ticket.left_s)
        if ticket.left_s < 0:
            return Hand(tone="bad", sign="‖", words=_("rests, %(span)s over", span=roughly(resting)))
        return Hand(tone="quiet", sign="‖", words=_("rests, %(span)s left", span=roughly(resting)))
    if ticket.due_at < now:
        late = _("%(span)s late", span=roughly(now - ticket.due_at))
        return Hand(tone="bad", sign="⚠", words=late, until=ticket.due_at)
    rest = left if left is not None else ticket.due_at - now
    soon, words = rest < timedelta(hours=2), _("%(span)s left", span=roughly(rest))
    return Hand(tone="soon" if soon else "good", sign="◷", words=words, until=ticket.due_at)


def hands(page: Page, db: Session, rows: Iterable[Ticket], now: datetime) -> dict[int, Hand]:
    """The same for many, by id."""
    held, zone = catalogue.current(db), page.settings.centre.zone
    found = {}
    for ticket in rows:
        left = None
        if ticket.due_at is not None and ticket.state != TicketState.CLOSED:
            rule = held.form(ticket.kind).rule(ticket.urgent)
            hours = calendar.load(db, rule.calendar, zone)
            if hours.is_open(ticket.due_at - timedelta(seconds=1)):  # else promised by a person, for out of hours
                left = hours.between(now, ticket.due_at)
        found[ticket.id] = hand(page, ticket, left, now)
    return found


def response(page: Page, clock: Clock, now: datetime) -> Hand | None:
    """The first promise: that somebody answers."""
    _, roughly = page._, page.format.roughly
    if clock.response_due is None:
        return None
    at = clock.responded_at
    if at is not None and at > clock.response_due:
        return Hand(tone="bad", sign="✕", words=_("answered %(span)s late", span=roughly(at - clock.response_due)))
    if at is not None:
        return Hand(tone="quiet", sign="✓", words=_("answered in time"))
    if now > clock.response_due:
        late = _("answer %(span)s late", span=roughly(now - clock.response_due))
        return Hand(tone="bad", sign="⚠", words=late, until=clock.response_due)
    soon = clock.response_due - now < timedelta(minutes=30)
    words = _("answer by %(time)s", time=page.format.local(clock.response_due, "time"))
    return Hand(tone="soon" if soon else "good", sign="◷", words=words, until=clock.response_due)


def standing(page: Page, db: Session, ticket: Ticket, now: datetime) -> str:
    """How long it has stood at its stage, where that is longer than it should be; empty where all is well."""
    form = catalogue.current(db).form(ticket.kind)
    stage = form.stage(ticket.stage)
    if not stage.stale_min or ticket.stage_at is None or ticket.state != TicketState.OPEN:
        return ""
    kept = calendar.load(db, form.rule(ticket.urgent).calendar, page.settings.centre.zone)
    stood = kept.between(ticket.stage_at, now)
    if stood <= timedelta(minutes=stage.stale_min):
        return ""
    return page._("stands still for %(span)s", span=page.format.roughly(stood))


@dataclass(frozen=True, kw_only=True)
class Changed:
    what: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One entry as it is read."""

    at: datetime
    by: str
    what: str
    text: str
    changes: tuple[Changed, ...]


def lines(page: Page, held: Catalogue, ticket: Ticket, names: Mapping[str, str]) -> list[Line]:
    """The entries, newest first."""
    return [
        Line(
            at=entry.at,
            by=names.get(entry.by, entry.by),
            what=page._(english("ticket_entry", entry.what)),
            text=entry.text,
            changes=tuple(_changes(page, held, ticket, entry, names)),
        )
        for entry in reversed(ticket.entries)
    ]


def _changes(
    page: Page, held: Catalogue, ticket: Ticket, entry: TicketEntry, names: Mapping[str, str]
) -> Iterable[Changed]:
    form, language = held.form(ticket.kind), page.language
    for name, change in (entry.changes or {}).items():
        if name in _SILENT or not isinstance(change, list) or len(change) != 2:
            continue
        before, after = change
        if name == "fields":
            before, after = before or {}, after or {}
            for one in sorted(before.keys() | after.keys()):
                if before.get(one) != after.get(one):
                    field = held.field(ticket.kind, one)
                    told = [
                        field.word(side.get(one), language) if field else str(side.get(one, "–"))
                        for side in (before, after)
                    ]
                    yield Changed(what=field.title(language) if field else one, before=told[0], after=told[1])
            continue
        if name == "stage":
            before, after = (form.stage(side).title(language) if side else "–" for side in (before, after))
        elif name in _CODES:
            before, after = (page._(english(_CODES[name], side)) if side else "" for side in (before, after))
        elif name == "owner":
            before, after = (names.get(side, side) for side in (before, after))
        yield Changed(what=page._(english("ticket_field", name)), before=_word(page, before), after=_word(page, after))


def _word(page: Page, value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return page._("Yes") if value else page._("No")
    text = str(value)
    if len(text) > 15 and text[4:5] == "-" and text[10:11] == "T":
        return page.format.local(datetime.fromisoformat(text))
    return text


# --- the form, as sent and as it would be sent ------------------------------------------------------------------

COLUMNS = ("subject", "stage", "owner", "due_at", "urgent", "fields")


def sheet(values: Mapping[str, Any], page: Page) -> dict[str, str]:
    """Columns of a ticket as its form would send them."""
    due = values["due_at"]
    flat = {
        "subject": values["subject"],
        "stage": values["stage"],
        "owner": values["owner"],
        "due_at": due.astimezone(page.settings.centre.zone).strftime("%Y-%m-%dT%H:%M") if due else "",
        "urgent": "1" if values["urgent"] else "",
    }
    return flat | {f"field.{name}": _flat(value) for name, value in values["fields"].items()}


def _flat(value: Any) -> str:
    return ("1" if value else "") if isinstance(value, bool) else str(value)


def held_by(ticket: Ticket, page: Page) -> dict[str, str]:
    return sheet({name: getattr(ticket, name) for name in COLUMNS}, page)


def sent_sheet(sent: Mapping[str, str], ticks: Sequence[str]) -> dict[str, str]:
    """What was typed; a box that was not ticked is not sent, and means no."""
    kept = {
        name: text
        for name, text in sent.items()
        if name in (*COLUMNS, "due_was", "version") or name.startswith("field.")
    }
    return {"urgent": ""} | {f"field.{name}": "" for name in ticks} | kept


def brought_together(page: Page, ticket: Ticket, version: int, typed: Mapping[str, str]) -> Merged:
    """What was typed over an older version, and what has become of the ticket since."""
    past, now = sheet(as_of(ticket, version, COLUMNS) | {"due_at": None}, page), held_by(ticket, page)
    past["due_at"] = typed.get("due_was", "")  # it moves by itself, too, so the page says what it showed
    return merged(past, {name: text for name, text in typed.items() if name not in ("due_was", "version")}, now)
