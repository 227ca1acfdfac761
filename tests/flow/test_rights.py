"""The rights of each role, tried on every route of pages and API, against a table that a person has agreed to.

``python -m tests.flow.test_rights`` writes the table anew from the app; look at what changed before you keep it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from fastapi import FastAPI

from config import people, tokens
from config.people import PERMISSIONS, Role
from tests.desktop import make_desk
from tests.fresh import fresh
from tests.routes import OPEN, address, methods, of_the_api, pages, permissions, sockets

TABLE = Path(__file__).parents[1] / "data" / "rights.txt"
WHO = {"a": "wangfang", "s": "zhaomin", "q": "chenjing", "c": "sunli", "m": "admin"}
ROLES = dict(zip(WHO, (Role.AGENT, Role.SUPERVISOR, Role.QA, Role.CAMPAIGN, Role.ADMIN), strict=True))
SOCKETS = {"/live", "/sip", "/api/v1/events"}
"""These look after their rights themselves; test_live, test_sip_proxy and test_events try them."""


def granted(asked: list[str]) -> str:
    """The letters of the roles that these permissions let in; the agent has an extension, the others have none."""
    return "".join(
        letter if all(people.may(role, one) and (one != "desk" or letter == "a") for one in asked) else "."
        for letter, role in ROLES.items()
    )


def declared(app: FastAPI) -> list[str]:
    """A line for each route: what it asks for, and whom that lets in."""
    lines = []
    for prefix, found in (("", pages(app)), ("/api", of_the_api(app))):
        for route in found:
            if prefix + route.path in OPEN:
                continue
            asked = permissions(route)
            assert asked, f"{prefix}{route.path} lets everybody in"
            assert set(asked) <= set(PERMISSIONS), route.path
            for method in sorted(methods(route)):
                lines.append(f"{prefix}{route.path} {method} {'+'.join(asked)} {granted(asked)}")
    return sorted(lines)


def agreed() -> list[tuple[str, str, str, str]]:
    lines = (line.split() for line in TABLE.read_text(encoding="utf-8").splitlines())
    return [(path, method, asked, who) for path, method, asked, who in lines]


def test_every_route_asks_for_the_right_that_was_agreed(desk):
    table = [" ".join(line) for line in agreed()]
    told = declared(desk.app)
    assert [line for line in told if line not in table] == [], "new, or changed: not in the table"
    assert [line for line in table if line not in told] == [], "in the table only"
    assert len(table) > 60


def test_every_socket_is_known(desk):
    assert sockets(desk.app) == SOCKETS


@pytest.mark.parametrize("letter", WHO)
def test_a_role_gets_in_where_the_table_says_and_nowhere_else(desk, letter):
    browser, bearer = desk.client(WHO[letter]), desk.token(WHO[letter])
    with desk.client() as programs:  # one loop for all its requests
        for path, method, _asked, who in agreed():
            if path.startswith("/api/"):
                said = programs.request(method, address(path), headers=bearer, json={})
            else:
                said = (desk.client(WHO[letter]) if path == "/logout" else browser).request(method, address(path))
            refused = said.status_code == 403 and "NotAllowed" in said.text
            assert refused == (letter not in who), f"{method} {path}: {said.status_code} {said.text[:300]}"
            assert said.status_code < 500, f"{method} {path}: {said.text[:500]}"


def test_a_token_gets_no_further_than_its_scopes(desk):
    """An administrator's token for everything but what the route needs."""
    client = desk.client()
    for path, method, asked, _who in agreed():
        if not path.startswith("/api/") or "desk" in asked:
            continue
        needed = {tokens.scope_of(one) for one in asked.split("+")}
        assert needed <= set(tokens.SCOPES), f"{path} needs a scope nobody can have: {needed}"
        lacking = [one for one in tokens.SCOPES if one.split(":")[0] not in {need.split(":")[0] for need in needed}]
        said = client.request(method, address(path), headers=desk.token("admin", *lacking), json={})
        assert (said.status_code, said.json()["error"]) == (403, "OutOfScope"), f"{method} {path}"


def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = fresh(Path(folder) / "rights.db")
        TABLE.write_text("\n".join(declared(make_desk(Path(folder), database).app)) + "\n", encoding="utf-8")
        database.close()


if __name__ == "__main__":
    _write()
