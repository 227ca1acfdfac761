"""Words that are typed and not saved yet, kept by call, user and window until the ticket is saved.

Each window of a browser has a draft of its own, so two of them never write over each other: the newest is shown, the
others are there to choose from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base
from callcenter.errors import BadInput

LONGEST = 64_000  # characters of all values together
MOST_VALUES = 200
KEPT_FOR = timedelta(days=30)


class DraftTooLong(BadInput):
    """This is more than a draft can hold; it stays in this browser."""


class Draft(Base):
    """What one window has typed into one form for one call."""

    __tablename__ = "drafts"

    login: Mapped[str] = mapped_column(String(80), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(150), primary_key=True)
    form: Mapped[str] = mapped_column(String(20), primary_key=True)
    window: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    values: Mapped[dict[str, Any]] = mapped_column(JSON)


def keep(
    db: Session, login: str, call_id: str, form: str, window: str, values: Mapping[str, str | bool], at: datetime
) -> Draft:
    """Keep these values in place of what this window kept before; what is older than a month goes. DraftTooLong."""
    if len(values) > MOST_VALUES or sum(len(name) + len(str(value)) for name, value in values.items()) > LONGEST:
        raise DraftTooLong
    db.execute(delete(Draft).where(Draft.login == login, Draft.at < at - KEPT_FOR))
    return db.merge(Draft(login=login, call_id=call_id, form=form, window=window, at=at, values=dict(values)))


def open_drafts(db: Session, login: str, limit: int = 50) -> list[Draft]:
    """This user's, the newest first."""
    return list(db.scalars(select(Draft).where(Draft.login == login).order_by(Draft.at.desc()).limit(limit)))


def drop(db: Session, login: str, call_id: str, form: str, until: datetime | None = None) -> None:
    """The words are saved, or wanted no longer; in every window, as far as they are not newer than ``until``."""
    gone = delete(Draft).where(Draft.login == login, Draft.call_id == call_id, Draft.form == form)
    db.execute(gone if until is None else gone.where(Draft.at <= until))
