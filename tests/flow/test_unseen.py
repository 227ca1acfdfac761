"""Intake dies at every moment of a busy minute and comes back: every call counts once, with its true times."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from callcenter.database import Database
from callcenter.events import Fact
from callcenter.facts import (
    BridgeEntered,
    BridgeLeft,
    LegStarted,
    MemberPaused,
    PhoneSeen,
    QueueExited,
    StatusChosen,
    SwitchFound,
    Transferred,
)
from callcenter.ledger import LedgerRow
from cti.projection import rebuild, record
from cti.rows import Call, Offer
from tests.dumps import dump
from tests.fresh import fresh
from tests.gaps import (
    Timeline,
    blurred,
    come_back,
    copy,
    differences,
    outcome,
    quiet,
    tell,
    timeline,
    unheard,
)
from tests.recording import SWITCH

AWAY = timedelta(seconds=2)


class Killed(BaseException):
    """As kill -9: nothing is tidied up."""


@pytest.fixture
def whole(tmp_path: Path) -> Database:
    """Never interrupted."""
    database = _empty(tmp_path / "whole.db")
    tell(database, timeline())
    return database


def _empty(path: Path) -> Database:
    database = fresh(path)
    with database.write() as db:  # we have been watching since the moment before
        record(db, [SwitchFound(at=timeline()[0][1].at - timedelta(seconds=1), switch=SWITCH)], "resync")
    return database


def _missed(after: int, until: object) -> tuple[Timeline, Timeline]:
    """What was said while we were gone: by the switch, lost to us; by people and policy, told when we are back."""
    rest = timeline()[after:]
    kept = [(who, fact) for who, fact in rest if who != "ami" and fact.at <= until]  # type: ignore[operator]
    return kept, [(who, fact) for who, fact in rest if fact.at > until]  # type: ignore[operator]


def test_the_minute_is_a_busy_one(whole):
    with whole.read() as db:
        outcomes = Counter(db.scalars(select(Call.outcome)))
        missed = db.scalar(select(func.count()).where(Offer.outcome == "missed"))
        holds, transfers = db.execute(select(func.sum(Call.holds), func.sum(Call.transfers))).one()
    kinds = {"answered", "abandoned_menu", "abandoned_queue", "abandoned_ringing", "queue_timeout", "call_back"}
    assert kinds <= outcomes.keys(), outcomes
    assert sum(outcomes.values()) >= 30
    facts = [fact for _, fact in timeline()]
    assert {fact.kind for fact in facts if isinstance(fact, Transferred)} == {"blind", "attended"}
    assert {fact.status for fact in facts if isinstance(fact, QueueExited)} == {"TIMEOUT", "KEY"}
    assert transfers == 2
    assert holds >= 4
    assert missed
    chosen = [fact for fact in facts if isinstance(fact, StatusChosen) and fact.by != "policy"]
    assert {"on_break", "offline"} <= {fact.status for fact in chosen if _talks(fact)}  # in mid-call


def _talks(chosen: StatusChosen) -> bool:
    """Whether he was in a bridge then."""
    legs = {fact.leg_id for _, fact in timeline() if isinstance(fact, LegStarted) and fact.agent == chosen.agent}
    there: set[str] = set()
    for _, fact in timeline():
        if fact.at > chosen.at:
            break
        if isinstance(fact, BridgeEntered | BridgeLeft) and fact.leg_id in legs:
            (there.add if isinstance(fact, BridgeEntered) else there.discard)(fact.leg_id)
    return bool(there)


@pytest.mark.timeout(400)
def test_whenever_intake_dies_nothing_is_lost_and_nothing_counts_twice(tmp_path):
    """Killed behind every single fact and gone for two seconds: on its return its rows are those of one that lived."""
    dies, lives = _empty(tmp_path / "dies.db"), _empty(tmp_path / "lives.db")
    told, until = 0, timeline()[0][1].at
    again = copy(dies, tmp_path / "again.db")
    bad: list[str] = []
    for place, (who, fact) in enumerate(timeline()):
        tell(dies, [(who, fact)])
        if isinstance(fact, MemberPaused | PhoneSeen):
            continue  # changes no row of a call
        if fact.at + AWAY > until:
            until = quiet(fact.at + AWAY)
            before, told = told, sum(one.at <= until for _, one in timeline())
            tell(lives, timeline()[before:told])
            expected = outcome(lives)
        copy(dies, again)
        come_back(again, tmp_path / "logs", until)
        tell(again, _missed(place + 1, until)[0])
        vague = unheard(fact.at, until)
        found = differences(blurred(expected, vague), blurred(outcome(again), vague))
        bad += [f"killed behind {type(fact).__name__} {place}, gone until {until:%T}: {one}" for one in found[:3]]
    assert bad == [], f"{len(bad)}:\n" + "\n".join(bad[:20])


@pytest.mark.timeout(200)
@pytest.mark.parametrize("away", [AWAY, timedelta(hours=1)], ids=["two seconds", "the rest of the minute"])
def test_after_a_gap_the_rest_of_the_minute_is_told_as_ever(whole, tmp_path, away):
    expected = outcome(whole)
    story = _empty(tmp_path / "story.db")
    bad: list[str] = []
    for place, (who, fact) in enumerate(timeline()):
        tell(story, [(who, fact)])
        if place % 29 == 0:
            again = copy(story, tmp_path / f"{place}.db")
            until = quiet(min(fact.at + away, timeline()[-1][1].at))
            come_back(again, tmp_path / "logs", until)
            ours, rest = _missed(place + 1, until)
            tell(again, [*ours, *rest])
            vague = unheard(fact.at, until)
            found = differences(blurred(expected, vague), blurred(outcome(again), vague))
            bad += [f"killed behind {type(fact).__name__} {place}: {one}" for one in found]
            again.close()
    assert bad == [], f"{len(bad)}:\n" + "\n".join(bad[:20])


@pytest.mark.timeout(200)
def test_dying_again_before_what_the_link_told_is_recorded_loses_nothing(whole, tmp_path):
    """The logs were read past the moment from which the link tells; what it told died with us."""
    expected = outcome(whole)
    story = _empty(tmp_path / "story.db")
    bad: list[str] = []
    for place, (who, fact) in enumerate(timeline()):
        tell(story, [(who, fact)])
        if place % 37 == 0:
            again = copy(story, tmp_path / f"{place}.db")
            linked_at = quiet(min(fact.at + AWAY, timeline()[-1][1].at))
            until = quiet(min(linked_at + AWAY, timeline()[-1][1].at))
            come_back(again, tmp_path / "logs", linked_at, until)
            come_back(again, tmp_path / "logs", until)
            ours, rest = _missed(place + 1, until)
            tell(again, [*ours, *rest])
            vague = unheard(fact.at, until)
            found = differences(blurred(expected, vague), blurred(outcome(again), vague))
            bad += [f"killed behind {type(fact).__name__} {place}: {one}" for one in found]
            again.close()
    assert bad == [], f"{len(bad)}:\n" + "\n".join(bad[:20])


def test_dying_within_a_transaction_is_as_dying_before_it(whole, tmp_path):
    expected = outcome(whole)
    half = len(timeline()) // 2
    story = _empty(tmp_path / "story.db")
    tell(story, timeline()[: half - 5])
    facts: list[Fact] = [fact for who, fact in timeline()[half - 5 : half] if who == "ami"]

    def die_halfway() -> None:
        with story.write() as db:
            record(db, facts, "ami")
            db.flush()
            raise Killed

    with pytest.raises(Killed):
        die_halfway()
    until = timeline()[half][1].at
    come_back(story, tmp_path / "logs", until)
    ours, rest = _missed(half - 5, until)
    tell(story, [*ours, *rest])
    vague = unheard(timeline()[half - 5][1].at, until)
    assert differences(blurred(expected, vague), blurred(outcome(story), vague)) == []


def test_what_is_read_from_the_logs_is_marked_and_rebuilds_to_the_same_rows(whole, tmp_path):
    story = _empty(tmp_path / "story.db")
    tell(story, timeline()[:60])
    come_back(story, tmp_path / "logs", timeline()[-1][1].at)
    with story.read() as db:
        sources = Counter(db.scalars(select(LedgerRow.source)))
    assert sources["cel"] > 100
    assert sources["queue_log"] > 50
    rows = dump(story)
    rebuild(story)
    assert dump(story) == rows


def test_coming_back_twice_changes_nothing(whole, tmp_path):
    story = _empty(tmp_path / "story.db")
    tell(story, timeline()[:100])
    until = timeline()[-1][1].at
    come_back(story, tmp_path / "logs", until)
    rows = dump(story)
    come_back(story, tmp_path / "logs", until)
    assert dump(story) == rows
