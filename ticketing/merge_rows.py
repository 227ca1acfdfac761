"""The rows of records brought together: what a merge moved and changed, so that it can be undone exactly."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callcenter.database import Base
from ticketing.rows import Customer


class Merge(Base):
    """Two records of one customer became one: by whom, when, and all that went where."""

    __tablename__ = "merges"

    id: Mapped[int] = mapped_column(primary_key=True)
    merged_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    into_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(200), default="")
    moved: Mapped[dict[str, list[int]]] = mapped_column(JSON, default=dict)  # "engines.dealer_id": [ids]
    raised: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # numbers both had: {id, column: [b, a]}
    changes: Mapped[dict[str, list[Any]]] = mapped_column(JSON, default=dict)  # fields of the one kept: [before, after]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str] = mapped_column(String(40), default="")

    merged: Mapped[Customer] = relationship(foreign_keys=[merged_id])
    into: Mapped[Customer] = relationship(foreign_keys=[into_id])

    @property
    def count(self) -> int:
        """Rows that were moved."""
        return sum(len(ids) for ids in self.moved.values())


class Likeness(Base):
    """Two records that may be one customer's, why, and what a person said to it."""

    __tablename__ = "likenesses"

    id: Mapped[int] = mapped_column(primary_key=True)
    one_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))  # the smaller id of the two
    other_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    reasons: Mapped[list[str]] = mapped_column(JSON, default=list)  # number:+86138…, code, name, sound, town, company
    weight: Mapped[int]
    found_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(String(8), default="")  # not_same: never suggested again
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str] = mapped_column(String(40), default="")

    one: Mapped[Customer] = relationship(foreign_keys=[one_id])
    other: Mapped[Customer] = relationship(foreign_keys=[other_id])

    __table_args__ = (UniqueConstraint("one_id", "other_id"), Index("ix_likenesses_answer_weight", "answer", "weight"))
