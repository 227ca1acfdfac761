"""What is answered when something goes wrong: the word, what happened, what was kept, what to do."""

from __future__ import annotations

import logging
from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from agent_desktop.desktop import desktop_of
from agent_desktop.i18n import marked as _
from agent_desktop.page import page_of
from agent_desktop.session import SignedIn, find
from callcenter.errors import BadInput, CallCenterError, DatabaseUnreachable, NotAllowed, NotFound

log = logging.getLogger(__name__)


class WrongMethod(CallCenterError):
    """This address cannot be asked that way."""

    status = 405


class TooLarge(CallCenterError):
    """What was sent is larger than one megabyte."""

    status = 413


class Unforeseen(CallCenterError):
    """Something went wrong that we had not foreseen; it has been written to the log."""


KEPT = {
    401: _("What you have just sent was not saved; this window keeps it."),
    404: _("Nothing was changed."),
    409: _("What your colleague saved is kept; what you have just sent was not saved."),
    500: _("What was saved before is kept. Calls go on: the switch does not depend on this page."),
}
TO_DO = {
    401: _("Sign in: you come back to the page, and what you wrote stands there to be sent once more."),
    403: _("Go back, or ask an administrator for the right you need."),
    404: _("Check the address or search for what you need."),
    409: _("Load the page again and see what has changed."),
    413: _("Send less at once."),
    422: _("Correct it and send it again."),
    429: _("Wait a little, then try again."),
    500: _("Try again; if it happens again, tell your administrator the word above and the time."),
    503: _("Try again in a minute; the state of each part is on /healthz."),
}
_BY_STATUS: dict[int, type[CallCenterError]] = {
    403: NotAllowed,
    404: NotFound,
    405: WrongMethod,
    413: TooLarge,
    400: BadInput,
    422: BadInput,
}


def kept(status: int) -> str:
    return KEPT.get(status, KEPT[500] if status >= 500 else KEPT[404])


def to_do(status: int) -> str:
    return TO_DO.get(status, TO_DO[500] if status >= 500 else TO_DO[404])


def answer(request: Request, fault: CallCenterError) -> Response:
    """The fault as JSON for programs, as a fragment for a part of a page, as a page for people."""
    if request.url.path.startswith("/api/"):
        said = {"error": fault.word, "message": fault.sentence, "detail": fault.detail} | fault.as_json()
        headers = {"WWW-Authenticate": "Bearer"} if fault.status == 401 else {}
        return JSONResponse(said, status_code=fault.status, headers=headers)
    is_part = request.headers.get("hx-request") == "true"
    if fault.status == 401 and request.url.path != "/login":
        if is_part:
            return Response(status_code=401, headers={"HX-Redirect": _log_in(_back(request))})
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(_log_in(_asked(request)), status_code=303)
    template = "fault_part.html" if is_part else "fault.html"
    status = fault.status
    page = page_of(request, _who(request))
    back = _back(request)
    return page.render(template, status=status, fault=fault, kept=kept(status), to_do=to_do(status), back=back)


def _log_in(back: str) -> str:
    """Where one logs in, to come back to where one was, if that is known."""
    return "/login?" + urlencode({"next": back}) if back else "/login"


def _asked(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _back(request: Request) -> str:
    """The page of ours this was asked from, as a path; empty where that is not known, or is the one asked for."""
    came = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
    path = came.path + (f"?{came.query}" if came.query else "")
    ours = came.netloc == request.headers.get("host", "") and path.startswith("/") and not path.startswith("//")
    return path if ours and not (request.method == "GET" and path == _asked(request)) else ""


def _who(request: Request) -> SignedIn | None:
    """Who asks, also where no route was found; nobody, where the database is what has failed."""
    signed: SignedIn | None = getattr(request.state, "signed_in", None)
    if signed is None:
        try:
            signed = find(desktop_of(request), request)
        except OperationalError:
            return None
    return signed


def install(app: FastAPI) -> None:
    @app.exception_handler(CallCenterError)
    def ours(request: Request, fault: CallCenterError) -> Response:
        if fault.status >= 500:
            log.error("%s %s: %s", request.method, request.url.path, fault, exc_info=fault)
        return answer(request, fault)

    @app.exception_handler(HTTPException)
    def framework(request: Request, fault: HTTPException) -> Response:
        return answer(request, _BY_STATUS.get(fault.status_code, Unforeseen)())

    @app.exception_handler(RequestValidationError)
    def entered(request: Request, fault: RequestValidationError) -> Response:
        fields = "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in fault.errors())
        return answer(request, BadInput(fields))

    @app.exception_handler(DataError)
    def unstorable(request: Request, fault: DataError) -> Response:
        log.warning("%s %s: %s", request.method, request.url.path, fault.orig)
        return answer(request, BadInput())

    @app.exception_handler(OperationalError)
    def database(request: Request, fault: OperationalError) -> Response:
        log.error("%s %s: the database: %s", request.method, request.url.path, fault.orig)
        return answer(request, DatabaseUnreachable())

    @app.exception_handler(Exception)
    def unforeseen(request: Request, fault: Exception) -> Response:
        return answer(request, Unforeseen())
