"""The dial plan on a real switch: nobody is lost when our programs are not there, and nobody gets where he may not."""

from __future__ import annotations

import re
import socket
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.switch import UNNEEDED_EVENTS, sip_password
from tests.agi_peer import AgiPeer
from tests.chromium import channels, loudness_db
from tests.sipp import CALLER_HZ, FAR_END_HZ
from tests.switch.conftest import Switch, unneeded
from tests.waiting import wait_until
from tests.witness import Witness


@pytest.fixture
def agent(switch: Switch, witness: Witness) -> Iterator[None]:
    """The agent 1001 serves the queue of the number 4008."""
    witness.ask("QueueAdd", Queue="inquiry", Interface="PJSIP/1001", MemberName="1001")
    yield
    witness.ask("QueueRemove", Queue="inquiry", Interface="PJSIP/1001")


def test_every_application_the_dial_plan_names_is_loaded(switch):
    plan = switch.process.cli("dialplan show")
    named = set(re.findall(r" \d+\. (\w+)\(.*\[extensions", plan)) | set(
        re.findall(r"ExecIf\(.*\?(\w+)\(.*\[extensions", plan)
    )
    loaded = set(re.findall(r"^ *(\w+):", switch.process.cli("core show applications"), re.MULTILINE))
    assert {"Queue", "ExecIf", "BridgeWait", "MixMonitor"} <= named
    assert named <= loaded, f"not loaded: {sorted(named - loaded)}"


def test_with_the_ivr_dead_a_caller_reaches_the_default_queue_is_answered_and_recorded(switch, witness, people, agent):
    people.enter_context(switch.desk("1001"))
    caller = people.enter_context(switch.caller(hold_s=4))
    connected = witness.wait_for("AgentConnect", Queue="inquiry", MemberName="1001")
    recording = witness.wait_for("UserEvent", UserEvent="Recording")
    caller.wait_over()
    witness.wait_for("Hangup", Uniqueid=connected["Uniqueid"])

    assert recording["File"] == recording["Uniqueid"] == recording["Linkedid"] == connected["Uniqueid"]
    said, heard = (switch.settings.recordings / f"{recording['File']}-{way}.wav" for way in ("rx", "tx"))
    wait_until(lambda: not switch.channels())
    for path in (said, heard):
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
            assert file.getnframes() / 8000 == pytest.approx(4.0, abs=0.5)
    (of_caller,), (of_agent,) = channels(said), channels(heard)
    talk = slice(8000, 24000)  # the second and third second; the agent answered in the first
    assert loudness_db(of_caller[talk], CALLER_HZ) > -20
    assert loudness_db(of_caller[talk], FAR_END_HZ) < -60
    assert loudness_db(of_agent[talk], FAR_END_HZ) > -20
    assert loudness_db(of_agent[talk], CALLER_HZ) < -60


def test_with_the_ivr_frozen_a_caller_is_in_the_queue_within_the_bound(switch, witness, people):
    with socket.create_server(("127.0.0.1", switch.settings.ivr.port)):  # takes the connection, never speaks
        called_at = time.monotonic()
        caller = people.enter_context(switch.caller(hold_s=5))
        joined = witness.wait_for("QueueCallerJoin")
        waited_s = time.monotonic() - called_at
    assert joined["Queue"] == "inquiry"
    assert witness.heard("UserEvent", UserEvent="IvrSilent", Flow="main")
    assert waited_s < switch.settings.ivr.patience_s + 1
    caller.wait_over()


def test_a_caller_who_hangs_up_on_a_frozen_ivr_leaves_nothing_behind(switch, witness, people):
    with socket.create_server(("127.0.0.1", switch.settings.ivr.port)):
        caller = people.enter_context(switch.caller(hold_s=1))
        caller.wait_over()
        witness.wait_for("Hangup", 3)
    assert witness.heard("QueueCallerJoin") == []


@pytest.mark.parametrize("wished", ["repair", "after-sales"])
def test_the_ivr_chooses_among_the_queues_there_are(switch, witness, people, wished):
    with AgiPeer(
        switch.settings.ivr.port, f'SET VARIABLE IVR_QUEUE "{wished}"', 'SET VARIABLE IVR_PRIORITY "3"'
    ) as ivr:
        people.enter_context(switch.caller(hold_s=1)).wait_over()
        joined = witness.wait_for("QueueCallerJoin")
    assert joined["Queue"] == wished
    assert (ivr.headers["agi_extension"], ivr.headers["agi_language"]) == ("4008", "zh")
    assert ivr.headers["agi_network_script"] == "main"


@pytest.mark.parametrize(
    "wished",
    [
        "nowhere",
        "",
        "repair,1)",
        "../tel",
        "s",
        "repair&inquiry",
        "${SHELL(touch /tmp/callcenter-was-here)}",
        "repair)}",
    ],
)
def test_a_queue_there_is_not_means_the_numbers_own(switch, witness, people, wished):
    with AgiPeer(switch.settings.ivr.port, f'SET VARIABLE IVR_QUEUE "{wished}"', 'SET VARIABLE IVR_PRIORITY "9,x)"'):
        people.enter_context(switch.caller(hold_s=0.5)).wait_over()
        joined = witness.wait_for("QueueCallerJoin")
    assert joined["Queue"] in ("inquiry", "repair")
    assert joined["Queue"] == "inquiry" or wished in ("repair)}", "repair,1)")
    assert not Path("/tmp/callcenter-was-here").exists()


def test_an_ivr_that_renews_its_lease_keeps_the_caller(switch, witness, people):
    patience_s = switch.settings.ivr.patience_s
    lease = f'SET VARIABLE TIMEOUT(absolute) "{patience_s + 4}"'
    long_pause = f'EXEC Wait "{patience_s + 1}"'
    with AgiPeer(switch.settings.ivr.port, lease, long_pause, 'SET VARIABLE IVR_QUEUE "repair"') as ivr:
        people.enter_context(switch.caller(hold_s=patience_s + 3)).wait_over()
        joined = witness.wait_for("QueueCallerJoin")
    assert [answer[:3] for answer in ivr.answers] == ["200", "200", "200"]
    assert joined["Queue"] == "repair"
    assert witness.heard("UserEvent", UserEvent="IvrSilent") == []


def test_who_waited_too_long_hears_why_and_the_house_learns_it_was_no_abandonment(switch, witness, people):
    with AgiPeer(switch.settings.ivr.port, 'SET VARIABLE IVR_QUEUE "after-sales"'):
        caller = people.enter_context(switch.caller(hold_s=60))
        left = witness.wait_for("UserEvent", UserEvent="QueueExit")
    assert (left["Queue"], left["Status"]) == ("after-sales", "TIMEOUT")
    caller.wait_over()


def test_a_queued_call_costs_no_more_than_thirty_events(switch, witness, people, agent):
    people.enter_context(switch.desk("1001"))
    before = len(witness.events)
    people.enter_context(switch.caller(hold_s=2)).wait_over()
    wait_until(lambda: len(witness.heard("Hangup")) == 2)
    witness.ask("Ping")
    names = [event["Event"] for event in witness.events[before:]]
    assert not set(names) & set(UNNEEDED_EVENTS)
    assert unneeded(witness.events) == []
    assert {"Newchannel", "QueueCallerJoin", "AgentCalled", "AgentConnect", "AgentComplete", "UserEvent"} <= set(names)
    assert len(names) <= 30, names


def test_an_unknown_number_is_told_so_at_once(switch, witness, people):
    assert people.enter_context(switch.caller("4009")).refused_with() == 404
    assert witness.heard("Newchannel") == []


@pytest.mark.parametrize(
    "dialled",
    [
        "13900139000",  # a way out through the trunk
        "00441632960000",
        "1001",
        "repair",
        "tel",
        "s",
        "4008&PJSIP/1001",
        "4008,1",
        "13900139000%40trunk",
        "%24%7BSHELL(touch%20/tmp/callcenter-was-here)%7D",
    ],
)
def test_a_caller_from_outside_reaches_our_numbers_and_nothing_else(switch, witness, people, dialled):
    status = people.enter_context(switch.caller(dialled)).refused_with()
    assert status in (400, 404, 416), status
    assert witness.heard("Newchannel") == []
    assert not Path("/tmp/callcenter-was-here").exists()


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("13800138000", "${SHELL(touch /tmp/callcenter-was-here)}"),
        ("13800138000&PJSIP/1002", "王小明"),
        ("1001", "李静"),  # an agent's name in the mouth of a carrier
        ("%24%7BEXTEN%7D", "a,b|c&PJSIP/1002"),
        ("+8613800138000", "=cmd|' /C calc'!A0"),
    ],
)
def test_who_a_caller_says_he_is_is_only_ever_a_name(switch, witness, people, agent, number, name):
    people.enter_context(switch.desk("1001"))
    people.enter_context(switch.caller(number=number, name=name, hold_s=1)).wait_over()
    wait_until(lambda: len(witness.heard("Hangup")) == 2)
    first, second = witness.heard("Newchannel")
    assert first["Context"] == "from-trunk"
    assert second["Channel"].startswith("PJSIP/1001-")
    assert not Path("/tmp/callcenter-was-here").exists()


@pytest.mark.parametrize("target", ["13900139000", "1002", "repair"])
def test_a_caller_cannot_send_his_call_elsewhere(switch, witness, people, agent, target):
    people.enter_context(switch.desk("1001"))
    caller = people.enter_context(switch.caller(hold_s=1, refer_to=target))
    caller.wait_over()
    wait_until(lambda: len(witness.heard("Hangup")) == 2)
    assert 202 not in caller.statuses()
    assert witness.heard("BlindTransfer") == []
    assert len(witness.heard("Newchannel")) == 2


def test_a_stranger_is_asked_for_a_password_he_cannot_have(switch, people):
    assert people.enter_context(switch.caller(host="127.0.0.9")).refused_with() == 401
    assert people.enter_context(switch.caller("1001", number="1001", host="127.0.0.9")).refused_with() == 401


def test_an_unknown_phone_and_a_wrong_secret_look_the_same(switch, people):
    told = {}
    for number in ("9999", "1004"):
        registration = people.enter_context(switch.register(number, "wrong"))
        registration.wait_over()
        answers = re.findall(r"^SIP/2\.0 .*?^Content-Length", registration.messages(), re.M | re.S)
        told[number] = [re.findall(r"^(SIP/2\.0 .*|[\w-]+)(?=:|\s*$)", answer, re.M) for answer in answers]
    assert told["9999"] == told["1004"]
    right = people.enter_context(switch.register("1004", sip_password(switch.settings, "1004")))
    right.wait_over()
    assert right.statuses() == [401, 200]


def send_on(witness: Witness, extension: str) -> dict[str, str]:
    """Have the agent who talks send his customer on; the AgentConnect of their talk."""
    talk = witness.wait_for("AgentConnect")
    wait_until(lambda: len(witness.heard("BridgeEnter")) == 2, what="they talk")
    answer = witness.ask("BlindTransfer", Channel=talk["DestChannel"], Context="tel", Exten=extension)
    assert answer["Response"] == "Success", answer
    return talk


def test_a_customer_sent_on_to_somebody_who_does_not_answer_is_back_with_who_sent_him(switch, witness, people, agent):
    sender = people.enter_context(switch.desk("1001"))
    refuses = people.enter_context(switch.desk("1002", refuse_with=486))
    caller = people.enter_context(switch.caller(hold_s=8))
    talk = send_on(witness, "1002")
    wait_until(lambda: sender.invites == 2, 10, "he talks with who sent him on")
    assert refuses.invites == 1
    assert len(witness.heard("QueueCallerJoin")) == 1
    assert len(witness.heard("UserEvent", UserEvent="Recording")) == 1
    caller.wait_over()
    wait_until(lambda: not switch.channels())
    (said,) = channels(switch.settings.recordings / f"{talk['Uniqueid']}-rx.wav")
    assert len(said) / 8000 == pytest.approx(8.0, abs=0.7), "one recording over both talks"


def test_a_customer_sent_on_and_answered_is_free_when_that_talk_ends(switch, witness, people, agent):
    people.enter_context(switch.desk("1001"))
    colleague = people.enter_context(switch.desk("1002", talk_ms=1000))
    caller = people.enter_context(switch.caller(hold_s=20))
    send_on(witness, "1002")
    caller.wait_over()
    assert colleague.invites == 1
    assert len(witness.heard("QueueCallerJoin")) == 1


def test_an_agent_calls_out_and_the_customer_is_recorded_as_the_outside(switch, witness, people):
    customer = people.enter_context(switch.far_end())
    password = sip_password(switch.settings, "1001")
    call = {"number": "1001", "password": password, "host": "127.0.0.3", "hold_s": 3.0}
    caller = people.enter_context(switch.caller("13900139000", **call))
    asked = witness.wait_for("UserEvent", UserEvent="Pressed", What="dial")
    witness.ask("Setvar", Channel=asked["Channel"], Variable="SAID", Value="go")
    caller.wait_over()
    recording = witness.wait_for("UserEvent", UserEvent="Recording")["File"]
    wait_until(lambda: not switch.channels())
    (outside,) = channels(switch.settings.recordings / f"{recording}-rx.wav")
    (agent,) = channels(switch.settings.recordings / f"{recording}-tx.wav")
    talk = slice(8000, 20000)
    assert loudness_db(outside[talk], FAR_END_HZ) > -20
    assert loudness_db(agent[talk], CALLER_HZ) > -20
    invited = customer.messages()
    assert f"INVITE sip:13900139000@{switch.carrier[0]}:{switch.carrier[1]}" in invited
    assert "<sip:4008@" in invited, "the called see the centre's number"


@pytest.mark.parametrize("dialled", ["00441632960000", "999999999999", "139001390001", "13900139000&PJSIP/1002"])
def test_an_agent_calls_no_number_that_is_not_allowed(switch, witness, people, dialled):
    call = {"number": "1001", "password": sip_password(switch.settings, "1001"), "host": "127.0.0.3"}
    assert people.enter_context(switch.caller(dialled, **call)).refused_with() == 404
    assert witness.heard("Newchannel") == []


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("Command", {"Command": "core show version"}),
        ("GetConfig", {"Filename": "manager.conf"}),
        ("UpdateConfig", {"SrcFilename": "extensions.conf", "DstFilename": "extensions.conf"}),
        ("ModuleLoad", {"LoadType": "reload"}),
        ("DialplanExtensionAdd", {"Context": "from-trunk", "Extension": "1", "Priority": "1", "Application": "NoOp"}),
        ("DBPut", {"Family": "a", "Key": "b", "Val": "c"}),
        ("Originate", {"Channel": "Local/s@menu", "Application": "System", "Data": "touch /tmp/callcenter-was-here"}),
        ("Originate", {"Channel": "Local/s@menu", "Application": "Set", "Data": "FILE(/tmp/callcenter-was-here)=x"}),
        ("Originate", {"Channel": "Local/s@menu", "Application": "MixMonitor", "Data": "a.wav,,touch /tmp/x"}),
        ("Getvar", {"Variable": "SHELL(touch /tmp/callcenter-was-here)"}),
    ],
)
def test_the_house_may_steer_calls_but_not_the_machine(switch, witness, action, fields):
    answer = witness.ask(action, **fields)
    assert answer["Response"] == "Error", answer
    assert not Path("/tmp/callcenter-was-here").exists()
