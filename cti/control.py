"""What a person has the switch do with a call: hang it up, send it on.

A wish is a job row, so that it may come from another process. It is void within seconds: nothing is done to a call
later than it was meant, and nothing is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import jobs
from callcenter.database import Database, now
from callcenter.errors import BadInput, CallCenterError, NotFound
from config.people import User
from config.queues import Queue
from cti.ami import Door, SwitchRefused
from cti.rows import Leg

log = logging.getLogger(__name__)

HANG_UP, SEND_ON = "hang_up", "send_on"
VALID_S = 5.0
LOOK_S = 0.25  # between two looks for wishes
SENT_ON = "tel"  # the context where queues and agents can be reached


def wish_hang_up(db: Session, call_id: str, by: str, at: datetime) -> jobs.Job:
    """End every leg of the call. NotFound if none is left."""
    if not live_legs(db, call_id):
        raise NotFound(f"call {call_id}")
    return _plan(db, HANG_UP, {"call_id": call_id, "by": by}, at)


def wish_send_on(db: Session, call_id: str, to: str, by: str, at: datetime) -> jobs.Job:
    """Send the outside party on to a queue or an agent; whoever talks to him is free then.

    NotFound without such a party, BadInput where ``to`` is neither a queue nor an agent.
    """
    if outside_party(live_legs(db, call_id)) is None:
        raise NotFound(f"call {call_id}")
    agent = select(User.id).where(User.extension == to, User.active)
    if db.get(Queue, to) is None and db.scalar(agent) is None:
        raise BadInput(f"{to} is neither a queue nor an agent")
    return _plan(db, SEND_ON, {"call_id": call_id, "to": to, "by": by}, at)


def _plan(db: Session, kind: str, payload: dict[str, Any], at: datetime) -> jobs.Job:
    key = f"{kind}:{payload['call_id']}:{at.timestamp()}:{payload['by']}"
    return jobs.plan(db, kind, key, payload, at, void_after=at + timedelta(seconds=VALID_S))


def live_legs(db: Session, call_id: str) -> list[Leg]:
    """The call's channels that are still there, the oldest first."""
    standing = select(Leg).where(Leg.call_id == call_id, Leg.ended_at.is_(None))
    return list(db.scalars(standing.order_by(Leg.started_at, Leg.leg_id)))


def outside_party(legs: Iterable[Leg]) -> Leg | None:
    """The leg of whoever is no agent."""
    return next((leg for leg in legs if leg.agent is None), None)


async def hang_up(door: Door, channels: Iterable[str]) -> int:
    """End these channels; how many were still there. SwitchUnreachable."""
    ended = 0
    for channel in channels:
        with contextlib.suppress(SwitchRefused):  # gone by itself: a leg takes its partner with it
            await door.ask("Hangup", Channel=channel, Cause=16)
            ended += 1
    return ended


async def send_on(door: Door, channel: str, to: str) -> None:
    """Let the channel go on at a queue or an agent. SwitchUnreachable, SwitchRefused."""
    await door.ask("Redirect", Channel=channel, Context=SENT_ON, Exten=to, Priority=1)


class Control:
    """Carries out what was wished, through one switch's door."""

    def __init__(self, database: Database, door: Door) -> None:
        self._database = database
        self._door = door
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="control")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                while self._door.connected and (wish := await asyncio.to_thread(self._claim)):
                    await self._carry_out(*wish)
            except Exception:
                log.exception("control: a wish failed")
            await asyncio.sleep(LOOK_S)

    def _claim(self) -> tuple[jobs.Job, list[Leg]] | None:
        """The next wish that is due and not void, and the legs it is about."""
        with self._database.read() as db:
            mine = jobs.Job.kind.in_((HANG_UP, SEND_ON)), jobs.Job.state.in_(("waiting", "running"))
            if db.scalar(select(jobs.Job.id).where(*mine).limit(1)) is None:
                return None
        with self._database.write() as db:
            at = now()
            job = jobs.claim(db, (HANG_UP, SEND_ON), at, at + timedelta(seconds=2 * VALID_S))
            return None if job is None else (job, live_legs(db, job.payload["call_id"]))

    async def _carry_out(self, job: jobs.Job, legs: list[Leg]) -> None:
        fault = ""
        try:
            if job.kind == HANG_UP:
                await hang_up(self._door, [leg.channel for leg in legs])
            elif (party := outside_party(legs)) is not None:
                await send_on(self._door, party.channel, job.payload["to"])
        except CallCenterError as refused:
            fault = str(refused)
        log.info("control: %s %s for %s: %s", job.kind, job.payload["call_id"], job.payload["by"], fault or "done")
        await asyncio.to_thread(self._settle, job, fault)

    def _settle(self, job: jobs.Job, fault: str) -> None:
        with self._database.write() as db:
            if fault:
                jobs.fail(db, job, fault, again_at=None)
            else:
                jobs.finish(db, job)
