"""The calls of the demonstration year, told as the facts a switch would have told, so that every row is projected.

Whoever opened a ticket in ``ticketing.demo`` took a call for it; others call too, hang up, wait, or give up.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, selectinload

from callcenter import facts as said
from callcenter import phone
from callcenter.database import Database, from_us
from callcenter.events import Fact
from callcenter.ledger import LedgerRow
from config import demo as house
from config.demo import Shift
from config.queues import Queue
from config.settings import Settings
from cti import dispositions, projection
from ticketing.demo import moments
from ticketing.rows import Customer, Engine, Phone, Ticket

SEED = 4009
CALLS = 1500
SOURCE = "demo"
_OUTCOMES = (
    ("solved", "当场解决", "Solved on the phone"),
    ("dispatched", "已派服务站", "Station sent"),
    ("ticket", "已建工单", "Ticket opened"),
    ("call_back", "需回拨", "To be called back"),
    ("handed_over", "已转他人", "Handed to a colleague"),
    ("wrong_number", "打错电话", "Wrong number"),
)
_BATCH = 1000  # facts in one go
_KEYS = {"inquiry": "1", "complaint": "2", "repair": "3", "follow_up": "4", "rescue": "5"}
_WISHES = ("inquiry", "complaint", "repair", "follow_up", "rescue")
_WEIGHTS = (30, 8, 40, 16, 6)


def fill_outcomes(db: Session) -> None:
    """What agents may say of a call."""
    for place, (code, zh, en) in enumerate(_OUTCOMES):
        dispositions.put(db, code, zh, en, place)


def fill_calls(database: Database, settings: Settings, now: datetime) -> int:
    """Tell the year's calls once; how many were told."""
    with database.write() as db:
        if db.scalar(select(exists().where(LedgerRow.source == SOURCE))):
            return 0
        year = _Year(db, settings, now)
        year.tell()
        facts = sorted(year.facts, key=attrgetter("at"))
        for begin in range(0, len(facts), _BATCH):
            projection.record(db, projection.recognise(db, facts[begin : begin + _BATCH]), SOURCE)
        return year.calls


@dataclass(frozen=True, kw_only=True)
class _Caller:
    """Who is going to call, when, and what for."""

    at: datetime
    call_id: str
    number: str
    english: bool
    wish: str
    serial: str = ""
    ticket: Ticket | None = None  # which was opened while they talked


class _Year:
    """The desk through one year: who is free when, and what the switch would have said."""

    def __init__(self, db: Session, settings: Settings, now: datetime) -> None:
        self.db = db
        self.now = now
        self.zone = settings.centre.zone
        self.switch = settings.switch.name
        self.chance = random.Random(SEED)
        self.wrap_up = {queue.name: queue.wrap_up_s for queue in db.scalars(select(Queue))}
        self.facts: list[Fact] = []
        self.calls = 0
        self.legs = 100_000
        self.free_at: dict[str, datetime] = {}
        self.shifts: list[Shift] = []
        self.day = from_us(0).date()

    def tell(self) -> None:
        for caller in sorted(self.callers(), key=attrgetter("at")):
            day = caller.at.astimezone(self.zone).date()
            if day != self.day:
                self.day, self.shifts = day, house.shifts(day, self.zone)
                for shift in self.shifts:
                    self.open(shift)
            self.call(caller)

    # --- who calls ---------------------------------------------------------------------------------------------

    def callers(self) -> list[_Caller]:
        whole = selectinload(Ticket.customer).selectinload(Customer.phones)
        opened = select(Ticket).where(Ticket.call_id.is_not(None)).order_by(Ticket.id)
        found = [
            self.of_ticket(ticket) for ticket in self.db.scalars(opened.options(whole, selectinload(Ticket.engine)))
        ]
        number_and_language = (
            select(Phone.number, Customer.language, Customer.id).join(Phone.customer).order_by(Phone.id)
        )
        known = self.db.execute(number_and_language).all()
        ends: dict[int | None, list[str]] = {}
        for owner, end in self.db.execute(select(Engine.customer_id, Engine.serial_end).order_by(Engine.id)):
            ends.setdefault(owner, []).append(end)
        for at in moments(self.chance, self.now, self.zone, max(0, CALLS - len(found))):
            number, language, owner = self.chance.choice(known)
            if self.chance.random() < 0.2:  # somebody new
                number, language, owner = f"+8613{self.chance.randrange(10**9):09d}", "zh", None
            wish = self.chance.choices(_WISHES, _WEIGHTS)[0]
            serial = self.chance.choice(ends[owner]) if owner in ends and self.chance.random() < 0.5 else ""
            call_id = self.leg_id(at)
            found.append(
                _Caller(at=at, call_id=call_id, number=number, english=language == "en", wish=wish, serial=serial)
            )
        return found

    def of_ticket(self, ticket: Ticket) -> _Caller:
        assert ticket.call_id is not None
        assert ticket.customer is not None
        began = int(ticket.call_id.rsplit("-", 1)[-1].split(".")[0])
        return _Caller(
            at=from_us(began * 1_000_000 + self.chance.randrange(1_000_000)),
            call_id=ticket.call_id,
            number=ticket.customer.phones[0].number,
            english=ticket.customer.language == "en",
            wish=ticket.kind,
            serial=ticket.engine.serial_end if ticket.engine and self.chance.random() < 0.4 else "",
            ticket=ticket,
        )

    def leg_id(self, at: datetime) -> str:
        self.legs += 1
        return f"{self.switch}-{int(at.timestamp())}.{self.legs}"

    # --- the agents' day ---------------------------------------------------------------------------------------

    def open(self, shift: Shift) -> None:
        """He comes, eats and goes, a few minutes off as people are."""
        late = timedelta(seconds=self.chance.randrange(-240, 60))
        self.choose(shift.extension, shift.begins + late, "available", by=shift.login)
        self.choose(shift.extension, shift.meal, "on_break", "lunch", by=shift.login)
        self.choose(shift.extension, shift.meal + shift.MEAL, "available", by=shift.login)
        self.choose(shift.extension, shift.ends + abs(late), "offline", by=shift.login)
        self.free_at[shift.extension] = shift.begins

    def choose(self, agent: str, at: datetime, status: str, reason: str = "", by: str = "") -> None:
        at = at.astimezone(self.now.tzinfo)
        self.facts.append(said.StatusChosen(at=at, agent=agent, status=status, reason=reason, by=by))

    def next_free(self, at: datetime, leaving_out: set[str], best: str) -> tuple[datetime, Shift] | None:
        """Who can be rung first from then on, of several the ``best`` login; None if nobody comes any more that day."""
        found = []
        for shift in self.shifts:
            from_ = max(at, self.free_at[shift.extension])
            if shift.meal <= from_ < shift.meal + shift.MEAL:
                from_ = shift.meal + shift.MEAL
            if shift.takes_calls(from_) and shift.extension not in leaving_out:
                found.append((from_, shift))
        return min(found, key=lambda pair: (pair[0], pair[1].login != best, self.chance.random()), default=None)

    # --- one call ----------------------------------------------------------------------------------------------

    def call(self, caller: _Caller) -> None:
        self.calls += 1
        told = _Told(self, caller)
        chance = self.chance
        told.arrives()
        if caller.ticket is None and chance.random() < 0.04:
            told.hangs_up(told.at + timedelta(seconds=chance.uniform(2, 15)))
            return
        told.walks_the_menu()
        patience = timedelta(seconds=4 + chance.expovariate(1 / 240)) if caller.ticket is None else timedelta(hours=1)
        gives_up = told.at + patience
        busy = timedelta(seconds=chance.expovariate(1 / 40) if chance.random() < 0.3 and caller.ticket is None else 0.2)
        asked: set[str] = set()
        best = caller.ticket.opened_by if caller.ticket else ""
        while True:
            free = self.next_free(told.at + busy, asked, best)
            if free is None or free[0] > gives_up:
                told.gives_up(gives_up if free else min(gives_up, told.at + timedelta(seconds=90)))
                return
            begins, shift = free
            rings = timedelta(seconds=chance.uniform(1.5, 8))
            misses = caller.ticket is None and chance.random() < 0.04 and len(asked) < 2
            if begins + (timedelta(seconds=15) if misses else rings) > gives_up:
                told.rings(shift, begins)
                told.gives_up(gives_up)
                return
            told.rings(shift, begins)
            if not misses:
                told.talks(shift, begins + rings)
                return
            told.is_missed(shift, begins + timedelta(seconds=15))
            asked.add(shift.extension)
            busy = timedelta(seconds=0.2)


class _Told:
    """One call as it is told; ``at`` is where the telling has come to."""

    def __init__(self, year: _Year, caller: _Caller) -> None:
        self.year = year
        self.caller = caller
        self.chance = year.chance
        self.at = caller.at
        self.joined_at = caller.at
        self.agent_leg = ""
        self.rung_at = caller.at

    def say(self, kind: type[Fact], at: datetime, /, **words: Any) -> None:
        self.at = at
        self.year.facts.append(kind(at=at, switch=self.year.switch, call_id=self.caller.call_id, **words))

    def after(self, least_s: float, most_s: float) -> datetime:
        return self.at + timedelta(seconds=self.chance.uniform(least_s, most_s))

    def arrives(self) -> None:
        caller = self.caller
        home = caller.number.startswith("+86")
        self.say(
            said.LegStarted,
            self.at,
            leg_id=caller.call_id,
            channel=f"PJSIP/trunk-{int(caller.call_id.rsplit('.')[-1]):08x}",
            context="from-trunk",
            did="4009" if caller.english else "4008",
            caller_number=caller.number[3:] if home else phone.main(caller.number),
            caller_name="",
            number=phone.main(caller.number),
            language="en" if caller.english else "zh",
            trunk=True,
        )
        self.say(said.LegAnswered, self.after(0.02, 0.08), leg_id=caller.call_id)

    def walks_the_menu(self) -> None:
        caller, leg = self.caller, self.caller.call_id
        self.say(said.MenuStep, self.after(5, 16), leg_id=leg, flow="service", step="menu", heard=_KEYS[caller.wish])
        if caller.wish in ("repair", "rescue"):
            step = f"{caller.wish}_serial"
            self.say(said.MenuStep, self.after(4, 12), leg_id=leg, flow="service", step=step, heard=caller.serial)
        wish = caller.wish
        self.say(
            said.MenuLeft, self.after(2, 4), leg_id=leg, flow="service", queue=wish, kind=wish, serial=caller.serial
        )
        self.say(said.QueueJoined, self.after(0.02, 0.05), leg_id=leg, queue=wish, position=1)
        self.joined_at = self.at

    def waited_s(self, at: datetime) -> int:
        return int((at - self.joined_at).total_seconds())

    def rings(self, shift: Shift, at: datetime) -> None:
        at = max(at.astimezone(self.at.tzinfo), self.at)
        self.agent_leg, self.rung_at = self.year.leg_id(at), at
        channel = f"PJSIP/{shift.extension}-{self.year.legs:08x}"
        self.say(
            said.LegStarted,
            at,
            leg_id=self.agent_leg,
            channel=channel,
            context="agents",
            did="",
            caller_number="",
            caller_name="",
            agent=shift.extension,
        )
        caller_leg = self.caller.call_id
        self.say(
            said.AgentRung,
            self.after(0.01, 0.02),
            leg_id=self.agent_leg,
            caller_leg_id=caller_leg,
            queue=self.caller.wish,
            agent=shift.extension,
        )

    def is_missed(self, shift: Shift, at: datetime) -> None:
        agent, queue = shift.extension, self.caller.wish
        at = max(at.astimezone(self.at.tzinfo), self.at)
        self.say(said.AgentMissed, at, leg_id=self.agent_leg, queue=queue, agent=agent, ring_ms=15000)
        self.say(said.LegEnded, self.after(0.001, 0.01), leg_id=self.agent_leg, cause=19, cause_text="No answer")
        self.agent_leg = ""
        self.year.choose(agent, self.after(0.01, 0.02), "on_break", "missed", by="policy")
        back = self.after(30, 240)
        self.year.choose(agent, back, "available", by=shift.login)
        self.year.free_at[agent] = back

    def gives_up(self, at: datetime) -> None:
        """While he waits, or while it rings."""
        at = max(at.astimezone(self.at.tzinfo), self.at)
        self.say(
            said.QueueAbandoned,
            at,
            leg_id=self.caller.call_id,
            queue=self.caller.wish,
            position=1,
            wait_s=self.waited_s(at),
        )
        if self.agent_leg:
            self.say(
                said.LegEnded, self.after(0.001, 0.01), leg_id=self.agent_leg, cause=26, cause_text="Answered elsewhere"
            )
        self.hangs_up(self.after(0.001, 0.01))

    def hangs_up(self, at: datetime) -> None:
        self.say(said.LegEnded, at, leg_id=self.caller.call_id, cause=16, cause_text="Normal Clearing")

    def talks(self, shift: Shift, at: datetime) -> None:
        agent, queue, ticket = shift.extension, self.caller.wish, self.caller.ticket
        at = max(at.astimezone(self.at.tzinfo), self.at)
        self.say(said.LegAnswered, at, leg_id=self.agent_leg)
        self.say(
            said.AgentAnswered,
            self.after(0.001, 0.01),
            leg_id=self.agent_leg,
            queue=queue,
            agent=agent,
            wait_s=self.waited_s(at),
            ring_s=int((at - self.rung_at).total_seconds()),
        )
        answered_at = self.at
        if ticket is not None:
            bound = answered_at + timedelta(seconds=20)
            self.say(said.CustomerBound, bound, customer_id=ticket.customer_id, by=ticket.opened_by)
        talk_s = min(1500.0, 25 + self.chance.lognormvariate(4.7, 0.7))
        over = answered_at + timedelta(seconds=talk_s)
        if ticket is not None:
            over = max(over, ticket.opened_at + timedelta(seconds=self.chance.uniform(10, 60)))
        if self.chance.random() < 0.12:
            held = answered_at + (over - answered_at) * 0.4
            self.say(said.Held, held, leg_id=self.agent_leg)
            self.say(said.Resumed, held + (over - answered_at) * self.chance.uniform(0.1, 0.3), leg_id=self.agent_leg)
        self.say(
            said.AgentDone,
            over,
            leg_id=self.agent_leg,
            queue=queue,
            agent=agent,
            wait_s=self.waited_s(answered_at),
            talk_s=int((over - answered_at).total_seconds()),
            reason=self.chance.choice(("caller", "caller", "agent")),
        )
        self.say(said.LegEnded, self.after(0.001, 0.01), leg_id=self.agent_leg, cause=16, cause_text="Normal Clearing")
        self.hangs_up(self.after(0.001, 0.01))
        wrapped = self.chance.uniform(6, self.year.wrap_up.get(queue, 60) * 1.3)
        by_clock = wrapped > self.year.wrap_up.get(queue, 60)
        done = self.at + timedelta(seconds=min(wrapped, self.year.wrap_up.get(queue, 60)))
        self.year.facts.append(said.WrapUpFinished(at=done, agent=agent, by="clock" if by_clock else shift.login))
        self.year.free_at[agent] = done + timedelta(seconds=1)
