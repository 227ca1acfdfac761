"""The warranty rules: those that stand, those that ended, and entering another."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from agent_desktop.desktop import Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from agent_desktop.typed import Typed
from callcenter.database import now
from callcenter.errors import BadInput
from ticketing import warranty as warranties
from ticketing.kinds import Fault
from ticketing.unfit import RecordUnfit

router = APIRouter()


@router.get("/warranty-rules", dependencies=[allow("warranty.write")])
def show_rules(page: PageHere, db: Reading) -> HTMLResponse:
    return _rules(page, db)


def _rules(
    page: Page,
    db: Session,
    *,
    status: int = 200,
    faults: Mapping[str, Fault] | None = None,
    typed: Mapping[str, str] | None = None,
) -> HTMLResponse:
    return page.render(
        "warranty_rules.html",
        status=status,
        rules=sorted(warranties.rules(db), key=lambda rule: (rule.family, rule.sold_from)),
        ended=warranties.ended(db),
        faults={name: fault.text(page.language) for name, fault in (faults or {}).items()},
        typed=dict(typed or {}),
    )


@router.post("/warranty-rules", dependencies=[allow("warranty.write")])
def change_rules(page: PageHere, reading: Reading, sent: SentForm) -> Response:
    """Enter a rule; end one, by its ``end``; or ``keep`` the shipped ones as rows that can be ended."""
    form = Typed(sent)
    if "keep" in sent:
        with page.database.write() as db:
            warranties.keep_shipped(db, by=page.user.login, now=now())
        return RedirectResponse("/warranty-rules", status_code=303)
    ending = form.number("end")
    if ending is not None:
        with page.database.write() as db:
            warranties.end(db, ending, by=page.user.login, now=now())
        return RedirectResponse("/warranty-rules", status_code=303)
    sold_from, months = form.day("sold_from", required=True), form.number("months", required=True)
    sold_until, hours, km = form.day("sold_until"), form.number("hours"), form.number("km")
    run_in_days, run_in_hours = form.number("run_in_days"), form.number("run_in_hours")
    try:
        form.done()
        if sold_from is None or months is None:
            raise BadInput
        rule = warranties.Rule(
            sold_from=sold_from,
            sold_until=sold_until,
            months=months,
            clause=form.text("clause"),
            family=form.text("family"),
            zh=form.text("zh"),
            en=form.text("en"),
            hours=hours,
            km=km,
            run_in_clause=form.text("run_in_clause"),
            run_in_days=run_in_days,
            run_in_hours=run_in_hours,
        )
        with page.database.write() as db:
            warranties.enter(db, rule, by=page.user.login, now=now())
    except RecordUnfit as fault:
        return _rules(page, reading, status=fault.status, faults=fault.faults, typed=sent)
    return RedirectResponse("/warranty-rules", status_code=303)
