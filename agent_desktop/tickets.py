"""Tickets: the list, one ticket, and the steps it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop import ticket_lines, ticket_panels
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput
from config.people import User, names
from ticketing import catalogue, deadlines, guides, knowledge, search, tickets
from ticketing.catalogue import Catalogue
from ticketing.kinds import Fault, Field, Form, Stage, TicketIncomplete
from ticketing.rows import Ticket, TicketKind, TicketState
from ticketing.versions import Merged, StaleTicket

AT_ONCE = 50

router = APIRouter()


def readable_ticket(page: PageHere, db: Reading, ticket_id: Id) -> Ticket:
    return tickets.load_ticket(db, ticket_id, page.user)


TicketHere = Annotated[Ticket, Depends(readable_ticket)]


@router.get("/tickets", dependencies=[allow("tickets")])
def list_tickets(
    page: PageHere,
    db: Reading,
    state: Annotated[str, Query(max_length=10)] = "undone",
    kind: Annotated[str, Query(max_length=12)] = "",
    owner: Annotated[str, Query(max_length=40)] = "",
    late: bool = False,
    q: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
) -> HTMLResponse:
    """``state`` is one state, or undone (open and waiting), or all."""
    about = _found(page, db, q) if q.strip() else None
    states = {"undone": tickets.UNDONE, "all": ()}.get(state, (state,))
    found = tickets.listed(
        db,
        page.user,
        states=states,
        kind=kind,
        owner=owner,
        late_at=now() if late else None,
        about=about,
        below_id=before,
        limit=AT_ONCE + 1,
    )
    rows, more = found[:AT_ONCE], len(found) > AT_ONCE
    return page.render(
        "tickets.html",
        rows=rows,
        hands=ticket_lines.hands(page, db, rows, now()),
        names=names(db),
        stands={row.id: ticket_lines.standing(page, db, row, now()) for row in rows},
        forms=catalogue.current(db).forms,
        next=rows[-1].id if more else "",
        asked={"state": state, "kind": kind, "owner": owner, "late": "true" if late else "", "q": q},
        kinds=TicketKind,
    )


def _found(page: Page, db: Session, text: str) -> dict[str, list[int]]:
    """What the search box finds by these words, as ids by kind."""
    centre = page.settings.centre
    found: dict[str, list[int]] = defaultdict(list)
    for hit in search.find(db, text, page.user, limit=200, country=centre.country, area_code=centre.area_code):
        found[hit.kind].append(hit.id)
    return found


@router.get("/tickets/{ticket_id}", dependencies=[allow("tickets")])
def show_ticket(page: PageHere, db: Reading, ticket: TicketHere) -> HTMLResponse:
    return show(page, db, ticket)


def show(
    page: Page,
    db: Session,
    ticket: Ticket,
    *,
    status: int = 200,
    faults: Mapping[str, Fault] | None = None,
    typed: Mapping[str, str] | None = None,
    merged: Merged | None = None,
    why: str = "",
    link: tuple[str, str] | None = None,
) -> HTMLResponse:
    """``typed`` is a form that was refused: it is shown again as it was sent, with the faults beside its fields."""
    at, zone = now(), page.settings.centre.zone
    held = catalogue.current(db)
    form = held.form(ticket.kind)
    users = db.scalars(select(User).order_by(User.login)).all()
    called, at_work = {user.login: user.name for user in users}, {user.login for user in users if user.active}
    undone = ticket.state in tickets.UNDONE
    clock = deadlines.of(db, ticket, at, zone)
    shown = ticket_lines.held_by(ticket, page)
    if typed and "subject" in typed:
        shown |= merged.values if merged else typed
    return page.render(
        "ticket.html",
        status=status,
        ticket=ticket,
        form=form,
        answers=[(field, field.word(ticket.fields.get(field.name), page.language)) for field in _asked(held, ticket)],
        names=called,
        people=[(login, name) for login, name in called.items() if login in at_work or login == ticket.owner],
        stages=[stage for stage in form.stages if _may_follow(form, ticket, stage)],
        stage=form.stage(ticket.stage),
        shown=shown,
        note=(typed or {}).get("text", ""),
        why=why,
        merged=merged,
        hand=ticket_lines.hands(page, db, [ticket], at)[ticket.id],
        answer=ticket_lines.response(page, clock, at),
        stands=ticket_lines.standing(page, db, ticket, at),
        lines=ticket_lines.lines(page, held, ticket, called),
        used=knowledge.used_for(db, ticket_id=ticket.id, call_id=ticket.call_id),
        asked=guides.answered(db, ticket_id=ticket.id, call_id=ticket.call_id),
        **ticket_panels.stations(page, db, ticket, form, at),
        **ticket_panels.team(page, db, ticket),
        link=link,
        faults={name: fault.text(page.language) for name, fault in (faults or {}).items()},
        undone=undone,
    )


def _asked(held: Catalogue, ticket: Ticket) -> list[Field]:
    """The questions that have an answer, the ones no longer asked among them."""
    form = held.form(ticket.kind)
    known = {field.name for field in form.fields}
    former = (held.field(ticket.kind, name) for name in ticket.fields if name not in known)
    return [field for field in form.fields if field.name in ticket.fields] + [field for field in former if field]


def _may_follow(form: Form, ticket: Ticket, stage: Stage) -> bool:
    here = form.stage(ticket.stage)
    return stage.state is not TicketState.CLOSED and (
        stage.code == ticket.stage or not here.next or stage.code in here.next
    )


@router.post("/tickets/{ticket_id}", dependencies=[allow("tickets.write")])
def change_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    """The whole form of an open ticket; ``version`` is what the changer was looking at."""

    def change(db: Session, ticket: Ticket) -> Ticket:
        ticks = [field.name for field in catalogue.current(db).form(ticket.kind).fields if field.shape == "tick"]
        answers = dict.fromkeys(ticks, "") | {
            name.removeprefix("field."): text for name, text in sent.items() if name.startswith("field.")
        }
        changes: dict[str, Any] = {"stage": sent["stage"]} if sent.get("stage") else {}
        if not changes and sent.get("state"):
            changes["state"] = sent["state"]
        due = sent.get("due_at", "")
        if due != sent.get("due_was", due if not due else ""):
            changes["due_at"] = page.when(due) if due else None
        return tickets.change(
            db,
            ticket,
            version=_version(sent),
            by=page.user.login,
            now=now(),
            zone=page.settings.centre.zone,
            subject=sent.get("subject", ""),
            owner=sent.get("owner", "")[:40],
            urgent="urgent" in sent,
            fields=answers,
            **changes,
        )

    return step(page, ticket_id, sent, change)


@router.post("/tickets/{ticket_id}/note", dependencies=[allow("tickets.write")])
def note_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    words = sent.get("text", "")
    return step(
        page, ticket_id, sent, lambda db, ticket: tickets.note(db, ticket, words, by=page.user.login, now=now())
    )


@router.post("/tickets/{ticket_id}/close", dependencies=[allow("tickets.write")])
def close_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    return step(
        page,
        ticket_id,
        sent,
        lambda db, ticket: tickets.close(
            db, ticket, by=page.user.login, now=now(), text=sent.get("text", ""), zone=page.settings.centre.zone
        ),
    )


@router.post("/tickets/{ticket_id}/reopen", dependencies=[allow("tickets.write")])
def reopen_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    return step(
        page,
        ticket_id,
        sent,
        lambda db, ticket: tickets.reopen(
            db, ticket, by=page.user.login, now=now(), text=sent.get("text", ""), zone=page.settings.centre.zone
        ),
    )


def step(page: Page, ticket_id: Id, typed: Mapping[str, str], take: Callable[[Session, Ticket], Ticket]) -> Response:
    """Take the step and show the ticket; what is refused is shown again as typed, with why beside its fields."""
    try:
        with page.database.write() as db:
            ticket = take(db, tickets.load_ticket(db, ticket_id, page.user))
    except (TicketIncomplete, StaleTicket) as fault:
        with page.database.read() as db:
            ticket = tickets.load_ticket(db, ticket_id, page.user)
            why, together = page._(fault.sentence), None
            if "subject" in typed:
                fields = catalogue.current(db).form(ticket.kind).fields
                typed = ticket_lines.sent_sheet(typed, [field.name for field in fields if field.shape == "tick"])
            if isinstance(fault, StaleTicket) and "subject" in typed:
                together = ticket_lines.brought_together(page, ticket, _version(typed), typed)
            return show(
                page, db, ticket, status=fault.status, faults=fault.faults, typed=typed, merged=together, why=why
            )
    page.bus.publish(tickets.nudge(ticket))
    return RedirectResponse(f"/tickets/{ticket_id}", status_code=303)


def _version(sent: Mapping[str, str]) -> int:
    text = sent.get("version", "")
    if not text.isdecimal() or len(text) > 9:
        raise BadInput("version %(text)s", text=repr(text[:20]))
    return int(text)
