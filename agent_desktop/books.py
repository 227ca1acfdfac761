"""The nights' double-entry: each day with what differs between our calls and the switch's own books, call by call."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from agent_desktop.desktop import Reading
from agent_desktop.page import PageHere
from agent_desktop.session import allow
from reports import nightly

DAYS = 31
router = APIRouter()


@router.get("/reports/books", dependencies=[allow("board")])
def show_books(page: PageHere, db: Reading) -> HTMLResponse:
    return page.render("books.html", days=nightly.lately(db, DAYS), most=nightly.SHOWN)
