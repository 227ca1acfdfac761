"""The supervisor's board: every queue and every agent as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from agent_desktop.desktop import Desktop, Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.seat import TONES, call_backs
from agent_desktop.session import allow
from callcenter.database import now
from config.people import User, names
from config.queues import list_queues
from cti import queues_now
from cti.agents import newcomer
from cti.queues_now import NOBODY
from cti.rows import Agent, SwitchRow
from reports import nightly
from reports.figures import Figure
from ticketing import dispatch, duties, tickets
from ticketing.dispatch import Dispatch
from ticketing.duties import Duty
from ticketing.rows import Ticket

LONG_RING = timedelta(seconds=30)

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class QueueLine:
    name: str
    title: str
    waiting: int
    since: datetime | None  # of the one who waits longest
    target_s: int
    target_share: float
    late: bool  # he has waited longer than the target
    ready: int  # agents who could take a call now
    figures: dict[str, Figure]  # of today, by name


@dataclass(frozen=True, kw_only=True)
class AgentChip:
    extension: str
    name: str
    status: str
    state: str
    reason: str
    since: datetime | None
    tone: str
    queue: str
    call_id: str | None
    reachable: bool
    rank: int  # who needs attention comes first


@router.get("/board", dependencies=[allow("board")])
def board(page: PageHere, db: Reading) -> HTMLResponse:
    return page.render("board.html", **_now(page, db))


@router.get("/board/now", dependencies=[allow("board")])
def board_now(page: PageHere, db: Reading) -> HTMLResponse:
    """The part that changes; the page asks for it after a nudge."""
    return page.render("board_now.html", **_now(page, db))


def _now(page: Page, db: Session) -> dict[str, Any]:
    at = now()
    return {
        "queues": queue_lines(db, page.desktop, page.language, at),
        "agents": agent_chips(db, page.language, at),
        "books": next(iter(nightly.lately(db, 1)), None),
        "work": work_lines(db, at),
        "call_backs": call_backs(db, page.settings, at, limit=50),
        "lost": [row for row in db.scalars(select(SwitchRow).order_by(SwitchRow.name)) if not row.connected],
    }


@dataclass(frozen=True, kw_only=True)
class WorkLines:
    """What of the tickets needs a supervisor: promises broken, tickets late, answers due."""

    broken: Sequence[Duty]
    names: Mapping[str, str]  # by login
    late: int
    unanswered: int  # stations that were called and have not answered in time
    unowned: int  # of people who have left


def work_lines(db: Session, at: datetime) -> WorkLines:
    undone = Ticket.state.in_(tickets.UNDONE)
    late = select(func.count()).select_from(Ticket).where(undone, Ticket.due_at < at, Ticket.solved_at.is_(None))
    called = (Dispatch.state == dispatch.Sent.SENT.value) & (Dispatch.answer_by < at)
    gone = select(User.login).where(~User.active)
    return WorkLines(
        broken=duties.broken(db, at, 5),
        names=names(db),
        late=db.scalar(late) or 0,
        unanswered=db.scalar(select(func.count()).select_from(Dispatch).where(called)) or 0,
        unowned=db.scalar(select(func.count()).select_from(Ticket).where(undone, Ticket.owner.in_(gone))) or 0,
    )


def queue_lines(db: Session, desktop: Desktop, language: str, at: datetime) -> list[QueueLine]:
    waiting, ready = queues_now.waiting(db), queues_now.ready(db)
    queues = list_queues(db)
    figures = desktop.day.by_queue(db, at, [queue.name for queue in queues])
    lines = []
    for queue in queues:
        count, since = waiting.get(queue.name, NOBODY)
        lines.append(
            QueueLine(
                name=queue.name,
                title=queue.title(language),
                waiting=count,
                since=since,
                target_s=queue.target_s,
                target_share=queue.target_share,
                late=since is not None and at - since > timedelta(seconds=queue.target_s),
                ready=ready.get(queue.name, 0),
                figures=figures[queue.name],
            )
        )
    return lines


def agent_chips(db: Session, language: str, at: datetime) -> list[AgentChip]:
    queues = list_queues(db)
    titles = {queue.name: queue.title(language) for queue in queues}
    wrap_up = {queue.name: timedelta(seconds=queue.wrap_up_s) for queue in queues}
    people = select(User, Agent).outerjoin(Agent, Agent.extension == User.extension)
    chips = []
    for user, seen in db.execute(people.where(User.active, User.extension.is_not(None))):
        agent = seen or newcomer(user.extension or "")
        rank = attention(agent, at, wrap_up.get(agent.queue or "", timedelta(0)))
        chips.append(
            AgentChip(
                extension=agent.extension,
                name=user.name,
                status=agent.status,
                state=agent.state,
                reason=agent.status_reason,
                since=agent.since,
                tone="bad" if rank <= 2 else TONES[agent.shown],
                queue=titles.get(agent.queue or "", agent.queue or ""),
                call_id=agent.call_id,
                reachable=agent.reachable,
                rank=rank,
            )
        )
    return sorted(chips, key=lambda chip: (chip.rank, chip.since is None, chip.since, chip.extension))


def attention(agent: Agent, at: datetime, wrap_up: timedelta) -> int:
    """How soon a supervisor should look: 0 first. Trouble, then work going on, then those who are ready or away."""
    since = at - agent.state_since if agent.state_since is not None else timedelta(0)
    match agent.status, agent.state:
        case "on_break", "idle" if agent.status_reason == "missed":
            return 0
        case "available", "idle" if not agent.reachable:
            return 1
        case (_, "ringing") if since > LONG_RING:
            return 1
        case (_, "wrap_up") if since > wrap_up:
            return 2
        case _, "ringing":
            return 3
        case _, "talking":
            return 4
        case _, "wrap_up":
            return 5
        case "available", _:
            return 6
        case "on_break", _:
            return 7
    return 8
