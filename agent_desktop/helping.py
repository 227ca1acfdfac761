"""Help me: an agent asks, who leads sees who and why, and listens, whispers or joins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.control import OwnCall, wish
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter import phone
from callcenter.database import now
from callcenter.nudges import HelpChanged
from config.people import User, names
from config.queues import Queue
from cti import callbacks, helping
from ticketing import tickets
from ticketing.rows import Customer, Ticket

router = APIRouter()


@router.post("/desk/calls/{call_id}/help", dependencies=[allow("desk")])
def ask_help(
    page: PageHere,
    call: OwnCall,
    note: Annotated[str, Form(max_length=500)] = "",
    ticket_id: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
) -> JSONResponse:
    """Ask who leads for help; asking again changes the note."""
    with page.database.write() as db:
        if ticket_id is not None:
            tickets.load_ticket(db, ticket_id, page.user)
        row = helping.ask(db, call.call_id, page.user, now(), note, ticket_id)
        told = HelpChanged(agent=row.extension, call_id=row.call_id, open=True)
    page.bus.publish(told)
    return JSONResponse({"id": row.id})


@router.post("/help/{request_id}/end", dependencies=[allow("desk")])
def end_help(page: PageHere, request_id: Id) -> JSONResponse:
    """The agent takes it back, or who leads says that it is settled."""
    with page.database.write() as db:
        row = helping.end(db, request_id, page.user, now())
        told = HelpChanged(agent=row.extension, call_id=row.call_id, open=False)
    page.bus.publish(told)
    return JSONResponse({"id": request_id})


@router.get("/help/now", dependencies=[allow("agents")])
def asked_help(page: PageHere, db: Reading) -> HTMLResponse:
    """Who waits for help, with all that is known; and the call-backs that were missed."""
    return page.render("help_now.html", asked=_asked(db, page), missed=_missed(db, page))


@router.post("/help/hear/{agent}", dependencies=[allow("agents")])
def hear(page: PageHere, agent: str, mode: Annotated[str, Form(max_length=10)]) -> JSONResponse:
    """Listen to an agent's call, whisper to him, or join: by one's own phone."""
    answer = wish(page, lambda db: helping.hear(db, page.settings, agent, mode, page.user, now()))
    page.bus.publish(HelpChanged(agent=agent[:10], call_id="", open=True))
    return answer


def _asked(db: Session, page: Page) -> list[dict[str, Any]]:
    called = names(db)
    lines = []
    for row, call in helping.open_requests(db):
        customer = db.get(Customer, call.customer_id) if call.customer_id is not None else None
        ticket = db.get(Ticket, row.ticket_id) if row.ticket_id is not None else _ticket_of(db, call.call_id)
        queue = db.get(Queue, call.queue) if call.queue else None
        lines.append(
            {
                "row": row,
                "call": call,
                "agent": called.get(row.by, row.by),
                "taken": called.get(row.taken_by, row.taken_by),
                "who": customer.name if customer else phone.pretty(call.caller_number, page.settings.centre.country),
                "queue": queue.title(page.language) if queue else "",
                "ticket": ticket,
            }
        )
    return lines


def _ticket_of(db: Session, call_id: str) -> Ticket | None:
    rows = select(Ticket).where(Ticket.call_id == call_id).order_by(Ticket.id.desc()).limit(1)
    return db.scalars(rows).first()


def _missed(db: Session, page: Page) -> list[dict[str, Any]]:
    names = {row[0]: row[1] for row in db.execute(select(User.extension, User.name))}
    country = page.settings.centre.country
    return [
        {"row": row, "agent": names.get(row.extension, row.extension), "number": phone.pretty(row.number, country)}
        for row in callbacks.missed(db)
    ]
