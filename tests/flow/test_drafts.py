"""Words that are not saved yet outlive the browser, and no window writes over another's."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agent_desktop.windows import window_of
from callcenter.database import now
from callcenter.facts import PhoneSeen
from callcenter.nudges import PhoneTaken
from cti.rows import Leg
from tests.told import Caller, tell
from ticketing import drafts


@pytest.fixture
def call(desk):
    return Caller(desk.database, desk.bus).rings().is_answered().call_id


def keep(client, call_id, window, **values: str):
    return client.post("/desk/drafts", data={"call_id": call_id, "window": window, "values": json.dumps(values)})


def of_wang(desk):
    with desk.database.read() as db:
        return [(one.window, one.values["subject"]) for one in drafts.open_drafts(db, "wangfang")]


def test_two_windows_keep_their_words_side_by_side_and_a_saved_ticket_ends_both(desk, call):
    client = desk.client("wangfang")
    assert keep(client, call, "office", subject="冒黑烟").status_code == 200
    assert keep(client, call, "home", subject="冒黑烟，动力不足").status_code == 200
    assert keep(client, call, "office", subject="冒黑烟，上周换过柴滤").json()["at"] > 0
    assert of_wang(desk) == [("office", "冒黑烟，上周换过柴滤"), ("home", "冒黑烟，动力不足")]
    page = client.get("/desk").text
    assert "冒黑烟，上周换过柴滤" in page
    assert f'data-open-call="{call}"' in page
    saved = client.post(
        "/desk/tickets", data={"call_id": call, "kind": "inquiry", "subject": "冒黑烟", "field.topic": "parts"}
    )
    assert saved.status_code == 200
    assert of_wang(desk) == []


def test_a_draft_that_was_typed_after_the_ticket_was_saved_stays(desk, call):
    client = desk.client("wangfang")
    keep(client, call, "office", subject="冒黑烟")
    with desk.database.write() as db:
        drafts.drop(db, "wangfang", call, "ticket", until=now() - timedelta(minutes=1))
    assert of_wang(desk) == [("office", "冒黑烟")]


def test_a_draft_belongs_to_who_may_see_the_call_and_holds_words_of_a_form_only(desk, call):
    assert keep(desk.client("lina"), call, "office", subject="别人的来电").status_code == 404
    client = desk.client("wangfang")
    assert keep(client, call, "office", subject="长" * 70_000).status_code == 422
    assert keep(client, call, "../office", subject="x").status_code == 422
    assert client.post("/desk/drafts", data={"call_id": call, "window": "w", "values": "[1]"}).status_code == 422
    assert of_wang(desk) == []


def test_a_month_later_a_draft_is_thrown_away(desk, call):
    with desk.database.write() as db:
        drafts.keep(db, "wangfang", "tel-1.1", "ticket", "office", {"subject": "旧"}, now() - timedelta(days=31))
    keep(desk.client("wangfang"), call, "office", subject="新")
    assert of_wang(desk) == [("office", "新")]


def test_the_window_that_registered_last_has_the_phone_and_the_others_are_told(desk):
    told = []
    desk.bus.listen(lambda event: told.append(event) if isinstance(event, PhoneTaken) else None)
    client = desk.client("wangfang")
    for window in ("office", "home"):
        assert client.post("/desk/phone/taken", data={"window": window}).status_code == 200
    with desk.database.read() as db:
        assert window_of(db, "1001") == "home"
    assert client.get("/desk/now").json()["phone_window"] is None  # its page is not open
    tell(desk.database, desk.bus, [PhoneSeen(at=now(), switch="tel", agent="1001", reachable=True)])
    assert client.get("/desk/now").json()["phone_window"] == "home"  # it is, at another process
    assert [(one.agent, one.window) for one in told] == [("1001", "office"), ("1001", "home")]


def test_how_the_line_was_stands_with_the_agents_leg(desk, call):
    client = desk.client("wangfang")
    measured = {"call_id": call, "packets": "990", "loss": "0.01", "jitter_ms": "5", "rtt_ms": "40"}
    assert client.post("/desk/line", data=measured).status_code == 200
    with desk.database.read() as db:
        (leg,) = db.query(Leg).filter(Leg.call_id == call, Leg.agent == "1001")
        assert leg.line == {"phone": {"packets": 990, "loss": 0.01, "jitter_ms": 5.0, "rtt_ms": 40.0}}
    assert "4.3" in client.get(f"/calls/{call}").text
    assert client.post("/desk/line", data=measured | {"loss": "nan"}).status_code == 422


def test_a_check_of_the_line_counts_for_a_while_if_it_was_good(desk):
    client = desk.client("wangfang")
    assert '"line_check_due": true' in client.get("/desk").text
    steps = dict.fromkeys(("secure", "microphone", "phone", "sound"), "good")
    assert client.post("/desk/line-check", data={"found": json.dumps(steps)}).json() == {"good": True}
    assert '"line_check_due": false' in client.get("/desk").text
    client.post("/desk/line-check", data={"found": json.dumps(steps | {"sound": "bad"})})
    assert '"line_check_due": true' in client.get("/desk").text
