"""What machines ask: is it well, and how much of what is going on."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from agent_desktop.desktop import DesktopHere

router = APIRouter()


@router.get("/healthz")
def healthz(desktop: DesktopHere) -> JSONResponse:
    """Each part by name; 503 if any is bad. The database is asked, not believed."""
    parts = dict(desktop.health())
    try:
        with desktop.database.read() as db:
            db.execute(select(1))
        parts["database"] = (True, "answers")
    except SQLAlchemyError as fault:
        parts["database"] = (False, type(fault).__name__)
    fine = all(well for well, _detail in parts.values())
    said = {name: {"ok": well, "detail": detail} for name, (well, detail) in parts.items()}
    return JSONResponse(
        {"ok": fine, "parts": said}, status_code=200 if fine else 503, headers={"Cache-Control": "no-store"}
    )


@router.get("/metrics")
def metrics(desktop: DesktopHere) -> Response:
    return Response(generate_latest(desktop.metrics.registry), media_type=CONTENT_TYPE_LATEST)
