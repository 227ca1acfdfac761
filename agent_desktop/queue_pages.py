"""What each queue is measured by, as a supervisor changes it: thresholds, service level, times; and who changed it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from agent_desktop.desktop import Reading
from agent_desktop.i18n import marked as _
from agent_desktop.page import PageHere
from agent_desktop.session import allow
from callcenter.database import now
from config import definitions, queues
from reports.terms import service_levels

FIELDS: dict[str, str] = {
    "service_level": _("Service level by"),
    "target_s": _("Target T (s)"),
    "target_share": _("Target share"),
    "short_abandon_s": _("Short abandon s (s)"),
    "ring_s": _("Ring one agent (s)"),
    "max_wait_s": _("Longest wait (s)"),
    "wrap_up_s": _("Wrap-up (s)"),
    "exit_key": _("Key for a call back"),
}
router = APIRouter(dependencies=[allow("queues.write")])


@router.get("/admin/queues")
def show_queues(page: PageHere, db: Reading) -> HTMLResponse:
    levels = page.settings.service_level
    return page.render(
        "queues.html",
        queues=queues.list_queues(db),
        changes=definitions.history(db),
        fields=FIELDS,
        limits=definitions.LIMITS,
        keys=definitions.KEYS[1:],
        levels={name: f"{name.upper()} = {share.said}" for name, share in service_levels(levels).items()},
        usual=levels.form.upper(),
    )


@router.post("/admin/queues/{name}")
def change_queue(
    page: PageHere,
    name: str,
    version: Annotated[int, Form(ge=0, le=2**31 - 1)],
    target_s: Annotated[int, Form()],
    target_percent: Annotated[float, Form()],
    short_abandon_s: Annotated[int, Form()],
    ring_s: Annotated[int, Form()],
    max_wait_s: Annotated[int, Form()],
    wrap_up_s: Annotated[int, Form()],
    service_level: Annotated[str, Form(max_length=3)] = "",
    exit_key: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    wished = {
        "target_s": target_s,
        "target_share": round(target_percent / 100, 4),
        "short_abandon_s": short_abandon_s,
        "ring_s": ring_s,
        "max_wait_s": max_wait_s,
        "wrap_up_s": wrap_up_s,
        "service_level": service_level,
        "exit_key": exit_key,
    }
    with page.database.write() as db:
        definitions.change(db, name, wished, page.user.login, now(), version)
    return RedirectResponse("/admin/queues", status_code=303)
