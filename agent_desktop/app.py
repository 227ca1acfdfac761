"""The desktop put together: pages, live push, the phone's line, the API."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from agent_desktop import (
    admin,
    api,
    board,
    books,
    call_page,
    calling,
    calls,
    catalogue_pages,
    control,
    customers,
    desk,
    diary,
    dispatches,
    drafts,
    engines,
    entry,
    faults,
    guard,
    helping,
    imports,
    installing,
    kept,
    knowledge,
    line_check,
    live,
    merging,
    outcomes,
    parts,
    phone_codes,
    photos,
    probes,
    queue_pages,
    report,
    serving,
    sip,
    tickets,
    today,
    token_pages,
    warranty_rules,
    webhook_pages,
    windows,
)
from agent_desktop.bell import Bell
from agent_desktop.day_figures import DayFigures
from agent_desktop.desktop import Desktop, Health
from agent_desktop.hub import Hub
from agent_desktop.i18n import LANGUAGES, STATIC, texts
from agent_desktop.metrics import Metrics
from agent_desktop.page import environments, version_of
from agent_desktop.session import signed_in, unforged
from agent_desktop.sockets import Sockets
from callcenter.bus import Bus
from callcenter.database import Database
from callcenter.errors import NotFound
from config.settings import Settings

mimetypes.add_type("text/javascript", ".js")  # some machines' lists say otherwise, and browsers then refuse modules

FOR_EVER = "public, max-age=31536000, immutable"
_DAILY = (entry, desk, drafts, windows, line_check, board, calls, call_page, tickets, today, report)
_AT_THE_PHONE = (control, kept, calling, helping, outcomes, phone_codes)
_RECORDS = (merging, customers, engines, installing, parts, warranty_rules, imports)
_OF_TICKETS = (dispatches, diary, photos, catalogue_pages)
_OTHERS = (admin, knowledge, token_pages, webhook_pages, queue_pages, serving, books)
BEHIND_THE_LOG_IN = (*_DAILY, *_AT_THE_PHONE, *_RECORDS, *_OF_TICKETS, *_OTHERS)


def create_app(settings: Settings, database: Database, bus: Bus, health: Health) -> FastAPI:
    hub, sockets = Hub(database), Sockets(database, settings)
    desktop = Desktop(
        settings=settings,
        database=database,
        bus=bus,
        health=health,
        environments=environments(settings.centre, version_of(STATIC)),
        hub=hub,
        bell=Bell(bus),
        sockets=sockets,
        metrics=Metrics(database, hub, sockets),
        day=DayFigures(settings.centre.zone, settings.service_level),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(desktop.hub.run(bus)), asyncio.create_task(desktop.sockets.watch())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(title="Call centre", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desktop = desktop
    faults.install(app)
    app.add_middleware(guard.Guard, measure=desktop.metrics.answered)
    app.mount("/static", Static(directory=STATIC), name="static")
    app.include_router(entry.open_router)
    app.include_router(open_router)
    app.include_router(photos.open_router)
    app.include_router(probes.router)
    for module in BEHIND_THE_LOG_IN:
        # The session is found first, then a change must prove that it was meant.
        app.include_router(module.router, dependencies=[Depends(signed_in), Depends(unforged)])
    app.include_router(live.router)
    app.include_router(sip.router)
    app.mount("/api", api.create_api(desktop))
    return app


open_router = APIRouter()


@open_router.get("/texts.json")
def script_texts(language: str) -> JSONResponse:
    """What the scripts say, in this language; ``static/js/texts.js`` asks for it."""
    if language not in LANGUAGES:
        raise NotFound
    return JSONResponse(texts(language), headers={"Cache-Control": "max-age=300"})


class Static(StaticFiles):
    """Files under ``/static/v-<hash of them all>/``: kept by browsers for ever, since a change has another address."""

    def get_path(self, scope: Scope) -> str:
        path = super().get_path(scope)
        first, _, rest = path.partition("/")
        return rest if first.startswith("v-") else path

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = "/v-" in scope["path"]
        response.headers["Cache-Control"] = FOR_EVER if versioned else "no-cache"
        return response
