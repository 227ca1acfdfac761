"""Calling out: any number shown, call-backs at a time, and the do-not-call list."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from agent_desktop.control import wish
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter import phone
from callcenter.database import now
from callcenter.errors import CallCenterError
from callcenter.nudges import CallbackChanged
from cti import callbacks, dialling, wishes
from ticketing import tickets
from ticketing.rows import Customer

router = APIRouter()

Number = Annotated[str, Form(max_length=60)]


@router.post("/desk/dial", dependencies=[allow("desk")])
def dial(page: PageHere, number: Number, override: Annotated[str, Form(max_length=400)] = "") -> JSONResponse:
    """Call this number from one's own phone, which rings first."""
    try:
        return wish(page, lambda db: wishes.dial(db, page.settings, number, page.user, now(), override))
    except CallCenterError as fault:
        return _refused(page, fault)


@router.post("/desk/callbacks", dependencies=[allow("desk")])
def plan_callback(
    page: PageHere,
    number: Number,
    due: Annotated[str, Form(max_length=30)],
    note: Annotated[str, Form(max_length=500)] = "",
    call_id: Annotated[str, Form(max_length=150)] = "",
    ticket_id: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
    customer_id: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
) -> JSONResponse:
    """Be put through to this number at that time."""
    at = now()
    try:
        due_at = page.when(due)
        about: dict[str, Any] = {"note": note.strip(), "about_call": call_id, "customer_id": customer_id}
        with page.database.write() as db:
            if ticket_id is not None:
                about["ticket_id"] = tickets.load_ticket(db, ticket_id, page.user).id
            row = callbacks.plan(db, page.settings, page.user, number, due_at, at, **about)
            told = _told(row)
    except CallCenterError as fault:
        return _refused(page, fault)
    page.bus.publish(told)
    return JSONResponse({"id": told.callback_id, "due": page.format.local(due_at)}, status_code=201)


@router.post("/desk/callbacks/{callback_id}/cancel", dependencies=[allow("desk")])
def cancel_callback(page: PageHere, callback_id: Id) -> JSONResponse:
    """Not to be called any more; one that was missed is put away."""
    at = now()
    with page.database.write() as db:
        row = callbacks.load(db, callback_id, page.user)
        callbacks.cancel(db, row)
        callbacks.put_away(db, row, at)
        told = _told(row)
    page.bus.publish(told)
    return JSONResponse({"state": told.state})


def own_callbacks(db: Session, page: Page) -> list[dict[str, Any]]:
    """The agent's call-backs for his idle page, with the customer's name."""
    at, country = now(), page.settings.centre.country
    rows = callbacks.mine(db, page.user.extension or "")
    return [
        {
            "row": row,
            "number": phone.pretty(row.number, country),
            "name": customer.name if row.customer_id and (customer := db.get(Customer, row.customer_id)) else "",
            "soon": row.due_at - at < timedelta(minutes=5),
        }
        for row in rows
    ]


def _told(row: callbacks.Callback) -> CallbackChanged:
    return CallbackChanged(callback_id=row.id, agent=row.extension, state=row.state)


def _refused(page: Page, fault: CallCenterError) -> JSONResponse:
    """Why not, and whether whoever asked may do it all the same by giving a reason."""
    by_rule = isinstance(fault, dialling.OnDoNotCallList | dialling.OutsideHours)
    said = {
        "message": page._(fault.sentence),
        "detail": fault.detail,
        "may_override": by_rule and page.may("agents"),
    }
    return JSONResponse(said, status_code=fault.status)


# --- the do-not-call list -----------------------------------------------------------------------------------------


@router.get("/do-not-call", dependencies=[allow("agents")])
def do_not_call(page: PageHere, db: Reading) -> HTMLResponse:
    return page.render(
        "do_not_call.html",
        entries=dialling.listed(db),
        overrides=dialling.latest_overrides(db),
        rules=page.settings.calling,
        fault=None,
        typed={},
    )


@router.post("/do-not-call", dependencies=[allow("agents")])
def add_do_not_call(
    page: PageHere, reading: Reading, number: Number, reason: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    try:
        with page.database.write() as db:
            dialling.put_on_list(db, page.settings, number, reason, page.user, now())
    except CallCenterError as fault:
        return page.render(
            "do_not_call.html",
            status=fault.status,
            entries=dialling.listed(reading),
            overrides=dialling.latest_overrides(reading),
            rules=page.settings.calling,
            fault=fault,
            typed={"number": number, "reason": reason},
        )
    return RedirectResponse("/do-not-call", status_code=303)


@router.post("/do-not-call/{entry_id}/end", dependencies=[allow("agents")])
def end_do_not_call(page: PageHere, entry_id: Id) -> Response:
    with page.database.write() as db:
        dialling.take_off_list(db, entry_id, page.user, now())
    return RedirectResponse("/do-not-call", status_code=303)
