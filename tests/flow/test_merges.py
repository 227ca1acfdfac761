"""Two records of one customer become one, and two again: nothing is lost, nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from callcenter.database import Base, Database
from callcenter.errors import BadInput, NotFound
from config.people import Role, User
from tests.fresh import fresh
from ticketing import (
    customers,
    duties,
    engines,
    entries,
    findable,
    merges,
    owners,
    relations,
    search,
    stations,
    tickets,
)
from ticketing.customers import CustomerMerged
from ticketing.merge_rows import Merge
from ticketing.merges import (
    MergedInCircle,
    MergedMeanwhile,
    MergedOn,
    MergedWithItself,
    PartedAlready,
    TwoStationFiles,
)
from ticketing.record_rows import Entry, Relation
from ticketing.rows import Customer, Engine, Phone

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
AGENT = User(login="wangfang", name="王芳", role=Role.AGENT.value, password_hash="", created_at=NOW)
DONE: dict[str, Any] = {"by": "wangfang", "now": NOW}


@pytest.fixture
def db(database):
    with database.write() as db:
        db.add(User(login="wangfang", name="王芳", role=Role.AGENT.value, password_hash="", created_at=NOW))
        yield db


def customer(db, name, *phones: str | tuple[str, str], kind="end_user", **rest: str) -> Customer:
    return customers.create(db, kind, name, NOW, phones=phones, **rest)


@pytest.fixture
def two(db) -> tuple[Customer, Customer]:
    """李建国 twice: in the old file with his engine and a ticket, and as he was entered during a call."""
    old = customer(db, "李建国", ("13800138000", "本人"), "13900139000", region="河南 郑州", code="K-1007")
    new = customer(db, "李建囯", "13700137000", note="说话慢")
    customers.add_phone(db, new, "13800138000", NOW, level="maybe")
    return old, new


def numbers(db, one):
    rows = select(Phone).where(Phone.customer_id == one.id).order_by(Phone.number)
    return [(phone.number[3:], phone.level, phone.label) for phone in db.scalars(rows)]


def test_all_that_hangs_on_the_merged_one_hangs_on_the_one_kept(db, two):
    old, new = two
    engine = engines.create(db, "4D8325B102938", "4D83", customer_id=old.id, sold_on=date(2025, 4, 1))
    ticket = tickets.open_ticket(
        db, "inquiry", subject="机油牌号", customer_id=old.id, fields={"topic": "price"}, **DONE
    )
    promise = duties.add(db, "promise", "十分钟内回电", NOW, owner="wangfang", customer_id=old.id, **DONE)
    fleet = customer(db, "郑州鸿运土方工程有限公司", kind="fleet")
    relations.add(db, old, fleet.id, "drives", **DONE)
    entries.note(db, old, "方言重，请说慢一点", **DONE)
    seen = merges.look(db, old, new)
    assert seen.moves == {
        "duties.customer_id": 1,
        "engines.customer_id": 1,
        "ownerships.customer_id": 1,
        "tickets.customer_id": 1,
        "phones.customer_id": 1,
        "relations.one_id": 1,
    }
    assert seen.differing["name"] == ("李建国", "李建囯")
    assert seen.numbers_both == ["+8613800138000"]
    merges.merge(db, old.id, new.id, take=("name", "region", "code"), **DONE)
    assert (new.name, new.region, new.code, new.note, new.initials) == (
        "李建国",
        "河南 郑州",
        "K-1007",
        "说话慢",
        "ljg",
    )
    assert {engine.customer_id, ticket.customer_id, promise.customer_id} == {new.id}
    assert [one.customer_id for one in owners.history(db, engine.id)] == [new.id]
    assert [(side.customer.name, side.relation.kind) for side in relations.of(db, new.id)] == [(fleet.name, "drives")]
    assert numbers(db, new) == [
        ("13700137000", "known", ""),
        ("13800138000", "known", "本人"),
        ("13900139000", "known", ""),
    ]
    assert [one.id for one, _ in customers.by_number(db, "+8613900139000")] == [new.id]
    assert customers.standing_id(db, old.id) == new.id
    assert customers.ids_of(db, new) == [new.id, old.id]
    for typed in ("方言重", "ljg", "K-1007"):
        assert [hit.id for hit in search.find(db, typed, AGENT)] == [new.id], typed


def test_an_index_made_anew_finds_the_merged_ones_words_with_the_one_kept(db, two):
    old, new = two
    entries.note(db, old, "方言重，请说慢一点", **DONE)
    merges.merge(db, old.id, new.id, **DONE)
    db.execute(text("DELETE FROM find_customers"))
    assert findable.complete(db) > 0
    for typed in ("方言重", "李建国", "K-1007"):
        assert [hit.id for hit in search.find(db, typed, AGENT)] == [new.id], typed


def test_what_a_page_of_before_still_names_leads_to_the_one_kept(db, two):
    old, new = two
    other = customer(db, "王大力")
    merges.merge(db, old.id, new.id, **DONE)
    ticket = tickets.open_ticket(db, "inquiry", subject="三包", customer_id=old.id, fields={"topic": "other"}, **DONE)
    engine = engines.create(db, "4D8325B102938", "4D83", customer_id=other.id, dealer_id=old.id)
    owners.hand_over(db, engine, old.id, NOW.date(), today=NOW.date(), **DONE)
    assert (ticket.customer_id, engine.customer_id, engine.dealer_id) == (new.id,) * 3
    assert relations.add(db, other, old.id, "works", **DONE).other_id == new.id
    for refused in (
        lambda: customers.change(db, old, NOW, note="他在"),
        lambda: customers.add_phone(db, old, "13500135000", NOW),
        lambda: relations.add(db, old, other.id, "family", **DONE),
    ):
        with pytest.raises(CustomerMerged, match="李建囯"):
            refused()
    entries.note(db, old, "他找过节温器", **DONE)  # words are never refused
    assert [hit.id for hit in search.find(db, "节温器", AGENT)] == [new.id]


def test_what_came_since_stays_with_the_one_kept_when_they_are_parted(db, two):
    old, new = two
    engine = engines.create(db, "4D8325B102938", "4D83", customer_id=old.id, sold_on=date(2025, 4, 1))
    row = merges.merge(db, old.id, new.id, take=("name", "region"), **DONE)
    customers.change(db, new, NOW, region="河南 洛阳")
    customers.add_phone(db, new, "13500135000", NOW)
    sold = engines.create(db, "4D8325B777938", "4D83", customer_id=new.id)
    buyer = customer(db, "王大力")
    owners.hand_over(db, engine, buyer.id, date(2026, 11, 1), today=NOW.date(), **DONE)
    merges.part(db, row.id, **DONE)
    assert (old.merged_into_id, old.name, old.region) == (None, "李建国", "河南 郑州")
    assert (new.name, new.region) == ("李建囯", "河南 洛阳")
    assert numbers(db, old) == [("13800138000", "known", "本人"), ("13900139000", "known", "")]
    assert numbers(db, new) == [
        ("13500135000", "known", ""),
        ("13700137000", "known", ""),
        ("13800138000", "maybe", ""),
    ]
    assert (engine.customer_id, sold.customer_id) == (buyer.id, new.id)
    assert [one.customer_id for one in owners.history(db, engine.id)] == [buyer.id, old.id]
    told = [entry.what for entry in db.scalars(select(Entry).where(Entry.customer_id == old.id))]
    assert told == ["unmerged"]


def test_a_merge_that_cannot_be_is_refused_in_words(db, two):
    old, new = two
    third = customer(db, "王大力")
    with pytest.raises(MergedWithItself):
        merges.merge(db, old.id, old.id, **DONE)
    with pytest.raises(NotFound):
        merges.merge(db, old.id, 9_999, **DONE)
    with pytest.raises(NotFound):
        merges.merge(db, 2**40, old.id, **DONE)
    with pytest.raises(BadInput):
        merges.merge(db, old.id, new.id, take=("colour",), **DONE)
    first = merges.merge(db, old.id, new.id, **DONE)
    with pytest.raises(MergedMeanwhile):  # a colleague was faster
        merges.merge(db, old.id, third.id, **DONE)
    with pytest.raises(MergedMeanwhile):
        merges.merge(db, third.id, old.id, **DONE)
    with pytest.raises(MergedInCircle):
        merges.merge(db, new.id, old.id, **DONE)
    second = merges.merge(db, new.id, third.id, **DONE)
    with pytest.raises(MergedOn):
        merges.part(db, first.id, **DONE)
    assert customers.ids_of(db, third) == [third.id, new.id, old.id]
    merges.part(db, second.id, **DONE)
    merges.part(db, first.id, **DONE)
    with pytest.raises(PartedAlready):
        merges.part(db, first.id, **DONE)
    with pytest.raises(NotFound):
        merges.part(db, 9_999, **DONE)
    for station in (old, new):
        stations.create(db, station, "河南 郑州") if station.kind == "station" else None
        customers.change(db, station, NOW, kind="station")
        stations.create(db, station, "河南 郑州")
    with pytest.raises(TwoStationFiles):
        merges.merge(db, old.id, new.id, **DONE)


def test_two_agents_who_merge_at_once_merge_once(database):
    with database.write() as db:
        one, other = customer(db, "李建国"), customer(db, "李建囯")
    with database.write() as db:
        stale = db.get(Customer, one.id)  # read before the colleague
        db.execute(text(f"UPDATE customers SET merged_into_id = {other.id} WHERE id = {one.id}"))
        assert stale.merged_into_id is None
        with pytest.raises(MergedMeanwhile):
            merges.merge(db, one.id, other.id, **DONE)


# --- any order ---------------------------------------------------------------------------------------------------

PEOPLE = 4
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("merge"),
            st.integers(0, PEOPLE - 1),
            st.integers(0, 1),  # into few, so that several meet in one
            st.sampled_from([(), merges.FIELDS, ("region", "code")]),
        ),
        st.tuples(st.just("part"), st.integers(0, 3), st.just(0), st.just(())),
    ),
    min_size=3,
    max_size=8,
)
PHONES = st.lists(
    st.dictionaries(
        st.sampled_from(["13800138000", "13900139000", "13700137000"]),
        st.tuples(st.sampled_from(["known", "maybe"]), st.sampled_from(["", "本人"])),
    ),
    min_size=PEOPLE,
    max_size=PEOPLE,
)
PAIRS = st.lists(st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1)), max_size=5)
HISTORY = {"record_entries", "merges", "likenesses"}
"""What only ever grows, and what is looked for anew."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Database:
    return fresh(tmp_path_factory.mktemp("merges") / "m.db")


def rows(db) -> dict[str, list[Any]]:
    """Every row there is, but for what only grows and who changed it when."""
    held = {}
    for name, table in Base.metadata.tables.items():
        kept = [column for column in table.c if column.name not in ("version", "changed_at")]
        if name not in HISTORY:
            held[name] = sorted(map(tuple, db.execute(select(*kept))), key=repr)
    held["find"] = list(map(tuple, db.execute(text("SELECT rowid, tokens FROM find_customers ORDER BY rowid"))))
    return held


@settings(max_examples=30, phases=[Phase.generate])  # an example found is small enough to read
@given(steps=STEPS, phones=PHONES, pairs=PAIRS, order=st.randoms(use_true_random=False))
def test_merges_undone_in_any_order_leave_every_row_as_it_was(place, steps, phones, pairs, order):
    with place.write() as db:
        people = []
        for at, own in enumerate(phones):
            one = customer(
                db,
                f"李建{'国华军民伟'[at]}",
                region=f"河南 {at}",
                code=f"K{at}",
            )
            for number, (level, label) in own.items():
                customers.add_phone(db, one, number, NOW, level=level, label=label)
            engines.create(
                db, f"4D8325B10000{at}", "4D83", customer_id=one.id, dealer_id=people[0].id if people else None
            )
            people.append(one)
        for first, second in pairs:
            if first != second:
                relation = Relation(kind="works", one_id=people[first].id, other_id=people[second].id, note="")
                db.add(relation)
        db.flush()
        before = rows(db)
        made: list[Merge] = []
        for what, first, second, take in steps:
            try:
                if what == "merge":
                    made.append(merges.merge(db, people[first].id, people[second].id, take=take, **DONE))
                elif first < len(made):
                    merges.part(db, made[first].id, **DONE)
            except (MergedMeanwhile, MergedWithItself, MergedInCircle, MergedOn, PartedAlready):
                continue
        left = [one for one in made if one.undone_at is None]
        gone = [person.id for person in people if person.merged_into_id is not None]
        assert db.scalars(select(Engine.id).where(Engine.customer_id.in_(gone))).all() == []
        while left:
            order.shuffle(left)
            for row in list(left):
                try:
                    merges.part(db, row.id, **DONE)
                    left.remove(row)
                except MergedOn:
                    continue
        assert rows(db) == before
        db.rollback()
