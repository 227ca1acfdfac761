"""What every command begins with: settings, the log, the database, and where it prints."""

from __future__ import annotations

import inspect
import logging
import logging.handlers
import os
from typing import Annotated

import typer
from rich.console import Console
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from agent_desktop import i18n
from callcenter.database import Database
from config.settings import Settings, load

app = typer.Typer(
    name="callcenter",
    help="A call centre for after-sales service of engines and machines, on Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]


def language() -> str:
    """The terminal's, as its environment says."""
    said = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if said.startswith("zh") else "en"


def _(text: str, /, **values: object) -> str:
    """A text in the terminal's language."""
    return i18n.translate(language(), text, **values)


def read(text: str) -> str:
    """What another room said, in the terminal's language."""
    return str(i18n.read(language(), text))


def localised(command: TyperCommand | TyperGroup) -> TyperCommand | TyperGroup:
    """The command with every help text below it in the terminal's language."""
    command.help = _help(command.help)
    for parameter in command.params:
        if isinstance(parameter, TyperOption | TyperArgument):
            parameter.help = _help(parameter.help)
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            assert isinstance(below, TyperCommand | TyperGroup)
            localised(below)
    return command


def _help(text: str | None) -> str | None:
    return _(inspect.cleandoc(text).replace("\n", " ")) if text else text


def start() -> Settings:
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


def database_of(settings: Settings) -> Database:
    from ticketing import findable

    database = Database(settings.database_url)
    database.migrate()
    with database.write() as db:
        findable.complete(db)
    return database
