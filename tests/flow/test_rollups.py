"""Days that are kept say exactly what their calls say, in every zone, and stop being kept when a fact touches them."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from callcenter.facts import StatusChosen, WrapUpFinished
from config import queues
from config.people import User
from config.queues import Queue
from config.settings import ServiceLevels
from cti import kept, rollups, waits
from cti.kept import KeptDay, QueueDay, QueueQuarter
from cti.projection import rebuild, record
from cti.rows import Call, Membership, Offer, Segment, Spell
from reports import keep, occupancy, periods, report
from reports.report import Asked
from tests.facts import NINE, Told, answered_call

LEVELS = ServiceLevels()

ZONES = ("Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana")
CHANGES = (date(2026, 3, 28), date(2026, 10, 3), date(2026, 10, 24), date(2026, 10, 31))  # the day before the clocks do
DAYS = 3


def generated(db, first: datetime, days: int, calls: int, seed: int = 1) -> None:
    """Calls of every ending on these days, also around midnight, with what follows a wait; agents' days as well."""
    chance = random.Random(seed)
    second = timedelta(seconds=1)
    for no in range(calls):
        joined = first + timedelta(days=days) * chance.random()
        if chance.random() < 0.1:  # just before or after an hour
            joined = joined.replace(minute=0, second=0, microsecond=0) - chance.choice((0, 1)) * second / 1_000_000
        wait = second * chance.choice((0, 5, 20, chance.expovariate(1 / 30)))
        outcome = chance.choices(("answered", "abandoned", "timeout", "continue"), (80, 12, 4, 4))[0]
        call_id, queue, agent = f"tel-{no}.1", chance.choice(("repair", "rescue")), chance.choice(("1001", "1002"))
        left = joined + wait
        parts: list[tuple[str, str, str | None, datetime, datetime, str]] = [
            ("queue", queue, None, joined, left, outcome)
        ]
        if outcome == "answered":
            talked = left + second * chance.expovariate(1 / 200)
            parts.append(("talk", queue, agent, left, talked, ""))
            if chance.random() < 0.2:
                held = talked + second * chance.uniform(1, 60)
                parts.append(("hold", queue, agent, talked, held, ""))
                talked = held
            if chance.random() < 0.1:  # on to the other queue, and answered there
                other = "rescue" if queue == "repair" else "repair"
                parts.append(("queue", other, None, talked, talked + 7 * second, "answered"))
                parts.append(("talk", other, "1002", talked + 7 * second, talked + 50 * second, ""))
            db.add(
                Spell(
                    extension=f"9{no}",
                    started_at=talked,
                    ended_at=talked + second * chance.uniform(1, 90),
                    status="available",
                    state="wrap_up",
                    call_id=call_id,
                    queue=queue,
                )
            )
        for number, (kind, name, whose, begun, ended, said) in enumerate(parts):
            db.add(
                Segment(
                    call_id=call_id, no=number, kind=kind, queue=name, agent=whose,
                    started_at=begun, ended_at=ended, outcome=said,
                )
            )  # fmt: skip
        for rung in range(chance.choice((0, 1, 1, 2))):
            said = "answered" if outcome == "answered" and rung == 0 else chance.choice(("missed", "cancelled"))
            db.add(
                Offer(
                    leg_id=f"{call_id}-{rung}", call_id=call_id, queue=queue, agent=agent,
                    rung_at=joined + wait / 2, ended_at=left, outcome=said,
                )
            )  # fmt: skip
        db.add(
            Call(
                call_id=call_id, switch="tel", direction="in", caller_number="+8613800138000", state="ended",
                started_at=joined, ended_at=parts[-1][4], transfers=len(parts) > 3,
            )
        )  # fmt: skip
    at = first - timedelta(hours=7)
    while at < first + timedelta(days=days):
        lasts = second * chance.uniform(1, 40_000)
        state = chance.choice(("idle", "idle", "ringing", "talking", "wrap_up"))
        status = chance.choice(("available", "on_break", "offline"))
        db.add(Spell(extension="1001", started_at=at, ended_at=at + lasts, status=status, state=state, reason="meal"))
        at += lasts


def people(db) -> None:
    person = {"password_hash": "-", "role": "agent", "created_at": NINE}
    for extension, name in (("1001", "王芳"), ("1002", "李娜")):
        db.add(User(login=f"a{extension}", name=name, extension=extension, **person))
    queues.create_queue(db, "repair", "报修", "Repairs", target_s=20, short_abandon_s=5)
    queues.create_queue(db, "rescue", "求援", "Rescue", target_s=10, short_abandon_s=3)


def serve(db, first: datetime, until: datetime) -> None:
    """王芳 serves the repair queue throughout, 李娜 up to then."""
    db.add(Membership(queue="repair", extension="1001", started_at=first, ended_at=None, penalty=0))
    db.add(Membership(queue="repair", extension="1002", started_at=first, ended_at=until, penalty=0))


def said(db, zone, now, period, by, queue=None):
    told = report.report(db, zone, now, Asked(period=period, by=by, queue=queue), LEVELS)
    lines = [(line.period, line.queue, tuple((f.name, f.value) for f in line.figures)) for line in told.lines]
    agents = [(one.extension, tuple((f.name, f.value) for f in one.figures)) for one in told.agents]
    return [(f.name, f.value) for f in told.figures], lines, agents


def test_kept_months_say_what_their_days_say_and_go_with_any_of_them(database):
    """April and May are whole; calls came in late March and early June, too."""
    zone = SHANGHAI
    whole = periods.span(date(2026, 3, 25), date(2026, 6, 5), zone)
    year = periods.span(date(2026, 1, 1), date(2026, 12, 31), zone)
    now = whole.end + timedelta(hours=3)
    with database.write() as db:
        people(db)
        generated(db, whole.start, whole.length.days, 300)
        serve(db, whole.start, whole.end - timedelta(days=20))

    def everything():
        with database.read() as db:
            return [
                said(db, zone, now, year, by, queue) for by in ("month", "queue", "agent") for queue in (None, "repair")
            ]

    def standing():
        with database.read() as db:
            found = db.scalars(select(KeptDay.starts_at).where(KeptDay.span == "month").order_by(KeptDay.starts_at))
            return [at.astimezone(zone).date() for at in found]

    raw = everything()
    keep.keep_days(database, zone, now)
    assert standing() == [date(2026, 4, 1), date(2026, 5, 1)]
    assert everything() == raw
    with database.write() as db:
        told = periods.day(date(2026, 5, 20), zone).start + timedelta(hours=9)
        record(db, Told("tel-late.1", at=told).arrives().joins("repair").abandons("repair").ends().facts, "cel")
    assert standing() == [date(2026, 4, 1)]
    doubted = everything()
    assert doubted != raw
    keep.keep_days(database, zone, now)
    assert standing() == [date(2026, 4, 1), date(2026, 5, 1)]
    assert everything() == doubted


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("Europe/Berlin", date(2026, 10, 24)),
        ("Australia/Lord_Howe", date(2026, 10, 3)),  # by half an hour
        ("Asia/Kathmandu", date(2026, 3, 28)),
    ],
)
def test_how_busy_agents_are_is_their_own_time_however_finely_it_is_cut(database, name, changes):
    zone = ZoneInfo(name)
    whole = periods.span(changes, changes + timedelta(days=DAYS - 1), zone)
    now = whole.end + timedelta(hours=3)
    with database.write() as db:
        people(db)
        generated(db, whole.start, DAYS, 60)
        serve(db, whole.start, whole.start + timedelta(days=1, hours=5))
        for begun, ended, penalty in ((-30, 5, 0), (5, 20, 1), (DAYS * 24 - 20, None, 0)):  # hours
            hours = [None if at is None else whole.start + timedelta(hours=at) for at in (begun, ended)]
            db.add(Membership(queue="parts", extension="1001", started_at=hours[0], ended_at=hours[1], penalty=penalty))

    def everything():
        with database.read() as db:
            spent = occupancy.Spent(db, zone, now, whole)
            cut = {step: periods.pieces(whole, zone, step) for step in periods.STEPS}
            told = {
                (step, queue): [(one.ready_us, one.busy_us) for one in spent.by_piece(pieces, queue)]
                for step, pieces in cut.items()
                for queue in (None, "repair", "rescue", "parts")
            }
            for queue in (None, "repair", "rescue", "parts"):
                together = occupancy.together(spent.by_piece(cut["day"], queue))
                assert spent.whole(queue) == together, f"{queue}: served throughout, on some days, or by nobody"
            return told

    raw = everything()
    keep.keep_days(database, zone, now)
    assert everything() == raw
    with database.read() as db:
        agents_ = report.report(db, zone, now, Asked(period=whole, by="agent"), LEVELS).everybody
        assert agents_ is not None
        told = {figure.name: figure.value for figure in agents_.figures}
        line = report.report(db, zone, now, Asked(period=whole, by="week"), LEVELS).figures[-1]
    assert (line.name, line.of_calls) == ("occupancy", False)
    assert line.value == pytest.approx(told["occupancy"])
    logged = [told[name] or 0 for name in ("ready", "talk", "hold", "wrap_up")]
    for step in periods.STEPS:
        ready, busy = (sum(parts) for parts in zip(*raw[step, None], strict=True))
        assert (ready / 1_000_000, busy / 1_000_000) == pytest.approx((logged[0], sum(logged[1:])))
        assert sum(map(sum, raw[step, "repair"])) == sum(map(sum, raw["day", "repair"])) > 0
        assert sum(map(sum, raw[step, "rescue"])) == 0, "nobody serves it"
        assert 0 < sum(map(sum, raw[step, "parts"])) < sum(map(sum, raw[step, "repair"])), "on the first and last day"
        size = periods.STEPS[step]
        if isinstance(size, int):
            assert max(ready + busy for ready, busy in raw[step, None]) <= size * 60_000_000 * 2, "two agents, no more"


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("name", ZONES)
def test_kept_days_say_what_the_calls_say_and_pieces_add_up(database, name, changes):
    zone = ZoneInfo(name)
    whole = periods.span(changes, changes + timedelta(days=DAYS - 1), zone)
    now = whole.end + timedelta(hours=3)
    with database.write() as db:
        people(db)
        generated(db, whole.start, DAYS, 120)
        serve(db, whole.start, whole.start + timedelta(days=1, hours=5))

    def everything():
        with database.read() as db:
            return [said(db, zone, now, whole, by, queue) for by in report.BY for queue in (None, "repair")]

    raw = everything()
    assert keep.keep_days(database, zone, now) >= DAYS
    with database.read() as db:
        assert db.scalar(select(func.count()).select_from(KeptDay).where(KeptDay.ready)) >= DAYS
    assert everything() == raw
    counts = ("offered", "answered", "abandoned", "short_abandons", "flow_outs")
    figures = dict(raw[0][0])
    assert figures["offered"] == figures["answered"] + figures["abandoned"] + figures["flow_outs"] + figures["waiting"]
    for by, (_, lines, _) in zip(report.BY, raw[::2], strict=True):
        if by != "agent":
            for one in counts:
                assert sum(dict(line[2])[one] for line in lines) == figures[one], (by, one)
        else:
            parts = ("ready", "ringing", "talk", "hold", "wrap_up", "pause")
            for _, told in raw[-2][2]:
                assert dict(told)["logged"] == pytest.approx(sum(dict(told)[part] for part in parts))


def test_a_threshold_changed_today_changes_what_is_told_of_last_year(database):
    zone = ZoneInfo("Asia/Shanghai")
    whole = periods.span(date(2025, 11, 1), date(2025, 11, 2), zone)
    with database.write() as db:
        people(db)
        generated(db, whole.start, 2, 150)
    keep.keep_days(database, zone, NINE)

    def level():
        with database.read() as db:
            return dict(said(db, zone, NINE, whole, "day", "repair")[0])

    before = level()
    with database.write() as db:
        db.execute(update(Queue).where(Queue.name == "repair").values(target_s=45, short_abandon_s=30))
    after = level()
    assert after["service_level"] > before["service_level"]
    assert after["short_abandons"] > before["short_abandons"]
    with database.write() as db:
        db.execute(update(Queue).where(Queue.name == "repair").values(service_level="sl1"))
        rollups.forget(db)
    raw = level()
    assert raw["service_level"] == raw["sl1"]
    assert {name: value for name, value in raw.items() if name != "service_level"} == {
        name: value for name, value in after.items() if name != "service_level"
    }


def keep_facts(database, facts) -> None:
    with database.write() as db:
        record(db, facts, "ami")


def kept_days(database) -> list[datetime]:
    with database.read() as db:
        return list(db.scalars(select(KeptDay.starts_at).where(KeptDay.ready).order_by(KeptDay.starts_at)))


SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_a_day_is_kept_once_it_is_over_and_nothing_in_it_goes_on(database):
    call = answered_call()
    keep_facts(database, call.facts)  # he is in wrap-up
    assert keep.keep_days(database, SHANGHAI, NINE + timedelta(hours=5)) == 0  # the day is not over
    assert keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1)) == 0
    assert kept_days(database) == []
    keep_facts(database, [WrapUpFinished(at=call.at + timedelta(seconds=30), agent="1001", by="clock")])
    assert keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1)) == 1
    assert keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1)) == 0


def test_a_fact_told_late_drops_its_day_and_no_other(database):
    for day in range(3):
        call = answered_call(f"tel-{1795395600 + day}.{day}", at=NINE + timedelta(days=day)).wraps_up("1001")
        keep_facts(database, call.facts)
    now = NINE + timedelta(days=4)
    assert keep.keep_days(database, SHANGHAI, now) == 4
    days = kept_days(database)
    late = Told("tel-1795395000.77", at=NINE + timedelta(days=1, hours=2)).arrives().joins().abandons().ends()
    keep_facts(database, late.facts)  # read from the switch's log, days later
    assert kept_days(database) == [days[0], *days[2:]]
    period = periods.span(date(2026, 11, 23), date(2026, 11, 25), SHANGHAI)
    with database.read() as db:
        raw = said(db, SHANGHAI, now, period, "day")
    assert dict(raw[0])["abandoned"] == 1
    assert keep.keep_days(database, SHANGHAI, now) == 1
    with database.read() as db:
        assert said(db, SHANGHAI, now, period, "day") == raw
    keep_facts(database, [StatusChosen(at=now, agent="1001", status="on_break")])  # today's are nobody's past
    assert len(kept_days(database)) == 4


def test_what_changed_while_a_day_was_counted_is_not_kept(database, monkeypatch):
    keep_facts(database, answered_call().wraps_up("1001").facts)
    between = waits.between

    def interrupted(*asked: Any):
        found = between(*asked)
        late = Told("tel-1795395000.77", at=NINE + timedelta(hours=2)).arrives().joins().abandons().ends()
        keep_facts(database, late.facts)
        return found

    monkeypatch.setattr(waits, "between", interrupted)
    assert keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1)) == 0
    assert kept_days(database) == []
    monkeypatch.undo()
    assert keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1)) == 1
    with database.read() as db:
        assert [row.queue for row in db.scalars(select(QueueDay))] == ["repair"]
        assert len(db.scalars(select(QueueQuarter)).all()) == 2


def test_days_of_another_zone_are_counted_anew(database):
    keep_facts(database, answered_call().wraps_up("1001").facts)
    keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1))
    before = kept_days(database)
    keep.keep_days(database, ZoneInfo("Asia/Kolkata"), NINE + timedelta(days=1))
    assert kept_days(database) == [before[0] + timedelta(hours=2, minutes=30)]


def test_days_counted_by_an_older_version_are_not_believed_and_counted_anew(database):
    keep_facts(database, answered_call().wraps_up("1001").facts)
    keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1))
    with database.write() as db:
        db.execute(update(KeptDay).values(version=kept.VERSION - 1))
    with database.read() as db:
        assert not kept.tallies(db, NINE - timedelta(days=1), NINE + timedelta(days=1), SHANGHAI).days
    assert keep.keep_days(database, SHANGHAI, NINE + timedelta(days=1)) == 1


def test_rebuilding_forgets_and_keeps_the_same(database):
    for day in range(2):
        keep_facts(
            database,
            answered_call(f"tel-{1795395600 + day}.{day}", at=NINE + timedelta(days=day)).wraps_up("1001").facts,
        )

    def rows():
        with database.read() as db:
            return [tuple(row) for row in db.execute(select(*QueueQuarter.__table__.columns))]

    now = NINE + timedelta(days=3)
    keep.keep_days(database, SHANGHAI, now)
    before = rows()
    rebuild(database)
    assert rows() == []
    keep.keep_days(database, SHANGHAI, now)
    assert rows() == before != []


@pytest.mark.parametrize(
    ("touched", "merged"),
    [
        ([(3, 4), (1, 2)], [(1, 2), (3, 4)]),
        ([(1, 3), (2, 5), (5, 6)], [(1, 6)]),
        ([(1, 2), (2, None), (9, 10)], [(1, None)]),
        ([(1, None), (2, 3)], [(1, None)]),
        ([], []),
    ],
)
def test_stretches_that_overlap_are_one(touched, merged):
    def at(hour):
        return None if hour is None else datetime(2026, 11, 22, hour, tzinfo=UTC)

    assert rollups.merged([(at(one), at(end)) for one, end in touched]) == [(at(one), at(end)) for one, end in merged]
