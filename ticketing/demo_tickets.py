"""What makes the demonstration's tickets look lived in: stations on their way, promises, tasks, complaints."""

from __future__ import annotations

import random
from datetime import datetime, time, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.people import User
from ticketing import dispatch, duties, escalation, stations, tickets, ties
from ticketing.rows import Engine, Station, Ticket, TicketKind

SEED = 2009
_FITTERS = ("张建军", "赵师傅", "李师傅", "周海涛", "孙师傅", "陈国强", "马师傅", "刘师傅", "高峰", "杨师傅")
_PROMISES = (
    # minutes from now, who, words
    (-38, "wangfang", "服务站 30 分钟内给用户回电"),
    (18, "wangfang", "查到节温器到货时间后回电"),
    (55, "lina", "寄出机滤并把单号发给用户"),
    (95, "liuyang", "告知收费明细"),
)
_TASKS = (
    # hours from now, who, words, important
    (3, "wangfang", "整理本周三包退件清单", False),
    (26, "wangfang", "新员工跟线培训", True),
    (5, "lina", "核对十一月投诉台账", True),
    (30, "liuyang", "更新服务站通讯录", False),
    (50, "zhaomin", "与郑州诚信站月度沟通会", True),
)


def fill(db: Session, now: datetime, zone: tzinfo) -> None:
    """Over the year that is told already."""
    chance = random.Random(SEED)
    places = list(db.scalars(select(Station).order_by(Station.id)))
    _rosters(db, chance, places, now, zone)
    _repairs(db, chance, now, zone)
    _complaints(db, now, zone)
    _follow_ups(db, chance, now, zone)
    _rescue(db, now, zone)
    _diary(db, now)


def _rosters(db: Session, chance: random.Random, places: list[Station], now: datetime, zone: tzinfo) -> None:
    """Two of three stations name who is on duty, day and night, for the next days; the others keep hours."""
    today = now.astimezone(zone).date()
    for station in places:
        station.crews = chance.choice((1, 2, 2, 3))
        if chance.random() < 0.33:
            station.opens = "08:00-18:00"
            continue
        for day in range(4):
            morning = datetime.combine(today + timedelta(days=day), time(8), zone)
            for begins, hours in ((morning - timedelta(hours=12), 12), (morning, 12)):
                mobile = f"139{chance.randrange(10**8):08d}"
                ends = begins + timedelta(hours=hours)
                stations.put_on_duty(db, station, begins, ends, chance.choice(_FITTERS), mobile)
    db.flush()


def _undone(db: Session, kind: TicketKind, limit: int) -> list[Ticket]:
    rows = select(Ticket).where(Ticket.kind == kind.value, Ticket.state == "open").order_by(Ticket.id.desc())
    return list(db.scalars(rows.limit(limit)))


def _repairs(db: Session, chance: random.Random, now: datetime, zone: tzinfo) -> None:
    """Of the open repairs some are with a station, each a step further."""
    steps = ("accepted", "on_the_way", "arrived")
    for number, ticket in enumerate(_undone(db, TicketKind.REPAIR, 8)):
        if ticket.stage != "new":
            continue
        began = max(ticket.changed_at, now - timedelta(hours=5 - number * 0.5))
        found = dispatch.suggested(db, ticket, began, zone, 2)[1]
        if not found or number % 4 == 3:
            continue  # still to be sent
        sent = dispatch.send(db, ticket, found[0].station.station_id, by=ticket.owner, now=began, zone=zone)
        at = began
        if number == 2 and len(found) > 1:
            at += timedelta(minutes=9)
            dispatch.step(
                db, ticket, sent, "refused", by=ticket.owner, now=at, zone=zone, words="车都在外面，两小时后才有空"
            )
            sent = dispatch.send(db, ticket, found[1].station.station_id, by=ticket.owner, now=at, zone=zone)
        for step in steps[: number % 4]:
            at += timedelta(minutes=chance.randrange(6, 40))
            fitter, eta = chance.choice(_FITTERS), chance.choice((60, 90, 120))
            minutes = eta if step == "accepted" else None
            at = min(at, now)
            dispatch.step(db, ticket, sent, step, by=ticket.owner, now=at, zone=zone, person=fitter, eta_min=minutes)
            dispatch.tell(db, ticket, sent, by=ticket.owner, now=at)


def _complaints(db: Session, now: datetime, zone: tzinfo) -> None:
    """The open ones are being looked into; what has stood too long has gone up."""
    for number, ticket in enumerate(_undone(db, TicketKind.COMPLAINT, 6)):
        stage = ("answered", "examined", "proposed")[number % 3]
        at = min(ticket.changed_at + timedelta(hours=2), now)
        tickets.move(db, ticket, stage, by=ticket.owner, now=at, zone=zone, text="已向服务站了解情况。")
        ties.watch(db, ticket, "zhaomin", True, at)
    escalation.climb(db, zone, now)


def _follow_ups(db: Session, chance: random.Random, now: datetime, zone: tzinfo) -> None:
    """Some customers asked to be called another day."""
    today = now.astimezone(zone).date()
    for ticket in _undone(db, TicketKind.FOLLOW_UP, 5):
        told = {"result": "again", "next_on": (today + timedelta(days=chance.randrange(0, 6))).isoformat()}
        at = min(ticket.changed_at + timedelta(minutes=20), now)
        tickets.change(
            db, ticket, version=ticket.version, by=ticket.owner, now=at, zone=zone, fields=told, stage="tried"
        )


def _rescue(db: Session, now: datetime, zone: tzinfo) -> None:
    """A rescue going on right now: two stations were called, one is on its way."""
    began = now - timedelta(minutes=22)
    engine = db.scalar(select(Engine).where(Engine.vehicle.contains("重卡")).order_by(Engine.id).limit(1))
    ticket = tickets.open_ticket(
        db,
        "rescue",
        subject="连霍高速上自动熄火，无法启动",
        by="liuyang",
        now=began,
        customer_id=engine.customer_id if engine else None,
        engine_id=engine.id if engine else None,
        fields={
            "place": "G30连霍高速 K612+300 郑州段应急车道",
            "contact": "13673712345",
            "person": "司机 老冯",
            "danger": "on",
            "danger_kind": "motorway",
            "fault": "stalls",
        },
        notes="车上两人，已下车到护栏外，放了三角牌。货物是蔬菜，怕冻。",
        zone=zone,
    )
    found = dispatch.suggested(db, ticket, began, zone, 2)[1]
    called = [
        dispatch.send(db, ticket, one.station.station_id, by="liuyang", now=began + timedelta(minutes=2), zone=zone)
        for one in found
    ]
    if not called:
        return
    for minutes, step, eta in ((6, "accepted", 35), (12, "on_the_way", None)):
        at = began + timedelta(minutes=minutes)
        person = "张建军" if eta else ""
        dispatch.step(db, ticket, called[0], step, by="liuyang", now=at, zone=zone, person=person, eta_min=eta)
        if step == "accepted":
            dispatch.tell(db, ticket, called[0], by="liuyang", now=at)


def _diary(db: Session, now: datetime) -> None:
    there = set(db.scalars(select(User.login).where(User.active)))
    repairs = _undone(db, TicketKind.REPAIR, 40)
    for (minutes, who, words), ticket in zip(_PROMISES, repairs, strict=False):
        if who not in there:
            continue
        made = now - timedelta(minutes=70)
        due = now + timedelta(minutes=minutes)
        duties.add(db, "promise", words, due, owner=who, by=who, now=made, ticket=ticket, important=True)
    for hours, who, words, important in _TASKS:
        due = now + timedelta(hours=hours)
        if who not in there:
            continue
        duties.add(db, "task", words, due, owner=who, by=who, now=now, important=important)
