"""What an agent says to whoever gets his customer next: why, which ticket, and what he has written so far."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base
from cti.rows import CALL_ID

NOTE_LONGEST = 2000
_DRAFT_LONGEST = 4000  # of one field
_DRAFT_FIELDS = 40


class Handover(Base):
    """One customer handed on, or asked about. Whether he was taken is said by the call itself."""

    __tablename__ = "handovers"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(CALL_ID, index=True)
    at: Mapped[datetime]
    asks_first: Mapped[bool]  # attended; else sent on without a word
    by: Mapped[str] = mapped_column(String(40))  # login
    sender: Mapped[str] = mapped_column(String(10))  # extension; empty for one who has none
    to_kind: Mapped[str] = mapped_column(String(8))  # agent, queue, number
    to: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(Text, default="")
    ticket_id: Mapped[int | None]
    draft: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what stands in his form, by field

    __table_args__ = (Index("ix_handovers_to", "to_kind", "to"), Index("ix_handovers_sender", "sender"))


def hand_over(db: Session, call_id: str, at: datetime, **said: Any) -> Handover:
    """Keep what is said with a call that goes on to somebody else."""
    written = list(said.pop("draft", {}).items())[:_DRAFT_FIELDS]
    kept = {
        str(name)[:60]: value if isinstance(value, bool) else str(value)[:_DRAFT_LONGEST] for name, value in written
    }
    row = Handover(call_id=call_id, at=at, draft=kept, note=str(said.pop("note", "")).strip()[:NOTE_LONGEST], **said)
    db.add(row)
    db.flush()
    return row


_LATEST = select(Handover).where(Handover.call_id == bindparam("call_id")).order_by(Handover.id.desc()).limit(1)


def latest(db: Session, call_id: str) -> Handover | None:
    return db.scalars(_LATEST, {"call_id": call_id}).first()
