"""The rows of the parts catalogue."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callcenter.database import Base
from ticketing.rows import sorted_text


class Part(Base):
    """A part as the maker numbers it (配件图号); another may take its place from a day on."""

    __tablename__ = "parts"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(40))  # as it is printed: 1000-3812 A
    spelt: Mapped[str] = mapped_column(sorted_text(40), unique=True)  # as it is compared: 10003812A
    zh: Mapped[str] = mapped_column(sorted_text(120))
    en: Mapped[str] = mapped_column(String(120), default="")
    superseded_by: Mapped[str] = mapped_column(String(40), default="")  # spelt; it need not be on file yet
    superseded_on: Mapped[date | None] = mapped_column(Date)
    from_on: Mapped[date | None] = mapped_column(Date)
    until_on: Mapped[date | None] = mapped_column(Date)  # the last day it is delivered
    note: Mapped[str] = mapped_column(String(200), default="")
    version: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(40))

    fits: Mapped[list[PartFit]] = relationship(cascade="all, delete-orphan", order_by="PartFit.family")

    __table_args__ = (Index("ix_parts_superseded_by", "superseded_by"),)

    @property
    def families(self) -> list[str]:
        return [fit.family for fit in self.fits]

    def title(self, language: str) -> str:
        return self.en if language == "en" and self.en else self.zh

    def holds(self, today: date) -> bool:
        return (self.from_on is None or self.from_on <= today) and (self.until_on is None or today <= self.until_on)


class PartFit(Base):
    """A model a part fits, or the family its name begins with: 6D107, 6D."""

    __tablename__ = "part_fits"

    id: Mapped[int] = mapped_column(primary_key=True)
    part_id: Mapped[int] = mapped_column(ForeignKey("parts.id"))
    family: Mapped[str] = mapped_column(String(20), index=True)

    __table_args__ = (UniqueConstraint("part_id", "family"),)
