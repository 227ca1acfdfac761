"""Who serves which queue and how soon he is asked, and where the numbers lead that people dial."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from agent_desktop.desktop import Reading
from agent_desktop.page import PageHere, SentForm
from agent_desktop.session import allow
from callcenter.errors import BadInput
from config import queues
from config.settings import Settings
from ivr import flow as flows

LEVELS = range(6)
"""What the page offers; other programs may say up to 100."""

router = APIRouter(dependencies=[allow("queues.write")])


@router.get("/admin/serving")
def show_serving(page: PageHere, db: Reading) -> HTMLResponse:
    held = queues.served(db)
    return page.render(
        "serving.html",
        queues=queues.list_queues(db),
        agents=queues.agents(db),
        served=held,
        levels=sorted({*LEVELS, *held.values()}),
        numbers=queues.list_numbers(db),
        flows=sorted(flows.files(page.settings)),
    )


@router.post("/admin/serving/{extension}")
def serve(page: PageHere, extension: str, sent: SentForm) -> Response:
    """An agent's whole line of the table: a level for each queue he serves, nothing for the others."""
    with page.database.write() as db:
        for queue in queues.list_queues(db):
            said = sent.get(f"level.{queue.name}", "").strip()
            if not said:
                queues.remove_member(db, queue.name, extension)
            elif said.isascii() and said.isdigit() and len(said) < 4:
                queues.set_member(db, queue.name, extension, int(said))
            else:
                raise BadInput("a penalty is 0 to 100")
    return RedirectResponse("/admin/serving", status_code=303)


def ask_for_flow(settings: Settings, name: str) -> None:
    """BadInput where there is no flow of this name."""
    known = sorted(flows.files(settings))
    if name not in known:
        raise BadInput("there is no flow %(name)s; there is %(choices)s", name=name[:40], choices=", ".join(known))


@router.post("/admin/numbers")
def put_number(
    page: PageHere,
    number: Annotated[str, Form(max_length=40)],
    queue: Annotated[str, Form(max_length=40)],
    flow: Annotated[str, Form(max_length=40)],
    language: Annotated[str, Form(max_length=5)],
    title: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    ask_for_flow(page.settings, flow)
    with page.database.write() as db:
        queues.put_number(db, number.strip(), title.strip() or number.strip(), flow, language, queue)
    return RedirectResponse("/admin/serving#numbers", status_code=303)
