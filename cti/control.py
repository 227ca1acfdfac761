"""Carries out what people want of the switch: job rows, each claimed once, done soon or not at all."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any

from callcenter import jobs
from callcenter.bus import Bus, heard
from callcenter.database import Database, now
from callcenter.errors import CallCenterError
from callcenter.events import Event
from callcenter.nudges import CallbackChanged, CallChanged, Wished, WishSettled
from config.settings import Settings
from cti import callbacks
from cti.ami import Door
from cti.moves import MOVES
from cti.rows import Leg
from cti.wishes import VALID_S, live_legs, ours

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks for wishes nobody has told of
SETTLE_S = 20.0  # between two looks at call-backs whose end nobody has told of
CALL_BACK = "call_back"
KINDS = (*MOVES, CALL_BACK)


class Control:
    """Carries out wishes through one switch's door, one after the other."""

    def __init__(self, settings: Settings, database: Database, door: Door, bus: Bus) -> None:
        self._settings = settings
        self._database = database
        self._door = door
        self._bus = bus
        self._nudged = asyncio.Event()
        self._unsettled = True  # a call we placed has ended, or may have while we were away
        self._settled_at = 0.0  # monotonic
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()

        # The bus speaks from whichever thread committed.
        def hop(event: Event) -> None:
            if isinstance(event, Wished | CallChanged):
                loop.call_soon_threadsafe(self._hear, event)

        self._unlisten = self._bus.listen(hop)
        self._task = asyncio.create_task(self._run(), name="control")

    async def stop(self) -> None:
        if self._task is not None:
            self._unlisten()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _hear(self, event: Event) -> None:
        match event:
            case Wished():
                self._nudged.set()
            case CallChanged(state="ended") if ours(event.call_id):
                self._unsettled = True
                self._nudged.set()

    async def _run(self) -> None:
        while True:
            self._nudged.clear()
            try:
                while self._door.connected and (wish := await asyncio.to_thread(self._claim)):
                    await self._carry_out(*wish)
                if self._unsettled or time.monotonic() - self._settled_at > SETTLE_S:
                    self._unsettled, self._settled_at = False, time.monotonic()
                    await asyncio.to_thread(self._settle_callbacks)
            except Exception:
                log.exception("control: a wish failed")
            await heard(self._nudged, LOOK_S)

    def _claim(self) -> tuple[jobs.Job, dict[str, Any], list[Leg]] | None:
        """The next wish that is due and not void, and the legs it is about."""
        with self._database.read() as db:
            if not jobs.due(db, KINDS, now()):
                return None
        with self._database.write() as db:
            at = now()
            job = jobs.claim(db, KINDS, at, timedelta(seconds=2 * VALID_S))
            if job is None:
                return None
            if job.kind != CALL_BACK:
                return job, job.payload, live_legs(db, job.payload["call_id"])
            row = callbacks.get(db, job.payload["callback"])
            step = callbacks.begin(db, self._settings, row, at)
            if isinstance(step, callbacks.Again):
                jobs.fail(db, job, step.why, again_at=step.at)
            elif step is None:
                jobs.finish(db, job)
            told = CallbackChanged(callback_id=row.id, agent=row.extension, state=row.state)
        self._bus.publish(told)
        return (job, step, []) if isinstance(step, dict) else self._claim()

    async def _carry_out(self, job: jobs.Job, wish: dict[str, Any], legs: list[Leg]) -> None:
        fault: CallCenterError | None = None
        move = MOVES["dial" if job.kind == CALL_BACK else job.kind]
        try:
            await move(self._door, wish, legs)
        except CallCenterError as refused:
            fault = refused
        log.info("control: %s %s for %s: %s", job.kind, wish["call_id"], wish["by"], fault or "done")
        await asyncio.to_thread(self._settle, job, str(fault or ""))
        said = {"fault": fault.word, "detail": fault.detail} if fault else {}
        agent = wish.get("agent", "")
        self._bus.publish(WishSettled(agent=agent, job_id=job.id, kind=job.kind, call_id=wish["call_id"], **said))

    def _settle(self, job: jobs.Job, fault: str) -> None:
        with self._database.write() as db:
            if fault:
                jobs.fail(db, job, fault, again_at=None)
            else:
                jobs.finish(db, job)

    def _settle_callbacks(self) -> None:
        with self._database.read() as db:
            if not callbacks.any_calling(db):
                return
        with self._database.write() as db:
            told = [
                CallbackChanged(callback_id=row.id, agent=row.extension, state=row.state)
                for row in callbacks.settle(db, now())
            ]
        for event in told:
            self._bus.publish(event)
