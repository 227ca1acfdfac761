"""From the socket to the rows: nothing is lost, nothing counts twice, whatever breaks between."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import select

from callcenter.bus import LocalBus
from callcenter.database import Database
from callcenter.events import CallChanged, SwitchChanged
from config.settings import Settings, Switch
from cti.intake import Intake
from cti.projection import rebuild
from cti.rows import PROJECTIONS, Call, Segment
from tests.captures import captured
from tests.fake_ami import FakeAmi, fake_ami, listed
from tests.loop import in_loop, until

CALL = "tel-1795310468.1"
AGENT_LEG = "tel-1795310471.2"


def empty(ami: FakeAmi) -> None:
    """A switch with nothing on it."""
    ami.answers["CoreShowChannels"] = lambda _: listed([], "CoreShowChannelsComplete")
    ami.answers["QueueStatus"] = lambda _: listed([], "QueueStatusComplete")
    ami.answers["DeviceStateList"] = lambda _: listed([], "DeviceStateListComplete")


@asynccontextmanager
async def house(ami: FakeAmi, database: Database, home: Path):
    """Intake at this switch, and what was published."""
    settings = Settings(home=home, switch=Switch(ami_port=ami.port, ami_secret="geheim"))
    bus, told = LocalBus(), []
    bus.listen(told.append)
    intake = Intake(settings, database, bus)
    await intake.start()
    try:
        await until(lambda: any(isinstance(e, SwitchChanged) for e in told))
        yield intake, told
    finally:
        await intake.stop()


def ended(told, call_id):
    return lambda: any(isinstance(e, CallChanged) and e.call_id == call_id and e.state == "ended" for e in told)


def dump(database: Database) -> dict[str, list[tuple]]:
    """Every row of every projection."""
    with database.read() as db:
        return {
            table.__tablename__: [
                tuple(row)
                for row in db.execute(select(*table.__table__.columns).order_by(*table.__table__.primary_key))
            ]
            for table in PROJECTIONS
        }


@in_loop
async def test_a_captured_call_becomes_rows_and_is_told_after_commit(database, tmp_path):
    async with fake_ami() as ami:
        empty(ami)
        async with house(ami, database, tmp_path) as (intake, told):
            await ami.say("".join(captured("answered")))
            await until(ended(told, CALL))
            assert intake.health() == (True, "connected to tel, 0 events behind")
        with database.read() as db:
            call = db.get_one(Call, CALL)
            assert (call.outcome, call.agent, call.queue) == ("answered", "1001", "support")
            assert [s.kind for s in db.scalars(select(Segment).order_by(Segment.no))] == ["arrival", "queue", "talk"]
    before = dump(database)
    assert rebuild(database)["calls"] == 1
    assert dump(database) == before
