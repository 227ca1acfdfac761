"""The browser phone's way to the switch: ``/sip`` on our own origin, so the switch's web port stays on loopback.

Only who is signed in and has an extension gets through, and only as himself.
"""

from __future__ import annotations

import asyncio
import logging
import re

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from agent_desktop.desktop import desktop_of
from agent_desktop.page import PageHere
from agent_desktop.session import allow, find, of_our_origin
from agent_desktop.sockets import NOT_ALLOWED, NOT_SIGNED_IN
from config import switch

log = logging.getLogger(__name__)

LONGEST_FRAME = 64 * 1024  # bytes; an INVITE with many ICE candidates has about 6 KB
TRY_AGAIN_LATER = 1013
RESTARTED = 1012
NOT_TAKEN = 1008

router = APIRouter()


@router.get("/desk/phone.json", dependencies=[allow("desk")])
def phone(page: PageHere) -> JSONResponse:
    """What the browser phone signs in with. ``ha1`` stands for the password, which never leaves the server."""
    extension = page.user.extension or ""
    said = {
        "extension": extension,
        "ha1": switch.sip_ha1(page.settings, extension),
        "realm": "asterisk",
        "path": "/sip",
    }
    return JSONResponse(said, headers={"Cache-Control": "no-store"})


@router.websocket("/sip")
async def line(socket: WebSocket) -> None:
    desktop = desktop_of(socket)
    if not of_our_origin(socket, said=True) or "sip" not in socket.scope["subprotocols"]:
        await socket.close()
        return
    signed = await asyncio.to_thread(find, desktop, socket)
    await socket.accept(subprotocol="sip")
    if signed is None or not signed.user.may("desk"):
        code = NOT_SIGNED_IN if signed is None else NOT_ALLOWED
        await socket.close(code, "sign in with an account that has an extension")
        return
    url = f"ws://{desktop.settings.switch.host}:{desktop.settings.switch.http_port}/ws"
    try:
        asterisk = await connect(
            url, subprotocols=[Subprotocol("sip")], max_size=LONGEST_FRAME, open_timeout=5, compression=None, proxy=None
        )
    except (OSError, TimeoutError, WebSocketException) as fault:
        log.warning("phone of %s: the switch's %s does not answer: %s", signed.user.extension, url, fault)
        await socket.close(TRY_AGAIN_LATER, "the switch does not answer")
        return
    with desktop.sockets.opened(signed.row.token_hash) as ended:
        code, reason = await _pump(socket, asterisk, signed.user.extension or "", ended)
    log.info("phone of %s: %s", signed.user.extension, reason)
    await asterisk.close()
    try:
        await socket.close(code, reason)
    except (RuntimeError, WebSocketDisconnect):  # the browser has closed already
        pass


async def _pump(socket: WebSocket, asterisk: ClientConnection, extension: str, ended: asyncio.Event) -> tuple[int, str]:
    """Carry frames both ways until one side is gone; why it ended, as a close code and words."""
    tasks = [
        asyncio.create_task(_to_switch(socket, asterisk, extension)),
        asyncio.create_task(_to_browser(socket, asterisk)),
        asyncio.create_task(_session_ended(ended)),
    ]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return next(iter(done)).result()


async def _to_switch(socket: WebSocket, asterisk: ClientConnection, extension: str) -> tuple[int, str]:
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return 1000, "the browser hung up"
            frame = message.get("text")
            if frame is None or len(frame.encode()) > LONGEST_FRAME:
                return NOT_TAKEN, "SIP comes as text, in frames of at most 64 KiB"
            if not speaks_as(frame, extension):
                log.warning("phone of %s tried to speak as somebody else: %.300r", extension, frame)
                return NOT_TAKEN, "a phone may only speak as its own extension"
            await asterisk.send(frame)
    except ConnectionClosed:
        return RESTARTED, "the switch closed the line"


async def _to_browser(socket: WebSocket, asterisk: ClientConnection) -> tuple[int, str]:
    try:
        async for frame in asterisk:
            await socket.send_text(frame if isinstance(frame, str) else frame.decode("utf-8", "replace"))
    except ConnectionClosed:
        pass
    except (RuntimeError, WebSocketDisconnect):
        return 1000, "the browser hung up"
    return RESTARTED, "the switch closed the line"


async def _session_ended(ended: asyncio.Event) -> tuple[int, str]:
    await ended.wait()
    return NOT_SIGNED_IN, "session ended"


_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_USER = re.compile(r"^sips?:([^@;:>\s]*)@", re.IGNORECASE)
_DIGEST_USER = re.compile(r'\busername\s*=\s*"([^"]*)"', re.IGNORECASE)
_SHORT = {"f": "from", "t": "to", "l": "content-length"}


def speaks_as(frame: str, extension: str) -> bool:
    """Whether this SIP message may be sent by the phone of this extension.

    A request that opens something must be From him, a REGISTER also To him, and any credentials must be his. Within
    a dialogue (To has a tag) From is what the switch made up when it called him, so credentials alone are looked at.
    """
    if not frame.strip():
        return True  # keep-alive
    head, _, body = frame.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers: dict[str, list[str]] = {}
    for written in lines:
        # Folded or half-broken lines: no browser phone writes them, and the switch may read them otherwise than we do.
        if written[:1] in (" ", "\t") or "\n" in written or "\r" in written:
            return False
        name, _, value = written.partition(":")
        name = name.strip().lower()
        headers.setdefault(_SHORT.get(name, name), []).append(value.strip())
    # A second message behind a body shorter than the frame would pass unseen.
    if headers.get("content-length") != [str(len(body.encode()))]:
        return False
    if first.startswith("SIP/2.0 "):
        return True
    sender, to = headers.get("from", []), headers.get("to", [])
    if len(sender) != 1 or len(to) != 1:
        return False
    for credentials in headers.get("authorization", []) + headers.get("proxy-authorization", []):
        if _DIGEST_USER.findall(credentials) != [extension]:
            return False
    registers = first.upper().startswith("REGISTER ")
    if ";tag=" in to[0].lower().replace(" ", "") and not registers:
        return True
    return _user(sender[0]) == extension and (not registers or _user(to[0]) == extension)


def _user(address: str) -> str | None:
    """The user of a From or To, whose quoted display name and parameters may hold anything."""
    bare = _QUOTED.sub("", address)
    parts = bare.split("<")
    if len(parts) > 2:
        return None
    found = _USER.search(parts[-1].strip())
    return found.group(1) if found else None
