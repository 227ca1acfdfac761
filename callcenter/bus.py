"""The bus: a committed change is told to whoever is connected; rows stay the truth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import queue
import secrets
import threading
from collections.abc import Callable
from typing import Any, Protocol

import redis

from callcenter.events import Event
from callcenter.payloads import as_payload, from_payload

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]


async def heard(nudged: asyncio.Event, within_s: float) -> None:
    """Until it is set, or for so long.

    Not wait_for: in Python 3.11 it loses a cancellation that comes in the moment of a nudge.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await nudged.wait()


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


class RedisBus:
    """Between processes, over one Redis Stream. Without Redis nothing is lost but time: rows stay the truth.

    What is published here reaches this process's own listeners at once, and everybody else's through Redis.
    """

    STREAM = "callcenter:events"
    KEEP = 10_000  # entries, about; a nudge older than this is of no use

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, decode_responses=True)
        self._local = LocalBus()
        self._name = secrets.token_hex(8)
        self._closed = threading.Event()
        self._out: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._after = self._newest()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._read)]
        for thread in self._threads:
            thread.start()

    def publish(self, event: Event) -> None:
        self._local.publish(event)
        self._out.put(event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        return self._local.listen(listener)

    def close(self) -> None:
        self._closed.set()
        self._out.put(None)
        for thread in self._threads:
            thread.join(timeout=3)
        self._local.close()
        self._redis.close()

    def reachable(self) -> bool:
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def _newest(self) -> str:
        """The entry to read behind; an unreachable Redis starts from what it holds when it comes back."""
        try:
            last = self._redis.xrevrange(self.STREAM, count=1)
        except redis.RedisError:
            return "0"
        return str(last[0][0]) if last else "0"

    def _send(self) -> None:
        while (event := self._out.get()) is not None:
            said = {"from": self._name, "type": type(event).__name__, "payload": json.dumps(as_payload(event))}
            with contextlib.suppress(redis.RedisError):  # the reader says that it is away
                self._redis.xadd(self.STREAM, said, maxlen=self.KEEP, approximate=True)  # type: ignore[arg-type]

    def _read(self) -> None:
        away = False  # said once, not each second
        while not self._closed.is_set():
            try:
                answer: Any = self._redis.xread({self.STREAM: self._after}, block=500, count=500)
            except redis.RedisError as fault:
                if not away:
                    log.warning("Redis is not there, pop-ups come with the next poll: %s", fault)
                away = True
                self._closed.wait(1)
                continue
            if away:
                away = False
                log.warning("Redis is there again")
            for _stream, entries in answer or ():
                for entry, said in entries:
                    self._after = entry
                    if said.get("from") != self._name:
                        self._tell(said)

    def _tell(self, said: dict[str, str]) -> None:
        """A message of another version, or a broken one, is logged and skipped."""
        try:
            event = from_payload(said["type"], json.loads(said["payload"]))
        except (KeyError, TypeError, ValueError) as fault:
            log.warning("skipped what the bus said: %s %.200r", fault, said)
            return
        self._local.publish(event)
