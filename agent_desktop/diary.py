"""The diary in four quadrants, promises kept and broken, and the team's calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop import tickets as pages
from agent_desktop.desktop import Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput, NotFound
from callcenter.nudges import TicketChanged
from config import calendar
from config.people import User, names
from ticketing import duties, tickets, ties
from ticketing.duties import Duty
from ticketing.rows import Ticket

ORDER = ((True, True), (True, False), (False, True), (False, False))

router = APIRouter()


# --- the diary ---------------------------------------------------------------------------------------------------


@router.get("/diary", dependencies=[allow("tickets.write")])
def diary(page: PageHere, db: Reading, who: Annotated[str, Query(max_length=40)] = "") -> HTMLResponse:
    """One's own; those who lead may look into anybody's."""
    login = who if who and page.may("diaries") else page.user.login
    person = db.scalar(select(User).where(User.login == login))
    if person is None:
        raise NotFound("diary of %(login)s", login=login)
    at = now()
    mine = tickets.listed(db, page.user, states=tickets.UNDONE, owner=login, limit=200)
    found = duties.quadrants(duties.of_owner(db, login), mine, at)
    people = db.scalars(select(User).where(User.active).order_by(User.login)).all() if page.may("diaries") else []
    return page.render(
        "diary.html",
        person=person,
        people=[(one.login, one.name) for one in people],
        quadrants=[(important, urgent, found[important, urgent]) for important, urgent in ORDER],
        watched=ties.watched(db, login),
        names=names(db),
        staff=staff(db),
        soon=_local(page, at + timedelta(minutes=30)),
    )


@router.post("/diary", dependencies=[allow("tickets.write")])
def add_task(page: PageHere, sent: SentForm) -> Response:
    """A task in somebody's diary; into another's only by those who lead."""
    owner = duties.diary_of(page.user, sent.get("owner", ""))
    begins = sent.get("begins_at", "")
    with page.database.write() as db:
        duties.add(
            db,
            "task",
            sent.get("text", ""),
            page.when(sent.get("due_at", "")),
            owner=owner,
            by=page.user.login,
            now=now(),
            begins_at=page.when(begins) if begins else None,
            important="important" in sent,
            urgent="urgent" in sent,
            shared="shared" in sent,
        )
    page.bus.publish(TicketChanged(ticket_id=0))
    return RedirectResponse(_back(sent), status_code=303)


def own_duty(page: PageHere, db: Reading, duty_id: Id) -> Duty:
    return duties.load(db, duty_id, page.user)


DutyHere = Annotated[Duty, Depends(own_duty)]


@router.post("/diary/{duty_id}", dependencies=[allow("tickets.write")])
def settle_duty(page: PageHere, duty: DutyHere, sent: SentForm) -> Response:
    """``to``: done, dropped, or the quadrant it is put into (important and urgent as ticks)."""
    with page.database.write() as db:
        own = duties.load(db, duty.id, page.user)
        match sent.get("to", ""):
            case "done":
                duties.done(db, own, by=page.user.login, now=now())
            case "dropped":
                duties.drop(db, own, by=page.user.login, now=now())
            case "put":
                duties.put(db, own, important="important" in sent, urgent="urgent" in sent)
            case other:
                raise BadInput("%(what)s cannot be %(value)s", what="to", value=other[:20])
    page.bus.publish(TicketChanged(ticket_id=own.ticket_id or 0, call_id=own.call_id))
    return RedirectResponse(_back(sent), status_code=303)


@router.post("/tickets/{ticket_id}/promises", dependencies=[allow("tickets.write")])
def promise(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    """Promised to the customer: within so many minutes, or by a time; who does it stands as its owner."""
    minutes = sent.get("minutes", "").strip()
    if minutes and not (minutes.isascii() and minutes.isdigit() and 0 < int(minutes[:6]) <= 14 * 24 * 60):
        raise BadInput("minutes: 1 to 20160")

    def add(db: Session, ticket: Ticket) -> Ticket:
        at = now()
        due = at + timedelta(minutes=int(minutes)) if minutes else page.when(sent.get("due_at", ""))
        owner = sent.get("owner", "") or page.user.login
        station_id = ticket.station_id if "station" in sent else None
        duties.add(
            db, "promise", sent.get("text", ""), due, owner=owner, by=page.user.login, now=at,
            ticket=ticket, station_id=station_id, important=True,
        )  # fmt: skip
        return ticket

    return pages.step(page, ticket_id, {}, add)


@router.post("/tickets/{ticket_id}/watch", dependencies=[allow("tickets")])
def watch(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    def do(db: Session, ticket: Ticket) -> Ticket:
        ties.watch(db, ticket, page.user.login, sent.get("on") == "1", now())
        return ticket

    return pages.step(page, ticket_id, {}, do)


@router.post("/tickets/{ticket_id}/links", dependencies=[allow("tickets.write")])
def link(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    """Tie it to another by its number, or untie it (``end``)."""

    def do(db: Session, ticket: Ticket) -> Ticket:
        ended = sent.get("end", "")
        if ended.isascii() and ended.isdigit() and len(ended) < 10:
            ties.unlink(db, ticket, int(ended), by=page.user.login, now=now())
        else:
            ties.link(db, ticket, sent.get("number", ""), sent.get("kind", ""), user=page.user, now=now())
        return ticket

    return pages.step(page, ticket_id, {}, do)


@router.post("/tickets/{ticket_id}/hand-over", dependencies=[allow("tickets.write")])
def hand_over(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    owner, text, zone = sent.get("owner", "")[:40], sent.get("text", ""), page.settings.centre.zone
    return pages.step(
        page,
        ticket_id,
        {},
        lambda db, ticket: tickets.hand_over(db, ticket, owner, text, by=page.user.login, now=now(), zone=zone),
    )


# --- the team's calendar -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Day:
    day: date
    today: bool
    working: bool
    title: str  # a holiday's name, or that it is worked in exchange
    duties: Mapping[str, Sequence[Duty]]  # by owner
    follow_ups: Sequence[Ticket]


@router.get("/calendar", dependencies=[allow("tickets.write")])
def team_calendar(page: PageHere, db: Reading, week: Annotated[str, Query(max_length=10)] = "") -> HTMLResponse:
    """A week of the team: what is promised and planned, follow-ups to be made, days off and days worked for them."""
    centre = page.settings.centre
    today = page.today
    try:
        chosen = date.fromisoformat(week) if week else today
    except ValueError:
        raise BadInput("%(what)s cannot be %(value)s", what="week", value=week) from None
    monday = chosen - timedelta(days=chosen.weekday())
    start = datetime.combine(monday, time(), centre.zone)
    found = duties.between(db, start, start + timedelta(days=7), page.user)
    office = calendar.load(db, "office", centre.zone, centre.country)
    days = [monday + timedelta(days=n) for n in range(7)]
    follow_ups = _follow_ups(db, page, days)
    return page.render(
        "calendar.html",
        days=[_day(page, office, day, today, found, follow_ups.get(day, [])) for day in days],
        people=staff(db),
        monday=monday,
        before=monday - timedelta(days=7),
        after=monday + timedelta(days=7),
        soon=_local(page, now() + timedelta(minutes=30)),
        staff=staff(db),
    )


def _day(
    page: Page, office: calendar.Calendar, day: date, today: date, found: Sequence[Duty], follow_ups: Sequence[Ticket]
) -> Day:
    rule = office.rule(day)
    title = ""
    if rule is not None:
        title = rule.title(page.language) or (page._("worked in exchange") if rule.working else page._("free"))
    centre = page.settings.centre
    own: dict[str, list[Duty]] = {}
    for duty in found:
        if centre.day(duty.begins_at or duty.due_at) == day:
            own.setdefault(duty.owner, []).append(duty)
    return Day(
        day=day,
        today=day == today,
        working=bool(office.spans(day)),
        title=title,
        duties=own,
        follow_ups=follow_ups,
    )


def _follow_ups(db: Session, page: Page, days: Sequence[date]) -> dict[date, list[Ticket]]:
    """Follow-ups that name the day of the next call."""
    wanted = {day.isoformat(): day for day in days}
    found: dict[date, list[Ticket]] = {}
    for ticket in tickets.listed(db, page.user, states=tickets.UNDONE, kind="follow_up", limit=500):
        day = wanted.get(str(ticket.fields.get("next_on", "")))
        if day is not None:
            found.setdefault(day, []).append(ticket)
    return found


def staff(db: Session) -> list[tuple[str, str]]:
    """Who can be given something to do."""
    return [(one.login, one.name) for one in db.scalars(select(User).where(User.active).order_by(User.login))]


def _local(page: Page, at: datetime) -> str:
    return at.astimezone(page.settings.centre.zone).strftime("%Y-%m-%dT%H:%M")


def _back(sent: Mapping[str, str]) -> str:
    """Where the form stood: a path of ours and nothing else."""
    path = sent.get("back", "")
    return path if path in ("/diary", "/calendar", "/desk") or _is_ticket(path) else "/diary"


def _is_ticket(path: str) -> bool:
    number = path.removeprefix("/tickets/")
    return path != number and number.isascii() and number.isdigit()
