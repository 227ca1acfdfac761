"""The switch's logs tell the same as it said over AMI."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from callcenter.database import now
from callcenter.events import Fact
from callcenter.facts import (
    AgentAnswered,
    AgentDone,
    AgentMissed,
    Held,
    LegStarted,
    MemberPaused,
    PhoneSeen,
    QueueJoined,
    Resumed,
)
from cti import logs
from cti.translate import translate
from tests.facts import Told
from tests.recording import SWITCH, busy_minute

NOT_LOGGED = (PhoneSeen, Held, Resumed)  # no log of the switch tells of these


def from_logs(queue_log: list[str] | None = None, cel: list[str] | None = None) -> list[Fact]:
    minute = busy_minute()
    return logs.facts(queue_log or minute.queue_log, cel or minute.cel, SWITCH, language="zh")


def test_a_busy_minute_is_the_same_from_its_logs_as_over_the_link():
    heard, read = busy_minute().heard, from_logs()
    assert len(read) > 300
    assert logs.Told(heard).new(read) == []
    missing = logs.Told(read).new(fact for fact in heard if not isinstance(fact, NOT_LOGGED))
    assert missing == []


def test_legs_begin_ring_and_end_at_the_same_hundredth_of_a_second_and_say_the_same():
    read = {fact.key: fact for fact in from_logs()}
    compared = 0
    for fact in busy_minute().heard:
        ours = read.get(fact.key)
        if ours is not None:
            assert abs(ours.at - fact.at) < timedelta(milliseconds=100), fact
            more = {"cause_text": ours.cause_text} if hasattr(ours, "cause_text") else {}
            assert replace(ours, at=fact.at) == replace(fact, **more)
            compared += 1
    assert compared > 150


def test_what_is_told_comes_in_the_order_it_happened():
    times = [fact.at for fact in from_logs() if not isinstance(fact, MemberPaused)]
    assert times == sorted(times)


def test_lines_told_twice_count_once():
    minute = busy_minute()
    assert from_logs([*minute.queue_log, *minute.queue_log[-20:]], [*minute.cel, *minute.cel[-50:]]) == from_logs()


def test_a_torn_line_and_nonsense_take_no_other_line_with_them():
    minute = busy_minute()
    torn = [
        minute.cel[0][:-7],
        "\x00\x00",
        '"CHAN_START","soon","tel-1.1"',
        *minute.cel,
        minute.cel[-1][: -len(minute.cel[-1]) // 2],
    ]
    noise = [
        "",
        "24128|tel-1.1|inquiry|NONE|ENTERQUEUE||1|1",
        "1795324128|x",
        *minute.queue_log,
        "1795324128|tel-1.1|in",
    ]
    assert from_logs(noise, torn) == from_logs()


def test_a_separator_in_a_name_moves_nothing():
    line = logs.queue_line("1795324128|tel-1.1|inquiry|王|小明|CONNECT|1|tel-1.2|0")
    assert line is not None
    assert (line.agent, line.verb, line.data) == ("王|小明", "CONNECT", ("1", "tel-1.2", "0"))
    joined = logs.queue_line("1795324128|tel-1.1|inquiry|NONE|ENTERQUEUE||1380|0013|4")
    assert joined is not None
    assert joined.data[-1] == "4"


def test_without_cel_the_queues_are_told_to_the_second():
    told = logs.facts(busy_minute().queue_log, [], SWITCH)
    answered = [fact for fact in told if isinstance(fact, AgentAnswered)]
    exact = {fact.key: fact.at for fact in busy_minute().heard if isinstance(fact, AgentAnswered)}
    assert {fact.key for fact in answered} == exact.keys()
    assert all(timedelta(0) <= exact[fact.key] - fact.at < timedelta(seconds=2) for fact in answered)
    assert not any(isinstance(fact, LegStarted | AgentMissed) for fact in told)


def test_what_our_rows_know_of_older_calls_makes_the_rest_of_them_readable():
    """The file is read from the middle: who waits and who talks is known."""
    minute = busy_minute()
    done = next(fact for fact in minute.heard if isinstance(fact, AgentDone) and fact.reason == "caller")
    assert done.call_id
    known = logs.Known(answered={done.call_id: done.leg_id})
    line = next(line for line in minute.queue_log if f"|{done.call_id}|" in line and "COMPLETE" in line)
    (told,) = logs.facts([line], [], SWITCH, known)
    assert isinstance(told, AgentDone)
    assert (told.key, told.agent, told.talk_s) == (done.key, done.agent, done.talk_s)


def test_who_is_sent_on_within_a_second_joins_each_queue_when_he_did():
    """queue_log knows only seconds; the moment is that of the line of CEL with the same queue, each used once."""
    queue_log = [
        "1795346855|tel-1.19|inquiry|NONE|ENTERQUEUE||13900000012|1",
        "1795346856|tel-1.19|repair|NONE|ENTERQUEUE||13900000012|2",
        "1795346856|tel-1.19|repair|NONE|ENTERQUEUE||13900000012|3",
    ]
    moments = [("1795346855.718901", "inquiry"), ("1795346856.433231", "repair"), ("1795346856.956575", "repair")]
    leg = '"tel-1.19","tel-1.19","PJSIP/trunk-00000013","13900000012","4008","queues","Queue"'
    cel = [f'"APP_START","{moment}",{leg},"","王小明","{queue},c,,,60"' for moment, queue in moments]
    joined = [fact for fact in logs.facts(queue_log, cel, SWITCH) if isinstance(fact, QueueJoined)]
    assert [(f"{fact.at.timestamp():.6f}", fact.queue) for fact in joined] == moments
    assert [fact.position for fact in joined] == [1, 2, 3]


def test_equal_lines_of_one_who_is_back_in_the_second_are_two_and_lines_read_twice_are_one():
    queue_log = [
        "1795350034|tel-2.302|repair|NONE|ENTERQUEUE||13900000686|3",
        "1795350035|tel-2.302|repair|NONE|ENTERQUEUE||13900000686|2",
        "1795350035|tel-2.302|repair|1008|CONNECT|0|tel-2.364|0",
        "1795350035|tel-2.302|repair|1008|BLINDTRANSFER|repair|tel|0|0|2",
        "1795350035|tel-2.302|repair|NONE|ENTERQUEUE||13900000686|2",
        "1795350036|tel-2.302|repair|1015|CONNECT|1|tel-2.373|0",
    ]
    assert [line.verb for line in logs.each_once([*queue_log, *queue_log[1:]])] == [
        *("ENTERQUEUE", "ENTERQUEUE", "CONNECT", "BLINDTRANSFER", "ENTERQUEUE", "CONNECT")
    ]


def test_one_telling_takes_one_other_away_and_only_a_near_one():
    said = Told().arrives().facts[0]
    paused = MemberPaused(at=said.at, switch=SWITCH, agent="1001", queue="repair", paused=True)
    later = replace(paused, at=said.at + timedelta(seconds=1.4))
    far = replace(paused, at=said.at + timedelta(seconds=2.1))
    assert logs.Told([later]).new([paused]) == []
    assert logs.Told([far]).new([paused]) == [paused]
    assert logs.Told([later]).new([paused, paused]) == [paused]
    assert logs.Told([later]).new([replace(paused, paused=False)]) != []


SAID_BY_THE_DIAL_PLAN = (
    "Recording,File: tel-1-1795345101.0",
    "QueueExit,Queue: repair,Status: KEY",
    "CallBack,Queue: repair,Number: 13800138000",
    "Kept",
    "PutAside,Agent: 1001,Why: parked",
    "PutAside,Agent: ,Why: consult",
    "HandedOver,From: 1001,To: 1002",
    "Dialled,Number: 13900139000",
    "Line,Stats: ssrc=1;themssrc=2;lp=0;rxjitter=0.000125;rxcount=250;txjitter=0.0;txcount=9;rlp=0;rtt=0.020000",
    "IvrDone,Flow: main,Queue: repair,Kind: repair,Serial: W0612345",
)


@pytest.mark.parametrize("said", SAID_BY_THE_DIAL_PLAN)
def test_what_the_dial_plan_says_is_the_same_fact_from_the_log_as_over_the_link(said):
    name, *headers = said.split(",")
    leg = "tel-1-1795345101.0"
    message = {
        "Event": "UserEvent",
        "UserEvent": name,
        "Uniqueid": leg,
        "Linkedid": leg,
        "Timestamp": "1795345102.054864",
    }
    message |= {key.strip(): value.strip() for key, _, value in (header.partition(":") for header in headers)}
    heard = translate(message, "tel", now())
    line = f'"APP_START","1795345102.054864","{leg}","{leg}","PJSIP/trunk-1","","s","x","UserEvent","","","{said}"'
    assert heard is not None
    assert logs.facts([], [line], "tel") == [heard]


def test_no_word_of_the_dial_plan_is_left_out_there():
    files = (Path(logs.__file__).parents[1] / "config" / "asterisk").glob("*.j2")
    said = {name for file in files for name in re.findall(r"UserEvent\((\w+)", file.read_text(encoding="utf-8"))}
    of_no_call = {"IvrSilent", "Pressed"}  # a word for the eye, and a wish that is void by then
    assert said - of_no_call <= {one.split(",")[0] for one in SAID_BY_THE_DIAL_PLAN}
