"""What every command begins with: settings, the log, the database, and where it prints."""

from __future__ import annotations

import logging
import logging.handlers
from typing import Annotated

import typer
from rich.console import Console

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
    database = Database(settings.database_url)
    database.migrate()
    return database
