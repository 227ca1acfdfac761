"""What the switch says, header by header, as facts."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from callcenter import phone
from callcenter.facts import (
    AgentAnswered,
    AgentDone,
    AgentMissed,
    AgentRung,
    LegEnded,
    LegStarted,
    MemberPaused,
    MenuLeft,
    MenuStep,
    PhoneSeen,
    QueueAbandoned,
    QueueExited,
    QueueJoined,
    RecordingStarted,
    Transferred,
)
from cti.translate import (
    AGAIN,
    WANTED,
    agent_of,
    at_of,
    born_at,
    channel_seen,
    device_seen,
    translate,
    waiting_seen,
    words,
)
from cti.wire import parse
from tests.captures import captured

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
A, B = "tel-1795311998.32803", "tel-1795311999.32804"
CHANNEL = {
    "Channel": "PJSIP/trunk-00000001",
    "ChannelState": "4",
    "CallerIDNum": "13800138000",
    "CallerIDName": "王小明",
    "Language": "zh",
    "Context": "from-trunk",
    "Exten": "4008",
    "Uniqueid": A,
    "Linkedid": A,
}


def fact_of(name: str, **headers: str):
    return translate({"Event": name, **headers}, "tel", NOON)


def facts_of(capture: str):
    messages = [parse(event.removesuffix("\r\n\r\n").encode()) for event in captured(capture)]
    wanted = [message for message in messages if message["Event"] in WANTED]
    return [fact for fact in (translate(message, "tel", NOON) for message in wanted) if fact]


def test_a_channel_brought_into_a_standing_call_is_a_leg_of_that_call():
    again = f"{A}{AGAIN}1795312050.1001"
    named = {"Uniqueid": again, "Linkedid": again, "Channel": "PJSIP/1001-0000000a", "Exten": "s"}
    started = fact_of("Newchannel", **CHANNEL | named)
    ended = fact_of("Hangup", **CHANNEL | named | {"Cause": "16", "Cause-txt": "Normal Clearing"})
    assert [(fact.call_id, fact.leg_id) for fact in (started, ended)] == [(A, again)] * 2
    assert (started.agent, started.number, born_at(again)) == ("1001", "", at_of("1795312050.0"))


@pytest.mark.parametrize("forgotten", ["Linkedid", "DestUniqueid"])
def test_a_talk_that_ends_when_the_switch_has_forgotten_a_channel_is_told_by_the_hang_ups(forgotten):
    said = CHANNEL | {"DestUniqueid": B, "Queue": "repair", "Interface": "PJSIP/1001", "HoldTime": "1"}
    said |= {"TalkTime": "2", "Reason": "caller"}
    assert isinstance(fact_of("AgentComplete", **said), AgentDone)
    del said[forgotten]
    assert fact_of("AgentComplete", **said) is None


def test_the_stamp_of_the_switch_is_read_to_the_microsecond():
    assert at_of("1795311999.429934") == datetime(2026, 11, 22, 1, 46, 39, 429934, tzinfo=UTC)
    assert at_of("1795311999.000001").microsecond == 1
    assert at_of("1795311999").microsecond == 0
    assert at_of("1795311999.5").microsecond == 500_000


def test_without_a_stamp_it_happened_when_it_was_received():
    assert fact_of("Newchannel", **CHANNEL).at == NOON
    assert fact_of("Newchannel", **CHANNEL, Timestamp="1795311999.429934").at != NOON


def test_a_callers_first_leg():
    assert fact_of("Newchannel", **CHANNEL) == LegStarted(
        at=NOON,
        switch="tel",
        call_id=A,
        leg_id=A,
        channel="PJSIP/trunk-00000001",
        context="from-trunk",
        did="4008",
        caller_number="13800138000",
        caller_name="王小明",
        number="+8613800138000",
        language="zh",
        trunk=True,
    )


def test_an_agent_who_dials_is_known_and_so_is_whom_he_dials():
    leg = fact_of(
        "Newchannel", **CHANNEL | {"Channel": "PJSIP/1001-0000002a", "CallerIDNum": "1001", "Exten": "01062345678"}
    )
    assert (leg.agent, leg.trunk, leg.caller_number, leg.number) == ("1001", False, "1001", "+861062345678")


def test_a_leg_that_is_called_has_no_number_to_look_up():
    leg = fact_of("Newchannel", **CHANNEL | {"Uniqueid": B, "CallerIDNum": "<unknown>", "CallerIDName": "<unknown>"})
    assert (leg.caller_number, leg.caller_name, leg.number) == ("", "", "")


def test_a_local_number_gets_the_area_code_of_the_centre():
    at_home = partial(phone.normalise, country="CN", area_code="0371")
    leg = translate({"Event": "Newchannel", **CHANNEL, "CallerIDNum": "67890123"}, "tel", NOON, at_home)
    assert isinstance(leg, LegStarted)
    assert leg.number == "+8637167890123"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("王小明", "王小明"),
        ("  王\t小 明 ", "王 小 明"),
        ("\u202e明小王\u2066\u200f", "明小王"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ('<script>alert("1")</script>', '<script>alert("1")</script>'),  # text here; pages escape it
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("机" * 300, "机" * 200),
        ("<unknown>", ""),
        ("\u200d\ufeff\u2069", ""),
        ("e\u0301", "é"),
    ],
)
def test_a_hostile_name_is_made_one_harmless_line_and_the_call_is_kept(name, kept):
    leg = fact_of("Newchannel", **CHANNEL | {"CallerIDName": name})
    assert leg.caller_name == kept
    assert leg.call_id == A


def test_a_number_of_900_bytes_does_not_cost_the_call():
    leg = fact_of("Newchannel", **CHANNEL | {"CallerIDNum": "9" * 900})
    assert len(leg.caller_number) == 80
    assert len(leg.number) <= 40


def test_words_of_a_header_that_came_twice_are_the_first_ones():
    assert words(["true", "forged"], 10) == "true"


def test_the_answered_call_as_it_was_captured():
    facts = facts_of("answered")
    told = [type(fact).__name__ for fact in facts]
    assert told == [
        *("LegStarted", "LegAnswered", "QueueJoined", "LegStarted", "AgentRung", "PhoneSeen", "LegAnswered"),
        *("AgentAnswered", "BridgeEntered", "BridgeEntered", "AgentDone", "BridgeLeft", "BridgeLeft", "LegEnded"),
        *("PhoneSeen", "LegEnded"),
    ]
    call, leg = "tel-1795310468.1", "tel-1795310471.2"
    by_kind = {type(fact): fact for fact in facts}
    about = {"switch": "tel", "call_id": call, "leg_id": leg, "queue": "support", "agent": "1001"}
    assert by_kind[AgentRung] == AgentRung(at=by_kind[AgentRung].at, caller_leg_id=call, **about)
    assert by_kind[AgentAnswered] == AgentAnswered(at=by_kind[AgentAnswered].at, wait_s=1, ring_s=1, **about)
    assert by_kind[AgentDone] == AgentDone(at=by_kind[AgentDone].at, wait_s=1, talk_s=11, reason="caller", **about)
    assert by_kind[LegEnded].cause == 16


def test_a_ring_time_without_answer_is_in_milliseconds():
    missed = [fact for fact in facts_of("ring_no_answer") if isinstance(fact, AgentMissed)]
    assert [fact.ring_ms for fact in missed] == [15_000, 6_000]
    assert missed[0].at == datetime(2026, 11, 22, 1, 46, 54, 432717, tzinfo=UTC)


def test_the_abandoned_call_as_it_was_captured():
    facts = facts_of("abandoned")
    joined = next(fact for fact in facts if isinstance(fact, QueueJoined))
    left = next(fact for fact in facts if isinstance(fact, QueueAbandoned))
    assert (joined.position, left.position, left.wait_s) == (1, 1, 6)


LEG = {"Uniqueid": A, "Linkedid": A}
KNOWN: dict[str, Any] = {"at": NOON, "switch": "tel"}
OF_CALL: dict[str, Any] = {**KNOWN, "call_id": A, "leg_id": A}


@pytest.mark.parametrize(
    ("message", "fact"),
    [
        (
            {"UserEvent": "IvrStep", "Flow": "service", "Step": "main", "Heard": "3", **LEG},
            MenuStep(**OF_CALL, flow="service", step="main", heard="3"),
        ),
        (
            {
                "UserEvent": "IvrDone",
                "Flow": "service",
                "Queue": "repair",
                "Kind": "repair",
                "Serial": "W0612345",
                **LEG,
            },
            MenuLeft(**OF_CALL, flow="service", queue="repair", kind="repair", serial="W0612345"),
        ),
        ({"UserEvent": "Recording", "File": A, **LEG}, RecordingStarted(**OF_CALL, file=A)),
        (
            {"UserEvent": "QueueExit", "Queue": "repair", "Status": "TIMEOUT", **LEG},
            QueueExited(**OF_CALL, queue="repair", status="TIMEOUT"),
        ),
        ({"UserEvent": "SomebodyElses", **LEG}, None),
    ],
)
def test_what_our_own_dial_plan_says(message, fact):
    assert fact_of("UserEvent", **message) == fact


def test_a_transfer_is_told_of_the_call_it_was_made_in():
    blind = {"Result": "Success", "TransfererUniqueid": B, "TransfererLinkedid": A, "Extension": "1002"}
    assert fact_of("BlindTransfer", **blind) == Transferred(**KNOWN, call_id=A, leg_id=B, kind="blind", to="1002")
    assert fact_of("BlindTransfer", **blind | {"Result": "Fail"}) is None


def test_two_talks_that_are_connected_are_a_transfer_of_the_customers_call_whichever_side_asked():
    """As Asterisk 22 tells it: the first is the side that sent REFER, be it the customer's or the colleague's."""
    customer = {"Linkedid": "tel-1795331999.0", "Uniqueid": "tel-1795331999.9"}
    colleague = {"Linkedid": "tel-1795331999.12", "Uniqueid": "tel-1795331999.12"}
    parties = ({"Channel": "PJSIP/trunk-00000000", "CallerIDNum": "13800138000"}, {"Channel": "PJSIP/1001-00000003"})
    transferred = Transferred(
        **KNOWN, call_id=customer["Linkedid"], leg_id=customer["Uniqueid"], kind="attended", to="1001"
    )
    sides = ((customer, parties[0]), (colleague, parties[1]))
    for (orig, transferee), (second, target) in (sides, sides[::-1]):
        headers = {f"OrigTransferer{name}": value for name, value in orig.items()}
        headers |= {f"SecondTransferer{name}": value for name, value in second.items()}
        headers |= {f"Transferee{name}": value for name, value in transferee.items()}
        headers |= {f"TransferTarget{name}": value for name, value in target.items()}
        assert fact_of("AttendedTransfer", Result="Success", **headers) == transferred


def test_a_pause_of_an_agent():
    told = {"Queue": "repair", "Interface": "PJSIP/1001", "Paused": "1", "PausedReason": "午休"}
    paused = MemberPaused(**KNOWN, agent="1001", queue="repair", paused=True, reason="午休")
    assert fact_of("QueueMemberPause", **told) == paused


@pytest.mark.parametrize(("state", "reachable"), [("NOT_INUSE", True), ("BUSY", True), ("UNAVAILABLE", False)])
def test_a_phone_is_reachable_while_its_device_is(state, reachable):
    seen = PhoneSeen(**KNOWN, agent="1001", reachable=reachable)
    assert fact_of("DeviceStateChange", Device="PJSIP/1001", State=state) == seen
    assert device_seen({"Device": "PJSIP/1001", "State": state}, "tel", NOON) == seen


def test_a_device_that_is_no_agents_phone_says_nothing():
    assert fact_of("DeviceStateChange", Device="PJSIP/trunk", State="INUSE") is None
    assert fact_of("DeviceStateChange", Device="Queue:repair_avail", State="INUSE") is None


@pytest.mark.parametrize(
    ("interface", "agent"),
    [
        ("PJSIP/1001", "1001"),
        ("PJSIP/1001-0000002a", "1001"),
        ("PJSIP/trunk-00000001", None),
        ("Local/1001@tel-00000001;1", None),
        ("PJSIP/1001\r\n", None),
    ],
)
def test_who_is_behind_an_interface(interface, agent):
    assert agent_of(interface) == agent


def test_a_missing_header_is_a_fault_not_an_empty_string():
    with pytest.raises(KeyError, match="Linkedid"):
        fact_of("Hangup", Uniqueid=A, Cause="16", **{"Cause-txt": "Normal Clearing"})


def test_an_event_nobody_wants_says_nothing():
    assert fact_of("VarSet", Variable="X", Value="1") is None


def test_a_channel_that_is_there_already_began_when_its_name_says():
    item = CHANNEL | {"ChannelState": "6", "BridgeId": "b-1"}
    started, up, bridge = channel_seen(item, "tel", NOON, phone.normalise)
    assert (started.at, up, bridge) == (datetime(2026, 11, 22, 1, 46, 38, tzinfo=UTC), True, "b-1")
    assert started.key == fact_of("Newchannel", **CHANNEL).key  # the event tells the same fact
    assert born_at("odd") is None


def test_a_caller_who_waits_already_joined_so_many_seconds_ago():
    entry = {"Queue": "repair", "Position": "2", "Uniqueid": A, "Wait": "61"}
    joined = waiting_seen(entry, "tel", NOON, A)
    assert (NOON - joined.at).total_seconds() == 61
    assert joined.position == 2
