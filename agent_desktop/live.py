"""Live push: what has changed, told to the desks and boards it concerns.

A message is a nudge; the row is the truth. Whoever was away, or too slow, reads ``/live/snapshot`` and goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from agent_desktop.desk import card_text
from agent_desktop.desktop import Reading, desktop_of
from agent_desktop.page import page_of
from agent_desktop.session import SignedInHere, allow, find, may, of_our_origin
from agent_desktop.sockets import NOT_SIGNED_IN, START_AGAIN
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
from cti.rows import Agent, Call, SwitchRow

log = logging.getLogger(__name__)

REMEMBERED = 128  # messages sent lately, for a browser whose line broke before they came
BACK_WITHIN_S = 60.0
BACKLOG = 2048  # messages a browser may be behind before it is told to start again
COUNTS_EVERY_S = 1.0
TICK_EVERY_S = 20.0
CALLS_REMEMBERED = 5000
WAITING = ("waiting", "ringing")

router = APIRouter()


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
        self.sees_all = may(user, "calls.all")
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
                wire.gone_at, wire.user, wire.sees_all = None, user, may(user, "calls.all")
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
        payload = json.dumps(as_payload(event), ensure_ascii=False, separators=(",", ":"))
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
    waiting = (
        select(Call.queue, func.count(), func.min(Call.joined_at))
        .where(Call.state.in_(WAITING), Call.queue.is_not(None))
        .group_by(Call.queue)
    )
    return {
        queue: {"waiting": count, "since": to_us(since) if since else 0}
        for queue, count, since in db.execute(waiting)
        if queue is not None
    }


def snapshot(db: Session, user: User) -> dict[str, Any]:
    """Everything a page that starts, or was away, has to know; the same cut as the messages."""
    agents, calls = select(Agent), select(Call).where(Call.state != "ended")
    if not may(user, "calls.all"):
        agents = agents.where(Agent.extension == user.extension)
        calls = calls.where(Call.agent == user.extension)
    return {
        "agents": [_agent(agent) for agent in db.scalars(agents.order_by(Agent.extension))],
        "calls": [_call(call) for call in db.scalars(calls.order_by(Call.started_at))],
        "queues": queue_counts(db),
        "switches": [
            {"switch": row.name, "connected": row.connected, "detail": row.detail}
            for row in db.scalars(select(SwitchRow).order_by(SwitchRow.name))
        ],
    }


def _agent(agent: Agent) -> dict[str, Any]:
    return {
        "agent": agent.extension,
        "status": agent.status,
        "status_reason": agent.status_reason,
        "status_since": to_us(agent.status_since) if agent.status_since else None,
        "state": agent.state,
        "state_since": to_us(agent.state_since) if agent.state_since else None,
        "call_id": agent.call_id,
        "queue": agent.queue,
        "reachable": agent.reachable,
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "state": call.state,
        "queue": call.queue,
        "agent": call.agent,
        "started_at": to_us(call.started_at),
        "answered_at": to_us(call.answered_at) if call.answered_at else None,
    }


@router.get("/live/snapshot", dependencies=[allow("account")])
def read_snapshot(signed: SignedInHere, db: Reading) -> JSONResponse:
    return JSONResponse(snapshot(db, signed.user), headers={"Cache-Control": "no-store"})


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else -1


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    desktop = desktop_of(socket)
    if not of_our_origin(socket, said=True):
        await socket.close()  # before accept: the browser is answered 403
        return
    signed = await asyncio.to_thread(find, desktop, socket)
    await socket.accept()
    if signed is None:
        await socket.close(NOT_SIGNED_IN, "sign in")
        return
    shows_cards = signed.user.extension is not None and may(signed.user, "desk")
    window, life = (socket.query_params.get(name, "")[:40] for name in ("window", "life"))
    wire = desktop.hub.back(signed.user, window, life) if window and life else None
    missed = wire.resume(_number(socket.query_params.get("seq", ""))) if wire is not None else None
    if wire is None or missed is None:
        missed = []
        wire = Wire(signed.user, partial(card_text, page_of(socket, signed)) if shows_cards else None, window)
        desktop.hub.join(wire)
        desktop.hub.rehearse(wire)
    goodbye = None
    try:
        for message in missed:
            await socket.send_text(message)
        with desktop.sockets.opened(signed) as ended:
            goodbye = await _feed(socket, wire, ended)
    except (RuntimeError, WebSocketDisconnect):  # gone again before it had all
        pass
    finally:
        desktop.hub.leave(wire)  # before goodbye: a choked line takes its time over that
    if goodbye is not None:
        await _close(socket, *goodbye)


async def _feed(socket: WebSocket, wire: Wire, ended: asyncio.Event) -> tuple[int, str] | None:
    """Until it is over; the code and the word to close with, None when its browser has gone by itself."""
    tasks = {
        "send": asyncio.create_task(_send(socket, wire)),
        "gone": asyncio.create_task(_until_gone(socket, wire)),
        "slow": asyncio.create_task(wire.too_slow.wait()),
        "ended": asyncio.create_task(ended.wait()),
    }
    done, pending = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    if tasks["ended"] in done:
        return NOT_SIGNED_IN, "session ended"
    if tasks["slow"] in done:
        log.warning("a desk of %s was %d messages behind; told to start again", wire.user.login, BACKLOG)
        return START_AGAIN, "resnapshot"
    return None


async def _send(socket: WebSocket, wire: Wire) -> None:
    while True:
        await socket.send_text(await wire.take())


async def _until_gone(socket: WebSocket, wire: Wire) -> None:
    """The browser asks now and then whether we are there; it is told so, and nothing else is listened to."""
    try:
        while True:
            await socket.receive_text()
            wire.put("Tick", "{}")
    except (WebSocketDisconnect, KeyError):
        return


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Say goodbye if the other side still listens; it may be gone or choked."""
    try:
        await asyncio.wait_for(socket.close(code, reason), timeout=2)
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        pass
