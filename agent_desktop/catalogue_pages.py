"""Kinds, words and clocks of tickets, and the calendars they run by: changed here, without code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.desktop import Id, Reading
from agent_desktop.diary import staff
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput, CallCenterError, NotFound
from config import calendar
from ticketing import catalogue, deadlines, dispatch, stations
from ticketing.rows import Station

router = APIRouter()


@router.get("/admin/tickets", dependencies=[allow("settings")])
def show_catalogue(
    page: PageHere, db: Reading, dictionary: Annotated[str, Query(max_length=30)] = "fault_code"
) -> HTMLResponse:
    return _show(page, db, dictionary)


def _show(
    page: Page, db: Session, dictionary: str, *, why: str = "", typed: dict[str, str] | None = None, status: int = 200
) -> HTMLResponse:
    held = catalogue.current(db)
    if dictionary not in held.dictionaries:
        raise NotFound("dictionary")
    office = {name: week for name, week in calendar.all_weeks(db).items() if name != "always"}
    year = now().astimezone(page.settings.centre.zone).year
    kept = calendar.load(db, "office", page.settings.centre.zone, page.settings.centre.country)
    special = {
        **calendar.public_days(page.settings.centre.country, year),
        **calendar.public_days(page.settings.centre.country, year + 1),
        **kept.days,
    }
    return page.render(
        "catalogue.html",
        status=status,
        forms=held.forms,
        dictionaries=held.dictionaries,
        chosen=held.dictionaries[dictionary],
        texts={kind: catalogue.text_of(db, kind) for kind in held.forms},
        calendars=list(calendar.SHIPPED),
        weeks={name: ([calendar.spelt(spans) for spans in week], public) for name, (week, public) in office.items()},
        days=sorted(special.items()),
        staff=staff(db),
        why=why,
        typed=typed or {},
    )


@router.post("/admin/tickets/terms", dependencies=[allow("settings")])
def set_term(page: PageHere, sent: SentForm) -> Response:
    """Add a code, reword it, end it or offer it again."""
    dictionary = sent.get("dictionary", "")
    return _write(
        page,
        sent,
        dictionary,
        lambda db: catalogue.set_term(
            db,
            dictionary,
            sent.get("code", "").strip(),
            sent.get("zh", ""),
            sent.get("en", ""),
            ended="ended" in sent,
            by=page.user.login,
            now=now(),
        ),
    )


@router.post("/admin/tickets/clocks", dependencies=[allow("settings")])
def set_clock(page: PageHere, sent: SentForm) -> Response:
    """How soon a kind is answered and solved; open tickets promise anew at once."""

    def write(db: Session) -> None:
        rule = {name: sent.get(name, "").strip() for name in ("response_min", "solution_min", "calendar")}
        kind, urgent = sent.get("kind", ""), sent.get("urgent") == "1"
        catalogue.set_rule(db, kind, urgent, rule, by=page.user.login, now=now())
        deadlines.tell_anew(db, page.settings.centre.zone, now())

    return _write(page, sent, "", write)


@router.post("/admin/tickets/ladder", dependencies=[allow("settings")])
def set_rung(page: PageHere, sent: SentForm) -> Response:
    """Who gets what goes up to a level."""

    def write(db: Session) -> None:
        level, after = _number(sent, "level"), _number(sent, "after_min")
        kind, owner = sent.get("kind", ""), sent.get("owner", "")
        catalogue.set_rung(db, kind, level, owner, after, by=page.user.login, now=now())

    return _write(page, sent, "", write)


@router.post("/admin/tickets/forms", dependencies=[allow("settings")])
def set_form(page: PageHere, sent: SentForm) -> Response:
    """A kind written anew; it is checked whole before it counts."""

    def write(db: Session) -> None:
        text = sent.get("text", "").replace("\r\n", "\n")
        catalogue.set_form(db, sent.get("kind", ""), text, by=page.user.login, now=now())
        deadlines.tell_anew(db, page.settings.centre.zone, now())

    return _write(page, sent, "", write)


@router.post("/admin/calendars/weeks", dependencies=[allow("settings")])
def set_week(page: PageHere, sent: SentForm) -> Response:
    def write(db: Session) -> None:
        week = [sent.get(f"day{n}", "") for n in range(7)]
        calendar.set_week(db, sent.get("name", ""), week, "public" in sent, by=page.user.login, now=now())
        deadlines.tell_anew(db, page.settings.centre.zone, now())

    return _write(page, sent, "", write)


@router.post("/admin/calendars/days", dependencies=[allow("settings")])
def set_day(page: PageHere, sent: SentForm) -> Response:
    """A day made free or worked, or left to the list of public holidays again."""

    def write(db: Session) -> None:
        try:
            day = date.fromisoformat(sent.get("day", ""))
        except ValueError:
            raise BadInput("%(what)s cannot be %(value)s", what="day", value=sent.get("day", "")[:20]) from None
        working = {"free": False, "worked": True, "list": None}.get(sent.get("how", ""))
        calendar.set_day(db, day, working, sent.get("title", ""), by=page.user.login, now=now())
        deadlines.tell_anew(db, page.settings.centre.zone, now())

    return _write(page, sent, "", write)


def _write(page: Page, sent: dict[str, str], dictionary: str, write: Callable[[Session], None]) -> Response:
    """What is refused is shown again as it was typed, with why."""
    try:
        with page.database.write() as db:
            write(db)
    except CallCenterError as fault:
        if fault.status >= 500 or fault.status == 404:
            raise
        why = f"{page._(fault.sentence)} {page._(fault.wording, **fault.values) if fault.wording else ''}".strip()
        with page.database.read() as db:
            known = dictionary if dictionary in catalogue.current(db).dictionaries else "fault_code"
            return _show(page, db, known, why=why, typed=sent, status=fault.status)
    part = f"?dictionary={dictionary}#words" if dictionary else ""
    return RedirectResponse(f"/admin/tickets{part}", status_code=303)


def _number(sent: dict[str, str], name: str) -> int:
    text = sent.get(name, "").strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 7:
        raise BadInput("%(what)s cannot be %(value)s", what=name, value=text[:20])
    return int(text)


# --- stations ----------------------------------------------------------------------------------------------------


@router.get("/stations", dependencies=[allow("tickets")])
def list_stations(page: PageHere, db: Reading) -> HTMLResponse:
    """Every station with its area, skills, hours, who is on duty and what it has in hand."""
    load = dispatch.in_hand(db)
    rows = db.scalars(select(Station).order_by(Station.id)).all()
    there = {one.station_id: one for one in stations.candidates(db, now(), page.settings.centre.zone, load)}
    return page.render("stations.html", rows=rows, there=there, duties=stations.ahead(db, now()))


@router.post("/stations/{station_id}", dependencies=[allow("agents")])
def change_station(page: PageHere, station_id: Id, sent: SentForm) -> Response:
    with page.database.write() as db:
        stations.change(
            stations.load(db, station_id),
            area=sent.get("area", ""),
            skills=sent.get("skills", "").replace("，", " ").replace(",", " ").split(),
            opens=sent.get("opens", ""),
            crews=_number(sent, "crews"),
            active="active" in sent,
            point=sent.get("point", ""),
        )
    return RedirectResponse("/stations", status_code=303)


@router.post("/stations/{station_id}/duties", dependencies=[allow("agents")])
def add_duty(page: PageHere, station_id: Id, sent: SentForm) -> Response:
    """Who is on duty there, from when until when."""
    with page.database.write() as db:
        begins, ends = page.when(sent.get("begins_at", "")), page.when(sent.get("ends_at", ""))
        stations.put_on_duty(
            db, stations.load(db, station_id), begins, ends, sent.get("name", ""), sent.get("phone", "")
        )
    return RedirectResponse("/stations", status_code=303)
