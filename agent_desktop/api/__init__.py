"""The REST API for other programs: ``/api/v1``, described at ``/api/openapi.json`` and ``/api/docs``."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse

from agent_desktop import faults
from agent_desktop.api import (
    agents,
    attachments,
    board,
    calling,
    calls,
    catalogue,
    control,
    customers,
    dispatches,
    drafts,
    duties,
    engines,
    events,
    guides,
    imports,
    installations,
    knowledge,
    merges,
    parts,
    queues,
    records,
    reports,
    search,
    seat,
    stations,
    tickets,
    ties,
    timelines,
    users,
    warranty,
    webhooks,
)
from agent_desktop.api.once import DoneBefore
from agent_desktop.api.shapes import Fault
from agent_desktop.desktop import Desktop
from agent_desktop.page import OpenPage

VERSION = "1"
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Fault, "description": "Not understood"},
    401: {"model": Fault, "description": "No token that is good"},
    403: {"model": Fault, "description": "Not allowed"},
    404: {"model": Fault, "description": "Not there, or not to be seen"},
    409: {"model": Fault, "description": "Changed meanwhile"},
    413: {"model": Fault, "description": "Too large"},
    422: {"model": Fault, "description": "Cannot be used"},
    503: {"model": Fault, "description": "The database does not answer"},
}
"""What any route may answer beside what it is asked for."""


def create_api(desktop: Desktop) -> FastAPI:
    api = FastAPI(
        title="Call centre",
        version=VERSION,
        description="Bearer tokens with scopes, never more than their owner's role. Times are UTC, ISO 8601.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    api.state.desktop = desktop
    faults.install(api)

    @api.exception_handler(DoneBefore)
    def again(_request: Request, done: DoneBefore) -> JSONResponse:
        return JSONResponse(done.answer, status_code=done.status, headers={"Idempotent-Replayed": "true"})

    at_the_phone = (calls, control, calling, seat, drafts, agents)
    work = (tickets, ties, duties, dispatches, attachments)
    kept = (search, customers, merges, engines, installations, parts, records, timelines, knowledge, guides, imports)
    centre = (board, reports, stations, queues, catalogue, warranty, users, events, webhooks)
    for module in (*at_the_phone, *work, *kept, *centre):
        api.include_router(module.router, responses=REFUSALS)

    @api.get("/docs", include_in_schema=False)
    def docs(page: OpenPage) -> HTMLResponse:
        """The description as a page, drawn here: no script, nothing from elsewhere."""
        return page.render("api.html", api=api.openapi(), shape=shape)

    return api


def shape(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words: ``string``, ``Call``, ``list of string``, ``integer or null``."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return f"{{items: list of {name[7:-1]}, next: string or null}}" if name.startswith("Listed_") else name
    if "anyOf" in schema:
        return " or ".join(shape(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {shape(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")
