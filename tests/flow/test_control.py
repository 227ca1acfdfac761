"""What is wished for a call is asked of the switch once, soon, or not at all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.errors import NotFound
from callcenter.facts import (
    AgentRung,
    BridgeEntered,
    CallerKept,
    LegAnswered,
    LegEnded,
    LegStarted,
    PhoneSeen,
    PutAside,
)
from callcenter.jobs import Job
from config.people import User
from config.queues import Queue
from config.settings import Settings, Switch
from cti import handovers, wishes
from cti.ami import Door
from cti.control import Control
from cti.projection import record
from cti.rows import Call
from tests.fake_ami import error, fake_ami, ok
from tests.loop import in_loop, until

CALL = "tel-1795310468.1"
SETTINGS = Settings()


def user(db: Session, login: str) -> User:
    return db.scalars(select(User).where(User.login == login)).one()


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
        db.add(User(login="li", name="李静", extension="1002", **person))
        db.add(User(login="zhao", name="赵敏", extension=None, **(person | {"role": "supervisor"})))
        db.add(User(login="gone", name="离职", extension="1009", active=False, **person))
        record(db, [PhoneSeen(at=at, switch="tel", agent=agent, reachable=True) for agent in ("1001", "1002")], "ami")
        record(db, [caller, phone, rung], "ami")
    return CALL


@asynccontextmanager
async def controlled(database: Database):
    async with fake_ami() as ami:
        for action in ("Hangup", "Redirect", "Setvar", "BlindTransfer"):
            ami.answers[action] = lambda _: ok()
        door = Door(Switch(ami_port=ami.port), ami.secret)
        await door.connect()
        ours = Control(SETTINGS, database, door, LocalBus())
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
            job = wishes.hang_up(db, call, user(db, "zhao"), now())
        await until(lambda: state_of(database, job) == ("done", ""))
        told = [action["Channel"] for action in ami.actions("Hangup")]
        assert sorted(told) == ["PJSIP/1001-00000002", "PJSIP/trunk-00000001"]


@in_loop
async def test_the_customer_is_sent_on_not_the_agent(database, call):
    async with controlled(database) as ami:
        with database.write() as db:
            job = wishes.send_on(db, SETTINGS, call, "repair", user(db, "wang"), now(), {})
        await until(lambda: state_of(database, job)[0] == "done")
        (told,) = ami.actions("Redirect")
        assert (told["Channel"], told["Context"], told["Exten"]) == ("PJSIP/trunk-00000001", "tel", "repair")


@in_loop
async def test_what_the_switch_refuses_is_said_and_not_tried_again(database, call):
    async with controlled(database) as ami:
        ami.answers["Redirect"] = lambda _: error("Channel does not exist")
        with database.write() as db:
            job = wishes.send_on(db, SETTINGS, call, "1002", user(db, "wang"), now(), {})
        await until(lambda: state_of(database, job)[0] == "failed")
        assert "Channel does not exist" in state_of(database, job)[1]
        assert len(ami.actions("Redirect")) == 1


@in_loop
async def test_a_wish_of_a_while_ago_is_void(database, call):
    async with controlled(database) as ami:
        with database.write() as db:
            job = wishes.hang_up(db, call, user(db, "zhao"), now() - timedelta(seconds=6))
        await until(lambda: state_of(database, job)[0] == "void")
        assert not ami.actions("Hangup")


def talks(database: Database, *, asked: str = "") -> None:
    """王小明 has answered; with ``asked`` 李静 is on the line with him and the customer waits."""
    at = now()
    about: dict[str, Any] = {"switch": "tel", "call_id": CALL}
    mine, hers = "tel-1795310468.2", "tel-1795310468.3"
    facts: list[Any] = [LegAnswered(at=at, leg_id=mine, **about)]
    facts += [BridgeEntered(at=at, leg_id=leg, bridge_id="b1", **about) for leg in (mine, CALL)]
    if asked:
        facts.append(PutAside(at=at, leg_id=CALL, agent="1001", why="consult", **about))
        facts.append(
            LegStarted(at=at, leg_id=hers, channel="PJSIP/1002-00000003", context="consult", did="",
                       caller_number="1002", caller_name="", agent="1002", **about)
        )  # fmt: skip
        facts.append(LegAnswered(at=at, leg_id=hers, **about))
        facts += [BridgeEntered(at=at, leg_id=leg, bridge_id="b2", **about) for leg in (hers, mine)]
    with database.write() as db:
        record(db, facts, "ami")


@in_loop
async def test_the_switch_itself_is_told_of_a_transfer_where_two_talk(database, call):
    talks(database)
    async with controlled(database) as ami:
        with database.write() as db:
            job = wishes.send_on(db, SETTINGS, call, "1002", user(db, "wang"), now(), {"note": "急"})
        await until(lambda: state_of(database, job) == ("done", ""))
        (told,) = ami.actions("BlindTransfer")
        assert (told["Channel"], told["Context"], told["Exten"]) == ("PJSIP/1001-00000002", "tel", "1002")
        marks = {(mark["Channel"], mark["Variable"], mark["Value"]) for mark in ami.actions("Setvar")}
        customer = "PJSIP/trunk-00000001"
        assert marks == {(customer, "PUT_BY", "1001"), (customer, "PERMITTED", "1002")}
        assert ami.actions("Redirect") == []


@in_loop
async def test_customer_and_agent_are_moved_at_one_stroke_when_somebody_is_asked(database, call):
    talks(database)
    async with controlled(database) as ami:
        with database.write() as db:
            job = wishes.ask(db, SETTINGS, call, "1002", user(db, "wang"), now(), {})
        await until(lambda: state_of(database, job) == ("done", ""))
        (told,) = ami.actions("Redirect")
        assert (told["Channel"], told["Context"], told["Exten"]) == ("PJSIP/trunk-00000001", "aside", "consult")
        assert (told["ExtraChannel"], told["ExtraContext"], told["ExtraExten"]) == (
            "PJSIP/1001-00000002",
            "consult",
            "1002",
        )


def is_kept(database: Database, call: str) -> None:
    told: dict[str, Any] = {"at": now(), "switch": "tel", "call_id": call}
    with database.write() as db:
        record(db, [CallerKept(leg_id=call, **told), LegEnded(leg_id="tel-1795310468.2", cause=27, **told)], "ami")


@in_loop
async def test_a_caller_who_is_kept_is_brought_to_his_agents_phone(database, call):
    talks(database)
    is_kept(database, call)
    async with controlled(database) as ami:
        with database.write() as db:
            job = wishes.take_back(db, call, user(db, "wang"), now())
        await until(lambda: state_of(database, job) == ("done", ""))
        (told,) = ami.actions("Redirect")
        assert (told["Channel"], told["Context"], told["Exten"]) == ("PJSIP/trunk-00000001", "back", "1001")
        assert not ami.actions("Hangup")


@in_loop
async def test_of_a_talk_whose_page_died_only_the_agents_leg_goes_and_not_as_if_he_had_hung_up(database, call):
    talks(database)
    async with controlled(database) as ami:
        with database.write() as db:
            job = wishes.take_back(db, call, user(db, "wang"), now())
        await until(lambda: state_of(database, job) == ("done", ""))
        (told,) = ami.actions("Hangup")
        assert (told["Channel"], told["Cause"]) == ("PJSIP/1001-00000002", "27")
        assert not ami.actions("Redirect")


def test_nobody_takes_a_colleagues_caller_back(database, call):
    talks(database)
    is_kept(database, call)
    with database.write() as db:
        for login, wanted in (("li", call), ("wang", "tel-1.1"), ("zhao", call)):
            with pytest.raises(wishes.NotInCall):
                wishes.take_back(db, wanted, user(db, login), now())


def test_only_who_is_on_the_line_may_move_a_call_and_only_as_it_stands(database, call):
    talks(database)
    with database.write() as db:
        wang, li, zhao = (user(db, login) for login in ("wang", "li", "zhao"))
        for stranger in (li, zhao):
            with pytest.raises(wishes.NotInCall):
                wishes.park(db, call, stranger, now())
        with pytest.raises(wishes.NobodyAsked):
            wishes.answer_asked(db, "hand_over", call, wang, now())
        with pytest.raises(wishes.NotParked):
            wishes.fetch(db, call, li, now())
        with pytest.raises(wishes.NoPhone):
            wishes.fetch(db, call, zhao, now())
        with pytest.raises(wishes.NotFree):
            wishes.ask(db, SETTINGS, call, "1001", wang, now(), {})
        with pytest.raises(wishes.NoSuchTarget):
            wishes.ask(db, SETTINGS, call, "repair", wang, now(), {})  # one asks a person
    talks(database, asked="1002")
    with database.write() as db:
        wang = user(db, "wang")
        with pytest.raises(wishes.AlreadyAsking):
            wishes.ask(db, SETTINGS, call, "13900139000", wang, now(), {})
        with pytest.raises(wishes.AlreadyAsking):
            wishes.park(db, call, wang, now())
        assert wishes.answer_asked(db, "meet", call, wang, now()).kind == "meet"


def test_a_parked_call_is_on_hold_until_somebody_has_it(database, call):
    talks(database)
    about: dict[str, Any] = {"switch": "tel", "call_id": call, "leg_id": call}
    with database.write() as db:
        record(db, [PutAside(at=now(), agent="1001", why="parked", **about)], "ami")
        assert db.get_one(Call, call).state == "parked"
        assert wishes.fetch(db, call, user(db, "li"), now()).payload["agent"] == "1002"


@pytest.mark.parametrize(
    ("typed", "to"),
    [
        ("13900139000", "13900139000"),
        ("+86 139 0013 9000", "13900139000"),
        ("0371-6789 0123", "037167890123"),
        ("67890123", "037167890123"),
        ("400-820-1234", "4008201234"),
        ("00441632960000", None),
        ("+44 1632 960000", None),
        ("13900139000&PJSIP/1002", None),
        ("1390013900,1)", None),
        ("", None),
    ],
)
def test_a_number_is_dialled_as_the_dial_plan_allows_it(typed, to):
    assert wishes.dialled(SETTINGS, typed) == to


def test_what_is_said_with_a_customer_is_kept_with_the_call(database, call):
    said = {"note": "  客户很急 " + "长" * 3000, "ticket_id": 5, "draft": {"subject": "冒黑烟" * 3000}}
    with database.write() as db:
        wishes.send_on(db, SETTINGS, call, "repair", user(db, "wang"), now(), said)
        kept = handovers.latest(db, call)
        assert kept is not None
        assert (kept.sender, kept.to_kind, kept.to, kept.ticket_id) == ("1001", "queue", "repair", 5)
        assert kept.note.startswith("客户很急")
        assert (len(kept.note), len(kept.draft["subject"])) == (handovers.NOTE_LONGEST, 4000)


def test_a_call_that_is_over_and_a_place_there_is_not_are_refused(database, call):
    with database.write() as db:
        wang = user(db, "wang")
        with pytest.raises(NotFound):
            wishes.hang_up(db, "tel-1.1", wang, now())
        with pytest.raises(NotFound):
            wishes.send_on(db, SETTINGS, "tel-1.1", "repair", wang, now(), {})
        for nowhere in ("1009", "no-queue", "4008\r\nAction: Command", "out", "s", "*97"):
            with pytest.raises(wishes.NoSuchTarget):
                wishes.send_on(db, SETTINGS, call, nowhere, wang, now(), {})
