"""The agent's own place: what he chose, what the switch sees, his queues, his promises and his figures of today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.errors import BadInput, CallCenterError
from callcenter.events import Event
from callcenter.facts import StatusChosen, WrapUpExtended, WrapUpFinished
from config.people import QueueMember, User
from config.queues import Queue
from config.settings import Settings
from cti import agents, projection, queues_now
from cti.owed_calls import owed
from cti.queues_now import NOBODY
from cti.rows import Agent, Call
from reports import agents as spending
from reports import periods
from reports.figures import Figure
from ticketing.rows import Ticket

STATUSES = ("available", "on_break", "offline")
BREAKS = ("short", "lunch", "training", "meeting")
"""Why an agent may be away from the phone; the words are in words.py, domain status_reason."""
TONES = {
    "ringing": "soon",
    "talking": "good",
    "wrap_up": "soon",
    "available": "good",
    "on_break": "quiet",
    "offline": "quiet",
}


@dataclass(frozen=True, kw_only=True)
class Seat:
    extension: str
    status: str
    reason: str
    state: str
    since: datetime | None  # of what is shown: the state, or the status of one who is idle
    tone: str
    call_id: str | None
    queue: str
    wrap_up_until: datetime | None
    reachable: bool
    desk_phone: bool  # rings there, not in the browser


@dataclass(frozen=True, kw_only=True)
class Waiting:
    queue: str
    title: str
    target_s: int
    waiting: int
    since: datetime | None  # the one who waits longest


OWN = ("answered", "missed", "aht", "talk", "wrap_up", "pause", "occupancy", "logged")


@dataclass(frozen=True, kw_only=True)
class OwnDay:
    figures: list[Figure]
    tickets: int


def seat_of(db: Session, user: User, settings: Settings, language: str) -> Seat:
    """Where the agent stands; one the switch has never seen is offline."""
    extension = user.extension or ""
    agent = db.get(Agent, extension) or agents.newcomer(extension)
    queue = db.get(Queue, agent.queue) if agent.queue else None
    wrap_up_until = None
    if agent.state == "wrap_up" and agent.state_since is not None and queue is not None:
        wrap_up_until = datetime.fromtimestamp(
            agent.state_since.timestamp() + queue.wrap_up_s + agents.more_s(agent), agent.state_since.tzinfo
        )
    missed = agent.state == "idle" and agent.status == "on_break" and agent.status_reason == "missed"
    return Seat(
        extension=extension,
        status=agent.status,
        reason=agent.status_reason,
        state=agent.state,
        since=agent.since,
        tone="bad" if missed else TONES[agent.shown],
        call_id=agent.call_id,
        queue=queue.title(language) if queue else agent.queue or "",
        wrap_up_until=wrap_up_until,
        reachable=agent.reachable,
        desk_phone=any(phone.split("@")[0] == extension for phone in settings.switch.desk_phones),
    )


def waiting(db: Session, extension: str, language: str) -> list[Waiting]:
    """The agent's queues and who waits in them."""
    own = select(Queue).join(QueueMember, QueueMember.queue == Queue.name).where(QueueMember.extension == extension)
    callers = queues_now.waiting(db)
    return [
        Waiting(
            queue=queue.name,
            title=queue.title(language),
            target_s=queue.target_s,
            waiting=callers.get(queue.name, NOBODY).waiting,
            since=callers.get(queue.name, NOBODY).since,
        )
        for queue in db.scalars(own.order_by(Queue.name))
    ]


def call_backs(db: Session, settings: Settings, now: datetime, limit: int = 10) -> list[Call]:
    """Who asked to be called back and still is owed it, the longest waiting first."""
    return owed(db, now, settings.centre.country, settings.centre.area_code, limit)


def own_day(db: Session, user: User, now: datetime, zone: ZoneInfo) -> OwnDay:
    """One's own figures of today: those the supervisor sees, by the same definitions, and the tickets opened."""
    day = periods.today(now, zone)
    opened = select(func.count()).where(Ticket.opened_at >= day.start, Ticket.opened_by == user.login)
    told = {figure.name: figure for figure in spending.today(db, user.extension or "", now, zone).figures}
    return OwnDay(figures=[told[name] for name in OWN], tickets=int(db.scalar(opened) or 0))


# --- what he chooses ----------------------------------------------------------------------------------------------


class NoSuchStatus(BadInput):
    """An agent is available, on a break for one of the reasons listed, or offline."""


class NoMoreTime(CallCenterError):
    """Wrap-up has been extended as far as it may be, or it is over."""

    status = 409


def choose(db: Session, user: User, status: str, reason: str, at: datetime) -> Sequence[Event]:
    if status not in STATUSES or (status == "on_break") != (reason in BREAKS):
        raise NoSuchStatus(f"{status} {reason}".strip())
    said = StatusChosen(at=at, agent=user.extension or "", status=status, reason=reason, by=user.login)
    return projection.record(db, [said], "desk")


def finish_wrap_up(db: Session, user: User, at: datetime) -> Sequence[Event]:
    return projection.record(db, [WrapUpFinished(at=at, agent=user.extension or "", by=user.login)], "desk")


def more_wrap_up(db: Session, user: User, at: datetime) -> Sequence[Event]:
    """One more minute of wrap-up, so many times at most."""
    agent = db.get(Agent, user.extension or "")
    if agent is None or agent.state != "wrap_up" or not agents.may_extend(agent):
        raise NoMoreTime
    more = WrapUpExtended(at=at, agent=agent.extension, more_s=agents.MORE_S, by=user.login)
    return projection.record(db, [more], "desk")
