"""Queues and their targets, and the numbers people dial (DIDs)."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.database import Base


class Queue(Base):
    """One waiting line. ``name`` is what the switch calls it."""

    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    title_zh: Mapped[str] = mapped_column(String(80))
    title_en: Mapped[str] = mapped_column(String(80))
    strategy: Mapped[str] = mapped_column(String(20), default="rrmemory")
    ring_s: Mapped[int] = mapped_column(default=15)  # how long one agent is rung
    max_wait_s: Mapped[int] = mapped_column(default=600)  # then the caller leaves by the way out
    wrap_up_s: Mapped[int] = mapped_column(default=60)
    target_s: Mapped[int] = mapped_column(default=20)  # service level: answered within
    target_share: Mapped[float] = mapped_column(default=0.8)
    short_abandon_s: Mapped[int] = mapped_column(default=5)
    ticket_kind: Mapped[str] = mapped_column(String(12), default="inquiry")

    def title(self, language: str) -> str:
        return self.title_zh if language == "zh" else self.title_en


class Did(Base):
    """A number people dial: the flow that greets, the language, and the queue when no flow answers."""

    __tablename__ = "dids"

    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    flow: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(5), default="zh")
    default_queue: Mapped[str] = mapped_column(String(40))
