"""A call told again: every step in its place, and why each agent was asked or was not."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from callcenter.events import Fact
from callcenter.facts import MemberPaused, StatusChosen, SwitchLost
from cti import agents, calls
from cti.rows import Agent, Leg, Spell
from cti.story import Story, begin
from reports.choices import ASKED, FREE, WHY, Standing, choose, paused, stood
from reports.material import Material, Member, Sound, Told
from reports.replay import Replay, compose
from tests.facts import CALL, NINE, answered_call
from tests.facts import Told as Telling

WANG, LI, ZHAO = "1001", "1002", "1003"  # 王芳, 李娜, 赵敏
AT = NINE + timedelta(minutes=30)


def replayed(said: Telling, *, source: str = "ami", sound: Sound | None = None, **more: Any) -> Replay:
    """The call as it is told by these facts and nothing else."""
    told = [Told(seq=seq, source=source, fact=fact) for seq, fact in enumerate(said.facts, start=1)]
    own = [one for one in told if type(one.fact) in calls.STEPS]
    story = begin(own[0].fact, CALL)
    for one in own:
        calls.hear(story, one.fact)
    around = [one for one in told if type(one.fact) not in calls.STEPS]
    material = Material(
        call=story.call,
        told=own,
        around=around,
        segments=story.segments,
        offers=list(story.offers.values()),
        spells=spells(said.facts),
        sound=sound,
        **more,
    )
    return compose(material, said.at)


def spells(facts: list[Fact]) -> dict[str, list[Spell]]:
    """Of every agent the facts tell of."""
    found: dict[str, list[Spell]] = {}
    seen: dict[str, Agent] = {}
    story: Story | None = None
    for fact in facts:
        leg: Leg | None = None
        if type(fact) in calls.STEPS:
            story = story or begin(fact, CALL)
            calls.hear(story, fact)
            leg = story.legs.get(getattr(fact, "leg_id", ""))
        name = agents.concerns(fact, leg)
        if name is not None:
            agent = seen.setdefault(name, agents.newcomer(name, fact.at))
            agents.hear(agent, fact, leg)
            mine = found.setdefault(name, [])
            begun = agents.spell(agent, mine[-1] if mine else None, fact.at)
            if begun is not None:
                mine.append(begun)
    return found


def at_work(*names: str, call: Telling | None = None) -> Telling:
    """A call before which these agents chose to be available, a minute one after the other."""
    early = Telling(at=NINE - timedelta(minutes=len(names)))
    for name in names:
        early.chooses(name, "available")
        early.at += timedelta(minutes=1)
    said = call or Telling()
    said.facts[:0] = early.facts
    return said


def told(replay: Replay) -> list[str]:
    return [step.words % dict(step.values) for step in replay.steps if not step.minor]


# --- the steps --------------------------------------------------------------------------------------------------


def test_an_answered_call_is_told_from_the_first_ring_to_the_hang_up():
    assert told(replayed(answered_call())) == [
        "Call to 4008",
        "Menu · main: heard “3”",
        "Left the menu for repair: repair",
        "Recording began",
        "Joined repair at place 1",
        "Rang 1009",
        "1009 did not answer within 15000",
        "Rang 1001",
        "1001 answered after 4 of ringing; waited 5",
        "1001 put the other side on hold",
        "1001 took the other side off hold",
        "The caller ended the talk with 1001 after 60",
        "Call over: answered (caller: 16)",
    ]


def test_each_change_of_state_stands_at_the_step_that_made_it():
    moves = [(step.type, step.before, step.after) for step in replayed(answered_call()).steps if step.after]
    assert moves == [
        ("MenuStep", "arrived", "in_menu"),
        ("QueueJoined", "in_menu", "waiting"),
        ("AgentRung", "waiting", "ringing"),
        ("AgentMissed", "ringing", "waiting"),
        ("AgentRung", "waiting", "ringing"),
        ("AgentAnswered", "ringing", "talking"),
        ("LegEnded", "talking", "ended"),
    ]


def test_every_fact_is_a_step_and_what_only_a_fault_finder_reads_is_minor():
    said = answered_call()
    found = replayed(said)
    assert len(found.steps) == len(said.facts)
    assert {step.type for step in found.steps if step.minor} == {
        "LegStarted", "LegAnswered", "LegEnded", "BridgeEntered", "BridgeLeft"
    }  # fmt: skip


def test_offsets_are_into_the_call_and_into_the_recording():
    began = NINE + timedelta(seconds=3)
    found = replayed(answered_call(), sound=Sound(started_at=began, length_ms=20_000))
    rung = next(step for step in found.steps if step.type == "AgentRung")
    assert rung.offset_ms == (rung.at - NINE) // timedelta(milliseconds=1)
    assert rung.sound_ms == rung.offset_ms - 3000
    assert found.sound_from_ms == 3000
    assert found.steps[0].sound_ms is None, "before the recording there is no sound"
    assert found.steps[-1].sound_ms is None, "behind its end there is none either"


@pytest.mark.parametrize(
    ("source", "reconciled"), [("ami", False), ("queue_log", True), ("cel", True), ("resync", True)]
)
def test_what_was_told_afterwards_is_marked(source, reconciled):
    assert {step.reconciled for step in replayed(answered_call(), source=source).steps} == {reconciled}


def test_facts_told_late_stand_where_they_happened():
    said = Telling().arrives().presses("3").joins().abandons(after=9).ends()
    late = said.facts.pop(2)  # the key pressed, read from the log after the hang-up
    said.facts.append(late)
    found = replayed(said)
    assert [step.type for step in found.steps][:4] == ["LegStarted", "LegAnswered", "MenuStep", "QueueJoined"]


def test_a_call_whose_end_nobody_saw_says_so():
    found = replayed(Telling().arrives().joins().ends(how="unseen"), source="resync")
    assert told(found)[-1] == "Call over, nobody saw its end: other"
    assert found.steps[-1].reconciled


def test_transfers_name_who_sent_the_caller_where_and_how():
    leg = f"{CALL}-2"
    said = Telling().arrives().joins().rings(WANG, leg).answers(WANG, leg)
    words = told(replayed(said.transfers(leg, "blind", "1002")))
    assert words[-1] == "1001 sent the caller on to 1002"


def test_a_ringing_that_a_reload_of_the_page_cut_short_is_not_told_as_unanswered():
    leg = f"{CALL}-2"
    said = Telling().arrives().joins().rings(WANG, leg).misses(WANG, leg, after=3, cause=27)
    assert told(replayed(said))[-1] == "The page or phone of 1001 went away while it rang, after 3000"


def test_the_link_lost_during_the_call_is_a_step():
    said = Telling().arrives().joins()
    said.facts.append(SwitchLost(at=said.at + timedelta(seconds=1), switch="tel"))
    assert told(replayed(said))[-1].startswith("Link to the switch lost")


def test_an_agent_put_on_a_break_for_letting_it_ring_is_a_step():
    leg = f"{CALL}-2"
    said = at_work(WANG).arrives().joins().rings(WANG, leg).misses(WANG, leg)
    said.facts.append(StatusChosen(at=said.at, agent=WANG, status="on_break", reason="missed", by="policy"))
    assert told(replayed(said))[-1] == "1001 put on a break, for letting it ring"


# --- who was asked, and why -------------------------------------------------------------------------------------


def why(replay: Replay, number: int = 0) -> dict[str, str]:
    """Of the first, second … ringing: agent and code."""
    rings = [step for step in replay.steps if step.type == "AgentRung"]
    return {choice.agent: choice.code for choice in rings[number].choices}


def members(*names: str, penalties: dict[str, int] | None = None) -> list[Member]:
    return [Member(queue="repair", agent=name, penalty=(penalties or {}).get(name, 0)) for name in names]


def test_the_only_one_free_is_asked_and_the_others_have_their_reasons():
    leg = f"{CALL}-2"
    said = at_work(WANG, LI).arrives().joins()
    said.chooses(LI, "on_break", reason="lunch")
    said.rings(WANG, leg)
    assert why(replayed(said, members=members(WANG, LI, ZHAO))) == {WANG: "only", LI: "on_break", ZHAO: "unknown"}


def test_who_has_been_free_longest_is_asked_first():
    said = at_work(WANG, LI).arrives().joins().rings(WANG, f"{CALL}-2")
    assert why(replayed(said, members=members(WANG, LI))) == {WANG: "longest", LI: "shorter"}


def test_by_turns_one_who_was_free_for_less_long_may_be_asked():
    said = at_work(WANG, LI).arrives().joins().rings(LI, f"{CALL}-2")
    assert why(replayed(said, members=members(WANG, LI))) == {LI: "turn", WANG: "not_turn"}


def test_the_lower_penalty_is_asked_before_the_longer_wait():
    said = at_work(WANG, LI).arrives().joins().rings(LI, f"{CALL}-2")
    found = replayed(said, members=members(WANG, LI, penalties={WANG: 1}))
    assert why(found) == {LI: "level", WANG: "later_level"}


def test_who_missed_it_is_not_asked_again_while_he_is_on_his_break():
    said = at_work(WANG, LI).arrives().joins().rings(WANG, f"{CALL}-2").misses(WANG, f"{CALL}-2")
    said.chooses(WANG, "on_break", reason="missed").rings(LI, f"{CALL}-3")
    assert why(replayed(said, members=members(WANG, LI)), 1) == {LI: "only", WANG: "on_break"}


def test_when_nobody_is_free_the_caller_sees_no_phone_ring_and_the_replay_says_why():
    said = at_work(WANG).chooses(WANG, "offline").arrives().joins()
    joined = next(step for step in replayed(said, members=members(WANG)).steps if step.type == "QueueJoined")
    assert [(one.agent, one.asked, one.code) for one in joined.choices] == [(WANG, False, "offline")]


def test_a_phone_out_of_reach_keeps_its_agent_from_being_asked():
    said = at_work(WANG, LI).arrives().joins().rings(LI, f"{CALL}-2")
    phones = {WANG: [(NINE - timedelta(hours=1), True), (NINE - timedelta(seconds=30), False)]}
    assert why(replayed(said, members=members(WANG, LI), phones=phones)) == {LI: "only", WANG: "unreachable"}


def test_a_fault_is_told_as_one_an_agent_rung_though_he_was_seen_on_a_break():
    said = at_work(WANG).chooses(WANG, "on_break", reason="lunch").arrives().joins().rings(WANG, f"{CALL}-2")
    assert why(replayed(said, members=members(WANG))) == {WANG: "though"}


def test_all_phones_of_a_ringall_queue_are_one_asking():
    said = at_work(WANG, LI).arrives().joins().rings(WANG, f"{CALL}-2").rings(LI, f"{CALL}-3", after=0.01)
    found = replayed(said, members=members(WANG, LI), strategies={"repair": "ringall"})
    assert why(found, 0) == why(found, 1) == {WANG: "all", LI: "all"}


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("talking", "available", "talking"),
        ("ringing", "available", "ringing"),
        ("wrap_up", "on_break", "wrap_up"),
        ("idle", "on_break", "on_break"),
        ("talking", "offline", "offline"),
        ("idle", "available", "free"),
    ],
)
def test_what_he_is_seen_doing_goes_before_the_break_he_chose(state, status, code):
    (choice,) = choose([Standing(agent=WANG, status=status, state=state, since=NINE)], [], "rrmemory", AT)
    assert choice.code == code
    assert choice.values["idle_s"] == 1800


def test_a_pause_of_the_switch_counts_while_it_stands():
    began = AT - timedelta(seconds=20)
    assert paused([(began, "wrap-up")], AT, since=began - timedelta(seconds=1)) == "wrap-up"
    assert paused([(began, "wrap-up"), (began + timedelta(seconds=5), None)], AT, since=None) is None


def test_a_pause_from_before_counts_only_if_it_was_lifted_later():
    told_pause = [(AT - timedelta(seconds=20), "wrap-up")]
    since = AT - timedelta(milliseconds=50)
    assert paused(told_pause, AT, since) is None, "his place may have been given anew"
    assert paused([*told_pause, (AT + timedelta(milliseconds=30), None)], AT, since) == "wrap-up"


def test_the_ringing_for_this_very_call_does_not_hide_that_he_was_free():
    free = Spell(extension=WANG, started_at=NINE, status="available", reason="", state="idle", call_id=None)
    rung = Spell(extension=WANG, started_at=AT, status="available", reason="", state="ringing", call_id=CALL)
    assert stood([free, rung], AT + timedelta(milliseconds=1), CALL) is free
    assert stood([free, rung], AT + timedelta(milliseconds=1), "another") is rung
    assert stood([free, rung], NINE, CALL) is None


def test_every_reason_has_words_and_asked_and_free_do_not_overlap():
    assert WHY.keys() >= ASKED | FREE
    assert not ASKED & FREE


# --- the lanes --------------------------------------------------------------------------------------------------


def kinds(replay: Replay, name: str) -> list[str]:
    (lane,) = (lane for lane in replay.lanes if lane.name == name)
    return [stretch.kind for stretch in lane.stretches]


def test_lanes_show_the_caller_his_queue_and_each_agent_he_met():
    found = replayed(at_work("1009", WANG, call=answered_call()))
    assert [(lane.of, lane.name) for lane in found.lanes] == [
        ("caller", ""), ("queue", "repair"), ("agent", "1009"), ("agent", "1001")
    ]  # fmt: skip
    assert kinds(found, "") == ["arrival", "menu", "queue", "talk", "hold", "talk"]
    assert kinds(found, "repair") == ["waiting", "ringing", "waiting", "ringing"]
    assert kinds(found, WANG) == ["idle", "ringing", "talking", "hold", "talking", "wrap_up"]


def test_the_wrap_up_stands_behind_the_call_but_takes_a_quarter_more_at_most():
    found = replayed(answered_call().wraps_up(WANG, after=600))
    assert found.shown_ms == found.length_ms * 5 // 4
    assert "wrap_up" in kinds(found, WANG)
    assert all(0 <= s.from_ms <= s.to_ms <= found.shown_ms for lane in found.lanes for s in lane.stretches)


def test_no_lane_shows_two_states_at_once():
    said = at_work(WANG, LI).arrives().joins().rings(WANG, f"{CALL}-2").rings(LI, f"{CALL}-3", after=0.01)
    found = replayed(said.answers(LI, f"{CALL}-3").holds(f"{CALL}-3").resumes(f"{CALL}-3").ends())
    for lane in found.lanes:
        assert all(one.to_ms <= then.from_ms for one, then in pairwise(lane.stretches)), lane


def test_a_call_that_lives_reaches_up_to_now():
    said = Telling().arrives().joins()
    said.at += timedelta(seconds=30)
    found = replayed(said)
    assert found.length_ms == (said.at - NINE) // timedelta(milliseconds=1)
    assert found.lanes[0].stretches[-1].to_ms == found.length_ms


def test_a_pause_told_by_the_switch_is_minor_and_names_the_queue():
    said = at_work(WANG).arrives().joins().rings(WANG, f"{CALL}-2").answers(WANG, f"{CALL}-2")
    said.facts.append(MemberPaused(at=said.at, switch="tel", agent=WANG, queue="repair", paused=True, reason="wrap-up"))
    step = next(step for step in replayed(said).steps if step.type == "MemberPaused")
    assert step.minor
    assert step.words % dict(step.values) == "1001 paused in repair (wrap-up)"
