"""Agents who fell out of a room where the others go on talking, because their page or phone went away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from callcenter import jobs
from callcenter.jobs import Job
from config.people import User
from config.settings import Settings
from cti.calls import UNWISHED
from cti.moves import in_room
from cti.rows import Call, Leg
from cti.translate import AGAIN
from cti.wishes import NotInCall, live_legs, plan

_MOVES = ("ask", "back", "hand_over", "meet", "park", "send_on")


@dataclass(frozen=True)
class FallenOut:
    call_id: str
    at: datetime


def fallen_out(db: Session, extension: str, at: datetime, keep_s: int) -> FallenOut | None:
    """The room this agent fell out of no longer than ``keep_s`` ago, if two are still in it."""
    gone = (
        select(Leg.call_id, Leg.ended_at)
        .join(Call, Call.call_id == Leg.call_id)
        .where(Call.ended_at.is_(None), Leg.agent == extension, Leg.cause.in_(UNWISHED))
        .where(Leg.ended_at > at - timedelta(seconds=keep_s))
        .order_by(Leg.ended_at.desc())
        .limit(1)
    )
    found = db.execute(gone).first()
    if found is None:
        return None
    call_id, left_at = found
    legs = live_legs(db, call_id)
    if any(leg.agent == extension for leg in legs) or not in_room(legs) or not _met(db, call_id):
        return None
    return FallenOut(call_id, left_at or at)


def _met(db: Session, call_id: str) -> bool:
    """Whether the last that was done with the call brought everybody together."""
    of_call = or_(*(Job.key.startswith(f"{move}:{call_id}:", autoescape=True) for move in _MOVES))
    return db.scalar(select(Job.kind).where(of_call, Job.state == "done").order_by(Job.id.desc()).limit(1)) == "meet"


def meet_again(db: Session, settings: Settings, call_id: str, user: User, at: datetime) -> jobs.Job:
    """Have this agent rung and brought to those he met. NotInCall if he fell out of no such room."""
    switch = settings.switch
    fell_out = fallen_out(db, user.extension or "", at, switch.keep_caller_s)
    if fell_out is None or fell_out.call_id != call_id:
        raise NotInCall
    leg_id = f"{call_id}{AGAIN}{int(at.timestamp())}.{user.extension}"
    return plan(db, "meet_again", call_id, user, at, leg_id=leg_id, ring_s=switch.back_within_s)
