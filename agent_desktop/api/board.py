"""The centre as it is now, over the API: queues with their callers and figures, work that needs somebody, the books."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from agent_desktop import board
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Shape
from agent_desktop.desktop import DesktopHere, Reading
from agent_desktop.seat import call_backs
from callcenter.database import now
from reports import nightly

router = APIRouter(prefix="/v1/board", tags=["board"])

BOOKS = 366


class QueueNow(Shape):
    name: str
    title: str
    waiting: int
    since: datetime | None = Field(description="Since when the one waits who waits longest.")
    target_s: int
    target_share: float
    late: bool
    ready: int = Field(description="Agents who could take a call now.")
    figures: dict[str, float | None] = Field(description="Of today, by name; /reports says what they mean.")


class Owed(Shape):
    call_id: str
    caller_number: str
    queue: str | None
    customer_id: int | None
    started_at: datetime


class Work(Shape):
    late: int = Field(description="Tickets past due.")
    unanswered: int = Field(description="Stations that were called and have not answered in time.")
    unowned: int = Field(description="Tickets of people who have left.")
    broken: list[int] = Field(description="Promises that were not kept and are still not done.")


class Now(BaseModel):
    at: datetime
    queues: list[QueueNow]
    work: Work
    call_backs: list[Owed] = Field(description="Who asked to be called back and still is owed it.")


class Book(Shape):
    day: str
    looked_at: datetime
    calls: int
    count: int = Field(description="Differences between our calls and the switch's own books.")
    differences: list[dict[str, Any]]


@router.get("", dependencies=[right("board")], summary="Queues, work and call-backs owed, as they are now")
def read_board(desktop: DesktopHere, db: Reading, user: TokenUser) -> Now:
    at = now()
    work = board.work_lines(db, at)
    queues = [
        QueueNow(
            name=one.name,
            title=one.title,
            waiting=one.waiting,
            since=one.since,
            target_s=one.target_s,
            target_share=one.target_share,
            late=one.late,
            ready=one.ready,
            figures={name: figure.value for name, figure in one.figures.items()},
        )
        for one in board.queue_lines(db, desktop, user.language, at)
    ]
    return Now(
        at=at,
        queues=queues,
        work=Work(
            late=work.late,
            unanswered=work.unanswered,
            unowned=work.unowned,
            broken=[duty.id for duty in work.broken],
        ),
        call_backs=[Owed.model_validate(call) for call in call_backs(db, desktop.settings, at, limit=50)],
    )


@router.get("/books", dependencies=[right("board")], summary="The nights' double entry, the latest day first")
def list_books(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Book]:
    return cut(request, Book, nightly.lately(db, BOOKS), before, limit, lambda one: one.day)
