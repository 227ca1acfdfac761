"""Changes that are sent again when the line broke: done once, and answered the same each time.

The key is kept in the transaction of the change itself, so that a crash leaves either both or neither behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from agent_desktop.api.access import HolderHere
from agent_desktop.desktop import Desktop, DesktopHere
from agent_desktop.rows import SentOnce
from callcenter.database import now
from callcenter.errors import BadInput
from callcenter.events import Event

KEPT = timedelta(hours=24)

Answer = TypeVar("Answer", bound=BaseModel)


class KeyReused(BadInput):
    """This Idempotency-Key has been sent with another request; a new request needs a new key."""


class DoneBefore(Exception):
    """The same request was answered already; not an error, but the same answer again."""

    def __init__(self, status: int, answer: Any) -> None:
        self.status, self.answer = status, answer
        super().__init__(status)


@dataclass(frozen=True)
class Once:
    """One change asked for by a program."""

    desktop: Desktop
    token_id: int
    key: str  # empty: the program sent none
    request: str  # what tells this request from another under the same key
    status: int

    def do(self, step: Callable[[Session], Answer], told: Sequence[Event] = ()) -> Answer:
        """Take the step in one transaction; what it has put into ``told`` is published once it is committed."""
        with self.desktop.database.write() as db:
            row = self._claimed(db)
            answer = step(db)
            if row is not None:
                db.get_one(SentOnce, row).answer = answer.model_dump(mode="json")
        for event in told:
            self.desktop.bus.publish(event)
        return answer

    def _claimed(self, db: Session) -> int | None:
        """The row of the key, new; whoever else sends the key at this moment waits here for our commit."""
        if not self.key:
            return None
        at = now()
        db.execute(delete(SentOnce).where(SentOnce.at < at - KEPT))
        dialect = sqlite if self.desktop.database.is_sqlite else postgresql
        new = dialect.insert(SentOnce).values(
            token_id=self.token_id, key=self.key, request=self.request, status=self.status, answer=None, at=at
        )
        row: int | None = db.scalar(new.on_conflict_do_nothing().returning(SentOnce.id))
        if row is None:
            self.refuse_or_repeat(db)
        return row

    def refuse_or_repeat(self, db: Session) -> None:
        """Raises if the key is known: DoneBefore with the answer, or KeyReused."""
        mine = (SentOnce.token_id == self.token_id) & (SentOnce.key == self.key) & (SentOnce.at >= now() - KEPT)
        found = db.scalar(select(SentOnce).where(mine))
        if found is not None and found.request != self.request:
            raise KeyReused
        if found is not None:
            raise DoneBefore(found.status, found.answer)


async def once(
    request: Request,
    desktop: DesktopHere,
    program: HolderHere,
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            max_length=200,
            pattern=r"^[!-~]*$",
            description="Sent again within 24 hours with the same request, the first answer comes again and nothing is "
            "done twice.",
        ),
    ] = "",
) -> Once:
    status = getattr(request.scope.get("route"), "status_code", None) or 200
    meant = await _digest(request) if key else ""
    return Once(desktop, program.token.id, key, meant, status)


async def _digest(request: Request) -> str:
    told = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        for name, value in (await request.form()).multi_items():
            told.update(f"\n{name}=".encode())
            if isinstance(value, UploadFile):
                told.update(hashlib.sha256(await value.read()).digest())
                await value.seek(0)
            else:
                told.update(value.encode())
    else:
        told.update(await request.body())
    return told.hexdigest()


def told_before(asked: Annotated[Once, Depends(once)]) -> Once:
    """Before anything is looked at: a request done before is answered as it was then."""
    if asked.key:
        with asked.desktop.database.read() as db:
            asked.refuse_or_repeat(db)
    return asked


OnceHere = Annotated[Once, Depends(told_before)]
