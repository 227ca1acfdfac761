"""Every page of the house, opened in a real browser with a year's data: readable, named, within the window, at home."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from callcenter.database import Base, now
from config import people
from config.settings import Settings
from cti.demo import fill_calls
from cti.rows import Call
from tests.centre import ROOT
from tests.desktop import PEOPLE, Desk, make_desk, served
from tests.fresh import fresh
from tests.routes import permissions, routes
from ticketing import demo

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
WORDS = {"kind": "customers", "ending": "csv"}  # parameters that name no record
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desktop with the demonstration's year, served."""
    home = tmp_path_factory.mktemp("year")
    database = fresh(home / "year.db")
    settings = Settings(home=home)
    desk = make_desk(home, database, settings)
    with database.write() as db:
        demo.fill(db, settings, now())
    fill_calls(database, settings, now())
    with served(desk):
        yield desk
    database.close()


def pages(desk: Desk) -> Iterator[tuple[str, str]]:
    """Every route that answers with a whole page: its address, with a record that exists, and somebody who may."""
    for route in routes(desk.app.routes):
        if "GET" not in (route.methods or ()) or not (asked := permissions(route)):
            continue
        login = next(one for one, *_ in PEOPLE if all(desk.users[one].may(permission) for permission in asked))
        path = route.path
        for name in _PARAMETER.findall(route.path):
            path = _PARAMETER.sub(record(desk, route.path, name), path, count=1)
        answer = desk.client(login).get(path)
        if answer.status_code == 200 and answer.text.lower().startswith("<!doctype html>"):
            yield login, path


def record(desk: Desk, path: str, name: str) -> str:
    """The first row of the table whose singular this parameter names."""
    if name in WORDS:
        return WORDS[name]
    named = {"call_id": select(Call.call_id).where(Call.agent == "1001")}
    table = Base.metadata.tables.get(f"{name.removesuffix('_id')}s")
    found = named.get(name, select(table.c.id) if table is not None and "id" in table.c else None)
    assert found is not None, f"{path}: say here which record {{{name}}} is"
    with desk.database.read() as db:
        return str(db.scalar(found.limit(1)) or "1")


def open_page(browser: Browser, desk: Desk, login: str, colours: str, complaints: list[str]) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=colours)  # type: ignore[arg-type]
    context.add_cookies([{"name": "callcenter", "value": desk.session(login)[0], "url": desk.origin}])
    page = context.new_page()
    page.on("pageerror", lambda fault: complaints.append(f"{page.url}: {fault}"))
    page.on("request", lambda asked: stay_home(desk, page.url, asked.url, complaints))
    return page


def stay_home(desk: Desk, page: str, url: str, complaints: list[str]) -> None:
    if not url.startswith((desk.origin, desk.origin.replace("http", "ws"), "data:", "blob:")):
        complaints.append(f"{page} asked {url}")


def violations(page: Page) -> list[str]:
    """What a reader of the screen or an eye that needs contrast would stumble over."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(all => all.violations)", RULES
    )
    return [
        f"{page.url}: {rule['id']}: {node['html'][:160]} {node['failureSummary'].splitlines()[-1].strip()}"
        for rule in found
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize(("language", "colours"), [("zh", "light"), ("en", "dark")])
def test_every_page_can_be_read_heard_and_seen_whole(year, agents_browser, language, colours):
    pictures = ROOT / "build" / "pages"
    pictures.mkdir(parents=True, exist_ok=True)
    with year.database.write() as db:
        for user in year.users.values():
            people.set_language(db, user, language)
    wrong: list[str] = []
    opened: dict[str, Page] = {}
    seen = 0
    for login, path in pages(year):
        page = opened.get(login) or opened.setdefault(login, open_page(agents_browser, year, login, colours, wrong))
        page.goto(f"{year.origin}{path}", wait_until="load")
        assert page.get_attribute("html", "lang") == {"zh": "zh-Hans", "en": "en"}[language], path
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 1280:
            wrong.append(f"{path}: {width} px wide, more than the window")
        wrong += violations(page)
        page.screenshot(path=pictures / f"{Path(path.strip('/').replace('/', '-')).name or 'home'}-{language}.png")
        seen += 1
    for page in opened.values():
        page.context.close()
    assert seen >= 12
    assert not wrong, "\n".join(wrong)


def test_a_table_wider_than_the_window_is_scrolled_by_keys(year, agents_browser):
    """A week without a call has no link in its table: nothing else would lead the keys into it."""
    wrong: list[str] = []
    login = next(one for one, *_ in PEOPLE if year.users[one].may("reports"))
    page = open_page(agents_browser, year, login, "light", wrong)
    for width, stop in ((640, 0), (1280, -1)):
        page.set_viewport_size({"width": width, "height": 720})
        page.goto(f"{year.origin}/reports?when=days&first=2020-01-06&last=2020-01-12&by=day", wait_until="load")
        page.wait_for_function("stop => document.querySelector('.table-wrap').tabIndex === stop", arg=stop)
        wrong += violations(page)
    page.context.close()
    assert not wrong, "\n".join(wrong)
