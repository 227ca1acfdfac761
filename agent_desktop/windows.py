"""Which of an agent's windows, on whichever computer, has his phone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse
from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from agent_desktop.page import PageHere
from agent_desktop.session import allow
from callcenter.database import Base, now
from callcenter.nudges import PhoneTaken

WINDOW = "^[A-Za-z0-9_-]{1,40}$"

router = APIRouter()


class PhoneWindow(Base):
    """The window that registered last. It has the phone for as long as the switch reaches one."""

    __tablename__ = "phone_windows"

    extension: Mapped[str] = mapped_column(String(10), primary_key=True)
    window: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]


def window_of(db: Session, extension: str) -> str:
    """Empty if no window ever had it."""
    row = db.get(PhoneWindow, extension)
    return row.window if row is not None else ""


@router.post("/desk/phone/taken", dependencies=[allow("desk")])
def taken(page: PageHere, window: Annotated[str, Form(pattern=WINDOW)]) -> JSONResponse:
    """The phone of this window is registered: any other window's is not, and is told so."""
    extension = page.user.extension or ""
    with page.database.write() as db:
        db.merge(PhoneWindow(extension=extension, window=window, at=now()))
    page.bus.publish(PhoneTaken(agent=extension, window=window))
    return JSONResponse({})
