"""What a benchmark answers: one row per figure, with its goal."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Goal:
    """``Goal("ratio", ">=", 3, aim=6)``: our figure divided by the peer's is at least 3, and 6 is hoped for.

    ``"ours"``: our figure itself.
    """

    of: Literal["ours", "ratio"]
    sense: Literal[">=", "<="]
    value: float
    aim: float | None = None

    def __str__(self) -> str:
        aim = "" if self.aim is None else f", aim {self.aim:g}"
        return f"{self.of} {self.sense} {self.value:g}{aim}"

    def holds(self, row: Row) -> bool:
        figure = row.ours if self.of == "ours" else row.ratio
        if figure is None:
            return False
        return figure >= self.value if self.sense == ">=" else figure <= self.value


@dataclass(frozen=True)
class Row:
    """One figure: ours, the peer's from the same run (None where nobody else does this), and whether the goal holds."""

    name: str
    ours: float
    unit: str
    goal: Goal | None = None
    peer: float | None = None
    peer_name: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def holds(self) -> bool:
        return self.goal is None or self.goal.holds(self)

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "goal": str(self.goal) if self.goal else "",
            "ratio": self.ratio,
            "holds": self.holds,
            "machine": machine(),
        }


def machine() -> str:
    """Processor, cores, memory, kernel, Python, and how busy it is: figures of another machine are other figures."""
    cpu = platform.processor() or platform.machine()
    try:
        told = Path("/proc/cpuinfo").read_text()
        cpu = next(line.partition(": ")[2] for line in told.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
