"""At the terminal: a new agent serves a queue, a new number leads to it, and nothing filled in is overwritten."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from callcenter import ledger
from callcenter.cli import app
from callcenter.database import Database
from callcenter.errors import BadInput, NotFound
from config import queues
from config.queues import Did
from ivr.flow import BadFlow
from tests.desktop import Desk, make_desk
from ticketing.rows import Customer


@pytest.fixture(scope="module")
def migrated(tmp_path_factory) -> bytes:
    """A database as the first start makes it."""
    path = tmp_path_factory.mktemp("migrated") / "callcenter.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    content: bytes = path.read_bytes()
    return content


@pytest.fixture
def centre(tmp_path, monkeypatch, migrated) -> Iterator[Desk]:
    """A home as the commands find it."""
    monkeypatch.setenv("CALLCENTER_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "callcenter.db").write_bytes(migrated)
    database = Database(f"sqlite:///{tmp_path / 'callcenter.db'}")
    yield make_desk(tmp_path, database)
    database.close()


def told(*words: str) -> str:
    said = CliRunner().invoke(app, list(words))
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    assert said.exit_code == 0, said.output
    return said.output


def test_a_queue_is_added_served_left_and_found_by_its_number(centre):
    told("queue", "add", "warranty", "--zh", "三包", "--en", "Warranty", "--kind", "complaint")
    told("queue", "serve", "warranty", "1001", "--level", "1")
    told("queue", "serve", "warranty", "1002")
    told("queue", "number", "4007", "--queue", "warranty", "--title", "三包热线")
    [warranty] = [one for one in json.loads(told("queue", "list", "--json")) if one["name"] == "warranty"]
    assert warranty["served_by"] == [{"extension": "1002", "level": 0}, {"extension": "1001", "level": 1}]
    assert warranty["numbers"] == ["4007"]
    assert "李娜 1002 (0), 王芳 1001 (1)" in told("queue", "list")
    told("queue", "serve", "warranty", "1002", "--end")
    told("queue", "number", "4007", "--queue", "repair", "--language", "en")
    with centre.database.read() as db:
        assert [user.name for _member, user in queues.members(db, "warranty")] == ["王芳"]
        did = db.get_one(Did, "4007")
        assert (did.default_queue, did.language, did.title) == ("repair", "en", "4007")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("add", "Bad Name", "--zh", "三包", "--en", "Warranty"), BadInput),
        (("add", "warranty", "--zh", "三包", "--en", "Warranty", "--kind", "nothing"), BadInput),
        (("serve", "nothing", "1001"), NotFound),
        (("serve", "repair", "1042"), NotFound),
        (("number", "40 08", "--queue", "repair"), BadInput),
        (("number", "4007", "--queue", "nothing"), NotFound),
        (("number", "4007", "--queue", "repair", "--language", "de"), BadInput),
        (("number", "4007", "--queue", "repair", "--flow", "nothing"), BadFlow),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else one.__name__,
)
def test_what_cannot_be_is_refused_and_changes_nothing(centre, words, fault):
    with pytest.raises(fault):
        told("queue", *words)
    with centre.database.read() as db:
        assert [queue.name for queue in queues.list_queues(db)] == ["inquiry", "repair"]
        assert queues.list_numbers(db) == []


def test_where_people_work_no_demonstration_is_filled_in_and_its_log_ins_stay(centre):
    kept = centre.settings.home / "logins.txt"
    kept.write_text("wangfang 4qk7-2m9x\n", encoding="utf-8")
    assert "nothing was filled in" in told("demo")
    assert kept.read_text(encoding="utf-8") == "wangfang 4qk7-2m9x\n"
    with centre.database.read() as db:
        assert ledger.newest(db) == 0
        assert db.scalar(select(func.count()).select_from(Customer)) == 0
