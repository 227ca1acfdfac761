"""Drafts of the desk's forms: kept on the server per burst of keys, so that they outlive the browser."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.calls import load_call
from agent_desktop.desktop import Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from agent_desktop.windows import WINDOW
from callcenter.database import now
from callcenter.errors import BadInput
from cti.rows import Call
from ticketing import drafts

FORM = "ticket"

router = APIRouter()

CallId = Annotated[str, Form(max_length=150)]


def of_user(db: Session, page: Page) -> list[dict[str, Any]]:
    """The drafts of whoever is signed in, the newest first, as the page takes them up."""
    return [
        {"call_id": one.call_id, "window": one.window, "at": one.at.timestamp(), "values": one.values}
        for one in drafts.open_drafts(db, page.user.login)
        if one.form == FORM
    ]


def waiting(db: Session, page: Page) -> list[dict[str, Any]]:
    """The calls with words that are not saved: one line for each."""
    newest: dict[str, drafts.Draft] = {}
    for one in drafts.open_drafts(db, page.user.login):
        newest.setdefault(one.call_id, one)
    calls = {call.call_id: call for call in db.scalars(select(Call).where(Call.call_id.in_(newest)))}
    return [
        {"call_id": call_id, "at": one.at, "number": call.caller_number, "subject": str(one.values.get("subject", ""))}
        for call_id, one in newest.items()
        if (call := calls.get(call_id)) is not None
    ]


@router.post("/desk/drafts", dependencies=[allow("desk")])
def keep(
    page: PageHere,
    db: Reading,
    call_id: CallId,
    window: Annotated[str, Form(pattern=WINDOW)],
    values: Annotated[str, Form(max_length=2 * drafts.LONGEST)],
) -> JSONResponse:
    """Keep what a window has typed; answers with the time of day it was kept at."""
    load_call(db, call_id, page.user)
    typed = _values(values)
    at = now()
    with page.database.write() as writing:
        drafts.keep(writing, page.user.login, call_id, FORM, window, typed, at)
    return JSONResponse({"at": at.timestamp()})


@router.post("/desk/drafts/drop", dependencies=[allow("desk")])
def drop(page: PageHere, call_id: CallId) -> JSONResponse:
    """These words are wanted no longer."""
    with page.database.write() as db:
        drafts.drop(db, page.user.login, call_id, FORM)
    return JSONResponse({})


def _values(text: str) -> dict[str, str | bool]:
    try:
        values = json.loads(text)
    except ValueError:
        raise BadInput from None
    if not isinstance(values, dict) or not all(isinstance(value, str | bool) for value in values.values()):
        raise BadInput
    return values
