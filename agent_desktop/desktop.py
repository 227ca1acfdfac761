"""What every page of one running desktop shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Path
from jinja2 import Environment
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from agent_desktop.bell import Bell
from agent_desktop.day_figures import DayFigures
from agent_desktop.hub import Hub
from agent_desktop.metrics import Metrics
from agent_desktop.sockets import Sockets
from callcenter.bus import Bus
from callcenter.database import Database
from config.settings import Settings

LARGEST_ID = 2**31 - 1  # what an id column holds in PostgreSQL
Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]

Health = Callable[[], dict[str, tuple[bool, str]]]


@dataclass(frozen=True)
class Desktop:
    settings: Settings
    database: Database
    bus: Bus
    health: Health
    environments: dict[str, Environment]  # Jinja's, by language
    hub: Hub
    bell: Bell
    sockets: Sockets
    metrics: Metrics
    day: DayFigures


def desktop_of(connection: HTTPConnection) -> Desktop:
    return cast(Desktop, connection.app.state.desktop)


DesktopHere = Annotated[Desktop, Depends(desktop_of)]


def reading(desktop: DesktopHere) -> Iterator[Session]:
    with desktop.database.read() as db:
        yield db


Reading = Annotated[Session, Depends(reading)]
"""A session to load rows with. To change something, open ``page.database.write()`` in the view."""
