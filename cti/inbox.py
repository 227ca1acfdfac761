"""Where events lie, in order, between the reader and intake."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping

from cti.wire import Message

MANY = 100  # so many are a batch worth its transaction


class Inbox:
    """Events in the order received, until intake takes them. Too many, and all of them go: resync is due.

    The switch tells of one happening in several events: they lie here for a moment, so that one transaction does for
    them all. How long depends on who waits for them.
    """

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self.patience_s = 0.0  # how long an event may lie here
        self.patience: Mapping[str, float] = {}  # and one of this name; a user event goes by its own
        self._size = size
        self._messages: deque[Message] = deque()
        self._due = math.inf  # monotonic: when the most pressing one must be taken
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        """What lies here now, the oldest first."""
        return iter(tuple(self._messages))

    def put(self, message: Message) -> bool:
        """False if there was no room: what lay here was dropped, and only ``message`` is left."""
        fits = len(self._messages) < self._size
        if not fits:
            self.dropped += len(self._messages)
            self._messages.clear()
        self._messages.append(message)
        name = message.get("UserEvent") or message.get("Event", "")
        due = time.monotonic() + self.patience.get(name, self.patience_s)
        if due < self._due or len(self._messages) == MANY:
            self._due = min(due, self._due)
            self._news.set()
        return fits

    async def take(self, most: int) -> list[Message]:
        """At least one message, at most so many, as soon as one of them is due or many lie here."""
        while (rest_s := self._due - time.monotonic()) > 0 and len(self._messages) < MANY:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if rest_s == math.inf else rest_s):
                    await self._news.wait()
        taken = [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
        if not self._messages:
            self._due = math.inf
        return taken
