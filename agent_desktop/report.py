"""Reports over any period: figures with their formulas, line by line, as a chart, as CSV, and the calls behind each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from agent_desktop import calls
from agent_desktop.desktop import Reading
from agent_desktop.i18n import Format, seconds
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter.database import from_us, now, to_us
from callcenter.errors import BadInput
from config.queues import titles
from reports import periods, report
from reports.figures import Figure
from reports.periods import Period
from reports.queue import definitions
from reports.report import Asked, Line, Report

AT_MOST = 500
DAYS = "days"  # the period is said by its first and last day

router = APIRouter(dependencies=[allow("reports")])


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was chosen on the page."""

    when: str
    first: date
    last: date
    by: str
    queue: str

    def as_query(self) -> dict[str, object]:
        """By its days: "today" is another day when somebody comes to the link."""
        return {"when": DAYS, "first": self.first, "last": self.last, "by": self.by, "queue": self.queue}

    def asked(self, zone: ZoneInfo) -> Asked:
        return Asked(period=periods.span(self.first, self.last, zone), by=self.by, queue=self.queue or None)


def wanted(
    page: PageHere,
    when: Annotated[str, Query(max_length=20)] = "this_week",
    first: Annotated[str, Query(max_length=10)] = "",
    last: Annotated[str, Query(max_length=10)] = "",
    by: Annotated[str, Query(max_length=20)] = "day",
    queue: Annotated[str, Query(max_length=40)] = "",
) -> Wanted:
    """BadInput for a period nobody named. Of two days the missing one is the other; of none it is today."""
    today = page.today
    if when in periods.NAMES:
        begin, end = periods.named(when, today)
    elif when == DAYS:
        begin = calls.day(first) or calls.day(last) or today
        end = calls.day(last) or begin
    else:
        raise BadInput(when)
    return Wanted(when=when, first=begin, last=end, by=by, queue=queue)


WantedHere = Annotated[Wanted, Depends(wanted)]


@router.get("/reports")
def show_report(page: PageHere, db: Reading, asked: WantedHere) -> HTMLResponse:
    told = _report(page, db, asked)
    curves = chart(told, asked.by, page.settings.centre.zone.key, page)
    return page.render(
        "report.html",
        report=told,
        asked=asked,
        queues=titles(db, page.language),
        labels=[label(line, asked.by, page.format, titles(db, page.language)) for line in told.lines],
        line_query=[_piece(asked, line) for line in told.lines],
        chart=json.dumps(curves) if curves and len(told.lines) > 1 else "",
    )


@router.get("/reports.csv")
def save_report(page: PageHere, db: Reading, asked: WantedHere) -> Response:
    told = _report(page, db, asked)
    text = as_csv(told, asked.by, page.language, page.settings.centre.zone, titles(db, page.language))
    name = f"report-{asked.first}-{asked.last}-{asked.by}.csv"
    return Response(
        text.encode("utf-8-sig"),  # a spreadsheet takes it for the machine's own encoding without the mark
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@router.get("/reports/calls")
def show_calls(
    page: PageHere,
    db: Reading,
    asked: WantedHere,
    figure: Annotated[str, Query(max_length=40)],
    start: Annotated[int | None, Query(ge=0, le=253402300800000000)] = None,
    end: Annotated[int | None, Query(ge=0, le=253402300800000000)] = None,
) -> HTMLResponse:
    """What a figure was made of, in the whole period or in one piece of it (``start`` and ``end`` in µs)."""
    at, zone, levels = now(), page.settings.centre.zone, page.settings.service_level
    period = asked.asked(zone).period
    piece = _within(period, start, end, zone)
    rows = report.behind(db, zone, at, piece, figure, asked.queue or None, levels, AT_MOST)
    shown = report.figure(db, zone, at, piece, figure, asked.queue or None, levels)
    found = [call for call, _wait, _counts in rows]
    return page.render(
        "today_calls.html",
        rows=rows,
        definition=definitions(levels)[figure],
        figure=shown,
        queues=titles(db, page.language),
        asked={"queue": asked.queue},
        back="/reports",
        back_query=asked.as_query(),
        piece=piece,
        at_most=AT_MOST,
        visible=page.may("calls.all"),
        **calls.around(db, found),
    )


def _report(page: Page, db: Session, asked: Wanted) -> Report:
    centre = page.settings.centre
    return report.report(db, centre.zone, now(), asked.asked(centre.zone), page.settings.service_level)


def _within(period: Period, start: int | None, end: int | None, zone: ZoneInfo) -> Period:
    """The piece asked for if it is one that a report could show: whole days, or a part of one."""
    if start is None or end is None:
        return period
    piece = Period(from_us(start), from_us(end))
    if not (period.start <= piece.start < piece.end <= period.end):
        raise BadInput
    days = periods.days(period, zone)
    edges = {day.start for day in days} | {days[-1].end}
    in_one_day = any(day.start <= piece.start and piece.end <= day.end for day in days)
    if not in_one_day and not {piece.start, piece.end} <= edges:
        raise BadInput
    return piece


def _piece(asked: Wanted, line: Line) -> dict[str, object]:
    """Where a line's figures lead."""
    query = asked.as_query()
    if asked.by == "queue":
        return query | {"queue": line.queue}
    return query | {"start": to_us(line.period.start), "end": to_us(line.period.end)}


def label(line: Line, by: str, form: Format, queues: dict[str, str]) -> str:
    """The queue's title, or when the piece began; where the clocks change, with what they are apart from UTC."""
    if by == "queue":
        return queues.get(line.queue or "", line.queue or "")
    local = line.period.start.astimezone(form.zone)
    if by == "month":
        return local.strftime("%Y-%m")
    if by in ("day", "week"):
        return local.strftime("%Y-%m-%d")
    changes = local.utcoffset() != line.period.end.astimezone(form.zone).utcoffset() or local.fold
    return local.strftime("%m-%d %H:%M" + (" %z" if changes else ""))


def chart(told: Report, by: str, zone: str, page: Page) -> dict[str, Any] | None:
    """What the script draws: a curve for each figure over the time, and the target if all have the same."""
    if by not in periods.STEPS:
        return None

    def values(name: str) -> list[float | None]:
        return [next(one.value for one in line.figures if one.name == name) for line in told.lines]

    return {
        "zone": zone,
        "at": [line.period.start.timestamp() for line in told.lines],
        "counts": [
            {"name": name, "title": title, "values": values(name)}
            for name, title in (
                ("offered", page._("Offered")),
                ("answered", page._("Answered")),
                ("abandoned", page._("Abandoned")),
            )
        ],
        "level": values("service_level"),
        "target": told.target_share,
    }


# --- CSV -----------------------------------------------------------------------------------------------------------

GAP = ("其间与交换机断开，通话与保持未能分开", "the switch was not heard: talk and hold are not told apart")
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: str | float | None) -> str | float:
    """A spreadsheet must not take a name for a formula; a number is one, whatever its sign."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_STARTS_FORMULA):
        return f"'{value}"
    return value


def as_csv(told: Report, by: str, language: str, zone: ZoneInfo, queues: dict[str, str]) -> str:
    """Raw values (shares from 0 to 1, seconds); times with their distance from UTC; the formulas at the end."""
    out = io.StringIO()
    sheet = csv.writer(out)

    def write(*row: str | float | None) -> None:
        sheet.writerow([cell(value) for value in row])

    heads: Iterable[Figure]
    if by == "agent":
        heads = told.agents[0].figures if told.agents else []
        write("agent", "name", *(f"{one.title(language)} ({one.unit})" for one in heads))
        for agent in told.agents:
            write(agent.extension, agent.name, *(one.value for one in agent.figures))
    else:
        heads = told.lines[0].figures if told.lines else []
        write("from", "to", "queue", *(f"{one.title(language)} ({one.unit})" for one in heads))
        for line in told.lines:
            name = queues.get(line.queue, line.queue) if line.queue else ""
            write(
                _iso(line.period.start, zone), _iso(line.period.end, zone), name, *(one.value for one in line.figures)
            )
    write()
    for gap in told.gaps:
        write(_iso(gap.start, zone), _iso(gap.end, zone), GAP[language == "en"])
    for one in [*told.figures, *(heads if by == "agent" else ())]:
        limits = " ".join(f"{name}={value:g}" for name, value in one.thresholds.items())
        write(one.title(language), one.value, one.unit, one.formula(language), limits, f"v{one.definition_version}")
    return out.getvalue()


def _iso(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="minutes")


_ON_A_TERMINAL = ("offered", "answered", "abandoned", "service_level", "asa", "aht")


def as_rows(told: Report, form: Format, queues: dict[str, str]) -> Iterator[list[list[str]]]:
    """The report as tables of a terminal, each with its heads: the lines, then the figures with their formulas."""
    if told.agents:
        yield [
            ["", *(one.title(form.language) for one in told.agents[0].figures)],
            *([f"{a.extension} {a.name}", *(amount(one, form) for one in a.figures)] for a in told.agents),
        ]
    if told.lines:
        shown = [number for number, one in enumerate(told.lines[0].figures) if one.name in _ON_A_TERMINAL]
        yield [
            ["", *(told.lines[0].figures[number].title(form.language) for number in shown)],
            *(
                [label(line, told.asked.by, form, queues), *(amount(line.figures[number], form) for number in shown)]
                for line in told.lines
            ),
        ]
    yield [
        ["", "", ""],
        *([one.title(form.language), amount(one, form), one.formula(form.language)] for one in told.figures),
    ]


def amount(figure: Figure, form: Format) -> str:
    if figure.unit == "share":
        return form.percent(figure.value)
    return seconds(figure.value) if figure.unit == "s" else form.number(figure.value)


def of_figure(figure: Figure, language: str) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title(language),
        "value": figure.value,
        "unit": figure.unit,
        "formula": figure.formula(language),
        "thresholds": dict(figure.thresholds),
        "definition_version": figure.definition_version,
        "queue_version": figure.queue_version,
    }


def as_data(told: Report, zone: ZoneInfo, language: str = "en") -> dict[str, Any]:
    """The report as ``--json`` prints it, and the API says it."""
    return {
        "from": _iso(told.asked.period.start, zone),
        "to": _iso(told.asked.period.end, zone),
        "by": told.asked.by,
        "queue": told.asked.queue,
        "figures": [of_figure(figure, language) for figure in told.figures],
        "lines": [
            {
                "from": _iso(line.period.start, zone),
                "to": _iso(line.period.end, zone),
                "queue": line.queue,
                "figures": {figure.name: figure.value for figure in line.figures},
            }
            for line in told.lines
        ],
        "agent_figures": [of_figure(figure, language) for figure in told.everybody.figures] if told.everybody else [],
        "gaps": [{"from": _iso(gap.start, zone), "to": _iso(gap.end, zone)} for gap in told.gaps],
        "agents": [
            {"extension": a.extension, "name": a.name, "figures": {f.name: f.value for f in a.figures}}
            for a in told.agents
        ],
    }
