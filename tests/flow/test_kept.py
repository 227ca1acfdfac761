"""A page that is back after its phone went away is brought to whom it was with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from callcenter import jobs
from callcenter.database import now
from callcenter.facts import BridgeEntered, LegEnded, LegStarted
from callcenter.jobs import Job
from cti import wishes
from cti.translate import call_of
from tests.desktop import answer, arrival, ringing, tell


def test_who_fell_out_of_a_room_where_the_others_talk_on_is_brought_back_to_them(desk):
    wang = desk.client("wangfang")
    call_id, hers = "tel-1.1", "tel-1.5"
    about: dict[str, Any] = {"switch": "tel", "call_id": call_id}

    def enter(bridge: str, *legs: str) -> None:
        tell(desk, *(BridgeEntered(at=now(), leg_id=leg, bridge_id=bridge, **about) for leg in legs))

    tell(desk, *arrival(call_id), ringing(call_id), answer(call_id))
    enter("b1", call_id, f"{call_id}9")
    tell(desk, LegStarted(at=now(), leg_id=hers, channel="PJSIP/1002-2", context="tel", did="s", agent="1002",
                          caller_number="", caller_name="", **about))  # fmt: skip
    with desk.database.write() as db:
        met = wishes.plan(db, "meet", call_id, desk.users["wangfang"], now())
        jobs.finish(db, met)
    enter("b2", call_id, f"{call_id}9", hers)
    assert wang.get("/desk/now").json()["kept"] is None
    tell(desk, LegEnded(at=now(), leg_id=f"{call_id}9", cause=27, **about))
    kept = wang.get("/desk/now").json()["kept"]
    assert (kept["call_id"], kept["room"]) == (call_id, True)
    assert desk.client("lina").get("/desk/now").json()["kept"] is None
    assert wang.post("/desk/kept/back", data={"call_id": call_id}).status_code == 200
    with desk.database.read() as db:
        job = db.scalars(select(Job).where(Job.kind == "meet_again")).one()
    assert (call_of(job.payload["leg_id"]), job.payload["agent"]) == (call_id, "1001")
    tell(desk, LegEnded(at=now(), leg_id=hers, cause=16, **about))  # with one alone there is no room
    assert wang.get("/desk/now").json()["kept"] is None
