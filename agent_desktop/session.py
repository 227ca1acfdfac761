"""Who is asking: the cookie, the row behind it, and the proof that a change was meant."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from agent_desktop.desktop import Desktop, desktop_of
from callcenter.database import now
from callcenter.errors import CallCenterError, NotAllowed
from config import people
from config.people import LoginSession, User
from config.settings import Settings

SAFE = {"GET", "HEAD", "OPTIONS"}


class NotSignedIn(CallCenterError):
    """You are not signed in, or your session has ended."""

    status = 401


class Forged(CallCenterError):
    """This change did not come from a page of ours that is still valid; load the page again and repeat it."""

    status = 403


@dataclass(frozen=True)
class SignedIn:
    """A user and the session he is in."""

    user: User
    row: LoginSession

    @property
    def csrf(self) -> str:
        return self.row.csrf


def session_cookie(settings: Settings) -> str:
    """The cookie's name; a ``__Host-`` cookie is taken by browsers over HTTPS and for this very host only."""
    return "__Host-callcenter" if settings.desktop.secure_cookie else "callcenter"


def find(desktop: Desktop, connection: HTTPConnection) -> SignedIn | None:
    """The session of this connection's cookie, if it is still good."""
    token = connection.cookies.get(session_cookie(desktop.settings), "")
    if not token:
        return None
    desk = desktop.settings.desktop
    lasts, idle = timedelta(hours=desk.session_hours), timedelta(minutes=desk.idle_minutes)
    at = now()
    with desktop.database.read() as db:
        found = people.session_user(db, token, at, lasts, idle)
    if found is None:
        return None
    user, row = found
    if people.session_unseen(row, at):
        with desktop.database.write() as db:
            people.session_seen(db, row, at)
    return SignedIn(user, row)


def signed_in(connection: HTTPConnection) -> SignedIn:
    """The one who asks; NotSignedIn where nobody is."""
    found = find(desktop_of(connection), connection)
    if found is None:
        raise NotSignedIn
    connection.state.signed_in = found
    return found


SignedInHere = Annotated[SignedIn, Depends(signed_in)]


def allow(permission: str) -> Any:
    """A route's dependency: only those whose role allows this get in."""

    def allowed(signed: SignedInHere) -> None:
        if not signed.user.may(permission):
            raise NotAllowed

    allowed.permission = permission  # type: ignore[attr-defined]  # read by the test that every route has one
    return Depends(allowed)


def of_our_origin(connection: HTTPConnection, said: bool = False) -> bool:
    """Whether a page of ours sent this. Browsers say the origin of every change and every WebSocket (``said``)."""
    origin = connection.headers.get("origin")
    if origin is None and said:
        return False
    if origin is None:
        return connection.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
    return bool(origin) and urlsplit(origin).netloc == connection.headers.get("host", "")


async def unforged(request: Request) -> None:
    """Every change carries the session's token, as header ``X-CSRF`` or form field ``csrf``."""
    if request.method in SAFE:
        return
    if not of_our_origin(request):
        raise Forged
    signed = getattr(request.state, "signed_in", None)
    if signed is None:
        raise NotSignedIn
    if not matches(await sent_token(request), signed.csrf):
        raise Forged


async def sent_token(request: Request) -> str:
    sent = request.headers.get("x-csrf", "")
    kind = request.headers.get("content-type", "").split(";")[0]
    if not sent and kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        field = (await request.form()).get("csrf", "")
        sent = field if isinstance(field, str) else ""
    return sent


def matches(sent: str, expected: str) -> bool:
    return hmac.compare_digest(sent.encode(), expected.encode())
