"""The ledger: a fact told twice counts once, and comes back as it was told."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from callcenter import ledger
from callcenter.facts import QueueJoined
from callcenter.payloads import EVENTS, FACTS, as_payload, from_payload

AT = datetime(2026, 11, 20, 2, 0, 0, 123456, tzinfo=UTC)


def example(kind):
    """An event of this kind with something in every field."""
    told: dict[str, object] = {}
    for field in dataclasses.fields(kind):
        name = str(field.type)
        if "datetime" in name:
            told[field.name] = AT
        elif "bool" in name:
            told[field.name] = True
        elif "int" in name:
            told[field.name] = 7
        else:
            told[field.name] = "维修站 «7»"
    return kind(**told)


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_survives_the_way_through_text(kind):
    event = example(kind)
    assert from_payload(kind.__name__, as_payload(event)) == event


@pytest.mark.parametrize("kind", FACTS.values(), ids=FACTS)
def test_every_fact_comes_back_from_the_ledger_as_it_was_told(database, kind):
    fact = example(kind)
    with database.write() as db:
        assert ledger.append(db, [fact], "ami") == [fact]
    with database.read() as db:
        assert [kept for _seq, kept in ledger.read(db)] == [fact]


def test_a_fact_told_twice_counts_once(database):
    once = QueueJoined(at=AT, switch="tel", call_id="tel-1.1", leg_id="tel-1.1", queue="repair", position=1)
    again = dataclasses.replace(once, position=2)
    later = dataclasses.replace(once, at=AT + timedelta(microseconds=1))
    with database.write() as db:
        assert ledger.append(db, [once, again], "ami") == [once]
        assert ledger.append(db, [again, later], "resync") == [later]
    with database.read() as db:
        assert [seq for seq, _fact in ledger.read(db)] == sorted(seq for seq, _fact in ledger.read(db))
        assert [fact for _seq, fact in ledger.read(db, call_id="tel-1.1")] == [once, later]


def test_a_time_without_a_zone_is_refused(database):
    naive = QueueJoined(at=AT.replace(tzinfo=None), call_id="c", leg_id="c", queue="repair", position=1)
    with pytest.raises(ValueError, match="without a zone"), database.write() as db:
        ledger.append(db, [naive], "ami")
