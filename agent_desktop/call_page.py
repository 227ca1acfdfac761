"""One call: what happened when, who was rung, which tickets came of it, and its recording."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.calls import load_call
from agent_desktop.desktop import Reading
from agent_desktop.page import PageHere
from agent_desktop.replay import Telling, bars, offset, ticks
from agent_desktop.session import allow
from callcenter import phone
from callcenter.database import now
from callcenter.errors import CallCenterError, NotFound
from config.people import User
from config.settings import Settings
from cti.quality import mos
from cti.rows import Leg
from recordings import catalogue
from reports import material, replay
from ticketing import tickets
from ticketing.rows import Customer, Ticket

log = logging.getLogger(__name__)

router = APIRouter()


class RecordingGone(CallCenterError):
    """The recording of this call is not there: the file is missing from the disk."""

    status = 404


@router.get("/calls/{call_id}", dependencies=[allow("calls")])
def show(page: PageHere, db: Reading, call_id: str) -> HTMLResponse:
    call = load_call(db, call_id, page.user)
    at = now()
    replayed = replay.compose(material.load(db, call, at), at)
    telling = Telling.of(db, page.language, page.settings.centre.country, replayed)
    return page.render(
        "call/call.html",
        call=call,
        customer=db.get(Customer, call.customer_id) if call.customer_id else None,
        replay=replayed,
        telling=telling,
        lanes=[(telling.lane(lane), bars(replayed, lane, telling)) for lane in replayed.lanes],
        ticks=ticks(replayed.shown_ms),
        offset=offset,
        tickets=_tickets(db, page.user, call_id),
        recording=catalogue.of_call(db, call_id),
        lines=lines_of(db, call_id),
    )


def lines_of(db: Session, call_id: str) -> list[dict[str, Any]]:
    """How the sound of each leg was, where it was measured."""
    legs = select(Leg).where(Leg.call_id == call_id, Leg.line.is_not(None)).order_by(Leg.started_at, Leg.leg_id)
    return [
        {"agent": leg.agent, "mos": mos(said["loss"], said["jitter_ms"], said["rtt_ms"]), **said}
        for leg in db.scalars(legs)
        for said in (leg.line or {}).values()
    ]


def _tickets(db: Session, user: User, call_id: str) -> list[Ticket]:
    rows = select(Ticket).where(Ticket.call_id == call_id, tickets.visible(user)).order_by(Ticket.id)
    return list(db.scalars(rows))


@router.get("/calls/{call_id}/recording.wav", dependencies=[allow("recordings")])
@router.head("/calls/{call_id}/recording.wav", dependencies=[allow("recordings")])
def recording(request: Request, page: PageHere, db: Reading, call_id: str, download: bool = False) -> FileResponse:
    return sound_of(request, page.settings, db, call_id, page.user, download=download)


def sound_of(
    request: Request, settings: Settings, db: Session, call_id: str, user: User, *, download: bool
) -> FileResponse:
    """The sound: left the caller, right the agent. Parts of it are answered as asked for (Range)."""
    call = load_call(db, call_id, user)
    row = catalogue.of_call(db, call.call_id)
    if row is None:
        raise NotFound("recording of call %(call_id)s", call_id=call_id[:150])
    try:
        path = catalogue.path_of(settings.recordings, row)
    except NotFound as gone:
        raise RecordingGone(row.file) from gone
    asked = request.headers.get("range", "")
    if request.method == "GET" and (not asked or asked.replace(" ", "").startswith("bytes=0-")):
        verb = "downloaded" if download else "heard"
        log.info("recording %s %s by %s caller=%s", call.call_id, verb, user.login, phone.mask(call.caller_number))
    name = f"{call.started_at.astimezone(settings.centre.zone):%Y%m%d-%H%M%S}-{call.call_id}.wav"
    answer = FileResponse(path, media_type="audio/wav", headers={"Cache-Control": "no-store"})
    how = "attachment" if download else "inline"
    answer.headers["Content-Disposition"] = f'{how}; filename="{name}"'
    return answer
