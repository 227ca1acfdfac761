"""The first start and what is said at every start: prompts, demonstration data, log-ins, where to go."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from sqlalchemy import func, select

from callcenter.database import Database, now
from config import people
from config.settings import Settings
from ivr import prompts

log = logging.getLogger(__name__)


def prepare(settings: Settings, database: Database, *, demo: bool) -> dict[str, str]:
    """Make what a start needs and an earlier one has not made; the answer are log-ins made just now."""
    spoken = prompts.make(settings)
    for problem in spoken.problems:
        log.warning("%s", problem)
    return fill(settings, database) if demo else {}


def fill(settings: Settings, database: Database) -> dict[str, str]:
    """Fill an empty database with a demonstration year; log-ins are kept 0600 in the home folder.

    Nothing and {} where anybody is there already: invented calls would stand among the real ones for ever.
    """
    from cti.demo import fill_calls, fill_outcomes
    from ticketing.demo import fill as fill_records

    at = now()
    with database.write() as db:
        if db.scalar(select(func.count()).select_from(people.User)):
            return {}
        logins = fill_records(db, settings, at)
    fill_calls(database, settings, at)
    with database.write() as db:
        fill_outcomes(db)
    file = logins_file(settings)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.writelines(f"{login} {password}\n" for login, password in logins.items())
    return logins


def logins_file(settings: Settings) -> Path:
    return settings.home / "logins.txt"


def logins_table(database: Database, logins: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    with database.read() as db:
        for user in db.scalars(select(people.User).where(people.User.login.in_(logins)).order_by(people.User.id)):
            table.add_row(user.login, logins[user.login], user.role, user.extension or "", user.name)
    return table


def greeting(settings: Settings, database: Database, logins: dict[str, str], _: Callable[..., str]) -> RenderableType:
    """What a person reads when everything runs: where, who, and the first call. ``_`` says it in his language."""
    desktop = settings.desktop
    host = "127.0.0.1" if desktop.host in ("0.0.0.0", "::") else desktop.host
    lines: list[RenderableType] = [
        Text("\n" + _("The centre runs: %(address)s", address=f"http://{host}:{desktop.port}/") + "\n", style="bold")
    ]
    if logins:
        lines += [Text(_("Log-ins, shown this once:")), Padding(logins_table(database, logins), (0, 0, 0, 2))]
    if logins_file(settings).is_file():
        lines.append(
            Text(_("Log-ins are kept in %(file)s; delete it once passwords are changed.", file=logins_file(settings)))
        )
    lines += [
        Text("\n" + _("First call: log in as wangfang, press Ready, then in a second terminal")),
        Text(f"  {_command()} call 4008 --from 13800138000 --keys 3\n"),
        Text(_("Ctrl-C stops everything. Log: %(file)s", file=settings.home / "log" / "callcenter.log"), style="dim"),
    ]
    return Group(*lines)


def _command() -> str:
    """The command as it works in a second terminal, which has none of this one's settings."""
    given = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith("CALLCENTER_") and not name.endswith("_FILE") and "SECRET" not in name
    ]
    return " ".join([*given, ".venv/bin/callcenter"])
