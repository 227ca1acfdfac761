"""Key actions over a decade's records: save a ticket, search, open a caller's card, asked as a browser asks.

One million customers, two million engines, five million tickets, on SQLite and on PostgreSQL; a hundredth of it with
CALLCENTER_BENCH_SHARE=0.01. The peer is a page of the same app with nothing on it: signing in and HTTP alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
from sqlalchemy import create_engine, select, text

import callcenter.database
import tests.tables  # noqa: F401 - every table must be known before the first is read
from agent_desktop.app import create_app
from benchmarks import archive
from benchmarks.archive import Filling, Sizes, names, number, serial
from benchmarks.frame import Goal, Row
from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.start import fill
from config import people
from config.people import User
from config.settings import Settings
from tests.desktop import Desk, served
from tests.stores.postgresql import cluster
from tests.told import Caller
from ticketing import findable

BUILD = Path(__file__).parents[1] / "build"
BEGIN = "begins-behind"  # written last: a decade without it is not whole
SHARE = float(os.environ.get("CALLCENTER_BENCH_SHARE", "1"))
TURNS = 40
WARM = 3
LOGIN = "wangfang"
EMPTY = "/desk/search?q="
GOAL = Goal("ours", "<=", 100)

WAYS: dict[str, Callable[[int], str]] = {
    "whole number": number,
    "end of number": lambda x: number(x)[-6:],
    "name": lambda x: names()[x * 31 % len(names())],
    "initials": lambda x: ("ljg", "wxm", "zwd", "lhy")[x % 4],
    "pinyin": lambda x: ("lijian", "wangwei", "zhangfang", "chenguo")[x % 4],
    "serial's end": lambda x: serial(x)[-6:],
    "middle of serial": lambda x: serial(x)[3:9],
    "ticket number": lambda x: f"R{181201 + x % 28}-{x % 2000:04d}",
    "words in subjects": lambda x: ("水温高", "高速服务区", "增压器故障", "询问配件")[x % 4],
    "what is nowhere": lambda x: f"量子{x}计算机",
}


def measure() -> list[Row]:
    """A decade takes minutes to write: it stays in build/ for as long as its rows would be the same, and copies of it
    are worked in.
    """
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        decade, begin = _kept("sqlite")
        begin = begin or _fill(decade, f"sqlite:///{decade}/decade.db")
        shutil.copyfile(decade / "decade.db", f"{folder}/decade.db")
        rows = _on(Path(folder), f"sqlite:///{folder}/decade.db", begin, "SQLite")
    decade, begin = _kept("postgresql")
    with cluster(decade / "cluster") as url:
        begin = begin or _fill(decade, url)
        with tempfile.TemporaryDirectory() as folder, _copied(url) as copy:
            return rows + _on(Path(folder), copy, begin, "PostgreSQL")


def _kept(store: str) -> tuple[Path, int]:
    """Where this decade is in this store, and behind which customer it begins, 0 where it is still to be written."""
    tables = Path(callcenter.database.__file__).with_name("migrations")
    made_by = [Path(archive.__file__), Path(findable.__file__), *sorted(tables.rglob("*.py"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in made_by)).hexdigest()[:10]
    folder = BUILD / f"decade-{store}-{SHARE:g}-{digest}"
    for other in BUILD.glob(f"decade-{store}-{SHARE:g}-*"):
        if other != folder or not (other / BEGIN).is_file():
            shutil.rmtree(other)
    folder.mkdir(parents=True, exist_ok=True)
    begin = folder / BEGIN
    return folder, int(begin.read_text()) if begin.is_file() else 0


def _fill(folder: Path, url: str) -> int:
    database = Database(url)
    try:
        database.migrate()
        fill(Settings(home=folder), database)
        first = Filling(database, Sizes.of(SHARE)).fill().customers
    finally:
        database.close()
    (folder / BEGIN).write_text(f"{first}")
    return first


@contextmanager
def _copied(url: str) -> Iterator[str]:
    """Another database of the same cluster with the same in it."""
    place, _, name = url.rpartition("/")
    with create_engine(f"{place}/template1", isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS measured"))
        connection.execute(text(f"CREATE DATABASE measured TEMPLATE {name}"))
    yield f"{place}/measured"


def _on(home: Path, url: str, first: int, name: str) -> list[Row]:
    settings, database = Settings(home=home), Database(url)
    try:
        with _browser(settings, database) as (browser, desk):
            taken = Turns(browser, desk, first, Sizes.of(SHARE)).take()
    finally:
        database.close()
    size = "" if SHARE == 1 else f" ({SHARE:g} of the size)"
    empty = _p95(taken.pop("empty"))
    worst = max((way for way in taken if way in WAYS), key=lambda way: _p95(taken[way]))
    searches = [ms for way in WAYS for ms in taken[way]]
    return [
        Row(f"save a ticket p95, {name}{size}", _p95(taken["save"]), "ms", GOAL, empty, "empty page"),
        Row(f"open a caller's card p95, {name}{size}", _p95(taken["card"]), "ms", GOAL, empty, "empty page"),
        Row(f"search p95, ten ways, {name}{size}", _p95(searches), "ms", GOAL, empty, "empty page"),
        Row(f"search p95, slowest way: {worst}, {name}{size}", _p95(taken[worst]), "ms", GOAL, empty, "empty page"),
    ]


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[94]


@contextmanager
def _browser(settings: Settings, database: Database) -> Iterator[tuple[httpx.Client, Desk]]:
    bus = LocalBus()
    app = create_app(settings, database, bus, lambda: {"cti": (True, "connected")})
    with database.write() as db:
        user = db.scalars(select(User).where(User.login == LOGIN)).one()
        token, row = people.start_session(db, user, now())
    with served(Desk(settings=settings, database=database, bus=bus, app=app, parts={})) as desk:
        headers = {"Accept": "text/html", "X-CSRF": row.csrf}
        with httpx.Client(base_url=desk.origin, cookies={"callcenter": token}, headers=headers, timeout=60) as browser:
            yield browser, desk


class Turns:
    """Everything by turns, so that all see the same machine."""

    def __init__(self, browser: httpx.Client, desk: Desk, first: int, sizes: Sizes) -> None:
        self.browser, self.desk, self.first, self.sizes = browser, desk, first, sizes
        self.taken: dict[str, list[float]] = {name: [] for name in ("empty", "save", "card", *WAYS)}

    def take(self) -> dict[str, list[float]]:
        for turn in range(WARM + TURNS):
            x = 1 + turn * 7907 % self.sizes.customers
            call_id = Caller(self.desk.database, self.desk.bus, number(x)).rings().call_id
            self._timed("empty", turn, partial(self.browser.get, EMPTY))
            self._timed("card", turn, partial(self.browser.get, f"/desk/card/{call_id}"))
            self._timed("save", turn, partial(self._save, x, call_id))
            for way, words in WAYS.items():
                self._timed(way, turn, partial(self.browser.get, "/desk/search", params={"q": words(x)}))
        return self.taken

    def _save(self, x: int, call_id: str) -> httpx.Response:
        sent = {"kind": "inquiry", "subject": "询问三包期限和就近服务站", "field.topic": "warranty", "call_id": call_id}
        return self.browser.post(
            "/desk/tickets", data=sent | {"customer_id": str(self.first + x), "notes": "客户在工地"}
        )

    def _timed(self, name: str, turn: int, ask: Callable[[], httpx.Response]) -> None:
        began = time.perf_counter()
        answer = ask()
        took_ms = (time.perf_counter() - began) * 1000
        if answer.status_code != 200:
            raise AssertionError(f"{name}: {answer.status_code} {answer.text[:500]}")
        if turn >= WARM:
            self.taken[name].append(took_ms)
