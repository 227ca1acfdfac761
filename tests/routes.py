"""The desktop's routes, as the application itself lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi.routing import APIRoute


def routes(of: Iterable[object]) -> Iterator[APIRoute]:
    for route in of:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from routes(route.original_router.routes)


def permissions(route: APIRoute) -> set[str]:
    """What a route takes; none for one that is open to everybody."""
    asked = (getattr(one.dependency, "permission", None) for one in route.dependencies)
    return {permission for permission in asked if permission}
