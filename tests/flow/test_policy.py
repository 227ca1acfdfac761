"""Policy between our rows and a switch: who is paused, who is taken out, and when a wrap-up is over."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select

from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.events import Event, Fact
from callcenter.facts import (
    AgentAnswered,
    AgentMissed,
    AgentRung,
    LegEnded,
    LegStarted,
    MemberChanged,
    PhoneSeen,
    QueueAbandoned,
    StatusChosen,
    WrapUpFinished,
)
from callcenter.nudges import SwitchChanged
from config.people import QueueMember, User
from config.queues import Queue
from config.settings import Settings, Switch
from cti import policy as policy_
from cti.ami import Door
from cti.policy import Policy
from cti.projection import record
from cti.rows import Agent, Membership, Offer
from tests.fake_ami import Action, FakeAmi, error, event, fake_ami, listed, ok
from tests.loop import in_loop, until


class Members:
    """The queues of a switch, as far as membership goes."""

    def __init__(self, ami: FakeAmi) -> None:
        self.places: dict[tuple[str, str], dict[str, str]] = {}
        self.looks = 0
        for name in ("Add", "Remove", "Pause", "Penalty", "Status"):
            ami.answers[f"Queue{name}"] = getattr(self, name.lower())

    def add(self, action: Action) -> str:
        if action["Queue"] not in ("repair", "inquiry"):
            return error("Unable to add interface to queue: No such queue")
        held = {"Penalty": action["Penalty"], "Paused": str(int(action["Paused"] == "true")), "PausedReason": ""}
        self.places[action["Queue"], action["Interface"]] = held
        return ok("Message: Added interface to queue")

    def remove(self, action: Action) -> str:
        found = self.places.pop((action["Queue"], action["Interface"]), None)
        return ok() if found is not None else error("Unable to remove interface: Not there")

    def pause(self, action: Action) -> str:
        held = self.places[action["Queue"], action["Interface"]]
        held.update(Paused=str(int(action["Paused"] == "true")), PausedReason=action.get("Reason", ""))
        return ok("Message: Interface paused successfully")

    def penalty(self, action: Action) -> str:
        self.places[action["Queue"], action["Interface"]]["Penalty"] = action["Penalty"]
        return ok()

    def status(self, _: Action) -> str:
        self.looks += 1
        members = [
            event("QueueMember", Queue=queue, Location=interface, Membership="dynamic", **held)
            for (queue, interface), held in self.places.items()
        ]
        return listed(members, "QueueStatusComplete")

    def of(self, agent: str) -> dict[str, str]:
        """The agent's queues, and there the reason of his pause."""
        return {
            queue: held["PausedReason"] if held["Paused"] == "1" else ""
            for (queue, interface), held in self.places.items()
            if interface == f"PJSIP/{agent}"
        }


class Centre:
    """王小明 (1001) serves repair and inquiry, 李静 (1002) repair."""

    def __init__(self, database: Database, ami: FakeAmi) -> None:
        self.bus = LocalBus()
        self.told: list[Event] = []
        self.bus.listen(self.told.append)
        self.members = Members(ami)
        self.settings = Settings(switch=Switch(ami_port=ami.port))
        self.door = Door(self.settings.switch, ami.secret)
        self.database = database
        self.policy = Policy(self.settings, database, self.bus, self.door)
        with database.write() as db:
            for queue, title in (("repair", "报修"), ("inquiry", "咨询")):
                db.add(Queue(name=queue, title_zh=title, title_en=queue, wrap_up_s=60))
            for agent, name, queues in (("1001", "王小明", ("repair", "inquiry")), ("1002", "李静", ("repair",))):
                login = f"agent{agent}"
                db.add(User(login=login, name=name, password_hash="-", role="agent", extension=agent, created_at=now()))
                db.flush()
                db.add_all(QueueMember(queue=queue, extension=agent) for queue in queues)

    def happens(self, *facts: Fact) -> None:
        with self.database.write() as db:
            events = record(db, facts, "ami")
        for told in events:
            self.bus.publish(told)

    def comes(self, agent: str) -> None:
        self.happens(
            PhoneSeen(agent=agent, reachable=True, at=now()),
            StatusChosen(agent=agent, status="available", by=agent, at=now()),
        )

    def call_of(self, agent: str, *, answered: bool) -> LegEnded:
        """A call rings this agent, who answers it now; the end of his leg is given back, to happen later."""
        call, leg, at = "tel-1795310468.1", "tel-1795310468.2", now()
        about = {"switch": "tel", "call_id": call, "leg_id": leg, "queue": "repair", "agent": agent}
        self.happens(
            LegStarted(
                at=at, call_id=call, leg_id=call, switch="tel", channel="PJSIP/trunk-00000001", trunk=True,
                context="from-trunk", did="4008", caller_number="13800138000", caller_name="",
            ),
            AgentRung(at=at + timedelta(microseconds=1), caller_leg_id=call, **about),
        )  # fmt: skip
        if answered:
            self.happens(AgentAnswered(at=at + timedelta(microseconds=2), wait_s=1, ring_s=1, **about))
        return LegEnded(at=now(), switch="tel", call_id=call, leg_id=leg, cause=16)

    def agent(self, extension: str) -> Agent:
        with self.database.read() as db:
            found = db.get(Agent, extension)
        assert found is not None
        return found


@asynccontextmanager
async def centre(database: Database):
    async with fake_ami() as ami:
        centre = Centre(database, ami)
        await centre.door.connect()
        await centre.policy.start()
        try:
            yield centre
        finally:
            await centre.policy.stop()
            await centre.door.close()


@in_loop
async def test_whoever_comes_serves_his_queues_and_whoever_leaves_is_rung_no_more(database):
    async with centre(database) as here:
        here.comes("1001")
        await until(lambda: here.members.of("1001") == {"repair": "", "inquiry": ""})
        assert here.members.of("1002") == {}
        here.happens(StatusChosen(agent="1001", status="on_break", reason="午休", by="1001", at=now()))
        await until(lambda: here.members.of("1001") == {"repair": "午休", "inquiry": "午休"})
        here.happens(StatusChosen(agent="1001", status="offline", by="1001", at=now()))
        await until(lambda: here.members.of("1001") == {})


@in_loop
async def test_an_agent_whose_phone_is_gone_is_taken_out_and_comes_back_with_it(database):
    async with centre(database) as here:
        here.comes("1001")
        await until(lambda: here.members.of("1001"))
        here.happens(PhoneSeen(agent="1001", reachable=False, at=now()))
        await until(lambda: not here.members.of("1001"))
        here.happens(PhoneSeen(agent="1001", reachable=True, at=now()))
        await until(lambda: here.members.of("1001"))


@in_loop
async def test_who_talks_is_paused_for_wrap_up_and_free_when_its_time_is_over(database):
    async with centre(database) as here:
        with database.write() as db:
            queue = db.get(Queue, "repair")
            assert queue is not None
            queue.wrap_up_s = 1
        here.comes("1001")
        ends = here.call_of("1001", answered=True)
        await until(lambda: here.members.of("1001") == {"repair": "wrap-up", "inquiry": "wrap-up"})
        here.happens(ends)
        assert here.agent("1001").state == "wrap_up"
        await until(lambda: here.members.of("1001") == {"repair": "", "inquiry": ""})
        assert here.agent("1001").state == "idle"
        (over,) = [told for told in here.told if isinstance(told, WrapUpFinished)]
        assert over.by == "clock"
        assert timedelta(seconds=1) <= over.at - ends.at < timedelta(seconds=3)


@in_loop
async def test_a_wrap_up_the_agent_ends_himself_is_over_at_once(database):
    async with centre(database) as here:
        here.comes("1001")
        here.happens(here.call_of("1001", answered=True))
        await until(lambda: here.members.of("1001") == {"repair": "wrap-up", "inquiry": "wrap-up"})
        here.happens(WrapUpFinished(agent="1001", by="agent1001", at=now()))
        await until(lambda: here.members.of("1001") == {"repair": "", "inquiry": ""})


@in_loop
async def test_who_serves_a_queue_from_now_on_is_kept_for_later(database):
    async with centre(database) as here:
        told: list[tuple[str, str, bool, int]] = []

        def changes() -> list[tuple[str, str, bool, int]]:
            told[:] = [(e.agent, e.queue, e.member, e.penalty) for e in here.told if isinstance(e, MemberChanged)]
            return told

        await until(lambda: len(changes()) == 3)
        assert sorted(told) == [("1001", "inquiry", True, 0), ("1001", "repair", True, 0), ("1002", "repair", True, 0)]
        with database.write() as db:
            member = db.scalars(select(QueueMember).where(QueueMember.extension == "1002")).one()
            member.penalty = 3
        here.policy.repair()
        await until(lambda: len(changes()) == 4)
        assert told[3] == ("1002", "repair", True, 3)
        with database.read() as db:
            rows = db.scalars(select(Membership).where(Membership.extension == "1002").order_by(Membership.started_at))
            assert [(row.penalty, row.ended_at is None) for row in rows] == [(0, False), (3, True)]


@in_loop
async def test_who_lets_a_call_ring_is_put_on_a_break_and_told_so(database):
    async with centre(database) as here:
        here.comes("1001")
        here.call_of("1001", answered=False)
        about = {"switch": "tel", "call_id": "tel-1795310468.1", "leg_id": "tel-1795310468.2", "queue": "repair"}
        missed = AgentMissed(at=now(), agent="1001", ring_ms=15000, **about)
        here.happens(missed)
        await until(lambda: here.members.of("1001") == {"repair": "missed", "inquiry": "missed"})
        agent = here.agent("1001")
        assert (agent.status, agent.status_reason) == ("on_break", "missed")
        (chosen,) = [told for told in here.told if isinstance(told, StatusChosen) and told.by == "policy"]
        assert chosen.reason == "missed"
        here.bus.publish(missed)  # told twice: the agent, back meanwhile, stays
        here.happens(StatusChosen(agent="1001", status="available", by="1001", at=now()))
        await until(lambda: here.members.of("1001") == {"repair": "", "inquiry": ""})


@in_loop
async def test_whose_ringing_was_cut_short_by_the_end_of_the_callers_time_stays_available(database):
    async with centre(database) as here:
        here.comes("1001")
        here.call_of("1001", answered=False)
        about = {"switch": "tel", "call_id": "tel-1795310468.1", "queue": "repair"}
        told_at = now()
        here.happens(AgentMissed(at=told_at, agent="1001", leg_id="tel-1795310468.2", ring_ms=3000, **about))
        left_at = told_at + timedelta(milliseconds=1)  # the switch tells the miss first
        here.happens(QueueAbandoned(at=left_at, leg_id="tel-1795310468.1", position=1, wait_s=60, **about))
        here.comes("1002")
        await until(lambda: here.policy._missed == [] and here.members.of("1002"))
        assert here.agent("1001").status == "available"
        with database.read() as db:
            assert db.get_one(Offer, "tel-1795310468.2").outcome == "cancelled"


@in_loop
async def test_who_loads_his_page_again_while_it_rings_is_back_with_his_phone_and_on_no_break(database):
    async with centre(database) as here:
        here.comes("1001")
        here.call_of("1001", answered=False)
        leg = {"switch": "tel", "call_id": "tel-1795310468.1", "leg_id": "tel-1795310468.2"}
        here.happens(AgentMissed(at=now(), agent="1001", ring_ms=3000, queue="repair", **leg))
        here.happens(LegEnded(at=now(), cause=27, **leg), PhoneSeen(agent="1001", reachable=False, at=now()))
        await until(lambda: not here.members.of("1001"))
        here.happens(PhoneSeen(agent="1001", reachable=True, at=now()))
        await until(lambda: here.policy._missed == [] and here.members.of("1001") == {"repair": "", "inquiry": ""})
        assert here.agent("1001").status == "available"
        with database.read() as db:
            miss = AgentMissed(at=now(), agent="1001", ring_ms=3000, queue="repair", **leg)
            assert policy_.after_misses(db, [miss]) == []
            (broken,) = policy_.after_misses(db, [miss], {"1001"})  # no page is there that could be loaded again
        assert isinstance(broken, StatusChosen)


@in_loop
async def test_who_refuses_a_call_is_put_on_a_break_as_one_who_lets_it_ring(database):
    async with centre(database) as here:
        here.comes("1001")
        here.call_of("1001", answered=False)
        about = {"switch": "tel", "call_id": "tel-1795310468.1", "leg_id": "tel-1795310468.2", "queue": "repair"}
        here.happens(AgentMissed(at=now(), agent="1001", ring_ms=1000, **about))
        await until(lambda: here.members.of("1001") == {"repair": "missed", "inquiry": "missed"})


@in_loop
async def test_who_went_home_while_it_rang_is_not_brought_back_by_the_miss(database):
    async with centre(database) as here:
        here.comes("1001")
        here.call_of("1001", answered=False)
        here.happens(StatusChosen(agent="1001", status="offline", by="1001", at=now()))
        about = {"switch": "tel", "call_id": "tel-1795310468.1", "leg_id": "tel-1795310468.2", "queue": "repair"}
        here.happens(AgentMissed(at=now(), agent="1001", ring_ms=15000, **about))
        here.comes("1002")
        await until(lambda: here.members.of("1002"))
        assert here.agent("1001").status == "offline"


@in_loop
async def test_what_somebody_does_at_the_console_is_put_right(database, monkeypatch):
    monkeypatch.setattr(policy_, "REPAIR_S", 0.2)
    async with centre(database) as here:
        here.comes("1001")
        here.happens(StatusChosen(agent="1001", status="on_break", reason="会议", by="1001", at=now()))
        await until(lambda: here.members.of("1001") == {"repair": "会议", "inquiry": "会议"})
        here.members.places["inquiry", "PJSIP/1001"]["Paused"] = "0"
        del here.members.places["repair", "PJSIP/1001"]
        here.members.places["repair", "PJSIP/1009"] = {"Penalty": "0", "Paused": "0", "PausedReason": ""}
        await until(lambda: here.members.of("1001") == {"repair": "会议", "inquiry": "会议"})
        await until(lambda: not here.members.of("1009"))


@in_loop
async def test_after_a_switch_came_back_empty_everybody_has_his_place_again(database):
    async with centre(database) as here:
        here.comes("1001")
        here.comes("1002")
        await until(lambda: here.members.of("1002") and here.members.of("1001"))
        here.members.places.clear()
        here.bus.publish(SwitchChanged(switch="tel", connected=True))
        await until(lambda: here.members.of("1002") and here.members.of("1001"))


@in_loop
async def test_a_queue_the_switch_does_not_know_is_said_once_and_hurts_no_other(database, caplog, monkeypatch):
    monkeypatch.setattr(policy_, "REPAIR_S", 0.1)
    async with centre(database) as here:
        with database.write() as db:
            db.add(Queue(name="brand-new", title_zh="新", title_en="new"))
            db.flush()
            db.add(QueueMember(queue="brand-new", extension="1001"))
        here.comes("1001")
        await until(lambda: here.members.of("1001") == {"repair": "", "inquiry": ""})
        await until(lambda: here.policy.refused)
        looks = here.members.looks
        await until(lambda: here.members.looks > looks + 2)
        assert caplog.text.count("No such queue") == 1


@pytest.mark.parametrize("how", ["from a thread", "from the loop"])
def test_nudges_may_come_from_any_thread(database, how):
    @in_loop
    async def story() -> None:
        async with centre(database) as here:
            if how == "from a thread":
                await asyncio.to_thread(here.comes, "1001")
            else:
                here.comes("1001")
            await until(lambda: here.members.of("1001"), 2)

    story()
