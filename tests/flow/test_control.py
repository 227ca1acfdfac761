"""What is wished for a call is asked of the switch once, soon, or not at all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from callcenter.database import Database, now
from callcenter.errors import BadInput, NotFound
from callcenter.events import AgentRung, LegStarted
from callcenter.jobs import Job
from config.people import User
from config.queues import Queue
from config.settings import Switch
from cti import control
from cti.ami import Door
from cti.control import Control
from cti.projection import record
from tests.fake_ami import error, fake_ami, ok
from tests.loop import in_loop, until

CALL = "tel-1795310468.1"


@pytest.fixture
def call(database: Database) -> str:
    """13800138000 is rung through to 王小明 (1001)."""
    at = now()
    about: dict[str, Any] = {"switch": "tel", "call_id": CALL}
    caller = LegStarted(
        at=at, leg_id=CALL, channel="PJSIP/trunk-00000001", context="from-trunk", did="4008",
        caller_number="13800138000", caller_name="", trunk=True, **about,
    )  # fmt: skip
    phone = LegStarted(
        at=at, leg_id="tel-1795310468.2", channel="PJSIP/1001-00000002", context="tel", did="s",
        caller_number="1001", caller_name="", agent="1001", **about,
    )  # fmt: skip
    rung = AgentRung(at=at, leg_id="tel-1795310468.2", caller_leg_id=CALL, queue="repair", agent="1001", **about)
    with database.write() as db:
        db.add(Queue(name="repair", title_zh="报修", title_en="repair"))
        person = {"password_hash": "-", "role": "agent", "created_at": at}
        db.add(User(login="wang", name="王小明", extension="1001", **person))
        db.add(User(login="gone", name="离职", extension="1009", active=False, **person))
        record(db, [caller, phone, rung], "ami")
    return CALL


@asynccontextmanager
async def controlled(database: Database):
    async with fake_ami() as ami:
        ami.answers["Hangup"] = ami.answers["Redirect"] = lambda _: ok()
        door = Door(Switch(ami_port=ami.port), ami.secret)
        await door.connect()
        ours = Control(database, door)
        await ours.start()
        try:
            yield ami
        finally:
            await ours.stop()
            await door.close()


def state_of(database: Database, job: Job) -> tuple[str, str]:
    with database.read() as db:
        found = db.get(Job, job.id)
        assert found is not None
        return found.state, found.error


@in_loop
async def test_every_leg_is_hung_up_and_one_that_went_by_itself_is_no_fault(database, call):
    async with controlled(database) as ami:
        ami.answers["Hangup"] = lambda action: ok() if "trunk" in action["Channel"] else error("No such channel")
        with database.write() as db:
            job = control.wish_hang_up(db, call, "supervisor", now())
        await until(lambda: state_of(database, job) == ("done", ""))
        told = [action["Channel"] for action in ami.actions("Hangup")]
        assert sorted(told) == ["PJSIP/1001-00000002", "PJSIP/trunk-00000001"]


@in_loop
async def test_the_customer_is_sent_on_not_the_agent(database, call):
    async with controlled(database) as ami:
        with database.write() as db:
            job = control.wish_send_on(db, call, "repair", "wang", now())
        await until(lambda: state_of(database, job)[0] == "done")
        (told,) = ami.actions("Redirect")
        assert (told["Channel"], told["Context"], told["Exten"]) == ("PJSIP/trunk-00000001", "tel", "repair")


@in_loop
async def test_what_the_switch_refuses_is_said_and_not_tried_again(database, call):
    async with controlled(database) as ami:
        ami.answers["Redirect"] = lambda _: error("Channel does not exist")
        with database.write() as db:
            job = control.wish_send_on(db, call, "1001", "wang", now())
        await until(lambda: state_of(database, job)[0] == "failed")
        assert "Channel does not exist" in state_of(database, job)[1]
        assert len(ami.actions("Redirect")) == 1


@in_loop
async def test_a_wish_of_a_while_ago_is_void(database, call):
    async with controlled(database) as ami:
        with database.write() as db:
            job = control.wish_hang_up(db, call, "supervisor", now() - timedelta(seconds=6))
        await until(lambda: state_of(database, job)[0] == "void")
        assert not ami.actions("Hangup")


def test_a_call_that_is_over_and_a_place_there_is_not_are_refused(database, call):
    with database.write() as db:
        with pytest.raises(NotFound):
            control.wish_hang_up(db, "tel-1.1", "supervisor", now())
        with pytest.raises(NotFound):
            control.wish_send_on(db, "tel-1.1", "repair", "wang", now())
        for nowhere in ("1009", "no-queue", "4008\r\nAction: Command", "out"):
            with pytest.raises(BadInput):
                control.wish_send_on(db, call, nowhere, "wang", now())
