"""Asterisk as a process of ours: found again after our death, replaced when its files changed, never as root."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from callcenter.errors import PortBusy
from config import switch as switch_
from config.process import Process, SwitchNotStarted
from config.queues import Did
from tests.sipp import Registrar
from tests.switch.conftest import ROOT, Switch, unneeded
from tests.waiting import wait_until


@pytest.fixture
def stopped() -> Iterator[Switch]:
    """A centre whose switch is rendered and does not run yet."""
    switch = Switch()
    switch_.render(switch.settings, switch.database)
    try:
        yield switch
    finally:
        switch.clear()


def started_by_a_program_that_dies(switch: Switch) -> int:
    """Have another program of ours start the switch and be killed in the middle of its work; the switch's pid."""
    text = (
        "import sys, time; from config.settings import load; from config.process import Process;"
        "process = Process(load()); process.start(); process.wait_booted();"
        "print(process.pid, flush=True); time.sleep(60)"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", text], cwd=ROOT, env=os.environ | switch.env, stdout=subprocess.PIPE
    )
    with program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        program.send_signal(signal.SIGKILL)
    return pid


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def gone(pid: int) -> bool:
    """Nobody may be there to bury it."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_our_death_ends_no_call_and_the_next_start_finds_the_switch(stopped, people):
    pid = started_by_a_program_that_dies(stopped)
    caller = people.enter_context(stopped.caller(hold_s=30))
    caller.wait_answered()
    assert psutil.Process(pid).environ()["MALLOC_ARENA_MAX"] == "2"
    if os.geteuid() == 0:
        assert psutil.Process(pid).uids().real != 0, "Asterisk never runs as root"

    next_start = Process(stopped.settings)
    assert next_start.pid == pid
    next_start.start()
    next_start.wait_booted()
    assert next_start.pid == pid
    assert len(stopped.channels()) == 1, "the caller still waits"
    next_start.stop()
    assert next_start.pid is None
    assert gone(pid)


def test_a_switch_that_runs_on_other_settings_is_replaced(stopped):
    pid = started_by_a_program_that_dies(stopped)
    file = stopped.settings.switch_home / "etc" / "rtp.conf"
    file.write_text(file.read_text() + "rtpchecksums = yes\n")
    stopped.process.start()
    stopped.process.wait_booted()
    assert stopped.process.pid not in (None, pid)
    assert gone(pid)


def test_a_switch_that_does_not_answer_is_replaced(stopped):
    pid = started_by_a_program_that_dies(stopped)
    os.kill(pid, signal.SIGSTOP)
    stopped.process.start()
    stopped.process.wait_booted()
    assert stopped.process.pid not in (None, pid)


def test_a_pid_file_left_by_another_life_means_nothing(stopped):
    (stopped.settings.switch_home / "run" / "asterisk.pid").write_text(f"{os.getpid()}\n")
    assert stopped.process.pid is None
    stopped.process.stop()
    stopped.process.start()
    stopped.process.wait_booted()
    assert stopped.process.pid not in (None, os.getpid())


@pytest.mark.parametrize(
    ("key", "kind"),
    [("ami_port", socket.SOCK_STREAM), ("http_port", socket.SOCK_STREAM), ("sip_port", socket.SOCK_DGRAM)],
)
def test_a_busy_port_is_named_with_its_setting(stopped, key, kind):
    port = getattr(stopped.settings.switch, key)
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        with pytest.raises(PortBusy, match=rf"127\.0\.0\.1:{port}, the setting switch\.{key}"):
            stopped.process.start()
    assert stopped.process.pid is None


def test_a_start_that_fails_says_why(stopped):
    file = stopped.settings.switch_home / "etc" / "modules.conf"
    file.write_text(file.read_text() + "require = app_that_is_not_there.so\n")
    stopped.process.start()
    with pytest.raises(SwitchNotStarted, match="app_that_is_not_there"):
        stopped.process.wait_booted()


def test_ctrl_c_at_our_terminal_does_not_reach_the_switch(stopped):
    stopped.process.start()
    stopped.process.wait_booted()
    pid = stopped.process.pid
    assert pid is not None
    assert os.getsid(pid) == pid != os.getsid(0)


def test_a_new_number_is_taken_over_while_members_and_calls_stay(stopped, people):
    stopped.process.start()
    stopped.process.wait_booted()
    witness = stopped.witness()
    witness.ask("QueueAdd", Queue="repair", Interface="PJSIP/1001", MemberName="1001")
    assert people.enter_context(stopped.caller("4009")).refused_with() == 404
    waiting = people.enter_context(stopped.caller(hold_s=30))
    waiting.wait_answered()
    with stopped.database.write() as db:
        db.add(Did(number="4009", title="English line", flow="main", language="en", default_queue="repair"))
    switch_.render(stopped.settings, stopped.database)
    stopped.process.reload()
    people.enter_context(stopped.desk("1001"))
    people.enter_context(stopped.caller("4009", hold_s=1)).wait_over()
    assert witness.wait_for("AgentConnect", Queue="repair")["Language"] == "en"
    assert len(stopped.channels()) >= 1
    witness.close()


def test_a_home_too_deep_for_a_socket_still_has_a_switch():
    switch = Switch()
    deep = switch.home / ("a very long name of a folder " * 4).strip() / ("and another one " * 3).strip()
    deep.parent.mkdir()
    settings = switch.settings.model_copy(update={"home": deep})
    deep.mkdir()
    (deep / "asterisk").symlink_to((switch.home / "asterisk").resolve())
    process = Process(settings)
    try:
        switch_.render(settings, switch.database)
        process.start()
        process.wait_booted()
        assert process.pid
        assert "fully booted" in process.cli("core waitfullybooted")
    finally:
        process.stop()
        switch.clear()
    assert not switch_.control_folder(settings).exists()


def test_nobody_else_may_have_laid_the_socket_folder(stopped, monkeypatch, tmp_path):
    monkeypatch.setattr(switch_, "control_folder", lambda _: tmp_path / "theirs" / "run")
    (tmp_path / "theirs").symlink_to(tmp_path)
    with pytest.raises(SwitchNotStarted, match="belongs to somebody else"):
        stopped.process.start()


def test_what_the_switch_writes_is_ours_to_read_and_delete(stopped, people):
    stopped.process.start()
    stopped.process.wait_booted()
    people.enter_context(stopped.caller(hold_s=1)).wait_over()
    wait_until(lambda: not stopped.channels())
    written = sorted(stopped.settings.recordings.glob("*.wav"))
    assert [path.name[-7:] for path in written] == ["-rx.wav", "-tx.wav"]
    for path in written:
        assert path.stat().st_mode & 0o007 == 0, "nobody else listens"
        path.unlink()
    cel = (stopped.settings.switch_home / "log/cel-custom/cel.csv").read_text()
    assert '"LINKEDID_END"' in cel
    assert "ENTERQUEUE" in (stopped.settings.switch_home / "log/queue_log").read_text()


def test_the_filters_for_an_older_asterisk_keep_as_much_away(people, monkeypatch):
    monkeypatch.setattr(switch_, "_FILTERS_BY_NAME", (99, 0))
    switch = Switch()
    try:
        switch.start()
        witness = switch.witness()
        people.enter_context(switch.caller(hold_s=1)).wait_over()
        witness.wait_for("Hangup")
        witness.ask("QueueAdd", Queue="inquiry", Interface="PJSIP/1001", MemberName="1001")
        people.enter_context(switch.desk("1001"))
        people.enter_context(switch.caller(hold_s=1)).wait_over()
        witness.wait_for("AgentComplete")
        names = {event["Event"] for event in witness.events}
        assert {"Newchannel", "Newstate", "UserEvent", "QueueCallerJoin", "QueueCallerAbandon"} <= names
        assert not names & set(switch_.UNNEEDED_EVENTS)
        assert unneeded(witness.events) == []
        witness.close()
    finally:
        switch.clear()


def test_we_register_with_a_carrier_that_wants_it(people):
    switch = Switch(CALLCENTER_SWITCH__TRUNK_USER="03718888", CALLCENTER_SWITCH__TRUNK_PASSWORD="geheim;1")
    try:
        carrier = people.enter_context(Registrar(switch.home / "carrier", switch.carrier))
        switch.start()
        carrier.wait_over(20)
        proof = re.findall(r'Authorization: Digest username="03718888".*response="(\w+)"', carrier.messages())
        uri = f"sip:{switch.carrier[0]}:{switch.carrier[1]}"
        assert proof[0] == md5(f"{md5('03718888:carrier:geheim;1')}:abc123:{md5(f'REGISTER:{uri}')}")
        wait_until(lambda: "Registered" in switch.process.cli("pjsip show registrations"), 10, "registered")
    finally:
        switch.clear()


def test_a_log_that_has_grown_too_long_is_put_aside(stopped):
    log = stopped.settings.switch_home / "log"
    stopped.process.start()
    stopped.process.wait_booted()
    for round_ in range(7):
        os.truncate(log / "messages.log", 20_000_001)
        stopped.process.bound_logs()
        wait_until(lambda: (log / "messages.log").exists(), what=f"a new log after round {round_}")
    kept = sorted(path.name for path in log.glob("messages.log*"))
    assert kept == ["messages.log", *(f"messages.log.{number}" for number in range(1, 6))]
    assert (log / "messages.log").stat().st_size < 20_000_000


def test_the_secrets_are_for_the_owner_only(stopped):
    etc = stopped.settings.switch_home / "etc"
    modes = {name: Path(etc / name).stat().st_mode & 0o777 for name in ("pjsip.conf", "manager.conf")}
    assert modes == {"pjsip.conf": 0o600, "manager.conf": 0o600}
