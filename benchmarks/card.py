"""The caller's card: composed from a demonstration year and sent, as the agent's browser asks for it.

The peer is a page of the same app with nothing on it: what signing in, templates and the way over HTTP cost anyway.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import httpx
from sqlalchemy import select

import tests.tables  # noqa: F401 - every table must be known before the first is read
from agent_desktop.app import create_app
from benchmarks.frame import Goal, Row
from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.start import fill
from config import people
from config.people import User
from config.settings import Settings
from tests.desktop import Desk, served
from tests.told import Caller

TIMES = 400
WARM = 30
LOGIN = "wangfang"
NUMBER = "13800138000"
SERIAL = "102938"
EMPTY = "/desk/search?q="


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        database = Database(f"sqlite:///{Path(folder) / 'year.db'}")
        try:
            database.migrate()
            fill(settings, database)
            card_ms, empty_ms = _asked(settings, database)
        finally:
            database.close()
    cards, empties = (statistics.quantiles(taken, n=100, method="inclusive") for taken in (card_ms, empty_ms))
    return [
        Row("caller's card p50", cards[49], "ms", None, empties[49], "empty page"),
        Row("caller's card p95", cards[94], "ms", Goal("ours", "<=", 20), empties[94], "empty page"),
    ]


def _asked(settings: Settings, database: Database) -> tuple[list[float], list[float]]:
    """Milliseconds of each answer; card and empty page by turns, so that both see the same machine."""
    bus = LocalBus()
    app = create_app(settings, database, bus, lambda: {"cti": (True, "connected")})
    with database.write() as db:
        token, _row = people.start_session(db, db.scalars(select(User).where(User.login == LOGIN)).one(), now())
    caller = Caller(database, bus, NUMBER, serial=SERIAL).rings()
    taken: dict[str, list[float]] = {f"/desk/card/{caller.call_id}": [], EMPTY: []}
    with (
        served(Desk(settings=settings, database=database, bus=bus, app=app, parts={})) as desk,
        httpx.Client(base_url=desk.origin, cookies={"callcenter": token}, headers={"Accept": "text/html"}) as browser,
    ):
        for turn in range(WARM + TIMES):
            for path, times in taken.items():
                began = time.perf_counter()
                browser.get(path).raise_for_status()
                if turn >= WARM:
                    times.append((time.perf_counter() - began) * 1000)
    card_ms, empty_ms = taken.values()
    return card_ms, empty_ms
