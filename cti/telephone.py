"""A telephone to try the centre with: a second, private Asterisk that dials in as the carrier does.

It lives in a folder of its own below /tmp, shares nothing with the switch but the program, and ends with whoever
started it, however he ends: a small shell holds the other end of a pipe, and cleans up when the pipe closes.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import ipaddress
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from callcenter.errors import BadInput, CallCenterError
from config.home import runs_as
from config.settings import Settings, Switch
from config.switch import find
from cti.ami import Door

RATE = 8000  # samples a second, on the line and in the files
QUIET_MS = 1200  # a silence this long is a menu that waits, not a comma
_BOOT_S = 20.0
_STOP_S = 5.0
_EVENTS = {
    "Newstate",
    "Hangup",
    "ChannelTalkingStart",
    "ChannelTalkingStop",
    "DTMFEnd",
    "UserEvent",
    "OriginateResponse",
}

# Asterisk in the foreground, and beside it a reader of our pipe. A pipe that closes without a word means that we were
# killed: then the folder goes too.
_KEEPER = """
exec 3<&0
"$@" </dev/null & asterisk=$!
(
    read -r word <&3
    kill -TERM $asterisk 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $asterisk 2>/dev/null || break; sleep 0.5; done
    kill -KILL $asterisk 2>/dev/null
    [ -n "$word" ] || rm -rf "$FOLDER"
) 3<&3 &
wait $asterisk
"""

_FILES = {
    "asterisk.conf": """
[directories]
astetcdir => {folder}/etc
astmoddir => {modules}
astvarlibdir => {data}
astdatadir => {data}
astdbdir => {folder}/run
astkeydir => {folder}/run
astspooldir => {folder}/spool
astrundir => {folder}/run
astlogdir => {folder}/log
[options]
systemname = trial
transmit_silence = yes
nocolor = yes
hideconnect = yes
""",
    "modules.conf": """
[modules]
autoload = no
preload = res_sorcery_config.so
preload = res_sorcery_memory.so
preload = res_sorcery_astdb.so
"""
    + "".join(
        f"require = {name}.so\n"
        for name in (
            *(
                "res_timing_timerfd",
                "res_pjproject",
                "res_crypto",
                "res_rtp_asterisk",
                "res_pjsip",
                "res_pjsip_session",
            ),
            *(
                "res_pjsip_sdp_rtp",
                "res_pjsip_pubsub",
                "res_pjsip_rfc3326",
                "res_pjsip_caller_id",
                "chan_pjsip",
                "bridge_simple",
            ),
            *("pbx_config", "app_mixmonitor", "app_playback", "app_senddtmf", "app_userevent", "func_talkdetect"),
            *("codec_ulaw", "codec_alaw", "codec_a_mu", "format_wav", "func_channel"),
        )
    ),
    "logger.conf": "[general]\n[logfiles]\nconsole => warning,error\n",
    "manager.conf": """
[general]
enabled = yes
webenabled = no
bindaddr = 127.0.0.1
port = {ami_port}
displayconnects = no
[trial]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.0/255.0.0.0
read = system,call,dtmf,user
write = system,call,originate
""",
    "rtp.conf": "[general]\nrtpstart = {rtp_start}\nrtpend = {rtp_end}\n",
    "pjsip.conf": """
[global]
type = global
user_agent = callcenter call
[udp]
type = transport
protocol = udp
bind = {host}:{port}
[switch]
type = endpoint
transport = udp
context = incoming
disallow = all
allow = alaw,ulaw
direct_media = no
dtmf_mode = rfc4733
send_connected_line = no
""",
    "extensions.conf": """
[general]
static = yes
writeprotect = yes
[caller]
exten => listen,1,Set(TALK_DETECT(set)={quiet_ms},256)
 same => n,MixMonitor(,r({folder}/spool/heard.wav))
 same => n,Goto(wait,1)
exten => wait,1,Wait(86400)
exten => speak,1,Playback({folder}/spool/speech)
 same => n,UserEvent(Spoken)
 same => n,Goto(wait,1)
[incoming]
""",
}
_EMPTY = (
    "acl",
    "ccss",
    "features",
    "udptl",
    "geolocation",
    "pjproject",
    "codecs",
    "dsp",
    "cli",
    "cli_aliases",
    "sorcery",
)


class NoPlaceToCallFrom(CallCenterError):
    """No address of this machine may call the switch; add 127.0.0.2 to switch.trunk_hosts in callcenter.toml."""


class TelephoneBroken(CallCenterError):
    """The telephone that makes the call did not start."""


class Telephone:
    """An ``async with`` of it is a telephone that is ready to dial, and its door."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(
            tempfile.mkdtemp(prefix=f"cc-call-{os.getpid()}-", dir="/tmp")
        )  # short, for the control socket
        self.host, self.port = place(settings.switch)
        self._ami = Switch(
            host="127.0.0.1", ami_port=_free_port(), ami_user="trial", name="trial", answer_timeout_s=10.0
        )
        self._secret = secrets.token_urlsafe(16)
        self.door = Door(self._ami, self._secret, _EVENTS)
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def heard(self) -> Path:
        """What came out of it, whole once it was left."""
        return self.folder / "spool" / "heard.wav"

    def load_speech(self, file: Path) -> float:
        """Make a WAV file what it speaks; its length in seconds."""
        frames = on_the_line(file)
        target = self.folder / "spool" / "speech.wav"
        with wave.open(str(target), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(frames)
        target.chmod(0o644)
        return len(frames) / 2 / RATE

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.door.close()
        await asyncio.shield(asyncio.to_thread(self._stop))

    def discard(self) -> None:
        """Remove its folder, and what was heard with it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _start(self) -> None:
        installation = find(self.settings)
        owner = runs_as(self.settings)
        values = {
            "folder": self.folder,
            "modules": installation.modules,
            "data": installation.data,
            "host": self.host,
            "port": self.port,
            "ami_port": self._ami.ami_port,
            "secret": self._secret,
            "quiet_ms": QUIET_MS,
            "rtp_start": self.settings.switch.rtp_end + 1,
            "rtp_end": min(self.settings.switch.rtp_end + 400, 65535),
        }
        for name in ("etc", "run", "spool", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        for name, text in _FILES.items():
            (self.folder / "etc" / name).write_text(text.format(**values))
        for name in _EMPTY:
            (self.folder / "etc" / f"{name}.conf").touch()
        if owner is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, *owner)
        with (self.folder / "console.log").open("wb") as out:
            self._keeper = subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    _KEEPER,
                    "telephone",
                    *installation.argv,
                    "-f",
                    "-C",
                    self.folder / "etc/asterisk.conf",
                ],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                cwd="/",
                env={"FOLDER": str(self.folder), "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                start_new_session=True,  # Ctrl-C is ours to answer
                user=owner[0] if owner is not None else None,
                group=owner[1] if owner is not None else None,
                extra_groups=[] if owner is not None else None,
            )
        await self._connect()

    async def _connect(self) -> None:
        """Until the door is open; it closes and opens again, for Asterisk needs a moment until it listens."""
        assert self._keeper is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _BOOT_S
        while loop.time() < deadline:
            if self._keeper.poll() is not None:
                raise TelephoneBroken(self._last_words())
            if await asyncio.to_thread(_listens, self._ami.ami_port) and await self.door.connect():
                return
            await self.door.close()
            await asyncio.sleep(0.05)
        raise TelephoneBroken(f"not within {_BOOT_S:g} s: {self._last_words()}")

    def _stop(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        with contextlib.suppress(OSError):
            keeper.communicate(b"end\n", timeout=_STOP_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(_STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper.pid, signal.SIGKILL)  # its own group, made by start_new_session
        keeper.wait()

    def _last_words(self) -> str:
        lines = (self.folder / "console.log").read_text(errors="replace").splitlines()
        return " | ".join([line for line in lines if "ERROR" in line][-3:] or lines[-3:])


def on_the_line(file: Path) -> bytes:
    """A WAV file as the line carries it: 16 bits, one channel, 8000 a second. BadInput says what it cannot be."""
    try:
        with wave.open(str(file), "rb") as source:
            channels, width, rate, count, *_ = source.getparams()
            raw = source.readframes(count)
    except (OSError, EOFError, wave.Error) as fault:
        raise BadInput(f"{file}: {fault}") from fault
    if width != 2 or not count:
        raise BadInput("%(file)s: a WAV file with 16 bits a sample is needed", file=file)
    samples = array.array("h", raw)
    if sys.byteorder == "big":
        samples.byteswap()
    mono = [sum(samples[at : at + channels]) / channels for at in range(0, count * channels, channels)]
    line = array.array("h", (round(value) for value in _at_rate(mono, rate)))
    if sys.byteorder == "big":
        line.byteswap()
    return line.tobytes()


def _at_rate(samples: list[float], rate: int) -> list[float]:
    """Each sample of the line is the mean of those it stands for; between two where the file has fewer."""
    if rate == RATE:
        return samples
    step = rate / RATE
    result = []
    for index in range(int(len(samples) / step)):
        begin, end = int(index * step), int((index + 1) * step)
        part = samples[begin : max(end, begin + 1)]
        result.append(sum(part) / len(part))
    return result


def place(switch: Switch) -> tuple[str, int]:
    """Where to call from: the carrier's address, if it is one of ours, and a port that nobody has."""
    carrier = urlsplit(switch.trunk_contact.replace("sip:", "sip://", 1)).hostname
    known = [carrier] if carrier and _covered(carrier, switch.trunk_hosts) else []
    for host in (*known, *switch.trunk_hosts):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError, ValueError):
            probe.bind((str(ipaddress.ip_network(host, strict=False).network_address), 0))
            here: tuple[str, int] = probe.getsockname()
            return here
    raise NoPlaceToCallFrom(f"switch.trunk_hosts: {', '.join(switch.trunk_hosts)}")


def _covered(host: str, networks: tuple[str, ...]) -> bool:
    with contextlib.suppress(ValueError):  # a name; the switch resolves it, we need not
        return any(ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False) for network in networks)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
