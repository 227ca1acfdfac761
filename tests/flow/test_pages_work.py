"""What supervisors, agents and administrators do on their pages, from the click to the row."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from agent_desktop.board import attention
from callcenter.database import now
from callcenter.nudges import TicketChanged
from config import definitions, people, queues
from config.people import User
from cti.rows import Agent, SwitchRow
from reports import today
from reports.rows import Reconciliation
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


# --- the board -------------------------------------------------------------------------------------------------


def test_the_board_shows_who_waits_and_what_the_day_was(desk):
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    tell(desk, *arrival("tel-2.1", number="+8613900139000"))
    page = desk.client("zhaomin").get("/board/now").text
    row = page.split('data-queue="repair"')[1].split("</tr>")[0]
    assert re.search(r">1</a>", row)  # one waits
    assert "data-since=" in row
    assert re.findall(r"figure=(\w+)&amp;queue=repair\">([^<]*)<", row)[:2] == [("offered", "2"), ("answered", "1")]
    assert "100.0%" in row  # the one who still waits within the target counts neither way


def test_a_queue_made_a_moment_ago_is_on_the_board(desk):
    client = desk.client("zhaomin")
    assert client.get("/board/now").status_code == 200
    with desk.database.write() as db:
        queues.create_queue(db, "rescue", "求援", "Rescue")
    assert 'data-queue="rescue"' in client.get("/board/now").text


def test_the_board_says_whether_yesterdays_calls_agree_with_the_switchs_books(desk):
    client = desk.client("zhaomin")
    assert 'id="books"' not in client.get("/board/now").text
    for day, count, said in (("2026-11-20", 3, "3 differences"), ("2026-11-21", 0, "all 812 calls agree")):
        with desk.database.write() as db:
            db.add(Reconciliation(day=day, looked_at=now(), calls=812, differences=[], count=count))
        page = client.get("/board/now").text
        assert f"{day}: {said}" in page


def test_every_day_that_was_looked_at_stands_with_its_differences_call_by_call(desk):
    client = desk.client("zhaomin")
    assert "No day has been looked at yet." in client.get("/reports/books").text
    wrong = {
        "call_id": "tel-1.1",
        "what": "wait",
        "ours": "repair timeout",
        "theirs": "repair <abandoned>",
        "cause": "",
    }
    with desk.database.write() as db:
        db.add(Reconciliation(day="2026-11-20", looked_at=now(), calls=812, differences=[wrong], count=1))
        db.add(Reconciliation(day="2026-11-21", looked_at=now(), calls=640, differences=[], count=0))
    page = client.get("/reports/books").text
    assert page.index('data-day="2026-11-21"') < page.index('data-day="2026-11-20"')
    assert 'href="/calls/tel-1.1"' in page
    assert "wait: ours repair timeout, theirs repair &lt;abandoned&gt;" in page
    assert desk.client("wangfang").get("/reports/books").status_code == 403


# --- what a queue is measured by ---------------------------------------------------------------------------------

TARGETS = {
    "version": "1", "service_level": "sl3", "target_s": "30", "target_percent": "90", "short_abandon_s": "3",
    "ring_s": "15", "max_wait_s": "600", "wrap_up_s": "60", "exit_key": "*",
}  # fmt: skip


def test_a_supervisor_changes_a_queues_definitions_and_what_was_before_is_made_by_them_too(desk):
    client = desk.client("zhaomin")
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))

    def level() -> tuple[str, dict[str, float], int]:
        with desk.database.read() as db:
            figures = today.today(db, desk.settings.centre.zone, now(), "repair")
        (one,) = [figure for figure in figures if figure.name == "service_level"]
        return one.formula_en.partition(":")[0], dict(one.thresholds), one.queue_version or 0

    assert level() == ("A_T / (O − B_s − W_T)", {"T": 20, "s": 5, "c": 0}, 1)
    assert client.post("/admin/queues/repair", data=TARGETS).status_code == 303
    assert level() == ("A_T / (A + B)", {"T": 30, "s": 3, "c": 0}, 2)
    page = client.get("/admin/queues").text
    for said in ("zhaomin", "20 → <b>30</b>", "80.0% → <b>90.0%</b>", "SL8 → <b>SL3</b>", "5 → <b>3</b>"):
        assert said in page
    assert "v1.2" in client.get("/reports/today?queue=repair").text


def test_of_two_who_change_a_queue_the_second_is_told_and_what_no_queue_can_have_is_refused(desk):
    client = desk.client("zhaomin")
    assert client.post("/admin/queues/repair", data=TARGETS).status_code == 303
    assert client.post("/admin/queues/repair", data=TARGETS | {"target_s": "40"}).status_code == 409
    same = TARGETS | {"version": "2"}
    assert client.post("/admin/queues/repair", data=same).status_code == 303
    for field, value in (
        ("target_s", "0"),
        ("target_percent", "101"),
        ("target_percent", "nan"),
        ("short_abandon_s", "-1"),
        ("service_level", "sl9"),
        ("exit_key", ";"),
        ("ring_s", "soon"),
    ):
        assert client.post("/admin/queues/repair", data=same | {field: value}).status_code == 422, field
    assert client.post("/admin/queues/nowhere", data=same).status_code == 404
    with desk.database.read() as db:
        assert [(one.queue, one.version) for one in definitions.history(db)] == [("repair", 2)]
    assert desk.client("wangfang").get("/admin/queues").status_code == 403


def test_the_board_says_that_telephony_is_lost(desk):
    with desk.database.write() as db:
        db.add(SwitchRow(name="tel", connected=False, since=now(), detail="login refused"))
    for page in (desk.client("zhaomin").get("/board").text, desk.client("zhaomin").get("/board/now").text):
        assert "Telephony lost" in page
        assert "login refused" in page


AT = now()
LONG, SHORT = timedelta(minutes=10), timedelta(seconds=5)


def seen(status: str, state: str, ago: timedelta = SHORT, reason: str = "", reachable: bool = True) -> Agent:
    return Agent(
        extension="1001", status=status, state=state, status_reason=reason, state_since=AT - ago, reachable=reachable
    )


def test_who_needs_attention_comes_first():
    in_order = [
        seen("on_break", "idle", reason="missed"),
        seen("available", "idle", reachable=False),
        seen("available", "wrap_up", LONG),
        seen("available", "ringing"),
        seen("available", "talking"),
        seen("available", "wrap_up"),
        seen("available", "idle"),
        seen("on_break", "idle", reason="lunch"),
        seen("offline", "idle", reachable=False),
    ]
    ranks = [attention(agent, AT, timedelta(minutes=1)) for agent in in_order]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert attention(seen("available", "ringing", LONG), AT, LONG) == attention(in_order[1], AT, LONG)


# --- the report ------------------------------------------------------------------------------------------------


def test_each_figure_stands_with_its_formula_and_leads_to_its_calls(desk):
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    client = desk.client("zhaomin")
    page = client.get("/reports/today").text
    assert "A_T / (O − B_s − W_T)" in page
    for name in re.findall(r'data-figure="(\w+)"', page):
        behind = client.get(f"/reports/today/calls?figure={name}")
        assert behind.status_code == 200, name
    assert "/calls/tel-1.1" in client.get("/reports/today/calls?figure=answered&queue=repair").text
    assert "/calls/tel-1.1" not in client.get("/reports/today/calls?figure=abandoned").text


def test_a_manager_without_the_calls_sees_numbers_but_no_doors(desk):
    tell(desk, *arrival("tel-1.1"))
    page = desk.client("sunli").get("/reports/today/calls?figure=offered").text
    assert 'href="/calls/' not in page


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


# --- users -----------------------------------------------------------------------------------------------------


def test_a_user_is_made_with_a_password_shown_once(desk):
    client = desk.client("admin")
    made = client.post(
        "/admin/users",
        data={"login": "liuyang", "name": "刘洋", "role": "agent", "language": "zh", "extension": "1003"},
    )
    password = re.search(r'id="password">([^<]+)<', made.text)
    assert password is not None
    assert people.authenticate(desk.database, "liuyang", password.group(1), "127.0.0.1", now()).extension == "1003"
    assert password.group(1) not in client.get("/admin/users").text
    again = client.post("/admin/users", data={"login": "liuyang", "name": "刘洋", "role": "agent"})
    assert again.status_code == 422
    assert 'data-fault="LoginTaken"' in again.text
    assert client.post("/admin/users", data={"login": "x", "name": "x", "role": "root"}).status_code == 422


def test_a_program_is_given_a_token_once_and_it_can_be_taken_back(desk):
    client, asked = desk.client("admin"), {"user_id": desk.users["zhaomin"].id, "name": "ERP 用友", "days": 30}
    assert 'data-fault="NoSuchScope"' in client.post("/admin/tokens", data=asked).text
    made = client.post("/admin/tokens", data=asked | {"scopes": ["agents:read", "tickets:read"]})
    shown = re.search(r'id="token">([^<]+)<', made.text)
    assert shown is not None
    assert "never" in made.text
    bearer = {"Authorization": f"Bearer {shown.group(1)}"}
    assert desk.client().get("/api/v1/agents", headers=bearer).status_code == 200
    page = client.get("/admin/tokens").text
    assert shown.group(1) not in page
    assert "agents:read tickets:read" in page
    assert "never" not in page  # it has just been used
    end = re.search(r'action="(/admin/tokens/\d+/end)"', page)
    assert end is not None
    assert client.post(end.group(1)).status_code == 303
    assert desk.client().get("/api/v1/agents", headers=bearer).status_code == 401


def test_everyone_makes_and_ends_his_own_tokens_within_his_own_rights(desk):
    client, colleague = desk.client("wangfang"), desk.client("lina")
    page = client.get("/account/tokens").text
    assert "tickets:write" in page
    assert "webhooks:write" not in page  # which an agent has no use for
    made = client.post("/account/tokens", data={"name": "排班表", "scopes": ["tickets:read", "agents:read"]})
    shown = re.search(r'id="token">([^<]+)<', made.text)
    assert shown is not None
    bearer = {"Authorization": f"Bearer {shown.group(1)}"}
    assert desk.client().get("/api/v1/tickets", headers=bearer).status_code == 200
    refused = desk.client().get("/api/v1/agents", headers=bearer)
    assert (refused.status_code, refused.json()["error"]) == (403, "NotAllowed")  # never more than the role
    outside = desk.client().get("/api/v1/customers", headers=bearer)
    assert (outside.status_code, outside.json()["error"]) == (403, "OutOfScope")
    assert outside.json()["detail"] == "customers:read"
    end = re.search(r'action="(/account/tokens/\d+/end)"', made.text)
    assert end is not None
    assert colleague.post(end.group(1)).status_code == 404
    assert client.post(end.group(1)).status_code == 303
    assert desk.client().get("/api/v1/tickets", headers=bearer).status_code == 401


def test_an_administrator_does_not_lock_himself_out(desk):
    client = desk.client("admin")
    refused = client.post(f"/admin/users/{desk.users['admin'].id}/active", data={"active": "false"})
    assert refused.status_code == 422
    assert 'data-fault="NotYourself"' in refused.text


def test_a_new_password_ends_the_old_sessions(desk):
    agent = desk.client("wangfang")
    assert agent.get("/tickets").status_code == 200
    shown = desk.client("admin").post(f"/admin/users/{desk.users['wangfang'].id}/password")
    assert shown.status_code == 200
    assert agent.get("/tickets").status_code == 303
    with desk.database.read() as db:
        assert db.scalar(select(User.active).where(User.login == "wangfang"))


def test_an_agent_shut_out_may_be_let_in_again(desk):
    client, path = desk.client("admin"), f"/admin/users/{desk.users['lina'].id}/active"
    client.post(path, data={"active": "false"})
    assert "Let in" in client.get("/admin/users").text
    client.post(path, data={"active": "true"})
    with desk.database.read() as db:
        assert db.scalar(select(User.active).where(User.login == "lina"))
