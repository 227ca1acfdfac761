"""The database and the switch's files, made anew."""

from __future__ import annotations

from callcenter.commands.console import _, app, database_of, out, start
from callcenter.database import now


@app.command()
def migrate() -> None:
    """Bring the database to the newest version."""
    settings = start()
    database_of(settings)
    out.print(_("The database is up to date."))


@app.command()
def demo() -> None:
    """Fill an empty database with a demonstration year; prints the log-ins it made."""
    from callcenter.start import fill, logins_table

    settings = start()
    database = database_of(settings)
    logins = fill(settings, database)
    out.print(logins_table(database, logins) if logins else _("There are people already; nothing was filled in."))


@app.command()
def rebuild() -> None:
    """Drop calls, segments, offers, agents' spells and the kept days and make them again from the ledger."""
    from cti.projection import rebuild as again
    from reports.keep import keep_days

    settings = start()
    database = database_of(settings)
    for what, rows in again(database).items():
        out.print(f"{what}: {rows}")
    out.print(f"kept_days: {keep_days(database, settings.centre.zone, now())}")


@app.command("asterisk-config")
def asterisk_config() -> None:
    """Write the switch's files; one that runs takes over phones, queues and numbers at once."""
    from config.process import Process
    from config.switch import render

    settings = start()
    render(settings, database_of(settings))
    out.print(_("written to %(folder)s", folder=settings.switch_home / "etc"))
    process = Process(settings)
    if process.pid is not None:
        process.reload()
        out.print(
            _("taken over by the switch that runs, pid %(pid)s; ports and modules at its next start", pid=process.pid)
        )
