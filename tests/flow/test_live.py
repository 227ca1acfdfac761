"""Live push over real sockets: who hears what, in which order, and what happens to those who cannot follow."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from agent_desktop import hub as hubs
from callcenter.database import now
from callcenter.facts import PhoneSeen, StatusChosen
from callcenter.nudges import CallChanged, RecordingChanged, TicketChanged
from config import people
from tests.desktop import Desk, answer, arrival, closing_code, hang_up, link, ringing, served, tell
from tests.waiting import wait_until


@pytest.fixture
def centre(desk) -> Iterator[Desk]:
    with served(desk):
        yield desk


@contextmanager
def following(centre: Desk, login: str) -> Iterator[ClientConnection]:
    """The live link of this user's browser, once it has said hello."""
    with link(centre, "/live", login) as browser:
        hello = json.loads(browser.recv(5))
        assert (hello["seq"], hello["type"]) == (0, "Hello")
        yield browser


@contextmanager
def lazy_browser(centre: Desk, login: str) -> Iterator[socket.socket]:
    """A browser that opens the live link and then never reads a byte."""
    host = centre.origin.removeprefix("http://")
    request = (
        f"GET /live HTTP/1.1\r\nHost: {host}\r\nOrigin: {centre.origin}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nCookie: callcenter={centre.session(login)[0]}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connect(("127.0.0.1", int(host.rsplit(":", 1)[1])))
        wire.sendall(request.encode())
        yield wire


def heard(browser: ClientConnection, kind: str, **wanted: object) -> dict[str, Any]:
    """The next message of this kind with these values; what comes before it is let go by."""
    while True:
        message: dict[str, Any] = json.loads(browser.recv(5))
        if message["type"] == kind and wanted.items() <= message.items():
            return message


def silent_about(browser: ClientConnection, centre: Desk, call_id: str) -> bool:
    """Whether nothing of this call was said before a message that everybody gets."""
    centre.bus.publish(TicketChanged(ticket_id=424242))
    while True:
        message = json.loads(browser.recv(5))
        if message.get("call_id") == call_id:
            return False
        if message.get("ticket_id") == 424242:
            return True


def test_an_agent_hears_of_his_own_call_from_the_ring_to_the_end(centre):
    with following(centre, "wangfang") as browser:
        tell(centre, *arrival("tel-1.1"))
        tell(centre, ringing("tel-1.1"))
        assert heard(browser, "CallChanged", state="ringing")["agent"] == "1001"
        assert heard(browser, "AgentChanged", state="ringing")["call_id"] == "tel-1.1"
        tell(centre, answer("tel-1.1"))
        heard(browser, "CallChanged", state="talking")
        tell(centre, *hang_up("tel-1.1"))
        heard(browser, "CallChanged", state="ended")
        centre.bus.publish(RecordingChanged(call_id="tel-1.1", state="complete"))
        heard(browser, "RecordingChanged", call_id="tel-1.1")


def test_an_agent_hears_nothing_of_the_calls_of_others(centre):
    with following(centre, "lina") as browser:
        tell(centre, *arrival("tel-1.1"))
        tell(centre, ringing("tel-1.1"), answer("tel-1.1"))
        assert silent_about(browser, centre, "tel-1.1")


def test_an_agent_who_missed_a_call_hears_that_it_left_him(centre):
    with following(centre, "wangfang") as browser:
        tell(centre, *arrival("tel-1.1"))
        tell(centre, ringing("tel-1.1"))
        heard(browser, "CallChanged", state="ringing")
        centre.bus.publish(CallChanged(call_id="tel-1.1", state="waiting", queue="repair"))
        heard(browser, "CallChanged", state="waiting")


def test_a_supervisor_hears_everything_in_order_and_numbered(centre):
    with following(centre, "zhaomin") as browser:
        for number in range(50):
            centre.bus.publish(CallChanged(call_id=f"tel-1.{number}", state="arrived"))
        numbers, calls = [], []
        while len(calls) < 50:
            message = json.loads(browser.recv(5))
            numbers.append(message["seq"])
            if message["type"] == "CallChanged":
                calls.append(message["call_id"])
        assert calls == [f"tel-1.{number}" for number in range(50)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_counts_are_merged_to_one_a_second_and_are_right_at_the_end(centre, monkeypatch):
    monkeypatch.setattr(hubs, "COUNTS_EVERY_S", 0.2)
    with following(centre, "lina") as browser:
        began = time.monotonic()
        for number in range(20):
            tell(centre, *arrival(f"tel-1.{number}"))
        counts = 0
        while True:
            message = heard(browser, "Counts")
            counts += 1
            if message["queues"].get("repair", {}).get("waiting") == 20:
                break
        assert counts <= (time.monotonic() - began) / 0.2 + 2
        assert set(message["queues"]) == {"repair"}


def test_the_snapshot_has_the_same_cut_as_the_messages(centre):
    tell(centre, StatusChosen(at=now(), agent="1001", status="available", by="wangfang"))
    tell(centre, StatusChosen(at=now(), agent="1002", status="available", by="lina"))
    tell(centre, *arrival("tel-1.1"))
    tell(centre, ringing("tel-1.1"))
    tell(centre, *arrival("tel-2.2", number="+8613900139000"))
    own = centre.client("wangfang").get("/live/snapshot").json()
    assert [agent["agent"] for agent in own["agents"]] == ["1001"]
    assert [call["call_id"] for call in own["calls"]] == ["tel-1.1"]
    assert own["queues"]["repair"]["waiting"] == 2
    others = centre.client("lina").get("/live/snapshot").json()
    assert others["calls"] == []
    everything = centre.client("zhaomin").get("/live/snapshot").json()
    assert {call["call_id"] for call in everything["calls"]} == {"tel-1.1", "tel-2.2"}
    assert {agent["agent"] for agent in everything["agents"]} == {"1001", "1002"}


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", None])
def test_a_page_of_another_site_is_not_connected(centre, origin):
    for path in ("/live", "/sip"):
        with pytest.raises(InvalidStatus) as refused:
            link(centre, path, "zhaomin", origin=origin)
        assert refused.value.response.status_code == 403


def test_without_a_session_the_browser_is_told_to_sign_in(centre):
    with link(centre, "/live") as browser:
        assert closing_code(browser) == 4401


def test_a_session_that_is_ended_takes_its_link_along(centre):
    with following(centre, "wangfang") as browser, following(centre, "lina") as other:
        answered = centre.client("admin").post(f"/admin/users/{centre.users['wangfang'].id}/end-sessions")
        assert answered.status_code == 303
        assert closing_code(browser) == 4401
        assert silent_about(other, centre, "none")


def test_a_session_ended_in_another_process_is_noticed(centre, monkeypatch):
    monkeypatch.setattr("agent_desktop.sockets.LOOK_EVERY_S", 0.1)
    with following(centre, "wangfang") as browser:
        with centre.database.write() as db:
            people.end_all_sessions(db, centre.users["wangfang"], now())
        assert closing_code(browser) == 4401


def test_one_who_does_not_read_is_dropped_and_hurts_nobody(centre, monkeypatch):
    monkeypatch.setattr(hubs, "BACKLOG", 64)
    hub = centre.app.state.desktop.hub
    with lazy_browser(centre, "zhaomin"), following(centre, "admin") as keen:
        wait_until(lambda: hub.count == 2)
        told = 0
        while hub.count == 2:
            assert told < 20_000, "the backlog of one who does not read grows without end"
            centre.bus.publish(CallChanged(call_id=f"tel-{told}", state="arrived", queue="x" * 2000))
            heard(keen, "CallChanged", call_id=f"tel-{told}")
            told += 1
        centre.bus.publish(CallChanged(call_id="tel-last", state="arrived"))
        heard(keen, "CallChanged", call_id="tel-last")


def test_one_who_was_too_slow_is_told_to_start_again(centre, monkeypatch):
    monkeypatch.setattr(hubs, "BACKLOG", 64)
    with following(centre, "zhaomin") as browser:
        for number in range(5000):
            centre.bus.publish(CallChanged(call_id=f"tel-{number}", state="arrived", queue="x" * 2000))
        assert closing_code(browser) == 4408


def test_a_browser_that_goes_away_is_forgotten(centre):
    hub = centre.app.state.desktop.hub
    with following(centre, "wangfang"):
        wait_until(lambda: hub.count == 1)
    wait_until(lambda: hub.count == 0)


def test_silence_can_be_told_from_a_dead_line(centre, monkeypatch):
    monkeypatch.setattr(hubs, "TICK_EVERY_S", 0.05)
    with following(centre, "wangfang") as browser:
        first = heard(browser, "Tick")
        assert heard(browser, "Tick")["seq"] == first["seq"] + 1


def test_the_card_of_a_call_follows_its_ring_unasked_and_once(centre):
    with following(centre, "wangfang") as browser:
        tell(centre, *arrival("tel-1.1"))
        tell(centre, ringing("tel-1.1"))
        assert heard(browser, "CallChanged", state="ringing")["card"] is True
        assert 'data-card="tel-1.1"' in heard(browser, "Card", call_id="tel-1.1")["text"]
        centre.bus.publish(CallChanged(call_id="tel-1.1", state="ringing", agent="1001"))
        assert "card" not in heard(browser, "CallChanged", state="ringing")


def test_a_card_that_cannot_be_made_is_said_to_be_empty_so_that_the_desk_asks(centre):
    with following(centre, "wangfang") as browser:
        centre.bus.publish(CallChanged(call_id="tel-nobody.1", state="ringing", agent="1001"))
        assert heard(browser, "Card", call_id="tel-nobody.1")["text"] == ""


def test_a_window_whose_line_broke_hears_what_it_missed_in_order_and_nothing_twice(centre):
    with link(centre, "/live?window=w1", "wangfang") as browser:
        life = json.loads(browser.recv(5))["life"]
        tell(centre, *arrival("tel-7.1"), ringing("tel-7.1"))
        seq = heard(browser, "CallChanged", state="ringing")["seq"]
    wait_until(lambda: centre.app.state.desktop.hub.count == 0)
    tell(centre, answer("tel-7.1"))
    tell(centre, *hang_up("tel-7.1"))
    with link(centre, f"/live?window=w1&life={life}&seq={seq}", "wangfang") as browser:
        missed = [json.loads(browser.recv(5))]
        while (missed[-1]["type"], missed[-1].get("state")) != ("CallChanged", "ended"):
            missed.append(json.loads(browser.recv(5)))
        assert [one["seq"] for one in missed] == list(range(seq + 1, seq + 1 + len(missed)))
        assert "talking" in [one["state"] for one in missed if one["type"] == "CallChanged"]


def test_a_window_that_goes_is_told_to_the_agents_other_windows_and_is_known_to_be_gone(centre):
    tell(centre, PhoneSeen(at=now(), switch="tel", agent="1001", reachable=True))  # by what the crash left behind
    hub, wang = centre.app.state.desktop.hub, centre.users["wangfang"]
    with link(centre, "/live?window=w4", "wangfang") as other:
        with link(centre, "/live?window=w3", "wangfang"):
            wait_until(lambda: hub.count == 2)
            assert hub.open_window(wang, "w3", reachable=True) == "w3"
        heard(other, "WindowGone")
        assert hub.open_window(wang, "w3", reachable=True) is None


@pytest.mark.parametrize("who", ["wangfang", "lina"])
def test_a_window_that_nobody_knows_begins_anew_and_nobody_hears_a_colleagues(centre, who):
    with link(centre, "/live?window=w2", "wangfang") as browser:
        life = json.loads(browser.recv(5))["life"]
    wait_until(lambda: centre.app.state.desktop.hub.count == 0)
    known = life if who == "lina" else "a-life-before-the-restart"
    with link(centre, f"/live?window=w2&life={known}&seq=0", who) as browser:
        hello = json.loads(browser.recv(5))
        assert (hello["type"], hello["seq"]) == ("Hello", 0)
        assert hello["life"] != life
