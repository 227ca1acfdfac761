"""A call as the switch tells it, whatever it tells and in whatever order."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.events import Fact
from callcenter.facts import (
    AgentAnswered,
    AgentMissed,
    AgentRung,
    Held,
    LegEnded,
    MenuStep,
    QueueExited,
    QueueJoined,
    Transferred,
)
from callcenter.payloads import FACTS
from cti.calls import STEPS, hear, step
from cti.story import State, Story, begin
from tests.facts import CALL, Told, answered_call

B, C, D = f"{CALL}-2", f"{CALL}-3", f"{CALL}-4"
OF_CALL = {"at": None, "call_id": CALL, "leg_id": CALL}


def heard(said: Told) -> Story:
    """The call after all that was said."""
    story: Story | None = None
    for fact in said.facts:
        if type(fact) in STEPS:
            story = story or begin(fact, CALL)
            hear(story, fact)
    assert story is not None
    return story


def segments(story: Story) -> list[tuple[Any, ...]]:
    return [(s.kind, s.queue, s.agent, s.outcome) for s in story.segments]


def offers(story: Story) -> list[tuple[Any, ...]]:
    return [(o.agent, o.outcome) for o in story.offers.values()]


# --- the table ----------------------------------------------------------------------------------------------------


def test_every_fact_of_a_call_has_a_step():
    of_calls = {kind for kind in FACTS.values() if "leg_id" in {field.name for field in dataclasses.fields(kind)}}
    assert set(STEPS) == of_calls | {FACTS["CustomerBound"]}


@pytest.mark.parametrize(
    ("state", "kind", "leads_to"),
    [
        (State.ARRIVED, MenuStep, State.IN_MENU),
        (State.WAITING, MenuStep, None),  # told late
        (State.ARRIVED, QueueJoined, State.WAITING),
        (State.TALKING, QueueJoined, State.WAITING),  # transferred into a queue
        (State.WAITING, AgentRung, State.RINGING),
        (State.ARRIVED, AgentRung, State.RINGING),  # QueueJoined was lost
        (State.TALKING, AgentRung, None),
        (State.RINGING, AgentMissed, State.WAITING),
        (State.TALKING, AgentMissed, None),  # ring-all: the others stop ringing
        (State.WAITING, AgentAnswered, State.TALKING),  # AgentRung was lost
        (State.RINGING, QueueExited, State.ARRIVED),
        (State.TALKING, Held, None),
        (State.TALKING, Transferred, State.ARRIVED),
        (State.RINGING, LegEnded, State.ENDED),
        *((State.ENDED, kind, None) for kind in STEPS),
    ],
)
def test_step(state, kind, leads_to):
    fact = kind.__new__(kind)  # only its type is looked at
    assert step(state, fact) is leads_to


def test_no_fact_is_refused_in_any_state():
    for state in State:
        for kind in FACTS.values():
            assert step(state, cast(Fact, kind.__new__(kind))) in {*State, None}


# --- stories ------------------------------------------------------------------------------------------------------


def test_an_answered_call_from_the_menu_to_the_hang_up():
    story = heard(answered_call())
    call = story.call
    assert (call.state, call.outcome, call.direction) == ("ended", "answered", "in")
    assert (call.caller_number, call.caller_name, call.did) == ("+8613800138000", "王小明", "4008")
    assert (call.queue, call.agent, call.wished_kind, call.recording) == ("repair", "1001", "repair", CALL)
    assert [step["heard"] for step in call.menu] == ["3"]
    assert segments(story) == [
        ("arrival", None, None, ""),
        ("menu", None, None, ""),
        ("queue", "repair", None, "answered"),
        ("talk", "repair", "1001", ""),
        ("hold", "repair", "1001", ""),
        ("talk", "repair", "1001", ""),
    ]
    assert offers(story) == [("1009", "missed"), ("1001", "answered")]
    assert (call.wait_ms, call.talk_ms, call.hold_ms, call.holds) == (21_012, 70_014, 10_000, 1)
    assert call.joined_at is not None
    assert call.answered_at is not None
    assert call.wait_ms == (call.answered_at - call.joined_at).total_seconds() * 1000 // 1
    assert [leg.cause for leg in story.legs.values()] == [16, 0, 16]


def test_an_agent_hangs_up_and_the_caller_who_stays_on_the_line_talks_to_nobody():
    said = Told().arrives().joins().rings("1001", "tel-9").answers("1001", "tel-9")
    said.parts("tel-9", after=5).ends("tel-9").done("1001", "tel-9", after=0.01, reason="agent").ends(after=4)
    story = heard(said)
    (talk,) = (one for one in story.segments if one.kind == "talk")
    assert story.call.talk_ms == 5_012
    assert talk.ended_at == story.legs["tel-9"].ended_at
    assert story.call.ended_at == said.at


def test_a_caller_who_hangs_up_in_the_greeting():
    story = heard(Told().arrives().ends(after=3))
    assert (story.call.outcome, segments(story)) == ("abandoned_menu", [("arrival", None, None, "")])


def test_a_caller_who_hangs_up_in_the_menu():
    assert heard(Told().arrives().presses("").ends(after=3)).call.outcome == "abandoned_menu"


def test_a_caller_who_hangs_up_while_he_waits():
    story = heard(Told().arrives().joins().abandons().ends())
    assert (story.call.outcome, story.call.wait_ms) == ("abandoned_queue", 20_010)
    assert segments(story)[-1] == ("queue", "repair", None, "abandoned")


def test_a_caller_who_hangs_up_while_it_rings():
    story = heard(Told().arrives().joins().rings("1001", B).abandons(after=3).ends(B, 0.002, cause=0).ends())
    assert story.call.outcome == "abandoned_ringing"
    assert offers(story) == [("1001", "cancelled")]
    assert story.call.state == "ended"


def test_after_a_missed_offer_a_hang_up_is_one_of_the_queue():
    story = heard(Told().arrives().joins().rings("1001", B).misses("1001", B).abandons(after=5).ends())
    assert (story.call.outcome, offers(story)) == ("abandoned_queue", [("1001", "missed")])


def test_a_caller_whose_time_in_the_queue_is_over_has_not_abandoned():
    said = Told().arrives().joins().abandons().exits("TIMEOUT")
    story = heard(said)
    assert story.state is State.ARRIVED
    story = heard(said.ends(after=4))
    assert story.call.outcome == "queue_timeout"
    assert segments(story)[1:] == [("queue", "repair", None, "timeout"), ("arrival", None, None, "")]
    assert story.call.wait_ms == 20_001


def test_a_ringing_that_the_queues_timeout_cut_short_is_nobodys_miss():
    said = Told().arrives().joins().rings("1001", B).misses("1001", B, after=6)
    story = heard(said.abandons(after=0.0003).exits("TIMEOUT").ends(after=4))
    assert (story.call.outcome, offers(story)) == ("queue_timeout", [("1001", "cancelled")])


def test_such_a_ringing_is_nobodys_miss_either_when_the_logs_tell_the_end_of_his_time_first():
    story = heard(
        Told().arrives().joins().rings("1001", B).abandons(after=6).exits("TIMEOUT").misses("1001", B, after=0.001)
    )
    assert offers(story) == [("1001", "cancelled")]


def test_a_ringing_that_a_reload_of_the_page_cut_short_is_nobodys_miss():
    said = Told().arrives().joins().rings("1001", B).misses("1001", B, after=3, cause=27)
    story = heard(said.rings("1001", C, after=1).answers("1001", C))
    assert (story.state, offers(story)) == (State.TALKING, [("1001", "cancelled"), ("1001", "answered")])


def test_a_queue_nobody_serves_lets_the_caller_go():
    story = heard(Told().arrives().joins().exits("LEAVEEMPTY").ends(after=4))
    assert (story.call.outcome, story.segments[1].outcome) == ("queue_exit", "leaveempty")


def test_all_phones_ring_and_one_answers():
    said = Told().arrives().joins().rings("1001", B).rings("1002", C).rings("1003", D)
    said.misses("1003", D, after=2)
    story = heard(said)
    assert story.state is State.RINGING  # two still do
    story = heard(said.answers("1002", C).ends(B, 0.002, cause=26))
    assert (story.state, story.call.agent) == (State.TALKING, "1002")
    assert offers(story) == [("1001", "cancelled"), ("1002", "answered"), ("1003", "missed")]


def test_the_call_ends_with_its_last_leg_not_with_its_first():
    said = Told().arrives().joins().rings("1001", B).answers("1001", B).ends(after=30)
    story = heard(said)
    assert story.state is State.TALKING
    assert story.segments[-1].ended_at == said.at  # the caller's time is over
    story = heard(said.ends(B, after=2))
    assert (story.state, story.call.ended_at) == (State.ENDED, said.at)
    assert story.call.talk_ms == 30_002


def test_a_caller_is_kept_while_his_agents_page_is_loaded_again_and_it_is_one_call():
    said = Told().arrives().joins().rings("1001", B).answers("1001", B)
    said.done("1001", B, after=30, reason="agent").parts(B).parts(CALL).kept()
    story = heard(said)
    assert (story.state, story.call.agent) == (State.KEPT, "1001")
    said.ends(B, cause=27).leg(C, 1, "PJSIP/1001-0000000c", agent="1001").meets(C, "b-2")
    assert heard(said).state is State.TALKING
    story = heard(said.parts(C, "b-2", after=60).parts(CALL, "b-2").ends(C).ends())
    assert segments(story)[2:] == [
        ("talk", "repair", "1001", ""),
        ("kept", "repair", "1001", ""),
        ("talk", "repair", "1001", ""),
    ]
    assert (story.call.outcome, story.call.talk_ms // 1000, story.call.hold_ms) == ("answered", 90, 0)


def test_a_caller_kept_for_too_long_waits_again_and_somebody_else_takes_him():
    said = Told().arrives().joins().rings("1001", B).answers("1001", B).parts(B, after=30).parts(CALL).kept().ends(B)
    said.joins(after=20).rings("1002", C).answers("1002", C, bridge="b-2").parts(CALL, "b-2", after=40).ends(C).ends()
    story = heard(said)
    assert (story.call.outcome, story.call.agent) == ("answered", "1002")
    assert [(one.kind, one.agent) for one in story.segments[2:]] == [
        ("talk", "1001"),
        ("kept", "1001"),
        ("queue", None),
        ("talk", "1002"),
    ]


def test_a_blind_transfer_to_a_colleague():
    said = Told().arrives().joins().rings("1001", B).answers("1001", B)
    said.transfers(B, "blind", "1002").done("1001", B, after=0.01, reason="transfer").ends(B)
    said.leg(C, 0.01, "PJSIP/1002-0000000c", agent="1002")
    story = heard(said)
    assert story.state is State.ARRIVED
    story = heard(said.meets(C, "b-2", after=5).ends(C, 60).ends())
    assert (story.call.outcome, story.call.agent, story.call.transfers) == ("answered", "1002", 1)
    assert segments(story)[2:] == [
        ("talk", "repair", "1001", ""),
        ("arrival", None, None, ""),
        ("talk", None, "1002", ""),
    ]


def test_a_blind_transfer_into_another_queue():
    said = Told().arrives().joins().rings("1001", B).answers("1001", B).transfers(B, "blind", "inquiry").ends(B)
    story = heard(said.joins("inquiry").abandons("inquiry").ends())
    assert story.call.outcome == "answered"  # somebody talked to him; the segments say what came then
    assert [(s.kind, s.queue, s.outcome) for s in story.segments if s.kind == "queue"] == [
        ("queue", "repair", "answered"),
        ("queue", "inquiry", "abandoned"),
    ]


def test_an_attended_transfer_goes_on_with_the_colleague():
    said = Told().arrives().joins().rings("1001", B).answers("1001", B).holds(B)
    said.transfers(B, "attended", "1002", after=20).leg(C, 0, "PJSIP/1002-0000000c", agent="1002").enters(C, "b-1")
    story = heard(said.parts(B).ends(B).ends(C, 60).ends())
    assert (story.call.agent, story.call.transfers, story.call.holds) == ("1002", 1, 1)
    assert [s.kind for s in story.segments] == ["arrival", "queue", "talk", "hold", "talk"]
    assert segments(story)[-1] == ("talk", None, "1002", "")


def test_an_agent_calls_out():
    said = Told().leg(CALL, 0, "PJSIP/1001-0000000a", did="13800138000", number="+8613800138000", agent="1001")
    said.leg(B, 0.01, "PJSIP/trunk-0000000b", trunk=True)
    story = heard(said)
    assert (story.call.direction, story.call.caller_number, story.call.did) == ("out", "1001", "13800138000")
    story = heard(said.meets(B, after=6).ends(B, 30).ends())
    assert (story.call.outcome, story.call.agent, story.call.talk_ms) == ("answered", "1001", 30_000)
    assert [s.kind for s in story.segments] == ["arrival", "talk"]


def test_a_call_out_that_nobody_takes():
    said = Told().leg(CALL, 0, "PJSIP/1001-0000000a", did="13800138000", agent="1001")
    story = heard(said.leg(B, 0.01, "PJSIP/trunk-0000000b", trunk=True).ends(B, 20, cause=17).ends(cause=17))
    assert (story.call.direction, story.call.outcome, story.call.answered_at) == ("out", "other", None)


def test_colleagues_who_call_each_other():
    said = Told().leg(CALL, 0, "PJSIP/1001-0000000a", did="1002", agent="1001")
    story = heard(said.leg(B, 0.01, "PJSIP/1002-0000000b", agent="1002").meets(B).ends(B, 9).ends())
    assert (story.call.direction, story.call.agent, story.call.talk_ms) == ("internal", "1002", 9_000)


def test_a_caller_who_puts_us_on_hold_holds_nobody():
    story = heard(Told().arrives().joins().rings("1001", B).answers("1001", B).holds(CALL))
    assert story.call.holds == 0


def test_a_person_chooses_the_customer_and_a_look_up_never_overrides_him():
    said = Told().arrives().bound(7).bound(9, by="wangfang").bound(7)
    assert heard(said).call.customer_id == 9


# --- what is lost, late or doubled -----------------------------------------------------------------------------------


def test_an_answer_is_believed_when_all_before_it_was_lost():
    said = Told().say(AgentAnswered, 0, B, queue="repair", agent="1001", wait_s=12, ring_s=4)
    story = heard(said.ends(B, 60).ends())
    assert (story.call.outcome, story.call.agent, story.call.queue) == ("answered", "1001", "repair")
    assert offers(story) == [("1001", "answered")]


def test_a_lost_joining_is_made_up_from_the_wait_the_answer_tells():
    said = Told().arrives().say(AgentAnswered, 30, B, queue="repair", agent="1001", wait_s=12, ring_s=4)
    story = heard(said)
    assert segments(story) == [
        ("arrival", None, None, ""),
        ("queue", "repair", None, "answered"),
        ("talk", "repair", "1001", ""),
    ]
    assert story.call.wait_ms == 12_000


def test_a_lost_answer_is_believed_from_the_bridge():
    said = Told().arrives().joins().rings("1001", B).meets(B, after=4).ends(B, 60).ends()
    story = heard(said)
    assert (story.call.outcome, offers(story)) == ("answered", [("1001", "answered")])
    assert segments(story)[-1] == ("talk", "repair", "1001", "")


def test_a_bridge_told_before_the_answer_is_one_talk():
    said = Told().arrives().joins().rings("1001", B).meets(B, after=4)
    story = heard(said.say(AgentAnswered, 0.001, B, queue="repair", agent="1001", wait_s=5, ring_s=4))
    assert segments(story)[2:] == [("talk", "repair", "1001", "")]


def test_a_call_known_from_its_end_only_is_over():
    story = heard(Told().ends())
    assert (story.call.state, story.call.outcome) == ("ended", "other")
    hear(story, Told().arrives().facts[0])
    assert (story.call.caller_number, story.call.direction, story.call.state) == ("+8613800138000", "in", "ended")


def test_a_leg_told_after_the_call_has_ended_moves_only_its_end():
    said = Told().arrives().ends(after=3).leg(B, 0, "PJSIP/1001-0000000a", agent="1001").ends(B, 2)
    story = heard(said)
    assert (story.call.outcome, story.call.ended_at) == ("abandoned_menu", said.at)


@pytest.mark.parametrize(("how", "outcome"), [("lost", "lost"), ("unseen", "other")])
def test_a_waiting_call_whose_end_nobody_saw_is_not_called_abandoned(how, outcome):
    story = heard(Told().arrives().joins().ends(after=60, cause=0, how=how))
    assert (story.call.outcome, story.segments[-1].outcome) == (outcome, how)


def test_a_talk_whose_end_nobody_saw_was_answered():
    said = Told().arrives().joins().rings("1001", B).answers("1001", B)
    assert heard(said.ends(B, 60, how="lost").ends(how="lost")).call.outcome == "answered"


def assert_sound(story: Story) -> None:
    """What holds of every call, whatever was told of it."""
    call = story.call
    assert (call.state == "ended") == (call.ended_at is not None) == bool(call.outcome)
    for earlier, later in pairwise(story.segments):
        assert earlier.ended_at == later.started_at
    assert [s.no for s in story.segments] == list(range(len(story.segments)))
    assert all(s.ended_at is None or s.started_at <= s.ended_at for s in story.segments)
    assert all(s.ended_at is not None for s in story.segments[:-1])
    if story.segments:
        assert story.segments[0].started_at == call.started_at
    for offer in story.offers.values():
        assert (offer.ended_at is None) == (offer.outcome == "")
        assert offer.ended_at is None or offer.rung_at <= offer.ended_at
    assert sum(offer.outcome == "answered" for offer in story.offers.values()) <= 1
    if call.ended_at:
        assert story.segments[-1].ended_at is not None
        assert story.segments[-1].ended_at <= call.ended_at
        assert not story.ringing
        assert all(s.outcome for s in story.segments if s.kind == "queue")
        assert all(leg.ended_at is None or leg.ended_at <= call.ended_at for leg in story.legs.values())
    assert min(call.wait_ms, call.talk_ms, call.hold_ms) >= 0


def long_story() -> Told:
    said = (
        Told()
        .arrives()
        .presses("3")
        .leaves_menu()
        .joins()
        .rings("1001", B)
        .misses("1001", B)
        .abandons()
        .exits("TIMEOUT")
    )
    said.joins("inquiry").rings("1002", C, "inquiry").answers("1002", C, "inquiry").holds(C).resumes(C)
    said.transfers(C, "blind", "1003").done("1002", C, "inquiry", 0.01, "transfer").ends(C)
    return said.leg(D, 0.01, "PJSIP/1003-0000000d", agent="1003").meets(D, "b-2", 5).bound(7).ends(D, 60).ends()


STORIES = [answered_call().facts, long_story().facts]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_lost_doubled_or_out_of_order_leaves_a_sound_call(data):
    told = data.draw(st.sampled_from(STORIES))
    kept = data.draw(st.lists(st.sampled_from(told), max_size=2 * len(told)))  # lost, doubled, in any order
    nearly = sorted(kept, key=lambda fact: told.index(fact) + data.draw(st.integers(-2, 2)))
    for facts in (kept, nearly):
        story = None
        for fact in facts:
            if type(fact) in STEPS:
                story = story or begin(fact, CALL)
                was = story.call.outcome
                hear(story, fact)
                assert not was or story.call.outcome == was  # an outcome is the only one
                assert_sound(story)


@given(st.sampled_from(STORIES), st.data())
@settings(max_examples=100, deadline=None)
def test_every_call_ends_when_its_legs_have_ended(told, data):
    kept = [fact for fact in told if isinstance(fact, LegEnded) or data.draw(st.booleans())]
    story = begin(kept[0], CALL)
    for fact in kept:
        hear(story, fact)
    assert story.state is State.ENDED


@given(st.sampled_from(STORIES), st.data())
@settings(max_examples=100, deadline=None)
def test_a_clock_set_back_in_the_middle_of_a_call_leaves_no_time_below_nothing(told, data):
    number, back = data.draw(st.integers(1, len(told) - 1)), data.draw(st.timedeltas(timedelta(0), timedelta(hours=2)))
    story = begin(told[0], CALL)
    for fact in [*told[:number], *(dataclasses.replace(fact, at=fact.at - back) for fact in told[number:])]:
        hear(story, fact)
        assert_sound(story)
    call = story.call
    moments = [at for at in (call.started_at, call.joined_at, call.answered_at, call.ended_at) if at is not None]
    assert len(moments) == 4
    assert moments == sorted(moments)
