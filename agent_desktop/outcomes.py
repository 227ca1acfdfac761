"""After the talk: how the call came out, and more time to write it down."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from agent_desktop.control import OwnCall
from agent_desktop.desktop import Reading
from agent_desktop.page import PageHere
from agent_desktop.seat import more_wrap_up
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import CallCenterError
from callcenter.nudges import CallChanged
from cti import agents, dispositions

router = APIRouter()


@router.post("/desk/wrapup/more", dependencies=[allow("desk")])
def extend_wrap_up(page: PageHere) -> JSONResponse:
    with page.database.write() as db:
        told = more_wrap_up(db, page.user, now())
    page.publish(told)
    return JSONResponse({"more_s": agents.MORE_S})


@router.post("/desk/calls/{call_id}/outcome", dependencies=[allow("desk")])
def say_outcome(page: PageHere, call: OwnCall, code: Annotated[str, Form(max_length=30)]) -> JSONResponse:
    """How this call came out; saying it again replaces it."""
    with page.database.write() as db:
        dispositions.say(db, call.call_id, code, page.user, now())
    page.bus.publish(CallChanged(call_id=call.call_id, state=call.state, queue=call.queue, agent=call.agent))
    return JSONResponse({"code": code})


@router.get("/outcomes", dependencies=[allow("queues.write")])
def list_outcomes(page: PageHere, db: Reading) -> HTMLResponse:
    return page.render("outcomes.html", rows=dispositions.every(db), fault=None, typed={})


@router.post("/outcomes", dependencies=[allow("queues.write")])
def put_outcome(
    page: PageHere,
    reading: Reading,
    code: Annotated[str, Form(max_length=40)],
    title_zh: Annotated[str, Form(max_length=60)] = "",
    title_en: Annotated[str, Form(max_length=60)] = "",
    place: Annotated[int, Form(ge=0, le=999)] = 0,
) -> Response:
    """A new code, other words for one, or an ended one used again."""
    try:
        with page.database.write() as db:
            dispositions.put(db, code.strip(), title_zh, title_en, place)
    except CallCenterError as fault:
        typed = {"code": code, "title_zh": title_zh, "title_en": title_en, "place": place}
        rows = dispositions.every(reading)
        return page.render("outcomes.html", status=fault.status, rows=rows, fault=fault, typed=typed)
    return RedirectResponse("/outcomes", status_code=303)


@router.post("/outcomes/{code}/end", dependencies=[allow("queues.write")])
def end_outcome(page: PageHere, code: str) -> Response:
    with page.database.write() as db:
        dispositions.end(db, code, now())
    return RedirectResponse("/outcomes", status_code=303)
