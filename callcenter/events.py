"""What can be said in this house: facts (kept in the ledger for ever) and nudges (read the row, it has changed)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from callcenter.database import to_us


@dataclass(frozen=True, kw_only=True)
class Event:
    """Anything that goes over the bus."""


@dataclass(frozen=True, kw_only=True)
class Fact(Event):
    """Something that happened, as the switch or a person made it happen."""

    at: datetime
    switch: str = ""
    call_id: str | None = None  # Asterisk's Linkedid of the call's first channel
    marks: ClassVar[tuple[str, ...]] = ("call_id", "at")
    """The fields that tell one such fact from another."""

    @property
    def key(self) -> str:
        """Unique for one happening: type, switch and the marks."""
        parts = (getattr(self, mark) for mark in self.marks)
        said = ":".join(str(to_us(part)) if isinstance(part, datetime) else str(part) for part in parts)
        return f"{type(self).__name__}:{self.switch}:{said}"


@dataclass(frozen=True, kw_only=True)
class Nudge(Event):
    """Published after commit; whoever missed it reads the row."""
