"""Who serves which queue, told to the switch: declared in our rows, compared with QueueStatus, repaired.

The rows are the wish, the switch's queues are the fact; what differs becomes actions. So it does not matter whether
an agent went on a break, the switch restarted or somebody typed at its console: the next look puts it right.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from callcenter.bus import Bus, heard
from callcenter.database import Database, now
from callcenter.events import Event, Fact
from callcenter.facts import AgentMissed, PhoneSeen, StatusChosen, WrapUpFinished
from callcenter.nudges import AgentChanged, SwitchChanged
from config.queues import Queue
from config.settings import Settings
from cti import agents, members
from cti.ami import Door
from cti.calls import PAGE_GONE
from cti.link import SwitchRefused, SwitchUnreachable
from cti.places import Place, Step, found_places, interface_of, repairs, wished_places
from cti.projection import record
from cti.rows import Agent, Call, Leg, Offer
from cti.wire import BadField

log = logging.getLogger(__name__)

BREATH_S = 0.05  # what comes together is dealt with together, and after the pop-up that came with it
REPAIR_S = 5.0  # how long something done behind our back can stand
CUT_KNOWN_S = 0.25  # a ringing that ends before its time: by then we know whether the caller has left the queue
WRAP_UP_S = 60  # after a call that came from no queue
_HEARD = (AgentMissed, AgentChanged, StatusChosen, PhoneSeen, SwitchChanged)


# Built once: they are asked behind every call.
_KEPT = select(Call.call_id).where(Call.call_id == Agent.call_id, Call.agent == Agent.extension, Call.state == "kept")
_WRAPPING_UP = (
    select(Agent, Queue.wrap_up_s, _KEPT.exists())
    .outerjoin(Queue, Queue.name == Agent.queue)
    .where(Agent.state == "wrap_up")
)
_RING_S = select(Queue.ring_s).where(Queue.name == bindparam("queue"))


def finished_wrap_ups(db: Session, at: datetime) -> tuple[list[Fact], datetime | None]:
    """The wrap-ups whose time is over, and when the next one's will be; his caller being kept, an agent's goes on."""
    over: list[Fact] = []
    next_at: datetime | None = None
    for agent, wrap_up_s, comes_back in db.execute(_WRAPPING_UP):
        allowed_s = (WRAP_UP_S if wrap_up_s is None else wrap_up_s) + agents.more_s(agent)
        due = (agent.state_since or at) + timedelta(seconds=allowed_s)
        if comes_back:
            due = max(due, at + timedelta(seconds=1))
        if due <= at:
            over.append(WrapUpFinished(agent=agent.extension, by="clock", at=at))
        elif next_at is None or due < next_at:
            next_at = due
    return over, next_at


def after_misses(db: Session, misses: Iterable[AgentMissed], pageless: Collection[str] = ()) -> list[Fact]:
    """Whoever let a call ring is put on a break, until he says that he is back.

    Not one whose call somebody else took while all phones rang, nor one who chose another status himself, nor one
    whose ringing was cut short: the caller hung up, or had waited for as long as his queue allows, or his page was
    loaded again. And not one whose phone is gone: nobody heard it, and he is rung when it is back. ``pageless``: agents
    with a desk phone; one that says of itself what a page says is broken, and would be rung for ever.
    """
    breaks: list[Fact] = []
    for missed in misses:
        agent = db.get(Agent, missed.agent)
        call = db.get(Call, missed.call_id) if missed.call_id else None
        offer = db.get(Offer, missed.leg_id)
        taken = call is not None and call.state == "talking" and call.agent != missed.agent
        leg = db.get(Leg, missed.leg_id)
        broken = leg is not None and leg.cause == PAGE_GONE and missed.agent in pageless
        cut = offer is not None and offer.outcome == "cancelled" and not rang_out(db, missed) and not broken
        if agent is not None and agent.status == "available" and agent.reachable and not taken and not cut:
            breaks.append(
                StatusChosen(agent=missed.agent, status="on_break", reason="missed", by="policy", at=missed.at)
            )
    return breaks


def rang_out(db: Session, missed: AgentMissed) -> bool:
    """Whether it rang for as long as the queue rings anybody; a shorter ringing may yet prove to have been cut."""
    ring_s = db.scalar(_RING_S, {"queue": missed.queue})
    return ring_s is None or missed.ring_ms >= ring_s * 1000


class Policy:
    """Keeps the switch's queues as the rows declare them, and the clock of wrap-ups."""

    def __init__(self, settings: Settings, database: Database, bus: Bus, door: Door) -> None:
        self.refused: dict[Step, str] = {}  # what the switch would not do at the last look, in its words
        self._pageless = {phone.partition("@")[0] for phone in settings.switch.desk_phones}
        self._settings = settings
        self._database = database
        self._bus = bus
        self._door = door
        self._task: asyncio.Task[None] | None = None
        self._nudged = asyncio.Event()
        self._changed: set[str] = set()  # agents
        self._missed: list[tuple[float, AgentMissed]] = []  # monotonic, when it was heard
        self._decide_at = 0.0  # monotonic
        self._looked_at: float | None = None  # monotonic; None: the next round looks at everything
        self._queues: frozenset[str] = frozenset()
        self._found: dict[tuple[str, str], Place] = {}

    async def start(self) -> None:
        loop = asyncio.get_running_loop()

        # The bus speaks from whichever thread committed.
        def hop(event: Event) -> None:
            if isinstance(event, _HEARD):
                loop.call_soon_threadsafe(self._hear, event)

        self._unlisten = self._bus.listen(hop)
        self._task = asyncio.create_task(self._run(), name="policy")

    async def stop(self) -> None:
        if self._task is not None:
            self._unlisten()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def repair(self) -> None:
        """Look at every queue now: after a connect, and after the rows of queues or members changed."""
        self._looked_at = None
        self._nudged.set()

    def _hear(self, event: Event) -> None:
        match event:
            case AgentMissed():
                self._missed.append((time.monotonic(), event))
                self._decide_at = 0.0
            case AgentChanged(state="ringing"):
                return  # his place is that of one who waits
            case AgentChanged(state="wrap_up"):
                self._decide_at = 0.0  # and his place that of one who talks
            case AgentChanged() | StatusChosen() | PhoneSeen():
                self._changed.add(event.agent)
            case SwitchChanged(connected=True):
                self._looked_at = None
            case _:
                return
        self._nudged.set()

    async def _run(self) -> None:
        while True:
            rest_s = REPAIR_S
            try:
                rest_s = await self._round()
            except SwitchUnreachable as fault:
                log.info("policy: %s", fault)
                self._looked_at = None
            except Exception:
                log.exception("policy: a round failed; the next one looks at everything")
                self._looked_at, self._decide_at = None, 0.0
            await heard(self._nudged, rest_s)
            await asyncio.sleep(BREATH_S)
            self._nudged.clear()

    async def _round(self) -> float:
        """Decide, tell the switch, and say for how long nothing is due (seconds)."""
        changed, self._changed = self._changed, set()
        events: list[Event] = []
        if time.monotonic() >= self._decide_at:
            at, self._decide_at = now(), time.monotonic() + REPAIR_S
            events, next_at = await asyncio.to_thread(self._decide, at)
            if next_at is not None:
                self._decide_at = min(self._decide_at, time.monotonic() + (next_at - at).total_seconds())
        if self._looked_at is None or time.monotonic() - self._looked_at >= REPAIR_S:
            events += await asyncio.to_thread(self._declare, now())
        for event in events:
            self._bus.publish(event)
        if not self._door.connected:
            self._looked_at = None
        elif self._looked_at is None or time.monotonic() - self._looked_at >= REPAIR_S:
            await self._look_at_all()
        elif changed:
            wish = await asyncio.to_thread(self._wish, changed)
            theirs = {interface_of(agent) for agent in changed}
            await self._carry_out(repairs(wish, {key: self._found[key] for key in self._found if key[1] in theirs}))
        return min(REPAIR_S, max(0.0, self._decide_at - time.monotonic()))

    async def _look_at_all(self) -> None:
        self._looked_at = time.monotonic()
        wish = await asyncio.to_thread(self._wish, None)
        self._found = found_places(await self._door.ask_list("QueueStatus"), self._queues)
        steps = repairs(wish, self._found)
        self.refused = {step: said for step, said in self.refused.items() if step in steps}
        await self._carry_out(steps)

    def _decide(self, at: datetime) -> tuple[list[Event], datetime | None]:
        misses, self._missed = self._missed, []
        try:
            with self._database.read() as db:
                over, next_at = finished_wrap_ups(db, at)
                settled: list[AgentMissed] = []
                early: list[tuple[float, AgentMissed]] = []
                for since, missed in misses:
                    if time.monotonic() - since >= CUT_KNOWN_S or rang_out(db, missed):
                        settled.append(missed)
                    else:
                        early.append((since, missed))
            if over or settled:
                with self._database.write() as db:
                    over, next_at = finished_wrap_ups(db, at)
                    events = record(db, [*over, *after_misses(db, settled, self._pageless)], "policy")
            else:
                events = []
        except OperationalError:
            self._missed[:0] = misses  # the database is away; nothing is forgotten
            raise
        if early:
            self._missed[:0] = early
            soon = at + timedelta(seconds=CUT_KNOWN_S)
            next_at = soon if next_at is None else min(next_at, soon)
        return events, next_at

    def _declare(self, at: datetime) -> list[Event]:
        """Keep as facts who serves which queue from now on, if that has been changed."""
        with self._database.read() as db:
            if not members.changes(db, at):
                return []
        with self._database.write() as db:
            return record(db, members.changes(db, at), "policy")

    def _wish(self, agents: Collection[str] | None) -> dict[tuple[str, str], Place]:
        with self._database.read() as db:
            if agents is None:
                self._queues = frozenset(db.scalars(select(Queue.name)))
            return wished_places(db, agents)

    async def _carry_out(self, steps: list[Step]) -> None:
        """One after the other: the switch does them in this order, and each stands on the one before."""
        for step in steps:
            try:
                await self._door.ask(step.action, **step.fields)
            except (SwitchRefused, BadField) as fault:
                if step not in self.refused:
                    log.warning("policy: %s %s in %s: %s", step.action, step.interface, step.queue, fault)
                self.refused[step] = str(fault)
                continue
            log.info("policy: %s %s in %s %s", step.action, step.interface, step.queue, step.leaves or "")
            if step.leaves is None:
                self._found.pop((step.queue, step.interface), None)
            else:
                self._found[step.queue, step.interface] = step.leaves
