"""Stations called, accepting and refusing, on the way and there; and the customer told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from callcenter.database import now
from config.people import User
from ticketing import customers, dispatch, engines, stations, tickets
from ticketing.dispatch import SentAlready, WrongDispatch

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def people_and_stations(db):
    li = customers.create(db, "end_user", "李建国", NOW, phones=["13800138000"], region="河南 郑州")
    engine = engines.create(db, "4D83-24K102938", "4D83", customer_id=li.id)
    made = []
    for name, region, area, skills in (
        ("郑州诚信特约维修站", "河南 郑州", "河南 郑州 开封", ("4D", "6D")),
        ("洛阳宏达特约维修站", "河南 洛阳", "河南 洛阳", ("4D",)),
        ("济南泉城特约维修站", "山东 济南", "山东 济南", ("4D",)),
    ):
        company = customers.create(db, "station", name, NOW, phones=["0371-66001234"], region=region)
        made.append(stations.create(db, company, area, skills, opens="07:00-21:00"))
    return li, engine, made


def opened(db, kind: str, li, engine, at=NOW):
    asked = {"fault": "coolant_hot", "place": "中牟县雁鸣湖工地", "contact": "13800138000"}
    return tickets.open_ticket(
        db,
        kind,
        subject="水温高",
        by="wangfang",
        now=at,
        customer_id=li.id,
        engine_id=engine.id,
        fields=asked,
        zone=ZONE,
    )


@pytest.fixture
def db(database):
    with database.write() as db:
        for login in ("wangfang", "lina"):
            db.add(User(login=login, name=login, password_hash="", role="agent", created_at=NOW))
        yield db


def test_a_repair_goes_to_the_next_station_when_the_first_refuses(db):
    li, engine, (chengxin, hongda, _) = people_and_stations(db)
    repair = opened(db, "repair", li, engine)
    town, found = dispatch.suggested(db, repair, NOW, ZONE)
    assert (town, [one.station.name[:4] for one in found]) == ("中牟", ["郑州诚信", "洛阳宏达", "济南泉城"])
    first = dispatch.send(db, repair, chengxin.id, by="wangfang", now=NOW, zone=ZONE)
    assert (repair.stage, first.answer_by, first.reasons[0][1]) == (
        "sent",
        NOW + timedelta(minutes=15),
        "直线约 32 公里",
    )
    with pytest.raises(SentAlready):
        dispatch.send(db, repair, hongda.id, by="wangfang", now=NOW)
    dispatch.step(db, repair, first, "refused", by="wangfang", now=NOW, zone=ZONE, words="车都在外面")
    assert repair.stage == "new"
    assert [one.station.name[:4] for one in dispatch.suggested(db, repair, NOW, ZONE)[1]] == ["洛阳宏达", "济南泉城"]
    second = dispatch.send(db, repair, hongda.id, by="lina", now=NOW, zone=ZONE)
    later = NOW + timedelta(minutes=6)
    dispatch.step(db, repair, second, "accepted", by="lina", now=later, zone=ZONE, person="赵师傅", eta_min=90)
    assert (repair.stage, repair.station_id, repair.responded_at) == ("accepted", hongda.id, later)
    assert second.eta_at == later + timedelta(minutes=90)
    for state in ("on_the_way", "arrived", "done"):
        dispatch.step(db, repair, second, state, by="lina", now=later, zone=ZONE)
    assert (repair.stage, repair.solved_at) == ("done", later)
    with pytest.raises(WrongDispatch):
        dispatch.step(db, repair, second, "arrived", by="lina", now=later)


def test_of_the_stations_called_to_a_rescue_the_first_to_accept_has_it_and_the_customer_is_told(db):
    li, engine, (chengxin, hongda, quancheng) = people_and_stations(db)
    rescue = opened(db, "rescue", li, engine)
    calls = [dispatch.send(db, rescue, one.id, by="wangfang", now=NOW, zone=ZONE) for one in (chengxin, hongda)]
    dispatch.step(db, rescue, calls[1], "accepted", by="wangfang", now=NOW, zone=ZONE)
    assert [one.state for one in dispatch.of_ticket(db, rescue)] == ["withdrawn", "accepted"]
    with pytest.raises(SentAlready):
        dispatch.send(db, rescue, quancheng.id, by="wangfang", now=NOW)
    with pytest.raises(WrongDispatch):
        dispatch.step(db, rescue, calls[0], "accepted", by="lina", now=NOW)
    assert calls[1].untold
    dispatch.tell(db, rescue, calls[1], by="wangfang", now=NOW)
    assert not calls[1].untold
    dispatch.step(db, rescue, calls[1], "arrived", by="wangfang", now=NOW + timedelta(minutes=25), zone=ZONE)
    assert (rescue.solved_at, calls[1].untold) == (NOW + timedelta(minutes=25), True)


def test_a_station_with_a_roster_and_nobody_on_it_is_not_the_first_choice(db):
    li, engine, (chengxin, _, _) = people_and_stations(db)
    stations.put_on_duty(db, chengxin, NOW - timedelta(hours=8), NOW - timedelta(hours=1), "张师傅", "13900001111")
    repair = opened(db, "repair", li, engine)
    best = dispatch.suggested(db, repair, NOW, ZONE)[1][0]
    assert best.station.name == "洛阳宏达特约维修站"
    stations.put_on_duty(db, chengxin, NOW, NOW + timedelta(hours=8), "王师傅", "13900002222")
    best = dispatch.suggested(db, repair, NOW, ZONE)[1][0]
    assert best.station.on_duty == "王师傅 13900002222"


def test_a_repair_is_sent_and_accepted_on_its_page(desk):
    with desk.database.write() as db:
        li, engine, made = people_and_stations(db)
        repair = opened(db, "repair", li, engine, now())
    client, path = desk.client("wangfang"), f"/tickets/{repair.id}"
    page = client.get(path).text
    assert "about 32 km away" in page
    assert "taken to be near 中牟" in page
    assert client.post(f"{path}/stations", data={"station": str(made[0].id)}).status_code == 303
    with desk.database.read() as db:
        row = db.scalar(select(dispatch.Dispatch.id))
    sent = {"to": "accepted", "person": "<b>张师傅</b>", "eta_min": "40"}
    assert client.post(f"{path}/dispatches/{row}", data=sent).status_code == 303
    page = client.get(path).text
    assert "&lt;b&gt;张师傅" in page
    assert "there in" in page
    assert client.post(f"{path}/dispatches/{row}", data={"to": "told"}).status_code == 303
    assert client.post(f"{path}/dispatches/{row}", data={"to": "refused"}).status_code == 409
    assert client.post(f"{path}/dispatches/{row}", data={"to": "on_the_way", "eta_min": "-5"}).status_code == 422
    assert client.post(f"{path}/stations", data={"station": "1 OR 1=1"}).status_code == 422
    assert client.post(f"/tickets/{repair.id + 1}/dispatches/{row}", data={"to": "arrived"}).status_code == 404
    assert desk.client("chenjing").post(f"{path}/dispatches/{row}", data={"to": "arrived"}).status_code == 403
