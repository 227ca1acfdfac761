"""Tickets of five kinds: opened, changed, noted, closed, opened again; every step is an entry that stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, selectinload

from callcenter import ledger
from callcenter.database import Base
from callcenter.errors import BadInput, CallCenterError, NotFound
from callcenter.events import TicketChanged, TicketStepped
from config.people import User, may
from ticketing import engines
from ticketing.kinds import MISSING, Fault, TicketIncomplete, checked, form_of
from ticketing.rows import IDS, Customer, Engine, Station, Ticket, TicketEntry, TicketKind, TicketSeries, TicketState
from ticketing.text import clean, line

_OPEN = (TicketState.OPEN.value, TicketState.WAITING.value)
_CHANGEABLE = frozenset(
    {"subject", "urgent", "owner", "due_at", "customer_id", "engine_id", "station_id", "call_id", "fields", "state"}
)


_POINTS_TO: dict[str, tuple[type[Base], Fault]] = {
    "customer_id": (Customer, Fault("没有这个客户", "There is no such customer")),
    "engine_id": (Engine, Fault("没有这台发动机", "There is no such engine")),
    "station_id": (Station, Fault("没有这个服务站", "There is no such station")),
}


class WrongTicketState(CallCenterError):
    """A colleague was faster: the ticket is not in the state this needs. Nothing was changed."""

    status = 409


class StaleTicket(CallCenterError):
    """Somebody changed this ticket while you had it open; yours was not saved over it."""

    status = 409

    def __init__(self, ticket: Ticket, theirs: Mapping[str, Any], by: Sequence[str]) -> None:
        self.ticket = ticket
        self.theirs = dict(theirs)
        """What the fields that were changed in the meantime hold now; of ``fields`` only the answers that changed."""
        self.by = list(by)
        super().__init__(f"{ticket.number} {', '.join(self.theirs)}, {', '.join(self.by)}")

    def as_json(self) -> dict[str, object]:
        changed = {name: _told(value) for name, value in self.theirs.items()}
        return {"version": self.ticket.version, "changed": changed, "by": self.by}

    @property
    def faults(self) -> dict[str, Fault]:
        """The same by the form's fields, to be shown beside what was typed; saving again replaces theirs knowingly."""
        who = ", ".join(self.by)
        told = {name.removesuffix("_id"): self.theirs[name] for name in self.theirs if name != "fields"}
        for name, value in self.theirs.get("fields", {}).items():
            told[name] = value
        choices = {
            (field.name, choice.value): choice for field in form_of(self.ticket.kind).fields for choice in field.choices
        }
        faults = {}
        for name, value in told.items():
            choice = choices.get((name, value))
            zh, en = (choice.zh, choice.en) if choice else (value, value)
            plain = isinstance(value, str | int) and not isinstance(value, bool)
            faults[name] = Fault(
                f"{who} 已改为“{zh}”" if plain else f"{who} 已改动",
                f"{who} made it “{en}”" if plain else f"{who} changed it",
            )
        return faults


# --- opening -----------------------------------------------------------------------------------------------------


def open_ticket(
    db: Session,
    kind: str,
    *,
    subject: str,
    by: str,
    now: datetime,
    customer_id: int | None = None,
    engine_id: int | None = None,
    call_id: str | None = None,
    station_id: int | None = None,
    fields: Mapping[str, Any] | None = None,
    notes: str = "",
    urgent: bool | None = None,
    owner: str = "",
    due_at: datetime | None = None,
    zone: tzinfo = UTC,
) -> Ticket:
    """A new ticket of this kind, numbered by the day in ``zone``; by = login.

    TicketIncomplete names every field at fault at once. Without ``due_at`` the kind's own promise holds.
    """
    form = form_of(kind)
    answers, faults = checked(form, fields or {})
    subject = line(subject)
    if not subject:
        faults["subject"] = MISSING
    elif len(subject) > 200:
        faults["subject"] = Fault("最多 200 字", "200 characters at most")
    if form.needs_customer and customer_id is None:
        faults["customer"] = Fault("请选择或新建客户", "Choose or create the customer")
    if form.needs_engine and engine_id is None and not answers.get("serial"):
        faults["engine"] = Fault("请选择发动机或填写机号", "Choose the engine or enter its serial number")
    named = {"customer_id": customer_id, "engine_id": engine_id, "station_id": station_id, "owner": owner}
    faults |= _unknown(db, named | {"call_id": call_id})
    if faults:
        raise TicketIncomplete(faults)
    if engine_id is None and answers.get("serial"):
        meant = engines.find(db, answers["serial"], limit=2)
        engine_id = meant[0].id if len(meant) == 1 else None
    ticket = Ticket(
        number=_next_number(db, form.letter, now.astimezone(zone).strftime("%y%m%d")),
        kind=form.kind.value,
        state=TicketState.OPEN.value,
        urgent=form.urgent if urgent is None else urgent,
        subject=subject,
        notes=_words(notes),
        fields=answers,
        customer_id=customer_id,
        engine_id=engine_id,
        call_id=call_id,
        station_id=station_id,
        opened_by=by,
        owner=owner or by,
        opened_at=now,
        due_at=due_at or _whole_minute(now + form.due),
        changed_at=now,
    )
    ticket.entries.append(TicketEntry(at=now, by=by, what="opened", text=ticket.notes, version=1))
    db.add(ticket)
    db.flush()
    _say(db, ticket, "opened", by, now)
    return ticket


def _say(db: Session, ticket: Ticket, what: str, by: str, now: datetime) -> None:
    """Into the ledger, from where other programs are told of it."""
    version = ticket.version
    stepped = TicketStepped(at=now, ticket_id=ticket.id, version=version, what=what, kind=ticket.kind, by=by)
    ledger.append(db, [stepped], "ticketing")


def _next_number(db: Session, letter: str, day: str) -> str:
    """R261122-0003: one statement counts up, so two who open at once never get one number."""
    dialect = sqlite if db.get_bind().dialect.name == "sqlite" else postgresql
    first = dialect.insert(TicketSeries).values(series=f"{letter}{day}", last=1)
    count = first.on_conflict_do_update(index_elements=["series"], set_={"last": TicketSeries.last + 1})
    return f"{letter}{day}-{db.scalar(count.returning(TicketSeries.last)):04d}"


# --- loading -----------------------------------------------------------------------------------------------------


def visible(user: User) -> ColumnElement[bool]:
    """Which tickets a user may see, as a condition: all, or the follow-ups only (campaign managers)."""
    if may(user.role, "tickets.all"):
        return true()
    if may(user.role, "tickets"):
        return Ticket.kind == TicketKind.FOLLOW_UP
    return ~true()


def load_ticket(db: Session, ticket_id: int, user: User) -> Ticket:
    """With customer, engine and entries; NotFound where the user may not see it."""
    whole = (selectinload(Ticket.customer), selectinload(Ticket.engine), selectinload(Ticket.entries))
    ticket = None
    if ticket_id in IDS:
        ticket = db.scalar(select(Ticket).where(Ticket.id == ticket_id, visible(user)).options(*whole))
    if ticket is None:
        raise NotFound("ticket %(ticket_id)s", ticket_id=ticket_id)
    return ticket


def listed(
    db: Session,
    user: User,
    *,
    states: Sequence[str] = (),
    kind: str = "",
    owner: str = "",
    late_at: datetime | None = None,
    below_id: int | None = None,
    limit: int = 50,
) -> Sequence[Ticket]:
    """The newest tickets this user may see; ``late_at`` keeps those past due by then; page on with ``below_id``."""
    rows = select(Ticket).where(visible(user)).options(selectinload(Ticket.customer), selectinload(Ticket.engine))
    if states:
        rows = rows.where(Ticket.state.in_([line(state) for state in states]))
    if kind:
        rows = rows.where(Ticket.kind == line(kind))
    if owner:
        rows = rows.where(Ticket.owner == line(owner))
    if late_at is not None:
        rows = rows.where(Ticket.state.in_(_OPEN), Ticket.due_at < late_at)
    if below_id is not None and below_id in IDS:
        rows = rows.where(Ticket.id < below_id)
    return db.scalars(rows.order_by(Ticket.id.desc()).limit(min(limit, 500))).all()


def history(
    db: Session, *, customer_id: int | None = None, engine_id: int | None = None, limit: int = 50
) -> Sequence[Ticket]:
    """The tickets of a customer, or of an engine whoever owned it, newest first."""
    rows = select(Ticket).options(selectinload(Ticket.engine), selectinload(Ticket.customer))
    if customer_id is not None:
        rows = rows.where(Ticket.customer_id == customer_id)
    if engine_id is not None:
        rows = rows.where(Ticket.engine_id == engine_id)
    return db.scalars(rows.order_by(Ticket.opened_at.desc(), Ticket.id.desc()).limit(limit)).all()


def nudge(ticket: Ticket) -> TicketChanged:
    """What to publish after commit."""
    return TicketChanged(ticket_id=ticket.id, call_id=ticket.call_id)


# --- changing ----------------------------------------------------------------------------------------------------


def note(db: Session, ticket: Ticket, text: str, *, by: str, now: datetime) -> Ticket:
    """Add words; no version is needed, for nobody's words are replaced. A closed ticket takes notes too."""
    words = _words(text)
    if not words:
        raise TicketIncomplete({"notes": MISSING})
    return _step(db, ticket, "noted", by, now, text=words)


def change(db: Session, ticket: Ticket, *, version: int, by: str, now: datetime, **changes: Any) -> Ticket:
    """Set fields of an open ticket; ``version`` is the one the changer was looking at.

    StaleTicket if it has been changed since then: it carries what the others wrote, nothing of theirs is overwritten,
    and notes made meanwhile do not count as a change. ``fields`` replaces the answers it names.
    """
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise BadInput("a ticket has no %(unknown)s to change", unknown=", ".join(sorted(unknown)))
    if changes.get("state", TicketState.OPEN) not in _OPEN:
        raise BadInput("close() closes a ticket")
    while True:
        _refresh(db, ticket)
        if ticket.state not in _OPEN:
            raise WrongTicketState(ticket.number)
        _refuse_stale(ticket, version)
        new = _values(db, ticket, changes)
        differing = {name: value for name, value in new.items() if getattr(ticket, name) != value}
        if not differing:
            return ticket
        told = {name: [_told(getattr(ticket, name)), _told(value)] for name, value in differing.items()}
        try:
            return _step(db, ticket, "changed", by, now, values=differing, changes=told)
        except WrongTicketState:
            continue  # somebody stepped in between: look again whether it was a note or a change


def close(db: Session, ticket: Ticket, *, by: str, now: datetime, text: str = "") -> Ticket:
    """WrongTicketState if a colleague was faster."""
    values = {"state": TicketState.CLOSED.value, "closed_at": now}
    return _step(db, ticket, "closed", by, now, text=_words(text), values=values, only_from=_OPEN)


def reopen(db: Session, ticket: Ticket, *, by: str, now: datetime, text: str = "") -> Ticket:
    """Open a closed ticket again, with its promise counted from now; WrongTicketState if it is open."""
    values = {
        "state": TicketState.OPEN.value,
        "closed_at": None,
        "due_at": _whole_minute(now + form_of(ticket.kind).due),
    }
    only_from = (TicketState.CLOSED.value,)
    return _step(db, ticket, "reopened", by, now, text=_words(text), values=values, only_from=only_from)


def _step(
    db: Session,
    ticket: Ticket,
    what: str,
    by: str,
    now: datetime,
    *,
    text: str = "",
    values: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
    only_from: Sequence[str] = (),
) -> Ticket:
    """One conditional UPDATE and its entry. The version counts every step, so two steps at once cannot both win."""
    own = update(Ticket).where(Ticket.id == ticket.id)
    if only_from:
        own = own.where(Ticket.state.in_(only_from))
    elif what != "noted":
        own = own.where(Ticket.version == ticket.version)
    set_ = {"changed_at": now, "version": Ticket.version + 1} | dict(values or {})
    done = cast(CursorResult[Any], db.execute(own.values(**set_).execution_options(synchronize_session=False)))
    if done.rowcount != 1:
        raise WrongTicketState(ticket.number)
    _refresh(db, ticket)
    entry = TicketEntry(
        ticket_id=ticket.id, at=now, by=by, what=what, text=text, changes=dict(changes or {}), version=ticket.version
    )
    db.add(entry)
    db.flush()
    db.expire(ticket, ["entries"])
    _say(db, ticket, what, by, now)
    return ticket


def _refresh(db: Session, ticket: Ticket) -> None:
    db.refresh(ticket, [column.key for column in Ticket.__mapper__.column_attrs])
    db.expire(ticket, ["customer", "engine", "entries"])


def _refuse_stale(ticket: Ticket, version: int) -> None:
    since = [entry for entry in ticket.entries if entry.version > version and entry.what != "noted"]
    if since:
        names = {name for entry in since for name in entry.changes} | {"state" for entry in since if not entry.changes}
        theirs = {name: getattr(ticket, name) for name in sorted(names)}
        if "fields" in theirs:
            before, now = (
                next(entry.changes["fields"][0] for entry in since if "fields" in entry.changes),
                ticket.fields,
            )
            theirs["fields"] = {
                name: now.get(name) for name in sorted(now | before) if now.get(name) != before.get(name)
            }
        raise StaleTicket(ticket, theirs, sorted({entry.by for entry in since}))


def _values(db: Session, ticket: Ticket, changes: Mapping[str, Any]) -> dict[str, Any]:
    new = dict(changes)
    faults = _unknown(db, new)
    if "subject" in new:
        new["subject"] = line(str(new["subject"]))
        if not new["subject"] or len(new["subject"]) > 200:
            faults["subject"] = MISSING if not new["subject"] else Fault("最多 200 字", "200 characters at most")
    if "fields" in new:
        new["fields"], wrong = checked(form_of(ticket.kind), ticket.fields | dict(new["fields"]))
        faults |= wrong
    if faults:
        raise TicketIncomplete(faults)
    return new


def _unknown(db: Session, named: Mapping[str, Any]) -> dict[str, Fault]:
    """What a ticket would point to but is not there."""
    faults: dict[str, Fault] = {}
    for name, (row, fault) in _POINTS_TO.items():
        number = named.get(name)
        if number is not None and (number not in IDS or db.get(row, number) is None):
            faults[name.removesuffix("_id")] = fault
    owner, call_id = named.get("owner") or "", named.get("call_id") or ""
    if owner and db.scalar(select(User.id).where(User.login == line(owner))) is None:
        faults["owner"] = Fault("没有这个用户", "There is no such user")
    if len(call_id) > 150 or not call_id.isprintable():
        faults["call_id"] = Fault("没有这个通话", "There is no such call")
    return faults


def _whole_minute(at: datetime) -> datetime:
    """Promises are made by the minute, as forms write them: the next full one."""
    return at + timedelta(microseconds=-(at.second * 1_000_000 + at.microsecond) % 60_000_000)


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _words(text: str, longest: int = 20_000) -> str:
    """Clean, and too long is said, never cut."""
    kept = clean(text)
    if len(kept) > longest:
        raise TicketIncomplete({"notes": Fault(f"最多 {longest} 字", f"{longest} characters at most")})
    return kept
