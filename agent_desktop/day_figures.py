"""Today's figures by queue, as every open board shows them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from config.settings import ServiceLevels
from reports import today
from reports.figures import Figure

COUNTED_EVERY = timedelta(seconds=5)


class DayFigures:
    """Today's figures by queue, counted anew every few seconds at most, however many boards are open."""

    def __init__(self, zone: ZoneInfo, levels: ServiceLevels) -> None:
        self._zone, self._levels = zone, levels
        self._turn = threading.Lock()
        self._counted_at: datetime | None = None
        self._figures: dict[str, dict[str, Figure]] = {}

    def by_queue(self, db: Session, at: datetime, queues: Iterable[str]) -> dict[str, dict[str, Figure]]:
        with self._turn:
            old = self._counted_at is None or not timedelta(0) <= at - self._counted_at < COUNTED_EVERY
            if old or not self._figures.keys() >= set(queues):
                counted = today.by_queue(db, self._zone, at, self._levels)
                self._figures = {name: {figure.name: figure for figure in own} for name, own in counted.items()}
                self._counted_at = at
            return self._figures
