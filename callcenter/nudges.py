"""Nudges: read the row, it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from callcenter.events import Nudge


@dataclass(frozen=True, kw_only=True)
class CallChanged(Nudge):
    call_id: str
    state: str
    queue: str | None = None
    agent: str | None = None  # the agent rung or talking
    at: datetime | None = None  # the switch's stamp of the fact behind it


@dataclass(frozen=True, kw_only=True)
class AgentChanged(Nudge):
    agent: str
    status: str
    state: str
    call_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class TicketChanged(Nudge):
    ticket_id: int
    call_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordingChanged(Nudge):
    call_id: str
    state: str


@dataclass(frozen=True, kw_only=True)
class SwitchChanged(Nudge):
    """The link to the switch is up or down."""

    switch: str
    connected: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class HelpChanged(Nudge):
    """An agent asks for help, has been helped, or no longer asks."""

    agent: str
    call_id: str
    open: bool


@dataclass(frozen=True, kw_only=True)
class CallbackChanged(Nudge):
    """A call-back was planned, begun, done, missed or put away."""

    callback_id: int
    agent: str
    state: str


@dataclass(frozen=True, kw_only=True)
class PhoneTaken(Nudge):
    """A window of the agent's, on whichever computer, has his phone now."""

    agent: str
    window: str


@dataclass(frozen=True, kw_only=True)
class Wished(Nudge):
    """Somebody wants something of the switch; a job row says what."""

    job_id: int


@dataclass(frozen=True, kw_only=True)
class WishSettled(Nudge):
    """What an agent wanted of the switch was done, or (a fault) was not."""

    agent: str
    job_id: int
    kind: str
    call_id: str | None
    fault: str = ""  # machine word
    detail: str = ""
