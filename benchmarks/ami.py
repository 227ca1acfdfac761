"""From the socket to facts: our door and translation, panoramisk's stock client (parsing only), a bare socket read.

All read the same replayed stream, each in a process of its own, in turn; medians of the rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.frame import Goal, Row
from benchmarks.replay import captured

EVENTS = 200_000
ROUNDS = 5


@contextmanager
def replay(events: int, filtered: bool = False) -> Iterator[tuple[int, int]]:
    """A server of at least so many events in another process: its port, and how many they are exactly."""
    once = len(captured(filtered))
    times = -(-events // once)
    command = [sys.executable, "-m", "benchmarks.replay", str(times), *(["filtered"] if filtered else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline()), once * times + 1  # and the one that says that it is over
        finally:
            server.terminate()


def client(kind: str, port: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.clients", kind, str(port)], check=True, stdout=subprocess.PIPE, timeout=300
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measure() -> list[Row]:
    with replay(EVENTS) as (port, events):
        rounds = [{kind: client(kind, port) for kind in ("ours", "stock", "bare")} for _ in range(ROUNDS)]
    for answers in rounds:
        counted = {kind: answer["events"] for kind, answer in answers.items()}
        assert set(counted.values()) == {events}, f"not the same events: {counted}, sent {events}"
    cpu_s = {kind: median(answers[kind]["cpu_s"] for answers in rounds) for kind in rounds[0]}
    wall_s = {kind: median(answers[kind]["wall_s"] for answers in rounds) for kind in rounds[0]}
    per_cpu_s = {kind: events / spent for kind, spent in cpu_s.items()}
    stock = "panoramisk, parsing only"
    goal = Goal("ratio", ">=", 3, aim=6)
    return [
        Row("ami: socket to facts", per_cpu_s["ours"], "events/CPU-s", goal, per_cpu_s["stock"], stock),
        Row(
            "ami: CPU of 100,000 events", cpu_s["ours"] / events * 1e5, "s", None, cpu_s["stock"] / events * 1e5, stock
        ),
        Row("ami: by the clock", events / wall_s["ours"], "events/s", None, events / wall_s["stock"], stock),
        Row(
            "ami: beside reading only", per_cpu_s["ours"], "events/CPU-s", None, per_cpu_s["bare"], "a bare socket read"
        ),
    ]
