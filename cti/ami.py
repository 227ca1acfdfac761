"""The door to the switch, on panoramisk: one AMI link, kept up; questions with a deadline; events in an inbox.

panoramisk 1.4 connects and logs in. Framing, serialising, matching of answers, heartbeat and reconnection are ours,
because its own lose letters and events, repeat actions and wait for ever. The reader never awaits anything: the
switch drops a client that is 2.9 MB behind, and repeats nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from panoramisk.manager import Manager

from callcenter.database import now
from callcenter.errors import CallCenterError
from config.settings import Switch
from cti.inbox import Inbox
from cti.link import Line, SwitchRefused, SwitchUnreachable, seconds_of
from cti.wire import Field, Message, clean, event_name, parse

log = logging.getLogger(__name__)

BOOT_TIMEOUT_S = 60.0  # from a log-in to FullyBooted; a switch that starts answers log-ins long before it is ready
ASKED_EVERY = 0.2  # of a beat, from one answer to the next question
CAUGHT_UP = 0.2  # of a beat; a switch whose events reach us sooner than this is not behind with what it is asked
SILENT_AFTER = 0.5  # of a beat; what is sent to a switch that stands still would be done whenever it wakes
STEADY_S = 10.0  # a link that held this long was a good one: the next loss is a first one again


class LoginRefused(SwitchRefused):
    """The switch refuses our AMI user or secret; see switch.ami_user, switch.ami_secret and its manager.conf."""


class Door:
    """One switch's AMI, from ``connect`` to ``close``.

    ``wanted`` names the events that reach the inbox; None is all of them. The callbacks run in the loop, one after
    another; what they raise is logged. After ``on_connected`` and ``on_overflow`` the truth must be read from the
    switch again.
    """

    def __init__(self, switch: Switch, secret: str, wanted: Collection[str] | None = None) -> None:
        self.inbox = Inbox(switch.inbox_size)
        self.fault: CallCenterError | None = None  # why there is no link
        self.heard = 0  # messages read, wanted or not
        self.booted_at: datetime | None = None  # when the switch came up; another time than before is a restart
        self.on_connected: Callable[[], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self.on_overflow: Callable[[], None] | None = None
        self._switch = switch
        self._secret = secret
        self._wanted = None if wanted is None else frozenset(name.encode() for name in wanted)
        self.read_on = None if self._wanted is None else self._wanted | _OURS  # events that are read to their end
        self._line: Line | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()

    @property
    def connected(self) -> bool:
        return self._line is not None and not self._line.lost.done()

    async def connect(self) -> bool:
        """Begin to keep a link up, until ``close``; True if the first try made one, else ``fault`` says why not."""
        if self._keeper is None:
            self._tried.clear()
            self._keeper = asyncio.create_task(self._keep(), name="ami")
        await self._tried.wait()
        return self.connected

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None

    async def ask(self, action: str, /, *, timeout_s: float | None = None, **fields: Field) -> Message:
        """The switch's answer to one action; fields are AMI headers (``Queue="repair"``), None is left out.

        SwitchUnreachable without a link or without an answer in time, SwitchRefused if it says Error, BadField
        before anything is sent. Nothing is ever sent twice.
        """
        return (await self._ask(action, fields, timeout_s, many=False))[0]

    async def ask_list(self, action: str, /, *, timeout_s: float | None = None, **fields: Field) -> list[Message]:
        """The events between the start and the end of an action's list. Raises as ``ask`` does."""
        return (await self._ask(action, fields, timeout_s, many=True))[1:]

    async def _ask(
        self, action: str, fields: Mapping[str, Field], timeout_s: float | None, many: bool
    ) -> list[Message]:
        if self._line is None:
            raise SwitchUnreachable(self.fault.detail if self.fault else "not connected")
        silent_s = time.monotonic() - self._line.heard_at
        if silent_s > SILENT_AFTER * self._switch.heartbeat_s:
            raise SwitchUnreachable(f"nothing heard for {silent_s:.1f} s, {action} was not sent")
        return await self._line.ask(action, fields, timeout_s or self._switch.answer_timeout_s, many)

    # --- keeping the link -------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        losses = 0
        while True:
            line = Line(self, self._switch.answer_timeout_s)
            try:
                await self._open(line)
                self._line, self.fault, opened = line, None, time.monotonic()
                log.info("switch %s: connected, up since %s", self._switch.name, self.booted_at)
                self._tell(self.on_connected)
                self._tried.set()
                await self._watch(line)
                losses = 0 if time.monotonic() - opened > STEADY_S else losses
                self.fault = SwitchUnreachable(line.end)
            except (SwitchUnreachable, SwitchRefused) as fault:
                self.fault = fault
            finally:
                line.drop("closed")
                if self._line is not None:
                    self._line = None
                    self._tell(self.on_lost)
            losses += 1
            pause = pause_s(losses, isinstance(self.fault, SwitchRefused), random.random())
            log.warning("switch %s: %s Next try in %.1f s.", self._switch.name, self.fault, pause)
            self._tried.set()
            await asyncio.sleep(pause)

    async def _open(self, line: Line) -> None:
        """Connect, log in, and wait until the switch is ready to be asked."""
        switch = self._switch
        manager = _Manager(
            loop=asyncio.get_running_loop(),
            host=switch.host,
            port=switch.ami_port,
            username=switch.ami_user,
            secret=self._secret,
            protocol_factory=lambda: line,
        )
        try:
            async with asyncio.timeout(switch.answer_timeout_s):  # wait_for could lose a cancellation
                await manager.connect()
            await manager.authenticated_future
        except OSError as fault:
            raise SwitchUnreachable(f"{switch.host}:{switch.ami_port}: {fault or 'no answer'}") from fault
        except SwitchRefused as fault:
            raise LoginRefused(fault.detail) from fault
        finally:
            if manager.pinger is not None:
                manager.pinger.cancel()  # the heartbeat is ours
        await asyncio.wait({line.booted, line.lost}, timeout=BOOT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not line.booted.done():
            unsaid = f"no FullyBooted in {BOOT_TIMEOUT_S:g} s; may our user read class system?"
            raise SwitchUnreachable(line.end or unsaid)
        status = (await line.ask("CoreStatus", {}, switch.answer_timeout_s, many=False))[0]
        self.booted_at = _booted_at(status, line.uptime_s, now())

    async def _watch(self, line: Line) -> None:
        """Until the line is lost. One on which nothing comes back, without an end, is lost too, 1.2 beats later.

        So is one that tells at once what happens, but no answer: it does not hear us. The switch reads what it is
        asked whenever it has told all there is; one that tells late may only be busy, and is lost at its third
        unanswered question.
        """
        beat_s = self._switch.heartbeat_s
        unanswered = 0
        while not line.lost.done():
            await asyncio.wait({line.lost}, timeout=ASKED_EVERY * beat_s)
            heard_at, asked_at = line.heard_at, time.monotonic()
            try:
                (pong,) = await line.ask("Ping", {}, beat_s, many=False)  # a switch under load may take its time
                unanswered = 0
                line.ahead_s = seconds_of(pong.get("Timestamp")) - asked_at
            except SwitchUnreachable:
                unanswered += 1
                mute = line.heard_at == heard_at
                if mute or unanswered == 3 or line.told_at_once(asked_at, CAUGHT_UP * beat_s):
                    line.drop("no sign of life" if mute else "it tells, but does not hear us")
            except SwitchRefused as fault:
                log.warning("switch %s: %s", self._switch.name, fault)

    def _tell(self, callback: Callable[[], None] | None) -> None:
        if callback is not None:
            try:
                callback()
            except Exception:
                log.exception("switch %s: a listener failed", self._switch.name)

    # --- hearing ----------------------------------------------------------------------------------------------

    def hear(self, frame: bytes, name: bytes | None, line: Line) -> None:
        """One frame and the name of its event, None where it does not begin with one: an answer, or something odd."""
        if name is None:
            frame = clean(frame)
            name = event_name(frame)
            if name is None:
                if frame:
                    line.answer(parse(frame))
                return
        wanted = self._wanted is None or name in self._wanted
        if not wanted and name not in _OURS and b"\r\nActionID: " not in frame:
            return
        message = parse(frame)
        if line.lists and line.collect(message):
            return
        if name in _OURS:
            line.switch_says(name, message)
        if wanted:
            message.received_at = line.received_at
            if not self.inbox.put(message):
                self.overflow()

    def overflow(self) -> None:
        log.error("switch %s: events were lost on our side; the truth is read again", self._switch.name)
        asyncio.get_running_loop().call_soon(self._tell, self.on_overflow)


_OURS = {b"FullyBooted", b"Shutdown"}


class _Manager(Manager):  # type: ignore[misc]
    """panoramisk for one connection: it connects and logs in. Whether and when to try again is the door's."""

    def connection_made(self, opening: asyncio.Future[Any]) -> None:
        # panoramisk would try again every 2 s for ever, and raise out of a callback if we gave up.
        if not opening.cancelled() and opening.exception() is None:
            super().connection_made(opening)

    def login(self, answer: asyncio.Future[Any]) -> None:
        """Looked at by the door, which waits for the answer itself."""


def pause_s(losses: int, refused: bool, luck: float) -> float:
    """Seconds until the next try; luck (0 to 1) keeps many clients of one switch apart.

    At most 1 s after a first loss, 10 s after many; 5 s to a minute where the log-in was refused, which only a
    person can mend.
    """
    if refused:
        return float(min(60, 5 * 2 ** min(losses - 1, 4))) * (0.75 + 0.25 * luck)
    if losses == 1:
        return 0.1 + 0.9 * luck
    most: float = min(10, 2 ** min(losses - 1, 4))
    return most * (0.5 + 0.5 * luck)


def _booted_at(status: Message, uptime_s: float, at: datetime) -> datetime | None:
    """When the switch came up, to the second: CoreStatus says it in a zone it does not name, the uptime without one."""
    about = at - timedelta(seconds=uptime_s)
    try:
        local = datetime.fromisoformat(f"{status['CoreStartupDate']}T{status['CoreStartupTime']}").replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return about
    quarter = timedelta(minutes=15)
    return local - round((local - about) / quarter) * quarter
