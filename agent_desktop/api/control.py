"""What is done with a call under way, over the API: as the desk's buttons, so that a desk phone has the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import Once, OnceHere
from agent_desktop.api.shapes import Reference, Sent
from agent_desktop.calls import load_call
from agent_desktop.desktop import DesktopHere, Reading
from callcenter import jobs
from callcenter.database import now
from callcenter.events import Event
from callcenter.nudges import Wished
from cti import wishes
from ticketing import tickets

router = APIRouter(prefix="/v1", tags=["call control"])


class Onward(Sent):
    to: str = Field(min_length=1, max_length=60, description="An extension, a queue, or a number outside.")
    note: str = Field("", max_length=5000)
    ticket_id: Reference | None = None


class Answered(Sent):
    what: Literal["back", "hand_over", "meet"]


class Wish(BaseModel):
    job_id: int = Field(description="What became of it comes as an event.")


def wish(once: Once, plan: Callable[[Session], jobs.Job], told: Sequence[Event] = ()) -> Wish:
    """Kept as a job, told once committed; the switch is asked at once."""
    nudges = list(told)

    def planned(db: Session) -> Wish:
        job_id = plan(db).id
        nudges.append(Wished(job_id=job_id))
        return Wish(job_id=job_id)

    return once.do(planned, nudges)


@router.post(
    "/calls/{call_id}/send", dependencies=[right("desk")], status_code=202, summary="Hand the customer on unasked"
)
def send_on(desktop: DesktopHere, once: OnceHere, db: Reading, user: TokenUser, call_id: str, sent: Onward) -> Wish:
    call = load_call(db, call_id, user)
    if sent.ticket_id is not None:
        tickets.load_ticket(db, sent.ticket_id, user)
    said: dict[str, Any] = {"note": sent.note, "ticket_id": sent.ticket_id, "draft": {}}
    return wish(once, lambda w: wishes.send_on(w, desktop.settings, call.call_id, sent.to, user, now(), said))


@router.post("/calls/{call_id}/ask", dependencies=[right("desk")], status_code=202, summary="Ask somebody first")
def ask(desktop: DesktopHere, once: OnceHere, db: Reading, user: TokenUser, call_id: str, sent: Onward) -> Wish:
    call = load_call(db, call_id, user)
    if sent.ticket_id is not None:
        tickets.load_ticket(db, sent.ticket_id, user)
    said: dict[str, Any] = {"note": sent.note, "ticket_id": sent.ticket_id, "draft": {}}
    return wish(once, lambda w: wishes.ask(w, desktop.settings, call.call_id, sent.to, user, now(), said))


@router.post(
    "/calls/{call_id}/asked", dependencies=[right("desk")], status_code=202, summary="Back, hand over, or all meet"
)
def asked(once: OnceHere, db: Reading, user: TokenUser, call_id: str, sent: Answered) -> Wish:
    call = load_call(db, call_id, user)
    return wish(once, lambda w: wishes.answer_asked(w, sent.what, call.call_id, user, now()))


@router.post("/calls/{call_id}/park", dependencies=[right("desk")], status_code=202, summary="Park the customer")
def park(once: OnceHere, db: Reading, user: TokenUser, call_id: str) -> Wish:
    call = load_call(db, call_id, user)
    return wish(once, lambda w: wishes.park(w, call.call_id, user, now()))


@router.post("/calls/{call_id}/fetch", dependencies=[right("desk")], status_code=202, summary="Fetch a parked customer")
def fetch(once: OnceHere, user: TokenUser, call_id: str) -> Wish:
    return wish(once, lambda w: wishes.fetch(w, call_id, user, now()))


@router.post("/calls/{call_id}/hangup", dependencies=[right("desk")], status_code=202, summary="Hang up")
def hang_up(once: OnceHere, db: Reading, user: TokenUser, call_id: str) -> Wish:
    call = load_call(db, call_id, user)
    return wish(once, lambda w: wishes.hang_up(w, call.call_id, user, now()))


@router.post(
    "/calls/{call_id}/take-back", dependencies=[right("desk")], status_code=202, summary="Have the kept caller back"
)
def take_back(once: OnceHere, user: TokenUser, call_id: str) -> Wish:
    """His talk with this agent broke, whose phone is there again."""
    return wish(once, lambda w: wishes.take_back(w, call_id, user, now()))
