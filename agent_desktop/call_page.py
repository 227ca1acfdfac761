"""One call: what happened when, who was rung, which tickets came of it, and its recording."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.calls import load_call
from agent_desktop.desktop import Reading
from agent_desktop.i18n import duration
from agent_desktop.i18n import marked as _
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from agent_desktop.words import english
from callcenter import ledger, phone
from callcenter.database import now
from callcenter.errors import CallCenterError, NotFound
from callcenter.events import Fact
from config.people import User
from config.queues import Queue
from cti.rows import Call, Offer, Segment
from recordings import catalogue
from ticketing import tickets
from ticketing.rows import Customer, Ticket

log = logging.getLogger(__name__)

FACT_WORDS = {
    "LegStarted": _("Channel opened"),
    "LegAnswered": _("Channel answered"),
    "LegEnded": _("Channel closed"),
    "MenuStep": _("Menu"),
    "MenuLeft": _("Left the menu"),
    "QueueJoined": _("Joined the queue"),
    "QueueAbandoned": _("Hung up in the queue"),
    "QueueExited": _("Left the queue"),
    "AgentRung": _("Agent rung"),
    "AgentMissed": _("Agent did not answer"),
    "AgentAnswered": _("Agent answered"),
    "AgentDone": _("Talk ended"),
    "Held": _("Put on hold"),
    "Resumed": _("Taken off hold"),
    "BridgeEntered": _("Connected"),
    "BridgeLeft": _("Disconnected"),
    "Transferred": _("Transferred"),
    "RecordingStarted": _("Recording started"),
    "CustomerBound": _("Customer known"),
}
SEGMENT_WORDS = {
    "arrival": _("Arrival"),
    "menu": _("Menu"),
    "queue": _("Queue"),
    "talk": _("Talk"),
    "hold": _("Hold"),
}
LONGEST = 500
"""Facts shown; a call with more is being replayed by somebody, not read."""
FIELD_WORDS = {
    "queue": _("Queue"),
    "agent": _("Agent"),
    "step": _("step"),
    "heard": _("heard"),
    "kind": _("Kind"),
    "serial": _("Serial given"),
    "to": _("to"),
    "status": _("Status"),
    "reason": _("Reason"),
    "wait_s": _("Waited"),
    "ring_s": _("Rang"),
    "ring_ms": _("Rang"),
    "talk_s": _("Talked"),
    "did": _("Dialled"),
    "channel": _("Channel"),
    "cause_text": _("Cause"),
    "by": _("By"),
    "file": _("File"),
}
"""What of a fact is shown beside its name and time, in this order."""

router = APIRouter()


class RecordingGone(CallCenterError):
    """The recording of this call is not there: the file is missing from the disk."""

    status = 404


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A segment as the bar draws it, in thousandths of the whole call."""

    kind: str
    left: float
    width: float
    segment: Segment
    ms: float


@router.get("/calls/{call_id}", dependencies=[allow("calls")])
def show(page: PageHere, db: Reading, call_id: str) -> HTMLResponse:
    call = load_call(db, call_id, page.user)
    at = now()
    segments = list(db.scalars(select(Segment).where(Segment.call_id == call_id).order_by(Segment.no)))
    offers = list(db.scalars(select(Offer).where(Offer.call_id == call_id).order_by(Offer.rung_at)))
    facts = [fact for _seq, fact in ledger.read(db, call_id=call_id, limit=LONGEST)]
    names = _names(db, call, offers)
    titles = {queue.name: queue.title(page.language) for queue in db.scalars(select(Queue))}
    return page.render(
        "call/call.html",
        call=call,
        customer=db.get(Customer, call.customer_id) if call.customer_id else None,
        stretches=stretches(call, segments, at),
        offers=offers,
        facts=[
            (fact.at, FACT_WORDS.get(type(fact).__name__, type(fact).__name__), said(page, fact, names, titles))
            for fact in facts
        ],
        tickets=_tickets(db, page.user, call_id),
        recording=catalogue.of_call(db, call_id),
        names=names,
        titles=titles,
        segment_words=SEGMENT_WORDS,
    )


def stretches(call: Call, segments: Sequence[Segment], at: datetime) -> list[Stretch]:
    """The segments of a call on a bar of 1000; what is not over yet reaches to ``at``."""
    end = call.ended_at or at
    whole = max((end - call.started_at).total_seconds(), 0.001)
    drawn = []
    for segment in segments:
        begun = (segment.started_at - call.started_at).total_seconds()
        lasted = ((segment.ended_at or end) - segment.started_at).total_seconds()
        left, width = 1000 * begun / whole, 1000 * lasted / whole
        drawn.append(Stretch(kind=segment.kind, left=left, width=width, segment=segment, ms=lasted * 1000))
    return drawn


def said(page: Page, fact: Fact, names: dict[str, str], titles: dict[str, str]) -> str:
    """What the fact tells beside its name and time, on one line and in words."""
    parts = []
    for name, words in FIELD_WORDS.items():
        value = getattr(fact, name, None)
        if value in (None, ""):
            continue
        match name:
            case "queue":
                value = titles.get(str(value), value)
            case "agent":
                value = names.get(str(value), value)
            case "kind":
                value = page._(english("ticket_kind", str(value)))
            case _ if name.endswith("_s"):
                value = duration(1000 * float(str(value)))
            case _ if name.endswith("_ms"):
                value = duration(float(str(value)))
        parts.append(f"{page._(words)} {value}")
    return " · ".join(parts)


def _tickets(db: Session, user: User, call_id: str) -> list[Ticket]:
    rows = select(Ticket).where(Ticket.call_id == call_id, tickets.visible(user)).order_by(Ticket.id)
    return list(db.scalars(rows))


def _names(db: Session, call: Call, offers: Sequence[Offer]) -> dict[str, str]:
    extensions = {offer.agent for offer in offers} | ({call.agent} if call.agent else set())
    rows = db.execute(select(User.extension, User.name).where(User.extension.in_(extensions)))
    return {extension: name for extension, name in rows if extension}


@router.get("/calls/{call_id}/recording.wav", dependencies=[allow("recordings")])
@router.head("/calls/{call_id}/recording.wav", dependencies=[allow("recordings")])
def recording(request: Request, page: PageHere, db: Reading, call_id: str, download: bool = False) -> FileResponse:
    """The sound: left the caller, right the agent. Parts of it are answered as asked for (Range)."""
    call = load_call(db, call_id, page.user)
    row = catalogue.of_call(db, call.call_id)
    if row is None:
        raise NotFound(f"recording of call {call_id[:150]}")
    try:
        path = catalogue.path_of(page.settings.recordings, row)
    except NotFound as gone:
        raise RecordingGone(row.file) from gone
    asked = request.headers.get("range", "")
    if request.method == "GET" and (not asked or asked.replace(" ", "").startswith("bytes=0-")):
        verb = "downloaded" if download else "heard"
        log.info("recording %s %s by %s caller=%s", call.call_id, verb, page.user.login, phone.mask(call.caller_number))
    name = f"{call.started_at.astimezone(page.settings.centre.zone):%Y%m%d-%H%M%S}-{call.call_id}.wav"
    answer = FileResponse(path, media_type="audio/wav", headers={"Cache-Control": "no-store"})
    how = "attachment" if download else "inline"
    answer.headers["Content-Disposition"] = f'{how}; filename="{name}"'
    return answer
