"""Reports over ten million calls: ours, one SQL statement over the calls themselves, and DuckDB over Parquet.

The statements compute less than ours do (no percentiles, no hold, no wrap-up), and their tables have no index, since
they read all of it anyway. Every number they compute must be ours.

``python -m benchmarks.reports [CALLS [FOLDER]]``: with a folder, such as var/bench, what was made once is taken again.
"""

from __future__ import annotations

import csv
import gc
import math
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from rich.console import Console
from sqlalchemy import insert, text

from benchmarks.frame import Goal, Row
from benchmarks.year import MONDAY, QUEUES, RAW, WEEKS, ZONE, Week, columns, fill_week, kept_rows, multiplied
from callcenter.database import Base, Database, to_us
from config.queues import Queue
from config.settings import ServiceLevels
from cti import rollups
from cti.rows import Membership
from reports import periods, report
from reports.keep import months
from reports.report import Asked, Report
from tests.stores.postgresql import cluster

LEVELS = ServiceLevels()

CALLS = 10_000_000
DAY_US = 86_400_000_000
NOW = MONDAY + timedelta(weeks=WEEKS, days=1)
FIRST = MONDAY.date()
YEAR = periods.span(FIRST, FIRST + timedelta(weeks=WEEKS, days=-1), ZONE)
MONTH = periods.span(FIRST + timedelta(days=56), FIRST + timedelta(days=85), ZONE)

WAITS = """
SELECT {key},
  SUM(CASE WHEN kind = 'queue' THEN 1 ELSE 0 END) AS offered,
  SUM(CASE WHEN outcome = 'answered' THEN 1 ELSE 0 END) AS answered,
  SUM(CASE WHEN outcome = 'abandoned' THEN 1 ELSE 0 END) AS abandoned,
  SUM(CASE WHEN outcome = 'abandoned' AND ended_at - started_at < 5000000 THEN 1 ELSE 0 END) AS short_abandons,
  SUM(CASE WHEN kind = 'queue' AND outcome NOT IN ('answered', 'abandoned') THEN 1 ELSE 0 END) AS flow_outs,
  SUM(CASE WHEN outcome = 'answered' AND ended_at - started_at <= 20000000 THEN 1 ELSE 0 END) AS in_time,
  SUM(CASE WHEN outcome = 'answered' THEN ended_at - started_at ELSE 0 END) AS wait_us,
  MAX(CASE WHEN kind = 'queue' THEN ended_at - started_at END) AS longest_us,
  SUM(CASE WHEN kind = 'talk' THEN ended_at - started_at ELSE 0 END) AS talk_us
FROM {source} GROUP BY {key}"""
SPENT = """
SELECT extension,
  SUM(CASE WHEN state = 'idle' AND status = 'available' THEN ended_at - started_at ELSE 0 END) AS ready_us,
  SUM(CASE WHEN state = 'talking' THEN ended_at - started_at ELSE 0 END) AS talk_us,
  SUM(CASE WHEN state = 'wrap_up' THEN ended_at - started_at ELSE 0 END) AS wrap_up_us
FROM {source} GROUP BY extension"""

Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Standard:
    """A report, the statement that computes it from the calls, and how both are compared."""

    name: str
    asked: Asked
    sql: str = ""
    source: str = "segments"


def _day(divide: str) -> str:
    return f"(started_at - {to_us(MONDAY)}) {divide} {DAY_US}"


def standard(divide: str) -> list[Standard]:
    """``divide``: how this store divides whole numbers."""
    return [
        Standard("a year by day", Asked(period=YEAR, by="day"), WAITS.replace("{key}", _day(divide))),
        Standard("a year by queue", Asked(period=YEAR, by="queue"), WAITS.replace("{key}", "queue")),
        Standard("a year by agent", Asked(period=YEAR, by="agent"), SPENT, "spells"),
        Standard("a month by half hour", Asked(period=MONTH, by="half_hour")),
    ]


def measure(calls: int = CALLS, folder: Path | None = None) -> list[Row]:
    week = Week.of(math.ceil(calls / WEEKS))
    whole = week.waits * WEEKS
    with tempfile.TemporaryDirectory(prefix="cc-bench-", dir="/tmp") as temporary:
        home = Path(temporary) if folder is None else folder / str(calls)
        home.mkdir(parents=True, exist_ok=True)
        small = Database(f"sqlite:///{home / 'week.db'}")
        if _missing(home / "week.made"):
            small.create_all()
            days = fill_week(small, week)
            assert days == 7, f"{days} of 7 days are kept"
            (home / "week.made").touch()
        kept = kept_rows(small)
        told = [_one_day(home, week)]
        duck = _duckdb(home, week)
        database, ask = _sqlite(home, kept)
        told += _compared("SQLite", database, ask, duck, whole, tries=1)
        database.close()
        small.close()
        with cluster(None if folder is None else home / "postgresql") as url:
            database, ask = _postgresql(home, url, week, kept)
            told += _compared("PostgreSQL", database, ask, duck, whole, tries=2)
            database.close()
    return told


def _missing(mark: Path) -> bool:
    """Whether what the mark stands for is still to be made; what was half made is gone then."""
    if mark.exists():
        return False
    for left in mark.parent.glob(f"{mark.stem}.db*"):
        left.unlink()
    return True


def _compared(store: str, database: Database, ask: Ask, duck: dict[str, float], calls: int, tries: int) -> list[Row]:
    """Each report timed beside the same figures by one statement, and held against them."""
    told = []
    gc.collect()
    gc.freeze()  # as every process of ours does once it has started
    for one in standard("/"):
        ours_s, made = _timed(lambda one=one: _report(database, one.asked), 5)  # type: ignore[misc]
        name = f"reports: {one.name}, {calls / 1e6:.1f} million calls, {store}"
        if not one.sql:
            told.append(Row(name, ours_s, "s", Goal("ours", "<=", 1)))
            continue
        raw_s, rows = _timed(lambda one=one: ask(one.sql.format(source=one.source)), tries)  # type: ignore[misc]
        _same(one, made, rows)
        told.append(Row(name, ours_s, "s", Goal("ours", "<=", 1), raw_s, "one statement over the calls"))
        told.append(Row(f"{name}: quicker than the statement", raw_s / ours_s, "times", Goal("ours", ">=", 20)))
        told.append(Row(f"{name}: beside Parquet", ours_s, "s", None, duck[one.name], "DuckDB"))
    return told


def _report(database: Database, asked: Asked) -> Report:
    with database.read() as db:
        return report.report(db, ZONE, NOW, asked, LEVELS)


def _timed(do: Callable[[], Any], tries: int) -> tuple[float, Any]:
    """Median seconds, and what came of it."""
    took, made = [], None
    for _ in range(tries):
        began = time.perf_counter()
        made = do()
        took.append(time.perf_counter() - began)
    return median(took), made


def _same(one: Standard, made: Report, rows: list[tuple[Any, ...]]) -> None:
    """Not one number may differ."""
    if one.asked.by == "agent":
        raw = {row[0]: tuple(int(us) / 1_000_000 for us in row[1:]) for row in rows}
        ours: dict[Any, Any] = {}
        for agent in made.agents:
            figures = {figure.name: figure.value for figure in agent.figures}
            ours[agent.extension] = tuple(figures[name] for name in ("ready", "talk", "wrap_up"))
        assert ours == raw, "agents differ"
        return
    found: dict[Any, dict[str, float | None]] = {}
    for number, line in enumerate(made.lines):
        found[number if one.asked.by == "day" else line.queue] = {f.name: f.value for f in line.figures}
    assert len(rows) == len(found), f"{len(found)} lines, {len(rows)} by the statement"
    for key, *numbers in rows:
        offered, answered, abandoned, short, left, in_time, wait_us, longest_us, talk_us = map(int, numbers)
        del talk_us  # of the whole period below
        ours = found[key]
        theirs = {
            "offered": offered,
            "answered": answered,
            "abandoned": abandoned,
            "short_abandons": short,
            "flow_outs": left,
            "service_level": in_time / (offered - short),
            "asa": wait_us / 1_000_000 / answered,
            "longest_wait": longest_us / 1_000_000,
        }
        assert {name: ours[name] for name in theirs} == theirs, (key, ours, theirs)
    talk_us, answered = sum(int(row[-1]) for row in rows), sum(int(row[2]) for row in rows)
    whole = {figure.name: figure.value for figure in made.figures}
    assert whole["talk"] == talk_us / 1_000_000 / answered, "talk differs"


def _one_day(home: Path, week: Week) -> Row:
    """Today is never kept: its report reads the calls."""
    day = periods.span(FIRST, FIRST, ZONE)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        shutil.copy(home / "week.db", folder)
        small = Database(f"sqlite:///{folder}/week.db")
        with small.write() as db:
            db.execute(text("DELETE FROM kept_days"))
        took, _ = _timed(lambda: _report(small, Asked(period=day, by="half_hour")), 3)
        small.close()
    return Row(f"reports: today by half hour from {week.waits // 7:,} calls, SQLite", took, "s", Goal("ours", "<=", 1))


def _multiply_kept(database: Database, kept: dict[str, list[dict[str, Any]]]) -> None:
    """The week's kept days, and the same for each later week; the months are added up by the product."""
    with database.write() as db:
        for name in QUEUES:
            db.add(Queue(name=name, title_zh=name, title_en=name))
        db.execute(insert(Membership), _memberships({row["agent"] for row in kept["agent_days"]}))
        db.execute(text("CREATE TABLE weeks (n BIGINT)"))
        db.execute(text("INSERT INTO weeks VALUES (:n)"), [{"n": n} for n in range(WEEKS)])
        for table, rows in kept.items():
            db.execute(insert(Base.metadata.tables[table]), rows)
            names = ", ".join(f'"{name}"' for name in columns(table))
            db.execute(text(f"INSERT INTO {table} ({names}) {multiplied(table, table, 'weeks', first=1)}"))
    kept_months = rollups.keep_months(database, months(YEAR, ZONE), ZONE, NOW)
    assert kept_months >= 10, f"{kept_months} months are kept"


def _memberships(agents: Iterable[str]) -> list[dict[str, Any]]:
    """Everybody serves three queues, and one in ten another one from the middle of the year on."""
    found = []
    for number, agent in enumerate(sorted(agents)):
        for turn in range(3):
            moves = number % 10 == 0 and turn == 0
            then = MONDAY + timedelta(weeks=WEEKS // 2)
            row = {"queue": QUEUES[(number + turn) % len(QUEUES)], "extension": agent, "penalty": turn}
            found.append(row | {"started_at": MONDAY - timedelta(days=1), "ended_at": then if moves else None})
            if moves:
                found.append(found[-1] | {"queue": QUEUES[(number + 3) % len(QUEUES)], "started_at": then})
                found[-1]["ended_at"] = None
    return found


def _sqlite(home: Path, kept: dict[str, list[dict[str, Any]]]) -> tuple[Database, Ask]:
    database = Database(f"sqlite:///{home / 'year.db'}")
    new = _missing(home / "year.made")
    if new:
        database.create_all()
        _multiply_kept(database, kept)
    database.engine.dispose()  # the file is one connection's for a while
    connection = sqlite3.connect(home / "year.db", isolation_level=None)
    if not new:
        return database, lambda sql: connection.execute(sql).fetchall()
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("ATTACH ? AS week", (str(home / "week.db"),))
    for table in RAW:
        connection.execute(f"DROP TABLE main.{table}")
        connection.execute(f"CREATE TABLE main.{table} AS {multiplied(table, f'week.{table}', 'weeks')}")
    connection.execute("DETACH week")
    (home / "year.made").touch()
    return database, lambda sql: connection.execute(sql).fetchall()


def _postgresql(home: Path, url: str, week: Week, kept: dict[str, list[dict[str, Any]]]) -> tuple[Database, Ask]:
    database = Database(url)

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    if not _missing(home / "postgresql.made"):
        return database, ask
    database.create_all()
    _multiply_kept(database, kept)
    for table in RAW:
        with database.engine.begin() as connection:
            connection.execute(text(f"CREATE UNLOGGED TABLE week_{table} AS SELECT * FROM {table} WITH NO DATA"))
            with connection.connection.cursor() as cursor, cursor.copy(f"COPY week_{table} FROM STDIN") as copy:  # type: ignore[attr-defined]
                for row in week.rows(table):
                    copy.write_row(row)
            connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text(f"CREATE UNLOGGED TABLE {table} AS {multiplied(table, f'week_{table}', 'weeks')}"))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    (home / "postgresql.made").touch()
    return database, ask


def _duckdb(home: Path, week: Week) -> dict[str, float]:
    """Seconds of each statement over Parquet files of the same rows."""
    took = {}
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE weeks AS SELECT * FROM range({WEEKS}) t(n)")
        for table in ("segments", "spells") if _missing(home / "parquet.made") else ():
            _write_csv(home / f"{table}.csv", week, table)
            connection.execute(f"CREATE TABLE week AS SELECT * FROM read_csv('{home}/{table}.csv', all_varchar=false)")
            selected = multiplied(table, "week", "weeks")
            connection.execute(f"COPY ({selected}) TO '{home}/{table}.parquet' (FORMAT parquet)")
            connection.execute("DROP TABLE week")
        (home / "parquet.made").touch()
        for one in standard("//"):
            if one.sql:
                sql = one.sql.format(source=f"'{home}/{one.source}.parquet'")
                took[one.name], _ = _timed(lambda sql=sql: connection.execute(sql).fetchall(), 3)  # type: ignore[misc]
    return took


def _write_csv(path: Path, week: Week, table: str) -> None:
    with path.open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(columns(table))
        sheet.writerows(week.rows(table))


if __name__ == "__main__":
    from benchmarks.__main__ import table as shown

    said = sys.argv[1:]
    made = measure(int(said[0]) if said else CALLS, Path(said[1]) if said[1:] else None)
    Console(width=170).print(shown(made))
