"""Where events lie, in order, between the reader and intake."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from cti.wire import Message


class Inbox:
    """Events in the order received, until intake takes them. Too many, and all of them go: resync is due."""

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._size = size
        self._messages: deque[Message] = deque()
        self._filled = asyncio.Event()

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
        return fits

    async def take(self, most: int, gather_s: float = 0.0) -> list[Message]:
        """At least one message, at most so many; waits until there is one, and ``gather_s`` more for those with it."""
        if not self._messages:
            while not self._messages:
                self._filled.clear()
                await self._filled.wait()
            if gather_s:
                await asyncio.sleep(gather_s)
        return [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
