"""FastAGI: the switch connects, says who is calling, then carries out one command at a time.

The protocol is told things and owns no socket. Whatever the other end does - closes half-way, never ends its
header, drips bytes, answers nonsense - costs that connection and no other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Container, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from callcenter.errors import CallCenterError

log = logging.getLogger(__name__)

KEYS = "0123456789*#"
_COMMAND = re.compile(r"[A-Z][A-Z ]*")
_ANSWER = re.compile(r"result=(?P<result>\S*)(?:\s+\((?P<note>.*)\))?(?:\s+endpos=\d+)?\s*$")
_USAGE_LINES = 200  # of a 520 answer


class Alarm(Protocol):
    def active(self) -> bool: ...
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The reactor, as far as time goes; twisted.internet.task.Clock in tests."""

    def seconds(self) -> float: ...
    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> Alarm: ...


class Transport(Protocol):
    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...


class AgiFault(CallCenterError):
    """Talking with a caller's channel went wrong; the dial plan takes the call from here."""


class CallerGone(AgiFault):
    """The caller hung up, or the switch closed the connection."""


class AnswerLate(AgiFault):
    """The switch did not answer a command in time; the connection was closed."""


class CommandRefused(AgiFault):
    """The switch refused an AGI command."""


class Unspeakable(AgiFault):
    """A value with a line break or a NUL cannot be said to the switch; nothing was sent."""


class OutOfTurn(AgiFault):
    """A command was given while another waits for its answer; nothing was sent."""


class SoundMissing(AgiFault):
    """The switch cannot find a sound file; `callcenter check` names it."""


@dataclass(frozen=True)
class Answer:
    """What follows ``200``: ``result=… (note)``."""

    result: str
    note: str = ""


@dataclass(frozen=True)
class Limits:
    """What one connection, and all of them together, may cost."""

    header_s: float = 5.0
    header_bytes: int = 16384
    idle_s: float = 30.0  # between an answer and our next command
    session_s: float = 600.0
    sessions: int = 2000
    greeting: int = 128  # connections whose header is not complete; of more, the oldest goes …
    greeting_s: float = 0.5  # … if it has been silent this long


def quote(value: str) -> str:
    """One argument of an AGI command, whatever is in it. Unspeakable for a line break or NUL."""
    if any(char in value for char in "\r\n\0"):
        raise Unspeakable(repr(value[:80]))
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Agi(LineOnlyReceiver):
    """One caller's channel. ``ask`` gives a command; the verbs below it are the commands in use.

    At any moment one clock runs: for the header, for the answer awaited, or for our own next command.
    """

    delimiter = b"\n"
    MAX_LENGTH = 4096

    def __init__(self, house: AgiFactory, clock: Clock, limits: Limits) -> None:
        self.headers: dict[str, str] = {}
        self.script = ""
        self._house = house
        self._clock = clock
        self._limits = limits
        self._header_bytes = 0
        self._begun = False
        self._gone = False
        self._late = False
        self._waiting: Deferred[Answer] | None = None
        self._usage: list[str] | None = None
        self._alarm: Alarm | None = None
        self._rings_at = 0.0
        self._deadline: float | None = None
        self._end: Alarm | None = None

    # --- what it is told ----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._house.greeting[self] = self._clock.seconds()
        self._within(self._limits.header_s)

    def lineReceived(self, line: bytes) -> None:
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if not self._begun:
            self._header(text, len(line) + 1)
        elif text == "HANGUP":  # out of band: the command under way is answered too, which nobody waits for then
            self._fail(CallerGone())
        elif self._gone:
            pass
        elif self._usage is not None:
            self._usage.append(text)
            if text.startswith("520 ") or len(self._usage) > _USAGE_LINES:
                usage, self._usage = self._usage, None
                self._answer(CommandRefused(" ".join(usage)[:300]))
        elif text.startswith("520-"):
            self._usage = [text]
        elif not text.startswith("100"):  # 100 Trying: the real answer follows
            self._reply(text)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._drop("a line that does not end")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fail(CallerGone())
        self._within(None)
        if self._end is not None and self._end.active():
            self._end.cancel()
        self._house.greeting.pop(self, None)
        self._house.sessions.discard(self)

    # --- what it is asked ---------------------------------------------------------------------------------------

    def ask(self, command: str, *values: str, within_s: float = 5.0) -> Deferred[Answer]:
        """Give one command and await its answer.

        CallerGone as soon as the caller or the connection is, AnswerLate after ``within_s``, CommandRefused for
        any answer but 200, Unspeakable for a value that could end the line.
        """
        if not _COMMAND.fullmatch(command):
            raise Unspeakable(repr(command))
        line = " ".join([command, *(quote(value) for value in values)])
        if self._late:
            raise AnswerLate
        if self._gone:
            raise CallerGone
        if self._waiting is not None:
            raise OutOfTurn(command)
        waiting = self._waiting = Deferred[Answer]()
        self._within(within_s)
        self._line.write(line.encode() + b"\n")
        return waiting

    async def stream(self, sound: str, within_s: float, keys: str = KEYS) -> str:
        """Play a sound; the key that ended it, or empty. SoundMissing if the switch has no such file."""
        answer = await self.ask("STREAM FILE", sound, keys, within_s=within_s)
        if answer.result == "-1":
            await self._explain(sound)
        return chr(int(answer.result)) if answer.result.isdigit() and int(answer.result) > 0 else ""

    async def listen(self, sound: str, wait_s: float, most: int, within_s: float) -> str | None:
        """Play a sound and take up to ``most`` keys; the first key ends the sound, ``#`` or a pause the keys.

        None: no key at all. Empty: only ``#``. SoundMissing if the switch has no such file.
        """
        answer = await self.ask("GET DATA", sound, str(round(wait_s * 1000)), str(most), within_s=within_s)
        if answer.result == "-1":
            await self._explain(sound)
        return None if not answer.result and answer.note == "timeout" else answer.result

    async def put(self, variable: str, value: str) -> None:
        await self.ask("SET VARIABLE", variable, value)

    async def value(self, expression: str) -> str:
        """What a dial plan expression such as ``${QUEUE_WAITING_COUNT(repair)}`` says now; empty if nothing."""
        return (await self.ask("GET FULL VARIABLE", expression)).note

    async def run(self, application: str, options: str) -> None:
        """Run a dial plan application. CommandRefused if there is none of this name."""
        if (await self.ask("EXEC", application, options)).result == "-2":
            raise CommandRefused(application)

    def leave(self) -> None:
        """We are done; the dial plan goes on with the call. A peer that does not let go is let go of."""
        self._gone = True
        self._within(self._limits.header_s)
        self._line.loseConnection()

    # --- inside -------------------------------------------------------------------------------------------------

    @property
    def _line(self) -> Transport:
        return cast(Transport, self.transport)

    def _within(self, seconds: float | None) -> None:
        """Something must happen within so many seconds from now; None: nothing more is awaited."""
        now = self._clock.seconds()
        self._deadline = None if seconds is None else now + seconds
        if self._alarm is not None and (self._deadline is None or self._deadline < self._rings_at):
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None and seconds is not None:
            # A deadline moves with every command. The alarm does not: it rings early and is set anew then.
            self._rings_at = now + seconds
            self._alarm = self._clock.callLater(seconds, self._rings)

    def _rings(self) -> None:
        self._alarm = None
        if self._deadline is not None:
            left_s = self._deadline - self._clock.seconds()
            if left_s > 0:
                self._within(left_s)
            else:
                self._time_is_up()

    def _time_is_up(self) -> None:
        if not self._begun:
            self._drop("no complete header in time")
        elif self._waiting is not None:
            self._late = True
            self._drop("no answer in time", AnswerLate())
        else:
            self._drop("nothing happened for too long")

    def _header(self, text: str, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._limits.header_bytes:
            self._drop("a header without end")
        elif text:
            name, colon, value = text.partition(":")
            if colon:
                # What a caller's carrier wrote may be logged: nothing in it may steer a terminal.
                self.headers[name.strip()] = "".join(char for char in value.strip() if char.isprintable())
        else:
            self._begin()

    def _begin(self) -> None:
        self._begun = True
        self.script = self.headers.get("agi_network_script", "")
        self._house.greeting.pop(self, None)
        if self.script not in self._house.scripts:
            log.warning("a call asked for a flow we do not have: %r", self.script[:80])
            self.leave()
        elif len(self._house.sessions) >= self._limits.sessions:
            log.error("%d callers are in menus already; one more goes to his queue at once", self._limits.sessions)
            self.leave()
        else:
            self._house.sessions.add(self)
            self._within(self._limits.idle_s)
            self._end = self._clock.callLater(self._limits.session_s, self._drop, "the longest time in a menu is over")
            Deferred.fromCoroutine(self._session())

    async def _session(self) -> None:
        try:
            await self._house.session(self)
        except CallerGone:
            pass
        except AgiFault as fault:
            log.warning("call %s left its menu: %s", self.headers.get("agi_uniqueid", "?"), fault)
        except Exception:  # an edge: one caller's fault must not be another's
            log.exception("call %s left its menu", self.headers.get("agi_uniqueid", "?"))
        self.leave()

    def _reply(self, text: str) -> None:
        code, _, rest = text.partition(" ")
        found = _ANSWER.match(rest) if code == "200" else None
        if self._waiting is None:
            self._drop(f"an answer nobody asked for: {text[:80]!r}")
        elif found is not None:
            self._answer(Answer(found["result"], found["note"] or ""))
        elif code == "511":  # not permitted on a dead channel
            self._fail(CallerGone())
        else:
            self._answer(CommandRefused(text[:300]))

    def _answer(self, answer: Answer | AgiFault) -> None:
        waiting, self._waiting = self._waiting, None
        if not self._gone:
            self._within(self._limits.idle_s)
        if waiting is None:
            return
        if isinstance(answer, AgiFault):
            waiting.errback(answer)
        else:
            waiting.callback(answer)

    def _fail(self, fault: AgiFault) -> None:
        self._gone = True
        self._answer(fault)

    async def _explain(self, sound: str) -> None:
        """A sound ended with -1: the caller is gone, or there is no such sound. The channel knows."""
        if (await self.ask("CHANNEL STATUS")).result == "-1":
            raise CallerGone
        raise SoundMissing(sound)

    def _drop(self, why: str, fault: AgiFault | None = None) -> None:
        if not self._gone:
            log.warning("a FastAGI connection was closed: %s", why)
        self._within(None)
        self._house.greeting.pop(self, None)
        self._fail(fault or CallerGone())
        self._line.abortConnection()


class AgiFactory(ServerFactory):
    """Every connection: those still saying their header, and the sessions."""

    noisy = False

    def __init__(
        self,
        session: Callable[[Agi], Coroutine[Deferred[Any], Any, None]],
        scripts: Container[str],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self.session = session
        self.scripts = scripts
        self.greeting: dict[Agi, float] = {}  # since when
        self.sessions: set[Agi] = set()
        self._clock = clock
        self._limits = limits

    def buildProtocol(self, addr: IAddress | None) -> Agi:
        if len(self.greeting) >= self._limits.greeting:
            # The switch says its header at once: who has been silent longest is not the switch. Not sooner, though:
            # of many that come together, the last are accepted before the first is read.
            silent, since = next(iter(self.greeting.items()))
            if self._clock.seconds() - since > self._limits.greeting_s:
                silent._drop("too many connections say nothing")
        return Agi(self, self._clock, self._limits)

    def close(self) -> None:
        """Let every caller go on in the dial plan."""
        for agi in [*self.greeting, *self.sessions]:
            agi.leave()
