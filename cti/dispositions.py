"""How a call came out, in the words of the house: a dictionary changed without code, and one answer per agent."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base
from callcenter.errors import BadInput, NotFound
from config.people import User
from cti.rows import CALL_ID

_CODE = re.compile(r"[a-z][a-z0-9_]{1,29}")


class Disposition(Base):
    """One code. It is ended, never deleted: old calls keep their word."""

    __tablename__ = "dispositions"

    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    title_zh: Mapped[str] = mapped_column(String(60))
    title_en: Mapped[str] = mapped_column(String(60))
    place: Mapped[int] = mapped_column(default=0)  # the order they are offered in
    ended_at: Mapped[datetime | None]

    def title(self, language: str) -> str:
        return self.title_zh if language == "zh" else self.title_en


class CallDisposition(Base):
    """What one agent said of one call; saying it again replaces it."""

    __tablename__ = "call_dispositions"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(CALL_ID)
    extension: Mapped[str] = mapped_column(String(10))
    code: Mapped[str] = mapped_column(String(30))
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("call_id", "extension"),)


class NoSuchDisposition(BadInput):
    """There is no such code, or it is no longer used."""


def offered(db: Session) -> list[Disposition]:
    """The codes in use, in their order."""
    rows = select(Disposition).where(Disposition.ended_at.is_(None))
    return list(db.scalars(rows.order_by(Disposition.place, Disposition.code)))


def every(db: Session) -> list[Disposition]:
    """Ended ones last."""
    rows = select(Disposition).order_by(Disposition.ended_at.is_not(None), Disposition.place, Disposition.code)
    return list(db.scalars(rows))


def put(db: Session, code: str, title_zh: str, title_en: str, place: int = 0) -> Disposition:
    """A new code, or other words for one there is; an ended one is used again."""
    if not _CODE.fullmatch(code) or not title_zh.strip() or not title_en.strip():
        raise BadInput("a code has small Latin letters, digits and _, and a word in each language")
    row = db.get(Disposition, code)
    if row is None:
        row = Disposition(code=code)
        db.add(row)
    row.title_zh, row.title_en, row.place, row.ended_at = title_zh.strip()[:60], title_en.strip()[:60], place, None
    db.flush()
    return row


def end(db: Session, code: str, at: datetime) -> Disposition:
    row = db.get(Disposition, code)
    if row is None:
        raise NotFound(code[:30])
    row.ended_at = row.ended_at or at
    return row


def say(db: Session, call_id: str, code: str, user: User, at: datetime) -> CallDisposition:
    known = db.get(Disposition, code)
    if known is None or known.ended_at is not None:
        raise NoSuchDisposition(code[:30])
    row = said(db, call_id, user.extension or "")
    if row is None:
        row = CallDisposition(call_id=call_id, extension=user.extension or "")
        db.add(row)
    row.code, row.by, row.at = code, user.login, at
    db.flush()
    return row


def said(db: Session, call_id: str, extension: str) -> CallDisposition | None:
    rows = select(CallDisposition).where(CallDisposition.call_id == call_id, CallDisposition.extension == extension)
    return db.scalars(rows).one_or_none()
