"""A desktop on a real database, with people who are signed in, and a real server where sockets are the matter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

import tests.tables  # noqa: F401
from agent_desktop.app import create_app
from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.events import Fact
from callcenter.facts import AgentAnswered, AgentRung, LegEnded, LegStarted, QueueJoined
from config import people, queues, tokens
from config.people import Role, User
from config.settings import Settings
from cti import projection
from tests.ports import free_port
from tests.routes import mounted
from tests.waiting import wait_until

PASSWORD = "龙工-LG855-三包"
HOST = "127.0.0.1:8080"
PEOPLE = (
    ("wangfang", "王芳", Role.AGENT, "1001"),
    ("lina", "李娜", Role.AGENT, "1002"),
    ("zhaomin", "赵敏", Role.SUPERVISOR, None),
    ("chenjing", "陈静", Role.QA, None),
    ("sunli", "孙丽", Role.CAMPAIGN, None),
    ("admin", "管理员", Role.ADMIN, None),
)


@cache
def password_hash() -> str:
    """Once for all tests: a good hash takes its time."""
    return people.PASSWORDS.hash(PASSWORD)


@dataclass
class Desk:
    """One desktop under test."""

    settings: Settings
    database: Database
    bus: LocalBus
    app: FastAPI
    parts: dict[str, tuple[bool, str]]
    users: dict[str, User] = field(default_factory=dict)
    origin: str = f"http://{HOST}"

    def session(self, login: str, at: datetime | None = None) -> tuple[str, str]:
        """The cookie and the CSRF token of a new session."""
        with self.database.write() as db:
            token, row = people.start_session(db, self.users[login], at or now())
        return token, row.csrf

    def client(self, login: str | None = None) -> TestClient:
        """A browser; signed in, if a login is given, and sending the token with every change as our pages do."""
        client = TestClient(self.app, base_url=self.origin, follow_redirects=False, raise_server_exceptions=False)
        client.headers.update({"Accept": "text/html", "Accept-Language": "en"})
        if login is not None:
            token, csrf = self.session(login)
            client.cookies.set("callcenter", token)
            client.headers["X-CSRF"] = csrf
        return client

    def token(self, login: str, *scopes: str) -> dict[str, str]:
        """The header a program of this user sends; its token is for everything, unless scopes are named."""
        with self.database.write() as db:
            token = tokens.create(db, self.users[login], "ERP", now(), scopes=scopes or tokens.SCOPES)
        return {"Authorization": f"Bearer {token}"}


_WORKED_OUT: dict[int, BaseRoute] = {}


def work_out_once(app: FastAPI) -> None:
    """FastAPI works out a router's routes when one is first asked for, which takes longer than most tests.

    Every app here has the same routers; each takes over what was worked out for the first one.
    """
    for place in (app, *(inner for _path, inner in mounted(app))):
        of_place = place.router.routes
        for at, route in enumerate(of_place):
            if hasattr(route, "original_router"):
                of_place[at] = _WORKED_OUT.setdefault(id(route.original_router), route)


def make_desk(home: Path, database: Database, settings: Settings | None = None) -> Desk:
    settings = settings or Settings(home=home)
    bus, parts = LocalBus(), {"cti": (True, "connected")}
    app = create_app(settings, database, bus, lambda: dict(parts))
    work_out_once(app)
    desk = Desk(settings=settings, database=database, bus=bus, app=app, parts=parts)
    with database.write() as db:
        for login, name, role, extension in PEOPLE:
            user = User(
                login=login,
                name=name,
                role=role.value,
                extension=extension,
                password_hash=password_hash(),
                language="en",
                created_at=now(),
            )
            db.add(user)
            desk.users[login] = user
        queues.create_queue(db, "repair", "报修", "Repair", ticket_kind="repair")
        queues.create_queue(db, "inquiry", "咨询", "Inquiry")
        db.flush()
        queues.set_member(db, "repair", "1001")
    return desk


@contextmanager
def served(desk: Desk) -> Iterator[Desk]:
    """The desktop behind a real uvicorn, for what only real sockets show."""
    port = free_port()
    config = uvicorn.Config(
        desk.app,
        host="127.0.0.1",
        port=port,
        log_config=None,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    try:
        wait_until(lambda: server.started, what="uvicorn is up")
        desk.origin = f"http://127.0.0.1:{port}"
        yield desk
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "uvicorn did not stop"


def link(desk: Desk, path: str, login: str | None = None, origin: str | None = "") -> ClientConnection:
    """A WebSocket as a browser opens it, in a new session of this user; from our own page, unless told otherwise."""
    headers = {"Cookie": f"callcenter={desk.session(login)[0]}"} if login else {}
    return connect(
        desk.origin.replace("http", "ws") + path,
        origin=Origin(desk.origin if origin == "" else origin) if origin is not None else None,
        additional_headers=headers,
        subprotocols=[Subprotocol("sip")] if path == "/sip" else None,
        max_size=None,
        proxy=None,
    )


def closing_code(socket: ClientConnection) -> int | None:
    """Read until the other side closes; the code it closed with, None where it said none."""
    try:
        while True:
            socket.recv(10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def tell(desk: Desk, *facts: Fact) -> None:
    """Facts as the switch tells them: recorded in one transaction, then published."""
    with desk.database.write() as db:
        told = projection.record(db, list(facts), "ami")
    for event in told:
        desk.bus.publish(event)


def arrival(call_id: str, *, number: str = "+8613800138000", name: str = "", queue: str = "repair") -> list[Fact]:
    """A caller comes in and waits."""
    at = now()
    return [
        LegStarted(
            at=at,
            switch="tel",
            call_id=call_id,
            leg_id=call_id,
            channel="PJSIP/trunk-1",
            context="from-trunk",
            did="4008",
            caller_number=number,
            caller_name=name,
            language="zh",
        ),
        QueueJoined(at=at, switch="tel", call_id=call_id, leg_id=call_id, queue=queue, position=1),
    ]


def ringing(call_id: str, agent: str = "1001", queue: str = "repair") -> Fact:
    leg = f"{call_id}9"
    return AgentRung(
        at=now(), switch="tel", call_id=call_id, leg_id=leg, caller_leg_id=call_id, queue=queue, agent=agent
    )


def answer(call_id: str, agent: str = "1001", queue: str = "repair") -> Fact:
    return AgentAnswered(
        at=now(),
        switch="tel",
        call_id=call_id,
        leg_id=f"{call_id}9",
        queue=queue,
        agent=agent,
        wait_s=3,
        ring_s=2,
    )


def hang_up(call_id: str) -> list[Fact]:
    at = now()
    return [LegEnded(at=at, switch="tel", call_id=call_id, leg_id=leg, cause=16) for leg in (f"{call_id}9", call_id)]
