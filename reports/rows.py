"""What reports keep: the outcome of each day's double-entry. Everything else they read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.database import Base


class Reconciliation(Base):
    """One local day, held against the switch's logs and the recordings on disk; the last look counts."""

    __tablename__ = "reconciliations"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)  # 2026-11-22
    looked_at: Mapped[datetime]
    calls: Mapped[int]  # that both sides were compared for
    differences: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # the first 200: call_id, what, ours, theirs, cause
    count: Mapped[int]  # of all differences
