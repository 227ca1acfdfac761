"""Our figures against the switch's own books: a day that agrees, and every way in which one can disagree."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from callcenter import jobs
from callcenter.database import Database
from callcenter.errors import BadInput
from callcenter.facts import StatusChosen, SwitchFound
from config.queues import Queue
from config.settings import Centre, ServiceLevels, Settings
from cti.projection import record
from cti.rows import Call, Leg, Offer, Segment
from recordings.rows import Recording
from reports import carrier, nightly, periods, reconcile, today
from reports.rows import Reconciliation
from tests import independent
from tests.gaps import tell, timeline, write_logs
from tests.recording import SWITCH, busy_minute

END = timeline()[-1][1].at
NOW = END + timedelta(seconds=30)
DAY = periods.today(END, UTC)


@pytest.fixture
def centre(database: Database, tmp_path: Path) -> Settings:
    """The busy minute in our rows, and the switch's logs of it beside them."""
    settings = Settings(home=tmp_path, centre=Centre(timezone="UTC"))
    first = timeline()[0][1].at - timedelta(seconds=1)
    with database.write() as db:
        for name in ("inquiry", "follow_up"):
            db.add(Queue(name=name, title_zh=name, title_en=name, target_s=20, short_abandon_s=5))
        record(db, [SwitchFound(at=first, switch=SWITCH)], "resync")
    tell(database, timeline())
    write_logs(settings.switch_home / "log", NOW)
    return settings


def account(database: Database, settings: Settings) -> reconcile.Account:
    with database.read() as db:
        return nightly.of_day(db, settings, END.date(), NOW)


def whats(found: reconcile.Account) -> Counter[str]:
    return Counter(one.what.split(" tel-")[0] for one in found.differences)


def test_both_sides_of_a_day_agree(database, centre):
    found = account(database, centre)
    assert found.differences == []
    assert found.calls >= 30
    assert found.waits >= 25


def test_a_centre_filled_with_a_demonstration_finds_its_own_first_calls(database, centre):
    """What the demonstration tells of its agents' evening, an hour before the switch is started, belongs to no call."""
    with database.write() as db:
        evening = timeline()[0][1].at - timedelta(hours=1)
        record(db, [StatusChosen(at=evening, agent="1009", status="offline", by="liuyang")], "demo")
    found = account(database, centre)
    assert found.differences == []
    assert found.calls >= 30


def test_the_figures_are_those_of_somebody_else_who_reads_the_queue_log(database, centre):
    theirs = independent.figures("\n".join(busy_minute().queue_log))
    with database.read() as db:
        ours = today.by_queue(db, ZoneInfo("UTC"), NOW, ServiceLevels(form="sl3"))
        assert {name for name, figures in ours.items() if figures[0].value} == set(theirs)
        for queue, other in theirs.items():
            said = {figure.name: figure.value for figure in ours[queue]}
            for name in ("offered", "answered", "abandoned", "flow_outs"):
                assert said[name] == getattr(other, name), f"{name} of {queue}"
            assert said["service_level"] == pytest.approx(other.sl3)
            if other.asa is not None:
                assert said["asa"] == pytest.approx(other.asa, abs=1.0)  # the log has whole seconds
        taken = Counter(db.scalars(select(Offer.agent).where(Offer.outcome == "answered")))
    assert taken == sum((other.answered_by for other in theirs.values()), Counter())


def test_a_call_that_was_never_told_is_named(database, centre):
    with database.write() as db:
        call = db.scalars(select(Call).where(Call.outcome == "answered").limit(1)).one()
        db.delete(call)
    found = account(database, centre)
    assert [(one.call_id, one.what, one.ours) for one in found.differences] == [(call.call_id, "call", "")]


def test_a_call_that_counts_twice_is_named(database, centre):
    with database.write() as db:
        call = db.scalars(select(Call).where(Call.outcome == "abandoned_queue").limit(1)).one()
        twin = {column.key: getattr(call, column.key) for column in Call.__table__.columns}
        db.add(Call(**(twin | {"call_id": f"{call.call_id}0"})))
    found = account(database, centre)
    assert [one.cause for one in found.differences] == ["the switch did not write it down"]


def test_a_wait_with_another_ending_a_talk_of_another_length_and_a_lost_leg_are_named(database, centre):
    with database.write() as db:
        wait = db.scalars(select(Segment).where(Segment.kind == "queue", Segment.outcome == "timeout").limit(1)).one()
        wait.outcome = "abandoned"
        talks = select(Segment).where(Segment.kind == "talk", Segment.queue.is_not(None)).limit(1)
        talk = db.scalars(talks).one()
        assert talk.ended_at
        talk.ended_at += timedelta(seconds=60)
        leg = db.scalars(select(Leg).where(Leg.agent.is_not(None), Leg.answered_at.is_(None)).limit(1)).one()
        db.delete(leg)
    assert whats(account(database, centre)) == {"wait": 1, f"talk of {talk.agent}": 1, "leg": 1}


def test_an_end_that_nobody_heard_is_named_with_its_cause(database, centre):
    with database.write() as db:
        leg = db.scalars(select(Leg).where(Leg.agent.is_(None)).limit(1)).one()
        assert leg.ended_at
        leg.ended_at, leg.cause = leg.ended_at + timedelta(seconds=9), 0
    (one,) = account(database, centre).differences
    assert (one.call_id, one.cause) == (leg.call_id, "not heard")


def test_a_recording_that_is_not_there_is_named(database, centre):
    later = NOW + timedelta(minutes=5)
    with database.read() as db:
        found = nightly.of_day(db, centre, END.date(), later)
        recorded = len(db.scalars(select(Call).where(Call.recording != "")).all())
    assert found.recordings == len(found.differences) == recorded > 20
    assert whats(found) == {"recording": recorded}


def test_a_recording_that_was_to_begin_as_the_caller_hung_up_is_missed_by_nobody(database, centre):
    with database.write() as db:
        for n, call in enumerate(db.scalars(select(Call).where(Call.recording != "").order_by(Call.call_id))):
            about = {"call_id": call.call_id, "file": f"{n}.wav", "started_at": call.started_at, "registered_at": NOW}
            long_ms = 1_400 if n else 9_000
            db.add(Recording(state="missing", expected_ms=long_ms, length_ms=0, bytes=0, sha256="", **about))
    assert [one.ours for one in account(database, centre).differences] == ["0.wav"]


def test_what_was_before_we_watched_is_nobodys_fault(database, tmp_path):
    settings = Settings(home=tmp_path, centre=Centre(timezone="UTC"))
    write_logs(settings.switch_home / "log", NOW)
    with database.write() as db:
        record(db, [SwitchFound(at=NOW, switch=SWITCH)], "resync")
    found = account(database, settings)
    assert (found.calls, found.differences) == (0, [])


def test_the_nightly_look_is_kept_and_plans_the_next_one(database, centre):
    with database.write() as db:
        db.delete(db.scalars(select(Call).limit(1)).one())
        nightly.plan(db, UTC, END)
        job = db.scalars(select(jobs.Job).where(jobs.Job.kind == nightly.JOB)).one()
    assert job.due_at == DAY.end + timedelta(hours=3)
    with database.write() as db:
        nightly.work(centre)(db, db.merge(job), NOW + timedelta(days=1))
    with database.read() as db:
        (kept,) = db.scalars(select(Reconciliation)).all()
        assert (kept.day, kept.count > 0) == (END.date().isoformat(), True)
        assert kept.differences[0]["call_id"]
        due = db.scalars(select(jobs.Job.due_at).where(jobs.Job.kind == nightly.JOB).order_by(jobs.Job.due_at)).all()
    assert due == [DAY.end + timedelta(hours=3), DAY.end + timedelta(hours=27)]


def test_days_the_computer_was_off_are_looked_at_when_it_is_on_again_each_once(database, centre):
    """Friday's look never came: off from Friday evening to Monday morning."""
    monday = NOW + timedelta(days=3)
    with database.write() as db:
        nightly.plan(db, UTC, END)
        nightly.plan(db, UTC, monday)
        nightly.plan(db, UTC, monday)
        looks = db.scalars(select(jobs.Job).where(jobs.Job.kind == nightly.JOB))
        planned = {job.payload["day"]: job.due_at for job in looks}
    days = [(END + timedelta(days=number)).date().isoformat() for number in range(4)]
    assert sorted(planned) == days
    assert all(planned[day] < monday for day in days[:3])
    assert planned[days[3]] > monday
    work, looked = nightly.work(centre), []
    while True:
        with database.write() as db:
            job = jobs.claim(db, (nightly.JOB,), monday, timedelta(minutes=5))
        if job is None:
            break
        looked.append(job.payload["day"])
        with database.write() as db:
            work(db, db.merge(job), monday)
            jobs.finish(db, job)
    assert looked == days[:3]
    with database.read() as db:
        assert [one.day for one in nightly.lately(db)] == days[2::-1]
        assert {one.count for one in nightly.lately(db, 2)} == {0}


# --- the carrier -----------------------------------------------------------------------------------------------------


def book(database: Database, path: Path, *, without: int = 0, longer_s: float = 0.0, more: str = "") -> Path:
    """The carrier's record of the same calls, as carriers write it."""
    lines = ["start,caller,called,duration"]
    with database.read() as db:
        for call in db.scalars(select(Call).where(Call.direction == "in").order_by(Call.started_at)):
            leg = db.get_one(Leg, call.call_id)
            assert leg.answered_at
            assert leg.ended_at
            seconds = (leg.ended_at - leg.answered_at).total_seconds() + longer_s
            start = call.started_at - timedelta(seconds=1)
            number = call.caller_number
            caller = f"0{number[3:]}" if number.startswith("+86") else "anonymous"
            lines.append(f"{start:%Y-%m-%d %H:%M:%S},{caller},4008,{seconds:.0f}")
    path.write_text("\n".join(lines[: len(lines) - without]) + f"\n{more}", encoding="utf-8")
    return path


def against(database: Database, path: Path) -> Counter[str]:
    found = reconcile.Account()
    with database.read() as db:
        carrier.compare(db, found, SWITCH, carrier.carrier_calls(path, UTC), DAY)
    return Counter(one.cause for one in found.differences)


def test_the_carriers_book_agrees(database, centre, tmp_path):
    assert against(database, book(database, tmp_path / "cdr.csv")) == {}


def test_what_only_one_of_us_has_and_what_is_longer_is_named(database, centre, tmp_path):
    extra = f"{END:%Y-%m-%d %H:%M:%S},013999999999,4008,12\n"
    found = against(database, book(database, tmp_path / "cdr.csv", without=2, more=extra))
    assert found == {"we have it, the carrier does not": 2, "the carrier has it, we do not": 1}
    assert set(against(database, book(database, tmp_path / "cdr.csv", longer_s=6))) == {"the carrier counts otherwise"}


def test_a_book_that_cannot_be_read_names_the_line(tmp_path):
    (tmp_path / "cdr.csv").write_text("start,caller,called,duration\n2026-11-22 10:00:00,1,2,3\nyesterday,1,2,3\n")
    with pytest.raises(BadInput, match="line 3"):
        carrier.carrier_calls(tmp_path / "cdr.csv", UTC)
