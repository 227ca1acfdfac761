"""Where events lie, in order, between the reader and intake."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Iterator

from cti.wire import Message

MANY = 100  # so many are a batch worth its transaction


class Inbox:
    """Events in the order received, until intake takes them. Too many, and all of them go: resync is due."""

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self.pressing: Collection[str] = frozenset()  # names of events that somebody waits for
        self._size = size
        self._messages: deque[Message] = deque()
        self._filled = asyncio.Event()
        self._pressed = asyncio.Event()

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
        self._filled.set()
        if message.get("Event") in self.pressing:
            self._pressed.set()
        return fits

    async def take(self, most: int, gather_s: float = 0.0) -> list[Message]:
        """At least one message, at most so many; waits until there is one.

        Then for ``gather_s`` more, since the switch tells of one happening in several events; not where many lie here
        already, and no longer than until a ``pressing`` one comes.
        """
        while not self._messages:
            self._filled.clear()
            await self._filled.wait()
        if gather_s and len(self._messages) < MANY:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(gather_s):
                    await self._pressed.wait()
        self._pressed.clear()
        return [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
