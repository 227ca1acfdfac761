"""Signing in and out, as browsers do it and as attackers try it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from callcenter.database import now
from config import people
from config.people import LoginSession, User
from config.settings import Settings
from tests.desktop import HOST, PASSWORD, make_desk


def sign_in(client: TestClient, login: str, password: str = PASSWORD, **fields: str):
    client.get("/login")
    csrf = client.cookies.get("login_csrf")
    return client.post("/login", data={"login": login, "password": password, "csrf": csrf, **fields})


@pytest.mark.parametrize(
    ("login", "home"),
    [
        ("wangfang", "/desk"),
        ("zhaomin", "/board"),
        ("chenjing", "/calls"),
        ("sunli", "/tickets"),
        ("admin", "/board"),
    ],
)
def test_each_role_begins_its_day_on_its_own_page(desk, login, home):
    client = desk.client()
    answer = sign_in(client, login)
    assert answer.status_code == 303
    assert answer.headers["location"] == home
    assert client.get("/").headers["location"] == home


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(desk):
    cookie = sign_in(desk.client(), "wangfang").headers["set-cookie"]
    assert cookie.startswith("callcenter=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_behind_https_the_cookie_is_bound_to_this_host(tmp_path, database):
    settings = Settings.model_validate({"home": tmp_path, "desktop": {"secure_cookie": True}})
    client = make_desk(tmp_path, database, settings).client()
    client.base_url = client.base_url.copy_with(scheme="https")
    cookie = sign_in(client, "wangfang").headers["set-cookie"]
    assert cookie.startswith("__Host-callcenter=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize(("login", "password"), [("wangfang", "wrong-password"), ("nobody", PASSWORD), ("", PASSWORD)])
def test_what_is_wrong_is_not_told_apart(desk, login, password):
    answer = sign_in(desk.client(), login or " ", password)
    assert answer.status_code == 401
    assert "Login or password is wrong." in answer.text
    assert f'value="{login}"' in answer.text.replace('value=" "', 'value=""')  # what was typed is kept


def test_too_many_failures_are_told_in_words_with_the_time_to_wait(desk):
    client = desk.client()
    for _ in range(people.ATTEMPTS_HERE):
        assert sign_in(client, "wangfang", "wrong-password").status_code == 401
    answer = sign_in(client, "wangfang")  # even with the right password
    assert answer.status_code == 429
    assert "Too many failed log-ins. Wait " in answer.text
    assert sign_in(client, "zhaomin").status_code == 303  # nobody else is kept out


def test_a_login_form_of_another_site_is_refused(desk):
    client = desk.client()
    client.get("/login")
    form = {"login": "wangfang", "password": PASSWORD, "csrf": "guessed"}
    assert client.post("/login", data=form).status_code == 403
    form["csrf"] = client.cookies.get("login_csrf") or ""
    answer = client.post("/login", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "callcenter" not in client.cookies


def test_after_the_log_in_the_user_is_where_he_wanted_to_be_but_never_on_another_site(desk):
    assert sign_in(desk.client(), "zhaomin", next="/tickets").headers["location"] == "/tickets"
    for trap in ("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:x"):
        location = sign_in(desk.client(), "zhaomin", next=trap).headers["location"]
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))


def test_a_session_planted_before_the_log_in_is_not_kept(desk):
    client = desk.client()
    planted, _csrf = desk.session("lina")
    client.cookies.set("callcenter", planted)
    client.cookies.set("login_csrf", "x")
    client.post("/login", data={"login": "wangfang", "password": PASSWORD, "csrf": "x"})
    with desk.database.read() as db:
        assert people.session_user(db, planted, now()) is None


def test_a_cookie_is_worth_nothing_after_log_out(desk):
    client = desk.client("wangfang")
    token = client.cookies.get("callcenter")
    assert client.post("/logout").headers["location"] == "/login"
    client.cookies.clear()
    client.cookies.set("callcenter", token or "")
    answer = client.get("/tickets")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Ftickets"


@pytest.mark.parametrize(
    "change",
    [
        {"created_at": now() - timedelta(hours=13)},
        {"seen_at": now() - timedelta(hours=3)},
        {"ended_at": now()},
    ],
    ids=["too old", "too long unused", "ended by an administrator"],
)
def test_a_session_ends(desk, change):
    client = desk.client("wangfang")
    assert client.get("/tickets").status_code == 200
    with desk.database.write() as db:
        db.execute(update(LoginSession).values(**change))
    assert client.get("/tickets").status_code == 303


def test_a_user_shut_out_is_out_at_once(desk):
    client = desk.client("wangfang")
    with desk.database.write() as db:
        db.execute(update(User).where(User.login == "wangfang").values(active=False))
    assert client.get("/tickets").status_code == 303


def test_a_part_of_a_page_asked_for_after_the_session_leads_the_whole_page_to_the_log_in(desk):
    answer = desk.client().get("/board/now", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/login"


def test_the_language_is_the_users_own_and_stays(desk):
    client = desk.client("zhaomin")
    assert '<html lang="en">' in client.get("/tickets").text
    client.post("/language", data={"language": "zh"})
    page = client.get("/tickets").text
    assert '<html lang="zh-Hans">' in page
    assert "工单" in page
    with desk.database.read() as db:
        assert db.scalar(select(User.language).where(User.login == "zhaomin")) == "zh"
    assert client.post("/language", data={"language": "xx"}).status_code == 422


def test_who_has_not_signed_in_reads_his_browsers_language(desk):
    client = desk.client()
    assert 'lang="en"' in client.get("/login", headers={"Accept-Language": "de, en;q=0.8"}).text
    assert 'lang="zh-Hans"' in client.get("/login", headers={"Accept-Language": "zh-TW,zh;q=0.9"}).text
    assert 'lang="zh-Hans"' in client.get("/login", headers={"Accept-Language": "fr"}).text  # the centre's own


def test_every_page_forbids_what_it_does_not_need(desk):
    answer = desk.client("zhaomin").get("/board")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert f"ws://{HOST}" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_strange_host_header_gets_nothing_into_the_policy(desk):
    answer = desk.client("zhaomin").get("/board", headers={"Host": "x; script-src *"})
    assert "script-src *" not in answer.headers["content-security-policy"]


def test_a_body_of_more_than_a_megabyte_is_refused_without_being_kept(desk):
    client = desk.client("wangfang")
    answer = client.post("/customers", data={"name": "x" * 1_100_000, "kind": "oem"})
    assert answer.status_code == 413
    assert "larger than one megabyte" in answer.text


def test_static_files_are_kept_for_ever_under_an_address_of_their_content(desk):
    client = desk.client()
    page = client.get("/login").text
    address = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    answer = client.get(address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/app.css").headers["cache-control"] == "no-cache"
    assert client.get("/static/v-000000000000/../../page.py").status_code == 404
    assert client.get("/static/%2e%2e/page.py").status_code == 404
