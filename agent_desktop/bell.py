"""Rings for everyone who waits on the loop when something has been committed; they read for themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from callcenter.bus import Bus
from callcenter.events import Event


class Bell:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._leave = bus.listen(self._hear)

    def _hear(self, _event: Event) -> None:
        """In whichever thread commits."""
        for loop, rung in tuple(self._waiting):
            if not rung.is_set() and not loop.is_closed():
                loop.call_soon_threadsafe(rung.set)

    @contextmanager
    def listener(self) -> Iterator[asyncio.Event]:
        """Set whenever something was committed; whoever clears it reads afterwards, so nothing is slept through."""
        one = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(one)
        try:
            yield one[1]
        finally:
            self._waiting.discard(one)
