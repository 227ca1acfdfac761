"""How an agent's line is: checked before he is ready, measured at the end of each talk."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse
from sqlalchemy import JSON, Boolean, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from agent_desktop.calls import load_call
from agent_desktop.desktop import Reading
from agent_desktop.page import PageHere
from agent_desktop.session import allow
from callcenter.database import Base, now
from callcenter.errors import BadInput, NotFound
from callcenter.facts import LineMeasured
from cti import projection
from cti.rows import Leg

LASTS = timedelta(hours=8)
STEPS = ("secure", "microphone", "phone", "sound")
STATES = ("good", "weak", "bad", "skipped")

router = APIRouter()


class LineCheck(Base):
    """The last check of an agent's line."""

    __tablename__ = "line_checks"

    login: Mapped[str] = mapped_column(String(80), primary_key=True)
    at: Mapped[datetime]
    good: Mapped[bool] = mapped_column(Boolean)
    found: Mapped[dict[str, Any]] = mapped_column(JSON)  # step: good, weak, bad or skipped


def is_due(db: Session, login: str, at: datetime) -> bool:
    """No check in these hours was good."""
    last = db.get(LineCheck, login)
    return last is None or not last.good or last.at < at - LASTS


@router.post("/desk/line-check", dependencies=[allow("desk")])
def checked(page: PageHere, found: Annotated[str, Form(max_length=2000)]) -> JSONResponse:
    """Keep what the check found."""
    try:
        steps = json.loads(found)
    except ValueError:
        raise BadInput from None
    if not isinstance(steps, dict) or not set(steps) <= set(STEPS) or not all(one in STATES for one in steps.values()):
        raise BadInput
    good = "bad" not in steps.values() and "skipped" not in steps.values()
    with page.database.write() as db:
        db.merge(LineCheck(login=page.user.login, at=now(), good=good, found=steps))
    return JSONResponse({"good": good})


@router.post("/desk/line", dependencies=[allow("desk")])
def measured(
    page: PageHere,
    db: Reading,
    call_id: Annotated[str, Form(max_length=150)],
    packets: Annotated[int, Form(ge=0, le=10**9)],
    loss: Annotated[float, Form(ge=0, le=1, allow_inf_nan=False)],
    jitter_ms: Annotated[float, Form(ge=0, le=60_000, allow_inf_nan=False)],
    rtt_ms: Annotated[float, Form(ge=0, le=60_000, allow_inf_nan=False)],
) -> JSONResponse:
    """What the agent's phone received in a talk of his that is over."""
    call = load_call(db, call_id, page.user)
    his = select(Leg).where(Leg.call_id == call.call_id, Leg.agent == page.user.extension)
    leg = db.scalars(his.order_by(Leg.started_at.desc()).limit(1)).first()
    if leg is None:
        raise NotFound("call %(call_id)s", call_id=call_id)
    fact = LineMeasured(
        at=now(), switch=call.switch, call_id=call.call_id, leg_id=leg.leg_id, by="phone",
        packets=packets, loss=round(loss, 4), jitter_ms=round(jitter_ms, 1), rtt_ms=round(rtt_ms, 1),
    )  # fmt: skip
    with page.database.write() as writing:
        told = projection.record(writing, [fact], "desk")
    page.publish(told)
    return JSONResponse({})
