"""What ``callcenter check`` looks at on this machine: the switch and its files, ports, disk, clock, address."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from callcenter.errors import CallCenterError
from callcenter.texts import marked, said
from config import home
from config.process import Process, SwitchSilent
from config.settings import Settings
from config.switch import control_folder, find

FREE_ENOUGH = 1 << 30  # bytes
_BYTES_PER_HOUR = 8000 * 2 * 2 * 3600  # 16 bits of either side, 8000 times a second
_SOCKET_PATH = 107  # bytes, and no more, in sockaddr_un
_GET_FLAGS, _GET_ADDRESS = 0x8913, 0x8915  # SIOCGIFFLAGS, SIOCGIFADDR
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40  # IFF_…
# What the dial plan itself plays.
_PROMPTS = ("greeting", "all-busy", "call-back-offer", "call-back-number", "call-back")


@dataclass(frozen=True)
class Finding:
    """One link of the chain; the fix says what to do where it is not ok."""

    name: str
    ok: bool
    sentence: str
    fix: str = ""


def checks(settings: Settings) -> Iterator[Finding]:
    """Every link, in the order in which a broken one would break the next."""
    for check in (
        _home,
        _disk,
        _clock,
        _installed,
        _control_path,
        _prompts,
        _recordings,
        _secrets,
        _running,
        _modules,
        _ports,
        _ice,
    ):
        yield from _safely(check, settings)


def _safely(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """A check that cannot be made is a finding, and the next one is made."""
    try:
        yield from check(settings)
    except (CallCenterError, OSError) as fault:
        sentence = fault.said if isinstance(fault, CallCenterError) else str(fault)
        yield Finding(check.__name__.strip("_").replace("_", " "), False, sentence, said("see docs/operate.md"))


def _home(settings: Settings) -> Iterator[Finding]:
    if not settings.home.is_dir():
        yield Finding(
            marked("home"),
            False,
            said("%(home)s is not there", home=settings.home),
            said("start the centre once: make run"),
        )
        return
    writable = os.access(settings.home, os.W_OK | os.X_OK)
    yield Finding(
        marked("home"),
        writable,
        said("%(home)s can be written", home=settings.home)
        if writable
        else said("%(home)s cannot be written", home=settings.home),
        said("give it to the user the centre runs as, or set CALLCENTER_HOME"),
    )
    owner = home.runs_as(settings)
    shut = home.closed(settings.home, *owner) if owner is not None else None
    if shut is not None:
        yield Finding(
            marked("home"),
            False,
            said("the user Asterisk runs as may not enter %(shut)s", shut=shut),
            f"chmod o+x {shut}",
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    place = next(folder for folder in (settings.home, *settings.home.parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    yield Finding(
        marked("disk"),
        free >= FREE_ENOUGH,
        said(
            "%(free)s GB free, room for %(hours)s hours of recordings",
            free=f"{free / 1e9:.1f}",
            hours=free // _BYTES_PER_HOUR,
        ),
        said("make room: recordings are in %(folder)s", folder=settings.recordings),
    )


def _clock(settings: Settings) -> Iterator[Finding]:
    """A clock that went back would put calls before calls that were."""
    newest = time_of_newest(settings)
    behind_s = newest - time.time()
    if behind_s > 5:
        sentence: str = said("the clock is %(behind_s)s s behind what was written last", behind_s=round(behind_s))
    else:
        sentence = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    fix = said("set the clock, and let NTP keep it: %(command)s", command="timedatectl set-ntp true")
    yield Finding(marked("clock"), behind_s <= 5, sentence, fix)


def time_of_newest(settings: Settings) -> float:
    """When the newest of the program's and the centre's own files was written, in seconds since 1970."""
    files = [Path(__file__), *settings.home.glob("*.db*"), *settings.switch_home.glob("log/*")]
    return max(file.stat().st_mtime for file in files if file.exists())


def _installed(settings: Settings) -> Iterator[Finding]:
    try:
        found = find(settings)
    except CallCenterError as fault:
        yield Finding(marked("Asterisk"), False, fault.said, said("fetch it: make setup"))
        return
    yield Finding(marked("Asterisk"), True, f"{found.name}: {found.argv[-1]}")


def _control_path(settings: Settings) -> Iterator[Finding]:
    path = os.fsencode(control_folder(settings) / "asterisk.ctl")
    yield Finding(
        marked("control socket"),
        len(path) <= _SOCKET_PATH,
        said("its path has %(bytes)s of %(most)s bytes", bytes=len(path), most=_SOCKET_PATH),
        said("set CALLCENTER_HOME to a shorter path"),
    )


def _prompts(settings: Settings) -> Iterator[Finding]:
    """As the switch looks for them: in its data folder, through the links there."""
    fix = said("make them: callcenter run does it at each start; if espeak-ng is missing: apt-get install espeak-ng")
    sounds = settings.switch_home / "data/sounds"
    spoken = {
        language: [file for file in sounds.glob(f"{language}/cc/*.wav") if file.stat().st_size > 44]
        for language in ("zh", "en")
    }
    missing = [
        f"{language}/cc/{name}.wav"
        for language, files in spoken.items()
        for name in _PROMPTS
        if name not in {file.stem for file in files}
    ]
    if not (sounds / "en/digits").is_dir():
        missing.append("en/digits")
    counts = ", ".join(f"{language} {len(files)}" for language, files in spoken.items())
    sentence = said("missing: %(names)s", names=", ".join(missing)) if missing else counts
    yield Finding(marked("prompts"), not missing, sentence, fix)


def _recordings(settings: Settings) -> Iterator[Finding]:
    folder = settings.recordings
    if not folder.is_dir():
        missing = said("%(home)s is not there", home=folder)
        yield Finding(marked("recordings"), False, missing, said("start the centre once: make run"))
        return
    owner = home.runs_as(settings)
    state = folder.stat()
    if owner is None:
        writable = os.access(folder, os.W_OK | os.X_OK)
    else:
        uid, gid = owner
        bits = (
            state.st_mode >> 6 if state.st_uid == uid else state.st_mode >> 3 if state.st_gid == gid else state.st_mode
        )
        writable = bits & 3 == 3 and home.closed(folder, *owner) is None
    sentence = (
        said("the switch can write %(folder)s", folder=folder)
        if writable
        else said("the switch cannot write %(folder)s", folder=folder)
    )
    yield Finding(marked("recordings"), writable, sentence, said("start the centre again: it mends this"))


def _secrets(settings: Settings) -> Iterator[Finding]:
    files = [file for file in (settings.home / "secrets").glob("*") if file.is_file()]
    if not files:
        return
    bare = [file.name for file in files if file.stat().st_mode & 0o077]
    sentence = (
        said("others can read %(files)s", files=", ".join(bare))
        if bare
        else said("%(count)s, for their owner only", count=len(files))
    )
    yield Finding(marked("secrets"), not bare, sentence, f"chmod 600 {settings.home / 'secrets'}/*")


def _running(settings: Settings) -> Iterator[Finding]:
    if not settings.switch.managed:
        yield Finding(
            marked("switch"), True, said("runs elsewhere (switch.managed = false); its AMI is looked at below")
        )
        return
    pid = Process(settings).pid
    sentence = said("the switch is not running") if pid is None else said("runs, pid %(pid)s", pid=pid)
    yield Finding(marked("switch"), pid is not None, sentence, said("start it: callcenter run"))


def _modules(settings: Settings) -> Iterator[Finding]:
    """Every module the switch was told to load runs; a codec that does not is a call without sound."""
    if not settings.switch.managed or Process(settings).pid is None:
        return
    text = (settings.switch_home / "etc/modules.conf").read_text()
    told = set(re.findall(r"^(?:preload|load|require) = (\w+)\.so", text, re.MULTILINE))
    try:
        listed = Process(settings).cli("module show")
    except SwitchSilent as fault:
        yield Finding(
            marked("modules"), False, fault.said, said("restart the centre; if it persists see var/switch/log")
        )
        return
    runs = set(re.findall(r"^(\w+)\.so\s.*\sRunning\s", listed, re.MULTILINE))
    missing = sorted(told - runs)
    codecs = sorted(
        name.removeprefix("codec_").removesuffix("_open_source") for name in runs if name.startswith("codec_")
    )
    sentence = (
        said("not running: %(names)s", names=", ".join(missing))
        if missing
        else said("%(count)s run; codecs: %(codecs)s", count=len(told), codecs=", ".join(codecs))
    )
    yield Finding(
        marked("modules"), not missing, sentence, said("fetch Asterisk again: rm -r var/asterisk, then make setup")
    )


def _ports(settings: Settings) -> Iterator[Finding]:
    """Each is free or held by a process of ours."""
    switch = settings.switch
    switch_pid = Process(settings).pid
    wanted = (
        (socket.SOCK_DGRAM, switch.sip_bind, switch.sip_port, "switch.sip_port"),
        (socket.SOCK_STREAM, switch.host, switch.ami_port, "switch.ami_port"),
        (socket.SOCK_STREAM, switch.host, switch.http_port, "switch.http_port"),
        (socket.SOCK_STREAM, settings.ivr.host, settings.ivr.port, "ivr.port"),
        (socket.SOCK_STREAM, settings.desktop.host, settings.desktop.port, "desktop.port"),
    )
    busy, ours = [], 0
    for kind, host, port, key in wanted:
        if key.startswith("switch.") and not switch.managed:
            continue
        if _is_free(kind, host, port):
            continue
        pid = holder(kind, port)
        if pid is not None and (pid == switch_pid or _is_ours(pid)):
            ours += 1
        else:
            busy.append(f"{host}:{port} ({key}) – {_name(pid)}")
    sentence = (
        said("taken: %(ports)s", ports="; ".join(busy))
        if busy
        else said("%(ours)s ours, %(free)s free", ours=ours, free=len(wanted) - ours)
    )
    yield Finding(
        marked("ports"), not busy, sentence, said("stop what holds it, or choose another port in callcenter.toml")
    )


def _is_free(kind: socket.SocketKind, host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(kind: socket.SocketKind, port: int) -> int | None:
    """The process that has this port; None if there is none, or it is somebody else's and we may not look."""
    table = "udp" if kind == socket.SOCK_DGRAM else "tcp"
    inodes = set()
    for name in (table, f"{table}6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and (table == "udp" or fields[3] == "0A"):
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(link) in inodes for link in (process / "fd").iterdir()):
                return int(process.name)
    return None


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _is_ours(pid: int) -> bool:
    return any(Path(part).name == "callcenter" or part.startswith("callcenter.") for part in _command(pid)[:4])


def _name(pid: int | None) -> str:
    return "?" if pid is None else f"{Path((_command(pid) or ['?'])[0]).name}, pid {pid}"


def _ice(settings: Settings) -> Iterator[Finding]:
    """Asterisk offers browsers nothing on 127.x, and browsers nothing on the loopback interface."""
    if settings.switch.ice_host:
        told = said("browsers are told %(host)s (switch.ice_host)", host=settings.switch.ice_host)
        yield Finding(marked("browser sound"), True, told)
        return
    found = outside_loopback()
    sentence = (
        said("browsers can use %(addresses)s", addresses=", ".join(found))
        if found
        else said("this machine has no address but its loopback ones")
    )
    fix = said(
        "bring a network up, or make one: %(commands)s",
        commands="ip link add centre type veth peer name browsers;"
        " ip address add 10.99.0.1/24 dev centre; ip link set centre up; ip link set browsers up",
    )
    yield Finding(marked("browser sound"), bool(found), sentence, fix)


def outside_loopback() -> list[str]:
    """The first IPv4 address of each interface that is up, loopback left out."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode())
            with contextlib.suppress(OSError):  # has no IPv4 address
                (flags,) = struct.unpack_from("H", fcntl.ioctl(asked, _GET_FLAGS, request), 16)
                address = socket.inet_ntoa(fcntl.ioctl(asked, _GET_ADDRESS, request)[20:24])
                if flags & _UP and flags & _RUNNING and not flags & _LOOPBACK and not address.startswith("127."):
                    found.append(address)
    return found
