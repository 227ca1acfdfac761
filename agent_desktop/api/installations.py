"""The installation file of an engine, over the API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.attachments import Kept
from agent_desktop.api.once import OnceHere
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from ticketing import attachments, engines, installations

router = APIRouter(prefix="/v1/engines/{engine_id}/installations", tags=["engines"])


class Installation(Shape):
    id: int
    engine_id: int
    kind: str
    on: date
    machine: str
    place: str
    customer_id: int | None
    technician: str
    hours: int | None
    checks: dict[str, str]
    note: str
    at: datetime
    by: str
    withdrawn_at: datetime | None
    withdrawn_by: str


class NewInstallation(Sent):
    kind: str = Field(max_length=12, description="installed, commissioned, reinstalled")
    on: date
    machine: str = Field("", max_length=120)
    place: str = Field("", max_length=200)
    customer_id: Reference | None = Field(None, description="Who did it: a maker of machines, a station.")
    technician: str = Field("", max_length=40)
    hours: int | None = Field(None, ge=0, le=100_000)
    checks: dict[str, str] = Field(
        default_factory=dict,
        max_length=10,
        description="mounting, cooling, fuel, oil, intake, exhaust, belt, wiring, instruments, test_run: ok or not_ok",
    )
    note: str = Field("", max_length=20_000)


@router.get("", dependencies=[right("engines")], summary="The installation file of an engine")
def list_installations(db: Reading, user: TokenUser, engine_id: Id) -> list[Installation]:
    engine = engines.load_engine(db, engine_id, user)
    return [Installation.model_validate(one) for one in installations.of(db, engine.id)]


@router.post("", dependencies=[right("engines.write")], status_code=201, summary="Write into the installation file")
def add_installation(
    desktop: DesktopHere, once: OnceHere, user: TokenUser, engine_id: Id, sent: NewInstallation
) -> Installation:
    def added(db: Session) -> Installation:
        engine = engines.load_engine(db, engine_id, user)
        today = desktop.settings.centre.day(now())
        row = installations.add(db, engine, **sent.model_dump(), by=user.login, now=now(), today=today)
        return Installation.model_validate(row)

    return once.do(added)


@router.post("/{installation_id}/withdraw", dependencies=[right("engines.write")], summary="Withdraw an entry")
def withdraw_installation(once: OnceHere, user: TokenUser, engine_id: Id, installation_id: Id) -> Installation:
    def withdrawn(db: Session) -> Installation:
        engine = engines.load_engine(db, engine_id, user)
        row = installations.withdraw(db, engine, installation_id, by=user.login, now=now())
        return Installation.model_validate(row)

    return once.do(withdrawn)


@router.post(
    "/{installation_id}/attachments",
    dependencies=[right("engines.write")],
    status_code=201,
    summary="Attach a paper to an entry",
)
def attach_paper(
    desktop: DesktopHere,
    once: OnceHere,
    user: TokenUser,
    engine_id: Id,
    installation_id: Id,
    file: Annotated[UploadFile, File(description="A photo (JPEG, PNG, WebP, HEIC) or PDF, 10 MB at most.")],
) -> Kept:
    content = file.file.read(attachments.LARGEST + 1)

    def attached(db: Session) -> Kept:
        row = installations.load(db, engines.load_engine(db, engine_id, user), installation_id)
        home, name = desktop.settings.home, file.filename or ""
        kept = attachments.add(db, home, content, name, by=user.login, now=now(), installation_id=row.id)
        return Kept.model_validate(kept)

    return once.do(attached)
