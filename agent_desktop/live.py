"""Live push: the link on which a page is told what has changed, and what is true now for one that begins anew."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop import hub
from agent_desktop.desk import card_text
from agent_desktop.desktop import Reading, desktop_of
from agent_desktop.hub import Wire, queue_counts
from agent_desktop.page import page_of
from agent_desktop.session import SignedInHere, allow, find, of_our_origin
from agent_desktop.sockets import NOT_SIGNED_IN, START_AGAIN
from callcenter.database import to_us
from config.people import User
from cti.rows import Agent, Call, SwitchRow

log = logging.getLogger(__name__)

router = APIRouter()


def snapshot(db: Session, user: User) -> dict[str, Any]:
    """Everything a page that starts, or was away, has to know; the same cut as the messages."""
    agents, calls = select(Agent), select(Call).where(Call.ended_at.is_(None))
    if not user.may("calls.all"):
        agents = agents.where(Agent.extension == user.extension)
        calls = calls.where(Call.agent == user.extension)
    return {
        "agents": [_agent(agent) for agent in db.scalars(agents.order_by(Agent.extension))],
        "calls": [_call(call) for call in db.scalars(calls.order_by(Call.started_at))],
        "queues": queue_counts(db),
        "switches": [
            {"switch": row.name, "connected": row.connected, "detail": row.detail}
            for row in db.scalars(select(SwitchRow).order_by(SwitchRow.name))
        ],
    }


def _agent(agent: Agent) -> dict[str, Any]:
    return {
        "agent": agent.extension,
        "status": agent.status,
        "status_reason": agent.status_reason,
        "status_since": to_us(agent.status_since) if agent.status_since else None,
        "state": agent.state,
        "state_since": to_us(agent.state_since) if agent.state_since else None,
        "call_id": agent.call_id,
        "queue": agent.queue,
        "reachable": agent.reachable,
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "state": call.state,
        "queue": call.queue,
        "agent": call.agent,
        "started_at": to_us(call.started_at),
        "answered_at": to_us(call.answered_at) if call.answered_at else None,
    }


@router.get("/live/snapshot", dependencies=[allow("account")])
def read_snapshot(signed: SignedInHere, db: Reading) -> JSONResponse:
    return JSONResponse(snapshot(db, signed.user), headers={"Cache-Control": "no-store"})


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else -1


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    desktop = desktop_of(socket)
    if not of_our_origin(socket, said=True):
        await socket.close()  # before accept: the browser is answered 403
        return
    signed = await asyncio.to_thread(find, desktop, socket)
    await socket.accept()
    if signed is None:
        await socket.close(NOT_SIGNED_IN, "sign in")
        return
    shows_cards = signed.user.may("desk")
    window, life = (socket.query_params.get(name, "")[:40] for name in ("window", "life"))
    wire = desktop.hub.back(signed.user, window, life) if window and life else None
    missed = wire.resume(_number(socket.query_params.get("seq", ""))) if wire is not None else None
    if wire is None or missed is None:
        missed = []
        wire = Wire(signed.user, partial(card_text, page_of(socket, signed)) if shows_cards else None, window)
        desktop.hub.join(wire)
        desktop.hub.rehearse(wire)
    goodbye = None
    try:
        for message in missed:
            await socket.send_text(message)
        with desktop.sockets.opened(signed.row.token_hash) as ended:
            goodbye = await _feed(socket, wire, ended)
    except (RuntimeError, WebSocketDisconnect):  # gone again before it had all
        pass
    finally:
        desktop.hub.leave(wire)  # before goodbye: a choked line takes its time over that
    if goodbye is not None:
        await _close(socket, *goodbye)


async def _feed(socket: WebSocket, wire: Wire, ended: asyncio.Event) -> tuple[int, str] | None:
    """Until it is over; the code and the word to close with, None when its browser has gone by itself."""
    tasks = {
        "send": asyncio.create_task(_send(socket, wire)),
        "gone": asyncio.create_task(_until_gone(socket, wire)),
        "slow": asyncio.create_task(wire.too_slow.wait()),
        "ended": asyncio.create_task(ended.wait()),
    }
    done, pending = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    if tasks["ended"] in done:
        return NOT_SIGNED_IN, "session ended"
    if tasks["slow"] in done:
        log.warning("a desk of %s was %d messages behind; told to start again", wire.user.login, hub.BACKLOG)
        return START_AGAIN, "resnapshot"
    return None


async def _send(socket: WebSocket, wire: Wire) -> None:
    while True:
        await socket.send_text(await wire.take())


async def _until_gone(socket: WebSocket, wire: Wire) -> None:
    """The browser asks now and then whether we are there; it is told so, and nothing else is listened to."""
    try:
        while True:
            await socket.receive_text()
            wire.put("Tick", "{}")
    except (WebSocketDisconnect, KeyError):
        return


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Say goodbye if the other side still listens; it may be gone or choked."""
    try:
        await asyncio.wait_for(socket.close(code, reason), timeout=2)
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        pass
