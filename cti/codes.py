"""What agents dial or press on desk phones in place of the page's buttons: done as the page does it, and answered.

The dial plan tells of it, waits for a moment, and says what it is answered: the name of a prompt, or ``go``. So a
phone is refused with the reason, and with nobody here it says so itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.bus import Bus
from callcenter.database import Database, now
from callcenter.errors import CallCenterError
from callcenter.events import Event, Fact
from callcenter.facts import StatusChosen, WrapUpExtended, WrapUpFinished
from callcenter.jobs import Job
from callcenter.nudges import HelpChanged, Wished
from config.people import User
from config.settings import ONLY_IN_TALK, Settings
from cti import agents, dialling, helping, wishes
from cti.ami import Door
from cti.link import SwitchRefused
from cti.moves import HUNG_UP
from cti.projection import record
from cti.rows import Agent, Call, Segment
from cti.translate import agent_of, call_of, words
from cti.wire import Message

log = logging.getLogger(__name__)

PRESSED = "Pressed"  # the user event
VALID_S = 2.5  # the dial plan waits for 3 s
IN_TALK_S = 0.5  # by then a phone whose key was pressed in a talk is back in it, and can be moved
GO = "go"  # the call may be placed, or is being moved
BACK_TO_HOOK = ""  # nothing is said: the phone is hung up, for it is rung next
FORBIDDEN = {dialling.OnDoNotCallList: "code-do-not-call", dialling.OutsideHours: "code-hours"}
_BREAK = "break_"


class Unavailable(Exception):
    """This cannot be done now; the phone says why."""

    def __init__(self, prompt: str) -> None:
        super().__init__(prompt)
        self.prompt = prompt


@dataclass(frozen=True)
class Press:
    """Who pressed what; ``to`` is the number he wants called."""

    what: str
    to: str
    agent: str
    channel: str
    call_id: str


def read(message: Message) -> Press:
    """The press an event tells of; KeyError where it is not as the dial plan writes it."""
    by = agent_of(message["Channel"]) or words(message.get("By", ""), 10)
    what, to, call_id = words(message["What"], 20), words(message.get("To", ""), 40), call_of(message["Linkedid"])
    return Press(what, to, by, message["Channel"], call_id)


def do(db: Session, settings: Settings, press: Press, at: datetime) -> tuple[str, Sequence[Event]]:
    """Do it; the answer, and what to publish once the caller has committed."""
    user = db.scalar(select(User).where(User.extension == press.agent, User.active))
    if user is None or not user.may("desk"):
        return "code-refused", []
    try:
        match press.what:
            case "dial":
                return GO, _dial(db, settings, press, user, at)
            case "park":
                job = wishes.park(db, _talk(db, user), user, at)
                return _said("park"), [Wished(job_id=job.id)]
            case "fetch":
                job = _fetch(db, user, at)
                return BACK_TO_HOOK, [Wished(job_id=job.id)]
            case "transfer" | "ask" | "back" | "meet" as what:
                job = _hand_on(db, settings, what, press.to, user, at + timedelta(seconds=IN_TALK_S))
                return GO, [Wished(job_id=job.id)]
            case "help":
                row = helping.ask(db, _talk(db, user), user, at)
                return _said("help"), [HelpChanged(agent=row.extension, call_id=row.call_id, open=True)]
            case what:
                return _said_now(db, what, user), record(db, _facts(db, what, user, at), "phone")
    except Unavailable as refused:
        return refused.prompt, []
    except CallCenterError as refused:
        log.info("codes: %s for %s: %s", press.what, user.login, refused)
        return "code-no-call", []


def _said(what: str) -> str:
    return f"code-{what.replace('_', '-')}"


def _said_now(db: Session, what: str, user: User) -> str:
    """A break of one who talks, or writes, begins when that is over."""
    agent = db.get(Agent, user.extension)
    busy = agent is not None and agent.state in ("talking", "wrap_up")
    return "code-break-later" if busy and what.startswith(_BREAK) else _said(what)


def _facts(db: Session, what: str, user: User, at: datetime) -> list[Fact]:
    """What a press tells of the agent himself."""
    extension = user.extension or ""
    agent = db.get(Agent, extension)
    wraps_up = agent is not None and agent.state == "wrap_up"
    finished = WrapUpFinished(agent=extension, by=user.login, at=at)
    match what:
        case "ready":
            chosen = StatusChosen(agent=extension, status="available", by=user.login, at=at)
            return [chosen, finished] if wraps_up else [chosen]
        case "log_out":
            return [StatusChosen(agent=extension, status="offline", by=user.login, at=at)]
        case "wrap_up_over" | "wrap_up_longer" if not wraps_up:
            raise Unavailable("code-no-wrap-up")
        case "wrap_up_over":
            return [finished]
        case "wrap_up_longer":
            if agent is not None and not agents.may_extend(agent):
                raise Unavailable("code-no-more-time")
            return [WrapUpExtended(agent=extension, more_s=agents.MORE_S, by=user.login, at=at)]
        case _ if what.startswith(_BREAK):
            reason = what.removeprefix(_BREAK)
            return [StatusChosen(agent=extension, status="on_break", reason=reason, by=user.login, at=at)]
    raise Unavailable("code-refused")


def _talk(db: Session, user: User) -> str:
    """The call the agent has."""
    agent = db.get(Agent, user.extension)
    if agent is None or agent.state != "talking" or agent.call_id is None:
        raise Unavailable("code-no-call")
    return agent.call_id


def _fetch(db: Session, user: User, at: datetime) -> Job:
    """Of the parked customers the one who waits longest."""
    rows = select(Call.call_id).where(Call.ended_at.is_(None), Call.state == "parked")
    rows = rows.join(Segment, (Segment.call_id == Call.call_id) & Segment.ended_at.is_(None))
    call_id = db.scalar(rows.order_by(Segment.started_at).limit(1))
    if call_id is None:
        raise Unavailable("code-none-parked")
    return wishes.fetch(db, call_id, user, at)


def _hand_on(db: Session, settings: Settings, what: str, to: str, user: User, at: datetime) -> Job:
    call_id = _talk(db, user)
    try:
        match what:
            case "transfer":
                return wishes.send_on(db, settings, call_id, settings.codes.queues.get(to, to), user, at, {})
            case "ask":
                return wishes.ask(db, settings, call_id, to, user, at, {})
        return wishes.answer_asked(db, what, call_id, user, at)
    except wishes.NoSuchTarget as unknown:
        raise Unavailable("code-no-number") from unknown
    except wishes.NotFree as busy:
        raise Unavailable("code-not-free") from busy
    except (dialling.OnDoNotCallList, dialling.OutsideHours) as forbidden:
        raise Unavailable(FORBIDDEN[type(forbidden)]) from forbidden


def _dial(db: Session, settings: Settings, press: Press, user: User, at: datetime) -> list[Event]:
    try:
        dialling.permit(db, settings, press.to, user, at).call_id = press.call_id
    except (dialling.OnDoNotCallList, dialling.OutsideHours) as forbidden:
        raise Unavailable(FORBIDDEN[type(forbidden)]) from forbidden
    return []


class Codes:
    """Answers the phones of one switch, one after the other."""

    def __init__(self, settings: Settings, database: Database, bus: Bus, door: Door) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._door = door
        self._pressed: asyncio.Queue[Message] = asyncio.Queue(maxsize=1000)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="codes")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def press(self, message: Message) -> None:
        """A code was pressed. Of more than anybody can answer in time the phones say themselves that nobody does."""
        if not self._pressed.full():
            self._pressed.put_nowait(message)

    async def _run(self) -> None:
        while True:
            message = await self._pressed.get()
            if time.time() - message.received_at > VALID_S:
                continue
            try:
                await self._answer(read(message))
            except CallCenterError as fault:  # he hung up, or the link broke
                log.info("codes: not answered: %s", fault)
            except Exception:
                log.exception("codes: a press failed")

    async def _answer(self, press: Press) -> None:
        said, told = await asyncio.to_thread(self._do, press)
        log.info("codes: %s presses %s: %s", press.agent, press.what, said or "hung up, to be rung")
        try:
            if said == BACK_TO_HOOK:
                await self._door.ask("Hangup", Channel=press.channel, Cause=HUNG_UP)
            else:
                await self._door.ask("Setvar", Channel=press.channel, Variable="SAID", Value=said)
        except SwitchRefused as gone:
            log.info("codes: %s is gone: %s", press.channel, gone)
        finally:
            after_s = IN_TALK_S if press.what in ONLY_IN_TALK else 0
            for event in told:
                asyncio.get_running_loop().call_later(after_s, self._bus.publish, event)

    def _do(self, press: Press) -> tuple[str, Sequence[Event]]:
        with self._database.write() as db:
            return do(db, self._settings, press, now())
