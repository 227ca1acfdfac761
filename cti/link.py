"""One connection to the switch's AMI: our reading and writing in the place of panoramisk's.

Cut into frames as they come, answers matched to questions by an id nobody else can have, each question with its end.
Nothing here awaits; what the connection means to the house is the door's.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Collection, Mapping
from typing import Protocol, cast

from panoramisk.ami_protocol import AMIProtocol

from callcenter.errors import CallCenterError
from cti.wire import Field, Frames, Message, compose, parse

log = logging.getLogger(__name__)


class SwitchUnreachable(CallCenterError):
    """The switch cannot be reached, or did not answer in time; nothing was asked of it twice."""

    status = 503


class SwitchRefused(CallCenterError):
    """The switch refused what was asked of it."""

    status = 409


class Hearer(Protocol):
    """Whom a line tells what it hears."""

    heard: int

    @property
    def read_on(self) -> Collection[bytes] | None: ...

    def hear(self, frame: bytes, name: bytes | None, line: Line) -> None: ...

    def overflow(self) -> None: ...


class _Pending:
    """One question and what came of it so far: the answer, then the events of its list."""

    def __init__(self, future: asyncio.Future[list[Message]], many: bool) -> None:
        self.future = future
        self.many = many
        self.messages: list[Message] = []


class Line(AMIProtocol):  # type: ignore[misc]
    """One connection: our reading and writing in the place of panoramisk's."""

    def __init__(self, hearer: Hearer, answer_timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.lists = 0  # questions whose list is being told
        self.heard_at = 0.0  # monotonic
        self.received_at = 0.0  # seconds since 1970
        self.ahead_s = math.nan  # by how much the switch's clock is before our monotonic one, at most; once it answered
        self.end = ""
        self.lost: asyncio.Future[None] = loop.create_future()
        self.booted: asyncio.Future[None] = loop.create_future()
        self.uptime_s = 0.0  # of the switch, when it said that it is booted
        self._hearer = hearer
        self._answer_timeout_s = answer_timeout_s
        self._loop = loop
        self._frames = Frames()
        self._told = b"", 0.0  # the last event, and when it was heard
        self._pending: dict[str, _Pending] = {}
        self._ids = secrets.token_hex(4)  # another client's answers can never look like ours
        self._asked = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.heard_at = time.monotonic()
        if self.lost.done():  # given up meanwhile
            cast(asyncio.Transport, transport).abort()

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        self.received_at = time.time()
        skipped = self._frames.skipped
        frames = self._frames.feed(data)
        self._hearer.heard += len(frames)
        if frames and frames[-1].startswith(b"Event: "):
            self._told = frames[-1], self.heard_at
        read_on, hear = self._hearer.read_on, self._hearer.hear
        for frame in frames:
            # The name first: three of four events are for others, and reading one costs ten times this look.
            name = frame[7 : frame.find(b"\r\n", 7)] if frame.startswith(b"Event: ") else None
            if name is not None and read_on is not None and name not in read_on and not self.lists:
                continue
            try:
                hear(frame, name, self)
            except Exception:  # the next frame must not suffer
                log.exception("cannot read %r", frame[:200])
        if self._frames.skipped != skipped:
            self._hearer.overflow()

    def told_at_once(self, after: float, within_s: float) -> bool:
        """Whether the last event happened after that moment and was heard so soon; False where no clock says so."""
        event, heard_at = self._told
        happened_at = seconds_of(parse(event).get("Timestamp")) - self.ahead_s
        return happened_at > after and abs(heard_at - happened_at) < within_s

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(str(exc or "closed by the switch"))

    def close(self) -> None:
        self.drop("closed")

    def drop(self, why: str) -> None:
        """The end of this line; questions without an answer stay without one, here and for ever."""
        if self.lost.done():
            return
        self.end = why
        self.lost.set_result(None)
        for pending in self._pending.values():
            if not pending.future.done():
                pending.future.set_exception(SwitchUnreachable(why))
        if self.transport is not None:
            self.transport.abort()  # close() would wait for a peer that no longer reads

    # --- asking -----------------------------------------------------------------------------------------------

    def send(self, data: Mapping[str, Field], as_list: bool | None = False) -> asyncio.Future[list[Message]]:
        """What panoramisk calls to log in."""
        fields = {name: value for name, value in data.items() if name != "Action"}
        return self._send(str(data["Action"]), fields, self._answer_timeout_s, bool(as_list))

    async def ask(self, action: str, fields: Mapping[str, Field], timeout_s: float, many: bool) -> list[Message]:
        return await self._send(action, fields, timeout_s, many)

    def _send(
        self, action: str, fields: Mapping[str, Field], timeout_s: float, many: bool
    ) -> asyncio.Future[list[Message]]:
        self._asked += 1
        action_id = f"{self._ids}-{self._asked}"
        wire = compose({"Action": action, "ActionID": action_id, **fields})
        future: asyncio.Future[list[Message]] = self._loop.create_future()
        if self.lost.done() or self.transport is None:
            raise SwitchUnreachable(self.end)
        self._pending[action_id] = _Pending(future, many)
        self.lists += many
        late = self._loop.call_later(timeout_s, self._expire, future, f"{action}: nothing for {timeout_s:g} s")

        def done(_: asyncio.Future[list[Message]]) -> None:
            late.cancel()
            del self._pending[action_id]
            self.lists -= many

        future.add_done_callback(done)
        self.transport.write(wire)
        return future

    def _expire(self, future: asyncio.Future[list[Message]], why: str) -> None:
        if not future.done():
            future.set_exception(SwitchUnreachable(why))

    # --- being answered ---------------------------------------------------------------------------------------

    def answer(self, message: Message) -> None:
        pending = self._pending.get(message.get("ActionID", ""))
        if pending is None or pending.future.done() or pending.messages:
            return
        if message.get("Response") in ("Error", "Fail", "Failure"):
            pending.future.set_exception(SwitchRefused(str(message.get("Message", ""))))
            return
        pending.messages.append(message)
        if not pending.many or str(message.get("EventList", "")).lower() != "start":
            pending.future.set_result(pending.messages)

    def collect(self, message: Message) -> bool:
        """True if the event is an item, or the end, of a list that was asked for."""
        pending = self._pending.get(message.get("ActionID", ""))
        if pending is None or not pending.many or not pending.messages or pending.future.done():
            return False
        if "EventList" in message:
            if str(message["EventList"]).lower() == "complete":
                pending.future.set_result(pending.messages)
            else:
                pending.future.set_exception(SwitchRefused("list %(message)s", message=message["EventList"]))
        else:
            pending.messages.append(message)
        return True

    def switch_says(self, name: bytes, message: Message) -> None:
        if name == b"Shutdown":
            self.drop(f"the switch shuts down, restart: {message.get('Restart', '?')}")
        elif not self.booted.done():
            self.uptime_s = float(message.get("Uptime", 0))
            self.booted.set_result(None)


def seconds_of(stamp: object) -> float:
    """A stamp of the switch; not a number where it said none."""
    try:
        return float(str(stamp))
    except ValueError:
        return math.nan
