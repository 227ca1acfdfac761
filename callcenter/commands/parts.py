"""Running the centre, or one part of it."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Annotated, Any

import typer

from callcenter.commands.console import _, app, database_of, out, start
from callcenter.database import now


@app.command()
def run(
    demo: Annotated[bool, typer.Option(help="Fill an empty database with a demonstration year.")] = True,
) -> None:
    """Run the whole centre in the foreground: switch, IVR, CTI, desktop and worker. Ctrl-C stops all of it."""
    from callcenter import run as runner
    from callcenter.start import greeting, prepare

    settings = start()
    with runner.only_one(settings.home):
        with out.status(_("getting ready …")) if out.is_terminal else contextlib.nullcontext():
            database = database_of(settings)
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
            runner.live(build, lambda _house: out.print(greeting(settings, database, logins, _), soft_wrap=True))
        finally:
            bus.close()
            database.close()
        out.print(_("Stopped."))


def _part(name: str) -> None:
    """Run one part alone, as production does."""
    from callcenter import run as runner

    settings = start()
    database = database_of(settings)
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

    from agent_desktop.webhooks import keep_telling
    from callcenter import run as runner
    from callcenter import worker as working
    from recordings import catalogue
    from reports import nightly
    from reports.keep import keep_always
    from ticketing import duplicates, duties, escalation

    settings = start()
    database = database_of(settings)
    bus = runner.open_bus(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if with_parent:
        threading.Thread(target=_end_with, args=(stop,), daemon=True).start()
    os.nice(10)
    keeping = threading.Thread(target=keep_always, args=(database, settings.centre.zone, stop))
    telling = threading.Thread(target=keep_telling, args=(database, settings.webhooks, stop))
    keeping.start()
    telling.start()
    try:
        with database.write() as db:
            nightly.plan(db, settings.centre.zone, now())
            escalation.plan(db, now())
            duplicates.plan(db, now())
        works = {
            catalogue.JOB: catalogue.work(settings),
            nightly.JOB: nightly.work(settings),
            duties.JOB: duties.work(),
            duplicates.JOB: duplicates.work(),
            escalation.JOB: escalation.work(settings),
        }
        working.run(database, bus, works, stop, leases={catalogue.JOB: catalogue.LEASE})
    finally:
        stop.set()
        keeping.join()
        telling.join()
        bus.close()
        database.close()


def _end_with(stop: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock, held by this thread, would break the end of the interpreter
        pass
    stop.set()
