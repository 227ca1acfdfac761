"""The desk: the one page an agent works in, and what he does there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

import ticketing.drafts
from agent_desktop import calling, drafts, line, seat
from agent_desktop import card as cards
from agent_desktop.calls import bind_caller, load_call
from agent_desktop.control import OwnCall
from agent_desktop.desktop import Reading
from agent_desktop.kept import kept_for
from agent_desktop.line_check import is_due
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.seat import BREAKS, Seat, call_backs, own_day, seat_of, waiting
from agent_desktop.session import allow
from agent_desktop.windows import window_of
from agent_desktop.words import english
from callcenter import phone
from callcenter.database import now
from callcenter.errors import BadInput, CallCenterError
from callcenter.events import Event
from config.people import User
from cti import dispositions, helping, wishes
from cti.moves import Seats
from cti.rows import Call
from ticketing import catalogue, customers, duties, search, tickets
from ticketing.kinds import TicketIncomplete
from ticketing.rows import CustomerKind, Ticket
from ticketing.versions import StaleTicket

SEARCHED = 12
CARD_TEMPLATES = tuple(f"desk/{name}.html" for name in ("card", "head", "engines", "parts"))

router = APIRouter()


# --- the page and its state ---------------------------------------------------------------------------------------


@router.get("/desk", dependencies=[allow("desk")])
def desk(page: PageHere, db: Reading) -> HTMLResponse:
    for name in CARD_TEMPLATES:  # compiled now, not while the first call of the day rings
        page.desktop.environments[page.language].get_template(name)
    return page.render(
        "desk/desk.html",
        state=_state(page, db),
        typed=drafts.of_user(db, page),
        line_check_due=is_due(db, page.user.login, now()),
        breaks=BREAKS,
        outcomes=dispositions.offered(db),
        catalogue=catalogue.current(db),
        **_idle(page, db),
    )


@router.get("/desk/now", dependencies=[allow("desk")])
def state(page: PageHere, db: Reading) -> JSONResponse:
    """The agent's own state and his queues, in words; read after every nudge."""
    return JSONResponse(_state(page, db), headers={"Cache-Control": "no-store"})


@router.get("/desk/idle", dependencies=[allow("desk")])
def idle(page: PageHere, db: Reading) -> HTMLResponse:
    """What is shown between calls: one's promises, queues and figures."""
    return page.render("desk/idle.html", **_idle(page, db))


def _state(page: Page, db: Session) -> dict[str, Any]:
    seat = seat_of(db, page.user, page.settings, page.language)
    words = page._(english("agent_status", seat.status) if seat.state == "idle" else english("agent_state", seat.state))
    call = db.get(Call, seat.call_id) if seat.call_id and seat.state != "idle" else None
    if call is not None and call.direction != "in" and not any(char.isdigit() for char in call.did):
        call = None  # one's own phone is rung: for a number not dialled yet, or to listen
    on_line = seat.state == "talking" and seat.call_id is not None
    seats = Seats.of(wishes.live_legs(db, seat.call_id or "") if on_line else [], seat.extension)
    third = line.asked(db, page.settings, seat.call_id or "", seats)
    return {
        "now": now().timestamp(),
        "extension": seat.extension,
        "status": seat.status,
        "state": seat.state,
        "tone": seat.tone,
        "words": words,
        "reason": page._(english("status_reason", seat.reason)) if seat.reason else "",
        "after": _after(page, seat),
        "missed": seat.reason == "missed" and seat.status == "on_break",
        "since": _seconds(seat.since),
        "queue": seat.queue,
        "wrap_up_until": _seconds(seat.wrap_up_until),
        "phone_window": page.desktop.hub.open_window(
            page.user, window_of(db, seat.extension), reachable=seat.reachable
        ),
        "kept": kept_for(db, seat.extension, page.settings.switch.keep_caller_s),
        "reachable": seat.reachable,
        "desk_phone": seat.desk_phone,
        "call_id": call.call_id if call else None,
        "number": phone.pretty(cards.number_of(call), page.settings.centre.country) if call else "",
        "answered_at": _seconds(call.answered_at) if call else None,
        "asked": {"name": third.name, "state": third.state, "since": _seconds(third.since)} if third else None,
        "help": _help(db, seat.extension, seat.call_id if on_line else None),
        "outcome": said.code if call and (said := dispositions.said(db, call.call_id, seat.extension)) else "",
        "may_hand_on": seats.with_customer and not seats.meeting and third is None,
        "parked": [
            {"call_id": one.call_id, "title": one.title, "since": _seconds(one.since), "by": one.by}
            for one in line.parked(db, page.settings)
        ],
        "queues": [
            {
                "queue": own.queue,
                "title": own.title,
                "target_s": own.target_s,
                "waiting": own.waiting,
                "since": _seconds(own.since),
            }
            for own in waiting(db, seat.extension, page.language)
        ],
    }


def _after(page: Page, seat: Seat) -> str:
    """What he has chosen for the time after his call or his wrap-up, if that is not the next call."""
    if seat.state == "idle" or seat.status == "available":
        return ""
    return page._(english("status_reason", seat.reason) if seat.reason else english("agent_status", seat.status))


def _help(db: Session, extension: str, call_id: str | None) -> dict[str, Any] | None:
    """The help the agent has asked for in this call."""
    row = helping.mine(db, extension, call_id) if call_id is not None else None
    if row is None:
        return None
    name = db.scalar(select(User.name).where(User.login == row.taken_by)) if row.taken_by else ""
    return {"id": row.id, "since": _seconds(row.at), "taken_by": name or "", "note": row.note}


def _idle(page: Page, db: Session) -> dict[str, Any]:
    at = now()
    return {
        "duties": duties.of_owner(db, page.user.login, 20),
        "due": cards.due(db, page.user.login, at),
        "day": own_day(db, page.user, at, page.settings.centre.zone),
        "queues": waiting(db, page.user.extension or "", page.language),
        "callbacks": calling.own_callbacks(db, page),
        "call_backs": call_backs(db, page.settings, at),
        "drafts": drafts.waiting(db, page),
    }


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None


# --- the card -----------------------------------------------------------------------------------------------------


@router.get("/desk/card/{call_id}", dependencies=[allow("desk")])
def card(page: PageHere, db: Reading, call: OwnCall) -> HTMLResponse:
    return _card(page, db, call.call_id)


def _card(page: Page, db: Session, call_id: str) -> HTMLResponse:
    return page.render("desk/card.html", **_composed(page, db, call_id))


def card_text(page: Page, call_id: str) -> str:
    """The card's markup, for the live link: one that rings is sent before it is asked for."""
    with page.database.read() as db:
        return page.text("desk/card.html", **_composed(page, db, call_id))


def _composed(page: Page, db: Session, call_id: str) -> dict[str, Any]:
    at = now()
    card = cards.compose(db, call_id, language=page.language, now=at, today=page.settings.centre.day(at))
    form = catalogue.current(db).version
    said = line.said_with(db, call_id, page.user) if card.call.moved else None
    promised = duties.of_customer(db, card.person.id, 3) if card.person else ()
    about = {"card": card, "said": said, "form": form, "kinds": CustomerKind}
    return about | {"soon": cards.DUE_SOON, "promised": promised}


@router.get("/desk/form", dependencies=[allow("desk")])
def blank_form(page: PageHere, db: Reading) -> HTMLResponse:
    """The form of a ticket as its kinds are now, for a desk that was opened before they were changed."""
    return page.render("desk/form.html", catalogue=catalogue.current(db))


@router.get("/desk/search", dependencies=[allow("desk")])
def find(page: PageHere, db: Reading, q: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    centre = page.settings.centre
    hits = search.find(db, q, page.user, limit=SEARCHED, country=centre.country, area_code=centre.area_code)
    return page.render("desk/search.html", hits=hits, text=q.strip())


# --- what the agent does ------------------------------------------------------------------------------------------


@router.post("/desk/status", dependencies=[allow("desk")])
def choose_status(
    page: PageHere, status: Annotated[str, Form()], reason: Annotated[str, Form(max_length=40)] = ""
) -> JSONResponse:
    return _recorded(page, lambda db: seat.choose(db, page.user, status, reason, now()))


@router.post("/desk/wrapup/finish", dependencies=[allow("desk")])
def finish_wrap_up(page: PageHere) -> JSONResponse:
    return _recorded(page, lambda db: seat.finish_wrap_up(db, page.user, now()))


def _recorded(page: Page, step: Callable[[Session], Sequence[Event]]) -> JSONResponse:
    with page.database.write() as db:
        told = step(db)
    page.publish(told)
    with page.database.read() as db:
        return JSONResponse(_state(page, db))


@router.post("/desk/calls/{call_id}/customer", dependencies=[allow("desk"), allow("customers.write")])
def bind_customer(page: PageHere, call: OwnCall, customer_id: Annotated[int, Form()]) -> HTMLResponse:
    at = now()
    with page.database.write() as db:
        told = bind_caller(db, call, customers.load_customer(db, customer_id, page.user), page.user, at)
    page.publish(told)
    with page.database.read() as db:
        return _card(page, db, call.call_id)


@router.post("/desk/customers", dependencies=[allow("desk"), allow("customers.write")])
def create_customer(
    page: PageHere,
    reading: Reading,
    call_id: Annotated[str, Form(max_length=150)],
    name: Annotated[str, Form(max_length=200)] = "",
    kind: Annotated[str, Form(max_length=20)] = CustomerKind.END_USER.value,
    number: Annotated[str, Form(max_length=60)] = "",
    region: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Put the caller on file and bind the call to him."""
    call = load_call(reading, call_id, page.user)
    at, centre = now(), page.settings.centre
    try:
        with page.database.write() as db:
            customer = customers.create(
                db,
                kind,
                name,
                at,
                phones=[number] if number.strip() else [],
                region=region,
                language=page.language,
                country=centre.country,
                area_code=centre.area_code,
            )
            told = bind_caller(db, call, customer, page.user, at)
    except BadInput as fault:
        return _refused(page, fault)
    page.publish(told)
    with page.database.read() as db:
        return _card(page, db, call.call_id)


@router.post("/desk/tickets", dependencies=[allow("desk"), allow("tickets.write")])
def save_ticket(page: PageHere, reading: Reading, sent: SentForm) -> JSONResponse:
    """Open a ticket, or change one that is open and add the words to it."""
    call = load_call(reading, sent["call_id"], page.user) if sent.get("call_id") else None
    at = now()
    try:
        with page.database.write() as db:
            ticket = _change(db, page, sent, at) if sent.get("id") else _open(db, page, sent, call, at)
            if sent.get("close"):
                ticket = _settle(db, page, ticket, at, first=not sent.get("id"))
            if call is not None:
                ticketing.drafts.drop(db, page.user.login, call.call_id, drafts.FORM, until=at)
            told = tickets.nudge(ticket)
            saved = {
                "id": ticket.id,
                "number": ticket.number,
                "version": ticket.version,
                "state": ticket.state,
                "at": page.format.local(at, "seconds"),
            }
    except CallCenterError as fault:
        return _refused(page, fault)
    page.bus.publish(told)
    return JSONResponse(saved)


def _open(db: Session, page: Page, sent: dict[str, str], call: Call | None, at: datetime) -> Ticket:
    return tickets.open_ticket(
        db,
        sent.get("kind", ""),
        subject=sent.get("subject", ""),
        by=page.user.login,
        now=at,
        customer_id=_number(sent, "customer_id"),
        engine_id=_number(sent, "engine_id"),
        call_id=call.call_id if call else None,
        station_id=_number(sent, "station_id"),
        fields=_answers(sent),
        notes=sent.get("notes", ""),
        urgent=True if sent.get("urgent") else None,
        due_at=_due(page, sent),
        zone=page.settings.centre.zone,
    )


def _change(db: Session, page: Page, sent: dict[str, str], at: datetime) -> Ticket:
    ticket = tickets.load_ticket(db, _number(sent, "id") or 0, page.user)
    changes: dict[str, Any] = {
        "subject": sent.get("subject", ""),
        "urgent": bool(sent.get("urgent")),
        "fields": _answers(sent),
        "customer_id": _number(sent, "customer_id"),
        "engine_id": _number(sent, "engine_id"),
    }
    due = _due(page, sent)
    if due is not None:
        changes["due_at"] = due
    version = _number(sent, "version") or 0
    zone = page.settings.centre.zone
    ticket = tickets.change(db, ticket, version=version, by=page.user.login, now=at, zone=zone, **changes)
    if sent.get("notes", "").strip():
        ticket = tickets.note(db, ticket, sent["notes"], by=page.user.login, now=at)
    return ticket


def _settle(db: Session, page: Page, ticket: Ticket, at: datetime, *, first: bool) -> Ticket:
    """Settled with this call; of an inquiry that is kept as solved at first contact."""
    by, zone = page.user.login, page.settings.centre.zone
    if first and catalogue.current(db).form(ticket.kind).field("first_contact"):
        told = {"first_contact": True}
        ticket = tickets.change(db, ticket, version=ticket.version, by=by, now=at, zone=zone, fields=told)
    return tickets.close(db, ticket, by=by, now=at, zone=zone)


def _answers(sent: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("field."): value for name, value in sent.items() if name.startswith("field.")}


def _number(sent: dict[str, str], name: str) -> int | None:
    text = sent.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise BadInput(f"{name}: {text[:20]}")
    return int(text)


def _due(page: Page, sent: dict[str, str]) -> datetime | None:
    text = sent.get("due", "").strip()
    return page.when(text) if text else None


def _refused(page: Page, fault: CallCenterError) -> JSONResponse:
    """What was wrong, by field where it is known; the page keeps what was typed."""
    faults = fault.faults if isinstance(fault, TicketIncomplete | StaleTicket) else {}
    said: dict[str, Any] = {
        "message": page._(fault.sentence),
        "detail": "" if faults else page.detail(fault),
        "faults": {name: wrong.text(page.language) for name, wrong in faults.items()},
    }
    if isinstance(fault, StaleTicket):
        said["version"] = fault.ticket.version  # saving once more is done knowing what it replaces
        answers = {f"field.{name}": value for name, value in fault.theirs.get("fields", {}).items()}
        said["theirs"] = {name: fault.theirs[name] for name in ("subject", "urgent") if name in fault.theirs} | answers
    return JSONResponse(said, status_code=fault.status)
