"""The stations sent to a ticket: called, taken further, and the customer told."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from agent_desktop import tickets as pages
from agent_desktop.desktop import Id
from agent_desktop.page import PageHere, SentForm
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput
from ticketing import dispatch
from ticketing.rows import IDS, Ticket

router = APIRouter()


@router.post("/tickets/{ticket_id}/stations", dependencies=[allow("tickets.write")])
def send_stations(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    """``station`` is one station's id; several, where the kind calls several, are sent as station.1, station.2 …"""
    chosen = [_id(text) for name, text in sent.items() if name == "station" or name.startswith("station.")]

    def call(db: Session, ticket: Ticket) -> Ticket:
        if not chosen:
            raise BadInput("choose a station")
        for station_id in chosen:
            dispatch.send(db, ticket, station_id, by=page.user.login, now=now(), zone=page.settings.centre.zone)
        return ticket

    return pages.step(page, ticket_id, {}, call)


@router.post("/tickets/{ticket_id}/dispatches/{dispatch_id}", dependencies=[allow("tickets.write")])
def step_dispatch(page: PageHere, ticket_id: Id, dispatch_id: Id, sent: SentForm) -> Response:
    """``to`` is where it comes to now, or told: the customer knows."""

    def go(db: Session, ticket: Ticket) -> Ticket:
        row, by, at = dispatch.load(db, ticket, dispatch_id), page.user.login, now()
        if sent.get("to") == "told":
            dispatch.tell(db, ticket, row, by=by, now=at)
            return ticket
        dispatch.step(
            db,
            ticket,
            row,
            sent.get("to", ""),
            by=by,
            now=at,
            zone=page.settings.centre.zone,
            person=sent.get("person", ""),
            words=sent.get("words", ""),
            eta_min=_minutes(sent),
        )
        return ticket

    return pages.step(page, ticket_id, {}, go)


def _minutes(sent: Mapping[str, str]) -> int | None:
    text = sent.get("eta_min", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 5:
        raise BadInput("minutes until arrival: 1 to 1440")
    return int(text)


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) not in IDS:
        raise BadInput("choose a station")
    return int(text)
