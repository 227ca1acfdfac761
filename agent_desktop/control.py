"""What an agent does with the call he has, beyond answering and hanging up; each is a wish the switch carries out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy.orm import Session

from agent_desktop import line
from agent_desktop.calls import load_call
from agent_desktop.desktop import LARGEST_ID, Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter import jobs
from callcenter.database import now
from callcenter.errors import BadInput
from callcenter.nudges import Wished
from cti import wishes
from cti.rows import Call
from ticketing import tickets

router = APIRouter()

ASKED = ("back", "hand_over", "meet")


def own_call(page: PageHere, db: Reading, call_id: str) -> Call:
    return load_call(db, call_id, page.user)


OwnCall = Annotated[Call, Depends(own_call)]


def said_with_it(
    page: PageHere,
    db: Reading,
    note: Annotated[str, Form(max_length=5000)] = "",
    ticket_id: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
    draft: Annotated[str, Form(max_length=100_000)] = "",
) -> dict[str, Any]:
    """What goes with the customer. A ticket must be one the sender may see himself."""
    if ticket_id is not None:
        tickets.load_ticket(db, ticket_id, page.user)
    try:
        written = json.loads(draft) if draft else {}
    except ValueError:
        raise BadInput("draft") from None
    if not isinstance(written, dict):
        raise BadInput("draft")
    return {"note": note, "ticket_id": ticket_id, "draft": written}


Said = Annotated[dict[str, Any], Depends(said_with_it)]
To = Annotated[str, Form(max_length=60)]


@router.get("/desk/targets", dependencies=[allow("desk")])
def targets(page: PageHere, db: Reading, q: Annotated[str, Query(max_length=60)] = "") -> HTMLResponse:
    """Whom a call can be handed to, by these words."""
    return page.render("desk/targets.html", goals=line.goals(db, page.settings, page.user, q, page.language), text=q)


@router.post("/desk/calls/{call_id}/send", dependencies=[allow("desk")])
def send_on(page: PageHere, call: OwnCall, to: To, said: Said) -> JSONResponse:
    """Hand the customer on without asking first."""
    return wish(page, lambda db: wishes.send_on(db, page.settings, call.call_id, to, page.user, now(), said))


@router.post("/desk/calls/{call_id}/ask", dependencies=[allow("desk")])
def ask(page: PageHere, call: OwnCall, to: To, said: Said) -> JSONResponse:
    """Ask somebody first, while the customer hears music."""
    return wish(page, lambda db: wishes.ask(db, page.settings, call.call_id, to, page.user, now(), said))


@router.post("/desk/calls/{call_id}/asked", dependencies=[allow("desk")])
def asked(page: PageHere, call: OwnCall, what: Annotated[str, Form(max_length=20)]) -> JSONResponse:
    """Of one who is being asked: back to the customer without him, hand over, or all three meet."""
    if what not in ASKED:
        raise BadInput(what)
    return wish(page, lambda db: wishes.answer_asked(db, what, call.call_id, page.user, now()))


@router.post("/desk/calls/{call_id}/park", dependencies=[allow("desk")])
def park(page: PageHere, call: OwnCall) -> JSONResponse:
    return wish(page, lambda db: wishes.park(db, call.call_id, page.user, now()))


@router.post("/desk/calls/{call_id}/fetch", dependencies=[allow("desk")])
def fetch(page: PageHere, call_id: str) -> JSONResponse:
    """Take a parked customer, whoever parked him."""
    return wish(page, lambda db: wishes.fetch(db, call_id, page.user, now()))


def wish(page: Page, plan: Callable[[Session], jobs.Job]) -> JSONResponse:
    """The switch is asked at once; what became of it comes over the live link."""
    with page.database.write() as db:
        job_id = plan(db).id
    page.bus.publish(Wished(job_id=job_id))
    return JSONResponse({"job_id": job_id}, status_code=202)
