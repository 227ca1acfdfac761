"""Photos and papers of tickets and calls, over the API: sent in, listed, fetched; links for the customer's phone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop import photos
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Shape
from agent_desktop.calls import load_call
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from callcenter.events import Event
from ticketing import attachments, tickets

router = APIRouter(prefix="/v1", tags=["attachments"])


class Kept(Shape):
    id: int
    ticket_id: int | None
    call_id: str | None
    name: str = Field(description="As it came; words, never a path.")
    type: str
    size: int = Field(description="Bytes.")
    sha256: str
    by: str
    at: datetime


class UploadLink(BaseModel):
    address: str = Field(description="Whoever has it may send photos; told this once.")
    expires_at: datetime


@router.get("/tickets/{ticket_id}/attachments", dependencies=[right("tickets")], summary="Files of a ticket")
def list_attachments(
    request: Request, db: Reading, user: TokenUser, ticket_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Kept]:
    found = attachments.of_ticket(db, tickets.load_ticket(db, ticket_id, user))
    return cut(request, Kept, found, before, limit, lambda one: one.id)


@router.post(
    "/tickets/{ticket_id}/attachments", dependencies=[right("tickets.write")], status_code=201, summary="Attach a file"
)
def attach(
    desktop: DesktopHere,
    once: OnceHere,
    user: TokenUser,
    ticket_id: Id,
    file: Annotated[UploadFile, File(description="A photo (JPEG, PNG, WebP, HEIC) or PDF, 10 MB at most.")],
) -> Kept:
    """The same file twice is one."""
    content = file.file.read(attachments.LARGEST + 1)
    nudges: list[Event] = []

    def attached(db: Session) -> Kept:
        ticket, home = tickets.load_ticket(db, ticket_id, user), desktop.settings.home
        row = attachments.add(db, home, content, file.filename or "", by=user.login, now=now(), ticket=ticket)
        nudges.append(tickets.nudge(ticket))
        return Kept.model_validate(row)

    return once.do(attached, nudges)


@router.get(
    "/attachments/{attachment_id}",
    dependencies=[right("tickets")],
    summary="The file itself",
    response_class=FileResponse,
    responses={200: {"content": {"*/*": {}}, "description": "The file"}},
)
def fetch_attachment(desktop: DesktopHere, db: Reading, user: TokenUser, attachment_id: Id) -> FileResponse:
    return photos.file_of(desktop.settings.home, db, attachment_id, user)


@router.post(
    "/tickets/{ticket_id}/upload-links",
    dependencies=[right("tickets.write")],
    status_code=201,
    summary="An address for the customer's phone to send photos to",
)
def link_of_ticket(request: Request, once: OnceHere, user: TokenUser, ticket_id: Id) -> UploadLink:
    def made(db: Session) -> tuple[str, attachments.UploadLink]:
        ticket = tickets.load_ticket(db, ticket_id, user)
        return attachments.make_link(db, by=user.login, now=now(), ticket_id=ticket.id)

    return once.do(lambda db: _link(request, *made(db)))


@router.post(
    "/calls/{call_id}/upload-links",
    dependencies=[right("desk"), right("tickets.write")],
    status_code=201,
    summary="The same for a call, whether it has a ticket yet or not",
)
def link_of_call(request: Request, once: OnceHere, user: TokenUser, call_id: str) -> UploadLink:
    def made(db: Session) -> tuple[str, attachments.UploadLink]:
        call = load_call(db, call_id, user)
        return attachments.make_link(db, by=user.login, now=now(), call_id=call.call_id)

    return once.do(lambda db: _link(request, *made(db)))


def _link(request: Request, token: str, row: attachments.UploadLink) -> UploadLink:
    return UploadLink(address=photos.address_of(request, token), expires_at=row.expires_at)
