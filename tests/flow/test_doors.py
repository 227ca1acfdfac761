"""Whatever a page does or shows, another program can do or read: each page's route beside the API's of one meaning.

The table is ``tests/data/doors.txt``; a new page route stands in it with the API's, or with why there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.people import PERMISSIONS, may
from tests.routes import methods, of_the_api, pages, permissions

TABLE = Path(__file__).parents[1] / "data" / "doors.txt"
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


def beside() -> Iterator[tuple[str, list[str], str]]:
    """A page's route, the API's routes, or why there are none."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        said, is_there, others = line.partition(" = ")
        if is_there:
            yield said, others.split(", "), ""
        else:
            said, _, why = line.partition(" - ")
            yield said, [], why


def asked(routes) -> dict[str, set[str]]:
    return {f"{verb} {route.path}": set(permissions(route)) for route in routes for verb in methods(route)}


def roles(permission: str) -> set[str]:
    return {role.value for role in PERMISSIONS[permission] if may(role, permission)}


def test_whatever_a_page_does_another_program_can_do(desk):
    of_pages, table = asked(pages(desk.app)), list(beside())
    api = {way.replace("/v1", "", 1): rights for way, rights in asked(of_the_api(desk.app)).items()}
    assert sorted(of_pages) == sorted(said for said, _ways, _why in table), (
        "a page without its line, or a line too many"
    )
    for said, ways, why in table:
        assert ways or why, f"{said}: neither a way nor a reason"
        assert set(ways) <= set(api), f"{said}: the API has no {set(ways) - set(api)}"
        if said.split()[0] in CHANGING and ways:
            assert any(way.split()[0] in CHANGING for way in ways), f"{said} changes something, {ways} do not"
            for way in ways:
                for needed in api[way]:
                    assert any(roles(needed) >= roles(own) for own in of_pages[said]), (
                        f"{way} lets fewer in than {said}"
                    )


def test_whoever_may_not_on_the_page_may_not_over_the_api(desk):
    of_pages = asked(pages(desk.app))
    api = {way.replace("/v1", "", 1): rights for way, rights in asked(of_the_api(desk.app)).items()}
    for said, ways, _why in beside():
        if said.split()[0] not in CHANGING:
            continue
        of_page = set.intersection(*(roles(one) for one in of_pages[said])) if of_pages[said] else set()
        for way in ways:
            over_api = set.intersection(*(roles(one) for one in api[way]))
            assert over_api <= of_page, f"{way} lets {over_api - of_page} in, {said} does not"
