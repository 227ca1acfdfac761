"""One caller walking one flow over FastAGI, and the server of them all.

What the caller chose goes back as channel variables; whatever happens to us, the dial plan goes on with the call.
No session asks the database anything: flows are files, and the dial plan knows its numbers and queues.
"""

from __future__ import annotations

import logging
import re
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from callcenter.database import Database
from callcenter.errors import PortBusy
from config.queues import Queue
from config.settings import Settings
from ivr import prompts
from ivr.agi import Agi, AgiFactory, CommandRefused, Limits, SoundMissing
from ivr.check import check
from ivr.flow import Flow, Language, Menu, Number, Out, Saying, Walk, usable

log = logging.getLogger(__name__)

SLACK_S = 3.0  # a lease is this much longer than what it is for
TYPING_S = 40.0  # for a whole number, however many digits
_NO_WAIT_S = 0.001  # to GET DATA none at all means its own six seconds
UNKNOWN_SOUND_S = 30.0  # taken for a sound whose file is not on this machine


class Session:
    """One caller and his walk."""

    def __init__(self, settings: Settings, agi: Agi, flow: Flow) -> None:
        self._settings = settings
        self._agi = agi
        self._flow = flow
        self._language = "en" if agi.headers.get("agi_language", "").startswith("en") else "zh"
        self._walk = Walk(flow, cast(Language, self._language))

    async def run(self) -> None:
        """Lead the caller through the flow and leave what he chose in the channel's variables."""
        walk = self._walk
        while walk.out is None:
            await self._speak(walk.language)
            heard = await self._listen()
            if heard is None:
                walk.silence()
            else:
                walk.press(heard)
            await self._tell("IvrStep", Flow=self._flow.name, Step=walk.last, Heard=heard or "")
        await self._speak(walk.language)
        await self._leave(walk.out)

    async def _speak(self, language: str) -> None:
        if language != self._language:
            await self._agi.put("CHANNEL(language)", language)
            self._language = language

    async def _listen(self) -> str | None:
        """Say the step and hear the caller: the keys, or None for silence."""
        sound = self._walk.sound
        match self._walk.here:
            case Menu() as here:
                return await self._key(sound, here.wait_s)
            case Number() as here:
                within_s = await self._lease(sound, max(TYPING_S, here.wait_s))
                return await self._agi.listen(f"cc/{sound}", here.wait_s, here.digits.most, within_s)
            case Saying() as here if sound:
                try:
                    return await self._key(sound, here.wait_s)
                except SoundMissing as fault:
                    log.error("%s", fault)
        return None

    async def _key(self, sound: str, wait_s: float) -> str | None:
        heard = await self._agi.listen(f"cc/{sound}", max(wait_s, _NO_WAIT_S), 1, await self._lease(sound, wait_s))
        return "#" if heard == "" else heard

    async def _leave(self, out: Out) -> None:
        agi, serial, kind = self._agi, self._walk.serial, str(out.kind or "")
        queue = out.queue or await agi.value("${DEFAULT_QUEUE}")
        # The queue last: a caller lost half-way goes to his number's own queue, not to another without its reasons.
        results = {"KIND": kind, "SERIAL": serial, "PRIORITY": str(out.priority), "QUEUE": queue}
        for name, value in results.items():
            await agi.put(f"IVR_{name}", value)
        await self._tell("IvrDone", Flow=self._flow.name, Queue=queue, Kind=kind, Serial=serial)
        await self._say(self._walk.sound)
        if not out.priority:
            await self._say(await self._ahead(queue))
        log.info("call %s flow=%s queue=%s kind=%s", agi.headers.get("agi_uniqueid"), self._flow.name, queue, kind)

    async def _say(self, sound: str) -> None:
        """Play something a caller can do without; any key cuts it short."""
        if not sound:
            return
        try:
            await self._agi.stream(f"cc/{sound}", await self._lease(sound, 0.0))
        except SoundMissing as fault:
            log.error("%s", fault)

    async def _ahead(self, queue: str) -> str:
        """The sound that says how many callers wait in front of this one; empty for none."""
        waiting = await self._agi.value(f"${{QUEUE_WAITING_COUNT({queue})}}")
        if not waiting.isdecimal() or int(waiting) == 0:
            return ""
        return f"ahead-{waiting}" if int(waiting) <= prompts.AHEAD else "ahead-many"

    async def _lease(self, sound: str, wait_s: float) -> float:
        """Tell the dial plan how long the next thing may take; if we are later it takes the caller back."""
        sound_s = prompts.length_s(self._settings, self._language, sound)
        lease_s = (UNKNOWN_SOUND_S if sound_s is None else sound_s) + wait_s + SLACK_S
        await self._agi.put("TIMEOUT(absolute)", f"{lease_s:.1f}")
        return lease_s

    async def _tell(self, event: str, **fields: str) -> None:
        """A UserEvent for whoever watches the switch; no caller is lost over it."""
        told = [f"{name}: {re.sub(r'[^0-9A-Za-z_*#-]', '', value)}" for name, value in fields.items()]
        try:
            await self._agi.run("UserEvent", ",".join([event, *told]))
            await self._agi.run("NoOp", event)  # the switch's log keeps only the first of several UserEvents in a row
        except CommandRefused as fault:
            log.warning("%s", fault)


class Listening:
    """The open door of the IVR."""

    def __init__(self, port: Any, factory: AgiFactory, findings: list[str]) -> None:
        self._port = port
        self._factory = factory
        self._findings = findings

    @property
    def port(self) -> int:
        return int(self._port.getHost().port)

    def stop(self) -> Deferred[None]:
        """Close the door and let every caller go on in the dial plan."""
        self._factory.close()
        return Deferred.fromCoroutine(self._close())

    def health(self) -> tuple[bool, str]:
        if not self._port.connected:
            return False, "closed"
        if self._findings:
            return False, self._findings[0] + (f" (and {len(self._findings) - 1} more)" if self._findings[1:] else "")
        return True, f"{len(self._factory.sessions)} callers in menus"

    async def _close(self) -> None:
        await self._port.stopListening()


def serve(settings: Settings, database: Database) -> Listening:
    """Open the FastAGI door on the installed reactor. PortBusy if another program has the port.

    A flow that cannot be used is left out and said in the log and in ``health``: its callers go to their queue.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    flows, faults = usable(settings)
    findings = [str(fault) for fault in faults] + _findings(flows, database)
    if missing := prompts.missing(settings):
        findings.append(f"no sound file for {', '.join(missing[:5])}")
    for finding in findings:
        log.error("%s", finding)

    async def session(agi: Agi) -> None:
        await Session(settings, agi, flows[agi.script]).run()

    limits = Limits(idle_s=settings.ivr.idle_s, session_s=settings.ivr.max_call_s)
    factory = AgiFactory(session, flows, reactor, limits)
    try:
        port = reactor.listenTCP(settings.ivr.port, factory, backlog=512, interface=settings.ivr.host)
    except CannotListenError as fault:
        raise PortBusy(f"{settings.ivr.host}:{settings.ivr.port}, the setting ivr.port") from fault
    return Listening(port, factory, findings)


def _findings(flows: dict[str, Flow], database: Database) -> list[str]:
    """What the checker says of each flow; without the database's queues if it is away."""
    queues: set[str] | None = None
    try:
        with database.read() as db:
            queues = set(db.scalars(select(Queue.name)))
    except SQLAlchemyError as fault:
        log.error("the flows were not compared with the queues: %s", fault)
    return [f"flow {flow.name}, {found.step}: {found.what}" for flow in flows.values() for found in check(flow, queues)]
