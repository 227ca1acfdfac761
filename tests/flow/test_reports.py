"""Figures of a day, counted by hand and by the house; nothing is counted twice, nothing is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.database import to_us
from callcenter.errors import NotFound
from config import people, queues
from config.settings import ServiceLevels
from cti.rows import Call, Membership, Offer, Segment, Spell
from cti.tallies import Spread, rank, tally
from cti.waits import Wait
from reports import periods, queue, report, today
from reports.report import Asked
from reports.terms import OF_WAIT, Rules, of_tally

LEVELS = ServiceLevels()

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)  # of the 22nd in Shanghai
NINE = MIDNIGHT + timedelta(hours=9)
NOW = MIDNIGHT + timedelta(hours=12)


@pytest.fixture
def db(database):
    with database.write() as db:
        for extension, login, name in (("1001", "wangfang", "王芳"), ("1002", "lina", "李娜")):
            people.create_user(db, login, name, "agent", "一个够长的密码-2026", NOW, extension=extension)
        queues.create_queue(db, "repair", "报修", "Repairs", target_s=20, short_abandon_s=5)
        queues.create_queue(db, "rescue", "求援", "Rescue", target_s=10, short_abandon_s=5)
        yield db


class Day:
    """Calls written down by hand."""

    def __init__(self, db) -> None:
        self.db = db
        self.calls = 0

    def call(
        self, queue="repair", joined=NINE, wait_s=None, outcome="", talk_s=None, hold_s=0, wrap_s=None, no=1
    ) -> str:
        """A caller who joined, waited (None: still), and left so; talk None while he talks, wrap-up likewise."""
        self.calls += 1
        call_id, agent = f"tel-1.{self.calls}", f"2{self.calls:03d}"
        left = None if wait_s is None else joined + timedelta(seconds=wait_s)
        self.db.add(
            Call(
                call_id=call_id,
                switch="tel",
                direction="in",
                caller_number="+8613800138000",
                state="ended",
                started_at=joined,
            )
        )
        self.segment(call_id, no, "queue", queue, None, joined, left, outcome)
        if outcome == "answered":
            assert left is not None
            hung_up = None if talk_s is None else left + timedelta(seconds=talk_s + hold_s)
            if hold_s:
                held = left + timedelta(seconds=talk_s)
                self.segment(call_id, no + 1, "talk", queue, agent, left, held)
                self.segment(call_id, no + 2, "hold", queue, agent, held, hung_up)
            else:
                self.segment(call_id, no + 1, "talk", queue, agent, left, hung_up)
            if hung_up is not None:
                done = None if wrap_s is None else hung_up + timedelta(seconds=wrap_s)
                self.spell(agent, hung_up, done, "available", "wrap_up", call_id, queue)
        self.db.flush()
        return call_id

    def segment(self, call_id, no, kind, queue, agent, begin, end, outcome="") -> None:
        self.db.add(
            Segment(
                call_id=call_id,
                no=no,
                kind=kind,
                queue=queue,
                agent=agent,
                started_at=begin,
                ended_at=end,
                outcome=outcome,
            )
        )

    def spell(self, extension, begin, end, status, state, call_id=None, queue=None, reason="") -> None:
        self.db.add(
            Spell(
                extension=extension,
                started_at=begin,
                ended_at=end,
                status=status,
                state=state,
                call_id=call_id,
                queue=queue,
                reason=reason,
            )
        )


@pytest.fixture
def day(db):
    return Day(db)


def values(told):
    return {figure.name: figure.value for figure in told}


def test_a_day_on_which_nobody_called_has_counts_and_no_shares(db):
    told = values(today.today(db, SHANGHAI, NOW, LEVELS))
    assert told["offered"] == 0
    for name in (
        "service_level",
        "sl1",
        "sl3",
        "sl7",
        "abandon_rate",
        "asa",
        "wait_p50",
        "longest_wait",
        "aht",
        "rona",
    ):
        assert told[name] is None


def test_a_morning_at_the_repair_desk(db, day):
    day.call(wait_s=10, outcome="answered", talk_s=100, hold_s=20, wrap_s=30)
    day.call(wait_s=20, outcome="answered", talk_s=200, wrap_s=50)  # just in time
    day.call(wait_s=21, outcome="answered", talk_s=60, wrap_s=None)  # late; his wrap-up goes on
    day.call(wait_s=40, outcome="answered")  # late; they talk still
    day.call(wait_s=3, outcome="abandoned")  # short
    day.call(wait_s=5, outcome="abandoned")
    day.call(wait_s=50, outcome="abandoned")
    day.call(wait_s=600, outcome="timeout")
    day.call(joined=NOW - timedelta(seconds=15))  # waits, and may still be answered in time
    day.call(joined=NOW - timedelta(seconds=90))  # waits, too long already
    told = values(today.today(db, SHANGHAI, NOW, LEVELS))
    assert told == {
        "offered": 10,
        "answered": 4,
        "abandoned": 3,
        "short_abandons": 1,
        "flow_outs": 1,
        "waiting": 2,
        "timeouts": 1,
        "service_level": 2 / 8,  # not the short abandon, not the one who may still be in time
        "sl1": 2 / 4,
        "sl2": (2 + 2) / (4 + 3),
        "sl3": 2 / 7,
        "sl4": 2 / (4 + 3 - 2),
        "sl5": (4 - 2) / (4 + 3 - 1),
        "sl6": 2 / 7,
        "sl7": (2 + 2 + 0) / (10 - 1),
        "sl8": 2 / 8,
        "abandon_rate": 2 / 7,
        "abandon_rate_gross": 3 / 8,
        "asa": (10 + 20 + 21 + 40) / 4,
        "wait_p50": 20,
        "wait_p90": 40,
        "wait_p95": 40,
        "longest_wait": 600,
        "aht": ((100 + 20 + 30) + (200 + 50)) / 2,
        "talk": (100 + 200) / 2,
        "hold": 20 / 2,
        "acw": (30 + 50) / 2,
        "transfer_rate": 0,
        "rona": None,
    }


def test_every_figure_says_its_formula_in_both_languages_its_version_and_its_thresholds(db, day):
    day.call(wait_s=10, outcome="answered")
    for figure in today.today(db, SHANGHAI, NOW, LEVELS, queue="repair"):
        assert figure.title("zh")
        assert figure.formula("zh")
        assert figure.formula("en")
        assert figure.definition_version >= 1
        assert figure.unit in ("calls", "share", "s")
        assert figure.thresholds == {"T": 20, "s": 5, "c": 0}
    day.call("rescue", wait_s=10, outcome="answered")  # this queue has others
    for figure in today.today(db, SHANGHAI, NOW, LEVELS):
        assert figure.thresholds == {}


def test_each_queue_is_measured_by_its_own_thresholds_and_the_queues_add_up(db, day):
    day.call("repair", wait_s=15, outcome="answered", talk_s=60, wrap_s=10)
    day.call("rescue", wait_s=15, outcome="answered", talk_s=60, wrap_s=10)
    day.call("rescue", wait_s=8, outcome="abandoned")
    day.call("gone", wait_s=8, outcome="abandoned")  # a queue deleted since
    by_queue = {name: values(told) for name, told in today.by_queue(db, SHANGHAI, NOW, LEVELS).items()}
    assert list(by_queue) == ["repair", "rescue", "gone"]
    assert by_queue["repair"]["service_level"] == 1
    assert by_queue["rescue"]["service_level"] == 0
    whole = values(today.today(db, SHANGHAI, NOW, LEVELS))
    for name in ("offered", "answered", "abandoned", "short_abandons", "flow_outs", "waiting"):
        assert whole[name] == sum(told[name] for told in by_queue.values())
    assert whole["service_level"] == 1 / 4
    assert values(today.today(db, SHANGHAI, NOW, LEVELS, queue="rescue")) == by_queue["rescue"]


def test_who_joined_yesterday_is_yesterdays_and_who_joined_at_midnight_is_todays(db, day):
    day.call(joined=MIDNIGHT - timedelta(microseconds=1), wait_s=60, outcome="answered", talk_s=60, wrap_s=1)
    day.call(joined=MIDNIGHT, wait_s=5, outcome="answered", talk_s=60, wrap_s=1)
    assert values(today.today(db, SHANGHAI, NOW, LEVELS))["offered"] == 1
    assert values(today.today(db, SHANGHAI, MIDNIGHT - timedelta(hours=1), LEVELS))["offered"] == 1
    assert values(today.today(db, ZoneInfo("Asia/Kolkata"), MIDNIGHT + timedelta(minutes=30), LEVELS))["offered"] == 2


def test_overflowing_to_another_queue_is_one_way_out_and_one_more_offer(db, day):
    call_id = day.call("repair", wait_s=60, outcome="timeout")
    day.segment(
        call_id, 7, "queue", "rescue", None, NINE + timedelta(seconds=60), NINE + timedelta(seconds=65), "answered"
    )
    db.flush()
    told = values(today.today(db, SHANGHAI, NOW, LEVELS))
    assert (told["offered"], told["flow_outs"], told["answered"]) == (2, 1, 1)


def test_a_call_answered_twice_in_one_queue_is_handled_twice_and_no_second_of_it_two_times(db, day):
    call_id = day.call("repair", wait_s=10, outcome="answered", talk_s=50, wrap_s=10)
    back = NINE + timedelta(seconds=200)
    day.segment(call_id, 7, "queue", "repair", None, back, back + timedelta(seconds=4), "answered")
    day.segment(call_id, 8, "talk", "repair", "1002", back + timedelta(seconds=4), back + timedelta(seconds=34))
    db.flush()
    told = values(today.today(db, SHANGHAI, NOW, LEVELS))
    assert (told["answered"], told["aht"]) == (2, (50 + 10 + 30) / 2)


def test_whom_a_customer_is_sent_on_to_adds_neither_talk_nor_wrap_up_to_the_queue(db, day):
    call_id = day.call("repair", wait_s=10, outcome="answered", talk_s=50, wrap_s=10)
    sent_on, over = NINE + timedelta(seconds=60), NINE + timedelta(seconds=100)
    day.segment(call_id, 7, "talk", None, "1002", sent_on, over)
    day.spell("1002", over, over + timedelta(seconds=30), "available", "wrap_up", call_id, "repair")
    db.flush()
    told = values(today.today(db, SHANGHAI, NOW, LEVELS))
    assert (told["aht"], told["acw"]) == (60, 10)


def test_half_hours_begin_on_the_half_hour_where_people_live_and_add_up_to_the_day(db, day):
    for minute in (0, 29, 30, 59, 60, 61):
        day.call(joined=NINE + timedelta(minutes=minute), wait_s=5, outcome="answered")
    kolkata = ZoneInfo("Asia/Kolkata")
    for zone in (SHANGHAI, kolkata):
        day_ = Asked(period=periods.today(NOW, zone), by="half_hour")
        lines = report.report(db, zone, NOW, day_, LEVELS).lines
        assert all(line.period.start.astimezone(zone).minute in (0, 30) for line in lines)
        counts = [values(line.figures)["offered"] for line in lines]
        assert [count for count in counts if count] == [2, 2, 2]
        assert sum(counts) == values(today.today(db, zone, NOW, LEVELS))["offered"]
        assert lines[-1].period.start <= NOW < lines[-1].period.end


def test_every_figure_leads_to_its_calls(db, day):
    in_time = day.call(wait_s=10, outcome="answered", talk_s=60, wrap_s=10)
    late = day.call(wait_s=30, outcome="answered", talk_s=60, wrap_s=10)
    short = day.call(wait_s=1, outcome="abandoned")
    gave_up = day.call(wait_s=99, outcome="abandoned")

    def behind(name, queue=None):
        found = today.calls_behind(db, SHANGHAI, NOW, name, queue, LEVELS)
        return {call.call_id: counts for call, _, counts in found}

    assert behind("offered") == {in_time: True, late: True, short: True, gave_up: True}
    assert behind("service_level") == {in_time: True, late: False, gave_up: False}
    assert behind("short_abandons") == {short: True}
    assert behind("asa") == {in_time: True, late: True}
    assert behind("offered", "rescue") == {}
    with pytest.raises(NotFound):
        behind("happiness")


def test_an_agents_hours_add_up_to_the_time_he_was_logged_in(db, day):
    def at(minutes):
        return NINE + timedelta(minutes=minutes)

    day.spell("1001", MIDNIGHT - timedelta(hours=9), at(0), "offline", "idle")
    course = [
        (0, 30, "available", "idle", ""),
        (30, 31, "available", "ringing", ""),
        (31, 41, "available", "talking", ""),
        (41, 43, "on_break", "wrap_up", "meal"),  # he chose a break while he talked
        (43, 73, "on_break", "idle", "meal"),
        (73, 78, "on_break", "idle", "missed"),
        (78, None, "available", "idle", ""),
    ]
    for begin, end, status, state, reason in course:
        day.spell("1001", at(begin), None if end is None else at(end), status, state, reason=reason)
    day.segment("tel-1.9", 3, "hold", "repair", "1001", at(35), at(37))
    for no, outcome in enumerate(["answered", "missed", "answered", "cancelled", "answered"]):
        db.add(
            Offer(
                leg_id=f"tel-2.{no}", call_id="tel-1.9", queue="repair", agent="1001", rung_at=at(30), outcome=outcome
            )
        )
    db.flush()
    now = at(108)
    wang, li = today.by_agent(db, SHANGHAI, now)
    assert (wang.name, li.name) == ("王芳", "李娜")
    told = values(wang.figures)
    assert told == {
        "logged": 108 * 60,
        "ready": 60 * 60,
        "ringing": 60,
        "talk": 8 * 60,
        "hold": 2 * 60,
        "wrap_up": 2 * 60,
        "pause": 35 * 60,
        "answered": 3,
        "aht": (8 + 2 + 2) * 60 / 3,
        "occupancy": (8 + 2 + 2) / (8 + 2 + 2 + 60),
        "utilisation": (8 + 2 + 2) / 108,
        "missed": 1,
        "rona": 1 / 4,
    }
    assert wang.pauses_s == {"meal": 30 * 60, "missed": 5 * 60}
    assert told["logged"] == sum(told[name] for name in ("ready", "ringing", "talk", "hold", "wrap_up", "pause"))
    assert values(li.figures)["aht"] is None
    assert values(li.figures)["rona"] is None


def test_how_busy_those_are_who_serve_a_queue_is_told_for_every_piece_of_the_day(db, day):
    def at(minutes):
        return NINE + timedelta(minutes=minutes)

    for begin, end, state in ((0, 40, "idle"), (40, 50, "talking"), (50, 55, "wrap_up"), (55, 60, "ringing")):
        day.spell("1001", at(begin), at(end), "available", state)
    day.spell("1001", at(60), None, "offline", "idle")
    day.spell("1002", at(0), at(30), "available", "idle")
    day.spell("1002", at(30), None, "on_break", "idle")
    yesterday, this = NINE - timedelta(days=1), periods.today(NINE, SHANGHAI)
    for name, extension, until in (("repair", "1001", None), ("repair", "1002", this.start), ("rescue", "1002", None)):
        db.add(Membership(queue=name, extension=extension, started_at=yesterday, ended_at=until, penalty=0))
    db.flush()

    def occupancy(by, queue=None):
        told = report.report(db, SHANGHAI, at(90), Asked(period=this, by=by, queue=queue), LEVELS)
        lines = [(line.queue, next(f.value for f in line.figures if f.name == "occupancy")) for line in told.lines]
        return lines, values(told.figures)["occupancy"]

    lines, whole = occupancy("half_hour")
    assert [value for _, value in lines if value is not None] == [0, 15 / (15 + 10)]
    assert whole == 15 / (15 + 40 + 30)
    assert occupancy("half_hour", "repair")[1] == 15 / (15 + 40), "李娜 left it yesterday"
    assert dict(occupancy("queue")[0]) == {"repair": 15 / (15 + 40), "rescue": 0}
    assert occupancy("day", "rescue") == ([("rescue", 0)], 0)


def test_a_spell_over_midnight_is_shared_by_both_days(db, day):
    day.spell("1001", MIDNIGHT - timedelta(hours=1), MIDNIGHT + timedelta(hours=2), "available", "idle")
    db.flush()
    assert today.by_agent(db, SHANGHAI, NOW)[0].ready_s == 2 * 3600
    assert today.by_agent(db, SHANGHAI, MIDNIGHT - timedelta(minutes=30))[0].ready_s == 1800


WAITS = st.lists(
    st.builds(
        Wait,
        call_id=st.uuids().map(str),
        queue=st.sampled_from(["repair", "rescue"]),
        joined_us=st.just(to_us(NINE)),
        wait_us=st.one_of(
            st.integers(0, 3_600_000_000), st.sampled_from([0, 5, 10, 20]).map(lambda second: second * 1_000_000)
        ),
        outcome=st.sampled_from(["", "answered", "abandoned", "timeout", "continue", "leaveempty", "lost", "other"]),
        taken=st.integers(0, 1),
        missed=st.integers(0, 3),
    )
)
RULES = {"repair": Rules(target_s=20, short_s=5, counted_s=3), "rescue": Rules(target_s=10, short_s=5, form="sl2")}


def told_of(rows):
    tallies = [(tally(row for row in rows if row.queue == name), rules) for name, rules in RULES.items()]
    return values(queue.figures(queue.Sums.of(tallies), RULES.values(), LEVELS))


@given(WAITS)
def test_who_was_offered_was_answered_abandoned_left_or_waits(rows):
    told = told_of(rows)
    assert told["offered"] == len(rows)
    assert told["offered"] == told["answered"] + told["abandoned"] + told["flow_outs"] + told["waiting"]
    assert told["short_abandons"] <= told["abandoned"]
    assert told["timeouts"] <= told["flow_outs"]
    for name, definition in queue.definitions(LEVELS).items():
        if definition.unit == "share":
            assert told[name] is None or 0 <= told[name] <= 1, name
    if told["wait_p50"] is not None:
        assert told["wait_p50"] <= told["wait_p90"] <= told["wait_p95"] <= told["longest_wait"]
    if told["answered"]:
        assert told["sl1"] >= told["sl3"]


@given(WAITS)
def test_the_calls_behind_a_figure_are_as_many_as_it_says(rows):
    told = told_of(rows)
    for name, definition in queue.definitions(LEVELS).items():
        parts = [definition.behind(row, RULES[row.queue]) for row in rows]
        if definition.unit == "calls":
            assert parts.count(True) == told[name]
        elif definition.splits and name not in ("rona", "transfer_rate"):  # these count more than waits
            share = definition.share
            assert told[name] == (
                parts.count(True) / (len(parts) - parts.count(None))
                if sum(share(RULES[row.queue]).below.of_wait(row, RULES[row.queue]) for row in rows)
                else None
            )


@given(WAITS)
def test_a_tally_counts_what_its_waits_count_one_by_one(rows):
    rules = RULES["repair"]
    one_by_one = tuple(sum(count(row, rules) for row in rows) for count in OF_WAIT.values())
    assert of_tally(tally(rows), rules) == one_by_one


@given(WAITS, WAITS)
def test_figures_of_two_days_are_those_of_both_together(one, other):
    rules = RULES["repair"]
    parts = [queue.Sums.of([(tally(rows), rules)]) for rows in (one, other)]
    whole = queue.Sums.of([(tally([*one, *other]), rules)])
    together = queue.figures(queue.Sums.together(parts), [rules], LEVELS)
    assert values(together) == values(queue.figures(whole, [rules], LEVELS))
    spread = tally(one).answered
    assert Spread.unpacked(spread.packed()) == spread


@pytest.mark.parametrize(
    ("ranked", "share", "value"),
    [
        ([5], 0.9, 5),
        ([1, 2], 0.5, 1),
        ([1, 2, 3], 0.5, 2),
        (list(range(1, 11)), 0.9, 9),
        ([3, 1, 2], 1.0, 3),
        ([], 0.5, None),
    ],
)
def test_percentiles_are_values_that_occurred(ranked, share, value):
    spread = tally(
        Wait(call_id="", queue="", joined_us=0, wait_us=second * 1_000_000, outcome="answered") for second in ranked
    )
    assert rank([spread.answered], share) == value


@given(
    st.lists(st.dictionaries(st.integers(0, 400), st.integers(1, 50), max_size=60), min_size=1, max_size=12),
    st.sampled_from([1, 40]),
    st.sampled_from([0.5, 0.9, 0.95, 1.0]),
)
def test_a_percentile_of_many_days_is_that_of_all_their_waits(days, often, share):
    spreads = [Spread.of(day) for day in days * often]
    waited = sorted((length + 1) // 2 for day in days * often for length, count in day.items() for _ in range(count))
    nearest = waited[max(1, -(-round(share * 1_000_000) * len(waited) // 1_000_000)) - 1] if waited else None
    assert rank(spreads, share) == nearest
