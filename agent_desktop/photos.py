"""Photos: put to a ticket from the desk, shown there, and sent by the customer's own phone through a link that ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from agent_desktop import tickets as pages
from agent_desktop.calls import load_call
from agent_desktop.desktop import Id, Reading
from agent_desktop.page import OpenPage, Page, PageHere
from agent_desktop.session import Forged, allow, of_our_origin
from callcenter.database import now
from callcenter.errors import CallCenterError, NotFound
from callcenter.nudges import TicketChanged
from config.people import User
from ticketing import attachments, engines, tickets
from ticketing.attachments import Attachment
from ticketing.installations import Installation

router = APIRouter()
open_router = APIRouter()


async def sent_files(request: Request) -> list[tuple[str, bytes]]:
    """Name and content of every file of the form; a larger one than is taken is not read to its end."""
    found = []
    for _, value in (await request.form(max_files=attachments.LINK_FILES)).multi_items():
        if isinstance(value, UploadFile):
            content = await value.read(attachments.LARGEST + 1)
            await value.close()
            if content:
                found.append((value.filename or "", content))
    return found


Files = Annotated[list[tuple[str, bytes]], Depends(sent_files)]


@router.post("/tickets/{ticket_id}/photos", dependencies=[allow("tickets.write")])
def attach(page: PageHere, ticket_id: Id, files: Files) -> Response:
    with page.database.write() as db:
        ticket = tickets.load_ticket(db, ticket_id, page.user)
        for name, content in files:
            attachments.add(db, page.settings.home, content, name, by=page.user.login, now=now(), ticket=ticket)
    page.bus.publish(tickets.nudge(ticket))
    return RedirectResponse(f"/tickets/{ticket_id}", status_code=303)


@router.get("/attachments/{attachment_id}", dependencies=[allow("tickets")])
def show_file(page: PageHere, db: Reading, attachment_id: Id) -> Response:
    return file_of(page.settings.home, db, attachment_id, page.user)


def file_of(home: Path, db: Session, attachment_id: int, user: User) -> FileResponse:
    """The file itself, for those who may see its ticket, its call or its engine."""
    row = attachments.load(db, attachment_id)
    if row.ticket_id is not None:
        tickets.load_ticket(db, row.ticket_id, user)
    elif row.installation_id is not None:
        engines.load_engine(db, db.get_one(Installation, row.installation_id).engine_id, user)
    else:
        load_call(db, row.call_id or "", user)
    path = attachments.path_of(home, row.key)
    if not path.is_file():
        raise NotFound("file")
    how = "inline" if row.type in attachments.SHOWN else "attachment"
    headers = {"Cache-Control": "private, max-age=3600"}
    return FileResponse(path, media_type=row.type, filename=row.name, content_disposition_type=how, headers=headers)


@router.post("/tickets/{ticket_id}/upload-link", dependencies=[allow("tickets.write")])
def link_of_ticket(page: PageHere, request: Request, ticket_id: Id) -> HTMLResponse:
    """The ticket's page with an address for the customer's phone, and the same as a code to be scanned."""
    with page.database.write() as db:
        ticket = tickets.load_ticket(db, ticket_id, page.user)
        token, _row = attachments.make_link(db, by=page.user.login, now=now(), ticket_id=ticket.id)
    address = address_of(request, token)
    with page.database.read() as db:
        ticket = tickets.load_ticket(db, ticket_id, page.user)
        return pages.show(page, db, ticket, link=(address, code_of(address)))


@router.post("/desk/calls/{call_id}/upload-link", dependencies=[allow("desk"), allow("tickets.write")])
def link_of_call(page: PageHere, request: Request, reading: Reading, call_id: str) -> JSONResponse:
    """The same for the call at hand, whether it has a ticket yet or not."""
    call = load_call(reading, call_id, page.user)
    with page.database.write() as db:
        token, row = attachments.make_link(db, by=page.user.login, now=now(), call_id=call.call_id)
        until = page.format.local(row.expires_at, "time")
    address = address_of(request, token)
    return JSONResponse({"address": address, "code": code_of(address), "until": until})


def code_of(address: str) -> str:
    """A QR code as an address of its own, that an img shows."""
    return str(segno.make(address, error="m").svg_data_uri(scale=4, border=2, light="#fff"))


def address_of(request: Request, token: str) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/u/{token}"


# --- without a log-in: who has the address -----------------------------------------------------------------------


@open_router.get("/u/{token}")
def upload_page(page: OpenPage, db: Reading, token: str) -> HTMLResponse:
    try:
        link = attachments.link_of(db, token, now())
    except CallCenterError as fault:
        return _upload(page, token, why=page._(fault.sentence), over=True, status=fault.status)
    return _upload(page, token, left=link.files_left)


@open_router.post("/u/{token}")
def upload(page: OpenPage, request: Request, token: str, files: Files) -> Response:
    """Takes files from whoever has the address; one that is refused is named, the others are kept."""
    if not of_our_origin(request):
        raise Forged
    kept: list[Attachment] = []
    why, status, left = "", 200, 0
    try:
        for name, content in files:
            with page.database.write() as db:
                link = attachments.link_of(db, token, now())
                kept.append(attachments.add_by_link(db, page.settings.home, link, content, name, now=now()))
        with page.database.read() as db:
            left = attachments.link_of(db, token, now()).files_left
    except CallCenterError as fault:
        why, status = page._(fault.sentence), fault.status
    for row in kept:
        page.bus.publish(TicketChanged(ticket_id=row.ticket_id or 0, call_id=row.call_id))
    if "json" in request.headers.get("accept", ""):
        said = {"kept": [row.name for row in kept], "message": why}
        return JSONResponse(said, status_code=status)
    over = status == attachments.LinkOver.status and not kept
    return _upload(page, token, kept=kept, why=why, left=left, over=over, status=status)


def _upload(
    page: Page,
    token: str,
    *,
    kept: Sequence[Attachment] = (),
    why: str = "",
    left: int = 0,
    over: bool = False,
    status: int = 200,
) -> HTMLResponse:
    largest = f"{attachments.LARGEST // 1024 // 1024} MB"
    return page.render(
        "upload.html", status=status, token=token, kept=kept, why=why, left=left, over=over, largest=largest
    )
