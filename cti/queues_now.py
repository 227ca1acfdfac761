"""The queues as they are at this moment: who waits in them, and how many agents could take a call."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.people import QueueMember
from cti.rows import Agent, Call
from cti.story import State

WAITING = (State.WAITING.value, State.RINGING.value)
"""A caller's states in a queue, until somebody answers him."""


class Callers(NamedTuple):
    waiting: int
    since: datetime | None  # of the one who waits longest


NOBODY = Callers(0, None)


def waiting(db: Session) -> dict[str, Callers]:
    """By queue; those where nobody waits are not named."""
    rows = (
        select(Call.queue, func.count(), func.min(Call.joined_at))
        .where(Call.ended_at.is_(None), Call.state.in_(WAITING), Call.queue.is_not(None))
        .group_by(Call.queue)
    )
    return {queue: Callers(count, since) for queue, count, since in db.execute(rows) if queue is not None}


def ready(db: Session) -> dict[str, int]:
    """By queue: agents who could take a call now."""
    rows = (
        select(QueueMember.queue, func.count().label("agents"))
        .join(Agent, Agent.extension == QueueMember.extension)
        .where(Agent.status == "available", Agent.state == "idle", Agent.reachable)
        .group_by(QueueMember.queue)
    )
    return {row.queue: row.agents for row in db.execute(rows)}
