"""One request's page: who asks, in which language, and how to answer him."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select
from starlette.requests import HTTPConnection

from agent_desktop import i18n, menu
from agent_desktop.desktop import Desktop, desktop_of
from agent_desktop.rows import Webhook
from agent_desktop.session import SignedIn, SignedInHere
from agent_desktop.words import WORDS, english
from callcenter import phone
from callcenter.bus import Bus
from callcenter.database import Database, now
from callcenter.errors import BadInput, CallCenterError
from callcenter.events import Event
from config.people import User
from config.settings import Centre, Settings

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGE_COOKIE = "language"


@dataclass(frozen=True)
class Page:
    desktop: Desktop
    signed: SignedIn | None
    language: str
    nonce: str
    path: str

    @property
    def settings(self) -> Settings:
        return self.desktop.settings

    @property
    def database(self) -> Database:
        return self.desktop.database

    @property
    def bus(self) -> Bus:
        return self.desktop.bus

    @property
    def user(self) -> User:
        assert self.signed is not None, "only for routes that ask for a session"
        return self.signed.user

    @property
    def csrf(self) -> str:
        return self.signed.csrf if self.signed else ""

    @property
    def format(self) -> i18n.Format:
        return i18n.Format(self.language, self.settings.centre.zone)

    @property
    def today(self) -> date:
        return self.settings.centre.day(now())

    def when(self, text: str) -> datetime:
        """A time as the browser's field writes it, meant where the centre is."""
        try:
            return datetime.fromisoformat(text).replace(tzinfo=self.settings.centre.zone)
        except ValueError:
            raise BadInput("%(what)s cannot be %(value)s", what=self._("Due"), value=text[:30]) from None

    def publish(self, told: Iterable[Event]) -> None:
        for event in told:
            self.bus.publish(event)

    def may(self, permission: str) -> bool:
        return self.signed is not None and self.user.may(permission)

    def _(self, text: str, /, **values: object) -> str:
        return i18n.translate(self.language, text, **values)

    def detail(self, fault: CallCenterError) -> str:
        """What the fault says beside its sentence, in the reader's language."""
        return self._(fault.wording, **fault.values)

    def stopped_webhooks(self) -> list[str]:
        """What an administrator must look at, whichever page he is on."""
        if not self.may("webhooks"):
            return []
        stopped = Webhook.disabled_at.is_not(None) & Webhook.ended_at.is_(None)
        with self.database.read() as db:
            return list(db.scalars(select(Webhook.name).where(stopped).order_by(Webhook.id)))

    def text(self, template: str, **values: object) -> str:
        found = self.desktop.environments[self.language].get_template(template)
        return found.render(page=self, now=now(), **values)

    def render(
        self, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: object
    ) -> HTMLResponse:
        text = self.text(template, **values)
        return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"} | dict(headers or {}))


def page_of(connection: HTTPConnection, signed: SignedIn | None) -> Page:
    desktop = desktop_of(connection)
    if signed is not None:
        language = signed.user.language
    else:
        chosen = connection.cookies.get(LANGUAGE_COOKIE, "")
        accept = connection.headers.get("accept-language", "")
        language = chosen or i18n.asked_language(accept, desktop.settings.centre.language)
    return Page(
        desktop=desktop,
        signed=signed,
        language=language if language in i18n.LANGUAGES else "en",
        nonce=connection.scope.get("nonce", ""),
        path=connection.url.path,
    )


def page_here(request: Request, signed: SignedInHere) -> Page:
    return page_of(request, signed)


def open_page(request: Request) -> Page:
    return page_of(request, getattr(request.state, "signed_in", None))


PageHere = Annotated[Page, Depends(page_here)]
OpenPage = Annotated[Page, Depends(open_page)]
"""A page for those who have not signed in."""


async def sent_form(request: Request) -> dict[str, str]:
    """The fields of a form, for views that take whatever fields the form has."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


SentForm = Annotated[dict[str, str], Depends(sent_form)]


@functools.cache
def environments(centre: Centre, static_version: str) -> dict[str, Environment]:
    """Jinja in each language. What a template does not know is an error, and every value is escaped."""
    return {language: _environment(language, centre, static_version) for language in i18n.LANGUAGES}


def _environment(language: str, centre: Centre, static_version: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(i18n.translations(language), newstyle=True)  # type: ignore[attr-defined]
    form = i18n.Format(language, centre.zone)
    environment.filters |= {
        "local": form.local,
        "number": form.number,
        "percent": form.percent,
        "duration": i18n.duration,
        "seconds": i18n.seconds,
        "plain": i18n.plain,
        "roughly": functools.partial(i18n.roughly, language),
        "phone": functools.partial(phone.pretty, country=centre.country),
    }
    environment.globals |= {
        "languages": i18n.LANGUAGES,
        "language_tag": i18n.language_tag(language),
        "static": lambda path: f"/static/v-{static_version}/{path}",
        "word": lambda domain, code: i18n.translate(language, word) if (word := english(domain, code)) else "",
        "choices": lambda domain: [(code, i18n.translate(language, word)) for code, word in WORDS[domain].items()],
        "query": query,
        "menu": menu,
        "centre": centre,
    }
    return environment


def query(values: Mapping[str, object], **changed: object) -> str:
    """A link to the same list with these filters changed; empty ones are left out."""
    kept = {name: value for name, value in (dict(values) | changed).items() if value not in (None, "")}
    return "?" + urlencode(cast(Mapping[str, Any], kept))


def version_of(folder: Path) -> str:
    """A name for the content of a folder: as soon as a file changes its address changes with it."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


_HOST = re.compile(r"^[A-Za-z0-9.\-]+(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$")


def content_security_policy(host: str, nonce: str) -> str:
    """Nothing from elsewhere, nothing inline; wavesurfer's own style needs the nonce."""
    sockets = f" ws://{host} wss://{host}" if _HOST.match(host) else ""
    return (
        f"default-src 'self'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        f"connect-src 'self'{sockets}; media-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'self'"
    )
