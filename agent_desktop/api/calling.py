"""Calling out over the API: a number now, a call-back at a time, and the do-not-call list."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.calls import aware
from agent_desktop.api.control import Wish, wish
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from callcenter.events import Event
from callcenter.nudges import CallbackChanged
from cti import callbacks, dialling, wishes
from ticketing import tickets

router = APIRouter(prefix="/v1", tags=["calling out"])


class NewDial(Sent):
    number: str = Field(min_length=1, max_length=60)
    override: str = Field("", max_length=400, description="Why it is called all the same; for those who lead.")


class NewCallback(Sent):
    number: str = Field(min_length=1, max_length=60)
    due_at: datetime
    note: str = Field("", max_length=500)
    call_id: str = Field("", max_length=150)
    ticket_id: Reference | None = None
    customer_id: Reference | None = None


class Callback(Shape):
    id: int
    due_at: datetime
    number: str
    extension: str
    by: str
    note: str
    customer_id: int | None
    ticket_id: int | None
    state: str = Field(description="planned, calling, done, not_reached, missed, cancelled")
    why: str
    tries: int
    call_id: str


class DoNotCall(Shape):
    id: int
    number: str
    reason: str
    by: str
    at: datetime
    ended_at: datetime | None


class NewDoNotCall(Sent):
    number: str = Field(min_length=1, max_length=60)
    reason: str = Field("", max_length=400)


@router.post("/dials", dependencies=[right("desk")], status_code=202, summary="Call a number from one's own phone")
def dial(desktop: DesktopHere, once: OnceHere, user: TokenUser, sent: NewDial) -> Wish:
    """The own phone rings first. 409 where the do-not-call list or the hours stand against it."""
    return wish(once, lambda w: wishes.dial(w, desktop.settings, sent.number, user, now(), sent.override))


@router.get("/callbacks", dependencies=[right("desk")], summary="One's own call-backs")
def list_callbacks(
    request: Request, db: Reading, user: TokenUser, before: Before = "", limit: Limit = 50
) -> Listed[Callback]:
    found = callbacks.mine(db, user.extension or "")
    return cut(request, Callback, found, before, limit, lambda one: one.id)


@router.post("/callbacks", dependencies=[right("desk")], status_code=201, summary="Be put through at a time")
def plan_callback(desktop: DesktopHere, once: OnceHere, user: TokenUser, sent: NewCallback) -> Callback:
    aware(sent.due_at)
    about = {"note": sent.note, "about_call": sent.call_id, "customer_id": sent.customer_id}
    nudges: list[Event] = []

    def planned(db: Session) -> Callback:
        ticket = tickets.load_ticket(db, sent.ticket_id, user) if sent.ticket_id is not None else None
        own = about | ({"ticket_id": ticket.id} if ticket else {})
        row = callbacks.plan(db, desktop.settings, user, sent.number, sent.due_at, now(), **own)
        nudges.append(_told(row))
        return Callback.model_validate(row)

    return once.do(planned, nudges)


@router.post("/callbacks/{callback_id}/cancel", dependencies=[right("desk")], summary="Not to be called any more")
def cancel_callback(once: OnceHere, user: TokenUser, callback_id: Id) -> Callback:
    """One that was missed is put away."""
    nudges: list[Event] = []

    def cancelled(db: Session) -> Callback:
        row = callbacks.load(db, callback_id, user)
        callbacks.cancel(db, row)
        callbacks.put_away(db, row, now())
        nudges.append(_told(row))
        return Callback.model_validate(row)

    return once.do(cancelled, nudges)


def _told(row: callbacks.Callback) -> CallbackChanged:
    return CallbackChanged(callback_id=row.id, agent=row.extension, state=row.state)


@router.get("/do-not-call", dependencies=[right("agents")], summary="Numbers that want no calls from us")
def list_do_not_call(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[DoNotCall]:
    return cut(request, DoNotCall, dialling.listed(db), before, limit, lambda one: one.id)


@router.post(
    "/do-not-call", dependencies=[right("agents", writes=True)], status_code=201, summary="Put a number on the list"
)
def add_do_not_call(desktop: DesktopHere, once: OnceHere, user: TokenUser, sent: NewDoNotCall) -> DoNotCall:
    def added(db: Session) -> DoNotCall:
        row = dialling.put_on_list(db, desktop.settings, sent.number, sent.reason, user, now())
        db.flush()
        return DoNotCall.model_validate(row)

    return once.do(added)


@router.post(
    "/do-not-call/{entry_id}/end", dependencies=[right("agents", writes=True)], summary="Take a number off the list"
)
def end_do_not_call(once: OnceHere, user: TokenUser, entry_id: Id) -> DoNotCall:
    return once.do(lambda db: DoNotCall.model_validate(dialling.take_off_list(db, entry_id, user, now())))
