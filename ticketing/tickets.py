"""Tickets of five kinds: opened, changed, moved on, noted, closed, opened again; every step is an entry that stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, selectinload

from callcenter import ledger
from callcenter.database import changed
from callcenter.errors import BadInput, CallCenterError, NotFound
from callcenter.facts import TicketStepped
from callcenter.nudges import TicketChanged
from config.people import User
from ticketing import answers as facts
from ticketing import catalogue, customers, deadlines, engines, findable
from ticketing import changes as amounts
from ticketing.kinds import MISSING, Fault, TicketIncomplete, checked, too_long
from ticketing.rows import IDS, Ticket, TicketEntry, TicketKind, TicketSeries, TicketState
from ticketing.text import clean, line
from ticketing.versions import refuse_stale

UNDONE = (TicketState.OPEN.value, TicketState.WAITING.value)


class WrongTicketState(CallCenterError):
    """A colleague was faster: the ticket is not in the state this needs. Nothing was changed."""

    status = 409


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
    form = catalogue.current(db).form(kind)
    answers, faults = checked(form, fields or {})
    faults |= amounts.name_parts(db, form, answers)
    subject = line(subject)
    if not subject:
        faults["subject"] = MISSING
    elif len(subject) > 200:
        faults["subject"] = too_long(200)
    if form.needs_customer and customer_id is None:
        faults["customer"] = Fault("请选择或新建客户", "Choose or create the customer")
    if form.needs_engine and engine_id is None and not answers.get("serial"):
        faults["engine"] = Fault("请选择发动机或填写机号", "Choose the engine or enter its serial number")
    customer_id = customers.standing_id(db, customer_id)
    named = {"customer_id": customer_id, "engine_id": engine_id, "station_id": station_id, "owner": owner}
    faults |= amounts.unknown(db, named | {"call_id": call_id})
    if faults:
        raise TicketIncomplete(faults)
    if engine_id is None and answers.get("serial"):
        meant = engines.find(db, answers["serial"], limit=2)
        engine_id = meant[0].id if len(meant) == 1 else None
    amounts.read_marker(form, answers)
    first = form.stages[0]
    ticket = Ticket(
        number=_next_number(db, form.letter, now.astimezone(zone).strftime("%y%m%d")),
        kind=form.kind.value,
        state=first.state.value,
        stage=first.code,
        stage_at=now,
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
        changed_at=now,
    )
    told = {} if due_at is None else {"due_at": [None, due_at.isoformat()]}
    entry = TicketEntry(at=now, by=by, what="opened", text=ticket.notes, changes=told, version=1)
    ticket.entries.append(entry)
    for name, value in deadlines.told(db, ticket, [entry], now, zone).items():
        setattr(ticket, name, value)
    db.add(ticket)
    db.flush()
    facts.keep(db, form, ticket, before={}, engine_before=None, by=by, now=now, zone=zone)
    findable.keep_ticket(db, ticket)
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
    if user.may("tickets.all"):
        return true()
    if user.may("tickets"):
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
    about: Mapping[str, Collection[int]] | None = None,
    below_id: int | None = None,
    limit: int = 50,
) -> Sequence[Ticket]:
    """The newest tickets this user may see; ``late_at`` keeps those past due by then; page on with ``below_id``.

    ``about``: only these tickets and those of these customers and engines, as the search box found them.
    """
    rows = select(Ticket).where(visible(user)).options(selectinload(Ticket.customer), selectinload(Ticket.engine))
    if states:
        rows = rows.where(Ticket.state.in_([line(state) for state in states]))
    if kind:
        rows = rows.where(Ticket.kind == line(kind))
    if owner:
        rows = rows.where(Ticket.owner == line(owner))
    if late_at is not None:
        rows = rows.where(Ticket.state.in_(UNDONE), Ticket.due_at < late_at, Ticket.solved_at.is_(None))
    if about is not None:
        columns = {"ticket": Ticket.id, "customer": Ticket.customer_id, "engine": Ticket.engine_id}
        rows = rows.where(or_(*(column.in_(about.get(what, ())) for what, column in columns.items())))
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


# --- steps -------------------------------------------------------------------------------------------------------


def note(db: Session, ticket: Ticket, text: str, *, by: str, now: datetime) -> Ticket:
    """Add words; no version is needed, for nobody's words are replaced. A closed ticket takes notes too."""
    words = _words(text)
    if not words:
        raise TicketIncomplete({"notes": MISSING})
    return _step(db, ticket, "noted", by, now, text=words)


def record(
    db: Session, ticket: Ticket, what: str, *, by: str, now: datetime, text: str = "", changes: Mapping[str, Any]
) -> Ticket:
    """Something done about a ticket that changes no field of it, such as a station called: an entry of its own."""
    return _step(db, ticket, what, by, now, text=_words(text), changes=changes, conditional=False)


def change(
    db: Session,
    ticket: Ticket,
    *,
    version: int,
    by: str,
    now: datetime,
    zone: tzinfo = UTC,
    text: str = "",
    what: str = "changed",
    also: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Ticket:
    """Set fields of an open ticket; ``version`` is the one the changer was looking at.

    StaleTicket if it has been changed since then: it carries what the others wrote, nothing of theirs is overwritten,
    and notes made meanwhile do not count as a change. ``fields`` replaces the answers it names. ``state`` alone means
    the stage of that state. ``also`` is kept in the entry beside what changed.
    """
    unknown = changes.keys() - amounts.CHANGEABLE
    if unknown:
        raise BadInput("a ticket has no %(unknown)s to change", unknown=", ".join(sorted(unknown)))
    form = catalogue.current(db).form(ticket.kind)
    while True:
        _refresh(db, ticket)
        if ticket.state not in UNDONE:
            raise WrongTicketState(ticket.number)
        refuse_stale(db, ticket, form, version)
        new = amounts.values(db, ticket, form, changes)
        differing = {name: value for name, value in new.items() if getattr(ticket, name) != value}
        if not differing:
            return note(db, ticket, text, by=by, now=now) if text.strip() else ticket
        told = {name: [_told(getattr(ticket, name)), _told(value)] for name, value in differing.items()}
        told |= also or {}
        if "stage" in differing:
            differing["stage_at"] = now
            told |= amounts.reached(ticket, form.stage(differing["stage"]), now)
        before, engine_before = dict(ticket.fields), ticket.engine_id
        try:
            _step(db, ticket, what, by, now, text=_words(text), values=differing, changes=told, zone=zone)
        except WrongTicketState:
            continue  # somebody stepped in between: look again whether it was a note or a change
        facts.keep(db, form, ticket, before=before, engine_before=engine_before, by=by, now=now, zone=zone)
        return ticket


def move(
    db: Session, ticket: Ticket, stage: str, *, by: str, now: datetime, zone: tzinfo = UTC, text: str = ""
) -> Ticket:
    """On to another stage, as it is now; a closed one closes the ticket."""
    form = catalogue.current(db).form(ticket.kind)
    if form.stage(stage).state is TicketState.CLOSED:
        return close(db, ticket, by=by, now=now, text=text, zone=zone, stage=stage)
    version = ticket.version
    return change(db, ticket, version=version, by=by, now=now, zone=zone, text=text, what="moved", stage=stage)


def hand_over(
    db: Session, ticket: Ticket, owner: str, text: str, *, by: str, now: datetime, zone: tzinfo = UTC
) -> Ticket:
    """To a colleague, with words; he sees both on his desk."""
    return change(
        db, ticket, version=ticket.version, by=by, now=now, zone=zone, what="handed_over", text=text, owner=owner
    )


def close(
    db: Session, ticket: Ticket, *, by: str, now: datetime, text: str = "", zone: tzinfo = UTC, stage: str = ""
) -> Ticket:
    """WrongTicketState if a colleague was faster."""
    form = catalogue.current(db).form(ticket.kind)
    last = form.stage(stage) if stage else form.first(TicketState.CLOSED)
    values = {"state": TicketState.CLOSED.value, "closed_at": now, "stage": last.code, "stage_at": now}
    return _step(db, ticket, "closed", by, now, text=_words(text), values=values, only_from=UNDONE, zone=zone)


def reopen(db: Session, ticket: Ticket, *, by: str, now: datetime, text: str = "", zone: tzinfo = UTC) -> Ticket:
    """Open a closed ticket again, with its promise counted from now; WrongTicketState if it is open."""
    first = catalogue.current(db).form(ticket.kind).first(TicketState.OPEN)
    values = {
        "state": TicketState.OPEN.value,
        "closed_at": None,
        "stage": first.code,
        "stage_at": now,
        "level": 0,
    }
    only_from = (TicketState.CLOSED.value,)
    return _step(db, ticket, "reopened", by, now, text=_words(text), values=values, only_from=only_from, zone=zone)


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
    conditional: bool = True,
    zone: tzinfo = UTC,
) -> Ticket:
    """One conditional UPDATE and its entry. The version counts every step, so two steps at once cannot both win."""
    own = update(Ticket).where(Ticket.id == ticket.id)
    if only_from:
        own = own.where(Ticket.state.in_(only_from))
    elif what != "noted" and conditional:
        own = own.where(Ticket.version == ticket.version)
    entry = TicketEntry(ticket_id=ticket.id, at=now, by=by, what=what, text=text, changes=dict(changes or {}))
    set_ = {"changed_at": now, "version": Ticket.version + 1} | dict(values or {})
    if values:
        urgent = values.get("urgent")
        set_ |= deadlines.told(db, ticket, [*ticket.entries, entry], now, zone, urgent)
    if changed(db, own.values(**set_)) != 1:
        raise WrongTicketState(ticket.number)
    _refresh(db, ticket)
    entry.version = ticket.version
    db.add(entry)
    db.flush()
    db.expire(ticket, ["entries"])
    findable.keep_ticket(db, ticket)
    _say(db, ticket, what, by, now)
    return ticket


def _refresh(db: Session, ticket: Ticket) -> None:
    db.refresh(ticket, [column.key for column in Ticket.__mapper__.column_attrs])
    db.expire(ticket, ["customer", "engine", "entries"])


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _words(text: str, longest: int = 20_000) -> str:
    """Clean, and too long is said, never cut."""
    kept = clean(text)
    if len(kept) > longest:
        raise TicketIncomplete({"notes": too_long(longest)})
    return kept
