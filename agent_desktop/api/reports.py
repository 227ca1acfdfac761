"""Reports over the API: the same choices as the page, every figure with its formula, thresholds and version."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from agent_desktop import report as shown
from agent_desktop.api.access import right
from agent_desktop.desktop import DesktopHere, Reading
from callcenter.database import now
from callcenter.errors import BadInput
from config.settings import Settings
from reports import periods, report
from reports.report import Asked

By = Literal["quarter", "half_hour", "hour", "day", "week", "month", "queue", "agent"]
router = APIRouter(prefix="/v1", tags=["reports"])


class Figure(BaseModel):
    name: str
    title: str
    value: float | None = Field(description="null where there was nothing to measure.")
    unit: str = Field(description="calls, share (0 to 1) or s.")
    formula: str
    thresholds: dict[str, float] = Field(description="Empty where the queues have different ones.")
    definition_version: int
    queue_version: int | None = Field(description="Of the queue's own thresholds; null where there are several queues.")


class Stretch(BaseModel):
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class Line(Stretch):
    queue: str | None
    figures: dict[str, float | None]


class OfAgent(BaseModel):
    extension: str
    name: str
    figures: dict[str, float | None]


class Report(Stretch):
    by: By
    queue: str | None
    figures: list[Figure]
    lines: list[Line]
    agents: list[OfAgent]
    agent_figures: list[Figure] = Field(description="What the figures of agents mean; of all of them together.")
    gaps: list[Stretch] = Field(description="When the switch was not heard: talk and hold are not told apart there.")


class Behind(BaseModel):
    call_id: str
    queue: str
    joined_at: datetime
    wait_s: float
    outcome: str = Field(description="Empty while he waits.")
    met: bool = Field(description="Of a share, whether it counts above the line.")


class Made(BaseModel):
    figure: Figure
    calls: list[Behind]


First = Annotated[date, Query(alias="from", description="The first day, as the centre has it.")]
Last = Annotated[date | None, Query(alias="to", description="The last day; the first where it is not said.")]
Language = Annotated[Literal["zh", "en"], Query(description="Of titles and formulas.")]
OfQueue = Annotated[str, Query(max_length=40, description="Only this queue.")]


@router.get("/reports", dependencies=[right("reports")], summary="The figures of a period, line by line")
def read_report(
    desktop: DesktopHere,
    db: Reading,
    first: First,
    last: Last = None,
    by: By = "day",
    queue: OfQueue = "",
    language: Language = "en",
) -> Report:
    centre = desktop.settings.centre
    asked = Asked(period=_period(desktop.settings, first, last), by=by, queue=queue or None)
    told = report.report(db, centre.zone, now(), asked, desktop.settings.service_level)
    return Report.model_validate(shown.as_data(told, centre.zone, language))


@router.get("/reports/calls", dependencies=[right("reports")], summary="A figure and the calls it was made of")
def read_calls(
    desktop: DesktopHere,
    db: Reading,
    figure: Annotated[str, Query(max_length=40, description="Its name, as a report says it.")],
    first: First,
    last: Last = None,
    queue: OfQueue = "",
    language: Language = "en",
    limit: Annotated[int, Query(ge=1, le=500, description="The latest so many.")] = 200,
) -> Made:
    zone, levels, at = desktop.settings.centre.zone, desktop.settings.service_level, now()
    period = _period(desktop.settings, first, last)
    rows = report.behind(db, zone, at, period, figure, queue or None, levels, limit)
    made = report.figure(db, zone, at, period, figure, queue or None, levels)
    calls = [
        Behind(
            call_id=call.call_id,
            queue=wait.queue,
            joined_at=wait.joined_at,
            wait_s=wait.wait_s,
            outcome=wait.outcome,
            met=met,
        )
        for call, wait, met in rows
    ]
    return Made(figure=Figure.model_validate(shown.of_figure(made, language)), calls=calls)


def _period(settings: Settings, first: date, last: date | None) -> periods.Period:
    if last is not None and last < first:
        raise BadInput(f"{first} – {last}")
    return periods.span(first, last or first, settings.centre.zone)
