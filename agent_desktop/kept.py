"""A caller whose agent's phone went away hears music, or talks on with a third; the page that is back asks for him."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.page import PageHere
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.nudges import Wished
from cti import rooms, wishes
from cti.rows import Call, Segment

router = APIRouter()


def kept_for(db: Session, extension: str, keep_s: int) -> dict[str, Any] | None:
    """The call that is kept for this agent, and until when (seconds since 1970); None if none is.

    ``room``: nobody waits in it, the others he met talk with each other.
    """
    found = db.execute(
        select(Call.call_id, Segment.started_at)
        .join(Segment, Segment.call_id == Call.call_id)
        .where(Call.ended_at.is_(None), Call.state == "kept", Call.agent == extension)
        .where(Segment.kind == "kept", Segment.ended_at.is_(None))
        .order_by(Segment.started_at)
        .limit(1)
    ).first()
    if found is not None:
        return {"call_id": found[0], "until": found[1].timestamp() + keep_s, "room": False}
    fell_out = rooms.fallen_out(db, extension, now(), keep_s)
    if fell_out is not None:
        return {"call_id": fell_out.call_id, "until": fell_out.at.timestamp() + keep_s, "room": True}
    return None


@router.post("/desk/kept/back", dependencies=[allow("desk")])
def take_back(page: PageHere, call_id: Annotated[str, Form(max_length=150)]) -> JSONResponse:
    """This agent's phone is there again: bring him his caller, or those he met."""
    with page.database.write() as db:
        kept = kept_for(db, page.user.extension or "", page.settings.switch.keep_caller_s)
        if kept is not None and kept["room"] and kept["call_id"] == call_id:
            job_id = rooms.meet_again(db, page.settings, call_id, page.user, now()).id
        else:
            job_id = wishes.take_back(db, call_id, page.user, now()).id
    page.bus.publish(Wished(job_id=job_id))
    return JSONResponse({})
