"""Customers, tickets, log-ins and figures on a real PostgreSQL, where transactions truly run side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import delete, func, select

from config import people
from config.people import TooManyAttempts, User, WrongLogin
from config.settings import ServiceLevels, Settings
from cti import kept, projection
from cti.demo import fill_calls
from cti.rows import Call, Segment
from reports import keep, periods, report, today
from tests.facts import Told
from tests.stores.postgresql import migrated
from ticketing import customers, demo, duplicates, engines, merges, parts, search, tickets
from ticketing.merges import MergedMeanwhile
from ticketing.rows import Engine, Ticket
from ticketing.tickets import WrongTicketState
from ticketing.versions import StaleTicket

LEVELS = ServiceLevels()

NOW = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
AGENT = User(login="wangfang", name="王芳", role="agent")


@pytest.fixture(scope="module")
def database(server):
    with migrated(server) as database:
        with database.write() as db:
            demo.fill(db, Settings(), NOW)
        fill_calls(database, Settings(), NOW)
        yield database


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("13800138000", "李建国"),
        ("ljg", "李建国"),
        ("lijianguo", "李建国"),
        ("MÜLLER", "Müller Baumaschinen GmbH"),
        ("102938", "4D83 4D8325K102938"),
        ("4d83-25k102938", "4D83 4D8325K102938"),
    ],
)
def test_the_box_finds(database, typed, first):
    with database.read() as db:
        assert search.find(db, typed, AGENT)[0].title == first


@pytest.mark.parametrize("typed", ["\x00", "\udcff", "%_\\", "'; DROP TABLE customers; --", "9" * 200, "🚜"])
def test_the_box_survives_whatever_is_typed(database, typed):
    with database.read() as db:
        search.find(db, typed, AGENT)
        tickets.listed(db, AGENT, states=[typed], kind=typed, owner=typed, below_id=2**40)
        assert customers.by_number(db, "+999") == []


def test_callers_engines_and_lists_are_read_alike(database):
    with database.read() as db:
        [(li, level)] = customers.by_number(db, "+8613800138000")
        assert (li.name, level) == ("李建国", "known")
        assert engines.find(db, "102938")[0].customer_id == li.id
        assert tickets.listed(db, User(login="x", name="x", role="guest")) == []
        assert len(tickets.listed(db, AGENT, limit=5)) == 5
        assert all(row.kind == "follow_up" for row in tickets.listed(db, User(login="x", name="x", role="campaign")))


def test_figures_add_up_and_lead_to_their_calls(database):
    zone = Settings().centre.zone
    with database.read() as db:
        last = db.scalar(select(func.max(Call.started_at)))
        told = {figure.name: figure.value or 0 for figure in today.today(db, zone, last, LEVELS)}
        assert told["offered"] == told["answered"] + told["abandoned"] + told["flow_outs"] + told["waiting"] > 0
        assert len(today.calls_behind(db, zone, last, "answered", None, LEVELS)) == told["answered"]
        assert sum(one.answered for one in today.by_agent(db, zone, last)) >= told["answered"]


def test_kept_days_say_the_same_as_the_calls(database):
    zone = Settings().centre.zone
    period = periods.span(date(2026, 10, 1), date(2026, 10, 31), zone)

    def told():
        with database.read() as db:
            return [report.report(db, zone, NOW, report.Asked(period=period, by=by), LEVELS) for by in report.BY]

    raw = told()
    assert keep.keep_days(database, zone, NOW) > 300
    with database.read() as db:
        assert len(kept.tallies(db, period.start, period.end, zone).days) == 31
        assert len(kept.agent_tallies(db, period.start, period.end, zone)[0]) == 31
    for was, now in zip(raw, told(), strict=True):
        assert now.figures == was.figures
        assert now.lines == was.lines
        assert [(one.extension, one.tally) for one in now.agents] == [(one.extension, one.tally) for one in was.agents]


def test_a_fact_that_is_being_written_while_its_day_is_counted_is_not_lost(database):
    """The one who counts waits for the one who has doubted the day."""
    zone = Settings().centre.zone
    late = Told("tel-1700000000.5", at=datetime(2026, 9, 15, 3, tzinfo=UTC)).arrives().joins().abandons().ends()
    day = periods.span(date(2026, 9, 15), date(2026, 9, 15), zone)
    keep.keep_days(database, zone, NOW)
    with database.write() as db:
        db.execute(delete(kept.KeptDay).where(kept.KeptDay.starts_at == day.start))
    with ThreadPoolExecutor(1) as other:
        with database.write() as db:
            projection.record(db, late.facts, "queue_log")  # doubted, not yet committed
            counting = other.submit(keep.keep_days, database, zone, NOW)
            with pytest.raises(TimeoutError):
                counting.result(0.5)
        assert counting.result(20) == 1
    with database.read() as db:
        told = {f.name: f.value for f in report.report(db, zone, NOW, report.Asked(period=day), LEVELS).figures}
        assert day.start in kept.tallies(db, day.start, day.end, zone).days
        joined = select(func.count()).select_from(Segment).where(Segment.kind == "queue")
        assert told["offered"] == db.scalar(joined.where(Segment.started_at >= day.start, Segment.started_at < day.end))


def test_many_who_open_at_once_get_each_a_number_of_their_own(database):
    def open_one(_no):
        with database.write() as db:
            asked = {"topic": "price"}
            return tickets.open_ticket(db, "inquiry", subject="配件价格", by="wangfang", now=NOW, fields=asked).number

    with ThreadPoolExecutor(8) as many:
        numbers = list(many.map(open_one, range(40)))
    assert len(set(numbers)) == 40
    assert sorted(int(number[-4:]) for number in numbers) == list(range(1, 41))


def test_of_eight_who_save_at_once_one_wins_and_seven_are_told(database):
    with database.write() as db:
        asked = {"topic": "price"}
        ticket = tickets.open_ticket(db, "inquiry", subject="配件价格", by="wangfang", now=NOW, fields=asked)

    def save(no):
        with database.write() as db:
            mine = db.get(Ticket, ticket.id)
            try:
                tickets.change(db, mine, version=1, by=f"agent{no}", now=NOW, subject=f"标题{no}")
            except StaleTicket as fault:
                return list(fault.theirs)
            return "saved"

    def close(no):
        with database.write() as db:
            try:
                tickets.close(db, db.get(Ticket, ticket.id), by=f"agent{no}", now=NOW)
            except WrongTicketState:
                return False
            return True

    def note(no):
        with database.write() as db:
            tickets.note(db, db.get(Ticket, ticket.id), f"备注{no}", by=f"agent{no}", now=NOW)

    with ThreadPoolExecutor(8) as many:
        saved = list(many.map(save, range(8)))
        assert sorted(map(str, saved)) == ["['subject']"] * 7 + ["saved"]
        list(many.map(note, range(8)))
        assert list(many.map(close, range(8))).count(True) == 1
    with database.read() as db:
        entries = tickets.load_ticket(db, ticket.id, AGENT).entries
        assert sorted(entry.version for entry in entries) == list(range(1, 12))


def test_a_crowd_that_guesses_passwords_is_held_back(database):
    def guess(no):
        try:
            people.authenticate(database, "lina", f"wrong-password-{no}", "10.6.6.6", NOW)
        except (WrongLogin, TooManyAttempts) as fault:
            return type(fault)

    with ThreadPoolExecutor(8) as crowd:
        tries = list(crowd.map(guess, range(40)))
    assert tries.count(WrongLogin) == 10


def test_the_years_rows_are_made_again_from_its_facts(database):
    with database.read() as db:
        before = db.execute(
            select(Call.call_id, Call.outcome, Call.talk_ms, Call.customer_id).order_by(Call.call_id)
        ).all()
    projection.rebuild(database)
    with database.read() as db:
        after = db.execute(
            select(Call.call_id, Call.outcome, Call.talk_ms, Call.customer_id).order_by(Call.call_id)
        ).all()
    assert before == after


def test_four_agents_who_merge_one_customer_at_once_merge_him_once(database):
    with database.write() as db:
        one, *others = (
            customers.create(db, "fleet", f"晋北煤业{word}车队", NOW, phones=["0351-6000123"]) for word in "一二三四五"
        )
        for number in range(20):
            engines.create(db, f"9D10722H55{number:04d}", "6D107", customer_id=one.id)

    def merge(into):
        try:
            with database.write() as db:
                return merges.merge(db, one.id, into.id, by="wangfang", now=NOW).id
        except MergedMeanwhile:
            return None

    def sell(number):
        with database.write() as db:
            return engines.create(db, f"9D10722H66{number:04d}", "6D107", customer_id=one.id).id

    with ThreadPoolExecutor(8) as together:
        sold = [together.submit(sell, number) for number in range(4)]
        done = list(together.map(merge, others))
        made = [one.result() for one in sold]
    [row_id] = [one for one in done if one is not None]
    with database.write() as db:
        kept = customers.standing(db, one.id)
        assert kept is not None
        owned = select(func.count()).select_from(Engine)
        assert (db.scalar(owned.where(Engine.customer_id == kept.id)) or 0) >= 20
        merges.part(db, row_id, by="wangfang", now=NOW)
        back = db.scalars(select(Engine.customer_id).where(Engine.serial.like("9D10722H55%"))).all()
        assert back == [one.id] * 20
        assert len(made) == 4


def test_signs_parts_and_likely_duplicates_are_found_here_as_well(database):
    with database.write() as db:
        whole = customers.create(db, "dealer", "100%真诚_汽修", NOW, phones=["0371-60005678"])
        twin = customers.create(db, "dealer", "真诚汽修", NOW, phones=["0371-60005678"])
        assert [hit.id for hit in search.find(db, "%", AGENT)] == [whole.id]
        assert [hit.id for hit in search.find(db, "诚_汽", AGENT)] == [whole.id]
        assert search.find(db, "%真汽", AGENT) == []
        [pair] = duplicates.of(db, twin, [twin.id])
        assert (pair.other.id, pair.likeness.reasons) == (whole.id, ["number:+8637160005678"])
        assert twin.id in duplicates.doubtful(db, twin.id - 1, 5)[0]
    with database.read() as db:
        for said in ("penyouqi", "1000 3812", "喷油器"):
            found = [part.number for part in parts.find(db, said, "6D107G")]
            assert found == ["1000-3812", "1000-3812A"], said
        first = parts.find(db, "1000-3812")[0]
        assert parts.newest(db, first).number == "1000-3812A"
