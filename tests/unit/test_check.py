"""``callcenter check`` on a machine where something is wrong: the link is named, and how to mend it."""

from __future__ import annotations

import os
import socket
import time

import pytest

from callcenter.errors import NotFound
from config import check
from config.settings import Desktop, Settings, Switch


def finding(settings: Settings, name: str) -> check.Finding:
    return next(found for found in check.checks(settings) if found.name == name)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path, switch=Switch(asterisk="/nowhere/asterisk"))


def test_every_link_is_looked_at_even_where_nothing_was_ever_started(tmp_path):
    settings = Settings(home=tmp_path / "not-yet", switch=Switch(asterisk="/nowhere/asterisk"))
    found = {finding.name: finding for finding in check.checks(settings)}
    assert {name for name, finding in found.items() if not finding.ok} >= {"home", "Asterisk", "prompts", "recordings"}
    assert all(finding.sentence and finding.fix for finding in found.values() if not finding.ok)


def test_a_switch_that_is_not_there_is_named(settings):
    found = finding(settings, "Asterisk")
    assert (found.ok, found.fix) == (False, "fetch it: make setup")
    assert "/nowhere/asterisk" in found.sentence


def test_a_port_that_somebody_else_has_is_named_with_his_process(settings):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = finding(settings.model_copy(update={"desktop": Desktop(port=port)}), "ports")
    assert not found.ok
    assert f"127.0.0.1:{port} (desktop.port)" in found.sentence
    assert f"pid {os.getpid()}" in found.sentence


def test_a_clock_that_went_back_is_noticed(settings):
    database = settings.home / "callcenter.db"
    database.touch()
    assert finding(settings, "clock").ok
    tomorrow = time.time() + 86400
    os.utime(database, (tomorrow, tomorrow))
    found = finding(settings, "clock")
    assert not found.ok
    assert "behind" in found.sentence


def test_a_disk_that_fills_is_said_in_hours_of_recordings(settings, monkeypatch):
    assert "hours of recordings" in finding(settings, "disk").sentence
    monkeypatch.setattr(check, "FREE_ENOUGH", 1 << 60)
    assert not finding(settings, "disk").ok


def test_a_secret_that_others_can_read_is_named(settings):
    folder = settings.home / "secrets"
    folder.mkdir()
    (folder / "ami").write_text("x")
    (folder / "ami").chmod(0o644)
    found = finding(settings, "secrets")
    assert (found.ok, found.sentence) == (False, "others can read ami")
    (folder / "ami").chmod(0o600)
    assert finding(settings, "secrets").ok


def test_a_prompt_without_sound_is_missing(settings):
    for language in ("zh", "en"):
        folder = settings.switch_home / "data/sounds" / language / "cc"
        folder.mkdir(parents=True)
        for name in ("greeting", "all-busy", "call-back-offer", "call-back-number", "call-back"):
            (folder / f"{name}.wav").write_bytes(b"RIFF" + bytes(1000))
    (settings.switch_home / "data/sounds/en/digits").mkdir()
    assert finding(settings, "prompts").ok
    (settings.switch_home / "data/sounds/zh/cc/greeting.wav").write_bytes(bytes(44))  # a header alone
    assert "zh/cc/greeting.wav" in finding(settings, "prompts").sentence


def test_a_check_that_fails_itself_does_not_end_the_others(settings, monkeypatch):
    def broken(_: Settings):
        raise NotFound("of all things")
        yield

    monkeypatch.setattr(check, "_disk", broken)
    found = list(check.checks(settings))
    assert [finding.ok for finding in found if finding.name == "broken"] == [False]
    assert found[-1].name == "browser sound"


def test_addresses_for_browsers_leave_the_loopback_out():
    assert not any(address.startswith("127.") for address in check.outside_loopback())
