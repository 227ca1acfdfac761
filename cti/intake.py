"""The one consumer of the switch's events: inbox → fact → one transaction per batch → publish after commit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from callcenter import phone
from callcenter.bus import Bus
from callcenter.database import Database, now
from callcenter.events import Fact
from config.settings import Settings
from cti import invariants, resync
from cti.ami import Door
from cti.codes import PRESSED, Codes
from cti.control import Control
from cti.link import SwitchRefused, SwitchUnreachable
from cti.policy import Policy
from cti.spool import Spool
from cti.store import AGAIN_S, AWAY, Store
from cti.translate import WANTED, translate
from cti.wire import Message

log = logging.getLogger(__name__)

BATCH = 1000  # messages in one transaction at most
WATCH_S = 1.0  # between two looks at what must be true
BESIDE_S = 10.0  # between two looks at the switch's channels beside ours; at once again where they differ
NOTE_S = 60.0  # how much of the logs is read again after a crash, at most twice this
_PRIVATE = ("CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName", "Exten", "Extension")

# Marks of our own among the messages, so that what they mean stands in its place in the order of events.
_LINK_UP, _LINK_DOWN, _OVERFLOW, _STOP = "cti.LinkUp", "cti.LinkDown", "cti.Overflow", "cti.Stop"

# How long an event may wait for those that belong to it, in seconds: while a phone rings somebody wants to know who it
# is; who talks is seen by his own phone; a pause is our own doing.
PATIENCE_S = 0.2
PATIENCE = {
    "AgentCalled": 0.0,
    **dict.fromkeys(("AgentComplete", "AgentRingNoAnswer", "QueueCallerAbandon"), 0.03),
    "QueueMemberPause": 1.0,
    PRESSED: 0.0,
    **dict.fromkeys((_LINK_UP, _LINK_DOWN, _OVERFLOW, _STOP), 0.0),
}


class Intake:
    """Owns the door to one switch, policy and control; what the switch says becomes rows here and nowhere else."""

    def __init__(self, settings: Settings, database: Database, bus: Bus) -> None:
        self.door = Door(settings.switch, settings.ami_secret, WANTED)
        self.policy = Policy(settings, database, bus, self.door)
        self.control = Control(settings, database, self.door, bus)
        self.codes = Codes(settings, database, bus, self.door)
        self._switch = settings.switch.name
        self._bus = bus
        self._database = database
        self._normalise = partial(
            phone.normalise, country=settings.centre.country, area_code=settings.centre.area_code.lstrip("0")
        )
        files = resync.LogFiles(settings.switch_home / "log", self._normalise, settings.centre.language)
        self._store = Store(database, bus, Spool(settings.home / "spool" / f"{self._switch}.jsonl"), files)
        self._resync_due = False
        self._unseen_until = now()  # from here on the link tells, if nothing is due
        self._early: list[Message] = []  # heard on a new link before it was known what went before
        self._most_early = settings.switch.inbox_size
        self._caught_up = False
        self._noted_at = time.monotonic()
        self._watch = invariants.Watch()
        self._watching: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.door.inbox.patience_s, self.door.inbox.patience = PATIENCE_S, PATIENCE
        self.door.on_connected = lambda: self._mark(_LINK_UP)
        self.door.on_lost = lambda: self._mark(_LINK_DOWN, why=str(self.door.fault or "closed"))
        self.door.on_overflow = lambda: self._mark(_OVERFLOW)

    async def start(self) -> None:
        """Returns once the first try to connect is over; a switch that comes later is found when it comes."""
        self._task = asyncio.create_task(self._consume(), name="intake")
        if not await self.door.connect():
            self._mark(_LINK_DOWN, why=str(self.door.fault))
        await self.policy.start()
        await self.control.start()
        await self.codes.start()
        self._watching = asyncio.create_task(self._look_at_rows(), name="invariants")

    async def stop(self) -> None:
        """What was heard until now is recorded, or lies on disk, when it returns."""
        if self._task is None:
            return
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self.codes.stop()
        await self.control.stop()
        await self.policy.stop()
        await self.door.close()
        self._mark(_STOP)
        await self._task
        self._task = None

    def health(self) -> tuple[bool, str]:
        if self._store.fault:
            return False, f"{len(self._store)} facts wait on disk: {self._store.fault}"
        if not self.door.connected:
            return False, str(self.door.fault or "not connected")
        stands = f"; not as it must be: {sorted(self._watch.standing)}" if self._watch.standing else ""
        return True, f"connected to {self._switch}, {len(self.door.inbox)} events behind{stands}"

    @property
    def breaches(self) -> int:
        """How often our rows were not as they must be, since we started."""
        return self._watch.count

    async def _look_at_rows(self) -> None:
        """Every second. What stands wrong is logged with its evidence, and the switch is looked at again."""
        looked, beside_at = False, 0.0
        while True:
            await asyncio.sleep(WATCH_S)
            if self._resync_due or self._store.behind or len(self.door.inbox) or not self.door.connected:
                continue
            try:
                channels = None
                if time.monotonic() - beside_at >= BESIDE_S or self._watch.suspects:
                    seen = await resync.channels_of(self.door, self._switch, now(), self._normalise)
                    channels, beside_at = {leg_id: one.bridge_id for leg_id, one in seen.items()}, time.monotonic()
                news = self._watch.look(await asyncio.to_thread(self._store.breaches, self._switch, channels))
                if news or self._watch.healed or not looked:
                    standing = self._watch.standing
                    await asyncio.to_thread(self._store.keep_breaches, self._switch, news, standing)
                looked = True
            except (*AWAY, SwitchUnreachable, SwitchRefused):
                continue
            except Exception:
                log.exception("intake: the rows could not be looked at")
                continue
            if news:
                self._mark(_OVERFLOW)

    # --- in the order of events -----------------------------------------------------------------------------------

    def _mark(self, name: str, **more: str) -> None:
        message = Message(Event=name, **more)
        message.received_at = time.time()
        if not self.door.inbox.put(message):
            self._mark(_OVERFLOW)

    async def _consume(self) -> None:
        """Until told to stop. Whatever goes wrong with one message or one batch, the next one is taken."""
        while True:
            try:
                if not await self._round():
                    return
            except Exception:
                log.exception("intake: a round failed; the switch is looked at again")
                self._resync_due, self._unseen_until = True, now()
                await asyncio.sleep(AGAIN_S)

    async def _round(self) -> bool:
        restless = self._resync_due or self._store.behind
        messages = await self._take(AGAIN_S if restless else None)
        heard: list[Fact] = []
        for place, message in enumerate(messages):
            match message["Event"]:
                case name if name in WANTED and not self._caught_up:
                    self._hold_back(message)
                case name if name in WANTED:
                    fact = self._fact(message)
                    if fact is not None:
                        heard.append(fact)
                    elif message.get("UserEvent") == PRESSED:
                        self.codes.press(message)
                case name:
                    await self._keep(heard)
                    heard = []
                    if name == _STOP:
                        await self._keep(self._facts(self._early))
                        return False
                    if name == _LINK_DOWN:
                        self._caught_up = False
                        await asyncio.to_thread(self._store.lose, self._switch, _received(message), message["why"])
                    elif name == _LINK_UP or self._caught_up:
                        self._resync_due, self._unseen_until = True, _received(message)
                        heard = await self._catch_up(messages[place + 1 :])
        await self._keep(heard)
        if not self._resync_due and time.monotonic() - self._noted_at >= NOTE_S:
            self._noted_at = time.monotonic()
            if self.door.connected:
                await asyncio.to_thread(self._store.note, self._switch)
        if restless and self._resync_due and not self._store.behind:
            await self._keep(await self._catch_up([]))
        return True

    def _hold_back(self, message: Message) -> None:
        """Until it is known what went before. What gets too much is let go: the logs tell it, up to here."""
        if len(self._early) >= self._most_early:
            self._early.clear()
            self._unseen_until = _received(message)
        self._early.append(message)

    async def _catch_up(self, behind: Sequence[Message]) -> list[Fact]:
        """Look at the switch; the facts that were held back for it, and can be told now.

        If the look fails, what is heard is held back until one does not. While the database is away the facts go to
        the disk as they come: there they are safe, and behind them it is looked.
        """
        looked = await self._resync([*self._early, *behind])
        self._caught_up = looked or self._store.behind
        if not self._caught_up:
            return []
        early, self._early = self._early, []
        return self._facts(early)

    async def _take(self, timeout_s: float | None) -> Sequence[Message]:
        if timeout_s is None or len(self.door.inbox):
            return await self.door.inbox.take(BATCH)
        # Not wait_for: in Python 3.11 it can lose what was taken in the very moment the time is over.
        try:
            async with asyncio.timeout(timeout_s):
                return await self.door.inbox.take(BATCH)
        except TimeoutError:
            return []

    def _facts(self, messages: Sequence[Message]) -> list[Fact]:
        return [fact for message in messages if (fact := self._fact(message)) is not None]

    def _fact(self, message: Message) -> Fact | None:
        """None for what says nothing, and for what cannot be read: that is logged."""
        try:
            return translate(message, self._switch, _received(message), self._normalise)
        except Exception as fault:
            shown = {name: "…" if name in _PRIVATE else value for name, value in message.items()}
            log.warning("intake: cannot read %s: %.100r in %.600r", message["Event"], fault, shown)
            return None

    async def _keep(self, facts: list[Fact]) -> None:
        if facts or self._store.behind:
            await asyncio.to_thread(self._store.keep, facts, "ami")

    async def _resync(self, waiting: Sequence[Message]) -> bool:
        """Look at the switch and record what differs; False if it is due still.

        ``waiting`` has been taken from the inbox and is not told yet.
        """
        if self._store.behind or not self.door.connected:
            return False  # LINK_UP or the next round does it
        try:
            sight = await resync.look(self.door, self._switch, now(), self._normalise)
        except (SwitchUnreachable, SwitchRefused) as fault:
            log.warning("intake: the switch was not looked at, again soon: %s", fault)
            return False
        heard = [message for message in [*waiting, *self.door.inbox] if message["Event"] in WANTED]
        told = {m.get("Uniqueid", "") for m in heard if m["Event"] in ("Newchannel", "Hangup")}
        facts = self._facts(heard)
        until, booted_at = self._unseen_until, self.door.booted_at
        done = await asyncio.to_thread(self._store.catch_up, sight, self._switch, booted_at, told, until, facts)
        self._resync_due = not done
        return done


def _received(message: Message) -> datetime:
    return datetime.fromtimestamp(message.received_at, UTC)
