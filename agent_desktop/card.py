"""The card: what an agent must see about a call while it rings, composed in a handful of indexed reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from agent_desktop.card_lines import (
    CallFacts,
    Card,
    EngineLine,
    Moment,
    PastCall,
    Person,
    PhoneLine,
    PromiseLine,
    RecordLine,
    TicketLine,
)
from callcenter.errors import NotFound
from config.people import User
from config.queues import Queue
from cti.rows import Call
from recordings.rows import Recording
from ticketing import customers, engines
from ticketing import warranty as warranties
from ticketing.customers import Level
from ticketing.duties import Duty, DutyState
from ticketing.record_rows import Entry
from ticketing.rows import Customer, Engine, Phone, Ticket, TicketKind, TicketState

LINES = 30
"""How much of the past the card carries; the customer's own page has the rest."""
RECORDS = 12
ENGINES = 100
DUE_SOON = timedelta(hours=2)
NEVER = datetime.max.replace(tzinfo=UTC)

# Built once, and only the columns that are shown: while it rings each millisecond of a card is an agent's.
_IDS: Any = bindparam("ids", expanding=True)
_QUEUES = select(Queue)
_PHONES = select(Phone).where(Phone.customer_id.in_(_IDS)).order_by(Phone.id)
_OWNED = select(Engine).where(Engine.customer_id == bindparam("id")).order_by(Engine.id.desc()).limit(ENGINES)
_NAMES = select(Customer.id, Customer.name).where(Customer.id.in_(_IDS))
_LINE = (
    *(Ticket.id, Ticket.number, Ticket.kind, Ticket.state, Ticket.urgent, Ticket.subject, Ticket.opened_at),
    *(Ticket.due_at, Ticket.engine_id, Ticket.call_id),
)
_TICKETS = (
    select(*_LINE)
    .where(
        or_(
            Ticket.call_id == bindparam("call_id"),
            Ticket.customer_id == bindparam("customer_id"),
            Ticket.engine_id == bindparam("engine_id"),
        )
    )
    .order_by(Ticket.opened_at.desc())
)
_NEWEST = _TICKETS.limit(LINES)
_STILL_OPEN = _TICKETS.where(Ticket.state != TicketState.CLOSED).limit(100)
_RECORDED = exists().where(Recording.call_id == Call.call_id)
_PAST = (
    select(
        *(Call.call_id, Call.started_at, Call.direction, Call.outcome, Call.queue, Call.agent, Call.talk_ms),
        User.name,
        _RECORDED.label("recorded"),
    )
    .outerjoin(User, User.extension == Call.agent)
    .where(or_(Call.caller_number == bindparam("number"), Call.customer_id.in_(_IDS)))
    .where(Call.call_id != bindparam("call_id"))
    .order_by(Call.started_at.desc())
    .limit(LINES)
)

_ENTRIES = (
    select(*(Entry.at, Entry.what, Entry.text, Entry.changes, Entry.engine_id))
    .where(or_(Entry.customer_id.in_(_IDS), Entry.engine_id.in_(bindparam("engines", expanding=True))))
    .where(Entry.what.in_(("noted", "reading", "owner", "installation", "merged")))
    .order_by(Entry.at.desc())
    .limit(RECORDS)
)
_PROMISED = (
    select(Duty)
    .where(Duty.customer_id.in_(_IDS), Duty.kind == "promise", Duty.ticket_id.is_(None))
    .where((Duty.state != DutyState.OPEN.value) | (Duty.due_at < bindparam("now")))
    .order_by(Duty.due_at.desc())
    .limit(RECORDS)
)


def compose(db: Session, call_id: str, *, language: str, now: datetime, today: date) -> Card:
    """Everything the card shows; NotFound for a call nobody has heard of. ``today`` is the centre's."""
    call = db.get(Call, call_id)
    if call is None:
        raise NotFound("call %(call_id)s", call_id=call_id)
    queues = {queue.name: queue for queue in db.scalars(_QUEUES)}
    titles = {queue.name: queue.title(language) for queue in queues.values()}
    found = customers.by_number(db, number_of(call)) if number_of(call) else []
    person, others = _people(db, call, found)
    phones = _phones(db, [*others, person] if person else others)
    counted = _counts(db, [customer.id for customer in others])
    maybe = {customer.id for customer, level in found if level == "maybe"}
    wished = _wished_engine(db, call.wished_serial)
    owned = _engines_of(db, person.id if person else None, wished)
    tickets = _tickets(db, person.id if person else None, wished.id if wished else None, call_id)
    ends = {engine.id: engine.serial[-engines.SERIAL_END :] for engine in owned}
    lines = [_ticket_line(ticket, ends, now) for ticket in tickets]
    still_open = [line for line in lines if line.state != TicketState.CLOSED]
    engine_lines = _engine_lines(db, owned, still_open, today, language)
    likely = _likely(engine_lines, wished, still_open)
    engine_lines.sort(key=lambda line: (line is not likely, -line.open_tickets))
    whose = customers.ids_of(db, person) if person else []
    past = _past_calls(db, call, whose, titles)
    promises = sorted(
        (line for line in still_open if line.call_id != call_id),
        key=lambda line: (line.kind != TicketKind.RESCUE, line.due_at or NEVER),
    )
    moments = [Moment(at=line.opened_at, ticket=line) for line in lines] + [Moment(at=one.at, call=one) for one in past]
    moments += _records(db, whose, owned) + _promised(db, whose, now)
    moments.sort(key=lambda moment: moment.at, reverse=True)
    return Card(
        call=_call_facts(call, titles),
        kind=_kind(call, queues.get(call.queue or "")),
        person=_person(person, call, phones[person.id], (len(owned), len(still_open))) if person else None,
        others=tuple(_person(one, call, phones[one.id], counted[one.id], maybe=one.id in maybe) for one in others),
        engines=tuple(engine_lines),
        engine=likely,
        promises=tuple(promises),
        open_tickets=tuple(still_open),
        mine=tuple(line for line in lines if line.call_id == call_id),
        timeline=tuple(moments[:LINES]),
    )


def due(db: Session, login: str, now: datetime, limit: int = 20) -> list[tuple[TicketLine, str]]:
    """The open tickets of one's own that promise something by a time, with the customer's name; latest first."""
    rows = db.execute(
        select(*_LINE, Customer.name)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .where(Ticket.state.in_((TicketState.OPEN, TicketState.WAITING)), Ticket.due_at.is_not(None))
        .where(or_(Ticket.owner == login, (Ticket.owner == "") & (Ticket.opened_by == login)))
        .order_by(Ticket.due_at)
        .limit(limit)
    ).all()
    ends = _ends(db, rows)
    return [(_ticket_line(row, ends, now), row.name or "") for row in rows]


def number_of(call: Call) -> str:
    """Without the words that carriers send in place of a withheld number: they are nobody's number."""
    number = call.caller_number if call.direction == "in" else call.did or call.caller_number
    return number if any(char.isdigit() for char in number) else ""


def _kind(call: Call, queue: Queue | None) -> str:
    if call.wished_kind in set(TicketKind):
        return call.wished_kind
    return queue.ticket_kind if queue is not None else TicketKind.INQUIRY.value


def _call_facts(call: Call, titles: dict[str, str]) -> CallFacts:
    waiting = call.state in ("waiting", "ringing")
    return CallFacts(
        call_id=call.call_id,
        state=call.state,
        direction=call.direction,
        number=number_of(call),
        name=call.caller_name,
        queue=titles.get(call.queue or "", call.queue or ""),
        agent=call.agent or "",
        wished_kind=call.wished_kind,
        wished_serial=call.wished_serial,
        menu=tuple((str(step.get("step", "")), str(step.get("heard", ""))) for step in call.menu or ()),
        started_at=call.started_at,
        moved=bool(call.transfers or call.holds),
        waiting_since=call.joined_at if waiting else None,
        waited_ms=call.wait_ms,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
    )


def _people(db: Session, call: Call, found: list[tuple[Customer, Level]]) -> tuple[Customer | None, list[Customer]]:
    """The caller, where that is certain or was chosen, and who else may be meant by the number."""
    known = [customer for customer, level in found if level == "known"]
    person = customers.standing(db, call.customer_id) if call.customer_id is not None else None
    if person is None and len(known) == 1:
        person = known[0]
    return person, [customer for customer, _ in found if person is None or customer.id != person.id]


def _phones(db: Session, people: Iterable[Customer]) -> dict[int, list[Phone]]:
    lines: dict[int, list[Phone]] = {customer.id: [] for customer in people}
    if lines:
        for phone in db.scalars(_PHONES, {"ids": list(lines)}):
            lines[phone.customer_id].append(phone)
    return lines


def _counts(db: Session, customer_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Engines and open tickets of each."""
    if not customer_ids:
        return {}
    owned = select(Engine.customer_id, func.count()).where(Engine.customer_id.in_(customer_ids))
    opened = select(Ticket.customer_id, func.count()).where(
        Ticket.customer_id.in_(customer_ids), Ticket.state != TicketState.CLOSED
    )
    engines_of = {row[0]: row[1] for row in db.execute(owned.group_by(Engine.customer_id))}
    tickets_of = {row[0]: row[1] for row in db.execute(opened.group_by(Ticket.customer_id))}
    return {one: (engines_of.get(one, 0), tickets_of.get(one, 0)) for one in customer_ids}


def _person(
    customer: Customer, call: Call, phones: list[Phone], counted: tuple[int, int], *, maybe: bool = False
) -> Person:
    return Person(
        id=customer.id,
        name=customer.name,
        kind=customer.kind,
        region=customer.region,
        address=customer.address,
        note=customer.note,
        maybe=maybe,
        phones=tuple(
            PhoneLine(
                number=phone.number,
                label=phone.label,
                calling=phone.number == number_of(call),
                maybe=phone.level != "known",
            )
            for phone in phones
        ),
        engines=counted[0],
        open_tickets=counted[1],
    )


def _wished_engine(db: Session, serial: str) -> Engine | None:
    """The engine whose number the caller gave in the menu, if that is one and not several."""
    found = engines.find(db, serial, limit=2)
    return found[0] if len(found) == 1 else None


def _engines_of(db: Session, customer_id: int | None, wished: Engine | None) -> list[Engine]:
    owned: list[Engine] = []
    if customer_id is not None:
        owned = list(db.scalars(_OWNED, {"id": customer_id}))
    if wished is not None and all(engine.id != wished.id for engine in owned):
        owned.insert(0, wished)  # another's engine, or a stranger's: still the one he calls about
    return owned


def _engine_lines(
    db: Session, rows: list[Engine], still_open: list[TicketLine], today: date, language: str
) -> list[EngineLine]:
    people = {row.dealer_id for row in rows} | {row.customer_id for row in rows}
    people.discard(None)
    names: dict[int | None, str] = {}
    if people:
        names = {row[0]: row[1] for row in db.execute(_NAMES, {"ids": list(people)})}
    rules = warranties.rules(db) if rows else ()
    lines = []
    for row in rows:
        warranty = warranties.warranty(row, today, rules)
        lines.append(
            EngineLine(
                id=row.id,
                serial=row.serial,
                model=row.model,
                vehicle=row.vehicle,
                owner_id=row.customer_id,
                owner=names.get(row.customer_id, ""),
                dealer=names.get(row.dealer_id, ""),
                sold_on=row.sold_on,
                hours=row.hours,
                hours_on=row.hours_on,
                warranty=str(warranty.state),
                warranty_until=warranty.until,
                worn=warranty.state == warranties.Cover.OUT and warranty.until is not None and warranty.until >= today,
                hours_limit=warranty.hours_limit,
                clause=warranty.clause,
                why=warranty.why(language),
                run_in=str(warranty.run_in) if warranty.in_doubt or warranty.run_in == warranties.RunIn.DUE else "",
                open_tickets=sum(1 for line in still_open if line.engine_id == row.id),
            )
        )
    return lines


def _likely(lines: list[EngineLine], wished: Engine | None, still_open: list[TicketLine]) -> EngineLine | None:
    """The engine the caller named, else that of his newest open ticket, else his only one; several: none is guessed."""
    by_id = {line.id: line for line in lines}
    if wished is not None:
        return by_id[wished.id]
    for ticket in still_open:
        if ticket.engine_id in by_id:
            return by_id[ticket.engine_id]
    return lines[0] if len(lines) == 1 else None


def _tickets(db: Session, customer_id: int | None, engine_id: int | None, call_id: str) -> list[Any]:
    """Newest first: all that are open, the latest of the rest, and those of this call."""
    whose = {"call_id": call_id, "customer_id": customer_id, "engine_id": engine_id}
    rows = list(db.execute(_NEWEST, whose))
    if len(rows) == LINES:
        seen = {row.id for row in rows}
        rows += [row for row in db.execute(_STILL_OPEN, whose) if row.id not in seen]
    return rows


def _ends(db: Session, tickets: Iterable[Any]) -> dict[int, str]:
    ids = {ticket.engine_id for ticket in tickets if ticket.engine_id is not None}
    if not ids:
        return {}
    return {
        row[0]: row[1][-engines.SERIAL_END :]
        for row in db.execute(select(Engine.id, Engine.serial).where(Engine.id.in_(ids)))
    }


def _ticket_line(ticket: Any, ends: dict[int, str], now: datetime) -> TicketLine:
    late = ticket.due_at is not None and ticket.due_at < now and ticket.state != TicketState.CLOSED
    return TicketLine(
        id=ticket.id,
        number=ticket.number,
        kind=ticket.kind,
        state=ticket.state,
        urgent=ticket.urgent,
        subject=ticket.subject,
        opened_at=ticket.opened_at,
        due_at=ticket.due_at,
        late_s=int((now - ticket.due_at).total_seconds()) if late and ticket.due_at else None,
        engine_id=ticket.engine_id,
        engine_end=ends.get(ticket.engine_id or 0, ""),
        call_id=ticket.call_id,
    )


def _records(db: Session, customer_ids: Sequence[int], owned: Sequence[Engine]) -> list[Moment]:
    """Notes, readings, owners, installation: of the customer, and of his engines or the one he calls about."""
    ends = {engine.id: engine.serial[-engines.SERIAL_END :] for engine in owned[:RECORDS]}
    if not customer_ids and not ends:
        return []
    found = db.execute(_ENTRIES, {"ids": list(customer_ids), "engines": list(ends)})
    return [
        Moment(
            at=row.at,
            record=RecordLine(
                what=row.what, text=row.text, told=row.changes, engine_end=ends.get(row.engine_id or 0, "")
            ),
        )
        for row in found
    ]


def _promised(db: Session, customer_ids: Sequence[int], now: datetime) -> list[Moment]:
    """What was promised beside tickets, and what became of it; what is still to come stands above the time line."""
    found = db.scalars(_PROMISED, {"ids": list(customer_ids), "now": now}) if customer_ids else ()
    return [
        Moment(
            at=duty.due_at,
            promise=PromiseLine(text=duty.text, state=duty.stands(now).value, due_at=duty.due_at),
        )
        for duty in found
    ]


def _past_calls(db: Session, call: Call, customer_ids: Sequence[int], titles: dict[str, str]) -> list[PastCall]:
    number = number_of(call) or None
    if number is None and not customer_ids:
        return []
    rows = db.execute(_PAST, {"number": number, "ids": customer_ids, "call_id": call.call_id})
    return [
        PastCall(
            call_id=row.call_id,
            at=row.started_at,
            direction=row.direction,
            outcome=row.outcome,
            queue=titles.get(row.queue or "", row.queue or ""),
            agent=row.name or row.agent or "",
            talk_ms=row.talk_ms,
            recorded=row.recorded,
        )
        for row in rows
    ]
