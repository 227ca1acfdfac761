"""Every route of the app, from its own table, and an address for each whose record does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import Mount

OPEN = {"/login", "/texts.json", "/healthz", "/metrics", "/api/docs", "/u/{token}"}
"""What needs nobody to be signed in."""

Route = APIRoute | APIWebSocketRoute


def every(of: Iterable[object]) -> Iterator[Route]:
    for route in of:
        if isinstance(route, Route):
            yield route
        elif hasattr(route, "original_router"):
            yield from every(route.original_router.routes)


def routes(of: Iterable[object]) -> Iterator[APIRoute]:
    """Those asked over HTTP."""
    return (route for route in every(of) if isinstance(route, APIRoute))


def pages(app: FastAPI) -> list[APIRoute]:
    return list(routes(app.routes))


def mounted(app: FastAPI) -> Iterator[tuple[str, FastAPI]]:
    for mount in app.routes:
        if isinstance(mount, Mount) and isinstance(mount.app, FastAPI):
            yield mount.path, mount.app


def of_the_api(app: FastAPI) -> list[APIRoute]:
    return [route for _path, inner in mounted(app) for route in routes(inner.routes)]


def sockets(app: FastAPI) -> set[str]:
    places = [("", app), *mounted(app)]
    return {
        path + route.path
        for path, place in places
        for route in every(place.routes)
        if isinstance(route, APIWebSocketRoute)
    }


def permissions(route: APIRoute) -> list[str]:
    asked = (getattr(one.dependency, "permission", None) for one in route.dependencies)
    return [permission for permission in asked if permission]


def methods(route: APIRoute) -> set[str]:
    return set(route.methods or ()) - {"HEAD"}


def address(path: str) -> str:
    """An address of this route whose record does not exist."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: "999999" if found[1].endswith("id") else "x", path).replace(
        "/calls/999999", "/calls/tel-1.1"
    )
