"""Two people at one ticket's page: the second is told what the first changed, and loses nothing of what he typed."""

from __future__ import annotations

import pytest

from callcenter.database import now
from ticketing import customers, tickets


@pytest.fixture
def ticket(desk):
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        asked = {"fault": "black_smoke", "place": "郑州", "serial": "102938"}
        return tickets.open_ticket(
            db, "repair", subject="冒黑烟", by="wangfang", now=now(), customer_id=li.id, fields=asked
        )


def form_of(ticket, **typed: str):
    held = {"version": str(ticket.version), "subject": ticket.subject, "state": "open", "owner": ticket.owner}
    return held | {f"field.{name}": value for name, value in ticket.fields.items()} | typed


def test_the_second_saver_sees_what_the_first_made_of_it_and_his_own_words_are_still_there(desk, ticket):
    wang, li = desk.client("wangfang"), desk.client("lina")
    wang.post(f"/tickets/{ticket.id}", data=form_of(ticket, subject="冒蓝烟"))
    answer = li.post(
        f"/tickets/{ticket.id}", data=form_of(ticket, subject="漏油", **{"field.place": "洛阳", "urgent": "1"})
    )
    assert answer.status_code == 409
    assert "Somebody changed this ticket while you had it open" in answer.text
    assert "王芳 made it “冒蓝烟”" in answer.text
    assert 'value="漏油"' in answer.text
    assert 'value="洛阳"' in answer.text
    assert 'name="urgent" value="1" checked' in answer.text
    again = form_of(ticket, subject="漏油", **{"field.place": "洛阳", "version": "2"})
    assert 'name="version" value="2"' in answer.text
    assert li.post(f"/tickets/{ticket.id}", data=again, follow_redirects=False).status_code == 303
    with desk.database.read() as db:
        kept = tickets.load_ticket(db, ticket.id, desk.users["wangfang"])
        assert (kept.subject, kept.fields["place"], kept.version) == ("漏油", "洛阳", 3)


def test_an_incomplete_change_is_shown_as_it_was_typed(desk, ticket):
    answer = desk.client("wangfang").post(
        f"/tickets/{ticket.id}", data=form_of(ticket, subject="", **{"field.place": "洛阳"})
    )
    assert answer.status_code == 422
    assert 'value="洛阳"' in answer.text
    assert "Please fill this in" in answer.text
    with desk.database.read() as db:
        assert tickets.load_ticket(db, ticket.id, desk.users["wangfang"]).version == 1


def test_a_note_that_is_too_long_is_still_in_its_box(desk, ticket):
    words = "很长" * 10_001
    answer = desk.client("wangfang").post(f"/tickets/{ticket.id}/note", data={"text": words})
    assert answer.status_code == 422
    assert words in answer.text


def test_what_only_the_other_changed_is_taken_over_and_what_both_changed_is_asked_about(desk, ticket):
    wang, li = desk.client("wangfang"), desk.client("lina")
    wang.post(f"/tickets/{ticket.id}", data=form_of(ticket, subject="冒蓝烟", **{"field.contact": "13900001111"}))
    answer = li.post(f"/tickets/{ticket.id}", data=form_of(ticket, subject="漏油"))
    assert answer.status_code == 409
    assert 'name="field.contact" value="13900001111"' in answer.text  # 王芳's, kept
    assert 'value="漏油"' in answer.text  # 李娜's, as she typed it
    assert 'data-take="冒蓝烟"' in answer.text  # and 王芳's beside it


def test_at_the_desk_the_second_saver_gets_what_the_first_wrote_field_by_field(desk, ticket):
    desk.client("lina").post(f"/tickets/{ticket.id}", data=form_of(ticket, **{"field.hours": "3210", "urgent": "1"}))
    typed = {"id": str(ticket.id), "version": "1", "kind": "repair", "subject": "冒黑烟，停机", "field.place": "郑州"}
    typed |= {"field.fault": "black_smoke", "customer_id": str(ticket.customer_id), "field.serial": "102938"}
    answer = desk.client("wangfang").post("/desk/tickets", data=typed)
    assert answer.status_code == 409
    assert answer.json()["theirs"] == {"urgent": True, "field.hours": 3210}
    assert answer.json()["version"] == 2
