"""The open WebSockets, by session: a session that ends takes its sockets along."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import select

from callcenter.bus import heard
from callcenter.database import Database, now
from config import people
from config.people import LoginSession, User
from config.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
NOT_SIGNED_IN = 4401  # close codes of ours, 4000 to 4999 being free for applications
NOT_ALLOWED = 4403
START_AGAIN = 4408


class Sockets:
    """Sessions end by log-out, by an administrator, by age, and in other processes: the rows are looked at.

    A desk that is open counts as used, so nobody is logged out in the middle of a call for not having clicked.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._lasts = timedelta(hours=settings.desktop.session_hours)
        self._open: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look = asyncio.Event()

    @property
    def count(self) -> int:
        return sum(len(events) for events in self._open.values())

    @contextmanager
    def opened(self, token_hash: str) -> Iterator[asyncio.Event]:
        """A socket of this session; the event is set when the session is over."""
        ended = asyncio.Event()
        self._open.setdefault(token_hash, set()).add(ended)
        try:
            yield ended
        finally:
            self._open[token_hash].discard(ended)
            if not self._open[token_hash]:
                del self._open[token_hash]

    def look(self) -> None:
        """Look for ended sessions now; may be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look.set)

    async def watch(self) -> None:
        """Until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            await heard(self._look, LOOK_EVERY_S)
            self._look.clear()
            try:
                asked = list(self._open)
                alive = await asyncio.to_thread(self._alive, asked)
            except Exception:
                log.exception("sessions cannot be looked at; their sockets stay open")
                continue
            for token_hash in asked:  # whoever came while we looked was not asked about
                if token_hash not in alive:
                    for ended in self._open.get(token_hash, ()):
                        ended.set()

    def _alive(self, token_hashes: list[str]) -> set[str]:
        if not token_hashes:
            return set()
        at = now()
        good = (
            select(LoginSession)
            .join(User, User.id == LoginSession.user_id)
            .where(LoginSession.token_hash.in_(token_hashes), LoginSession.ended_at.is_(None), User.active)
            .where(LoginSession.created_at > at - self._lasts)
        )
        with self._database.read() as db:
            rows = db.scalars(good).all()
        unseen = [row for row in rows if people.session_unseen(row, at)]
        if unseen:
            with self._database.write() as db:
                for row in unseen:
                    people.session_seen(db, row, at)
        return {row.token_hash for row in rows}
