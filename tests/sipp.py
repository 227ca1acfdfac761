"""People on telephones, played by SIPp: callers, far ends, phones that register. Sound is made, not kept."""

from __future__ import annotations

import functools
import math
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import jinja2

from tests.ports import free_port
from tests.waiting import wait_until

SCENARIOS = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "data" / "sipp"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
CALLER_HZ = 440
FAR_END_HZ = 1000


class Sipp:
    """One running SIPp; what it sent and received stands in ``messages()``."""

    def __init__(
        self,
        folder: Path,
        scenario: str,
        at: tuple[str, int],
        to: str,
        calls: int = 1,
        seconds: int = 60,
        per_s: float = 10,
        **values: Any,
    ) -> None:
        program = shutil.which("sipp")
        assert program, "SIPp is missing: apt-get install sip-tester"
        self.host, self.port = at
        self._folder = folder / f"{scenario}-{self.host}-{self.port}"
        self._folder.mkdir(parents=True)
        sound = self._folder / "sound.ulaw"
        sound.write_bytes(tone(values.pop("hz", CALLER_HZ)))
        text = SCENARIOS.get_template(f"{scenario}.xml").render(sound=sound, **values)
        (self._folder / "scenario.xml").write_text(re.sub(r"^\s*\n(?=<)", "", text, flags=re.M), encoding="utf-8")
        command = [
            *(program, "-sf", self._folder / "scenario.xml", "-i", self.host, "-mi", self.host, "-p", str(self.port)),
            *("-mp", str(free_port(socket.SOCK_DGRAM, self.host) & ~1), "-m", str(calls), "-l", str(max(calls, 3))),
            *("-r", f"{per_s * 10:.0f}", "-rp", "10s", "-aa"),  # what NOTIFY tells of a transfer is taken note of
            *("-trace_msg", "-message_file", self._folder / "messages.txt", "-trace_err"),
            *("-error_file", self._folder / "errors.txt", "-timeout", f"{seconds}s", "-timeout_error", "-nostdin"),
            *(to.split() if to else ()),
        ]
        with (self._folder / "screen.txt").open("wb") as screen:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
            )

    def messages(self) -> str:
        try:
            return (self._folder / "messages.txt").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def statuses(self) -> list[int]:
        """The SIP statuses received and sent, in order."""
        return [int(code) for code in re.findall(r"^SIP/2\.0 (\d{3})", self.messages(), re.M)]

    def complaint(self) -> str:
        """What SIPp found wrong."""
        files = [path for path in (self._folder / "errors.txt", self._folder / "screen.txt") if path.is_file()]
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in files)

    def wait_over(self, seconds: float = 60) -> None:
        """Until it is through with all its calls, each as its scenario says."""
        code = self.process.wait(seconds)
        assert code == 0, f"SIPp ended with {code}:\n{self.complaint()}"

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Caller(Sipp):
    """Calls a number, speaks one steady tone, presses keys, and hangs up after ``hold_s`` if nobody else did.

    Through the trunk; with a password as a phone of the centre, whose extension is the number.
    """

    def __init__(
        self,
        folder: Path,
        to: str,
        did: str,
        *,
        number: str = "13800138000",
        name: str = "王小明",
        keys: str = "",
        keys_after_ms: int = 1500,
        later: tuple[tuple[float, str], ...] = (),
        hold_s: float = 30,
        refer_to: str = "",
        replaces: str = "",
        refer_after_s: float = 0,
        password: str = "",
        host: str = "127.0.0.2",
        hz: float = CALLER_HZ,
        calls: int = 1,
        per_s: float = 10,
    ) -> None:
        """``calls`` such callers, so many a second; all of one number. ``later``: seconds on, and a key to press then.

        ``replaces``: the dialog (``FarEnd.dialog``) whose other end is connected with this one's.
        """
        at = (host, free_port(socket.SOCK_DGRAM, host))
        super().__init__(
            folder,
            "caller",
            at,
            to,
            calls=calls,
            per_s=per_s,
            seconds=int(hold_s) + 60,
            did=did,
            number=number,
            name=name,
            contact=number if password else "caller",
            password=password,
            presses=[
                *((400 if place else keys_after_ms, key) for place, key in enumerate(keys)),
                *((int(after_s * 1000), key) for after_s, key in later),
            ],
            hold_ms=int(hold_s * 1000),
            refer_to=refer_to,
            replaces=replaces,
            refer_after_ms=int(refer_after_s * 1000),
            hz=hz,
        )

    @property
    def answered(self) -> bool:
        return 200 in self.statuses()

    def wait_answered(self, seconds: float = 10) -> None:
        wait_until(lambda: self.answered or self.process.poll() is not None, seconds, "the caller is answered")
        assert self.answered, self.complaint()

    def refused_with(self, seconds: float = 10) -> int:
        """The status he was turned away with."""
        self.wait_over(seconds)
        return [code for code in self.statuses() if code >= 300][-1]


class FarEnd(Sipp):
    """A telephone at a fixed place: answers after ``answer_ms`` and speaks, or refuses, or (None) only rings.

    It hangs up after ``talk_ms``, if that is not 0 and the other end did not. In between it keeps the other end on hold
    for ``hold_ms``, presses keys (seconds on, and a key), and sends it on to ``refer_to``.
    """

    def __init__(
        self,
        folder: Path,
        at: tuple[str, int],
        *,
        answer_ms: int | None = 200,
        refuse_with: int = 0,
        talk_ms: int = 0,
        hold_ms: int = 0,
        hold_after_ms: int = 300,
        refer_to: str = "",
        presses: tuple[tuple[float, str], ...] = (),
        calls: int = 1000,
        seconds: int = 300,
        hz: float = FAR_END_HZ,
    ) -> None:
        super().__init__(
            folder,
            "phone",
            at,
            "",
            calls=calls,
            seconds=seconds,
            answer_ms=answer_ms,
            refuse_with=refuse_with,
            talk_ms=talk_ms,
            hold_ms=hold_ms,
            hold_after_ms=hold_after_ms,
            refer_to=refer_to,
            presses=[(int(after_s * 1000), key) for after_s, key in presses],
            hz=hz,
        )

    @property
    def invites(self) -> int:
        """How many calls came, each counted once."""
        return len(set(re.findall(r"^INVITE .*?^Call-ID: (\S+)", self.messages(), re.M | re.S)))

    def dialog(self) -> str:
        """The call it answered last, as a Refer-To names one to be replaced."""
        answers = re.findall(r"^SIP/2\.0 200 OK\s.*?^CSeq: \d+ INVITE", self.messages(), re.M | re.S)
        for answer in reversed(answers):
            of = [re.search(rf"^{name}: *(.*?)\s*$", answer, re.M) for name in ("Call-ID", "From", "To")]
            call_id, theirs, ours = (found[1] if found else "" for found in of)
            tag, own = (whose.rpartition("tag=")[2] for whose in (theirs, ours))
            if re.fullmatch(r"\d+p\d+", own):  # else it answered us, who put it on hold
                return quote(f"{call_id};to-tag={tag};from-tag={own}", safe="")
        raise AssertionError("it has answered nobody")


class Registrar(Sipp):
    """A carrier that lets us in once we have registered."""

    def __init__(self, folder: Path, at: tuple[str, int]) -> None:
        super().__init__(folder, "registrar", at, "", seconds=60)


class Registration(Sipp):
    """A phone that registers once."""

    def __init__(
        self, folder: Path, to: str, number: str, password: str, *, host: str = "127.0.0.3", expires_s: int = 60
    ) -> None:
        at = (host, free_port(socket.SOCK_DGRAM, host))
        super().__init__(folder, "register", at, to, seconds=20, number=number, password=password, expires_s=expires_s)


@functools.cache
def tone(hz: float, seconds: float = 10, loud: float = 0.3) -> bytes:
    """Raw 8 kHz µ-law of one steady tone."""
    return bytes(ulaw(int(32767 * loud * math.sin(math.tau * hz * n / 8000))) for n in range(int(8000 * seconds)))


def ulaw(sample: int) -> int:
    """One 16-bit sample as G.711 µ-law."""
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), 32635) + 132
    exponent = size.bit_length() - 8
    return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 0x0F)) & 0xFF
