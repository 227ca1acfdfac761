"""When somebody leaves: what he had in hand goes to somebody who stays; nothing is left without an owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from callcenter.errors import BadInput, CallCenterError
from config import people
from config.people import User
from ticketing import catalogue, tickets
from ticketing.duties import Duty, DutyState
from ticketing.rows import Ticket
from ticketing.ties import Watch


class NotYourself(BadInput):
    """You cannot shut your own account; another administrator can."""


class WorkInHand(CallCenterError):
    """He has tickets or duties in hand; say who takes them over."""

    status = 409


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much somebody has in hand."""

    tickets: int
    duties: int

    def __bool__(self) -> bool:
        return bool(self.tickets or self.duties)


_OPEN_DUTY = Duty.done_at.is_(None) & (Duty.state != DutyState.DROPPED.value)


def set_active(db: Session, user: User, active: bool, *, to: str, by: str, now: datetime, zone: tzinfo) -> list[Ticket]:
    """Shut an account, or let it in again. One who leaves hands over what he has in hand: to whom is asked.

    The tickets that went over. NotYourself, WorkInHand.
    """
    if user.login == by:
        raise NotYourself
    given: list[Ticket] = []
    if not active and work_of(db, user.login):
        if not to:
            raise WorkInHand(user.name)
        given = hand_over(db, user.login, to, by=by, now=now, zone=zone)
    people.set_active(db, user, active, now)
    return given


def change_user(db: Session, user: User, *, name: str, role: str, extension: str | None, by: str) -> None:
    """What a user is called and may do. NotYourself: nobody takes or gives himself a role."""
    if user.login == by and role != user.role:
        raise NotYourself
    people.change_user(db, user, name=name, role=role, extension=extension)


def work_of(db: Session, login: str) -> Work:
    mine = select(func.count()).select_from(Ticket).where(Ticket.owner == login, Ticket.state.in_(tickets.UNDONE))
    due = select(func.count()).select_from(Duty).where(Duty.owner == login, _OPEN_DUTY)
    return Work(tickets=db.scalar(mine) or 0, duties=db.scalar(due) or 0)


def hand_over(db: Session, login: str, to: str, *, by: str, now: datetime, zone: tzinfo) -> list[Ticket]:
    """Everything of one person to another; the tickets that changed hands. All or nothing."""
    heir = db.scalar(select(User).where(User.login == to, User.active))
    if heir is None or to == login:
        raise BadInput("there is nobody called %(login)s to take the work", login=to[:40])
    rows = select(Ticket).where(Ticket.owner == login, Ticket.state.in_(tickets.UNDONE)).order_by(Ticket.id)
    given = list(db.scalars(rows))
    for ticket in given:
        tickets.change(db, ticket, version=ticket.version, by=by, now=now, zone=zone, what="handed_over", owner=to)
    db.execute(update(Duty).where(Duty.owner == login, _OPEN_DUTY).values(owner=to))
    for watch in db.scalars(select(Watch).where(Watch.login == login)).all():
        db.delete(watch)
    _ladder(db, login, to, by, now)
    db.flush()
    return given


def _ladder(db: Session, login: str, to: str, by: str, now: datetime) -> None:
    """Nobody who has left stands on the escalation ladder."""
    for form in catalogue.current(db).forms.values():
        for rung in form.ladder:
            if rung.owner == login:
                catalogue.set_rung(db, form.kind.value, rung.level, to, rung.after_min, by=by, now=now)
