"""Pages without a session, and every change without its proof; who may open what is in test_rights."""

from __future__ import annotations

import pytest

from tests.routes import OPEN, address, methods, pages


def test_without_a_session_every_page_leads_to_the_log_in(desk):
    client = desk.client()
    for route in pages(desk.app):
        if route.path in OPEN:
            continue
        for method in methods(route):
            answer = client.request(method, address(route.path))
            assert answer.status_code in (303, 401), f"{method} {route.path}: {answer.status_code}"
            if answer.status_code == 303:
                assert answer.headers["location"].startswith("/login")


def test_no_change_is_made_without_the_token(desk):
    client = desk.client("admin")
    del client.headers["X-CSRF"]
    seen = 0
    for route in pages(desk.app):
        for method in methods(route) - {"GET"}:
            if route.path in OPEN:
                continue
            for csrf in ({}, {"X-CSRF": "guessed"}):
                answer = client.request(method, address(route.path), headers=csrf, data={"csrf": "guessed too"})
                assert answer.status_code == 403, f"{method} {route.path}: {answer.status_code}"
                assert 'data-fault="Forged"' in answer.text or 'data-fault="NotAllowed"' in answer.text
            seen += 1
    assert seen > 15


def test_a_change_from_another_site_is_refused_even_with_the_token(desk):
    client = desk.client("admin")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8081"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert client.post("/language", data={"language": "zh"}, headers=headers).status_code == 403, headers
    assert client.post("/language", data={"language": "zh"}, headers={"Origin": desk.origin}).status_code == 303


def test_the_token_may_come_as_a_field_of_the_form(desk):
    client = desk.client("lina")
    csrf = client.headers.pop("X-CSRF")
    assert client.post("/language", data={"language": "zh", "csrf": csrf}).status_code == 303


def test_the_token_of_another_session_is_worth_nothing(desk):
    client = desk.client("lina")
    client.headers["X-CSRF"] = desk.session("lina")[1]
    assert client.post("/language", data={"language": "zh"}).status_code == 403


def test_the_menu_shows_only_what_the_role_may_open(desk):
    assert 'href="/admin/users"' in desk.client("admin").get("/tickets").text
    page = desk.client("wangfang").get("/tickets").text
    assert 'href="/desk"' in page
    assert 'href="/board"' not in page
    assert 'href="/admin/users"' not in page


@pytest.mark.parametrize("path", ["/tickets/999999", "/customers/999999", "/engines/1", "/calls/tel-1.1", "/no-such"])
def test_what_is_not_there_and_what_you_may_not_see_look_alike(desk, path):
    answer = desk.client("wangfang").get(path)
    assert answer.status_code == 404
    assert 'data-fault="NotFound"' in answer.text
    assert "There is no such record, or you may not see it." in answer.text
    assert "Nothing was changed." in answer.text
