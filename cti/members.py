"""Who was declared to serve which queue, and since when: what an administrator's rows say, kept as facts.

The rows of ``config`` say only how it is now. What changed in them is told by whoever looks; so an old call can be
explained by the queues as they were then.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from callcenter.facts import MemberChanged
from config.people import QueueMember, User
from cti.rows import Membership


def declared(db: Session) -> dict[tuple[str, str], int]:
    """(queue, extension) → penalty, of people who may log in."""
    rows = (
        select(QueueMember.queue, QueueMember.extension, QueueMember.penalty)
        .join(User, User.extension == QueueMember.extension)
        .where(User.active)
    )
    return {(queue, extension): penalty for queue, extension, penalty in db.execute(rows)}


def changes(db: Session, at: datetime) -> list[MemberChanged]:
    """What has been declared otherwise since it was told last."""
    told = {
        (queue, extension): penalty
        for queue, extension, penalty in db.execute(
            select(Membership.queue, Membership.extension, Membership.penalty).where(Membership.ended_at.is_(None))
        )
    }
    wish = declared(db)
    found = [
        MemberChanged(at=at, agent=extension, queue=queue, member=False)
        for queue, extension in sorted(told.keys() - wish.keys())
    ]
    found += [
        MemberChanged(at=at, agent=extension, queue=queue, member=True, penalty=penalty)
        for (queue, extension), penalty in sorted(wish.items())
        if told.get((queue, extension)) != penalty
    ]
    return found


def hear(db: Session, fact: MemberChanged) -> None:
    """Let the fact change the rows; told again it changes nothing."""
    mine = select(Membership).where(Membership.queue == fact.queue, Membership.extension == fact.agent)
    standing = db.scalars(mine.where(Membership.ended_at.is_(None))).first()
    if standing is not None:
        if fact.member and standing.penalty == fact.penalty:
            return
        if standing.started_at >= fact.at:  # told in the same microsecond, or late
            if fact.member:
                standing.penalty = fact.penalty
            else:
                db.delete(standing)
            db.flush()
            return
        standing.ended_at = fact.at
    if fact.member:
        started_at = fact.at
        row = Membership(
            queue=fact.queue, extension=fact.agent, started_at=started_at, ended_at=None, penalty=fact.penalty
        )
        db.add(row)
    db.flush()


def serving(db: Session, queues: Collection[str], start: datetime, end: datetime) -> list[Membership] | None:
    """Who served these queues at some time between; None where it was not told yet."""
    first = db.scalar(select(func.min(Membership.started_at)))
    if first is None or first > start:
        return None
    still = or_(Membership.ended_at.is_(None), Membership.ended_at > start)
    rows = select(Membership).where(Membership.queue.in_(queues), Membership.started_at <= end, still)
    return list(db.scalars(rows.order_by(Membership.started_at, Membership.extension)))
