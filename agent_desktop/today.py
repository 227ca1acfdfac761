"""Today's figures, each with its formula and the calls it was made of."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from agent_desktop import calls
from agent_desktop.desktop import Reading
from agent_desktop.page import PageHere
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import NotFound
from config.queues import titles
from reports import today
from reports.queue import definitions

AT_MOST = 500

router = APIRouter()

QueueAsked = Annotated[str, Query(max_length=40)]


@router.get("/reports/today", dependencies=[allow("reports")])
def show_today(page: PageHere, db: Reading, queue: QueueAsked = "") -> HTMLResponse:
    at, zone, levels = now(), page.settings.centre.zone, page.settings.service_level
    known = titles(db, page.language)
    if queue and queue not in known:
        raise NotFound("queue %(queue)s", queue=queue)
    return page.render(
        "today.html",
        figures=today.today(db, zone, at, levels, queue or None),
        queues=known,
        asked={"queue": queue},
        agents=today.by_agent(db, zone, at),
    )


@router.get("/reports/today/calls", dependencies=[allow("reports")])
def show_calls(
    page: PageHere, db: Reading, figure: Annotated[str, Query(max_length=40)], queue: QueueAsked = ""
) -> HTMLResponse:
    """What a figure of today was made of: of a share, those above the line and those below."""
    at, zone, levels = now(), page.settings.centre.zone, page.settings.service_level
    rows = today.calls_behind(db, zone, at, figure, queue or None, levels, AT_MOST)
    found = [call for call, _wait, _counts in rows]
    return page.render(
        "today_calls.html",
        rows=rows,
        definition=definitions(levels)[figure],
        figure=next(one for one in today.today(db, zone, at, levels, queue or None) if one.name == figure),
        queues=titles(db, page.language),
        asked={"queue": queue},
        back="/reports/today",
        back_query={"queue": queue},
        piece=None,
        at_most=AT_MOST,
        visible=page.may("calls.all"),
        **calls.around(db, found),
    )
