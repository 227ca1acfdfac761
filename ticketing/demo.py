"""A year of a diesel-engine maker's hotline, for demonstration and trial: the same for every run but for its dates.

People and queues come from ``config.demo``; the calls behind the tickets are told by ``cti.demo``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter import phone
from config import demo as house
from config.settings import Settings
from ticketing import customers, demo_knowledge, demo_parts, demo_tickets, engines, stations, tickets
from ticketing import demo_words as words
from ticketing.rows import Customer, Engine, Station, Ticket, TicketKind

SEED = 4008
DAYS = 365
TICKETS = 400
_HOURS = (0, 0, 0, 0, 0, 0, 0, 22, 60, 85, 80, 55, 30, 50, 70, 75, 60, 40, 20, 12, 8, 0, 0, 0)  # calls by local hour
_WEEKDAYS = (1.25, 1.1, 1.0, 1.0, 0.95, 0.55, 0.35)  # Monday first
_MONTHS = (0.8, 0.6, 1.0, 1.0, 1.1, 1.35, 1.1, 1.0, 1.15, 1.2, 1.0, 0.9)  # harvests in June and in autumn; the New Year
_KINDS = ((TicketKind.REPAIR, 40), (TicketKind.INQUIRY, 25), (TicketKind.FOLLOW_UP, 18), (TicketKind.COMPLAINT, 10))


def fill(db: Session, settings: Settings, now: datetime) -> dict[str, str]:
    """Fill what is empty; log-ins made now with their passwords. A second run changes nothing."""
    logins = house.fill(db, now)
    if not db.scalar(select(func.count()).select_from(Customer)):
        _Year(db, settings, now).tell()
        demo_tickets.fill(db, now, settings.centre.zone)
        demo_knowledge.fill(db, "zhaomin", now)
        demo_parts.fill(db, "zhaomin", now)
    return logins


def moments(chance: random.Random, now: datetime, zone: tzinfo, count: int) -> list[datetime]:
    """So many moments of the year that ended last midnight, thick where people call and thin at night, in order."""
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS, 0, -1)]
    weights = [_WEEKDAYS[day.weekday()] * _MONTHS[day.month - 1] for day in days]
    found = []
    for day in chance.choices(days, weights, k=count):
        hour = chance.choices(range(24), _HOURS)[0]
        at = datetime.combine(day, time(hour, chance.randrange(60), chance.randrange(60)), zone)
        found.append(at.astimezone(now.tzinfo) + timedelta(microseconds=chance.randrange(1_000_000)))
    return sorted(found)


class _Year:
    """What the telling of one year needs at hand."""

    def __init__(self, db: Session, settings: Settings, now: datetime) -> None:
        self.db = db
        self.now = now
        self.centre = settings.centre
        self.switch = settings.switch.name
        self.today = self.centre.day(now)
        self.chance = random.Random(SEED)
        self.serials: set[str] = set()
        self.calls = 0
        self.owned: dict[int, list[Engine]] = {}
        self.stations: list[Station] = []

    def tell(self) -> None:
        dealers = [self.company("dealer", name, city) for name, city in words.DEALER]
        for name, city in words.OEM:
            self.company("oem", name, city)
        for name, city, area, skills in words.STATION:
            station = self.company("station", name, city)
            self.stations.append(stations.create(self.db, station, area, skills, "全天 24 小时，夜间请先电话预约"))
        callers = [self.li_jianguo(dealers[0])]
        for name, city, count in words.KEY_ACCOUNT:
            fleet = self.company("key_account", name, city)
            self.give(fleet, count, self.chance.choice(dealers))
            callers += [fleet] * 3
        shared = "0371-66001234"
        callers += [self.person(name, "郑州", shared) for name in words.SHARED]
        callers += [self.person(name, self.chance.choice([*words.CITIES])) for name in words.END_USER] * 2
        for one in dict.fromkeys(callers):
            if one.id not in self.owned:
                self.give(one, self.chance.choice((1, 1, 2, 2, 3)), self.chance.choice(dealers))
        abroad = []
        for name, kind, region, number, count in words.ABROAD:
            abroad.append(self.create(kind, name, region, number, "en"))
            self.give(abroad[-1], count, None)
        callers += dealers + abroad * 2
        told: list[tuple[datetime, Callable[[datetime], None]]] = [
            (self.by_day(142, time(14, 20)), self.smoke_of_li_jianguo),
            (self.by_day(2, time(10, 5)), self.heat_of_li_jianguo),
        ]
        for at in moments(self.chance, self.now, self.centre.zone, TICKETS):
            told.append((at, partial(self.ticket, caller=self.chance.choice(callers))))
        for at, tell in sorted(told, key=itemgetter(0)):
            tell(at)

    def by_day(self, ago: int, at: time) -> datetime:
        """So many days ago, while somebody is at work to take the call, whenever this is told."""
        day = self.today - timedelta(days=ago)
        return datetime.combine(day, at, self.centre.zone).astimezone(self.now.tzinfo)

    # --- who ---------------------------------------------------------------------------------------------------

    def create(self, kind: str, name: str, region: str, number: str, language: str = "zh", note: str = "") -> Customer:
        since = self.now - timedelta(days=DAYS + self.chance.randrange(900))
        return customers.create(
            self.db,
            kind,
            name,
            since,
            phones=[(number, "")],
            region=region,
            language=language,
            note=note,
            country=self.centre.country,
            area_code=self.centre.area_code,
        )

    def company(self, kind: str, name: str, city: str) -> Customer:
        province, area_code = words.CITIES[city]
        desk = f"{area_code}-{self.chance.randrange(6, 9)}{self.chance.randrange(10**7):07d}"
        if not phone.normalise(desk).startswith("+"):  # a town with seven digits
            desk = desk[:-1]
        found = self.create(kind, name, f"{province} {city}", desk)
        found.address = f"{province}{city}市{self.chance.choice(words.TOWNS)}路{self.chance.randrange(1, 400)}号"
        customers.add_phone(self.db, found, self.mobile(), found.created_at, label="联系人")
        return found

    def person(self, name: str, city: str, number: str = "") -> Customer:
        return self.create("end_user", name, f"{words.CITIES[city][0]} {city}", number or self.mobile())

    def mobile(self) -> str:
        return f"1{self.chance.choice((35, 36, 37, 38, 39, 50, 58, 59, 86, 88))}{self.chance.randrange(10**8):08d}"

    def li_jianguo(self, dealer: Customer) -> Customer:
        """The customer of the first call: 13800138000, one engine under warranty and one that is not."""
        li = self.create("end_user", "李建国", "河南 郑州", "13800138000", note="车主兼司机，方言重，请说慢一点")
        li.address = "河南省郑州市中牟县白沙镇"
        sold = self.today - timedelta(days=600)
        self.engine(li, dealer, "4D83", "装载机 龙工 LG855", 1950, sold, serial="4D8325K102938", hours=3210)
        sold = self.today - timedelta(days=1500)
        self.engine(li, dealer, "6D105", "收割机 东方红 4LZ-8", 500, sold, serial="6D10522H554021", hours=2080)
        return li

    def smoke_of_li_jianguo(self, at: datetime) -> None:
        """A repair long done."""
        asked = {"fault": "black_smoke", "place": "河南郑州白沙镇"}
        ticket = self.repair_of_li_jianguo(at, "lina", "冒黑烟", "重载时冒黑烟，油耗高，约2600小时。", asked)
        done = "中冷器胶管脱开漏气，重新卡紧后正常。"
        tickets.close(self.db, ticket, by="lina", now=at + timedelta(hours=26), text=done, zone=self.centre.zone)

    def heat_of_li_jianguo(self, at: datetime) -> None:
        """A repair that a station has promised for this afternoon."""
        asked = {"fault": "coolant_hot", "place": "河南郑州中牟县雁鸣湖工地", "hours": "3210"}
        notes = "连续干活一小时水温到105度报警，水箱不缺水，怀疑节温器。"
        ticket = self.repair_of_li_jianguo(at, "wangfang", "水温高", notes, asked)
        later = at + timedelta(hours=2)
        tickets.note(self.db, ticket, "郑州诚信站：节温器已调货，到货后上门更换。", by="wangfang", now=later)
        due = self.now + timedelta(hours=3)
        zone = self.centre.zone
        tickets.change(
            self.db, ticket, version=ticket.version, by="wangfang", now=later, zone=zone, stage="parts", due_at=due
        )

    def repair_of_li_jianguo(self, at: datetime, by: str, subject: str, notes: str, asked: dict[str, str]) -> Ticket:
        engine = next(iter(self.owned.values()))[0]
        return tickets.open_ticket(
            self.db,
            "repair",
            subject=subject,
            by=by,
            now=at,
            customer_id=engine.customer_id,
            engine_id=engine.id,
            call_id=self.call_id(at),
            station_id=self.stations[0].id,
            fields=asked,
            notes=notes,
            zone=self.centre.zone,
        )

    def call_id(self, at: datetime) -> str:
        """As the switch would have named a call that began a few minutes before."""
        self.calls += 1
        return f"{self.switch}-{int(at.timestamp()) - self.chance.randrange(60, 240)}.{self.calls}"

    # --- which engine ------------------------------------------------------------------------------------------

    def give(self, owner: Customer, count: int, dealer: Customer | None) -> None:
        machines = words.MACHINES_ABROAD if owner.language == "en" else words.MACHINES
        for _ in range(count):
            model, vehicle, yearly = self.chance.choice(machines)
            sold = self.today - timedelta(days=self.chance.randrange(20, 1700))
            self.engine(owner, dealer, model, vehicle, yearly, sold)

    def engine(
        self,
        owner: Customer,
        dealer: Customer | None,
        model: str,
        vehicle: str,
        yearly: int,
        sold: date,
        *,
        serial: str = "",
        hours: int | None = None,
    ) -> None:
        """An engine sold that day; hours are the last reading, by default from so many in a year."""
        built = sold - timedelta(days=self.chance.randrange(25, 160))
        while not serial or serial[-6:] in self.serials:
            serial = f"{model}{built:%y}{'ABCDEFGHJKLM'[built.month - 1]}{self.chance.randrange(100_000, 1_000_000)}"
        self.serials.add(serial[-6:])
        read_on = min(self.today - timedelta(days=self.chance.randrange(3, 120)), self.today)
        worked = int(max((read_on - sold).days, 1) / 365 * yearly * self.chance.uniform(0.7, 1.2))
        unproven = self.chance.random() < 0.06 and hours is None
        heavy = "重卡" in vehicle or "truck" in vehicle
        letters = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
        self.owned.setdefault(owner.id, []).append(
            engines.create(
                self.db,
                serial,
                model,
                customer_id=owner.id,
                dealer_id=dealer.id if dealer else None,
                vehicle=vehicle,
                vin="LZZ" + "".join(self.chance.choices(letters, k=14)) if heavy else "",
                built_on=built,
                sold_on=None if unproven else sold,
                hours=worked if hours is None else hours,
                hours_on=max(read_on, sold),
            )
        )

    # --- what about --------------------------------------------------------------------------------------------

    def ticket(self, at: datetime, caller: Customer) -> None:
        chance = self.chance
        english = caller.language == "en"
        kinds = [kind for kind, _ in _KINDS] + ([] if english else [TicketKind.RESCUE])
        kind = chance.choices(kinds, [weight for _, weight in _KINDS] + ([] if english else [7]))[0]
        subject, notes, fields, done = getattr(self, f"_{kind.value}")(english)
        engine = chance.choice(self.owned[caller.id]) if self.owned.get(caller.id) else None
        if kind is TicketKind.REPAIR and engine is None:
            kind, (subject, notes, fields, done) = TicketKind.INQUIRY, self._inquiry(english)
        if kind is TicketKind.REPAIR:
            fields["place"] = caller.region.replace(" ", "") + ("" if english else chance.choice(words.TOWNS) + "镇")
        by = self.who(at, english)
        called = kind is not TicketKind.FOLLOW_UP
        ticket = tickets.open_ticket(
            self.db,
            kind,
            subject=subject,
            by=by,
            now=at,
            customer_id=caller.id,
            engine_id=engine.id if engine and kind is not TicketKind.INQUIRY else None,
            call_id=self.call_id(at) if called else None,
            station_id=self.sent(caller) if kind in (TicketKind.REPAIR, TicketKind.RESCUE) else None,
            fields=fields,
            notes=notes,
            zone=self.centre.zone,
        )
        self.end(ticket, at, by, done)

    def end(self, ticket: Ticket, at: datetime, by: str, done: str) -> None:
        """Old ones are closed; of the last days some are open, a few of them past what was promised."""
        chance = self.chance
        hours = {TicketKind.INQUIRY: 0.2, TicketKind.RESCUE: 5.0}.get(TicketKind(ticket.kind), 30.0)
        closed = at + timedelta(hours=chance.expovariate(1 / hours) + 0.05)
        recent = self.now - at < timedelta(days=30) and ticket.kind not in (TicketKind.INQUIRY, TicketKind.RESCUE)
        if closed < self.now and not (recent and chance.random() < 0.8):
            if hours > 10 and chance.random() < 0.4:
                tickets.note(
                    self.db,
                    ticket,
                    "Station has called back."
                    if ticket.customer and ticket.customer.language == "en"
                    else "服务站已联系用户，约定上门时间。",
                    by=by,
                    now=at + (closed - at) / 3,
                )
            tickets.close(self.db, ticket, by=by, now=closed, text=done, zone=self.centre.zone)
        else:
            late = chance.random() < 0.25
            due = self.now + timedelta(minutes=-chance.randrange(10, 300) if late else chance.randrange(40, 2400))
            state = chance.choice(("open", "waiting"))
            zone = self.centre.zone
            later = min(at + timedelta(minutes=9), self.now)
            tickets.change(
                self.db, ticket, version=ticket.version, by=by, now=later, zone=zone, due_at=due, state=state
            )

    def who(self, at: datetime, english: bool) -> str:
        """The agent who took it; Ann Meyer where English is spoken and she is there."""
        local = at.astimezone(self.centre.zone)
        there = [shift.login for shift in house.shifts(local.date(), self.centre.zone) if shift.takes_calls(local)]
        return "ann" if english and "ann" in there else self.chance.choice(there)

    def sent(self, caller: Customer) -> int | None:
        province = caller.region.split(" ")[0]
        able = [one for one in self.stations if province in one.area]
        return self.chance.choice(able).id if able else None

    def _repair(self, english: bool) -> tuple[str, str, dict[str, Any], str]:
        told = words.FAULTS_EN if english else words.FAULTS
        fault = self.chance.choice([*told])
        subject, heard, ends = told[fault]
        return subject, self.chance.choice(heard), {"fault": fault}, self.chance.choice(ends)

    def _inquiry(self, english: bool) -> tuple[str, str, dict[str, Any], str]:
        told = words.INQUIRIES_EN if english else words.INQUIRIES
        topic = self.chance.choice([*told])
        asked, answered = self.chance.choice(told[topic])
        return asked, answered, {"topic": topic}, ""

    def _complaint(self, english: bool) -> tuple[str, str, dict[str, Any], str]:
        told = words.COMPLAINTS_EN if english else words.COMPLAINTS
        about = self.chance.choice([*told])
        subject, notes, done = self.chance.choice(told[about])
        return subject, notes, {"about": about}, done

    def _follow_up(self, english: bool) -> tuple[str, str, dict[str, Any], str]:
        if english:
            return "Call after repair", "", {"about": "Repair", "satisfied": "4"}, "Customer is satisfied."
        about = self.chance.choice(words.FOLLOW_UPS)
        satisfied = self.chance.choices("543210", (45, 30, 10, 4, 2, 9))[0]
        return about, "", {"about": about, "satisfied": satisfied}, self.chance.choice(words.FOLLOW_UP_WORDS)

    def _rescue(self, _english: bool) -> tuple[str, str, dict[str, Any], str]:
        subject, place, fault, notes = self.chance.choice(words.RESCUES)
        where = place.format(km=self.chance.randrange(20, 900), town=self.chance.choice(words.TOWNS))
        fields = {"place": where, "contact": self.mobile(), "fault": fault, "danger": "K" in where}
        return subject, notes, fields, "服务车到达现场，抢修后恢复运行。"
