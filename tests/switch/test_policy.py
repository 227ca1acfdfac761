"""Who is rung, and what may be done to a call, on a real switch with the whole of cti beside it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.events import Event
from callcenter.facts import AgentMissed, StatusChosen
from callcenter.jobs import Job
from config.people import QueueMember, User
from config.queues import Queue
from cti import wishes
from cti.intake import Intake
from cti.projection import record
from cti.rows import Agent, Call, Offer
from tests.loop import in_loop, until
from tests.switch.conftest import Switch


class House:
    """1001 is asked first and 1002 next for the callers of the number's own queue."""

    def __init__(self, database: Database, intake: Intake, bus: LocalBus) -> None:
        self.database = database
        self.intake = intake
        self.bus = bus
        self.told: list[Event] = []
        bus.listen(self.told.append)

    def chooses(self, agent: str, status: str) -> None:
        with self.database.write() as db:
            events = record(db, [StatusChosen(agent=agent, status=status, by=agent, at=now())], "desk")
        for event in events:
            self.bus.publish(event)

    def agent(self, extension: str) -> Agent | None:
        with self.database.read() as db:
            return db.get(Agent, extension)

    def is_(self, extension: str, *, status: str, state: str) -> bool:
        agent = self.agent(extension)
        return agent is not None and (agent.status, agent.state) == (status, state)

    def call(self) -> Call | None:
        """The call that goes on."""
        with self.database.read() as db:
            return db.scalar(select(Call).where(Call.ended_at.is_(None)))

    def call_is(self, state: str, agent: str | None = None) -> bool:
        call = self.call()
        return call is not None and call.state == state and agent in (None, call.agent)

    def places(self, switch: Switch) -> str:
        return switch.process.cli("queue show inquiry")


@asynccontextmanager
async def house(switch: Switch):
    with switch.database.write() as db:
        db.add_all(QueueMember(queue="inquiry", extension=f"100{n}", penalty=n) for n in (1, 2))
        queue = db.get(Queue, "inquiry")
        assert queue is not None
        queue.wrap_up_s = 1
    bus = LocalBus()
    intake = Intake(switch.settings, switch.database, bus)
    await intake.start()
    here = House(switch.database, intake, bus)
    try:
        yield here
    finally:
        for agent in ("1001", "1002"):
            here.chooses(agent, "offline")
        await until(lambda: "No Members" in here.places(switch))
        await intake.stop()
        with switch.database.write() as db:
            db.execute(delete(QueueMember))


@in_loop
async def test_who_does_not_answer_is_rung_no_more_and_who_answers_has_his_wrap_up(switch, people):
    people.enter_context(switch.desk("1001", answer_ms=None))
    people.enter_context(switch.desk("1002"))
    async with house(switch) as here:
        here.chooses("1001", "available")
        here.chooses("1002", "available")
        await until(lambda: "1002" in here.places(switch) and "1001" in here.places(switch))
        caller = people.enter_context(switch.caller(hold_s=9))
        await until(lambda: here.call_is("ringing", "1001"))
        await until(lambda: here.is_("1001", status="on_break", state="idle"), 15)
        await until(lambda: here.call_is("talking", "1002"))
        await until(lambda: here.places(switch).count("paused:") == 2)
        assert "paused:missed" in here.places(switch)
        assert "paused:wrap-up" in here.places(switch)
        await until(lambda: caller.process.poll() is not None, 20)
        await until(lambda: here.is_("1002", status="available", state="idle"))
        await until(lambda: here.places(switch).count("paused:") == 1)
        missed = [event for event in here.told if isinstance(event, AgentMissed)]
        assert [(event.agent, event.ring_ms) for event in missed] == [("1001", 5000)]
        with switch.database.read() as db:
            offers = db.execute(select(Offer.agent, Offer.outcome).where(Offer.call_id == missed[0].call_id)).all()
        assert sorted(map(tuple, offers)) == [("1001", "missed"), ("1002", "answered")]


@in_loop
async def test_a_call_is_sent_on_to_a_colleague_and_hung_up_when_it_is_wished(switch, people):
    people.enter_context(switch.desk("1001"))
    people.enter_context(switch.desk("1003"))
    async with house(switch) as here:
        here.chooses("1001", "available")
        await until(lambda: "1001" in here.places(switch))
        people.enter_context(switch.caller(hold_s=40))
        await until(lambda: here.call_is("talking", "1001"))
        call = here.call()
        assert call is not None
        with switch.database.write() as db:
            late = wishes.hang_up(db, call.call_id, agent(db, "1001"), now() - timedelta(minutes=1))
            sent = wishes.send_on(db, switch.settings, call.call_id, "1003", agent(db, "1001"), now(), {})
        await until(lambda: state_of(switch, sent) == "done")
        await until(lambda: here.call_is("talking", "1003"))
        assert state_of(switch, late) == "void"
        await until(lambda: here.is_("1001", status="available", state="idle"))
        with switch.database.write() as db:
            over = wishes.hang_up(db, call.call_id, agent(db, "1001"), now())
        await until(lambda: here.call() is None)
        await until(lambda: state_of(switch, over) == "done")
        assert switch.channels() == []


def agent(db: Session, extension: str) -> User:
    return db.scalars(select(User).where(User.extension == extension)).one()


def state_of(switch: Switch, job: Job) -> str:
    with switch.database.read() as db:
        found = db.get(Job, job.id)
        return found.state if found is not None else ""
