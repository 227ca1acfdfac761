"""A centre as a newcomer starts it, and browsers for the people who work in it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Response, sync_playwright

from tests import chromium
from tests.centre import Centre

AGENT_HZ = 1000  # what an agent's microphone hears
CALLER_HZ = 440
REPAIR_KEYS = "3@1,#@3"  # of one who calls often: he waits for no prompt, and does not look for the engine's number


@pytest.fixture(scope="session")
def centre() -> Iterator[Centre]:
    addresses = [a.address for card in psutil.net_if_addrs().values() for a in card if a.family is socket.AF_INET]
    assert any(not address.startswith("127.") for address in addresses), (
        "browser sound needs an IPv4 address outside 127/8: ip addr add 10.99.0.1/32 dev lo"
    )
    centre = Centre()
    try:
        centre.start()
        yield centre
        centre.stop()
    finally:
        centre.clear()


# Not of the session: while it runs, this thread has a running event loop, which other tests need for themselves.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def agents_browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose microphone hears a steady 1000 Hz."""
    microphone = chromium.tone(tmp_path_factory.mktemp("mic") / "mic.wav", AGENT_HZ, rate_hz=48_000)
    with chromium.browser(playwright, microphone) as started:
        yield started


@pytest.fixture
def caller_says(tmp_path: Path) -> Path:
    """Half a minute of 440 Hz."""
    return chromium.tone(tmp_path / "caller.wav", CALLER_HZ, seconds=30)


class People:
    """Logs people in, each in a context of his own, and keeps what their browsers complained about."""

    def __init__(self, centre: Centre, browser: Browser) -> None:
        self._centre, self._browser = centre, browser
        self._open = ExitStack()
        self.complaints: list[str] = []

    def log_in(self, login: str, path: str = "/", width: int = 1280, height: int = 720) -> Page:
        context = self._browser.new_context(viewport={"width": width, "height": height}, permissions=["microphone"])
        self._open.callback(context.close)
        page = context.new_page()
        page.on("console", lambda said: self._heard(login, said))
        page.on("pageerror", lambda fault: self.complaints.append(f"{login}: {fault}"))
        page.on("request", lambda asked: self._only_home(login, asked.url))
        page.on("response", lambda answer: self._answered(login, answer))
        page.goto(f"{self._centre.url}/login")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", self._centre.passwords[login])
        page.click("main button[type=submit]")
        page.wait_for_url(lambda url: "/login" not in url)
        page.goto(f"{self._centre.url}{path}")
        return page

    def _heard(self, login: str, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(f"{login}: {said.text} {said.location.get('url', '')}".rstrip())

    def _answered(self, login: str, answer: Response) -> None:
        if answer.status >= 400:
            self.complaints.append(f"{login}: {answer.status} to {answer.url} {answer.request.post_data or ''}")

    def _only_home(self, login: str, url: str) -> None:
        if not url.startswith((self._centre.url, self._centre.url.replace("http", "ws"), "data:", "blob:")):
            self.complaints.append(f"{login}: asked another origin: {url}")

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def people(centre: Centre, agents_browser: Browser) -> Iterator[People]:
    people = People(centre, agents_browser)
    yield people
    centre.end_commands()
    people.close()
    assert people.complaints == []
