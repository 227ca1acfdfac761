"""The hub: who has a page open, and what each has still to be told of what changes.

A message is a nudge; the row is the truth. Whoever was away, or too slow, reads the snapshot and goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.bus import Bus
from callcenter.database import Database, to_us
from callcenter.events import Event, Nudge
from callcenter.nudges import (
    AgentChanged,
    CallbackChanged,
    CallChanged,
    HelpChanged,
    PhoneTaken,
    RecordingChanged,
    Wished,
    WishSettled,
)
from callcenter.payloads import as_payload
from config.people import User
from cti import queues_now
from cti.rows import Call

log = logging.getLogger(__name__)

REMEMBERED = 128  # messages sent lately, for a browser whose line broke before they came
BACK_WITHIN_S = 60.0
BACKLOG = 2048  # messages a browser may be behind before it is told to start again
COUNTS_EVERY_S = 1.0
TICK_EVERY_S = 20.0
CALLS_REMEMBERED = 5000


class Wire:
    """One browser: what it has still to be sent, in order and numbered."""

    def __init__(self, user: User, card: Callable[[str], str] | None = None, window: str = "") -> None:
        self.user = user
        self.window = window
        self.life = secrets.token_urlsafe(9)  # the numbers of one wire mean nothing to another
        self.gone_at: float | None = None  # monotonic; its browser may come back for what it missed
        self._sent: deque[tuple[int, str]] = deque(maxlen=REMEMBERED)
        self.card = card  # the card of a call that rings at this desk, as markup
        self.card_sent = ""  # of which call
        self.sees_all = user.may("calls.all")
        self.too_slow = asyncio.Event()
        self._backlog: asyncio.Queue[tuple[int, str]] = asyncio.Queue(BACKLOG)
        self._seq = 0

    def put(self, kind: str, payload: str) -> None:
        """``payload`` is a JSON object, written once for all wires."""
        rest = payload[1:] if payload == "{}" else "," + payload[1:]
        try:
            self._backlog.put_nowait((self._seq, f'{{"seq":{self._seq},"type":"{kind}"{rest}'))
            self._seq += 1
        except asyncio.QueueFull:
            self.too_slow.set()

    async def take(self) -> str:
        """The next message; after a while a tick, so that the browser can tell silence from a dead line."""
        try:
            async with asyncio.timeout(TICK_EVERY_S):
                seq, message = await self._backlog.get()
        except TimeoutError:
            self.put("Tick", "{}")
            seq, message = await self._backlog.get()
        self._sent.append((seq, message))
        return message

    def resume(self, seq: int) -> list[str] | None:
        """What was sent behind this number, to be sent again; None if that is no longer known."""
        if self.too_slow.is_set() or (self._sent and seq < self._sent[0][0] - 1):
            return None
        return [message for number, message in self._sent if number > seq]


class Hub:
    """Hears the bus in whichever thread commits, and spreads on the loop the sockets live on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wires: set[Wire] = set()
        self._agents_of: OrderedDict[str, set[str]] = OrderedDict()
        self._cards: set[asyncio.Task[Any]] = set()
        self._parked: set[str] = set()  # calls
        self._recount = asyncio.Event()

    @property
    def count(self) -> int:
        return sum(wire.gone_at is None for wire in self._wires)

    async def run(self, bus: Bus) -> None:
        """Listen until cancelled."""
        self._loop = asyncio.get_running_loop()
        leave = bus.listen(self.hear)
        try:
            await self._count()
        finally:
            leave()
            self._loop = None

    def hear(self, event: Event) -> None:
        loop = self._loop
        if loop is None or not isinstance(event, Nudge) or isinstance(event, Wished):
            return
        try:
            loop.call_soon_threadsafe(self._spread, event)
        except RuntimeError:  # the loop has closed between the two lines
            log.info("not told to anyone, the desktop is stopping: %r", event)

    def join(self, wire: Wire) -> None:
        if wire.window:  # it begins anew: what an earlier page of this window missed is of no use
            mine = wire.window, wire.user.id
            self._wires = {one for one in self._wires if one.gone_at is None or (one.window, one.user.id) != mine}
        self._wires.add(wire)
        wire.put("Hello", json.dumps({"life": wire.life}))

    def leave(self, wire: Wire) -> None:
        """Its browser is gone: a window that may come back finds what it missed for a while.

        The user's other windows are told: the phone may have been in this one.
        """
        if not wire.window or wire.too_slow.is_set():
            self._wires.discard(wire)
        else:
            wire.gone_at = time.monotonic()
            self._sweep()
        for other in self._wires:
            if other.user.id == wire.user.id and other.window and other.gone_at is None:
                other.put("WindowGone", "{}")

    def back(self, user: User, window: str, life: str) -> Wire | None:
        """The wire this window had until its line broke."""
        self._sweep()
        for wire in self._wires:
            if wire.life == life and wire.window == window and wire.user.id == user.id and wire.gone_at is not None:
                wire.gone_at, wire.user, wire.sees_all = None, user, user.may("calls.all")
                return wire
        return None

    def open_window(self, user: User, window: str, *, reachable: bool) -> str | None:
        """The window's name while its page is open, else None.

        One that was never here may be open at another process: it is for as long as the switch reaches the phone.
        """
        here = [wire for wire in list(self._wires) if wire.window == window and wire.user.id == user.id]
        there = any(wire.gone_at is None for wire in here) if here else reachable
        return window if window and there else None

    def _sweep(self) -> None:
        oldest = time.monotonic() - BACK_WITHIN_S
        self._wires = {wire for wire in self._wires if wire.gone_at is None or wire.gone_at > oldest}

    def _spread(self, event: Nudge) -> None:
        self._remember(event)
        if isinstance(event, CallChanged) and event.state == "parked":
            self._parked.add(event.call_id)
        payload = json.dumps(as_payload(event), ensure_ascii=False, separators=(",", ":")) if self._wires else ""
        for wire in self._wires:
            if isinstance(event, CallChanged) and _rings_at(wire, event):
                wire.put("CallChanged", payload[:-1] + ',"card":true}')
                self._send_card(wire, event.call_id)
            elif wire.sees_all or self._concerns(wire.user, event):
                wire.put(type(event).__name__, payload)
        if isinstance(event, CallChanged) and event.state != "parked":
            self._parked.discard(event.call_id)
        if isinstance(event, CallChanged | AgentChanged):  # who is free counts as well
            self._recount.set()

    def _send_card(self, wire: Wire, call_id: str) -> None:
        """The card follows unasked: an agent has two seconds, and a question would cost him a good part of one."""
        assert wire.card is not None
        wire.card_sent = call_id
        task = asyncio.create_task(self._card(wire, wire.card, call_id))
        self._cards.add(task)
        task.add_done_callback(self._cards.discard)

    def rehearse(self, wire: Wire) -> None:
        """A process's first card takes several times as long as the next: the newest call's is made for nobody."""
        if wire.card is not None:
            task = asyncio.create_task(asyncio.to_thread(self._rehearse, wire.card))
            self._cards.add(task)
            task.add_done_callback(self._cards.discard)

    def _rehearse(self, card: Callable[[str], str]) -> None:
        last = select(Call.call_id).order_by(Call.started_at.desc()).limit(1)
        try:
            with self._database.read() as db:
                call_id = db.scalar(last)
            if call_id is not None:
                card(call_id)
        except Exception:
            log.exception("no card could be made before one is needed")

    async def _card(self, wire: Wire, card: Callable[[str], str], call_id: str) -> None:
        try:
            text = await asyncio.to_thread(card, call_id)
        except Exception:
            log.exception("the card of %s cannot be sent; the desk asks for it", call_id)
            text = ""
        wire.put("Card", json.dumps({"call_id": call_id, "text": text}, ensure_ascii=False, separators=(",", ":")))

    def _remember(self, event: Nudge) -> None:
        """Who has had to do with a call: an agent who missed it must hear that it left him."""
        if not isinstance(event, CallChanged | AgentChanged) or event.call_id is None:
            return
        agents = self._agents_of.setdefault(event.call_id, set())
        self._agents_of.move_to_end(event.call_id)
        if event.agent is not None:
            agents.add(event.agent)
        if len(self._agents_of) > CALLS_REMEMBERED:
            self._agents_of.popitem(last=False)

    def _concerns(self, user: User, event: Nudge) -> bool:
        match event:
            case AgentChanged() | WishSettled() | HelpChanged() | CallbackChanged() | PhoneTaken():
                return event.agent == user.extension
            case CallChanged() if event.call_id in self._parked:
                return user.extension is not None  # anybody may fetch him, and sees that somebody has
            case CallChanged() | RecordingChanged():
                return user.extension in self._agents_of.get(event.call_id, ())
            case _:
                return True  # tickets and the link to the switch concern everyone

    async def _count(self) -> None:
        """Queue counts, at most once a second: they may be merged, calls never are."""
        while True:
            await self._recount.wait()
            self._recount.clear()
            if self._wires:
                try:
                    counts = await asyncio.to_thread(self._counts)
                except Exception:
                    log.exception("queues cannot be counted; the next change counts them again")
                else:
                    for wire in self._wires:
                        wire.put("Counts", counts)
            await asyncio.sleep(COUNTS_EVERY_S)

    def _counts(self) -> str:
        with self._database.read() as db:
            return json.dumps({"queues": queue_counts(db)}, separators=(",", ":"))


def _rings_at(wire: Wire, event: CallChanged) -> bool:
    """A call begins to ring at this desk."""
    here = event.state == "ringing" and event.agent is not None and event.agent == wire.user.extension
    there = wire.card is not None and wire.gone_at is None
    return here and there and wire.card_sent != event.call_id


def queue_counts(db: Session) -> dict[str, dict[str, int]]:
    """For each queue with callers: how many wait, and since when the one who waits longest (µs since 1970 UTC)."""
    return {
        queue: {"waiting": callers.waiting, "since": to_us(callers.since) if callers.since else 0}
        for queue, callers in queues_now.waiting(db).items()
    }
