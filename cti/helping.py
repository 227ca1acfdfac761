"""An agent asks for help in a call, and who leads listens, whispers or joins; every listening is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter import jobs
from callcenter.database import Base
from callcenter.errors import BadInput, CallCenterError, NotFound
from config.people import User
from config.settings import Settings
from cti import wishes
from cti.rows import CALL_ID, Agent, Call, Leg

MODES = ("listen", "whisper", "join")
NOTE_LONGEST = 500


class HelpRequest(Base):
    """Open until somebody helps, the agent takes it back, or his call is over."""

    __tablename__ = "help_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    call_id: Mapped[str] = mapped_column(CALL_ID, index=True)
    extension: Mapped[str] = mapped_column(String(10))
    by: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(Text, default="")
    ticket_id: Mapped[int | None]
    taken_at: Mapped[datetime | None]
    taken_by: Mapped[str] = mapped_column(String(40), default="")
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_help_requests_ended_at", "ended_at"),)


class Listening(Base):
    """That somebody listened to an agent's call, whispered to him or joined it."""

    __tablename__ = "listenings"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    extension: Mapped[str] = mapped_column(String(10))  # of who listens
    agent: Mapped[str] = mapped_column(String(10))
    call_id: Mapped[str] = mapped_column(CALL_ID, index=True)
    mode: Mapped[str] = mapped_column(String(10))
    own_call: Mapped[str] = mapped_column(CALL_ID)  # the channel by which he listens


class NothingToHear(CallCenterError):
    """This agent has no call to listen to now."""

    status = 409


def ask(
    db: Session, call_id: str, user: User, at: datetime, note: str = "", ticket_id: int | None = None
) -> HelpRequest:
    """Ask who leads for help in this call; asking again changes the note. NotInCall."""
    if not any(leg.agent == user.extension for leg in wishes.live_legs(db, call_id)):
        raise wishes.NotInCall
    row = mine(db, user.extension or "", call_id)
    if row is None:
        row = HelpRequest(at=at, call_id=call_id, extension=user.extension or "", by=user.login, ticket_id=ticket_id)
        db.add(row)
    row.note = note.strip()[:NOTE_LONGEST]
    row.ticket_id = ticket_id or row.ticket_id
    db.flush()
    return row


def mine(db: Session, extension: str, call_id: str) -> HelpRequest | None:
    rows = select(HelpRequest).where(HelpRequest.call_id == call_id, HelpRequest.extension == extension)
    return db.scalars(rows.where(HelpRequest.ended_at.is_(None)).limit(1)).first()


def open_requests(db: Session) -> list[tuple[HelpRequest, Call]]:
    """Who waits for help in a call that goes on, the longest first."""
    rows = select(HelpRequest, Call).join(Call, Call.call_id == HelpRequest.call_id)
    rows = rows.where(HelpRequest.ended_at.is_(None), Call.ended_at.is_(None)).order_by(HelpRequest.at)
    return [(row[0], row[1]) for row in db.execute(rows)]


def end(db: Session, request_id: int, user: User, at: datetime) -> HelpRequest:
    """The agent takes it back, or who leads says that it is settled. NotFound where it is neither's."""
    row = db.get(HelpRequest, request_id)
    if row is None or not (row.by == user.login or user.may("agents")):
        raise NotFound(str(request_id))
    row.ended_at = row.ended_at or at
    if row.by != user.login and not row.taken_by:
        row.taken_by, row.taken_at = user.login, at
    return row


def hear(db: Session, settings: Settings, agent: str, mode: str, user: User, at: datetime) -> jobs.Job:
    """Have the user's phone rung and put on this agent's call: listen, whisper (only he hears), or join.

    One who listens already changes over without a second call. NoPhone, NothingToHear, PhoneBusy.
    """
    if mode not in MODES:
        raise BadInput(mode[:20])
    if user.extension is None:
        raise wishes.NoPhone
    seen = db.get(Agent, agent)
    if seen is None or seen.state != "talking" or seen.call_id is None or agent == user.extension:
        raise NothingToHear(agent[:10])
    listening = _listening(db, user, seen.call_id)
    own = db.get(Agent, user.extension)
    if listening is None and (own is None or not own.reachable or own.state in ("talking", "ringing")):
        raise wishes.PhoneBusy
    kept = Listening(at=at, by=user.login, extension=user.extension, agent=agent, call_id=seen.call_id, mode=mode)
    kept.own_call = listening.leg_id if listening is not None else ""
    db.add(kept)
    db.flush()
    if listening is None:
        kept.own_call = f"{settings.switch.name}-{int(at.timestamp())}.{wishes.OURS * 2 + kept.id}"
    for row, _call in open_requests(db):
        if row.extension == agent and not row.taken_by:
            row.taken_by, row.taken_at = user.login, at
    wish: dict[str, Any] = {
        "call_id": seen.call_id,
        "agent": user.extension,
        "by": user.login,
        "whom": agent,
        "mode": mode,
        "own_call": kept.own_call,
        "channel": listening.channel if listening is not None else "",
        "ring_s": settings.calling.ring_agent_s,
    }
    void = at + timedelta(seconds=wishes.VALID_S)
    return jobs.plan(db, "hear", f"hear:{kept.id}", wish, at, void_after=void)


def _listening(db: Session, user: User, call_id: str) -> Leg | None:
    """The channel by which the user listens to this call already."""
    rows = select(Listening).where(Listening.call_id == call_id, Listening.by == user.login)
    last = db.scalars(rows.order_by(Listening.id.desc()).limit(1)).first()
    leg = db.get(Leg, last.own_call) if last is not None else None
    return leg if leg is not None and leg.ended_at is None and leg.answered_at is not None else None
