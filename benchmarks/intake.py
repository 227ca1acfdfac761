"""The whole path: from the switch's socket to committed rows, in one process on one core, with SQLite.

Counted by the CPU time of all its threads, so that what else runs here does not matter. Every repetition of the
stream is other calls, so every row is really written; at the end the rows are counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import func, select

import tests.tables  # noqa: F401 - the tables must be known before they are made
from benchmarks.ami import client, replay
from benchmarks.clients import SECRET, cpu_s, go
from benchmarks.frame import Goal, Row
from benchmarks.replay import NAMES, captured
from callcenter.bus import LocalBus
from callcenter.database import Database
from callcenter.ledger import LedgerRow
from config.settings import Settings, Switch
from cti.intake import Intake
from cti.rows import Call

EVENTS = 60_000
ROUNDS = 3


def measure() -> list[Row]:
    (everything, stock), (filtered, _) = _events_per_core_s(filtered=False), _events_per_core_s(filtered=True)
    goal, peer = Goal("ours", ">=", 10_000), "panoramisk, parsing only"
    return [
        Row("intake: socket to committed rows", everything, "events/core-s", goal, stock, peer),
        Row("intake: CPU of 100,000 events", 1e5 / everything, "s", None, 1e5 / stock, peer),
        Row("intake: only events our switch sends", filtered, "events/core-s"),
    ]


def _events_per_core_s(filtered: bool) -> tuple[float, float]:
    """Ours, and panoramisk's that only parses, on the same stream in turn."""
    times = -(-EVENTS // len(captured()))
    once = len(captured(filtered))
    answers: list[dict[str, Any]] = []
    with replay(times * once, filtered) as (port, events):
        for _ in range(ROUNDS):
            command = [sys.executable, "-m", "benchmarks.intake", str(port), str(events)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600)
            answers.append(json.loads(done.stdout) | {"stock_cpu_s": client("stock", port)["cpu_s"]})
    for answer in answers:
        assert answer["calls"] == answer["ended"] == times * len(NAMES), f"of {times * len(NAMES)} calls: {answer}"
    ours = median(events / answer["cpu_s"] for answer in answers)
    return ours, median(events / answer["stock_cpu_s"] for answer in answers)


async def _take_in(port: int, events: int, home: Path) -> dict[str, Any]:
    settings = Settings(
        home=home, switch=Switch(ami_port=port, ami_secret=SECRET, inbox_size=1_000_000, heartbeat_s=600)
    )
    database = Database(settings.database_url)
    database.create_all()
    intake = Intake(settings, database, LocalBus())
    await intake.start()
    with go(port):
        before, cpu = intake.door.heard, cpu_s()
        async with asyncio.timeout(120):
            while intake.door.heard - before < events:
                await asyncio.sleep(0.01)
        await intake.stop()  # not before everything heard is committed
        spent = {"cpu_s": cpu_s() - cpu}
    with database.read() as db:
        counted = {
            "calls": db.scalar(select(func.count()).select_from(Call)),
            "ended": db.scalar(select(func.count()).select_from(Call).where(Call.ended_at.is_not(None))),
            "facts": db.scalar(select(func.count()).select_from(LedgerRow)),
        }
    database.close()
    return spent | counted


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core; the server has the others
    with tempfile.TemporaryDirectory(prefix="cc-bench-") as folder:
        answer = asyncio.run(_take_in(int(sys.argv[1]), int(sys.argv[2]), Path(folder)))
    sys.stdout.write(json.dumps(answer) + "\n")
