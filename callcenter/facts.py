"""Facts: what happened to calls, agents and tickets, kept in the ledger for ever.

A fact is in the past tense, names things by id, and carries the switch's own time. Its ``key`` says when two
tellings are one fact: the same channel can end only once, whoever reports it.
"""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.events import Fact

# --- the call and its legs --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LegStarted(Fact):
    """A channel came to be; the first of a call (leg_id == call_id) is the caller's."""

    marks = ("leg_id",)
    leg_id: str  # Asterisk's Uniqueid
    channel: str
    context: str
    did: str  # the number dialled, as it arrived
    caller_number: str  # as it arrived; hostile input
    caller_name: str  # as it arrived; hostile input
    number: str = ""  # of the caller, or of whom an agent dials: E.164 where it can be
    language: str = ""
    agent: str | None = None  # whose phone it is
    trunk: bool = False  # it leads outside


@dataclass(frozen=True, kw_only=True)
class LegAnswered(Fact):
    marks = ("leg_id",)
    leg_id: str


@dataclass(frozen=True, kw_only=True)
class LegEnded(Fact):
    """A channel is gone. The call is over with its last leg."""

    marks = ("leg_id",)
    leg_id: str
    cause: int  # Q.850
    cause_text: str = ""
    how: str = ""  # empty: seen; unseen: gone when we looked again; lost: gone with the switch


@dataclass(frozen=True, kw_only=True)
class MenuStep(Fact):
    """The caller reached a step of an IVR flow and was heard (a key, words) or not (empty)."""

    leg_id: str
    flow: str
    step: str
    heard: str = ""
    marks = ("leg_id", "at", "step")


@dataclass(frozen=True, kw_only=True)
class MenuLeft(Fact):
    """The flow is done with the caller and says what he wants."""

    leg_id: str
    flow: str
    queue: str  # where he goes now; empty when he hung up
    kind: str = ""  # ticket kind he asked for
    serial: str = ""  # engine number he gave
    marks = ("leg_id", "at")


@dataclass(frozen=True, kw_only=True)
class QueueJoined(Fact):
    leg_id: str
    queue: str
    position: int
    marks = ("leg_id", "queue", "at")


@dataclass(frozen=True, kw_only=True)
class QueueAbandoned(Fact):
    """The caller left the queue unanswered; the switch says this for a queue timeout too, see QueueExited."""

    leg_id: str
    queue: str
    position: int
    wait_s: int
    marks = ("leg_id", "queue", "at")


@dataclass(frozen=True, kw_only=True)
class QueueExited(Fact):
    """The caller left Queue() and is still on the line: TIMEOUT, KEY, FULL, JOINEMPTY, LEAVEEMPTY, CONTINUE …"""

    leg_id: str
    queue: str
    status: str
    marks = ("leg_id", "queue", "at")


@dataclass(frozen=True, kw_only=True)
class CallBackAsked(Fact):
    """The caller would rather be called back than wait on."""

    leg_id: str
    queue: str
    number: str  # as our records write it
    marks = ("leg_id",)


@dataclass(frozen=True, kw_only=True)
class AgentRung(Fact):
    """An agent's phone is being rung for a waiting caller; leg_id is the agent's leg."""

    marks = ("leg_id",)
    leg_id: str
    caller_leg_id: str
    queue: str
    agent: str


@dataclass(frozen=True, kw_only=True)
class AgentMissed(Fact):
    """The agent did not answer in time, or refused."""

    marks = ("leg_id",)
    leg_id: str
    queue: str
    agent: str
    ring_ms: int


@dataclass(frozen=True, kw_only=True)
class AgentAnswered(Fact):
    marks = ("leg_id",)
    leg_id: str
    queue: str
    agent: str
    wait_s: int
    ring_s: int


@dataclass(frozen=True, kw_only=True)
class AgentDone(Fact):
    """The talk between caller and agent is over; reason is caller, agent or transfer."""

    marks = ("leg_id",)
    leg_id: str
    queue: str
    agent: str
    wait_s: int
    talk_s: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Held(Fact):
    leg_id: str
    marks = ("leg_id", "at")


@dataclass(frozen=True, kw_only=True)
class Resumed(Fact):
    leg_id: str
    marks = ("leg_id", "at")


@dataclass(frozen=True, kw_only=True)
class BridgeEntered(Fact):
    leg_id: str
    bridge_id: str
    marks = ("leg_id", "bridge_id", "at")


@dataclass(frozen=True, kw_only=True)
class BridgeLeft(Fact):
    leg_id: str
    bridge_id: str
    marks = ("leg_id", "bridge_id", "at")


@dataclass(frozen=True, kw_only=True)
class CallerKept(Fact):
    """The phone of the agent he talks to went away without hanging up; he hears music until it is back."""

    leg_id: str  # the caller's
    marks = ("leg_id", "at")


@dataclass(frozen=True, kw_only=True)
class Transferred(Fact):
    leg_id: str  # the leg that transferred
    kind: str  # blind or attended
    to: str
    marks = ("leg_id", "at")


@dataclass(frozen=True, kw_only=True)
class Dialled(Fact):
    """An agent whose phone we rang is put through to this number."""

    leg_id: str
    number: str  # E.164 where it can be
    marks = ("leg_id",)


@dataclass(frozen=True, kw_only=True)
class PutAside(Fact):
    """The customer waits with music: an agent asks somebody meanwhile (consult), or has parked him (parked)."""

    leg_id: str  # the customer's
    agent: str  # who put him there; empty where nobody said
    why: str
    marks = ("leg_id", "at")


@dataclass(frozen=True, kw_only=True)
class LineMeasured(Fact):
    """How the sound of a leg arrived: at the switch from whoever is there, or (by = phone) at an agent's browser."""

    leg_id: str
    by: str  # switch, phone
    packets: int  # that came
    loss: float  # share of those sent, 0 to 1
    jitter_ms: float
    rtt_ms: float  # 0 where it was not told
    marks = ("leg_id", "by", "at")


@dataclass(frozen=True, kw_only=True)
class RecordingStarted(Fact):
    """The switch began to write the call's sound; file is the name without folder and ending."""

    leg_id: str
    file: str
    marks = ("leg_id", "file")


@dataclass(frozen=True, kw_only=True)
class CustomerBound(Fact):
    """The call is known to be this customer's: one known number, or an agent's choice (by = login)."""

    customer_id: int
    by: str = ""
    marks = ("call_id", "customer_id", "by", "at")


# --- the agent --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StatusChosen(Fact):
    """A person (or policy, by = "policy") set an agent's status."""

    agent: str
    status: str  # available, on_break, offline
    reason: str = ""
    by: str = ""
    marks = ("agent", "at")


@dataclass(frozen=True, kw_only=True)
class WrapUpFinished(Fact):
    agent: str
    by: str = ""  # agent's login, or "clock"
    marks = ("agent", "at")


@dataclass(frozen=True, kw_only=True)
class WrapUpExtended(Fact):
    """The agent needs longer for what he writes after the call."""

    agent: str
    more_s: int
    by: str = ""
    marks = ("agent", "at")


@dataclass(frozen=True, kw_only=True)
class PhoneSeen(Fact):
    """The agent's phone became reachable or went away."""

    agent: str
    reachable: bool
    marks = ("agent", "at")


@dataclass(frozen=True, kw_only=True)
class MemberPaused(Fact):
    """The switch says an agent is paused, or no longer paused, in a queue."""

    agent: str
    queue: str
    paused: bool
    reason: str = ""
    marks = ("agent", "queue", "at")


@dataclass(frozen=True, kw_only=True)
class MemberChanged(Fact):
    """From now on an agent is declared to serve a queue, asked in the order of penalties, or no longer to serve it."""

    agent: str
    queue: str
    member: bool
    penalty: int = 0
    marks = ("agent", "queue", "at")


@dataclass(frozen=True, kw_only=True)
class SwitchLost(Fact):
    """The link to the switch broke; what happens from here is unseen until SwitchFound."""

    marks = ("at",)


@dataclass(frozen=True, kw_only=True)
class SwitchFound(Fact):
    """The link is up and the state was read again; restarted says the switch itself came back from nothing."""

    restarted: bool = False
    marks = ("at",)


# --- tickets ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TicketStepped(Fact):
    """A ticket was opened, changed, noted, closed, opened again …; the entry of this version says the rest.

    It belongs to no call of the switch, so that no call's story depends on it; the ticket knows its call.
    """

    marks = ("ticket_id", "version")
    ticket_id: int
    version: int
    what: str
    kind: str
    by: str
