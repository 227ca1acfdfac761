"""One typed tree of settings from ``callcenter.toml`` and the environment; an unknown key stops the start.

Every key is also ``CALLCENTER_SECTION__KEY``; a secret is also ``CALLCENTER_SECTION__KEY_FILE``, a file that holds
it. What is generated at first start (secrets) lives in ``home / "secrets"``, readable by the owner only.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from callcenter.errors import BadSettings

_PREFIX = "CALLCENTER_"
_DIAL_OUT = (  # China: mobiles, area codes, 400 and 800, local numbers, short service numbers
    "_1[3-9]XXXXXXXXX",
    "_0[1-9]XXXXXXXX",
    "_0[1-9]XXXXXXXXX",
    "_0[1-9]XXXXXXXXXX",
    "_[48]00XXXXXXX",
    "_[2-8]XXXXXX",
    "_[2-8]XXXXXXX",
    "_1[0-2]X",
    "_1[0-2]XXX",
    "_9[56]XXX",
)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


Port = Annotated[int, Field(ge=1, le=65535)]


def _code(usual: str) -> Any:
    return Field(usual, pattern=r"^(\*[0-9]{1,4})?$")


class Centre(Section):
    """The centre itself."""

    name: str = "柴油机服务热线"
    language: Literal["zh", "en"] = "zh"
    timezone: str = "Asia/Shanghai"
    country: str = Field("CN", pattern="^[A-Z]{2}$")
    area_code: str = "0371"  # for numbers that arrive without one

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone is called {value!r}; use a name such as Asia/Shanghai")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def day(self, at: datetime) -> date:
        """Which day it is here at that moment."""
        return at.astimezone(self.zone).date()


class DatabaseSettings(Section):
    url: str = ""  # empty: SQLite in the home folder

    @field_validator("url")
    @classmethod
    def _spoken(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg://{rest}"  # the driver we have
        if value and scheme not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("neither postgresql://USER:PASSWORD@HOST/NAME nor sqlite:////PATH")
        return value


class BusSettings(Section):
    redis_url: str = ""  # empty: within the process


class Switch(Section):
    """Asterisk, and where its doors are. Loopback only unless told otherwise."""

    managed: bool = True  # we start and stop it; False: it runs already, elsewhere
    name: str = Field("tel", pattern="^[A-Za-z0-9_-]{1,20}$")  # prefixes every Uniqueid, with the number of its start
    asterisk: str = ""  # path of an installed Asterisk; empty: the one in the home folder, else the one on PATH
    host: str = "127.0.0.1"
    ami_port: Port = 15038
    ami_user: str = "callcenter"
    ami_secret: str = ""
    http_port: Port = 18088  # WebSocket of the browser phones; reached through /sip only
    sip_bind: str = "127.0.0.1"
    sip_port: Port = 15060
    rtp_start: Port = 20000
    rtp_end: Port = 20999
    media_address: str = ""  # our public address, behind NAT; empty: there is no NAT
    ice_host: str = ""  # an address outside 127/8 for browser sound; empty: every address the machine has
    trunk_hosts: tuple[str, ...] = ("127.0.0.2",)  # whose calls are let in; never 127.0.0.1
    trunk_contact: str = "sip:127.0.0.2:15080"  # where calls out go
    trunk_user: str = ""  # for a carrier that wants us to register
    trunk_password: str = ""
    shown_number: str = Field("", pattern=r"^[+0-9]*$")  # what people we call see; empty: the first DID
    dial_out: tuple[str, ...] = _DIAL_OUT  # what agents may call, as the dial plan writes patterns; no other country
    desk_phones: tuple[str, ...] = ()  # extensions without a browser; at a fixed place: 1003@10.0.0.7:5060
    user: str = ""  # whom Asterisk runs as when we are root; empty: asterisk if there is such a user, else nobody
    keep_caller_s: int = Field(20, ge=1, le=600)  # music for who lost his agent's phone; then the queue's head
    back_within_s: int = Field(6, ge=2, le=60)  # how long a phone that came back has to take its caller
    silent_s: int = Field(12, ge=3, le=600)  # a phone in a talk that sends no sound for so long is gone
    answer_timeout_s: float = 5.0
    heartbeat_s: float = 5.0
    inbox_size: int = 20000  # messages; overflow means resync

    @model_validator(mode="after")
    def _room_for_sound(self) -> Self:
        if self.rtp_end < self.rtp_start:
            raise ValueError(f"rtp_end {self.rtp_end} is below rtp_start {self.rtp_start}")
        return self


ONLY_IN_TALK = ("transfer", "ask", "back", "meet")
"""Codes that are pressed in a talk, not dialled."""
IN_TALK = ("park", "help", *ONLY_IN_TALK)


class Codes(Section):
    """What is dialled, or pressed in a talk, on a desk phone in place of a button of the page; empty: not offered."""

    ready: str = _code("*70")
    break_short: str = _code("*71")
    break_lunch: str = _code("*72")
    break_training: str = _code("*73")
    break_meeting: str = _code("*74")
    log_out: str = _code("*75")
    wrap_up_over: str = _code("*76")
    wrap_up_longer: str = _code("*77")
    park: str = _code("*80")  # a customer may also be transferred to it: the phone's own key, its own way
    fetch: str = _code("*81")
    help: str = _code("*82")
    transfer: str = _code("*83")
    ask: str = _code("*84")
    back: str = _code("*85")
    meet: str = _code("*86")
    queues: dict[Annotated[str, Field(pattern="^[0-9]$")], str] = {
        "1": "inquiry",
        "2": "complaint",
        "3": "repair",
        "4": "follow_up",
        "5": "rescue",
    }
    """What is keyed after ``transfer`` for a queue, as in the callers' menu; one digit, so it is no extension."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        said = [code for _name, code in self.offered]
        twice = {code for code in said if said.count(code) > 1}
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))} stands for two things")
        return self

    @property
    def offered(self) -> list[tuple[str, str]]:
        """What can be done by a code, and the code."""
        return [(name, code) for name, code in self if isinstance(code, str) and code]


class Calling(Section):
    """When customers may be called; local time of the centre."""

    hours_from: str = Field("08:00", pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")
    hours_to: str = Field("21:00", pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")
    called_us_within_h: int = Field(24, ge=0)  # who called us himself so short ago is called back at any hour
    ring_agent_s: int = Field(20, ge=5, le=120)  # before the customer is called
    never_asked: tuple[str, ...] = ("110", "112", "119", "120", "122")  # for life and limb: at any hour, by any phone


class Ivr(Section):
    host: str = "127.0.0.1"
    port: Port = 14573
    max_call_s: int = 600
    idle_s: float = 30.0
    patience_s: float = 3.0  # how long the dial plan waits for a sign of life, in silence


class Desktop(Section):
    host: str = "127.0.0.1"
    port: Port = 8080
    session_hours: float = 12.0
    idle_minutes: float = 120.0
    secure_cookie: bool = False  # True behind HTTPS


class Recording(Section):
    enabled: bool = True
    tolerance_ms: int = 1500


class ServiceLevels(Section):
    """Which form of service level is shown where a queue does not choose, and the switches two of them have."""

    form: Literal["sl1", "sl2", "sl3", "sl4", "sl5", "sl6", "sl7", "sl8"] = "sl8"
    sl5_flow_outs: bool = False  # those who left otherwise count as not met
    sl5_abandons: bool = True
    sl5_short_abandons: bool = False
    sl6_abandoned_s: int = Field(0, ge=0)  # sooner abandons do not count; 0: all count


class Webhooks(Section):
    """Telling other programs what happens."""

    allow: tuple[str, ...] = ()  # names, addresses or networks inside our own network that may be told
    answer_timeout_s: float = Field(10.0, gt=0, le=60)
    at_once: int = Field(4, ge=1, le=32)  # deliveries under way at the same time


class Settings(Section):
    home: Path = Path("var")
    centre: Centre = Centre()
    database: DatabaseSettings = DatabaseSettings()
    bus: BusSettings = BusSettings()
    switch: Switch = Switch()
    codes: Codes = Codes()
    calling: Calling = Calling()
    ivr: Ivr = Ivr()
    desktop: Desktop = Desktop()
    recording: Recording = Recording()
    service_level: ServiceLevels = ServiceLevels()
    webhooks: Webhooks = Webhooks()

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.home / 'callcenter.db'}"

    @property
    def ami_secret(self) -> str:
        return self.switch.ami_secret or secret(self.home, "ami")

    @property
    def asterisk_root(self) -> Path:
        """Where the project's own Asterisk was unpacked: usr/sbin/asterisk below it."""
        return self.home / "asterisk"

    @property
    def switch_home(self) -> Path:
        """The switch's rendered files and what it writes: etc/, db/, log/, run/, spool/, sounds/."""
        return self.home / "switch"

    @property
    def recordings(self) -> Path:
        return self.switch_home / "spool" / "monitor"


def load(path: Path | None = None, environ: dict[str, str] | None = None) -> Settings:
    """Settings from the file (``callcenter.toml`` here if there is one) and the environment, which wins.

    BadSettings names the key and the fix.
    """
    environ = dict(os.environ) if environ is None else environ
    named = path or (Path(environ["CALLCENTER_TOML"]) if environ.get("CALLCENTER_TOML") else None)
    file = named or Path("callcenter.toml")
    tree: dict[str, Any] = {}
    if named is not None and not file.is_file():
        raise BadSettings(f"there is no file {file}")
    if file.is_file():
        try:
            tree = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
            raise BadSettings(f"{file}: {fault}") from fault
    for name, value in environ.items():
        if name.startswith(_PREFIX) and name != "CALLCENTER_TOML":
            _put(tree, name, value)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as fault:
        raise BadSettings("; ".join(_sentence(dict(error)) for error in fault.errors())) from fault
    return settings.model_copy(update={"home": settings.home.absolute()})


def secret(home: Path, name: str) -> str:
    """A random secret of this name, made at first use, readable by the owner only."""
    folder = home / "secrets"
    file = folder / name
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return secret(home, name)
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_urlsafe(24))
    return file.read_text().strip()


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    """Put ``CALLCENTER_SWITCH__AMI_PORT`` where the tree has ``switch.ami_port``; lists are comma-separated."""
    path = name.removeprefix(_PREFIX).lower().split("__")
    section = Settings.model_fields.get(path[0])
    if path[-1].endswith("_file") and len(path) == 2:
        path[-1] = path[-1].removesuffix("_file")
        try:
            value = Path(value).read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise BadSettings(f"{name}: {fault.strerror}: {value}") from fault
    branch = tree
    for part in path[:-1]:
        branch = branch.setdefault(part, {})
    kinds = getattr(section.annotation, "model_fields", {}) if section is not None else {}
    field = kinds.get(path[-1]) if len(path) == 2 else None
    is_list = field is not None and "tuple" in str(field.annotation)
    branch[path[-1]] = [part.strip() for part in value.split(",")] if is_list else value


def _sentence(error: dict[str, Any]) -> str:
    *section, key = [str(part) for part in error["loc"]]
    where = f"[{'.'.join(section)}] " if section else ""
    if error["type"] == "extra_forbidden":
        return f"{where}has no setting {key}".strip() if section else f"there is no setting {key}"
    return f"{where}{key}: {error['msg']}"
