"""A private, real Asterisk on our own files, and people on telephones around it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

import tests.tables  # noqa: F401 - the tables must be known before they are made
from callcenter.database import Database
from config import settings as settings_
from config import switch as switch_
from config.people import User
from config.process import Process
from config.queues import Did, Queue
from config.switch import UNNEEDED_STATES
from tests.ports import free_port, free_udp_range
from tests.sipp import Caller, FarEnd, Registration
from tests.waiting import wait_until
from tests.witness import Message, Witness

ROOT = Path(__file__).parents[2]
AGENTS = ("1001", "1002", "1003", "1004")  # the last has a browser, the others a desk phone at a fixed place


NO_FAULT = re.compile(
    r"name must be provided"  # a phone's transfer has none, once its subscription ends
    r"|func_global\.c: Channel '\S+' not found!"  # it went between the dial plan's look for it and its word to it
)


class Switch:
    """The running switch, its settings and database, and the means to call it."""

    def __init__(self, **settings: str) -> None:
        # A short path: the switch's control socket may have 107 bytes.
        self.home = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))
        self.home.chmod(0o755)  # the switch does not run as root
        _lend_asterisk(self.home)
        self.phones = {name: ("127.0.0.3", free_port(socket.SOCK_DGRAM, "127.0.0.3")) for name in AGENTS[:3]}
        self.carrier = ("127.0.0.2", free_port(socket.SOCK_DGRAM, "127.0.0.2"))
        first, last = free_udp_range(200)
        self.env = {
            "CALLCENTER_HOME": str(self.home),
            "CALLCENTER_IVR__PORT": str(free_port()),
            "CALLCENTER_SWITCH__AMI_PORT": str(free_port()),
            "CALLCENTER_SWITCH__HTTP_PORT": str(free_port()),
            "CALLCENTER_SWITCH__SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
            "CALLCENTER_SWITCH__RTP_START": str(first),
            "CALLCENTER_SWITCH__RTP_END": str(last),
            "CALLCENTER_SWITCH__TRUNK_CONTACT": f"sip:{self.carrier[0]}:{self.carrier[1]}",
            "CALLCENTER_SWITCH__DESK_PHONES": ",".join(f"{n}@{h}:{p}" for n, (h, p) in self.phones.items()),
        }
        self.env |= settings
        self.settings = settings_.load(environ=self.env)
        self.database = Database(self.settings.database_url)
        self.database.migrate()
        fill(self.database)
        self.process = Process(self.settings)
        self.sip = f"127.0.0.1:{self.settings.switch.sip_port}"
        self._people = 0

    def start(self) -> None:
        switch_.render(self.settings, self.database)
        self.process.start()
        self.process.wait_booted()

    def clear(self) -> None:
        self.process.stop()
        self.database.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def caller(self, did: str = "4008", **more: Any) -> Caller:
        """A call through the trunk, begun at once."""
        return Caller(self._folder(), self.sip, did, **more)

    def desk(self, extension: str, **more: Any) -> FarEnd:
        """The desk phone of 1001, 1002 or 1003."""
        return FarEnd(self._folder(), self.phones[extension], **more)

    def far_end(self, **more: Any) -> FarEnd:
        """Whoever is called through the trunk."""
        return FarEnd(self._folder(), self.carrier, **more)

    def register(self, number: str, password: str) -> Registration:
        return Registration(self._folder(), self.sip, number, password)

    def witness(self) -> Witness:
        ours = self.settings.switch
        return Witness(ours.host, ours.ami_port, ours.ami_user, self.settings.ami_secret)

    def channels(self) -> list[str]:
        """The channels there are now, by name."""
        lines = self.process.cli("core show channels concise").splitlines()
        return [line.split("!")[0] for line in lines if "!" in line]

    def complaints(self) -> list[str]:
        """What it logged as an error, but for what is none."""
        log = (self.settings.switch_home / "log" / "messages.log").read_text(errors="replace")
        return [line for line in log.splitlines() if " ERROR[" in line and not NO_FAULT.search(line)]

    def _folder(self) -> Path:
        self._people += 1
        return self.home / "people" / str(self._people)


def unneeded(events: list[Message]) -> list[Message]:
    """Those that should have been kept from us."""
    return [
        one
        for one in list(events)
        if any(one.get("Event") == event and one[header].startswith(word) for event, header, word in UNNEEDED_STATES)
    ]


def fill(database: Database) -> None:
    """A small centre: three queues, one number, four agents."""
    with database.write() as db:
        for name, zh, max_wait_s in (("repair", "报修", 60), ("inquiry", "咨询", 60), ("after-sales", "售后", 3)):
            db.add(Queue(name=name, title_zh=zh, title_en=name, ring_s=5, max_wait_s=max_wait_s))
        db.add(Did(number="4008", title="服务热线", flow="main", language="zh", default_queue="inquiry"))
        for extension, name in zip(AGENTS, ("王小明", "李静", "赵海涛", "陈思思"), strict=True):
            at = datetime(2026, 1, 5, 8, tzinfo=UTC)
            login = f"agent{extension}"
            db.add(User(login=login, name=name, password_hash="-", role="agent", extension=extension, created_at=at))


def _lend_asterisk(home: Path) -> None:
    """The unpacked Asterisk of this checkout; without one an installed Asterisk will do."""
    unpacked = Path(os.environ.get("CALLCENTER_HOME", ROOT / "var")) / "asterisk"
    if (unpacked / "usr/sbin/asterisk").is_file():
        (home / "asterisk").symlink_to(unpacked)


@pytest.fixture(scope="session")
def _booted() -> Iterator[Switch]:
    switch = Switch()
    try:
        switch.start()  # AsteriskMissing says how to get one
        pid = switch.process.pid
        assert pid
        process = psutil.Process(pid)
        before = process.num_fds(), process.num_threads()
        yield switch
        after = process.num_fds(), process.num_threads()
        complaints = switch.complaints()
        switch.process.stop()
        assert not psutil.pid_exists(pid), "the switch did not end"
        assert after[0] <= before[0] + 30, f"file descriptors leak: {before[0]} → {after[0]}"
        assert after[1] <= before[1] + 60, f"threads leak: {before[1]} → {after[1]}"
        assert complaints == []
    finally:
        switch.clear()


@pytest.fixture
def switch(_booted: Switch) -> Iterator[Switch]:
    """The switch, with no call on it before and after."""
    assert _booted.channels() == []
    yield _booted
    try:
        wait_until(lambda: not _booted.channels(), 10, "every channel is gone after the test")
    except AssertionError:  # is told once, not by every test that follows
        _booted.process.cli("channel request hangup all")
        wait_until(lambda: not _booted.channels(), 10, "every channel is gone when it is told to")
        raise


@pytest.fixture
def witness(switch: Switch) -> Iterator[Witness]:
    """All the switch says over AMI during the test."""
    witness = switch.witness()
    yield witness
    witness.close()


@pytest.fixture
def people() -> Iterator[ExitStack]:
    """Whoever is on the telephone leaves when the test is over: ``people.enter_context(switch.caller())``."""
    with ExitStack() as people:
        yield people
