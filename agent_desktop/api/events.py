"""What happens, as a stream that resumes behind any number, and the same as pages for whoever asks now and then."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

from agent_desktop import happenings
from agent_desktop.api.access import Holder, HolderHere, holder_of, right
from agent_desktop.api.shapes import Shape
from agent_desktop.desktop import Desktop, Reading, desktop_of
from agent_desktop.happenings import Happening
from agent_desktop.sockets import NOT_SIGNED_IN
from callcenter import ledger
from callcenter.bus import heard
from callcenter.errors import BadInput

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["events"])

LARGEST_SEQ = 2**53 - 1
AT_ONCE = 500  # facts read from the ledger in one go
LOOK_EVERY_S = 1.0  # also without a nudge: another process may have written, and no Redis told us
TICK_EVERY_S = 20.0
BAD_REQUEST = 4422

Types = Annotated[
    list[str],
    Query(max_length=40, description="Only these, such as `call.ended`, or `ticket` for all about tickets."),
]


class Happened(Shape):
    seq: int = Field(description="Goes up; remember the last one you have seen.")
    type: str
    at: datetime
    switch: str
    call_id: str | None
    data: dict[str, Any]


class Feed(BaseModel):
    items: list[Happened]
    next: str = Field(description="The address of what happens after this; ask it again later.")


class NoSuchEvent(BadInput):
    """There is no event of this type, or none of this number yet."""


@router.get("/events", dependencies=[right("events")], summary="What has happened, oldest first")
def list_events(
    request: Request,
    db: Reading,
    program: HolderHere,
    after: Annotated[int, Query(ge=0, le=LARGEST_SEQ, description="The number of the last event you have seen.")] = 0,
    types: Types = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=AT_ONCE, description="How many at once.")] = 100,
) -> Feed:
    _check(types)
    found: list[Happening] = []
    reached, newest = after, ledger.newest(db)
    while len(found) < limit and reached < newest:
        told, looked = happenings.read(db, reached, AT_ONCE)
        if looked == reached:
            break
        told = happenings.visible(db, happenings.wanted(told, types), program.user, program.may)
        reached = looked if len(found) + len(told) <= limit else told[limit - len(found) - 1].seq
        found += told[: limit - len(found)]
    asked = request.url.include_query_params(after=reached)
    return Feed(items=[Happened.model_validate(one) for one in found], next=f"{asked.path}?{asked.query}")


def _check(types: list[str]) -> None:
    unknown = [one for one in types if not happenings.is_type(one)]
    if unknown or len(types) > 40:
        raise NoSuchEvent(", ".join(unknown)[:100])


@router.websocket("/events")
async def stream(socket: WebSocket, after: int | None = None) -> None:
    """``after=N`` goes on behind N; without it, from now on. ``types=`` as in the list; it may be repeated."""
    desktop = desktop_of(socket)
    token = socket.headers.get("authorization", "").removeprefix("Bearer ")
    program = await asyncio.to_thread(holder_of, desktop, token)
    await socket.accept()
    if program is None or not program.may("events"):
        await socket.close(NOT_SIGNED_IN, "the token is not good for events")
        return
    types = socket.query_params.getlist("types")
    newest = await asyncio.to_thread(_newest, desktop)
    begin = newest if after is None else after
    try:
        _check(types)
        if not 0 <= begin <= newest:
            raise NoSuchEvent(f"{begin}")
    except NoSuchEvent as fault:
        await socket.close(BAD_REQUEST, fault.sentence[:120])
        return
    await _Stream(socket, desktop, program, token, begin, types).run()


def _newest(desktop: Desktop) -> int:
    with desktop.database.read() as db:
        return ledger.newest(db)


class _Stream:
    """One program that listens. It reads for itself, at its own pace: a slow one is behind, and costs nobody else."""

    def __init__(
        self, socket: WebSocket, desktop: Desktop, program: Holder, token: str, after: int, types: list[str]
    ) -> None:
        self._socket, self._desktop, self._program, self._token = socket, desktop, program, token
        self._after, self._types = after, types
        self._said_at = 0.0

    async def run(self) -> None:
        with self._desktop.bell.listener() as rung:
            tasks = [asyncio.create_task(self._tell(rung)), asyncio.create_task(self._until_gone())]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                fault = task.exception()
                if fault is not None and not isinstance(fault, WebSocketDisconnect | RuntimeError):
                    log.error("a stream of %s broke off", self._program.token.name, exc_info=fault)
                    await self._socket.close(1011, "try again")

    async def _tell(self, rung: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        await self._say({"type": "hello", "seq": self._after})
        checked_at = loop.time()
        while True:
            rung.clear()
            told, reached = await asyncio.to_thread(self._read)
            for one in told:
                await self._say(Happened.model_validate(one).model_dump(mode="json"))
            more, self._after = reached > self._after, reached
            if loop.time() - checked_at > LOOK_EVERY_S:
                checked_at = loop.time()
                program = await asyncio.to_thread(holder_of, self._desktop, self._token)
                if program is None or not program.may("events"):
                    await self._socket.close(NOT_SIGNED_IN, "the token has ended")
                    return
                self._program = program
            if loop.time() - self._said_at > TICK_EVERY_S:
                await self._say({"type": "tick", "seq": self._after})
            if not more:
                await heard(rung, LOOK_EVERY_S)

    def _read(self) -> tuple[list[Happening], int]:
        with self._desktop.database.read() as db:
            told, reached = happenings.read(db, self._after, AT_ONCE)
            told = happenings.wanted(told, self._types)
            return happenings.visible(db, told, self._program.user, self._program.may), reached

    async def _say(self, message: dict[str, Any]) -> None:
        await self._socket.send_json(message)
        self._said_at = asyncio.get_running_loop().time()

    async def _until_gone(self) -> None:
        while True:
            await self._socket.receive_text()
