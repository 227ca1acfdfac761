"""Accounts and tokens on their pages: made, shut, let in again, and shown once."""

from __future__ import annotations

import re

from sqlalchemy import select

from callcenter.database import now
from config import people
from config.people import User

PRESENT, CHOSEN = "柴油机服务热线-2026", "一个全新的密码-2026"

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


def test_everyone_chooses_a_password_of_his_own_and_is_signed_out_elsewhere(desk):
    with desk.database.write() as db:
        people.set_password(db, desk.users["wangfang"], PRESENT, now())
    here, elsewhere = desk.client("wangfang"), desk.client("wangfang")

    def choose(present: str, password: str, again: str | None = None):
        sent = {"present": present, "password": password, "again": password if again is None else again}
        return here.post("/account/password", data=sent)

    for fault, answer in (
        ("WrongLogin", choose("不是这个密码-0000", CHOSEN)),
        ("NotTheSame", choose(PRESENT, CHOSEN, "又一个密码-2026")),
        ("WeakPassword", choose(PRESENT, "wangfang-1234")),
    ):
        assert f'data-fault="{fault}"' in answer.text
        assert CHOSEN not in answer.text
    assert elsewhere.get("/desk").status_code == 200
    assert choose(PRESENT, CHOSEN).status_code == 200
    assert here.get("/desk").status_code == 200, "a call goes on where it was chosen"
    assert elsewhere.get("/desk").status_code == 303
    assert people.authenticate(desk.database, "wangfang", CHOSEN, "127.0.0.1", now()).name == "王芳"
    for _ in range(people.ATTEMPTS_HERE):
        choose(PRESENT, CHOSEN)
    assert choose(CHOSEN, PRESENT).status_code == 429, "who sits at another's page cannot go on guessing"


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


def test_a_user_is_renamed_given_another_role_and_an_extension_but_nobody_changes_his_own_role(desk):
    client, sun = desk.client("admin"), desk.users["chenjing"]
    path, asked = f"/admin/users/{sun.id}", {"name": "陈静怡", "role": "supervisor", "extension": "1012"}
    assert client.post(path, data=asked | {"role": "root"}).status_code == 422
    assert 'data-fault="LoginTaken"' in client.post(path, data=asked | {"extension": "1001"}).text
    reader = desk.client("chenjing")
    assert reader.get("/board").status_code == 403
    assert client.post(path, data=asked).status_code == 303
    assert reader.get("/board").status_code == 200  # at once, where she is logged in already
    with desk.database.read() as db:
        changed = db.get_one(User, sun.id)
        assert (changed.name, changed.extension) == ("陈静怡", "1012")
    assert 'data-fault="HasExtension"' in client.post(path, data=asked | {"extension": "1013"}).text
    assert client.post(path, data={"name": "陈静怡", "role": "qa"}).status_code == 303
    with desk.database.read() as db:
        assert db.get_one(User, sun.id).extension == "1012"
    own = f"/admin/users/{desk.users['admin'].id}"
    assert 'data-fault="NotYourself"' in client.post(own, data={"name": "管理员", "role": "agent"}).text
