"""A call to try the centre with: dialled as a caller would, keys pressed when the menu listens, words spoken, heard."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import socket
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from callcenter.errors import BadInput, CallCenterError
from callcenter.texts import marked, said
from config.settings import Settings
from cti.link import SwitchRefused, SwitchUnreachable
from cti.telephone import QUIET_MS, Telephone
from cti.wire import Message

RING_S = 60.0  # then the caller gives up
PATIENCE_S = 25.0  # a caller who hears no pause presses his key anyway
_SILENT_LINE_S = 6.0  # and one who hears nothing at all
_KEY = re.compile(r"([0-9*#A-D]+)(?:@(\d+(?:\.\d+)?))?")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_DIGIT_MS = 120
_DIGIT_GAP_S = 0.1
_GLANCE_S = 0.2

_CAUSES = {  # ITU-T Q.850, as the switch says it at the end of a call
    0: marked("no reason given"),
    1: marked("no such number"),
    16: marked("normal clearing"),
    17: marked("busy"),
    18: marked("no answer from the switch"),
    19: marked("nobody answered"),
    21: marked("refused"),
    26: marked("answered elsewhere"),
    27: marked("out of order"),
    31: marked("normal, unspecified"),
    34: marked("no line free"),
    38: marked("the network is out of order"),
    58: marked("no codec in common"),
    102: marked("timed out"),
    127: marked("failed"),
}


class SwitchDeaf(CallCenterError):
    """Nothing answers SIP at the switch's address; is the call centre running?"""

    status = 503


@dataclass(frozen=True)
class Step:
    """Something that happened, so many seconds after dialling."""

    at_s: float
    what: str  # dialled, ringing, answered, sound, key, speaks, spoke, ended
    text: str


@dataclass
class Outcome:
    """How the call went. Times are in seconds; None is never."""

    answered: bool = False
    rang_after_s: float | None = None
    answered_after_s: float | None = None
    sound_after_s: float | None = None  # from the answer to the first sound
    talked_s: float = 0.0
    ended_by: str = ""  # caller, switch
    cause: int = 0  # ITU-T Q.850
    cause_text: str = ""
    heard: Path | None = None
    heard_s: float = 0.0
    channel_id: str = ""  # on the caller's side
    steps: list[Step] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if the call was answered, else 1."""
        return 0 if self.answered else 1


async def place(
    settings: Settings,
    did: str,
    *,
    caller: str = "13800138000",
    name: str = "",
    keys: Sequence[str] = (),
    say: Path | None = None,
    listen: Path | None = None,
    hold_s: float = 60.0,
    report: Callable[[Step], None] = lambda step: None,
    say_at_s: float | None = None,
) -> Outcome:
    """Call a number of the centre, and hang up ``hold_s`` seconds after the answer unless the centre did before.

    A key is pressed, and the file spoken, at the end of a prompt; ``"2@7.5"`` presses 2 that many seconds after the
    answer, and ``"0012#"`` presses one after another. With ``say_at_s`` the file is spoken at that time. What the
    caller heard is put into ``listen``.

    BadInput before anything is dialled; SwitchDeaf, NoPlaceToCallFrom, TelephoneBroken if it cannot be.
    """
    turns = [_turn(key) for key in keys]
    if not _NUMBER.fullmatch(did):
        raise BadInput("%(did)s is not a number to dial", did=repr(did))
    if caller and not _NUMBER.fullmatch(caller):
        raise BadInput("%(caller)s is not a caller's number", caller=repr(caller))
    telephone = Telephone(settings)
    try:
        target = await asyncio.to_thread(listening, settings, telephone.host)
        async with telephone:
            if say is not None:
                await asyncio.to_thread(telephone.load_speech, say)
                turns.append(_Turn("", say_at_s, say))
            call = _Call(telephone, turns, hold_s, report)
            await call.run(f"PJSIP/switch/sip:{did}@{target}", caller, name, did)
        outcome = call.outcome
        if listen is not None and telephone.heard.is_file():
            await asyncio.to_thread(shutil.copyfile, telephone.heard, listen)
            outcome.heard, outcome.heard_s = listen, _length_s(listen)
        return outcome
    finally:
        telephone.discard()


@dataclass(frozen=True)
class _Turn:
    """What the caller does next: press these keys or, where there are none, speak."""

    keys: str
    at_s: float | None = None  # after the answer; None: when the line falls silent
    file: Path | None = None


def _turn(key: str) -> _Turn:
    found = _KEY.fullmatch(key.strip().upper())
    if found is None:
        raise BadInput("%(key)s: keys are 0 to 9, * and #, such as 3 or 0012# or 3@7.5", key=repr(key))
    return _Turn(found[1], float(found[2]) if found[2] else None)


class _Call:
    """One call, from dialling to its end, as the telephone tells it."""

    def __init__(self, telephone: Telephone, turns: list[_Turn], hold_s: float, report: Callable[[Step], None]) -> None:
        self.outcome = Outcome(channel_id=f"trial-{secrets.token_hex(6)}")
        self._telephone = telephone
        self._turns = turns
        self._hold_s = hold_s
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._dialled_at = self._loop.time()
        self._answered_at = 0.0
        self._channel = ""
        self._answered = asyncio.Event()
        self._ended = asyncio.Event()
        self._changed = asyncio.Event()  # the line fell silent or was not
        self._loud = False  # what came last was sound
        self._flowing = True  # and something comes
        self._sounding = False  # both
        self._sounds = 0  # how often a sound began
        self._spoken = asyncio.Event()

    async def run(self, channel: str, caller: str, name: str, did: str) -> None:
        self._dialled_at = self._loop.time()
        listening = asyncio.create_task(self._listen())
        try:
            self._step(
                "dialled",
                said(
                    "%(did)s dialled from %(caller)s, at %(host)s",
                    did=did,
                    caller=caller or said("no number"),
                    host=self._telephone.host,
                ),
            )
            await self._telephone.door.ask(
                "Originate",
                Channel=channel,
                Context="caller",
                Exten="listen",
                Priority=1,
                CallerID=f'"{name}" <{caller}>',  # the last quote ends the name: none is escaped
                Timeout=int(RING_S * 1000),
                ChannelId=self.outcome.channel_id,
                Async=True,
            )
            await self._first(self._answered.wait(), self._ended.wait(), timeout_s=RING_S + 5)
            if self._answered.is_set():
                await self._first(self._act(), self._watch(), self._ended.wait(), timeout_s=self._hold_s)
            await self._hang_up()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    # What the telephone tells

    async def _listen(self) -> None:
        inbox = self._telephone.door.inbox
        while True:
            for message in await inbox.take(100):
                if message.get("Uniqueid") == self.outcome.channel_id:
                    self._hear(message)

    def _hear(self, message: Message) -> None:
        outcome = self.outcome
        self._channel = message.get("Channel", self._channel)
        match message["Event"]:
            case "Newstate" if message["ChannelStateDesc"] == "Ringing" and outcome.rang_after_s is None:
                outcome.rang_after_s = self._step("ringing", said("it rings"))
            case "Newstate" if message["ChannelStateDesc"] == "Up" and not outcome.answered:
                outcome.answered = True
                self._answered_at = self._loop.time()
                outcome.answered_after_s = self._step("answered", said("answered"))
                self._answered.set()
            case "ChannelTalkingStart" | "ChannelTalkingStop" as event:
                self._loud = event == "ChannelTalkingStart"
                self._weigh()
            case "UserEvent" if message["UserEvent"] == "Spoken":
                self._step("spoke", said("said"))
                self._spoken.set()
            case "Hangup":
                self._end(message)

    async def _watch(self) -> None:
        """Notice a line on which nothing comes: a switch that waits for a key need not send silence."""
        count, since = "", self._loop.time()
        while True:
            answer = await self._telephone.door.ask("Getvar", Channel=self._channel, Variable="CHANNEL(rtcp,rxcount)")
            if answer["Value"] != count:
                count, since = answer["Value"], self._loop.time()
            self._flowing = self._loop.time() - since < QUIET_MS / 1000
            self._weigh()
            await asyncio.sleep(_GLANCE_S)

    def _weigh(self) -> None:
        sounding = self._loud and self._flowing
        if sounding == self._sounding:
            return
        self._sounding = sounding
        if sounding:
            self._sounds += 1
            if self.outcome.sound_after_s is None:
                self.outcome.sound_after_s = round(self._loop.time() - self._answered_at, 3)
                self._step("sound", said("sound is heard"))
        self._changed.set()

    def _end(self, message: Message) -> None:
        outcome = self.outcome
        outcome.ended_by = outcome.ended_by or "switch"
        outcome.cause = int(message["Cause"])
        outcome.cause_text = _CAUSES.get(outcome.cause, str(message.get("Cause-txt", "")))
        if outcome.answered:
            outcome.talked_s = round(self._loop.time() - self._answered_at, 3)
        who = {"caller": said("the caller hung up"), "switch": said("the switch hung up")}[outcome.ended_by]
        if not outcome.answered:
            who = said("not answered")
        why = said(outcome.cause_text)
        self._step("ended", said("%(who)s: %(why)s (%(cause)s)", who=who, why=why, cause=outcome.cause))
        self._ended.set()

    def _step(self, what: str, text: str) -> float:
        step = Step(round(self._loop.time() - self._dialled_at, 3), what, text)
        self.outcome.steps.append(step)
        self._report(step)
        return step.at_s

    # What the caller does

    async def _act(self) -> None:
        """Every turn in its time; then the line is held."""
        sounds = 0
        for turn in self._turns:
            waited_for = await self._moment(turn, sounds)
            sounds = self._sounds
            if turn.file is not None:
                await self._speak(turn.file, waited_for)
            else:
                await self._press(turn.keys, waited_for)
        await asyncio.Event().wait()

    async def _moment(self, turn: _Turn, sounds: int) -> str:
        """Wait for the turn's time: the end of a prompt that began since the turn before. What it was."""
        if turn.at_s is not None:
            await asyncio.sleep(max(0.0, self._answered_at + turn.at_s - self._loop.time()))
            return said("%(at_s)s s after the answer", at_s=f"{turn.at_s:g}")
        began = self._loop.time()
        while True:
            since_s = self._loop.time() - began
            if self._sounds > sounds and not self._sounding:
                return said("after the prompt")
            if self._sounds == sounds and not self._sounding and since_s >= _SILENT_LINE_S:
                return said("though nothing was heard")
            if since_s >= PATIENCE_S:
                return said("though no pause was heard")
            most = PATIENCE_S if self._sounding else _SILENT_LINE_S
            self._changed.clear()
            await self._first(self._changed.wait(), timeout_s=max(0.01, most - since_s))

    async def _press(self, keys: str, waited_for: str) -> None:
        self._step("key", said("%(keys)s pressed, %(when)s", keys=keys, when=waited_for))
        for digit in keys:
            await self._telephone.door.ask("PlayDTMF", Channel=self._channel, Digit=digit, Duration=_DIGIT_MS)
            await asyncio.sleep(_DIGIT_MS / 1000 + _DIGIT_GAP_S)

    async def _speak(self, file: Path, waited_for: str) -> None:
        self._step("speaks", said("says %(file)s, %(when)s", file=file.name, when=waited_for))
        self._spoken.clear()
        await self._telephone.door.ask("Redirect", Channel=self._channel, Context="caller", Exten="speak", Priority=1)
        await self._spoken.wait()

    async def _hang_up(self) -> None:
        if self._ended.is_set():
            return
        self.outcome.ended_by = "caller"
        try:
            await self._telephone.door.ask("Hangup", Channel=self._channel or self.outcome.channel_id, Cause=16)
        except (SwitchRefused, SwitchUnreachable):
            pass  # it has just ended by itself
        await self._first(self._ended.wait(), timeout_s=5.0)

    async def _first(self, *waits: object, timeout_s: float) -> None:
        """Until one of them is done, or the time is over; what it raised is raised."""
        tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
        try:
            done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                fault = task.exception()
                # A key pressed into a call that ends just then is refused; the end itself is told by its own event.
                if fault is not None and not isinstance(fault, SwitchRefused):
                    raise fault
                if fault is not None:
                    await asyncio.wait([asyncio.ensure_future(self._ended.wait())], timeout=2.0)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def listening(settings: Settings, host: str) -> str:
    """The switch's SIP address, having asked it for a sign of life. SwitchDeaf."""
    switch = settings.switch
    target = (switch.host if switch.sip_bind in ("", "0.0.0.0") else switch.sip_bind, switch.sip_port)
    mark = secrets.token_hex(8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.bind((host, 0))
            probe.connect(target)
            here = "{}:{}".format(*probe.getsockname())
            where = "{}:{}".format(*target)
            options = (
                f"OPTIONS sip:{where} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{mark};rport\r\n"
                f"From: <sip:trial@{here}>;tag={mark}\r\nTo: <sip:{where}>\r\nCall-ID: {mark}\r\n"
                f"CSeq: 1 OPTIONS\r\nContact: <sip:trial@{here}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            for _ in range(4):  # a switch that is busy booting drops the first
                probe.send(options.encode())
                try:
                    if probe.recv(4096).startswith(b"SIP/2.0"):
                        return where
                except TimeoutError:
                    continue
        except OSError as fault:
            raise SwitchDeaf(f"{target[0]}:{target[1]}: {fault.strerror}") from fault
    raise SwitchDeaf(f"{target[0]}:{target[1]}")


def _length_s(file: Path) -> float:
    with wave.open(str(file), "rb") as sound:
        return round(sound.getnframes() / sound.getframerate(), 3)
