"""The catalogue: one row per recording of a call, with what it should hold and what it holds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.database import Base


class Recording(Base):
    __tablename__ = "recordings"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(String(150), unique=True)
    file: Mapped[str] = mapped_column(String(150), unique=True)  # name below the recordings folder, .wav, stereo
    state: Mapped[str] = mapped_column(String(10))  # complete, truncated, missing
    started_at: Mapped[datetime]
    expected_ms: Mapped[int]
    length_ms: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    registered_at: Mapped[datetime]
