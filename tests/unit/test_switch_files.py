"""Which Asterisk is taken, and what stands in its files: no name or secret of ours can break out of its line."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callcenter.database import Database
from callcenter.errors import BadSettings
from config.people import User
from config.queues import Did, Queue
from config.settings import Settings, load
from config.switch import AsteriskMissing, AsteriskUnusable, find, render, sip_ha1, sip_password


def an_asterisk(prefix: Path, says: str = "Asterisk 22.10.1", modules: tuple[str, ...] = ()) -> Path:
    """An installation as distributions lay it out, whose program only knows its version."""
    binary = prefix / "sbin" / "asterisk"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho '{says}'\n")
    binary.chmod(0o755)
    folder = prefix / "lib" / "riscv64-linux-gnu" / "asterisk" / "modules"
    folder.mkdir(parents=True)
    for name in ("chan_pjsip", *modules):
        (folder / f"{name}.so").touch()
    (prefix / "share/asterisk/documentation").mkdir(parents=True)
    (prefix / "share/asterisk/sounds/en").mkdir(parents=True)
    (prefix / "share/asterisk/sounds/en/beep.gsm").touch()
    return binary


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    binary = an_asterisk(tmp_path / "usr", modules=("codec_opus",))
    return load(environ={"CALLCENTER_HOME": str(tmp_path / "var"), "CALLCENTER_SWITCH__ASTERISK": str(binary)})


@pytest.fixture
def centre(database: Database) -> Database:
    with database.write() as db:
        db.add(Queue(name="repair", title_zh="报修", title_en="Repair", ring_s=12, max_wait_s=300))
        db.add(Did(number="4008", title="服务热线", flow="service", language="zh", default_queue="repair"))
        for login, extension, name in (("wang", "1001", "王小明"), ("li", "1002", "李静"), ("zhao", None, "赵海涛")):
            at = datetime(2026, 1, 5, tzinfo=UTC)
            db.add(User(login=login, name=name, password_hash="-", role="agent", extension=extension, created_at=at))
    return database


def file(settings: Settings, name: str) -> str:
    return (settings.switch_home / "etc" / name).read_text(encoding="utf-8")


def section(text: str, heading: str, kind: str = "") -> dict[str, str]:
    """The values under one heading; of several, the one of this type."""
    for part in f"\n{text}".split(f"\n[{heading}]")[1:]:
        lines = [line for line in part.split("\n[")[0].splitlines()[1:] if " = " in line or line.endswith(" =")]
        values = {line.split(" =", 1)[0]: line.split(" =", 1)[1].strip() for line in lines}
        if not kind or values.get("type") == kind:
            return values
    raise AssertionError(f"no [{heading}] {kind} in\n{text}")


def test_the_asterisk_a_setting_names_is_taken_with_all_that_lies_beside_it(settings, tmp_path):
    found = find(settings)
    assert found.argv == (str(tmp_path / "usr/sbin/asterisk"),)
    assert found.modules == tmp_path / "usr/lib/riscv64-linux-gnu/asterisk/modules"
    assert found.data == tmp_path / "usr/share/asterisk"
    assert found.version == (22, 10)


def test_without_a_setting_the_one_on_path_is_taken(tmp_path, monkeypatch):
    binary = an_asterisk(tmp_path / "local", "Asterisk certified/20.7-cert1")
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")
    found = find(load(environ={"CALLCENTER_HOME": str(tmp_path / "var")}))
    assert (found.argv, found.version) == ((str(binary),), (20, 7))


def test_no_asterisk_at_all_names_the_fix(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(AsteriskMissing, match="make run"):
        find(load(environ={"CALLCENTER_HOME": str(tmp_path)}))
    with pytest.raises(AsteriskMissing, match=r"switch\.asterisk is /nowhere"):
        find(load(environ={"CALLCENTER_HOME": str(tmp_path), "CALLCENTER_SWITCH__ASTERISK": "/nowhere"}))


@pytest.mark.parametrize("says", ["Asterisk 18.26.4", "Asterisk 1.8.32", "bash: asterisk: broken", ""])
def test_an_asterisk_too_old_or_broken_is_refused(tmp_path, says):
    binary = an_asterisk(tmp_path, says)
    with pytest.raises(AsteriskUnusable, match="version 20 or newer"):
        find(load(environ={"CALLCENTER_HOME": str(tmp_path), "CALLCENTER_SWITCH__ASTERISK": str(binary)}))


def test_an_asterisk_without_its_modules_is_refused(settings):
    for module in find(settings).modules.iterdir():
        module.unlink()
    with pytest.raises(AsteriskUnusable, match=r"no modules with chan_pjsip\.so"):
        find(settings)


def test_a_phones_password_stays_and_differs_from_phone_to_phone(settings):
    password = sip_password(settings, "1001")
    assert len(password) == 32
    assert password == sip_password(settings, "1001") != sip_password(settings, "1002")
    assert sip_ha1(settings, "1001") == hashlib.md5(f"1001:asterisk:{password}".encode()).hexdigest()


def test_every_agent_with_an_extension_has_a_phone_in_his_browser(settings, centre):
    render(settings, centre)
    pjsip = file(settings, "pjsip.conf")
    assert "[1001](browser)" in pjsip
    assert 'callerid = "王小明" <1001>' in pjsip
    assert section(pjsip, "1001", "auth")["password"] == sip_password(settings, "1001")
    assert section(pjsip, "1001", "aor")["max_contacts"] == "1"
    assert "赵海涛" not in pjsip
    assert "anonymous" not in pjsip


def test_a_desk_phone_stands_where_it_registers_or_at_a_fixed_place(settings, centre):
    phones = settings.switch.model_copy(update={"desk_phones": ("1001", "1002@10.0.0.7:5060")})
    render(settings.model_copy(update={"switch": phones}), centre)
    pjsip = file(settings, "pjsip.conf")
    assert "[1001](desk-phone)" in pjsip
    assert "contact" not in section(pjsip, "1001", "aor")
    assert section(pjsip, "1002", "aor")["contact"] == "sip:1002@10.0.0.7:5060"


def test_the_trunk_is_known_by_its_addresses_and_never_by_our_own(settings, centre):
    trunk = settings.switch.model_copy(update={"trunk_hosts": ("203.0.113.7", "203.0.113.8")})
    render(settings.model_copy(update={"switch": trunk}), centre)
    assert "match = 203.0.113.7\nmatch = 203.0.113.8\n" in file(settings, "pjsip.conf")
    for host in ("127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "localhost"):
        ours = settings.switch.model_copy(update={"trunk_hosts": ("203.0.113.7", host)})
        with pytest.raises(BadSettings, match="every browser for the trunk"):
            render(settings.model_copy(update={"switch": ours}), centre)


def test_behind_nat_the_outside_is_told_our_public_address(settings, centre):
    behind = settings.switch.model_copy(update={"media_address": "198.51.100.7"})
    render(settings.model_copy(update={"switch": behind}), centre)
    transport = section(file(settings, "pjsip.conf"), "udp")
    assert transport["external_media_address"] == transport["external_signaling_address"] == "198.51.100.7"


def test_a_queue_is_rung_and_left_as_its_row_says(settings, centre):
    render(settings, centre)
    queue = section(file(settings, "queues.conf"), "repair")
    assert (queue["timeout"], queue["retry"], queue["ringinuse"]) == ("12", "1", "no")
    assert "Queue(repair,c,,,300)" in file(settings, "extensions.conf")
    assert queue["context"] == "leave-repair"
    assert "[leave-repair]\nexten => *,1," in file(settings, "extensions.conf")
    with centre.write() as db:
        db.get_one(Queue, "repair").exit_key = ""
    render(settings, centre)
    assert "context" not in section(file(settings, "queues.conf"), "repair")
    assert "[leave-repair]" not in file(settings, "extensions.conf")


def test_the_product_may_write_to_calls_and_agents_only(settings, centre):
    render(settings, centre)
    ours = section(file(settings, "manager.conf"), "callcenter")
    assert ours["secret"] == settings.ami_secret
    assert set(ours["write"].split(",")) == {"call", "agent", "user", "originate", "reporting"}
    assert file(settings, "manager.conf").count("eventfilter(name(VarSet),action(exclude)) =") == 1


def test_an_older_asterisk_filters_events_by_pattern(settings, centre, tmp_path):
    (tmp_path / "usr/sbin/asterisk").write_text("#!/bin/sh\necho 'Asterisk 20.6.0~dfsg+~cs6.13.40431414-2build5'\n")
    render(settings, centre)
    assert "eventfilter = !Event: VarSet[[:cntrl:]]\n" in file(settings, "manager.conf")
    assert "eventfilter(" not in file(settings, "manager.conf")


def test_only_modules_that_are_there_are_loaded(settings, centre):
    render(settings, centre)
    modules = file(settings, "modules.conf")
    assert "load = codec_opus.so" in modules
    assert "codec_opus_open_source" not in modules
    assert "require = app_queue.so" in modules


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('O"Brien', "O Brien"),
        ("王; #include /etc/passwd", "王\\; #include /etc/passwd"),
        ("<script>", " script "),
        ("a\\", "a "),
    ],
)
def test_an_agents_name_cannot_leave_its_quotes(settings, centre, name, shown):
    with centre.write() as db:
        db.get_one(User, 1).name = name
    render(settings, centre)
    assert f'callerid = "{shown}" <1001>\n' in file(settings, "pjsip.conf")


def test_a_line_break_in_a_value_stops_the_rendering_and_keeps_the_old_files(settings, centre):
    render(settings, centre)
    before = file(settings, "pjsip.conf")
    with centre.write() as db:
        db.get_one(User, 1).name = "王\n[trunk]\ntype=endpoint"
    with pytest.raises(BadSettings, match="cannot stand in a file of the switch"):
        render(settings, centre)
    assert file(settings, "pjsip.conf") == before


@pytest.mark.parametrize("name", ["a", "_X.", "repair,1", "報修", "Repair", "re pair", "repair&sales", "-repair"])
def test_a_queue_whose_name_means_something_to_the_dial_plan_is_refused(settings, centre, name):
    with centre.write() as db:
        db.add(Queue(name=name, title_zh="x", title_en="x"))
    with pytest.raises(BadSettings, match="the name of a queue cannot be"):
        render(settings, centre)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"number": "_X."}, "a number people dial cannot be"),
        ({"flow": "service,1)"}, "the flow of 4008 cannot be"),
        ({"default_queue": "nowhere"}, "falls back to the queue nowhere"),
    ],
)
def test_a_number_that_would_lead_nowhere_is_refused(settings, centre, change, complaint):
    with centre.write() as db:
        for key, value in change.items():
            setattr(db.get_one(Did, "4008"), key, value)
    with pytest.raises(BadSettings, match=complaint):
        render(settings, centre)


@pytest.mark.parametrize("pattern", ["_X.", "_00!", "_1XX,1,System(x)", "abc"])
def test_agents_dial_only_numbers_of_a_known_length(settings, centre, pattern):
    open_ended = settings.switch.model_copy(update={"dial_out": (pattern,)})
    with pytest.raises(BadSettings, match=r"\[switch\] dial_out cannot be"):
        render(settings.model_copy(update={"switch": open_ended}), centre)


def test_browsers_are_offered_the_one_address_that_is_asked_for(settings, centre):
    own = settings.switch.model_copy(update={"ice_host": "127.0.0.1"})
    render(settings.model_copy(update={"switch": own}), centre)
    assert section(file(settings, "rtp.conf"), "general")["ice_permit"] == "127.0.0.1/32"
    render(settings, centre)
    assert "ice_permit" not in file(settings, "rtp.conf")


def test_our_prompts_lie_among_asterisks_own_sounds(settings, centre):
    render(settings, centre)
    spoken = settings.home / "sounds" / "zh" / "cc"
    spoken.mkdir(parents=True)
    (spoken / "greeting.wav").touch()
    sounds = settings.switch_home / "data" / "sounds"
    assert (sounds / "zh/cc/greeting.wav").is_file()
    assert (sounds / "en/beep.gsm").is_file()
    assert (sounds / "en/cc").readlink() == settings.home.resolve() / "sounds/en/cc"
    render(settings, centre)  # again, over what lies there


def test_rendering_again_changes_nothing_until_something_changed(settings, centre):
    assert render(settings, centre)
    assert not render(settings, centre)
    with centre.write() as db:
        db.get_one(Queue, "repair").ring_s = 20
    assert render(settings, centre)
    assert not render(settings, centre)


def test_secrets_are_readable_by_the_owner_only(settings, centre):
    render(settings, centre)
    etc = settings.switch_home / "etc"
    assert {
        name: (etc / name).stat().st_mode & 0o777 for name in ("pjsip.conf", "manager.conf", "extensions.conf")
    } == {
        "pjsip.conf": 0o600,
        "manager.conf": 0o600,
        "extensions.conf": 0o644,
    }
    assert not list(etc.glob("*.new"))
