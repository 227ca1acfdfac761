"""Real calls on a real switch, every ending of theirs, as the rows they leave."""

from __future__ import annotations

import asyncio
import socket
import threading
import wave
from collections.abc import Callable, Coroutine, Iterator
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

import cti.projection
from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.events import Event, Fact
from callcenter.facts import StatusChosen, WrapUpFinished
from callcenter.nudges import SwitchChanged
from config import queues
from config.switch import sip_password
from cti.intake import Intake
from cti.projection import rebuild
from cti.rows import Agent, Call, Leg, Offer, Segment, Spell
from tests.agi_peer import AgiPeer
from tests.dumps import dump
from tests.switch.conftest import Switch, fill
from tests.waiting import wait_until
from ticketing import customers

T = TypeVar("T")


class Cti:
    """Our side at the real switch, in a loop of its own; rows are looked at from here."""

    def __init__(self, switch: Switch, database: Database) -> None:
        self.switch = switch
        self.database = database
        self.told: list[Event] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    def start(self) -> None:
        bus, before = LocalBus(), len(self.told)
        bus.listen(self.told.append)
        self.intake = Intake(self.switch.settings, self.database, bus)
        self.run(self.intake.start())
        wait_until(lambda: self.intake.health()[0], what="connected")
        wait_until(lambda: any(isinstance(event, SwitchChanged) for event in self.told[before:]), what="looked at")

    def stop(self) -> None:
        self.run(self.intake.stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(30)

    def record(self, *facts: Fact) -> None:
        with self.database.write() as db:
            events = cti.projection.record(db, facts, "desk")
        for event in events:
            self.intake._bus.publish(event)

    def serves(self, extension: str, queue: str = "inquiry") -> None:
        """The agent serves the queue, is available, and the switch knows it."""
        with self.database.write() as db:
            queues.set_member(db, queue, extension)
        self.record(StatusChosen(at=now(), agent=extension, status="available", by=f"agent{extension}"))
        self.intake.policy.repair()
        member = f"PJSIP/{extension}"

        def there() -> bool:
            items = self.run(self.intake.door.ask_list("QueueStatus", Queue=queue))
            return any(item.get("Location") == member and item["Paused"] == "0" for item in items)

        wait_until(there, 15, f"{member} is in {queue}")

    # --- looking --------------------------------------------------------------------------------------------------

    def call(self, holds: Callable[[Call], object] = lambda call: call.state == "ended", nth: int = 0) -> Call:
        """The nth call, once this holds of it."""

        def found() -> Call | None:
            with self.database.read() as db:
                calls = db.scalars(select(Call).order_by(Call.started_at)).all()
                return calls[nth] if len(calls) > nth and holds(calls[nth]) else None

        call = wait_until(found, 40, "the call is as awaited")
        assert call is not None
        return call

    def segments(self, call: Call) -> list[tuple[str, str | None, str | None, str]]:
        with self.database.read() as db:
            rows = db.scalars(select(Segment).where(Segment.call_id == call.call_id).order_by(Segment.no)).all()
        assert rows[0].started_at == call.started_at
        assert all(earlier.ended_at == later.started_at for earlier, later in pairwise(rows))
        return [(row.kind, row.queue, row.agent, row.outcome) for row in rows]

    def offers(self, call: Call) -> list[tuple[str, str]]:
        with self.database.read() as db:
            rows = db.scalars(select(Offer).where(Offer.call_id == call.call_id).order_by(Offer.rung_at))
            return [(row.agent, row.outcome) for row in rows]

    def agent(self, extension: str) -> Agent:
        with self.database.read() as db:
            return db.get_one(Agent, extension)

    def spells(self, extension: str) -> list[str]:
        with self.database.read() as db:
            rows = db.scalars(select(Spell).where(Spell.extension == extension).order_by(Spell.started_at)).all()
        assert all(earlier.ended_at == later.started_at for earlier, later in pairwise(rows))
        return [row.state for row in rows]


@pytest.fixture
def cti_(switch: Switch, database: Database) -> Iterator[Cti]:
    """Our side, with a database of its own that is rebuilt identically at the end."""
    fill(database)
    here = Cti(switch, database)
    try:
        yield here
        wait_until(lambda: not switch.channels(), 30, "every channel is gone")
        leave_queues(here)
    finally:
        here.close()
    with database.read() as db:
        assert not db.scalars(select(Call).where(Call.ended_at.is_(None))).all()
        assert not db.scalars(select(Leg).where(Leg.ended_at.is_(None))).all()
        assert all(agent.legs == {} for agent in db.scalars(select(Agent)))
    rows = dump(database)
    rebuild(database)
    assert dump(database) == rows


def leave_queues(here: Cti) -> None:
    """Nobody serves any queue: the next test finds the switch as this one did."""
    for queue in ("repair", "inquiry", "after-sales"):
        with here.database.write() as db:
            for member, _user in queues.members(db, queue):
                queues.remove_member(db, queue, member.extension)
    here.intake.policy.repair()

    def nobody() -> bool:
        return not any(m["Event"] == "QueueMember" for m in here.run(here.intake.door.ask_list("QueueStatus")))

    wait_until(nobody, 15, "the queues are empty again")


def test_a_call_that_is_answered_and_ended_by_the_caller(switch, cti_, people):
    people.enter_context(switch.desk("1001", answer_ms=700))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=4, name="李雷 =cmd|' /C calc'!A0 <b>"))
    talking = cti_.call(lambda call: call.state == "talking")
    assert cti_.agent("1001").call_id == talking.call_id
    call = cti_.call()
    assert (call.outcome, call.agent, call.queue, call.direction, call.did) == (
        "answered",
        "1001",
        "inquiry",
        "in",
        "4008",
    )
    assert call.caller_number == "+8613800138000"
    assert call.caller_name.startswith("李雷")
    assert call.recording == call.call_id
    segments = cti_.segments(call)
    assert segments == [
        ("arrival", None, None, ""),
        ("queue", "inquiry", None, "answered"),
        ("talk", "inquiry", "1001", ""),
    ]
    assert cti_.offers(call) == [("1001", "answered")]
    assert 600 < call.wait_ms < 3000
    assert 1000 < call.talk_ms < 4000
    wait_until(lambda: cti_.agent("1001").state == "wrap_up")
    cti_.record(WrapUpFinished(at=now(), agent="1001", by="agent1001"))
    assert cti_.spells("1001")[-4:] == ["ringing", "talking", "wrap_up", "idle"]


def test_a_call_that_the_agent_ends(switch, cti_, people):
    people.enter_context(switch.desk("1001", talk_ms=1000))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=30))
    call = cti_.call()
    assert (call.outcome, [s[0] for s in cti_.segments(call)]) == ("answered", ["arrival", "queue", "talk"])
    assert 800 < call.talk_ms < 2500


def test_a_caller_who_hangs_up_in_the_queue(switch, cti_, people):
    people.enter_context(switch.caller(hold_s=2))
    call = cti_.call()
    assert (call.outcome, call.agent) == ("abandoned_queue", None)
    assert cti_.segments(call) == [("arrival", None, None, ""), ("queue", "inquiry", None, "abandoned")]


def test_a_caller_who_hangs_up_in_the_menu(switch, cti_, people):
    with socket.create_server(("127.0.0.1", switch.settings.ivr.port)):  # takes the connection, never speaks
        people.enter_context(switch.caller(hold_s=1)).wait_over()
        call = cti_.call()
    assert (call.outcome, call.joined_at) == ("abandoned_menu", None)


def test_what_the_ivr_says_is_on_the_call(switch, cti_, people):
    step = 'EXEC UserEvent "IvrStep,Flow: main,Step: engine,Heard: 王小明"'
    done = 'EXEC UserEvent "IvrDone,Flow: main,Queue: repair,Kind: repair,Serial: W0612345"'
    with AgiPeer(switch.settings.ivr.port, step, done, 'SET VARIABLE IVR_QUEUE "repair"'):
        people.enter_context(switch.caller(hold_s=2)).wait_over()
        call = cti_.call()
    assert (call.wished_kind, call.wished_serial, call.queue) == ("repair", "W0612345", "repair")
    assert [(said["step"], said["heard"]) for said in call.menu] == [("engine", "王小明")]
    assert [s[0] for s in cti_.segments(call)] == ["arrival", "menu", "queue"]


def test_a_caller_who_hangs_up_while_it_rings(switch, cti_, people):
    people.enter_context(switch.desk("1001", answer_ms=None))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=3))
    cti_.call(lambda call: call.state == "ringing" and call.agent == "1001")
    call = cti_.call()
    assert (call.outcome, cti_.offers(call)) == ("abandoned_ringing", [("1001", "cancelled")])
    wait_until(lambda: cti_.agent("1001").state == "idle")
    assert cti_.agent("1001").status == "available"  # he missed nothing


def test_an_agent_who_does_not_answer_is_put_on_a_break_and_the_next_one_takes_it(switch, cti_, people):
    people.enter_context(switch.desk("1001", answer_ms=None))
    people.enter_context(switch.desk("1002", answer_ms=200))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=14))
    cti_.call(lambda call: call.state == "ringing")
    cti_.serves("1002")
    call = cti_.call()
    assert (call.outcome, call.agent) == ("answered", "1002")
    assert cti_.offers(call) == [("1001", "missed"), ("1002", "answered")]
    first = cti_.agent("1001")
    assert (first.status, first.status_reason, first.state) == ("on_break", "missed", "idle")


def test_an_agent_who_refuses_has_missed(switch, cti_, people):
    people.enter_context(switch.desk("1001", refuse_with=486))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=3))
    call = cti_.call()
    assert cti_.offers(call)[0] == ("1001", "missed")
    assert call.outcome == "abandoned_queue"


def test_a_caller_whose_time_in_the_queue_is_over(switch, cti_, people):
    people.enter_context(switch.desk("1001", answer_ms=None))
    cti_.serves("1001", "after-sales")
    with AgiPeer(switch.settings.ivr.port, 'SET VARIABLE IVR_QUEUE "after-sales"'):  # three seconds at most
        people.enter_context(switch.caller(hold_s=60))
        call = cti_.call()
    assert call.outcome == "queue_timeout"
    assert cti_.offers(call) == [("1001", "cancelled")]  # the switch told it as a miss
    assert cti_.agent("1001").status == "available"
    assert cti_.segments(call)[1:] == [("queue", "after-sales", None, "timeout"), ("arrival", None, None, "")]
    assert call.wait_ms == pytest.approx(3_000, abs=1500)


def test_callers_who_would_rather_be_called_back_leave_by_key(switch, cti_, people):
    spoken = switch.home / "sounds/zh/cc/call-back-number.wav"
    spoken.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(spoken), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    people.enter_context(switch.caller(number="13800138000", keys="*"))
    knows = cti_.call()
    people.enter_context(switch.caller(number="anonymous", name="", keys="*13900139000#"))
    unknown = cti_.call(nth=1)
    assert [(call.outcome, call.call_back) for call in (knows, unknown)] == [
        ("call_back", "+8613800138000"),
        ("call_back", "+8613900139000"),
    ]
    for call in (knows, unknown):
        assert cti_.segments(call)[-2:] == [("queue", "inquiry", None, "key"), ("arrival", None, None, "")]


def test_a_customer_who_is_sent_on_to_a_colleague(switch, cti_, people):
    people.enter_context(switch.desk("1001"))
    people.enter_context(switch.desk("1002", talk_ms=1500))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=30))
    talk = cti_.call(lambda call: call.state == "talking")
    leg = next(iter(cti_.agent("1001").legs))
    with cti_.database.read() as db:
        channel = db.get_one(Leg, leg).channel
    cti_.run(cti_.intake.door.ask("BlindTransfer", Channel=channel, Context="tel", Exten="1002"))
    cti_.call(lambda call: call.state == "talking" and call.agent == "1002")
    assert cti_.agent("1001").state == "wrap_up"
    call = cti_.call()
    assert (call.call_id, call.outcome, call.agent, call.transfers) == (talk.call_id, "answered", "1002", 1)
    assert cti_.segments(call)[2:] == [
        ("talk", "inquiry", "1001", ""),
        ("arrival", None, None, ""),
        ("talk", None, "1002", ""),
    ]


def test_two_talks_that_are_joined_become_one_call(switch, cti_, people):
    """As after an attended transfer: the customer, and the colleague his agent had asked, are in one bridge."""
    people.enter_context(switch.desk("1001"))
    people.enter_context(switch.desk("1002"))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=30))
    customer = cti_.call(lambda call: call.state == "talking")
    asks = {"number": "1001", "password": sip_password(switch.settings, "1001"), "host": "127.0.0.3"}
    people.enter_context(switch.caller("1002", hold_s=20, **asks))
    consult = cti_.call(lambda call: call.state == "talking", nth=1)
    assert (consult.direction, consult.agent) == ("internal", "1002")
    with cti_.database.read() as db:
        trunk = db.get_one(Leg, customer.call_id).channel
        colleague = db.scalars(select(Leg).where(Leg.call_id == consult.call_id, Leg.agent == "1002")).one().channel
    cti_.run(cti_.intake.door.ask("Bridge", Channel1=trunk, Channel2=colleague, Tone="no"))
    cti_.call(lambda call: call.state == "talking" and call.agent == "1002")
    wait_until(lambda: cti_.agent("1001").state == "wrap_up", what="both legs of the first agent are gone")
    assert cti_.agent("1002").call_id == customer.call_id
    cti_.call(nth=1)
    cti_.run(cti_.intake.door.ask("Hangup", Channel=trunk, Cause=16))
    call = cti_.call()
    assert (call.outcome, call.agent) == ("answered", "1002")
    assert [s[:3] for s in cti_.segments(call)][2:] == [("talk", "inquiry", "1001"), ("talk", None, "1002")]


def may_be_called_at_any_hour(database: Database) -> None:
    """13900139000 is a station."""
    with database.write() as db:
        customers.create(db, "station", "郑州特约维修站", now(), phones=["13900139000"])


def test_an_agent_who_calls_out(switch, cti_, people):
    may_be_called_at_any_hour(cti_.database)
    people.enter_context(switch.far_end(answer_ms=500))
    caller = {"number": "1001", "password": sip_password(switch.settings, "1001"), "host": "127.0.0.3", "hold_s": 2.0}
    people.enter_context(switch.caller("13900139000", **caller))
    call = cti_.call()
    assert (call.direction, call.outcome, call.agent) == ("out", "answered", "1001")
    assert (call.caller_number, call.did) == ("1001", "13900139000")
    assert cti_.spells("1001")[-2:] == ["talking", "idle"]


def test_a_call_out_that_is_refused(switch, cti_, people):
    may_be_called_at_any_hour(cti_.database)
    people.enter_context(switch.far_end(refuse_with=486))
    caller = {"number": "1001", "password": sip_password(switch.settings, "1001"), "host": "127.0.0.3"}
    people.enter_context(switch.caller("13900139000", **caller))
    call = cti_.call()
    assert (call.direction, call.outcome, call.answered_at) == ("out", "other", None)


def test_while_we_are_away_a_call_begins_is_answered_and_goes_on(switch, cti_, people):
    people.enter_context(switch.desk("1001"))
    cti_.serves("1001")
    cti_.stop()
    people.enter_context(switch.caller(hold_s=10))
    wait_until(
        lambda: len(switch.channels()) == 2 and "1 active call" in switch.process.cli("core show channels count")
    )
    wait_until(lambda: "simple_bridge" in switch.process.cli("bridge show all"), what="they talk")
    cti_.start()
    call = cti_.call(lambda call: call.state == "talking")
    assert (call.agent, call.caller_number) == ("1001", "+8613800138000")
    assert cti_.agent("1001").state == "talking"
    assert cti_.call().outcome == "answered"
    wait_until(lambda: cti_.agent("1001").state == "wrap_up")


def test_while_we_are_away_a_call_ends(switch, cti_, people):
    people.enter_context(switch.desk("1001"))
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=4))
    cti_.call(lambda call: call.state == "talking")
    cti_.stop()
    wait_until(lambda: not switch.channels(), 20)
    cti_.start()
    assert cti_.call().outcome == "answered"
    assert (cti_.agent("1001").state, cti_.agent("1001").legs) == ("wrap_up", {})
