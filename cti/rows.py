"""The rows the switch's facts are projected on: calls, legs, segments, offers, agents and their spells.

All of them are projections of the ledger: dropping and rebuilding them gives identical rows. Keys are therefore
taken from the facts, never counted by the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.database import Base

CALL_ID = String(150)


def only(condition: str) -> dict[str, Any]:
    """An index of the rows of which this is true."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Call(Base):
    """One call from its first channel to the hang-up of its last."""

    __tablename__ = "calls"

    call_id: Mapped[str] = mapped_column(CALL_ID, primary_key=True)  # Asterisk's Linkedid
    switch: Mapped[str] = mapped_column(String(40))
    direction: Mapped[str] = mapped_column(String(8))  # in, out, internal
    caller_number: Mapped[str] = mapped_column(String(40), index=True)  # E.164 where it can be, else as it arrived
    caller_name: Mapped[str] = mapped_column(String(200), default="")
    did: Mapped[str] = mapped_column(String(40), default="")
    language: Mapped[str] = mapped_column(String(5), default="")
    state: Mapped[str] = mapped_column(String(10))  # cti.story.State
    outcome: Mapped[str] = mapped_column(String(20), default="")
    # answered, abandoned_menu (greeting too), abandoned_queue, abandoned_ringing, queue_timeout, queue_exit, call_back
    # (asked for by key), lost (the switch died), other (ended unseen, or a call out that nobody took)
    queue: Mapped[str | None] = mapped_column(String(40))  # the last one joined
    agent: Mapped[str | None] = mapped_column(String(10))  # extension of the agent ringing, talking, or last talked to
    wished_kind: Mapped[str] = mapped_column(String(12), default="")  # ticket kind chosen in the IVR
    wished_serial: Mapped[str] = mapped_column(String(40), default="")  # engine number given in the IVR
    menu: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # [{flow, step, heard, at_us}]
    customer_id: Mapped[int | None] = mapped_column(index=True)
    started_at: Mapped[datetime] = mapped_column(index=True)
    joined_at: Mapped[datetime | None]  # first queue
    answered_at: Mapped[datetime | None]  # by an agent
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    wait_ms: Mapped[int] = mapped_column(default=0)  # in queues, ringing included
    talk_ms: Mapped[int] = mapped_column(default=0)  # hold not included
    hold_ms: Mapped[int] = mapped_column(default=0)
    holds: Mapped[int] = mapped_column(default=0)
    transfers: Mapped[int] = mapped_column(default=0)
    recording: Mapped[str] = mapped_column(String(150), default="")  # file, without folder and ending
    call_back: Mapped[str] = mapped_column(String(40), default="")  # the number he asked to be called back on

    __table_args__ = (Index("ix_calls_call_back", "started_at", **only("call_back != ''")),)


class Leg(Base):
    """One channel of a call. A transfer may bring it from another call: ``call_id`` is where it is now."""

    __tablename__ = "legs"

    leg_id: Mapped[str] = mapped_column(CALL_ID, primary_key=True)  # Asterisk's Uniqueid
    call_id: Mapped[str] = mapped_column(CALL_ID, index=True)
    channel: Mapped[str] = mapped_column(String(120))
    agent: Mapped[str | None] = mapped_column(String(10))
    bridge: Mapped[str] = mapped_column(String(40), default="")  # where its sound is mixed now
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cause: Mapped[int | None]  # Q.850; 0 where nobody saw how it ended
    line: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # as measured: by switch or phone: packets, loss (share), jitter_ms, rtt_ms


class Segment(Base):
    """A stretch of the caller's time. From arrival to hang-up his segments neither overlap nor leave gaps."""

    __tablename__ = "segments"

    call_id: Mapped[str] = mapped_column(CALL_ID, primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8))  # arrival (the dial plan has him), menu, queue, talk, hold, kept
    queue: Mapped[str | None] = mapped_column(String(40))
    agent: Mapped[str | None] = mapped_column(String(10))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(20), default="")
    # of a queue: answered, abandoned, timeout, key, unseen, lost, or the switch's own word: full, leaveempty …

    __table_args__ = (  # what reports read: who joined a queue, and who was on hold
        Index("ix_segments_joined", "started_at", **only("kind = 'queue'")),
        Index("ix_segments_held", "started_at", **only("kind = 'hold'")),
    )


class Offer(Base):
    """One ringing of one agent for one waiting call; every offer ends in answered, missed or cancelled."""

    __tablename__ = "offers"

    leg_id: Mapped[str] = mapped_column(CALL_ID, primary_key=True)  # the agent's leg
    call_id: Mapped[str] = mapped_column(CALL_ID, index=True)
    queue: Mapped[str] = mapped_column(String(40))
    agent: Mapped[str] = mapped_column(String(10), index=True)
    rung_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(10), default="")  # empty while it rings


class Agent(Base):
    """An agent as he is now. Status is chosen, state is seen: two columns."""

    __tablename__ = "agents"

    extension: Mapped[str] = mapped_column(String(10), primary_key=True)
    status: Mapped[str] = mapped_column(String(10), default="offline")  # available, on_break, offline
    status_reason: Mapped[str] = mapped_column(String(40), default="")
    status_since: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10), default="idle")  # idle, ringing, talking, wrap_up
    state_since: Mapped[datetime | None]
    call_id: Mapped[str | None] = mapped_column(CALL_ID)  # the call rung, talked or wrapped up
    queue: Mapped[str | None] = mapped_column(String(40))
    reachable: Mapped[bool] = mapped_column(Boolean, default=False)  # his phone is registered
    legs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # leg: [ringing or talking, call, queue]
    wrap_up: Mapped[list[Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # [call, queue] of the wrap-up that is not finished, and by how many seconds it was extended
    spell_at: Mapped[datetime | None]  # when his open spell began

    @property
    def shown(self) -> str:
        """What he does or, where that is nothing, what he chose."""
        return self.status if self.state == "idle" else self.state

    @property
    def since(self) -> datetime | None:
        """Of what is shown."""
        return self.status_since if self.state == "idle" else self.state_since


class Spell(Base):
    """How long an agent was in one status and state; an agent's spells leave no gap from the first on."""

    __tablename__ = "spells"

    extension: Mapped[str] = mapped_column(String(10), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(String(40), default="")
    state: Mapped[str] = mapped_column(String(10))
    call_id: Mapped[str | None] = mapped_column(CALL_ID)
    queue: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (
        Index("ix_spells_started_at", "started_at"),
        Index("ix_spells_wrap_up", "call_id", **only("state = 'wrap_up'")),
    )


class Membership(Base):
    """How long an agent was declared to serve a queue with one penalty; of one agent and queue only one is open."""

    __tablename__ = "memberships"

    queue: Mapped[str] = mapped_column(String(40), primary_key=True)
    extension: Mapped[str] = mapped_column(String(10), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime | None]
    penalty: Mapped[int]

    __table_args__ = (Index("ix_memberships_started_at", "started_at"),)


class SwitchRow(Base):
    """A switch and how far it was seen; written by intake and resync."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    connected: Mapped[bool] = mapped_column(Boolean, default=False)
    since: Mapped[datetime | None]
    booted_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(String(200), default="")  # why it is not connected


class BreachRow(Base):
    """Rows that were not as they must be, as ``cti.invariants`` found them, and when they were again."""

    __tablename__ = "breaches"

    id: Mapped[int] = mapped_column(primary_key=True)
    switch: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(60))  # the invariant
    whose: Mapped[str] = mapped_column(CALL_ID)  # a call or an agent
    evidence: Mapped[str] = mapped_column(String(1000))
    seen_at: Mapped[datetime]
    healed_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_breaches_standing", "switch", **only("healed_at IS NULL")),)


class LogRow(Base):
    """How far one of a switch's log files is read; what stands before the offset is told."""

    __tablename__ = "log_files"

    switch: Mapped[str] = mapped_column(String(40), primary_key=True)
    file: Mapped[str] = mapped_column(String(40), primary_key=True)  # queue_log, cel.csv
    inode: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[datetime]


PROJECTIONS: tuple[type[Base], ...] = (Call, Leg, Segment, Offer, Agent, Spell, Membership)
"""What ``rebuild`` drops and makes again from the ledger."""
