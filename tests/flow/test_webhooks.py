"""Other programs are told what happens: a real receiver, real signatures, and addresses that must not be called."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from agent_desktop import posting, webhooks
from agent_desktop.posting import PrivateAddress, WrongAddress
from agent_desktop.rows import Delivery, Webhook
from callcenter.database import now
from callcenter.jobs import Job
from config import people
from config.settings import Settings
from config.settings import Webhooks as WebhookSettings
from tests.desktop import answer, arrival, hang_up, make_desk, ringing, tell
from tests.waiting import wait_until

AT = now()
ALLOWED = WebhookSettings(allow=("127.0.0.0/8",), answer_timeout_s=5)


class Receiver(ThreadingHTTPServer):
    """Another program: it keeps what it is sent and answers as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Heard)
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers = 204
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?of=erp"

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.heard]


class _Heard(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answers)
        if self.server.answers == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def desk(tmp_path, database):
    return make_desk(tmp_path, database, Settings(home=tmp_path, webhooks=ALLOWED))


def hook_of(desk, receiver, *types: str, login: str = "zhaomin") -> Webhook:
    with desk.database.write() as db:
        return webhooks.create(db, desk.users[login], "ERP 用友", receiver.url, types, AT, allow=ALLOWED.allow)


def call(desk, call_id: str) -> None:
    tell(desk, *arrival(call_id))
    tell(desk, ringing(call_id), answer(call_id))
    tell(desk, *hang_up(call_id))


def work(desk, at=None) -> int:
    """Plan, and send what is due."""
    at = at or now()
    with desk.database.write() as db:
        webhooks.plan(db, at)
    sent = 0
    while webhooks.deliver(desk.database, ALLOWED, at):
        sent += 1
    return sent


def deliveries(desk) -> list[Delivery]:
    with desk.database.read() as db:
        return list(db.scalars(select(Delivery).order_by(Delivery.id)))


def test_a_call_that_ends_is_told_signed_and_just_once(desk, receiver):
    call(desk, "tel-0.1")  # before anybody wanted to know
    hook = hook_of(desk, receiver, "call.ended")
    call(desk, "tel-1.1")
    assert work(desk) == 1
    assert work(desk) == 0
    ((headers, body),) = receiver.heard
    told = json.loads(body)
    assert (told["type"], told["call_id"], told["data"]["outcome"]) == ("call.ended", "tel-1.1", "answered")
    assert headers["webhook-id"] == f"evt_{told['seq']}"
    assert headers["host"] == receiver.url.split("/")[2]
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))  # as the receiver's documentation says
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    proof = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{proof}"
    (one,) = deliveries(desk)
    assert (one.state, one.status, one.attempts) == ("sent", 204, 1)


def test_what_is_not_taken_is_tried_again_with_growing_pauses_and_given_up_in_the_end(desk, receiver):
    hook_of(desk, receiver, "call.ended")
    call(desk, "tel-1.1")
    receiver.answers = 503
    at, tried = now(), []
    for pause in (0, *webhooks.AGAIN_AFTER_S):
        assert work(desk, at + timedelta(seconds=max(0, pause - 1))) == (0 if pause else 1)
        at += timedelta(seconds=pause)
        work(desk, at)
        tried.append(len(receiver.heard))
    assert tried == [1, 2, 3, 4, 5, 6, 7]
    (one,) = deliveries(desk)
    assert (one.state, one.status) == ("failed", 503)
    assert len({headers["webhook-id"] for headers, _body in receiver.heard}) == 1
    with desk.database.read() as db:
        assert db.scalars(select(Job.state).where(Job.kind == "webhook")).all() == ["failed"]


def test_a_webhook_that_only_fails_is_stopped_says_so_and_goes_on_when_it_is_started(desk, receiver):
    hook = hook_of(desk, receiver, "call.ended")
    receiver.answers = 302  # nobody is sent on to somewhere else
    for number in range(webhooks.DISABLED_AFTER):
        call(desk, f"tel-{number}.1")
    work(desk)
    assert len(receiver.heard) == webhooks.DISABLED_AFTER
    admin = desk.client("admin")
    assert "Stopped" in admin.get("/admin/webhooks").text
    assert "ERP 用友" in admin.get("/admin/users").text  # the notice, on every page of an administrator
    assert "ERP 用友" not in desk.client("zhaomin").get("/tickets").text
    call(desk, "tel-99.1")
    assert work(desk, now() + timedelta(days=1)) == webhooks.DISABLED_AFTER  # dropped, not sent
    assert len(receiver.heard) == webhooks.DISABLED_AFTER
    receiver.answers = 200
    assert admin.post(f"/admin/webhooks/{hook.id}/start").status_code == 303
    work(desk, now() + timedelta(days=1))
    assert receiver.told()[-1]["call_id"] == "tel-99.1"


def test_one_event_or_a_range_is_delivered_once_more_under_its_old_id(desk, receiver):
    hook = hook_of(desk, receiver, "call.started", "call.ended")
    for number in (1, 2):
        call(desk, f"tel-{number}.1")
    work(desk)
    first, last = receiver.told()[1]["seq"], receiver.told()[2]["seq"]
    admin = desk.client("admin")
    page = f"/admin/webhooks/{hook.id}"
    assert admin.post(f"{page}/replay", data={"first": first, "last": last}).headers["location"].endswith("replayed=2")
    assert admin.post(f"{page}/replay", data={"first": first}).headers["location"].endswith("replayed=1")
    work(desk)
    assert [one["seq"] for one in receiver.told()[4:]] == [first, last, first]
    assert receiver.heard[4][1] == receiver.heard[1][1]
    assert admin.get(page).text.count("↻") == 3
    assert admin.post(f"{page}/replay", data={"first": 5, "last": 2}).status_code == 422


def test_a_webhook_tells_no_more_than_its_owner_may_see_and_nothing_once_he_is_out(desk, receiver):
    hook_of(desk, receiver, login="wangfang")
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1", "1002"), answer("tel-1.1", "1002"))
    tell(desk, *hang_up("tel-1.1"))
    assert work(desk) == 0
    with desk.database.write() as db:
        people.set_active(db, desk.users["wangfang"], False, now())
    call(desk, "tel-2.1")
    assert work(desk) == 0
    with desk.database.read() as db:
        assert db.scalars(select(Webhook.disabled_why)).all() == ["its owner may not log in"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.7/erp",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/",
        "http://2130706433/",  # 127.0.0.1 as a number
        "http://[fd00::1]/",
        "http://100.64.0.1/",
    ],
)
def test_our_own_network_is_not_called_unless_allowed(url):
    with pytest.raises(PrivateAddress):
        posting.reachable(url, ())
    assert posting.post(url, "whsec_", "evt_1", b"{}", AT, allow=(), timeout_s=1).status is None


@pytest.mark.parametrize(
    "url",
    ["ftp://erp.example/", "file:///etc/passwd", "http://", "erp.example", "http://u:p@erp.example/", "http://a b/"],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(WrongAddress):
        posting.checked(url)


def test_what_is_allowed_by_setting_is_called():
    assert str(posting.reachable("http://10.0.0.7:8000/erp", ("10.0.0.0/24",))) == "10.0.0.7"
    assert str(posting.reachable("http://localhost/", ("localhost",))).startswith(("127.", "::1"))
    with pytest.raises(PrivateAddress):
        posting.reachable("http://10.0.1.7/", ("10.0.0.0/24", "localhost"))


def test_the_worker_tells_by_itself(desk, receiver):
    hook_of(desk, receiver)
    stop = threading.Event()
    telling = threading.Thread(target=webhooks.keep_telling, args=(desk.database, ALLOWED, stop, 0.05))
    telling.start()
    try:
        call(desk, "tel-1.1")
        wait_until(lambda: len(receiver.heard) == 5, what="five events are told")
    finally:
        stop.set()
        telling.join(10)
    assert {one["type"] for one in receiver.told()} == {
        "call.started", "call.queued", "call.ringing", "call.answered", "call.ended",
    }  # fmt: skip


def test_over_the_api_a_webhook_is_made_tried_changed_and_ended(desk, receiver):
    client, headers = desk.client(), desk.token("admin")
    refused = client.post("/api/v1/webhooks", json={"name": "x", "url": "http://10.0.0.7/"}, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (422, "PrivateAddress")
    sent = {"name": "ERP 用友", "url": receiver.url, "types": ["ticket"]}
    made = client.post("/api/v1/webhooks", json=sent, headers=headers).json()
    assert made["secret"].startswith("whsec_")
    path = f"/api/v1/webhooks/{made['id']}"
    assert "secret" not in client.get(path, headers=headers).json()
    changed = client.patch(path, json={"types": ["call.ended", "ticket.closed"]}, headers=headers)
    assert changed.json()["types"] == ["call.ended", "ticket.closed"]
    call(desk, "tel-1.1")
    work(desk)
    listed = client.get(f"{path}/deliveries?limit=1", headers=headers).json()
    assert [one["type"] for one in listed["items"]] == ["call.ended"]
    seq = listed["items"][0]["seq"]
    again = client.post(f"{path}/replay", json={"first": seq, "last": seq}, headers=headers)
    assert again.json() == {"planned": 1}
    assert client.delete(path, headers=headers).json() == {"ended": True}
    assert client.get(path, headers=headers).status_code == 404
    work(desk)
    assert len(receiver.heard) == 1


def test_the_page_shows_the_secret_once_and_tries_the_address(desk, receiver):
    admin = desk.client("admin")
    user = desk.users["zhaomin"].id
    sent = {"name": "<b>ERP", "url": receiver.url, "types": ["call", "ticket.closed"], "user_id": user}
    made = admin.post("/admin/webhooks", data=sent).text
    secret = re.search(r'id="secret">([^<]+)<', made)
    assert secret is not None
    assert "<b>ERP" not in made
    assert secret.group(1) not in admin.get("/admin/webhooks").text
    assert admin.post("/admin/webhooks/1/try").status_code == 303
    work(desk)
    assert [one["type"] for one in receiver.told()] == ["webhook.trial"]
    assert "webhook.trial" in admin.get("/admin/webhooks/1?state=sent").text
    assert admin.post("/admin/webhooks/1", data=sent | {"url": "http://10.0.0.7/"}).status_code == 422
    assert admin.post("/admin/webhooks/1/end").status_code == 303
    assert admin.get("/admin/webhooks/1").status_code == 404
