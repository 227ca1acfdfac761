"""Builds and joins the parts of a process; starts them, stops them in reverse order.

One asyncio loop carries all: Twisted through its asyncioreactor, uvicorn without its signal capture, panoramisk.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import importlib
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from twisted.internet import asyncioreactor

from callcenter.bus import Bus, LocalBus, RedisBus
from callcenter.database import Database
from callcenter.errors import CallCenterError, PortBusy
from config.settings import Settings

log = logging.getLogger(__name__)

Health = tuple[bool, str]

GIL_TURN_S = 0.0005  # threads that write a row must not wait 5 ms, Python's own turn, at each of twenty statements
LOOK_S = 0.2  # between two tries at a switch that does not start, at first
FOLLOW_S = 10.0  # a new extension can register after this at the latest
RENDER_S = 60.0  # between two looks at what the switch's files say that comes from no row, such as our address


class RunsAlready(CallCenterError):
    """A call centre runs from this folder already; stop that one first (Ctrl-C where it runs)."""


class Part(Protocol):
    """One part of a process. ``start`` returns when the part is ready for work."""

    name: str

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def health(self) -> Health: ...


class House:
    """The parts of this process, in the order they stand on each other."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self._started: list[Part] = []

    async def start(self) -> None:
        for part in self.parts:
            log.info("starting %s", part.name)
            self._started.append(part)
            await part.start()

    async def stop(self) -> None:
        """Every part that was started, last first; one that fails to stop does not keep the others."""
        while self._started:
            part = self._started.pop()
            log.info("stopping %s", part.name)
            try:
                await part.stop()
            except Exception:
                log.exception("%s did not stop cleanly", part.name)

    def health(self) -> dict[str, Health]:
        return {part.name: part.health() for part in self.parts}


class SwitchPart:
    """Asterisk as a child of ours, started again when it dies."""

    name = "switch"

    def __init__(self, settings: Settings, database: Database) -> None:
        from config.process import Process

        self._settings, self._database = settings, database
        self._process = Process(settings)
        self._watch: asyncio.Task[None] | None = None
        self._detail = "not started"
        self._rendered: list[tuple[Any, ...]] = []
        self._rendered_at = -math.inf  # monotonic

    async def start(self) -> None:
        await asyncio.to_thread(self._up)
        self._watch = asyncio.create_task(self._keep_up())

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.to_thread(self._process.stop)

    def health(self) -> Health:
        return self._process.pid is not None, self._detail

    def _up(self) -> None:
        from config.switch import render

        render(self._settings, self._database)
        self._process.start()
        self._process.wait_booted(60)
        self._detail = f"Asterisk, pid {self._process.pid}"

    def _follow(self) -> None:
        """Tell the switch of people, queues and numbers that changed meanwhile, and keep its logs bounded."""
        from config.switch import render, written

        rows, at = written(self._database), time.monotonic()
        if rows != self._rendered or at - self._rendered_at >= RENDER_S:
            if render(self._settings, self._database):
                self._process.reload()
                log.info("the switch has taken over what changed")
            self._rendered, self._rendered_at = rows, at
        self._process.bound_logs()

    async def _keep_up(self) -> None:
        pause_s = LOOK_S
        while True:
            try:
                if await self._process.ended(FOLLOW_S):
                    log.error("Asterisk is gone; starting it again")
                    self._detail = "gone, being started again"
                    await asyncio.to_thread(self._up)
                else:
                    await asyncio.to_thread(self._follow)
                pause_s = LOOK_S
            except Exception as fault:  # whatever it is, the switch must be looked after
                log.error("the switch: %s", fault, exc_info=not isinstance(fault, CallCenterError))
                pause_s = min(30.0, pause_s * 2)
                await asyncio.sleep(pause_s)


class IvrPart:
    name = "ivr"

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._listening: Any = None

    async def start(self) -> None:
        from ivr.session import serve

        self._listening = serve(self._settings, self._database)

    async def stop(self) -> None:
        if self._listening is not None:
            await self._listening.stop().asFuture(asyncio.get_running_loop())

    def health(self) -> Health:
        return (False, "not started") if self._listening is None else self._listening.health()


class CtiPart:
    name = "cti"

    def __init__(self, settings: Settings, database: Database, bus: Bus) -> None:
        from cti.intake import Intake

        self._intake = Intake(settings, database, bus)

    async def start(self) -> None:
        await self._intake.start()

    async def stop(self) -> None:
        await self._intake.stop()

    def health(self) -> Health:
        return self._intake.health()


class _Server(uvicorn.Server):
    """uvicorn as a guest in our loop: Ctrl-C is ours to hear."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class DesktopPart:
    name = "desktop"

    def __init__(
        self, settings: Settings, database: Database, bus: Bus, health: Callable[[], Mapping[str, Health]]
    ) -> None:
        self._settings, self._database, self._bus, self._health = settings, database, bus, health
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        from agent_desktop.app import create_app

        desktop = self._settings.desktop
        door = listen_on(desktop.host, desktop.port, "desktop.port")
        app = create_app(self._settings, self._database, self._bus, lambda: dict(self._health()))
        server = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            ws="websockets-sansio",
            ws_per_message_deflate=False,  # a compressor per desk costs more memory and time than it saves on a LAN
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(server)
        self._serving = asyncio.create_task(self._server.serve(sockets=[door]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise CallCenterError("the desktop ended while it started")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving

    def health(self) -> Health:
        if self._serving is None or self._serving.done():
            return False, "not serving"
        return True, f"http://{self._settings.desktop.host}:{self._settings.desktop.port}/"


class WorkerPart:
    """The worker is a child process: its work is heavy and must not slow a call."""

    name = "worker"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_up())

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        child = self._child
        if child is not None and child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 15)
            except TimeoutError:
                child.kill()
                await child.wait()

    def health(self) -> Health:
        child = self._child
        alive = child is not None and child.returncode is None
        return alive, f"pid {child.pid}" if child is not None and alive else "not running"

    async def _spawn(self) -> None:
        # A session of its own: Ctrl-C on the terminal is for us, and we stop it in its turn. It ends by itself when
        # its standard input closes, so that it never outlives us.
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "callcenter", "worker", "--with-parent",
            stdin=subprocess.PIPE, start_new_session=True,
            env=os.environ | {"CALLCENTER_HOME": str(self._settings.home)},
        )  # fmt: skip

    async def _keep_up(self) -> None:
        while True:
            assert self._child is not None
            code = await self._child.wait()
            log.error("the worker ended with code %s; starting it again", code)
            await asyncio.sleep(1)
            await self._spawn()


def open_bus(settings: Settings) -> Bus:
    return RedisBus(settings.bus.redis_url) if settings.bus.redis_url else LocalBus()


def listen_on(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; PortBusy names the setting."""
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as fault:
        raise PortBusy(f"{host}:{port}, the setting {setting}") from fault


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the folder for this process; RunsAlready names who has it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RunsAlready(f"{home}, process {lock.read().strip()}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def live(build: Callable[[], House], ready: Callable[[House], None]) -> None:
    """Run a house in the foreground until Ctrl-C or SIGTERM; what it started is stopped whatever happens.

    ``build`` is called inside the loop; ``ready`` once every part works.
    """
    sys.setswitchinterval(GIL_TURN_S)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)  # type: ignore[no-untyped-call]
    # The one just installed; imported any earlier it would be the wrong one for good.
    reactor: Any = importlib.import_module("twisted.internet.reactor")
    reactor.startRunning(installSignalHandlers=False)
    try:
        loop.run_until_complete(_live(build, ready))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        reactor.fireSystemEvent("shutdown")  # stops the loop: nothing can be run in it after this
        loop.close()


async def _live(build: Callable[[], House], ready: Callable[[House], None]) -> None:
    loop = asyncio.get_running_loop()
    enough = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, enough.set)
    house = build()
    starting = asyncio.create_task(house.start())
    told = asyncio.create_task(enough.wait())
    try:
        await asyncio.wait({starting, told}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            _keep_for_good()
            ready(house)
            await told
        else:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, CallCenterError):
                await starting
    finally:
        told.cancel()
        await house.stop()


def _keep_for_good() -> None:
    """What was made until now stays: looking through it all for rubbish would stop every call for a quarter second."""
    gc.collect()
    gc.freeze()
