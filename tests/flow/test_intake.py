"""From the socket to the rows: nothing is lost, nothing counts twice, whatever breaks between."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.bus import LocalBus
from callcenter.database import Database
from callcenter.events import Event, Fact
from callcenter.facts import SwitchFound, SwitchLost
from callcenter.ledger import LedgerRow, read
from callcenter.nudges import CallChanged, SwitchChanged
from config.settings import Settings, Switch
from cti.intake import Intake
from cti.projection import rebuild
from cti.rows import Agent, Call, Leg, Offer, Segment, Spell, SwitchRow
from tests.captures import captured
from tests.dumps import dump
from tests.fake_ami import FakeAmi, error, event, fake_ami, listed
from tests.loop import in_loop, until

CALL, AGENT_LEG = "tel-1795310468.1", "tel-1795310471.2"
ABANDONED = "tel-1795310511.3"


def has(
    ami: FakeAmi, channels: tuple[str, ...] = (), queue: tuple[str, ...] = (), phones: tuple[str, ...] = ()
) -> None:
    """What the switch will show when it is looked at."""
    ami.answers["CoreShowChannels"] = lambda _: listed(channels, "CoreShowChannelsComplete")
    ami.answers["QueueStatus"] = lambda _: listed(queue, "QueueStatusComplete")
    ami.answers["DeviceStateList"] = lambda _: listed(phones, "DeviceStateListComplete")


def channel(leg_id: str, name: str, call_id: str = CALL, state: str = "6", bridge: str = "") -> str:
    """One channel in CoreShowChannels."""
    told = {"Channel": name, "ChannelState": state, "CallerIDNum": "13800138000", "CallerIDName": "王小明"}
    more = {"Language": "zh", "Context": "from-trunk", "Exten": "4008", "Uniqueid": leg_id, "Linkedid": call_id}
    return event("CoreShowChannel", **told, **more, BridgeId=bridge)


class House:
    """Intake at one switch, and what was published."""

    def __init__(self, ami: FakeAmi, database: Database, home: Path) -> None:
        settings = Settings(home=home, switch=Switch(ami_port=ami.port, ami_secret="geheim"))
        self.bus = LocalBus()
        self.told: list[Event] = []
        self.bus.listen(self.told.append)
        self.intake = Intake(settings, database, self.bus)

    def state(self, call_id: str) -> str:
        states = [e.state for e in self.told if isinstance(e, CallChanged) and e.call_id == call_id]
        return states[-1] if states else ""

    async def reaches(self, state: str, call_id: str = CALL) -> None:
        await until(lambda: self.state(call_id) == state, what=f"{call_id} is {state}, not {self.state(call_id)}")

    async def is_told(self, kind: type[Event], times: int = 1, **more: Any) -> None:
        def count() -> int:
            return sum(type(e) is kind and more.items() <= e.__dict__.items() for e in self.told)

        await until(lambda: count() >= times, what=f"{kind.__name__} {more}")


@asynccontextmanager
async def house(ami: FakeAmi, database: Database, home: Path):
    """Started, and the switch has been looked at."""
    here = House(ami, database, home)
    await here.intake.start()
    try:
        await here.is_told(SwitchChanged)
        yield here
    finally:
        await here.intake.stop()


def said(capture: str, begin: str = "", end: str = "") -> str:
    """A capture from the first event of a name up to, and without, the first one of another."""
    events = captured(capture)
    names = [text.partition("\r\n")[0].removeprefix("Event: ") for text in events]
    return "".join(events[names.index(begin) if begin else 0 : names.index(end) if end else None])


def facts(database: Database) -> list[Fact]:
    with database.read() as db:
        return [fact for _seq, fact in read(db)]


def call_of(database: Database, call_id: str = CALL) -> Call:
    with database.read() as db:
        return db.get_one(Call, call_id)


def ended_at(call: Call) -> datetime:
    assert call.ended_at is not None
    return call.ended_at


def states(db: Session) -> list[str]:
    """What agent 1001 went through, up to his wrap-up; policy's clock may have ended that one long ago."""
    spells = db.scalars(select(Spell).where(Spell.extension == "1001").order_by(Spell.started_at))
    return [spell.state for spell in spells][:3]


# --- the whole way --------------------------------------------------------------------------------------------------


@in_loop
async def test_captured_calls_become_rows_and_are_told_after_commit(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("answered"), said("abandoned"))
            await here.reaches("ended")
            await here.reaches("ended", ABANDONED)
            assert here.intake.health() == (True, "connected to tel, 0 events behind")
    with database.read() as db:
        call, abandoned = db.get_one(Call, CALL), db.get_one(Call, ABANDONED)
        assert (call.outcome, call.agent, call.queue, call.caller_name) == ("answered", "1001", "support", "Cust 1")
        assert (abandoned.outcome, abandoned.agent) == ("abandoned_queue", None)
        kinds = [s.kind for s in db.scalars(select(Segment).where(Segment.call_id == CALL).order_by(Segment.no))]
        assert kinds == ["arrival", "queue", "talk"]
        assert [(offer.agent, offer.outcome) for offer in db.scalars(select(Offer))] == [("1001", "answered")]
        assert states(db) == ["ringing", "talking", "wrap_up"]
    rows = dump(database)
    rebuild(database)
    assert dump(database) == rows


@in_loop
async def test_one_who_is_rung_twice_and_does_not_answer(database, tmp_path):
    call_id = "tel-1795311998.32803"
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("ring_no_answer"))
            await here.reaches("ended", call_id)
    with database.read() as db:
        assert db.get_one(Call, call_id).wait_ms == 22_027
        offers = db.scalars(select(Offer).order_by(Offer.rung_at)).all()
        assert [offer.outcome for offer in offers] == ["missed", "cancelled"]  # the second was cut by the queue's end


@in_loop
async def test_a_message_that_cannot_be_read_is_logged_without_numbers_and_the_next_one_counts(
    database, tmp_path, caplog
):
    broken = event("Newchannel", Channel="PJSIP/trunk-1", CallerIDNum="13800138000", Uniqueid="tel-1.1")
    twice = event("Hangup", Uniqueid="tel-1.1", Linkedid="tel-1.1").replace(
        "\r\n\r\n", "\r\nCause: 1\r\nCause: 2\r\n\r\n"
    )
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(broken + twice + said("abandoned"))
            await here.reaches("ended", ABANDONED)
    assert caplog.text.count("cannot read") == 2
    assert "13800138000" not in caplog.text


# --- the database is away ---------------------------------------------------------------------------------------------


@in_loop
async def test_while_the_database_is_away_facts_lie_on_disk_and_are_told_first_when_it_is_back(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            with database.engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE ledger RENAME TO elsewhere")
            await ami.say(said("answered", end="AgentConnect"))
            await until(lambda: not here.intake.health()[0])
            assert "wait on disk" in here.intake.health()[1]
            assert here.state(CALL) == ""
            with database.engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO ledger")
            await ami.say(said("answered", begin="AgentConnect"))
            await here.reaches("ended")
            await until(lambda: here.intake.health()[0])
    assert call_of(database).outcome == "answered"
    assert [type(fact).__name__ for fact in facts(database)][1:4] == ["LegStarted", "LegAnswered", "QueueJoined"]
    rows = dump(database)
    rebuild(database)
    assert dump(database) == rows


@in_loop
async def test_what_lay_on_disk_when_we_died_is_told_at_the_next_start(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            with database.engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE ledger RENAME TO elsewhere")
            await ami.say(said("abandoned"))
            await until(lambda: not here.intake.health()[0])
        assert (tmp_path / "spool" / "tel.jsonl").is_file()
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO ledger")
        async with house(ami, database, tmp_path) as here:
            await here.reaches("ended", ABANDONED)
            await until(lambda: here.intake.health()[0])
    assert not (tmp_path / "spool" / "tel.jsonl").exists()
    assert call_of(database, ABANDONED).outcome == "abandoned_queue"


@in_loop
async def test_a_database_that_another_process_holds_for_a_while_costs_nothing(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            await ami.say(said("abandoned"))
            await until(lambda: len(here.intake.door.inbox) == 0)
            other.execute("ROLLBACK")
            other.close()
            await here.reaches("ended", ABANDONED)


# --- the link is cut ------------------------------------------------------------------------------------------------


@in_loop
async def test_after_a_cut_link_calls_that_are_gone_have_ended_and_no_agent_talks_on(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("answered", end="HangupRequest"))
            await here.reaches("talking")
            ami.cut()
            await here.is_told(SwitchChanged, connected=False)
            await here.reaches("ended")
            await here.is_told(SwitchChanged, times=2, connected=True)
    with database.read() as db:
        call, agent = db.get_one(Call, CALL), db.get_one(Agent, "1001")
        assert (call.outcome, agent.legs, states(db)) == ("answered", {}, ["ringing", "talking", "wrap_up"])
        assert {leg.cause for leg in db.scalars(select(Leg))} == {0}
        assert db.get_one(SwitchRow, "tel").connected is False  # since the house was closed
    found = [fact for fact in facts(database) if isinstance(fact, SwitchFound)]
    assert [fact.restarted for fact in found] == [False, False]
    assert sum(isinstance(fact, SwitchLost) for fact in facts(database)) == 2


@in_loop
async def test_a_call_that_began_unseen_is_seen_where_it_is(database, tmp_path):
    second = "tel-1795310500.9"
    async with fake_ami() as ami:
        entry = event("QueueEntry", Queue="repair", Position="1", Uniqueid=second, Wait="7")
        channels = (
            channel(CALL, "PJSIP/trunk-00000001", bridge="b-1"),
            channel(AGENT_LEG, "PJSIP/1001-00000002", bridge="b-1"),
            channel(second, "PJSIP/trunk-00000009", second),
        )
        has(ami, channels, (entry,), (event("DeviceStateChange", Device="PJSIP/1002", State="NOT_INUSE"),))
        async with house(ami, database, tmp_path) as here:
            await here.reaches("talking")
            await here.reaches("waiting", second)
            with database.read() as db:
                call, agent = db.get_one(Call, CALL), db.get_one(Agent, "1001")
                assert (call.agent, call.caller_name, call.direction) == ("1001", "王小明", "in")
                assert (agent.state, agent.call_id) == ("talking", CALL)
                assert db.get_one(Agent, "1002").reachable
                waits = db.get_one(Call, second)
                assert (waits.queue, waits.joined_at is not None) == ("repair", True)
            end = re.sub(r"Timestamp: [\d.]+\r\n", "", said("answered", begin="HangupRequest"))
            await ami.say(end)  # now, not when it was captured
            await here.reaches("ended")
            with database.read() as db:
                assert states(db) == ["ringing", "talking", "wrap_up"]
                assert {leg.cause for leg in db.scalars(select(Leg).where(Leg.call_id == CALL))} == {16}


@in_loop
async def test_what_is_the_same_after_a_cut_link_goes_on(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("answered", end="HangupRequest"))
            await here.reaches("talking")
            bridge = "0e951e96-af7b-4fd7-b258-9a52a4b9956e"
            trunk = channel(CALL, "PJSIP/trunk-00000001", bridge=bridge)
            has(ami, (trunk, channel(AGENT_LEG, "PJSIP/1001-00000002", bridge=bridge)))
            before = dump(database)
            ami.cut()
            await here.is_told(SwitchChanged, times=2, connected=True)
            assert dump(database) == before
            await ami.say(said("answered", begin="HangupRequest"))
            await here.reaches("ended")
    assert call_of(database).talk_ms > 0


@in_loop
async def test_events_that_arrive_while_the_switch_is_looked_at_are_told_exactly(database, tmp_path):
    """The caller hangs up between the log-in and the look: his real end counts, not that he is gone."""
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("answered", end="HangupRequest"))
            await here.reaches("talking")

            def hang_up(_: Any) -> str:
                return said("answered", begin="HangupRequest") + listed([], "CoreShowChannelsComplete")

            ami.answers["CoreShowChannels"] = hang_up
            ami.cut()
            await here.reaches("ended")
    with database.read() as db:
        assert {leg.cause for leg in db.scalars(select(Leg))} == {16}
    found = [fact for fact in facts(database) if isinstance(fact, SwitchFound)]
    assert ended_at(call_of(database)) < found[-1].at


def comes_unseen_and_hangs_up(ami, tmp_path):
    """The caller came while we were away; his hang-up is told between the log-in and our first question."""
    came = time.time() - 0.5
    line = "{},{:.6f},tel-9.1,tel-9.1,PJSIP/trunk-9,13800138000,4008,from-trunk,,,李静,".format
    file = tmp_path / "switch" / "log" / "cel-custom" / "cel.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([line("CHAN_START", came), line("ANSWER", came + 0.1), ""]), encoding="utf-8")
    gone = event("Hangup", Uniqueid="tel-9.1", Linkedid="tel-9.1", Cause="16", **{"Cause-txt": "Normal"})
    ami.answers["CoreStatus"] = lambda _: gone + ami.core_status()


@in_loop
async def test_what_a_new_link_tells_before_we_have_caught_up_is_told_behind_what_went_before(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            ami.cut()
            comes_unseen_and_hangs_up(ami, tmp_path)
            await here.reaches("ended", "tel-9.1")
    told = [fact for fact in facts(database) if fact.call_id == "tel-9.1"]
    assert [type(fact).__name__ for fact in told] == ["LegStarted", "LegAnswered", "LegEnded"]
    assert call_of(database, "tel-9.1").outcome == "abandoned_menu"


@in_loop
async def test_while_the_switch_cannot_be_looked_at_what_it_tells_waits_behind_what_went_before(database, tmp_path):
    """As above, but the first look fails: the hang-up is not told of a call nobody knows."""
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            ami.cut()
            comes_unseen_and_hangs_up(ami, tmp_path)
            looks = len(ami.actions("CoreShowChannels"))
            ami.answers["CoreShowChannels"] = lambda _: error("It is busy")
            await ami.heard_action("CoreShowChannels", looks + 2)
            assert not [fact for fact in facts(database) if fact.call_id == "tel-9.1"]
            has(ami)
            await here.reaches("ended", "tel-9.1")
    told = [type(fact).__name__ for fact in facts(database) if fact.call_id == "tel-9.1"]
    assert told == ["LegStarted", "LegAnswered", "LegEnded"]
    kinds = [type(fact).__name__ for fact in facts(database)]
    assert kinds.index("LegEnded") > kinds.index("SwitchFound", kinds.index("SwitchLost"))


@in_loop
async def test_a_switch_that_came_back_from_nothing_has_lost_its_calls(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("abandoned", end="HangupRequest"))
            await here.reaches("waiting", ABANDONED)
            ami.answers["CoreStatus"] = lambda _: ami.core_status(later_s=318)
            ami.cut()
            await here.reaches("ended", ABANDONED)
    call = call_of(database, ABANDONED)
    assert call.outcome == "lost"
    last = [fact for fact in facts(database) if isinstance(fact, SwitchFound)][-1]
    assert last.restarted
    assert ended_at(call) < last.at


@in_loop
async def test_what_was_lost_to_a_full_inbox_is_read_from_the_switch(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("answered", end="HangupRequest"))
            await here.reaches("talking")
            here.intake.door.inbox._size = 3
            has(ami)
            await ami.say(said("answered", begin="HangupRequest"))
            await here.reaches("ended")
    assert call_of(database).outcome == "answered"


@in_loop
async def test_we_died_and_the_next_of_us_finds_what_happened_meanwhile(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        first = House(ami, database, tmp_path)
        await first.intake.start()
        await ami.say(said("answered", end="HangupRequest"))
        await first.reaches("talking")
        for task in (first.intake._task, first.intake.door._keeper):  # a crash: nothing is said, nothing is tidied up
            assert task is not None
            task.cancel()
        await first.intake.policy.stop()
        ami.cut()
        async with house(ami, database, tmp_path) as here:
            await here.reaches("ended")
    lost = [fact for fact in facts(database) if isinstance(fact, SwitchLost)]
    assert len(lost) == 2  # the crash, and the orderly end
    with database.read() as db:
        assert states(db) == ["ringing", "talking", "wrap_up"]
        assert len(db.scalars(select(LedgerRow.seq).where(LedgerRow.type == "LegStarted")).all()) == 2


@in_loop
async def test_a_switch_that_is_not_there_is_said_and_found_when_it_comes(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        port = ami.port
        await ami.stop()
        async with house(ami, database, tmp_path) as here:
            assert not here.intake.health()[0]
            with database.read() as db:
                assert db.get_one(SwitchRow, "tel").detail
            await ami.start(port)
            await here.is_told(SwitchChanged, connected=True)
            with database.read() as db:
                row = db.get_one(SwitchRow, "tel")
                assert (row.connected, row.detail) == (True, "")
                assert row.booted_at is not None
