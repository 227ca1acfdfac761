"""What agents do on the pages of calls, customers and tickets, from the click to the row."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from callcenter.database import now
from callcenter.nudges import TicketChanged
from tests.desktop import Desk, answer, arrival, hang_up, ringing, tell
from ticketing import customers, engines, tickets
from ticketing.rows import Customer, Ticket


@pytest.fixture
def repair(desk) -> Ticket:
    """李建国's repair, as 王芳 opened it."""
    with desk.database.write() as db:
        owner = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"], region="河南 郑州")
        engine = engines.create(db, "4D8325K102938", "4D83", customer_id=owner.id, vehicle="装载机 龙工 LG855")
        return tickets.open_ticket(
            db,
            "repair",
            subject="水温高",
            by="wangfang",
            now=now(),
            customer_id=owner.id,
            engine_id=engine.id,
            fields={"fault": "coolant_hot", "place": "郑州东站工地"},
            zone=desk.settings.centre.zone,
        )


def reread(desk: Desk, ticket: Ticket) -> Ticket:
    with desk.database.read() as db:
        return tickets.load_ticket(db, ticket.id, desk.users["admin"])


# --- calls -----------------------------------------------------------------------------------------------------


def test_calls_are_found_by_number_name_queue_result_and_day(desk):
    with desk.database.write() as db:
        customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    tell(desk, *arrival("tel-2.1", number="+8613900139000", queue="inquiry"))
    client = desk.client("zhaomin")
    today = now().astimezone(desk.settings.centre.zone).date()

    def found(**asked: object) -> set[str]:
        return set(re.findall(r'href="/calls/(tel-\d\.1)"', client.get("/calls", params=asked).text))

    assert found() == {"tel-1.1", "tel-2.1"}
    assert found(q="138 0013 8000") == {"tel-1.1"}
    assert found(queue="inquiry") == {"tel-2.1"}
    assert found(outcome="answered") == {"tel-1.1"}
    assert found(outcome="live") == {"tel-2.1"}
    assert found(agent="1001") == {"tel-1.1"}
    assert found(first=today, last=today) == {"tel-1.1", "tel-2.1"}
    assert found(first=today + timedelta(days=1)) == set()


def test_an_agent_lists_the_calls_that_rang_at_his_phone(desk):
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    tell(desk, *arrival("tel-2.1"))
    assert "tel-1.1" in desk.client("wangfang").get("/calls").text
    assert "tel-" not in desk.client("lina").get("/calls").text
    assert "tel-2.1" not in desk.client("wangfang").get("/calls").text


# --- customers and engines -------------------------------------------------------------------------------------


def test_a_customer_is_made_changed_and_given_numbers(desk):
    client = desk.client("wangfang")
    made = client.post("/customers", data={"name": "南阳宛城特约维修站", "kind": "station", "number": "0377-6666 1234"})
    path = made.headers["location"]
    client.post(path, data={"name": "南阳宛城特约维修站", "kind": "station", "region": "河南 南阳", "note": "夜间值班"})
    client.post(f"{path}/phones", data={"number": "139 4429 4403", "label": "站长"})
    with desk.database.read() as db:
        customer = db.scalars(select(Customer)).one()
        assert (customer.region, customer.note) == ("河南 南阳", "夜间值班")
        numbers = {one.number: one.id for one in customer.phones}
    assert set(numbers) == {"+8637766661234", "+8613944294403"}
    client.post(f"{path}/phones", data={"remove": numbers["+8637766661234"]})
    page = client.get(path).text
    assert "139 4429 4403" in page
    assert "Remove +8637766661234" not in page  # no longer his, though the time line tells that it was


def test_a_customer_without_a_name_is_refused_in_words(desk):
    refused = desk.client("wangfang").post("/customers", data={"name": " ", "kind": "station"})
    assert refused.status_code == 422
    assert 'aria-describedby="n-name-error"' in refused.text


def test_customer_engine_and_ticket_are_found_from_each_other(desk, repair):
    client = desk.client("chenjing")
    customer = client.get(f"/customers/{repair.customer_id}").text
    assert f'href="/engines/{repair.engine_id}"' in customer
    assert f'href="/tickets/{repair.id}"' in customer
    engine = client.get(f"/engines/{repair.engine_id}").text
    assert f'href="/customers/{repair.customer_id}"' in engine
    assert f'href="/tickets/{repair.id}"' in engine
    for word in ("李建国", "建国", "ljg", "li jian", "8000", "102938"):
        assert f'href="/customers/{repair.customer_id}"' in client.get("/customers", params={"q": word}).text, word


# --- tickets ---------------------------------------------------------------------------------------------------


def form_of_page(text: str) -> dict[str, str]:
    """What the browser would send of the ticket's form as it stands."""
    form = text.split('<form class="body fields" method="post" action="/tickets/')[1].split("</form>")[0]
    form = re.sub(r'<input type="checkbox"(?![^>]* checked)[^>]*>', "", form)
    sent = dict(re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', form))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        sent[name] = chosen.group(1) if chosen else ""
    return sent


def test_a_ticket_is_changed_noted_closed_and_opened_again(desk, repair):
    told: list[TicketChanged] = []
    desk.bus.listen(lambda event: told.append(event) if isinstance(event, TicketChanged) else None)
    client, path = desk.client("lina"), f"/tickets/{repair.id}"
    sent = form_of_page(client.get(path).text)
    assert sent["field.place"] == "郑州东站工地"
    sent |= {"subject": "水温高，已停机", "stage": "waiting", "owner": "lina"}
    assert client.post(path, data=sent).status_code == 303
    ticket = reread(desk, repair)
    assert (ticket.subject, ticket.state, ticket.owner) == ("水温高，已停机", "waiting", "lina")
    assert ticket.due_at is None  # the clock rests while the customer is waited for
    assert ticket.left_s is not None
    assert 0 < ticket.left_s <= 24 * 3600
    assert client.post(path, data=form_of_page(client.get(path).text) | {"stage": "new"}).status_code == 303
    ticket = reread(desk, repair)
    assert ticket.due_at is not None
    assert repair.due_at is not None
    assert abs(ticket.due_at - repair.due_at) <= timedelta(minutes=1)  # nothing was promised anew
    assert client.post(f"{path}/note", data={"text": "已通知\n服务站"}).status_code == 303
    assert client.post(f"{path}/close", data={"text": "已修复"}).status_code == 303
    assert reread(desk, repair).state == "closed"
    page = client.get(path).text
    assert "已通知\n服务站" in page
    assert "已修复" in page
    assert "Reopen ticket" in page
    assert client.post(f"{path}/reopen", data={"text": ""}).status_code == 303
    assert reread(desk, repair).state == "open"
    assert len(told) == 5


def test_nothing_of_a_colleague_is_overwritten(desk, repair):
    mine, theirs, path = desk.client("wangfang"), desk.client("lina"), f"/tickets/{repair.id}"
    sent = form_of_page(mine.get(path).text)
    theirs.post(path, data=form_of_page(theirs.get(path).text) | {"subject": "由李娜改"})
    refused = mine.post(path, data=sent | {"subject": "由王芳改"})
    assert refused.status_code == 409
    assert "Somebody changed this ticket while you had it open; yours was not saved over it." in refused.text
    assert "由王芳改" in refused.text  # what he typed is still there
    assert reread(desk, repair).subject == "由李娜改"


def test_what_is_missing_is_said_at_its_field_and_nothing_is_saved(desk, repair):
    client, path = desk.client("wangfang"), f"/tickets/{repair.id}"
    refused = client.post(path, data=form_of_page(client.get(path).text) | {"field.place": ""})
    assert refused.status_code == 422
    assert "The ticket is not complete; nothing was saved, and what was typed is still there." in refused.text
    assert "Please fill this in" in refused.text
    assert reread(desk, repair).fields["place"] == "郑州东站工地"


def test_a_campaign_manager_sees_follow_ups_and_no_other_ticket(desk, repair):
    with desk.database.write() as db:
        follow_up = tickets.open_ticket(
            db,
            "follow_up",
            subject="保养回访",
            by="lina",
            now=now(),
            customer_id=repair.customer_id,
            fields={"about": "首保"},
        )
    client = desk.client("sunli")
    listed = client.get("/tickets").text
    assert follow_up.number in listed
    assert repair.number not in listed
    assert client.get(f"/tickets/{repair.id}").status_code == 404
    assert repair.number not in client.get(f"/customers/{repair.customer_id}").text
    assert "<textarea" not in client.get(f"/tickets/{follow_up.id}").text  # he reads, he does not write


def test_late_tickets_are_found(desk, repair):
    with desk.database.write() as db:
        hour_ago = now() - timedelta(hours=1)
        late = tickets.open_ticket(
            db,
            "inquiry",
            subject="配件",
            by="lina",
            now=now(),
            due_at=hour_ago,
            fields={"topic": "parts"},
        )
    listed = desk.client("zhaomin").get("/tickets?late=true").text
    assert late.number in listed
    assert repair.number not in listed


def test_a_ticket_is_found_in_the_list_by_its_words_its_customer_and_its_engine(desk):
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        engine = engines.create(db, "4D83ZT240102938", "4D83", customer_id=li.id)
        made: dict[str, Any] = {"by": "wangfang", "now": now(), "fields": {"topic": "other"}}
        mine = tickets.open_ticket(db, "inquiry", subject="上门服务怎么收费", customer_id=li.id, **made)
        his = tickets.open_ticket(db, "inquiry", subject="机油用哪种", engine_id=engine.id, **made)
        tickets.close(db, tickets.open_ticket(db, "inquiry", subject="服务站周末上班吗", **made), by="lina", now=now())
    client = desk.client("zhaomin")

    def found(**asked: str) -> set[str]:
        return set(re.findall(r"[A-Z]\d{6}-\d{4}", client.get("/tickets", params=asked).text))

    assert found(q="ljg") == {mine.number}
    assert found(q="02938") == {his.number}
    assert found(q="收费") == {mine.number}
    assert found(q="周末") == set()
    assert "state=all" in client.get("/tickets", params={"q": "周末"}).text
    assert len(found(q="周末", state="all")) == 1
    assert found(q="  ") == {mine.number, his.number}
