"""Photos at a ticket: from the desk, and from the customer's own phone; what is none, too large, or out of place."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from callcenter.database import now
from tests.desktop import arrival, tell
from ticketing import attachments, customers, tickets
from ticketing.attachments import Attachment, UploadLink

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 200
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 200
CALL = "tel-1763780400.7"


@pytest.fixture
def ticket(desk):
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        return tickets.open_ticket(
            db, "complaint", subject="漏油", by="wangfang", now=now(), customer_id=li.id,
            fields={"about": "quality"}, call_id=CALL,
        )  # fmt: skip


def sent(content: bytes, name: str = "铭牌.jpg", kind: str = "image/jpeg"):
    return [("file", (name, content, kind))]


def link_for(desk, ticket) -> str:
    with desk.database.write() as db:
        return "/u/" + attachments.make_link(db, by="wangfang", now=now(), ticket_id=ticket.id)[0]


def kept(desk) -> list[Attachment]:
    with desk.database.read() as db:
        return list(db.scalars(select(Attachment).order_by(Attachment.id)))


def test_a_photo_from_the_desk_is_kept_outside_the_web_under_a_name_of_our_own(desk, ticket):
    client, path = desk.client("wangfang"), f"/tickets/{ticket.id}/photos"
    assert client.post(path, files=sent(JPEG, "../../../etc/passwd<b>.jpg", "text/html")).status_code == 303
    assert client.post(path, files=sent(JPEG, "again.jpg")).status_code == 303  # the very same: kept once
    (row,) = kept(desk)
    assert (row.name, row.type, row.by) == ("passwd<b>.jpg", "image/jpeg", "wangfang")
    files = [file for file in desk.settings.home.rglob("*") if file.is_file() and "attachments" in file.parts]
    assert files == [desk.settings.home / "attachments" / row.key[:2] / row.key]
    assert files[0].read_bytes() == JPEG
    assert files[0].stat().st_mode & 0o777 == 0o600
    answer = client.get(f"/attachments/{row.id}")
    assert (answer.content, answer.headers["content-type"]) == (JPEG, "image/jpeg")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "passwd&lt;b&gt;.jpg" in client.get(f"/tickets/{ticket.id}").text
    assert desk.client("sunli").get(f"/attachments/{row.id}").status_code == 404  # not a follow-up
    assert desk.client().get(f"/attachments/{row.id}").status_code in (303, 401)


@pytest.mark.parametrize(
    "content", [b"<script>alert(1)</script>", b"MZ\x90\0" + b"\0" * 64, b"<svg xmlns='x'/>", b"GIF89a", b"PK\x03\x04"]
)
def test_what_is_no_photo_by_its_first_bytes_is_refused_whatever_its_name_says(desk, ticket, content):
    answer = desk.client("wangfang").post(f"/tickets/{ticket.id}/photos", files=sent(content, "photo.jpg"))
    assert answer.status_code == 422
    assert "Only photos" in answer.text
    assert kept(desk) == []
    assert not (desk.settings.home / "attachments").exists()


def test_a_file_that_is_too_large_is_refused(desk, ticket):
    large = JPEG + b"\0" * attachments.LARGEST
    answer = desk.client("wangfang").post(f"/tickets/{ticket.id}/photos", files=sent(large))
    assert answer.status_code == 413
    larger = JPEG + b"\0" * (attachments.LARGEST + 2 * 1024 * 1024)
    assert desk.client().post(link_for(desk, ticket), files=sent(larger)).status_code == 413
    assert kept(desk) == []


def test_a_customer_sends_photos_from_his_phone_without_a_log_in(desk, ticket):
    page = desk.client("wangfang").post(f"/tickets/{ticket.id}/upload-link").text
    address = page.split('<input readonly value="')[1].split('"')[0]
    assert "data:image/svg+xml" in page
    path = "/u/" + address.rsplit("/u/")[1]
    phone = desk.client()
    assert "Take or choose photos" in phone.get(path).text
    assert "name plate" in phone.get(path).text
    answer = phone.post(path, files=sent(PNG) + sent(JPEG, "故障.jpg"))
    assert answer.status_code == 200
    assert "Received, thank you." in answer.text
    refused = phone.post(path, files=sent(b"<html>"), headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json()["kept"]) == (422, [])
    assert [(row.ticket_id, row.by, row.type) for row in kept(desk)] == [
        (ticket.id, "", "image/png"),
        (ticket.id, "", "image/jpeg"),
    ]
    assert phone.get(f"/attachments/{kept(desk)[0].id}").status_code in (303, 401)
    assert "Customer" in desk.client("lina").get(f"/tickets/{ticket.id}").text


def test_a_link_ends_by_time_and_by_number_and_a_guessed_one_says_no_more(desk, ticket):
    path = link_for(desk, ticket)
    phone = desk.client()
    with desk.database.write() as db:
        db.scalars(select(UploadLink)).one().files_left = 1
    assert phone.post(path, files=sent(JPEG) + sent(PNG)).status_code == 410
    assert len(kept(desk)) == 1
    other = link_for(desk, ticket)
    with desk.database.write() as db:
        for row in db.scalars(select(UploadLink)):
            row.expires_at = now() - timedelta(seconds=1)
    for ended in (other, "/u/guessed-guessed-guessed", "/u/x", "/u/" + "é" * 20):
        answer = phone.get(ended)
        assert answer.status_code == 410
        assert "This link has ended" in answer.text
        assert phone.post(ended, files=sent(PNG)).status_code == 410
    stranger = phone.post(path, files=sent(PNG), headers={"Origin": "https://evil.example"})
    assert stranger.status_code == 403
    assert len(kept(desk)) == 1


def test_what_is_sent_during_the_call_is_at_the_ticket_opened_later(desk):
    tell(desk, *arrival(CALL))
    made = desk.client("zhaomin").post(f"/desk/calls/{CALL}/upload-link")
    assert made.status_code == 403  # no extension, no desk
    with desk.database.write() as db:
        token, _ = attachments.make_link(db, by="wangfang", now=now(), call_id=CALL)
    assert desk.client().post(f"/u/{token}", files=sent(JPEG)).status_code == 200
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        later = tickets.open_ticket(
            db, "complaint", subject="漏油", by="wangfang", now=now(), customer_id=li.id,
            fields={"about": "quality"}, call_id=CALL,
        )  # fmt: skip
        assert [row.name for row in attachments.of_ticket(db, later)] == ["铭牌.jpg"]
