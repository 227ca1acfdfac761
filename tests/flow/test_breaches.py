"""What must be true is looked at every second; what is not is put on record with what was seen, and put right."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from callcenter.database import Database
from callcenter.facts import BridgeLeft
from cti import intake
from cti.rows import Agent, BreachRow, Leg
from tests.fake_ami import fake_ami
from tests.flow.test_intake import AGENT_LEG, CALL, call_of, channel, facts, has, house, said
from tests.loop import in_loop, until


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch) -> None:
    monkeypatch.setattr(intake, "WATCH_S", 0.1)
    monkeypatch.setattr(intake, "BESIDE_S", 0.3)


def record(database: Database) -> list[tuple[str, str, bool]]:
    with database.read() as db:
        rows = db.scalars(select(BreachRow).order_by(BreachRow.id))
        return [(row.what, row.whose, row.healed_at is not None) for row in rows]


@in_loop
async def test_a_hang_up_that_nobody_told_is_noticed_and_the_call_ends(database, tmp_path, caplog):
    bridge = next(text for text in said("answered").split("\r\n") if text.startswith("BridgeUniqueid: "))[16:]
    trunk, phone = (channel(leg, "PJSIP/1001-0000001f", bridge=bridge) for leg in (CALL, AGENT_LEG))
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            has(ami, channels=(trunk, phone))
            await ami.say(said("answered", end="HangupRequest"))
            await here.reaches("talking")
            has(ami)  # both are gone, and the switch has not told it
            await here.reaches("ended")
            gone = "a live leg is at the switch"
            await until(lambda: [one for one in record(database) if one[0] == gone and one[2]], 10, "it is on record")
            assert {(what, whose) for what, whose, _ in record(database)} == {(gone, CALL), (gone, AGENT_LEG)}
            assert here.intake.breaches == 2
    assert call_of(database).outcome == "answered"
    told = [line.getMessage() for line in caplog.records if "not as it must be" in line.getMessage()]
    assert any(AGENT_LEG in line and "since" in line for line in told)


@in_loop
async def test_a_bridge_that_was_left_untold_is_left(database, tmp_path):
    bridge = next(text for text in said("answered").split("\r\n") if text.startswith("BridgeUniqueid: "))[16:]
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path):
            has(ami, channels=(channel(CALL, "PJSIP/trunk-1"), channel(AGENT_LEG, "PJSIP/1001-2", bridge=bridge)))
            await ami.say(said("answered", end="HangupRequest"))
            await until(lambda: ("bridged as at the switch", CALL, True) in record(database), 10, "it is put right")
            assert [one.leg_id for one in facts(database) if isinstance(one, BridgeLeft)] == [CALL]
            with database.read() as db:
                assert [leg.bridge for leg in db.scalars(select(Leg).order_by(Leg.leg_id))] == ["", bridge]
            has(ami)


@in_loop
async def test_a_break_without_a_reason_stands_on_record_until_it_has_one(database, tmp_path):
    async with fake_ami() as ami:
        has(ami)
        async with house(ami, database, tmp_path) as here:
            await ami.say(said("answered"))
            await here.reaches("ended")
            with database.write() as db:
                db.execute(update(Agent).values(status="on_break", status_reason=""))
            await until(lambda: ("a break has a reason", "1001", False) in record(database), 10, "it is on record")
            assert "a break has a reason" in here.intake.health()[1]
            with database.write() as db:
                db.execute(update(Agent).values(status_reason="午休"))
            await until(lambda: ("a break has a reason", "1001", True) in record(database), 10, "it is healed")
