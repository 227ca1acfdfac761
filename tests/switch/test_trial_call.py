"""``callcenter call`` on a real switch: what it says happened is what the switch saw."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import psutil
import pytest

from cti import trial
from tests.agi_peer import AgiPeer
from tests.chromium import channels, loudness_db
from tests.loop import in_loop, until
from tests.sipp import FAR_END_HZ
from tests.unit.test_trial import sound
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
CALLER_HZ = 440
PROMPT = "vm-enter-num-to-call"  # one of Asterisk's own, three seconds
LEASE = "SET VARIABLE TIMEOUT(absolute) 30"  # the dial plan gives the IVR a few seconds and no more


def leftovers(pid: int | None = None) -> list[str]:
    """Folders and processes of the trial calls that a process, else this one, has made."""
    mark = f"/tmp/cc-call-{pid or os.getpid()}-"
    running = [
        process.info["cmdline"][-1]
        for process in psutil.process_iter(["cmdline"])
        if any(mark in part for part in process.info["cmdline"] or ())
    ]
    return [*running, *map(str, Path("/tmp").glob(f"{Path(mark).name}*"))]


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    assert leftovers() == []


def whats(outcome: trial.Outcome) -> list[str]:
    return [step.what for step in outcome.steps]


@in_loop
async def test_a_key_is_pressed_when_the_prompt_is_over(switch):
    with AgiPeer(switch.settings.ivr.port, LEASE, f"GET DATA {PROMPT} 9000 1", "HANGUP") as ivr:
        outcome = await trial.place(switch.settings, "4008", caller="13607123456", name="王建国", keys=["3"])
    assert ivr.answers[1:] == ["200 result=3", "200 result=1"]
    assert ivr.headers["agi_callerid"] == "13607123456"
    assert ivr.headers["agi_calleridname"] == "王建国"
    assert whats(outcome) == ["dialled", "answered", "sound", "key", "ended"]
    assert outcome.steps[3].text == "3 pressed, after the prompt"
    assert (outcome.answered, outcome.ended_by, outcome.exit_code) == (True, "switch", 0)


@in_loop
async def test_a_whole_serial_number_is_keyed_in_at_a_time_of_its_own(switch):
    with AgiPeer(switch.settings.ivr.port, LEASE, f"GET DATA {PROMPT} 9000 20", "HANGUP") as ivr:
        outcome = await trial.place(switch.settings, "4008", keys=["2100456789#@0.5"])
    assert ivr.answers[1] == "200 result=2100456789"
    assert outcome.steps[-2].text.endswith("0.5 s after the answer")


@in_loop
async def test_names_that_mean_mischief_arrive_as_they_are(switch):
    name = "O'Brien 李雷; =cmd|' /C calc'!A0 ${SHELL(id)} <script>alert(1)</script>"
    with AgiPeer(switch.settings.ivr.port, "HANGUP") as ivr:
        await trial.place(switch.settings, "4008", name=name)
    assert ivr.headers["agi_calleridname"] == name


@in_loop
async def test_a_number_that_nobody_has_is_not_answered(switch):
    outcome = await trial.place(switch.settings, "9999")
    assert (outcome.answered, outcome.cause, outcome.cause_text) == (False, 1, "no such number")
    assert outcome.exit_code == 1
    assert whats(outcome) == ["dialled", "ended"]


@in_loop
async def test_both_hear_each_other_and_it_is_kept(switch, witness, people, tmp_path):
    witness.ask("QueueAdd", Queue="inquiry", Interface="PJSIP/1001", MemberName="1001")
    try:
        people.enter_context(switch.desk("1001"))
        outcome = await trial.place(
            switch.settings,
            "4008",
            say=sound(tmp_path / "tone.wav", 16000, seconds=8),
            say_at_s=0,
            listen=tmp_path / "heard.wav",
            hold_s=6,
        )
    finally:
        witness.ask("QueueRemove", Queue="inquiry", Interface="PJSIP/1001")
    assert (outcome.ended_by, outcome.heard) == ("caller", tmp_path / "heard.wav")
    assert outcome.talked_s == pytest.approx(6, abs=0.5)
    assert outcome.heard_s == pytest.approx(6, abs=0.5)
    (heard,) = channels(tmp_path / "heard.wav")
    talk = slice(4 * 8000, 5 * 8000)
    assert loudness_db(heard[talk], FAR_END_HZ) > -20
    assert loudness_db(heard[talk], CALLER_HZ) < -50
    recording = witness.wait_for("UserEvent", UserEvent="Recording")["File"]
    said = switch.settings.recordings / f"{recording}-rx.wav"
    wait_until(lambda: not switch.channels())
    (spoken,) = channels(said)
    assert loudness_db(spoken[talk], CALLER_HZ) > -20


@in_loop
async def test_two_callers_call_at_once(switch):
    first, second = await asyncio.gather(
        trial.place(switch.settings, "4008", caller="13800000001", hold_s=2),
        trial.place(switch.settings, "4008", caller="13800000002", hold_s=2),
    )
    assert first.answered
    assert second.answered
    assert first.channel_id != second.channel_id


@in_loop
async def test_a_trial_that_is_broken_off_leaves_nothing(switch):
    call = asyncio.create_task(trial.place(switch.settings, "4008"))
    await until(lambda: switch.channels(), 20, "the call stands")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert leftovers() == []


def test_a_trial_that_is_killed_leaves_nothing(switch, tmp_path):
    code = "import asyncio\nfrom config.settings import load\nfrom cti import trial\n"
    code += "asyncio.run(trial.place(load(), '4008'))"
    settings = switch.settings
    environ = os.environ | {
        "CALLCENTER_HOME": str(settings.home),
        "CALLCENTER_SWITCH__SIP_PORT": str(settings.switch.sip_port),
        "CALLCENTER_SWITCH__RTP_END": str(settings.switch.rtp_end),
        "CALLCENTER_SWITCH__TRUNK_CONTACT": settings.switch.trunk_contact,
    }
    caller = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environ)
    try:
        wait_until(switch.channels, 20, "the call stands")
        assert len(leftovers(caller.pid)) >= 2  # else the end of this test proves nothing
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait(10)
    wait_until(lambda: not leftovers(caller.pid), 15, "the telephone has gone with its owner")


def test_the_length_of_what_was_heard_is_the_length_of_the_file(tmp_path):
    file = sound(tmp_path / "heard.wav", 8000, seconds=1.5)
    with wave.open(str(file)) as opened:
        assert opened.getnframes() == 12000
    assert trial._length_s(file) == 1.5
