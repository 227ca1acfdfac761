"""The installation file of an engine: an entry written with its papers, or withdrawn."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from agent_desktop.desktop import Id
from agent_desktop.engines import step_of
from agent_desktop.page import PageHere, SentForm
from agent_desktop.photos import Files
from agent_desktop.session import allow
from agent_desktop.typed import Typed
from callcenter.database import now
from ticketing import attachments, installations
from ticketing.attachments import FileTooLarge, WrongFile
from ticketing.kinds import Fault
from ticketing.rows import Engine
from ticketing.unfit import RecordUnfit

router = APIRouter()


@router.post("/engines/{engine_id}/installations", dependencies=[allow("engines.write")])
def change_installations(page: PageHere, engine_id: Id, files: Files, sent: SentForm) -> Response:
    """Write an entry; or withdraw one, by its ``withdraw``."""

    def take(db: Session, engine: Engine) -> None:
        form = Typed(sent)
        withdraw, on = form.number("withdraw"), form.day("on")
        customer_id, hours = form.record("customer"), form.number("hours")
        form.done()
        if withdraw is not None:
            installations.withdraw(db, engine, withdraw, by=page.user.login, now=now())
            return
        today = page.today
        row = installations.add(
            db,
            engine,
            form.text("kind"),
            on or today,
            by=page.user.login,
            now=now(),
            today=today,
            machine=form.text("machine"),
            place=form.text("place"),
            customer_id=customer_id,
            technician=form.text("technician"),
            hours=hours,
            checks={name: form.text(f"check.{name}") for name in installations.CHECKS},
            note=form.text("note"),
        )
        try:
            for name, content in files:
                attachments.add(
                    db, page.settings.home, content, name, by=page.user.login, now=now(), installation_id=row.id
                )
        except (WrongFile, FileTooLarge) as fault:
            said = page._(fault.sentence)
            raise RecordUnfit({"file": Fault(said, said)}) from fault

    return step_of(page, engine_id, "installations", sent, take)
