"""Who watches a ticket, and which tickets belong together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base
from callcenter.errors import BadInput
from config.people import User
from ticketing import tickets
from ticketing.rows import Ticket
from ticketing.text import line

LINKS = ("related", "duplicate", "follows")  # the first is to the second: about the same, the same again, comes of it


class Watch(Base):
    """Somebody who wants to see what becomes of a ticket that is not his."""

    __tablename__ = "ticket_watches"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    login: Mapped[str] = mapped_column(String(40), index=True)
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("ticket_id", "login"),)


class Link(Base):
    """Two tickets that belong together."""

    __tablename__ = "ticket_links"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    other_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("ticket_id", "other_id"),)


def watch(db: Session, ticket: Ticket, login: str, on: bool, now: datetime) -> None:
    own = (Watch.ticket_id == ticket.id) & (Watch.login == login)
    if not on:
        db.execute(delete(Watch).where(own))
    elif db.scalar(select(Watch.id).where(own)) is None:
        db.add(Watch(ticket_id=ticket.id, login=login, at=now))
        db.flush()


def watchers(db: Session, ticket: Ticket) -> Sequence[str]:
    return db.scalars(select(Watch.login).where(Watch.ticket_id == ticket.id).order_by(Watch.login)).all()


def watched(db: Session, login: str, limit: int = 20) -> Sequence[Ticket]:
    """The open tickets somebody watches, those that changed last first."""
    rows = select(Ticket).join(Watch, Watch.ticket_id == Ticket.id)
    rows = rows.where(Watch.login == login, Ticket.state.in_(tickets.UNDONE))
    return db.scalars(rows.order_by(Ticket.changed_at.desc()).limit(limit)).all()


def link(db: Session, ticket: Ticket, number: str, kind: str, *, user: User, now: datetime) -> Link:
    """Tie a ticket to the one of this number; BadInput where there is none, or they are tied already."""
    said = line(number).upper()
    other = db.scalar(select(Ticket).where(Ticket.number == said, tickets.visible(user))) if said else None
    if other is None or other.id == ticket.id or kind not in LINKS:
        raise BadInput("there is no other ticket %(number)s", number=said[:30])
    if any(one.id == other.id for one, _, _ in linked(db, ticket)):
        raise BadInput("%(number)s is tied to it already", number=other.number)
    row = Link(ticket_id=ticket.id, other_id=other.id, kind=kind, by=user.login, at=now)
    db.add(row)
    db.flush()
    for one, its in ((ticket, other), (other, ticket)):
        tickets.record(db, one, "linked", by=user.login, now=now, text=its.number, changes={"link": [None, kind]})
    return row


def unlink(db: Session, ticket: Ticket, link_id: int, *, by: str, now: datetime) -> None:
    own = or_(Link.ticket_id == ticket.id, Link.other_id == ticket.id)
    row = db.scalar(select(Link).where(Link.id == link_id, own))
    if row is not None:
        db.delete(row)
        db.flush()
        tickets.record(db, ticket, "linked", by=by, now=now, changes={"link": [row.kind, None]})


def linked(db: Session, ticket: Ticket) -> list[tuple[Ticket, str, int]]:
    """The tickets tied to this one, how, and the tie's id."""
    own = or_(Link.ticket_id == ticket.id, Link.other_id == ticket.id)
    found = []
    for row in db.scalars(select(Link).where(own).order_by(Link.id)):
        other = db.get(Ticket, row.other_id if row.ticket_id == ticket.id else row.ticket_id)
        if other is not None:
            found.append((other, row.kind, row.id))
    return found
