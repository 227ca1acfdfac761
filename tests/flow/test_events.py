"""The event stream as another program hears it: behind any number, through broken lines, and only what it may know."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from websockets.sync.client import connect

from callcenter.database import now
from callcenter.facts import StatusChosen
from config import tokens
from tests.desktop import answer, arrival, closing_code, hang_up, ringing, served, tell
from ticketing import tickets

Told = dict[str, Any]


def call(desk, call_id: str, agent: str = "1001") -> None:
    tell(desk, *arrival(call_id))
    tell(desk, ringing(call_id, agent))
    tell(desk, answer(call_id, agent))
    tell(desk, *hang_up(call_id))


def ticket(desk, by: str = "wangfang") -> int:
    with desk.database.write() as db:
        fields = {"topic": "parts"}
        opened = tickets.open_ticket(db, "inquiry", subject="滤芯哪里买", by=by, now=now(), fields=fields)
        tickets.close(db, opened, by=by, now=now())
        return opened.id


def listen(desk, headers: dict[str, str], query: str = ""):
    address = desk.origin.replace("http", "ws") + "/api/v1/events" + query
    return connect(address, additional_headers=headers, proxy=None, max_size=None, max_queue=None)


def hear(socket, until: str) -> list[Told]:
    """Everything said until an event of this type, that one included."""
    heard: list[Told] = []
    while not heard or heard[-1]["type"] != until:
        said = json.loads(socket.recv(10))
        if said["type"] not in ("hello", "tick"):
            heard.append(said)
    return heard


def feed(desk, headers: dict[str, str], query: str = "limit=3") -> list[Told]:
    """All that has happened, page by page."""
    client, found, following = desk.client(), [], f"/api/v1/events?{query}"
    while True:
        page = client.get(following, headers=headers).json()
        if not page["items"]:
            return found
        found += page["items"]
        following = page["next"]


def test_a_call_and_a_ticket_are_told_in_public_words(desk):
    headers = desk.token("zhaomin")
    call(desk, "tel-1.1")
    ticket(desk)
    told = feed(desk, headers)
    assert [one["type"] for one in told] == [
        "call.started",
        "call.queued",
        "call.ringing",
        "call.answered",
        "call.ended",
        "ticket.opened",
        "ticket.closed",
    ]
    assert told[0]["data"]["caller_number"] == "+8613800138000"
    ended = told[4]["data"]
    assert (ended["outcome"], ended["agent"], ended["queue"]) == ("answered", "1001", "repair")
    assert told[5]["data"]["kind"] == "inquiry"
    assert "channel" not in json.dumps(told)
    assert [one["type"] for one in feed(desk, headers, "types=call.ended&types=ticket")] == [
        "call.ended",
        "ticket.opened",
        "ticket.closed",
    ]


def test_behind_any_number_the_stream_goes_on_without_gap_or_repetition(desk):
    headers = desk.token("zhaomin")
    for number in range(3):
        call(desk, f"tel-{number}.1")
    ticket(desk)
    whole = feed(desk, headers)
    with served(desk):
        for at in range(0, len(whole), 3):
            with listen(desk, headers, f"?after={whole[at]['seq']}") as socket:
                assert hear(socket, "ticket.closed") == whole[at + 1 :]


def test_a_program_whose_line_breaks_again_and_again_hears_each_event_once(desk):
    headers, heard = desk.token("zhaomin"), []
    writers = [
        threading.Thread(target=lambda first=first: [call(desk, f"tel-{first}{n}.1") for n in range(8)])
        for first in "12"
    ]
    with served(desk):
        for writer in writers:
            writer.start()
        after = 0
        while len(heard) < 2 * 8 * 5:
            with listen(desk, headers, f"?after={after}") as socket:
                for _ in range(7):  # and then the line breaks
                    if len(heard) == 2 * 8 * 5:
                        break
                    said = json.loads(socket.recv(10))
                    if said["type"] not in ("hello", "tick"):
                        heard.append(said)
                        after = said["seq"]
        for writer in writers:
            writer.join()
    assert heard == feed(desk, headers, "limit=500")


def test_an_agents_program_hears_of_his_own_calls_only(desk):
    call(desk, "tel-1.1", "1001")
    call(desk, "tel-2.1", "1002")
    tell(desk, StatusChosen(at=now(), agent="1001", status="available", by="wangfang"))
    tell(desk, StatusChosen(at=now(), agent="1002", status="available", by="lina"))
    ticket(desk)
    told = feed(desk, desk.token("wangfang"))
    assert {one["call_id"] for one in told if one["call_id"]} == {"tel-1.1"}
    assert [one["data"]["agent"] for one in told if one["type"] == "agent.status"] == ["1001"]
    assert {one["type"] for one in feed(desk, desk.token("zhaomin", "events:read", "tickets:read"))} == {
        "ticket.opened",
        "ticket.closed",
    }
    assert not [one for one in feed(desk, desk.token("sunli")) if one["type"].startswith("ticket")]  # follow-ups only


@pytest.mark.parametrize("query", ["?after=99999", "?after=-1", "?types=call.invented"])
def test_what_cannot_be_streamed_is_said(desk, query):
    with served(desk), listen(desk, desk.token("zhaomin"), query) as socket:
        assert closing_code(socket) == 4422


def test_a_stream_needs_a_token_and_ends_with_it(desk):
    headers = desk.token("zhaomin")
    with served(desk):
        for wrong in ({}, {"Authorization": "Bearer cc_wrong"}, desk.token("zhaomin", "tickets:read")):
            with listen(desk, wrong) as socket:
                assert closing_code(socket) == 4401
        with listen(desk, headers) as socket:
            assert json.loads(socket.recv(10))["type"] == "hello"
            with desk.database.write() as db:
                tokens.end(db, 1, now())
            assert closing_code(socket) == 4401
