"""A call told again, from the ledger of a real database: on its page, at the terminal, and for programs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from callcenter.cli import app
from callcenter.database import Database, now
from callcenter.errors import NotFound
from callcenter.facts import LegStarted, MemberChanged, MemberPaused, PhoneSeen
from config import queues
from cti import members, projection
from reports import material, replay
from tests import recorded
from tests.desktop import make_desk
from tests.dumps import dump
from tests.facts import Told
from tests.told import tell
from ticketing import customers, tickets

CALL = "tel-1795395600.1"


@pytest.fixture
def call_id(desk):
    with desk.database.write() as db:
        queues.set_member(db, "repair", "1002", penalty=1)
        customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
    said = recorded.handled(CALL, now() - timedelta(minutes=2))
    return recorded.record(desk.database, desk.bus, desk.settings, said)


def replayed(desk, call_id=CALL):
    with desk.database.read() as db:
        call = material.find(db, call_id, desk.settings.centre)
        return replay.compose(material.load(db, call, now()), now())


def why(found, number=0):
    rings = [step for step in found.steps if step.type == "AgentRung"]
    return {choice.agent: choice.code for choice in rings[number].choices}


# --- from the ledger ----------------------------------------------------------------------------------------------


def test_the_ledger_tells_who_was_asked_and_why(desk, call_id):
    found = replayed(desk)
    assert why(found, 0) == {"1001": "level", "1002": "later_level"}
    assert why(found, 1) == {"1002": "only", "1001": "on_break"}


def test_a_call_is_told_with_those_who_served_the_queue_then(desk, call_id):
    told_at = now() - timedelta(minutes=10)
    with desk.database.write() as db:
        projection.record(db, members.changes(db, told_at), "policy")
        assert members.changes(db, now()) == []
        queues.remove_member(db, "repair", "1002")
        queues.set_member(db, "repair", "1001", penalty=3)
        told = projection.record(db, members.changes(db, now()), "policy")
        changes = [(one.agent, one.member, one.penalty) for one in told if isinstance(one, MemberChanged)]
        assert changes == [("1002", False, 0), ("1001", True, 3)]
    assert why(replayed(desk), 0) == {"1001": "level", "1002": "later_level"}
    rows = dump(desk.database)["memberships"]
    assert [row[1] for row in rows if row[0] == "repair" and row[3] is None] == ["1001"]
    projection.rebuild(desk.database)
    assert dump(desk.database)["memberships"] == rows
    said = recorded.handled("tel-1795395700.1", now() + timedelta(seconds=1))  # the same call, later
    later = recorded.record(desk.database, desk.bus, desk.settings, said)
    assert why(replayed(desk, later), 0).keys() == {"1001"}


def test_what_belongs_to_no_call_is_told_where_it_happened(desk, call_id):
    words = [(step.words % dict(step.values), step.source) for step in replayed(desk).steps]
    assert ("1001 put on a break, for letting it ring", "ami") in words
    assert ("1002 finished the wrap-up", "ami") in words


def test_steps_stand_in_the_recording(desk, call_id):
    found = replayed(desk)
    began = next(step for step in found.steps if step.type == "RecordingStarted")
    assert began.sound_ms == 0
    assert found.sound_from_ms == began.offset_ms


def test_rebuilt_rows_tell_the_same_story(desk, call_id):
    before = replayed(desk)
    projection.rebuild(desk.database)
    after = replayed(desk)
    assert (before.steps, before.lanes) == (after.steps, after.lanes)


def test_a_phone_seen_gone_before_the_call_explains_who_was_not_asked(desk):
    with desk.database.write() as db:
        queues.set_member(db, "repair", "1002")
    at = now() - timedelta(minutes=2)
    said = Told(CALL, at=at - timedelta(minutes=9)).chooses("1001", "available").chooses("1002", "available", after=60)
    for minutes, reachable in ((8, True), (1, False)):
        said.facts.append(PhoneSeen(at=at - timedelta(minutes=minutes), agent="1001", reachable=reachable))
    said.at = at
    tell(desk.database, desk.bus, said.arrives().joins().rings("1002", f"{CALL}-2").facts)
    assert why(replayed(desk)) == {"1002": "only", "1001": "unreachable"}


def test_a_pause_of_the_switch_is_known_from_its_facts(desk):
    at = now() - timedelta(minutes=2)
    said = Told(CALL, at=at - timedelta(minutes=5)).chooses("1001", "available")
    said.at = at
    said.arrives().joins()
    early = said.at - timedelta(seconds=20)
    told = [
        *said.facts,
        MemberPaused(at=early, switch="tel", agent="1001", queue="repair", paused=True, reason="break"),
    ]
    tell(desk.database, desk.bus, sorted(told, key=lambda fact: fact.at))
    joined = next(step for step in replayed(desk).steps if step.type == "QueueJoined")
    assert [(one.agent, one.code) for one in joined.choices] == [("1001", "paused")]


def test_a_leg_that_came_from_another_call_leads_there(desk):
    consult = Told("tel-1795395601.5", at=now() - timedelta(minutes=2)).leg(
        "tel-1795395601.6", 0, "PJSIP/1002-0000000b"
    )
    tell(desk.database, desk.bus, consult.facts)
    leg = f"{CALL}-2"
    said = Told(CALL, at=now() - timedelta(minutes=1)).arrives().joins().rings("1001", leg).answers("1001", leg)
    said.transfers(leg, "attended", "1002").enters("tel-1795395601.6", "b-1")
    tell(desk.database, desk.bus, said.facts)
    with desk.database.read() as db:
        read = material.load(db, material.find(db, CALL, desk.settings.centre), now())
    assert read.came_from == {"tel-1795395601.6": "tel-1795395601.5"}


def test_what_was_read_from_the_logs_is_marked(desk):
    said = Told(CALL, at=now() - timedelta(minutes=2)).arrives()
    tell(desk.database, desk.bus, said.facts)
    tell(desk.database, desk.bus, Told(CALL, at=said.at).presses("3").joins().facts, "cel")
    tell(desk.database, desk.bus, Told(CALL, at=said.at + timedelta(minutes=1)).abandons().ends().facts, "queue_log")
    marked = [(step.type, step.reconciled) for step in replayed(desk).steps if not step.minor]
    assert marked == [
        ("LegStarted", False), ("MenuStep", True), ("QueueJoined", True), ("QueueAbandoned", True), ("LegEnded", True)
    ]  # fmt: skip


# --- finding it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [CALL, f" {CALL} ", "13800138000", "+86 138 0013 8000"])
def test_a_call_is_found_by_its_id_and_by_the_callers_number(desk, call_id, text):
    with desk.database.read() as db:
        assert material.find(db, text, desk.settings.centre).call_id == call_id


def test_a_call_is_found_by_the_number_of_its_ticket(desk, call_id):
    topic = {"topic": "station"}
    with desk.database.write() as db:
        ticket = tickets.open_ticket(db, "inquiry", subject="网点", by="lina", now=now(), call_id=call_id, fields=topic)
        other = tickets.open_ticket(db, "inquiry", subject="无通话", by="lina", now=now(), fields=topic)
        number, without = ticket.number, other.number
    with desk.database.read() as db:
        assert material.find(db, number.lower(), desk.settings.centre).call_id == call_id
        with pytest.raises(NotFound, match="came from no call"):
            material.find(db, without, desk.settings.centre)
        for nothing in ("", "tel-9.9", "王", "%"):
            with pytest.raises(NotFound):
                material.find(db, nothing, desk.settings.centre)


def test_of_many_calls_of_one_number_the_last_is_told(desk, call_id):
    later = Told("tel-1795395700.1", at=now()).arrives()
    tell(desk.database, desk.bus, later.facts)
    assert isinstance(later.facts[0], LegStarted)
    with desk.database.read() as db:
        assert material.find(db, "13800138000", desk.settings.centre).call_id == "tel-1795395700.1"


# --- the page ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "words"), [("en", "李娜 answered after"), ("zh", "李娜振铃")])
def test_the_page_tells_the_steps_in_the_readers_language(desk, call_id, language, words):
    with desk.database.write() as db:
        db.merge(desk.users["zhaomin"]).language = language
    page = desk.client("zhaomin").get(f"/calls/{call_id}")
    assert page.status_code == 200
    assert words in page.text
    assert " style=" not in page.text


def test_an_agent_reads_his_call_but_not_how_his_colleagues_stood(desk, call_id):
    page = desk.client("lina").get(f"/calls/{call_id}")
    assert "Rang 王芳" in page.text
    assert "not asked" not in page.text
    assert "not asked" in desk.client("zhaomin").get(f"/calls/{call_id}").text


def test_what_a_caller_keyed_or_called_himself_is_text(desk):
    said = Told(CALL, at=now() - timedelta(minutes=1)).arrives()
    said.presses("<script>alert(1)</script>", step="<b>menu").leaves_menu(serial='"><img src=x>').joins().ends()
    tell(desk.database, desk.bus, said.facts)
    page = desk.client("zhaomin").get(f"/calls/{CALL}").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_percent_signs_from_outside_do_not_break_a_sentence(desk):
    said = Told(CALL, at=now() - timedelta(minutes=1)).arrives().presses("100%(agent)s %d").joins().ends()
    tell(desk.database, desk.bus, said.facts)
    assert "100%(agent)s %d" in desk.client("zhaomin").get(f"/calls/{CALL}").text


# --- the terminal -----------------------------------------------------------------------------------------------


@pytest.fixture
def centre(tmp_path, monkeypatch):
    """A home with a migrated database, as the command finds it."""
    monkeypatch.setenv("CALLCENTER_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    database = Database(f"sqlite:///{tmp_path / 'callcenter.db'}")
    database.migrate()
    desk = make_desk(tmp_path, database)
    recorded.record(database, desk.bus, desk.settings, recorded.handled(CALL, now() - timedelta(minutes=2)))
    yield desk
    database.close()


def test_the_command_tells_the_call_in_the_time_of_the_centre(centre):
    said = CliRunner().invoke(app, ["replay", "13800138000"])
    assert said.exit_code == 0, said.output
    with centre.database.read() as db:
        began = material.find(db, CALL, centre.settings.centre).started_at
    assert f"{began.astimezone(centre.settings.centre.zone):%Y-%m-%d %H:%M:%S}" in said.output
    assert "Rang 李娜" in said.output
    assert "● 李娜: asked: nobody else was free" in said.output
    assert "Line open" not in said.output
    assert "Line open" in CliRunner().invoke(app, ["replay", CALL, "--all"]).output


def test_the_command_speaks_chinese(centre):
    assert "振铃李娜" in CliRunner().invoke(app, ["replay", CALL, "--language", "zh"]).output


def test_programs_get_every_step_as_data(centre):
    said = CliRunner().invoke(app, ["replay", CALL, "--json"])
    told = json.loads(said.output)
    assert told["call_id"] == CALL
    assert told["recording"]["from_ms"] > 0
    assert [step["type"] for step in told["steps"]].count("AgentRung") == 2
    assert {"offset_ms", "sound_ms", "source", "reconciled", "before", "after", "choices"} <= told["steps"][0].keys()


def test_an_unknown_call_is_a_fault_with_a_sentence(centre):
    said = CliRunner().invoke(app, ["replay", "tel-9.9"])
    assert isinstance(said.exception, NotFound)
    assert "call tel-9.9" in str(said.exception)
