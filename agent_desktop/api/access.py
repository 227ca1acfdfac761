"""Who calls the API: the owner of the bearer token, with his role's rights."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from agent_desktop.desktop import Reading
from agent_desktop.session import may
from callcenter.errors import CallCenterError, NotAllowed
from config import people
from config.people import User

bearer = HTTPBearer(auto_error=False, description="A token that an administrator has made on the page Users.")


class NoToken(CallCenterError):
    """The API needs a bearer token that is still good."""

    status = 401


def token_user(db: Reading, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> User:
    user = people.token_user(db, sent.credentials) if sent is not None else None
    if user is None:
        raise NoToken
    return user


TokenUser = Annotated[User, Depends(token_user)]


def right(permission: str) -> Any:
    """A route's dependency: only tokens whose owner's role allows this get in."""

    def allowed(user: TokenUser) -> None:
        if not may(user, permission):
            raise NotAllowed

    allowed.permission = permission  # type: ignore[attr-defined]  # read by the test that every route has one
    return Depends(allowed)
