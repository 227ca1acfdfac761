"""What surrounds every answer: security headers, a limit on what is taken in, and the time it took."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_desktop.page import content_security_policy
from ticketing import sheets

LARGEST_BODY = 1024 * 1024  # bytes
LARGEST_UPLOAD = 11 * 1024 * 1024  # of one photo with its form
_UPLOADS = re.compile(r"^/(tickets/\d{1,10}/photos|engines/\d{1,10}/installations|u/[\w-]{1,64})$")
LARGEST_SHEET = sheets.LARGEST + 64 * 1024  # with its form
Measure = Callable[[str, str, int, float], None]  # method, route, status, seconds


class Guard:
    def __init__(self, app: ASGIApp, measure: Measure) -> None:
        self._app = app
        self._measure = measure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        nonce = scope["nonce"] = secrets.token_urlsafe(16)
        host = Headers(scope=scope).get("host", "")
        status = 500

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _secure(MutableHeaders(scope=message), host, nonce)
            await send(message)

        try:
            largest = LARGEST_UPLOAD if _UPLOADS.match(scope["path"]) else LARGEST_BODY
            if scope["path"] == "/imports":
                largest = LARGEST_SHEET
            await self._app(
                scope, _limited(receive, largest, Headers(scope=scope).get("content-length", "")), send_guarded
            )
        finally:
            route = getattr(scope.get("route"), "path", None)
            named = "other" if route is None else scope.get("root_path", "") + route
            self._measure(scope["method"], named, status, time.perf_counter() - began)


def _secure(headers: MutableHeaders, host: str, nonce: str) -> None:
    headers["Content-Security-Policy"] = content_security_policy(host, nonce)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=(), payment=(), usb=()"


def _limited(receive: Receive, largest: int, said: str) -> Receive:
    taken = 0
    if said.isascii() and said.isdigit() and int(said[:12]) > largest:
        taken = largest + 1  # not a byte of it is read

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > largest:
            raise HTTPException(413)
        return message

    return receive_limited
