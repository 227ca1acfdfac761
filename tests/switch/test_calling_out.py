"""Numbers that are called from the desk, call-backs, and who listens in: on a real switch."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import select

from callcenter import phone
from callcenter.database import now
from callcenter.facts import StatusChosen
from callcenter.nudges import Wished
from config.people import User
from cti import callbacks, helping, wishes
from cti.rows import Call, Leg
from tests.chromium import channels, loudness_db
from tests.sipp import CALLER_HZ, FAR_END_HZ
from tests.switch.conftest import Switch
from tests.switch.test_calls_as_rows import Cti, cti_  # noqa: F401 - a fixture
from tests.telephone import Telephone
from tests.waiting import wait_until
from ticketing import customers

COLLEAGUE_HZ = 700


def user(cti: Cti, extension: str) -> User:
    with cti.database.read() as db:
        return db.scalars(select(User).where(User.extension == extension)).one()


def test_the_agents_own_phone_rings_first_then_the_customer_who_is_recorded(
    switch: Switch,
    cti_: Cti,  # noqa: F811
    people: ExitStack,
):
    people.enter_context(switch.desk("1001", hz=CALLER_HZ))
    people.enter_context(switch.desk("1002", hz=COLLEAGUE_HZ))
    customer = people.enter_context(switch.far_end(talk_ms=5000))
    wait_until(lambda: cti_.agent("1001").reachable, what="1001 is seen")
    cti_.record(StatusChosen(at=now(), agent="1001", status="available", by="agent1001"))
    with cti_.database.write() as db:  # a station may be called at any hour, and so by a test
        customers.create(db, "station", "郑州特约维修站", now(), phones=["13900139000"])
        job = wishes.dial(db, switch.settings, "139 0013 9000", user(cti_, "1001"), now())
    cti_.intake._bus.publish(Wished(job_id=job.id))
    call = cti_.call(lambda call: call.state == "talking")
    assert call.call_id == job.payload["call_id"], "the call has the id it was given before it was placed"
    wait_until(lambda: cti_.agent("1002").reachable, what="1002 is seen")
    with cti_.database.write() as db:
        job = wishes.send_on(db, switch.settings, call.call_id, "1002", user(cti_, "1001"), now(), {})
    cti_.intake._bus.publish(Wished(job_id=job.id))
    wait_until(lambda: cti_.agent("1002").state == "talking", what="李静 has the customer")
    call = cti_.call()
    assert (call.direction, call.did, call.outcome, call.agent) == ("out", "+8613900139000", "answered", "1002")
    assert (customer.invites, call.transfers) == (1, 1)
    wait_until(lambda: not switch.channels())
    (said,), (heard,) = (channels(switch.settings.recordings / f"{call.recording}-{way}.wav") for way in ("rx", "tx"))
    assert len(said) == len(heard) > 8000 * 3.5
    assert loudness_db(said[4000:12000], FAR_END_HZ) > -20
    assert loudness_db(said[-12000:-4000], FAR_END_HZ) > -20, "it goes on after the transfer"
    assert loudness_db(heard[-12000:-4000], COLLEAGUE_HZ) > -20

    # A call-back: not before its time, then just so; what became of it is on its row.
    with cti_.database.write() as db:
        row = callbacks.plan(db, switch.settings, user(cti_, "1001"), "13900139000", now(), now(), note="报价")
    second = cti_.call(nth=1)

    def became() -> str:
        with cti_.database.read() as db:
            return db.get_one(callbacks.Callback, row.id).state

    wait_until(lambda: became() == "done", 10, "the call-back is done")
    assert second.did == phone.normalise("13900139000")
    assert customer.invites == 2


def test_who_leads_listens_whispers_and_joins_and_the_customer_notices_only_the_last(switch, cti_, people):  # noqa: F811
    people.enter_context(switch.desk("1001"))
    people.enter_context(switch.desk("1003", hz=CALLER_HZ))
    cti_.serves("1001")
    caller = people.enter_context(Telephone(switch.home / "people" / "listened", switch.sip, "4008", hold_s=10))
    talking = cti_.call(lambda call: call.state == "talking" and call.agent == "1001")
    wait_until(caller.hears_sound, 10, "he hears the agent")
    leads = user(cti_, "1003")

    def hear(mode: str) -> None:
        with cti_.database.write() as db:
            job = helping.hear(db, switch.settings, "1001", mode, leads, now())
        cti_.intake._bus.publish(Wished(job_id=job.id))

    hear("listen")
    wait_until(lambda: _answered(cti_, "1003"), what="he listens")
    hear("whisper")
    wait_until(lambda: "!hear!whisper!" in switch.process.cli("core show channels concise"), what="he whispers")
    hear("join")
    wait_until(lambda: "!hear!join!" in switch.process.cli("core show channels concise"), what="he joins")
    with cti_.database.read() as db:
        modes = [row.mode for row in db.scalars(select(helping.Listening).order_by(helping.Listening.id))]
        assert modes == ["listen", "whisper", "join"]
        assert db.get_one(Call, talking.call_id).state == "talking"
    wait_until(lambda: not switch.channels(), 20, "with the call the listening is over")


def _answered(cti: Cti, extension: str) -> bool:
    with cti.database.read() as db:
        rows = select(Leg.leg_id).where(Leg.agent == extension, Leg.answered_at.is_not(None), Leg.ended_at.is_(None))
        return db.scalar(rows) is not None
