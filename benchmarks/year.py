"""A year of ten million calls: one week told in full, and as often again as it takes.

The week is made here, from a fixed seed, agent by agent; its days are counted by the product. The year is that week
52 times: rows and kept days alike, by one statement for each table.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, insert, select

import tests.tables  # noqa: F401 - the tables must be known before they are made
from callcenter.database import Base, Database, to_us
from config.queues import Queue
from cti import rollups
from cti.kept import AgentDay, AgentQuarters, KeptDay, QueueDay, QueueQuarter
from reports import periods

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2025, 1, 6, tzinfo=ZONE)
WEEKS = 52
WEEK_US = 7 * 86_400_000_000
QUEUES = ("repair", "rescue", "inquiry", "complaint", "follow_up", "parts", "dealer", "english")
SECOND = 1_000_000
OPENS_S, CLOSES_S = 8 * 3600, 20 * 3600
RAW = ("segments", "offers", "spells")
KEPT: tuple[type[Base], ...] = (KeptDay, QueueDay, QueueQuarter, AgentDay, AgentQuarters)

Rows = list[tuple[Any, ...]]


@dataclass
class Week:
    """The rows of one week, in the order of the tables' columns; times in microseconds."""

    waits: int = 0
    segments: Rows = field(default_factory=list)
    offers: Rows = field(default_factory=list)
    spells: Rows = field(default_factory=list)

    @classmethod
    def of(cls, waits: int, seed: int = 4009) -> Week:
        """So many waits or a little more."""
        week = cls()
        chance = random.Random(seed)
        agents = max(1, math.ceil(waits / 7 / 147))  # of whom each takes about 130 a day; others give up
        for day in range(7):
            opens = to_us(MONDAY) + day * 86_400 * SECOND + OPENS_S * SECOND
            for agent in range(agents):
                week._agent(chance, str(1000 + agent), opens)
            for _ in range(agents * 21):
                week._unanswered(chance, opens)
        return week

    def _call(self) -> str:
        self.waits += 1
        return f"tel-{self.waits}.1"

    def _agent(self, chance: random.Random, agent: str, opens: int) -> None:
        closes = opens + (CLOSES_S - OPENS_S) * SECOND - 3600 * SECOND
        at = opens + int(chance.uniform(0, 600) * SECOND)
        while at < closes:
            call_id, queue = self._call(), chance.choice(QUEUES)
            ready = int(chance.expovariate(1 / 110) * SECOND)
            left = at + ready
            joined = left - int(min(chance.expovariate(1 / 14), 600) * SECOND)
            joined = max(joined, opens)
            talked = left + int(min(chance.expovariate(1 / 170), 1800) * SECOND)
            done = talked + int(chance.uniform(5, 60) * SECOND)
            leg = f"{call_id}-{agent}"
            self.segments.append((call_id, 0, "queue", queue, None, joined, left, "answered"))
            self.segments.append((call_id, 1, "talk", queue, agent, left, talked, ""))
            self.offers.append((leg, call_id, queue, agent, joined, left, "answered"))
            self.spells.append((agent, at, left, "available", "", "idle", None, None))
            self.spells.append((agent, left, talked, "available", "", "talking", call_id, queue))
            self.spells.append((agent, talked, done, "available", "", "wrap_up", call_id, queue))
            at = done
        self.spells.append((agent, at, opens + 86_400 * SECOND - 600 * SECOND, "offline", "", "idle", None, None))

    def _unanswered(self, chance: random.Random, opens: int) -> None:
        joined = opens + int(chance.uniform(0, CLOSES_S - OPENS_S - 3600) * SECOND)
        outcome = chance.choices(("abandoned", "timeout", "continue"), (85, 10, 5))[0]
        wait = 300.0 if outcome == "timeout" else min(chance.expovariate(1 / 40), 600)
        row = (self._call(), 0, "queue", chance.choice(QUEUES), None, joined, joined + int(wait * SECOND), outcome)
        self.segments.append(row)

    def rows(self, table: str) -> Rows:
        found: Rows = getattr(self, table)
        return found


def columns(table: str) -> list[str]:
    return [column.key for column in Base.metadata.tables[table].columns]


def fill_week(database: Database, week: Week) -> int:
    """The week in the product's own tables, and its days counted by the product; how many."""
    with database.write() as db:
        for name in QUEUES:
            db.add(Queue(name=name, title_zh=name, title_en=name))
        connection = db.connection().connection
        for table in RAW:
            places = ", ".join("?" for _ in columns(table))
            connection.cursor().executemany(f"INSERT INTO {table} VALUES ({places})", week.rows(table))
        db.execute(
            insert(Base.metadata.tables["agents"]),
            [
                {"extension": extension, "status": "offline", "state": "idle", "reachable": False, "legs": {}}
                | {"status_reason": ""}
                for extension in sorted({row[0] for row in week.spells})
            ],
        )
    monday = MONDAY.date()
    whole = periods.span(monday, monday + timedelta(days=6), ZONE)
    days = [(day.start, day.end) for day in periods.days(whole, ZONE)]
    return rollups.keep(database, days, ZONE, MONDAY + timedelta(days=8))


def kept_rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """What the product keeps of the week."""
    with database.read() as db:
        tables = [table.__table__ for table in KEPT]
        return {table.name: [dict(row._mapping) for row in db.execute(select(table))] for table in map(_table, tables)}


def _table(table: Any) -> Table:
    assert isinstance(table, Table)
    return table


def multiplied(table: str, source: str, weeks: str, first: int = 0) -> str:
    """SQL that selects the source's rows once for each week, each time a week later, as another call's."""
    said = []
    for name in columns(table):
        if name.endswith("_at"):
            said.append(f"r.{name} + w.n * {WEEK_US} AS {name}")
        elif name in ("call_id", "leg_id"):
            said.append(f"r.{name} || '.' || w.n AS {name}")
        else:
            said.append(f'r."{name}"')
    return f"SELECT {', '.join(said)} FROM {weeks} w CROSS JOIN {source} r WHERE w.n >= {first}"
