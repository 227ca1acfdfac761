"""The rows about other programs: what they sent once and must not do twice, and what they want to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.database import Base


class SentOnce(Base):
    """A request that carried an Idempotency-Key, and what it was answered; written with the change itself."""

    __tablename__ = "sent_once"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id"))
    key: Mapped[str] = mapped_column(String(200))
    request: Mapped[str] = mapped_column(String(64))  # sha256 of method, address and body
    status: Mapped[int]
    answer: Mapped[Any] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("token_id", "key"),)


class Webhook(Base):
    """Where another program wants to be told, and of what."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))  # it is told what this user may see
    name: Mapped[str] = mapped_column(String(80))
    url: Mapped[str] = mapped_column(String(500))
    types: Mapped[list[str]] = mapped_column(JSON, default=list)  # empty: everything
    secret: Mapped[str] = mapped_column(String(80))
    after: Mapped[int] = mapped_column(BigInteger)  # up to this number of the ledger, deliveries are planned
    failures: Mapped[int] = mapped_column(default=0)  # one after the other, up to now
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str] = mapped_column(String(200), default="")
    ended_at: Mapped[datetime | None]


class Delivery(Base):
    """One event for one webhook: waiting → sent | failed | dropped."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id"))
    seq: Mapped[int] = mapped_column(BigInteger)  # of the event in the ledger; 0 is a trial
    type: Mapped[str] = mapped_column(String(40))
    replayed: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    status: Mapped[int | None]  # what the other side answered last
    error: Mapped[str] = mapped_column(String(300), default="")
    took_ms: Mapped[int | None]
    planned_at: Mapped[datetime]
    tried_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_deliveries_planned_at", "planned_at"),
    )
