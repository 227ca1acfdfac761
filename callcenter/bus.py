"""The bus: a committed change is told to whoever is connected; rows stay the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from callcenter.events import Event

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]


class Bus(Protocol):
    def publish(self, event: Event) -> None: ...

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell this listener of every event from now on; the answer takes it off again."""
        ...

    def close(self) -> None: ...


class LocalBus:
    """Within one process. A failing listener is logged and the next one is told.

    ``publish`` runs in whichever thread commits; a listener with a loop of its own hops there itself.
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def publish(self, event: Event) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("listener failed on %r", event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def close(self) -> None:
        self._listeners.clear()
