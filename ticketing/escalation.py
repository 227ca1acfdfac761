"""The ladder: a ticket that is not solved in time goes up to somebody named, once for each level."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import jobs
from callcenter.events import Event
from callcenter.worker import Work
from config import calendar
from config.people import User
from config.settings import Settings
from ticketing import catalogue, clocks, tickets
from ticketing.kinds import Form, Rung
from ticketing.rows import Ticket, TicketState
from ticketing.tickets import WrongTicketState
from ticketing.versions import StaleTicket

JOB = "escalation"
EVERY = timedelta(minutes=5)


def reached(form: Form, worked: timedelta, level: int) -> Rung | None:
    """The highest rung whose time has passed, if the ticket is not that high already. Pure."""
    due = [rung for rung in form.ladder if rung.level > level and worked > timedelta(minutes=rung.after_min)]
    return due[-1] if due else None


def who(db: Session, rung: Rung) -> str:
    """The log-in named for a rung, if he is still with us; else the first of the role; empty where nobody is."""
    named = select(User.login).where(User.active)
    login = db.scalar(named.where(User.login == rung.owner)) if rung.owner else None
    return login or db.scalar(named.where(User.role == rung.role).order_by(User.id).limit(1)) or ""


def climb(db: Session, zone: tzinfo, now: datetime) -> list[Ticket]:
    """Take every open ticket up that has been there too long; those that went up."""
    held = catalogue.current(db)
    kinds = [kind.value for kind, form in held.forms.items() if form.ladder]
    rows = select(Ticket).where(
        Ticket.kind.in_(kinds), Ticket.state == TicketState.OPEN.value, Ticket.solved_at.is_(None)
    )
    risen = []
    for ticket in db.scalars(rows).all():
        form = held.form(ticket.kind)
        rule = form.rule(ticket.urgent)
        clock = clocks.read(ticket.entries, rule, calendar.load(db, rule.calendar, zone), now)
        rung = reached(form, clock.worked, ticket.level)
        if rung is None:
            continue
        owner = who(db, rung) or ticket.owner
        text = f"{rung.zh} / {rung.en}"
        try:
            tickets.change(
                db, ticket, version=ticket.version, by="", now=now, zone=zone,
                what="escalated", text=text, level=rung.level, owner=owner,
            )  # fmt: skip
        except (StaleTicket, WrongTicketState):
            continue  # somebody is at it right now: looked at again in a while
        risen.append(ticket)
    return risen


def work(settings: Settings) -> Work:
    """The worker's part: look every few minutes, and plan the next look."""

    def do(db: Session, job: jobs.Job, now: datetime) -> list[Event]:
        told: list[Event] = [tickets.nudge(ticket) for ticket in climb(db, settings.centre.zone, now)]
        plan(db, now + EVERY)
        return told

    return do


def plan(db: Session, due_at: datetime) -> None:
    """The next look."""
    slot = int(due_at.timestamp()) // int(EVERY.total_seconds())
    jobs.plan(db, JOB, f"{JOB}:{slot}", {}, due_at)
