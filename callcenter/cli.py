"""The command ``callcenter …``. Exit codes: 0 fine, 1 found something, 2 bad use."""

from __future__ import annotations

import asyncio
import json
import logging
import logging.handlers
import os
import sys
import threading
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callcenter.database import Database, now
from callcenter.errors import BadInput, CallCenterError
from config.settings import Settings, load

app = typer.Typer(
    name="callcenter",
    help="A call centre for after-sales service of engines and machines, on Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
users = typer.Typer(help="The people who log in.", no_args_is_help=True)
flows = typer.Typer(help="The IVR flows that callers walk.", no_args_is_help=True)
app.add_typer(users, name="user")
app.add_typer(flows, name="flow")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]


def main() -> None:
    """Run a command; a fault is one sentence on standard error."""
    try:
        app()
    except CallCenterError as fault:
        err.print(f"[red]{fault.word}[/red]: {fault}", soft_wrap=True)
        sys.exit(2 if isinstance(fault, BadInput) else 1)
    except OSError as fault:
        if fault.errno is None:
            raise
        err.print(f"[red]{os.strerror(fault.errno)}[/red]: {fault.filename or fault}", soft_wrap=True)
        sys.exit(1)


# --- running ----------------------------------------------------------------------------------------------------


@app.command()
def run(
    demo: Annotated[bool, typer.Option(help="Fill an empty database with a demonstration year.")] = True,
) -> None:
    """Run the whole centre in the foreground: switch, IVR, CTI, desktop and worker. Ctrl-C stops all of it."""
    from callcenter import run as runner
    from callcenter.start import greeting, prepare

    settings = _start()
    with runner.only_one(settings.home):
        with out.status("getting ready …") if out.is_terminal else _quiet():
            database = _database(settings)
            logins = prepare(settings, database, demo=demo)
        bus = runner.open_bus(settings)

        def build() -> runner.House:
            house = runner.House([])
            if settings.switch.managed:
                house.parts.append(runner.SwitchPart(settings, database))
            house.parts += [
                runner.IvrPart(settings, database),
                runner.CtiPart(settings, database, bus),
                runner.WorkerPart(settings),
                runner.DesktopPart(settings, database, bus, house.health),
            ]
            return house

        try:
            runner.live(build, lambda _house: out.print(greeting(settings, database, logins), soft_wrap=True))
        finally:
            bus.close()
            database.close()
        out.print("Stopped.")


def _part(name: str) -> None:
    """Run one part alone, as production does."""
    from callcenter import run as runner

    settings = _start()
    database = _database(settings)
    bus = runner.open_bus(settings)

    def build() -> runner.House:
        house = runner.House([])
        parts: dict[str, Any] = {
            "cti": lambda: runner.CtiPart(settings, database, bus),
            "ivr": lambda: runner.IvrPart(settings, database),
            "desktop": lambda: runner.DesktopPart(settings, database, bus, house.health),
        }
        house.parts.append(parts[name]())
        return house

    try:
        runner.live(build, lambda house: out.print(f"{name}: {house.parts[0].health()[1]}"))
    finally:
        bus.close()
        database.close()


@app.command()
def cti() -> None:
    """Run the CTI part alone: watches the switch, keeps calls and agents, applies queue policy."""
    _part("cti")


@app.command()
def ivr() -> None:
    """Run the IVR alone: the FastAGI server that talks with callers."""
    _part("ivr")


@app.command()
def desktop() -> None:
    """Run the desktop alone: pages, live push and REST API."""
    _part("desktop")


@app.command()
def worker(
    with_parent: Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Run the worker alone: registers recordings and does what else is due."""
    import signal

    from callcenter import run as runner
    from callcenter import worker as working
    from recordings import catalogue
    from reports import nightly
    from reports.keep import keep_always

    settings = _start()
    database = _database(settings)
    bus = runner.open_bus(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if with_parent:
        threading.Thread(target=_end_with, args=(stop,), daemon=True).start()
    os.nice(10)
    keeping = threading.Thread(target=keep_always, args=(database, settings.centre.zone, stop))
    keeping.start()
    try:
        with database.write() as db:
            nightly.plan(db, settings.centre.zone, now())
        works = {catalogue.JOB: catalogue.work(settings), nightly.JOB: nightly.work(settings)}
        working.run(database, bus, works, stop)
    finally:
        stop.set()
        keeping.join()
        bus.close()
        database.close()


def _end_with(stop: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock, held by this thread, would break the end of the interpreter
        pass
    stop.set()


# --- the database and the switch's files -------------------------------------------------------------------------


@app.command()
def migrate() -> None:
    """Bring the database to the newest version."""
    settings = _start()
    Database(settings.database_url).migrate()
    out.print("The database is up to date.")


@app.command()
def demo() -> None:
    """Fill an empty database with a demonstration year; prints the log-ins it made."""
    from callcenter.start import fill, logins_table

    settings = _start()
    database = _database(settings)
    out.print(logins_table(database, fill(settings, database)))


@app.command()
def rebuild() -> None:
    """Drop calls, segments, offers, agents' spells and the kept days and make them again from the ledger."""
    from cti.projection import rebuild as again
    from reports.keep import keep_days

    settings = _start()
    database = _database(settings)
    for what, rows in again(database).items():
        out.print(f"{what}: {rows}")
    out.print(f"kept_days: {keep_days(database, settings.centre.zone, now())}")


@app.command()
def report(
    first: Annotated[str, typer.Option("--from", help="The first day, such as 2026-11-01; today if not said.")] = "",
    last: Annotated[str, typer.Option("--to", help="The last day; the first if not said.")] = "",
    by: Annotated[str, typer.Option(help="quarter, half_hour, hour, day, week, month, queue or agent.")] = "day",
    queue: Annotated[str, typer.Option(help="Only this queue.")] = "",
    language: Annotated[str, typer.Option(help="zh or en.")] = "en",
    as_json: Json = False,
) -> None:
    """Print the figures of a period, line by line; with --json each with its formula, thresholds and version."""
    from agent_desktop import report as shown
    from agent_desktop.i18n import LANGUAGES, Format
    from reports import periods
    from reports import report as reporting

    settings = _start()
    zone = settings.centre.zone
    if language not in LANGUAGES:
        raise BadInput(f"language {language!r}; one of {', '.join(LANGUAGES)}")
    if by not in reporting.BY:
        raise BadInput(f"by {by!r}; one of {', '.join(reporting.BY)}")
    try:
        begin = date.fromisoformat(first) if first else now().astimezone(zone).date()
        end = date.fromisoformat(last) if last else begin
    except ValueError as fault:
        raise BadInput(str(fault)) from None
    asked = reporting.Asked(period=periods.span(begin, end, zone), by=by, queue=queue or None)
    with _database(settings).read() as db:
        told = reporting.report(db, zone, now(), asked, settings.service_level)
        if as_json:
            out.print_json(json.dumps(shown.as_data(told, zone)))
            return
        for rows in shown.as_rows(told, Format(language, zone), shown.titles(db, language)):
            table = Table(*rows[0], box=None)
            for row in rows[1:]:
                table.add_row(*map(Text, row))
            out.print(table)


@app.command()
def replay(
    wanted: Annotated[
        str, typer.Argument(metavar="CALL", help="A call's id, a ticket's number, or a caller's number.")
    ],
    every: Annotated[bool, typer.Option("--all", help="With what only interests who looks for a fault.")] = False,
    language: Annotated[str, typer.Option(help="zh or en.")] = "en",
    as_json: Json = False,
) -> None:
    """Tell a call step by step: menu, queue, who was asked and why, states, hold, recording, end."""
    from agent_desktop.i18n import LANGUAGES
    from agent_desktop.replay import Telling, as_data, as_rows, headline
    from reports.material import find, load
    from reports.replay import compose

    if language not in LANGUAGES:
        raise BadInput(f"language {language!r}; one of {', '.join(LANGUAGES)}")
    settings = _start()
    with _database(settings).read() as db:
        found = compose(load(db, find(db, wanted, settings.centre), now()), now())
        telling = Telling.of(db, language, settings.centre.country, found)
    if as_json:
        out.print_json(json.dumps(as_data(found, telling)))
        return
    out.print(headline(found, telling, settings.centre.zone), markup=False, soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in as_rows(found, telling, settings.centre.zone, every=every):
        table.add_row(*(Text(cell, style=style) for cell, style in zip(row, ("", "dim", "", "dim"), strict=True)))
    out.print(table)


@app.command()
def reconcile(
    day: Annotated[str, typer.Option(help="The local day, such as 2026-11-22; today if not given.")] = "",
    cdr: Annotated[Path | None, typer.Option(help="A carrier's CSV: start, caller, called, duration.")] = None,
    as_json: Json = False,
) -> None:
    """Hold a day's calls against the switch's own logs, the recordings on disk and a carrier's record, one by one."""
    from datetime import date

    from reports import carrier, nightly, periods

    settings = _start()
    zone = settings.centre.zone
    try:
        local = date.fromisoformat(day) if day else now().astimezone(zone).date()
    except ValueError as fault:
        raise BadInput(f"day {day!r}; such as 2026-11-22") from fault
    with _database(settings).read() as db:
        account = nightly.of_day(db, settings, local, now())
        if cdr is not None:
            lines = carrier.carrier_calls(cdr, zone)
            carrier.compare(db, account, settings.switch.name, lines, periods.day(local, zone))
    if as_json:
        out.print_json(json.dumps(asdict(account)))
    else:
        for one in account.differences:
            sides = f"ours {one.ours or '-'}, theirs {one.theirs or '-'}"
            out.print(f"{one.call_id or '-'}  {one.what}: {sides} ({one.cause})", markup=False, soft_wrap=True)
        out.print(
            f"{local}: {account.calls} calls, {account.waits} waits, {account.recordings} recordings; "
            f"{len(account.differences)} differences"
        )
    raise typer.Exit(1 if account.differences else 0)


@app.command("asterisk-config")
def asterisk_config() -> None:
    """Write the switch's files; one that runs takes over phones, queues and numbers at once."""
    from config.process import Process
    from config.switch import render

    settings = _start()
    render(settings, _database(settings))
    out.print(f"written to {settings.switch_home / 'etc'}")
    process = Process(settings)
    if process.pid is not None:
        process.reload()
        out.print(f"taken over by the switch that runs, pid {process.pid}; ports and modules at its next start")


# --- trying and checking -----------------------------------------------------------------------------------------


@app.command()
def call(
    did: Annotated[str, typer.Argument(help="The number to call, such as 4008.")],
    caller: Annotated[str, typer.Option("--from", help="The caller's number.")] = "13800138000",
    name: Annotated[str, typer.Option(help="The caller's name.")] = "",
    keys: Annotated[str, typer.Option(help="Keys to press, separated by commas.")] = "",
    say: Annotated[Path | None, typer.Option(help="A WAV file to speak.", exists=True, dir_okay=False)] = None,
    listen: Annotated[Path | None, typer.Option(help="Keep what the caller heard in this WAV file.")] = None,
    hold: Annotated[float, typer.Option(help="Seconds to stay on the line.", min=1, max=3600)] = 60.0,
    as_json: Json = False,
) -> None:
    """Place a real SIP call into the switch and tell what happened, step by step."""
    from cti import trial

    settings = _start()
    pressed = [key.strip() for key in keys.split(",") if key.strip()]

    def report(step: trial.Step) -> None:
        if not as_json:
            out.print(f"[dim]{step.at_s:7.2f} s[/dim]  {step.text}")

    outcome = asyncio.run(
        trial.place(
            settings, did, caller=caller, name=name, keys=pressed, say=say, listen=listen, hold_s=hold, report=report
        )
    )
    if as_json:
        out.print_json(json.dumps(asdict(outcome), default=str))
    raise typer.Exit(0 if outcome.answered else 1)


@app.command()
def check(as_json: Json = False) -> None:
    """Look at every link of the chain, name the broken one and how to mend it."""
    import config.check
    import cti.check

    settings = _start()
    found = [*config.check.checks(settings), *cti.check.checks(settings)]
    if as_json:
        out.print_json(json.dumps([asdict(finding) for finding in found]))
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in found:
            mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]"
            table.add_row(mark, finding.name, finding.sentence + ("" if finding.ok else f"\n→ {finding.fix}"))
        out.print(table)
    raise typer.Exit(0 if all(finding.ok for finding in found) else 1)


@flows.command("check")
def flow_check(as_json: Json = False) -> None:
    """Check every flow: unreachable steps, missing texts, unknown queues, circles without a way out."""
    from config.queues import list_queues
    from ivr import check as checking
    from ivr import flow

    settings = _start()
    with _database(settings).read() as db:
        queues = {queue.name for queue in list_queues(db)}
    good, bad = flow.usable(settings)
    found = [(name, finding.step, finding.what) for name, f in good.items() for finding in checking.check(f, queues)]
    found += [("", "", str(fault)) for fault in bad]
    if as_json:
        out.print_json(json.dumps([dict(zip(("flow", "step", "what"), row, strict=True)) for row in found]))
    else:
        for name, step, what in found:
            out.print(f"[red]✗[/red] {name} {step}: {what}" if name else f"[red]✗[/red] {what}")
        out.print(f"{len(good)} flows, {len(found)} findings")
    raise typer.Exit(1 if found else 0)


@flows.command("test")
def flow_test(name: Annotated[str, typer.Argument(help="The flow, such as service.")]) -> None:
    """Walk the stories a flow tells of itself; says which end elsewhere."""
    from ivr import check as checking
    from ivr import flow

    walked = flow.named(_start(), name)
    found = checking.stories(walked)
    for finding in found:
        out.print(f"[red]✗[/red] {finding.what}")
    out.print(f"{len(walked.stories)} stories, {len(found)} end elsewhere")
    raise typer.Exit(1 if found else 0)


@flows.command("draw")
def flow_draw(
    name: Annotated[str, typer.Argument(help="The flow, such as service.")],
    language: Annotated[str, typer.Option(help="zh or en.")] = "en",
) -> None:
    """Draw a flow as a Mermaid diagram."""
    from ivr import check as checking
    from ivr import flow

    out.print(checking.draw(flow.named(_start(), name), language), markup=False, soft_wrap=True)


# --- people -----------------------------------------------------------------------------------------------------


@users.command("list")
def user_list(as_json: Json = False) -> None:
    """Who may log in."""
    from sqlalchemy import select

    from config.people import User

    with _database(_start()).read() as db:
        found = [
            {"login": u.login, "name": u.name, "role": u.role, "extension": u.extension, "active": u.active}
            for u in db.scalars(select(User).order_by(User.login))
        ]
    if as_json:
        out.print_json(json.dumps(found))
        return
    table = Table("login", "name", "role", "extension", "active", box=None)
    for row in found:
        table.add_row(*(str(value or "") for value in row.values()))
    out.print(table)


@users.command("add")
def user_add(
    login: str,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="agent, supervisor, qa, campaign or admin.")] = "agent",
    extension: Annotated[str, typer.Option(help="For those who take calls, such as 1001.")] = "",
    language: Annotated[str, typer.Option(help="zh or en.")] = "zh",
) -> None:
    """Add a person; a random password is printed once."""
    from config import people

    if role not in set(people.Role):
        raise BadInput(f"role {role!r}; one of {', '.join(people.Role)}")
    settings = _start()
    password = people.new_password()
    with _database(settings).write() as db:
        people.create_user(db, login, name, role, password, now(), language=language, extension=extension or None)
    out.print(f"{login} {password}")
    if extension:
        out.print("The switch knows the extension within ten seconds.")


@users.command("password")
def user_password(login: str) -> None:
    """Give a person a new random password and end all his sessions."""
    from config import people

    password = people.new_password()
    with _database(_start()).write() as db:
        people.set_password(db, people.user_of(db, login), password, now())
    out.print(f"{login} {password}")


@users.command("phone")
def user_phone(extension: str) -> None:
    """Print what a desk phone of this extension registers with."""
    from sqlalchemy import select

    from callcenter.errors import NotFound
    from config.people import User
    from config.switch import sip_password

    settings = _start()
    with _database(settings).read() as db:
        if db.scalar(select(User.id).where(User.extension == extension)) is None:
            raise NotFound(f"extension {extension}")
    out.print(f"server {settings.switch.sip_bind}:{settings.switch.sip_port}")
    out.print(f"user {extension}\npassword {sip_password(settings, extension)}")


# --- ground -----------------------------------------------------------------------------------------------------


def _start() -> Settings:
    """Settings, and a log in the home folder; only warnings reach the terminal."""
    settings = load()
    (settings.home / "log").mkdir(parents=True, exist_ok=True)
    file = logging.handlers.RotatingFileHandler(
        settings.home / "log" / "callcenter.log", maxBytes=20_000_000, backupCount=5, encoding="utf-8"
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    console.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[file, console], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return settings


def _database(settings: Settings) -> Database:
    database = Database(settings.database_url)
    database.migrate()
    return database


def _quiet() -> Any:
    import contextlib

    return contextlib.nullcontext()
