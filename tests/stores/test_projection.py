"""Facts become the same rows on a real PostgreSQL, also when two processes tell of one agent at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import func, select, text

from callcenter import ledger
from callcenter.bus import LocalBus
from callcenter.database import Database
from callcenter.ledger import LedgerRow
from cti.projection import rebuild, recognise, record
from cti.rows import Call, Spell
from cti.spool import Spool
from cti.store import Store
from tests.dumps import dump
from tests.facts import NINE, Told, answered_call


def test_a_switch_and_a_desk_tell_of_one_agent_at_once_and_the_ledger_rebuilds_the_same_rows(database):
    calls = [answered_call(f"tel-{1795395600 + n}.{n}", at=NINE + timedelta(minutes=2 * n)) for n in range(20)]
    desk = [fact for n, said in enumerate(calls) for fact in Told(at=said.at).wraps_up("1001", 5 + n % 3).facts]

    def switch() -> None:
        for said in calls:
            for begin in range(0, len(said.facts), 4):
                with database.write() as db:
                    record(db, recognise(db, said.facts[begin : begin + 4]), "ami")

    def agent() -> None:
        for fact in desk:
            with database.write() as db:
                record(db, [fact], "desk")

    with ThreadPoolExecutor(2) as pool:
        for done in (pool.submit(switch), pool.submit(agent)):
            done.result()
    with database.read() as db:
        assert db.scalar(select(func.count()).select_from(Call).where(Call.outcome == "answered")) == 20
        assert db.scalar(select(func.count()).select_from(Spell).where(Spell.ended_at.is_(None))) == 2
    rows = dump(database)
    rebuild(database)
    assert dump(database) == rows


def test_whoever_follows_the_ledger_by_its_numbers_misses_nothing_of_many_writers(database):
    calls = [answered_call(f"tel-{1795395600 + n}.{n}", at=NINE + timedelta(minutes=2 * n)) for n in range(24)]
    whole = sum(len(said.facts) for said in calls)

    def write(own: slice) -> None:
        for said in calls[own]:
            for fact in said.facts:
                with database.write() as db:
                    ledger.append(db, [fact], "ami")

    def follow() -> list[int]:
        heard: list[int] = []
        while len(heard) < whole:
            with database.read() as db:
                heard += [seq for seq, _fact in ledger.read(db, after=heard[-1] if heard else 0)]
            assert heard == sorted(set(heard))
        return heard

    with ThreadPoolExecutor(4) as pool:
        followed = pool.submit(follow)
        for done in [pool.submit(write, slice(first, None, 3)) for first in range(3)]:
            done.result()
        heard = followed.result(60)
    with database.read() as db:
        assert heard == list(db.scalars(select(LedgerRow.seq).order_by(LedgerRow.seq)))


def test_while_the_database_can_only_be_read_facts_lie_on_disk(database, tmp_path, monkeypatch):
    """As behind a failover, until somebody makes the standby the first."""
    monkeypatch.setattr("cti.store.AGAIN_S", 0)
    only_to_be_read(database, "on")
    said = answered_call("tel-1795395600.1")
    store = Store(database, LocalBus(), Spool(tmp_path / "tel.jsonl"))
    store.keep(said.facts[:5], "ami")
    assert store.behind, "nothing is lost"
    assert "read-only" in store.fault
    only_to_be_read(database, "off")
    store.keep(said.facts[5:], "ami")
    assert not store.behind
    with database.read() as db:
        assert db.scalars(select(Call.outcome)).all() == ["answered"]


def only_to_be_read(database: Database, word: str) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {word}"))
    database.engine.dispose()
