"""Agents as they are now, over the API."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.api import shapes
from agent_desktop.api.access import right
from agent_desktop.api.paging import Before, Limit, Listed, page
from agent_desktop.desktop import Reading
from callcenter.errors import NotFound
from config.people import User
from cti.agents import newcomer
from cti.rows import Agent

router = APIRouter(prefix="/v1", tags=["agents"])


@router.get("/agents", dependencies=[right("agents")], summary="Every agent as he is now")
def list_agents(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[shapes.Agent]:
    found = [agent for agent in _agents(db) if agent.extension > before]
    return page(request, shapes.Agent, found, limit, lambda agent: agent.extension)


@router.get("/agents/{extension}", dependencies=[right("agents")], summary="One agent as he is now")
def read_agent(db: Reading, extension: str) -> shapes.Agent:
    found = _agents(db, extension)
    if not found:
        raise NotFound("agent %(extension)s", extension=extension[:10])
    return found[0]


def _agents(db: Session, extension: str | None = None) -> list[shapes.Agent]:
    """Those who may take calls; one the switch has never seen is offline and idle."""
    rows = select(User, Agent).outerjoin(Agent, Agent.extension == User.extension)
    rows = rows.where(User.active, User.extension.is_not(None)).order_by(User.extension)
    if extension is not None:
        rows = rows.where(User.extension == extension)
    return [
        shapes.Agent(
            extension=user.extension or "",
            name=user.name,
            status=agent.status,
            status_reason=agent.status_reason,
            status_since=agent.status_since,
            state=agent.state,
            state_since=agent.state_since,
            call_id=agent.call_id,
            queue=agent.queue,
            reachable=agent.reachable,
        )
        for user, seen in db.execute(rows)
        for agent in [seen or newcomer(user.extension or "")]
    ]
