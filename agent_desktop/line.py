"""Who is on the line beside the agent and his customer, and who waits to be fetched: what the call panel shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import phone
from config.people import QueueMember, User
from config.queues import Queue
from config.settings import Settings
from cti import handovers, queues_now, wishes
from cti.agents import newcomer
from cti.moves import Seats
from cti.queues_now import NOBODY
from cti.rows import Agent, Call, Segment
from ticketing import pinyin
from ticketing.rows import Customer, Ticket

SHOWN = 8  # colleagues and queues offered at once


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Whom the agent asks about his customer."""

    name: str
    state: str  # ringing, talking, meeting
    since: datetime


@dataclass(frozen=True, kw_only=True)
class ParkedCall:
    call_id: str
    title: str
    since: datetime
    by: str  # name of who parked it


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Somebody a call can be handed to."""

    kind: str  # agent, queue, number
    to: str
    title: str
    state: str = ""  # of an agent: idle, ringing …, or away with his status
    status: str = ""
    since: datetime | None = None
    free: bool = True
    waiting: int = 0  # in a queue
    ready: int = 0


@dataclass(frozen=True, kw_only=True)
class Said:
    """What comes with a call that was handed on."""

    sender: str
    at: datetime
    asks_first: bool
    note: str
    ticket: Ticket | None
    draft: dict[str, Any]


def asked(db: Session, settings: Settings, call_id: str, seats: Seats) -> Asked | None:
    """Whom this agent asks at the moment, or has taken into a room with his customer."""
    third = seats.asked or (seats.third if seats.meeting else None)
    if third is None or seats.customer is None:
        return None
    if third.agent:
        name = db.scalar(select(User.name).where(User.extension == third.agent)) or third.agent
    else:
        said = handovers.latest(db, call_id)
        name = phone.pretty(said.to, settings.centre.country) if said is not None else ""
    if third.answered_at is None:
        return Asked(name=name, state="ringing", since=third.started_at)
    together = bool(third.bridge) and third.bridge == seats.customer.bridge
    return Asked(name=name, state="meeting" if together else "talking", since=third.answered_at)


def parked(db: Session, settings: Settings) -> list[ParkedCall]:
    """Every call that waits to be fetched, the longest first."""
    rows = db.execute(
        select(Call, Segment.started_at, Customer.name, User.name)
        .outerjoin(Segment, (Segment.call_id == Call.call_id) & Segment.ended_at.is_(None))
        .outerjoin(Customer, Customer.id == Call.customer_id)
        .outerjoin(User, User.extension == Call.agent)
        .where(Call.ended_at.is_(None), Call.state == "parked")
        .order_by(Segment.started_at)
    )
    return [
        ParkedCall(
            call_id=call.call_id,
            title=name or phone.pretty(call.caller_number, settings.centre.country),
            since=since or call.started_at,
            by=by or "",
        )
        for call, since, name, by in rows
    ]


def goals(db: Session, settings: Settings, user: User, text: str, language: str) -> list[Goal]:
    """Colleagues, queues and the number itself that are meant by these words; the free ones first."""
    words = text.strip().lower()
    colleagues = _agents(db, user, words)
    away = [goal for goal in colleagues if not goal.free]
    found = [goal for goal in colleagues if goal.free] + _queues(db, words, language) + away
    digits = wishes.dialled(settings, text) if words else None
    if digits is not None:
        found.insert(0, Goal(kind="number", to=digits, title=phone.pretty(digits, settings.centre.country)))
    return found[: SHOWN + 1]


def _agents(db: Session, user: User, words: str) -> list[Goal]:
    rows = select(User, Agent).outerjoin(Agent, Agent.extension == User.extension)
    rows = rows.where(User.active, User.extension.is_not(None), User.id != user.id)
    found = []
    for colleague, seen in db.execute(rows):
        name, extension = colleague.name, colleague.extension or ""
        spellings = (name.lower(), extension, colleague.login, pinyin.full(name), pinyin.initials(name))
        if words and not any(words in spelling for spelling in spellings):
            continue
        agent = seen or newcomer(extension)
        found.append(
            Goal(
                kind="agent",
                to=extension,
                title=name,
                state=agent.state,
                status=agent.status,
                since=agent.since,
                free=agent.reachable and agent.state not in ("talking", "ringing"),
            )
        )
    order = {"available": 0, "on_break": 1, "offline": 2}
    return sorted(found, key=lambda goal: (not goal.free, order.get(goal.status, 3), goal.title))


def _queues(db: Session, words: str, language: str) -> list[Goal]:
    waiting, ready = queues_now.waiting(db), queues_now.ready(db)
    found = []
    for queue in db.scalars(select(Queue).order_by(Queue.name)):
        title = queue.title(language)
        spellings = (queue.name, title.lower(), pinyin.full(queue.title_zh), pinyin.initials(queue.title_zh))
        if not words or any(words in spelling for spelling in spellings):
            count = waiting.get(queue.name, NOBODY).waiting
            found.append(Goal(kind="queue", to=queue.name, title=title, waiting=count, ready=ready.get(queue.name, 0)))
    return found


def said_with(db: Session, call_id: str, user: User) -> Said | None:
    """What was said to this user with the call: by whom, why, and which ticket."""
    said = handovers.latest(db, call_id)
    if said is None or said.sender == (user.extension or "-"):
        return None
    if said.to_kind == "agent" and said.to != user.extension:
        return None
    if said.to_kind == "queue":
        serves = select(QueueMember.id).where(QueueMember.queue == said.to, QueueMember.extension == user.extension)
        if db.scalar(serves) is None:
            return None
    name = db.scalar(select(User.name).where(User.login == said.by)) or said.by
    ticket = db.get(Ticket, said.ticket_id) if said.ticket_id is not None else None
    return Said(
        sender=name, at=said.at, asks_first=said.asks_first, note=said.note, ticket=ticket, draft=dict(said.draft)
    )
