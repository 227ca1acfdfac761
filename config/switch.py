"""The switch's files: which Asterisk there is, and its configuration rendered from settings and database."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import ipaddress
import os
import re
import resource
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from sqlalchemy import select

from callcenter.database import Database
from callcenter.errors import BadSettings, CallCenterError
from config import home as home_
from config import obtain
from config.people import User
from config.queues import Did, Queue
from config.settings import IN_TALK, ONLY_IN_TALK, Settings, secret

REALM = "asterisk"
OLDEST = (20, 0)
UNNEEDED_EVENTS = (  # three of four events of a call; Asterisk itself keeps them from us
    *("VarSet", "Newexten", "TestEvent", "NewCallerid", "NewConnectedLine", "NewAccountCode"),
    *("DialBegin", "DialState", "DialEnd", "HangupRequest", "SoftHangupRequest", "BridgeCreate", "BridgeDestroy"),
    *("DTMFBegin", "DTMFEnd", "AGIExecStart", "AGIExecEnd", "MusicOnHoldStart", "MusicOnHoldStop", "MixMonitorStop"),
    *(
        "RTCPSent",
        "RTCPReceived",
        "LocalBridge",
        "LocalOptimizationBegin",
        "LocalOptimizationEnd",
        "ChannelTalkingStart",
    ),
    *("ChannelTalkingStop", "ExtensionStatus", "PresenceStatus", "PresenceStateChange", "HangupHandlerRun"),
)
UNNEEDED_STATES = (  # event, header, how it begins
    ("DeviceStateChange", "Device", "Queue:"),
    ("DeviceStateChange", "Device", "PJSIP/trunk"),
    ("DeviceStateChange", "State", "RING"),
    ("Newstate", "ChannelStateDesc", "Ring"),
)
_FILTERS_BY_NAME = (20, 11)  # an older Asterisk's filter is a pattern over the whole event
_FOR_THE_OWNER = {"pjsip.conf", "manager.conf"}
_EMPTY = (
    *("acl", "ari", "ccss", "confbridge", "cli", "cli_aliases", "cli_permissions", "dnsmgr", "dsp", "enum"),
    *("geolocation", "pjproject", "queuerules", "sorcery", "udptl"),
    *("aeap", "hep", "prometheus", "stir_shaken", "websocket_client", "phoneprov", "codecs"),
)
_CONTROL_NAME = re.compile(r"[\x00-\x1f\x7f]")
_QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,39}")
_NUMBER = re.compile(r"\+?[0-9]{2,31}")
_EXTENSION = re.compile(r"[0-9]{2,10}")
_PATTERN = re.compile(r"\+?[0-9]{2,20}|_[+0-9XZN\[\]-]{2,40}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")


class AsteriskMissing(CallCenterError):
    """There is no Asterisk; `make run` fetches one, or name an installed one as switch.asterisk."""


class AsteriskUnusable(CallCenterError):
    """The Asterisk that was found cannot be used; version 20 or newer is needed, with its modules."""


@dataclass(frozen=True)
class Installation:
    """An Asterisk and how it is run: ``[*argv, "-f", …]``."""

    argv: tuple[str, ...]
    modules: Path
    data: Path  # its sounds, music and documentation
    version: tuple[int, int]
    name: str  # as it calls itself


def find(settings: Settings) -> Installation:
    """The Asterisk a setting names, else the project's own, else the one on PATH. AsteriskMissing, AsteriskUnusable."""
    if settings.switch.asterisk:
        binary = Path(settings.switch.asterisk)
        if not binary.is_file():
            raise AsteriskMissing(f"switch.asterisk is {binary}")
        return _installed(binary.resolve())
    root = settings.asterisk_root.resolve()
    if (root / "usr/sbin/asterisk").is_file():
        argv = tuple(obtain.launcher(root))
        return _looked_at(argv, [root / "usr"])
    on_path = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/usr/local/bin")
    if on_path is None:
        raise AsteriskMissing(f"neither {root} nor PATH has one")
    return _installed(Path(on_path).resolve())


def sip_password(settings: Settings, extension: str) -> str:
    """The password of this extension's phone, the same at every call."""
    key = secret(settings.home, "sip").encode()
    return hmac.new(key, f"sip:{extension}".encode(), hashlib.sha256).hexdigest()[:32]


def sip_ha1(settings: Settings, extension: str) -> str:
    """What a phone may be given in place of the password: MD5(extension:realm:password)."""
    whole = f"{extension}:{REALM}:{sip_password(settings, extension)}"
    return hashlib.md5(whole.encode(), usedforsecurity=False).hexdigest()


def render(settings: Settings, database: Database) -> bool:
    """Write every file of the switch, each whole or not at all, and lay out the folders it uses; whether any is new.

    BadSettings where a name or number cannot stand in a dial plan: then nothing was written.
    """
    installation = find(settings)
    home = folders(settings)
    names = _environment()
    values = _values(settings, database, installation, home)
    files = {name.removesuffix(".j2"): names.get_template(name).render(values) for name in names.list_templates()}
    files |= {f"{name}.conf": "" for name in _EMPTY}
    owner = home_.runs_as(settings)
    modes = {name: 0o600 if name in _FOR_THE_OWNER else 0o644 for name in files}
    if not (home / "etc" / "boot.conf").is_file():
        begin_boot(home, settings.switch.name)
    changed = [_write(home / "etc" / name, text, modes[name], owner) for name, text in files.items()]
    return any(changed)


# Built once: they are asked all day.
_WRITTEN = tuple(select(table.__table__).order_by(*table.__table__.primary_key) for table in (Queue, Did, User))


def written(database: Database) -> list[tuple[Any, ...]]:
    """The rows a rendering is made of: while they stay the same it would say the same."""
    with database.read() as db:
        return [tuple(row) for rows in _WRITTEN for row in db.execute(rows)]


def begin_boot(home: Path, name: str) -> None:
    """Number the next start of the switch; to be called while it does not run."""
    file = home / "etc" / "boot.conf"
    found = re.search(r"-([0-9]+)$", file.read_text(encoding="utf-8").strip()) if file.is_file() else None
    number = int(found[1]) + 1 if found else 0
    _write(file, f"systemname = {name}-{number}\n", 0o644, None)


def folders(settings: Settings) -> Path:
    """The switch's home with every folder in it, owned by whom it runs as; answers with its real path."""
    settings.switch_home.mkdir(parents=True, exist_ok=True)
    home = settings.switch_home.resolve()
    owner = home_.runs_as(settings)
    inside = ("etc", "db", "db/keys", "cache", "log/cel-custom", "run", "spool/monitor", "spool/tmp", "data/sounds/en")
    for name in inside:
        (home / name).mkdir(parents=True, exist_ok=True)
    for name in (".", "etc", "data", "data/sounds", "data/sounds/en"):
        (home / name).chmod(0o755)  # whatever our umask; the secrets in etc are files of their own
    _link_data(settings, find(settings).data, home / "data")
    if owner is not None:
        for name in ("db", "db/keys", "cache", "log", "log/cel-custom", "run", "spool", "spool/monitor", "spool/tmp"):
            os.chown(home / name, *owner)
    (home / "spool/monitor").chmod(0o750)
    return home


def control_folder(settings: Settings) -> Path:
    """Where the switch's control socket and pid file are: in its home, or, where that path is too long for a socket
    (107 bytes), in a folder of the temporary directory that nobody else can write."""
    inside = settings.switch_home.resolve() / "run"
    if len(os.fsencode(inside / "asterisk.ctl")) <= 100:
        return inside
    mark = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return Path("/tmp") / f"callcenter-{mark}" / "run"


def _installed(binary: Path) -> Installation:
    prefix = binary.parent.parent  # /usr of /usr/sbin/asterisk
    return _looked_at(
        (str(binary),), [prefix, Path("/var") if prefix == Path("/usr") else prefix / "var", Path("/var")]
    )


def _looked_at(argv: tuple[str, ...], prefixes: list[Path]) -> Installation:
    try:
        told = subprocess.run([*argv, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise AsteriskUnusable(f"{argv[-1]}: {fault}") from fault
    found = re.search(r"Asterisk (?:certified/|certified-)?(\d+)\.(\d+)", told.stdout)
    if told.returncode or found is None:
        raise AsteriskUnusable(f"{argv[-1]} -V: {(told.stderr or told.stdout).strip()[:200]}")
    version = int(found[1]), int(found[2])
    if version < OLDEST:
        raise AsteriskUnusable(f"{argv[-1]} is {told.stdout.strip()}")
    modules = _first(
        prefixes, ("lib/*/asterisk/modules", "lib/asterisk/modules", "lib64/asterisk/modules"), "chan_pjsip.so"
    )
    data = _first(prefixes, ("share/asterisk", "lib/asterisk"), "documentation")
    if modules is None or data is None:
        missing = "modules with chan_pjsip.so" if modules is None else "documentation"
        raise AsteriskUnusable(f"{argv[-1]} has no {missing} beside it")
    return Installation(argv, modules, data, version, told.stdout.strip())


def _first(prefixes: list[Path], patterns: tuple[str, ...], holds: str) -> Path | None:
    found = (folder for prefix in prefixes for pattern in patterns for folder in sorted(prefix.glob(pattern)))
    return next((folder for folder in found if (folder / holds).exists()), None)


def _link_data(settings: Settings, theirs: Path, data: Path) -> None:
    """A data folder of our own: Asterisk's, with our prompts among its sounds."""
    for entry in theirs.iterdir():
        if entry.name != "sounds":
            _link(data / entry.name, entry)
    (data / "agi-bin").mkdir(exist_ok=True)
    prompts = settings.home.resolve() / "sounds"
    english = theirs / "sounds" / "en"
    for entry in english.iterdir() if english.is_dir() else ():
        _link(data / "sounds/en" / entry.name, entry)
    _link(data / "sounds/en/cc", prompts / "en" / "cc")
    _link(data / "sounds/zh", prompts / "zh")


def _link(link: Path, target: Path) -> None:
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    if not link.exists():
        link.symlink_to(target)


def _values(settings: Settings, database: Database, installation: Installation, home: Path) -> dict[str, Any]:
    with database.read() as db:
        queues = list(db.scalars(select(Queue).order_by(Queue.name)))
        dids = list(db.scalars(select(Did).order_by(Did.number)))
        users = list(db.scalars(select(User).where(User.active, User.extension.is_not(None)).order_by(User.extension)))
    phones = dict(_desk_phone(written) for written in settings.switch.desk_phones)
    agents = [
        {
            "extension": _fits(user.extension or "", _EXTENSION, f"the extension of {user.login}"),
            "name": re.sub(r'["<>\\]', " ", user.name),
            "language": user.language,
            "password": sip_password(settings, user.extension or ""),
            "desk_phone": user.extension in phones,
            "address": phones.get(user.extension or "", ""),
        }
        for user in users
    ]
    known = {_fits(queue.name, _QUEUE_NAME, "the name of a queue") for queue in queues}
    for did in dids:
        _fits(did.number, _NUMBER, "a number people dial")
        _fits(did.flow, _WORD, f"the flow of {did.number}")
        if did.default_queue not in known:
            raise BadSettings(f"{did.number} falls back to the queue {did.default_queue}, which there is not")
    for pattern in settings.switch.dial_out:
        _fits(pattern, _PATTERN, "[switch] dial_out")
    for number in settings.calling.never_asked:
        _fits(number, _NUMBER, "[calling] never_asked")
    if any(_covers_loopback(host) for host in settings.switch.trunk_hosts):
        raise BadSettings("[switch] trunk_hosts: 127.0.0.1 would take every browser for the trunk; give it 127.0.0.2")
    present = {path.stem for path in installation.modules.glob("*.so")}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return {
        **{name: getattr(settings, name) for name in ("switch", "centre", "ivr", "recording", "calling", "ami_secret")},
        **{"installation": installation, "home": home, "etc": home / "etc", "data": home / "data"},
        **{"queues": queues, "dids": dids, "agents": agents, "present": present},
        "dialled": {name: code for name, code in settings.codes.offered if name not in ONLY_IN_TALK},
        "in_talk": {name: code for name, code in settings.codes.offered if name in IN_TALK},
        "run": control_folder(settings),
        "max_files": min(20000, hard) if hard != resource.RLIM_INFINITY else 20000,
        "has_opus": bool(present & {"codec_opus_open_source", "codec_opus"}),
        "shown_number": settings.switch.shown_number or (dids[0].number if dids else ""),
        "trunk_account": re.sub(r"^sip:([^@]*@)?", f"sip:{settings.switch.trunk_user}@", settings.switch.trunk_contact),
        "unneeded_events": UNNEEDED_EVENTS,
        "unneeded_states": UNNEEDED_STATES,
        "filters_by_name": installation.version >= _FILTERS_BY_NAME,
        **_ice(settings.switch.ice_host),
    }


def _desk_phone(written: str) -> tuple[str, str]:
    """1003@10.0.0.7:5060 → its extension and its fixed address, if it has one."""
    extension, _, address = written.partition("@")
    return _fits(extension, _EXTENSION, "[switch] desk_phones"), address


def _covers_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address("127.0.0.1") in ipaddress.ip_network(host, strict=False)
    except ValueError:
        return host == "localhost"


def _ice(host: str) -> dict[str, Any]:
    """Whether the address browsers are to be offered is this machine's own, or what a router puts in its place."""
    if not host:
        return {"ice": "every"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            probe.connect((host, 9))  # sends nothing; asks the routing table
            return {"ice": "translated", "own_addresses": [probe.getsockname()[0]]}
    return {"ice": "own"}


def _fits(value: str, form: re.Pattern[str], what: str) -> str:
    if not form.fullmatch(value):
        raise BadSettings(f"{what} cannot be {value!r}")
    return value


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "asterisk"),
        undefined=jinja2.StrictUndefined,
        finalize=_as_value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def _as_value(value: Any) -> str:
    """One value in a file of the switch: it cannot begin a line of its own, nor a comment."""
    text = str(value)
    if _CONTROL_NAME.search(text):
        raise BadSettings(f"{text!r} cannot stand in a file of the switch")
    return text.replace(";", "\\;")


def _write(path: Path, text: str, mode: int, owner: tuple[int, int] | None) -> bool:
    """Put the text in the file's place in one step; False where it stands there already."""
    with contextlib.suppress(FileNotFoundError):
        state = path.stat()
        ours = state.st_mode & 0o777 == mode and (owner is None or (state.st_uid, state.st_gid) == owner)
        if ours and path.read_text(encoding="utf-8") == text:
            return False
    temporary = path.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        os.fchmod(out.fileno(), mode)
        if owner is not None:
            os.fchown(out.fileno(), *owner)
    temporary.replace(path)
    return True
