"""A form of a record that was refused: shown again as it was sent, with what is wrong beside its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from agent_desktop.page import Page
from ticketing.customers import CustomerMerged
from ticketing.entries import StaleRecord
from ticketing.unfit import RecordUnfit

RECORD = "record"
"""The form of the record itself; a page's other forms have names of their own."""


@dataclass(frozen=True)
class Refused:
    part: str
    sent: Mapping[str, str]
    fault: RecordUnfit | StaleRecord | CustomerMerged


def again(page: Page, refused: Refused | None, record: Mapping[str, Any]) -> dict[str, Any]:
    """For ``page.render``: what stands in the fields of the record and of the other forms, and what is wrong there."""
    if refused is None:
        return {"status": 200, "part": "", "faults": {}, "shown": dict(record), "typed": {}, "why": ""}
    sent, of_record = dict(refused.sent), refused.part == RECORD
    return {
        "status": refused.fault.status,
        "part": refused.part,
        "faults": {name: fault.text(page.language) for name, fault in refused.fault.faults.items()},
        "shown": dict(record) | (sent if of_record else {}),
        "typed": {} if of_record else sent,
        "why": page._(refused.fault.sentence),
    }


def step(
    page: Page,
    path: str,
    part: str,
    sent: Mapping[str, str],
    take: Callable[[Session], object],
    show: Callable[[Session, Refused], HTMLResponse],
) -> Response:
    """Take the step and go back to the record; what is refused is shown there."""
    try:
        with page.database.write() as db:
            take(db)
    except (RecordUnfit, StaleRecord, CustomerMerged) as fault:
        with page.database.read() as db:
            return show(db, Refused(part, sent, fault))
    return RedirectResponse(f"{path}#{part}", status_code=303)
