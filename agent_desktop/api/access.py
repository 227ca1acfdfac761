"""Who calls the API: the owner of the bearer token, with his role's rights as far as the token's scopes reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from agent_desktop.desktop import Desktop, DesktopHere
from callcenter.database import now
from callcenter.errors import CallCenterError, NotAllowed
from config import tokens
from config.people import User
from config.tokens import ApiToken

bearer = HTTPBearer(
    auto_error=False, description="A token made on the page API tokens; its scopes say what it may be used for."
)


class NoToken(CallCenterError):
    """The API needs a bearer token that is still good."""

    status = 401


class OutOfScope(CallCenterError):
    """This token was not made for that; the scope named is missing."""

    status = 403


@dataclass(frozen=True)
class Holder:
    """A program, by its token, and the user it stands for."""

    user: User
    token: ApiToken

    def may(self, permission: str) -> bool:
        """Whether the owner's role and the token's scopes both allow it."""
        return self.user.may(permission) and tokens.reaches(self.token.scopes, tokens.scope_of(permission))


def holder_of(desktop: Desktop, token: str) -> Holder | None:
    """None where the token is not, or no longer, good."""
    at = now()
    with desktop.database.read() as db:
        found = tokens.found(db, token, at)
    if found is None:
        return None
    if tokens.unseen(found[1], at):
        with desktop.database.write() as db:
            tokens.seen(db, found[1], at)
    return Holder(*found)


def holder(desktop: DesktopHere, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Holder:
    found = holder_of(desktop, sent.credentials) if sent is not None else None
    if found is None:
        raise NoToken
    return found


HolderHere = Annotated[Holder, Depends(holder)]


def token_user(program: HolderHere) -> User:
    return program.user


TokenUser = Annotated[User, Depends(token_user)]


def right(permission: str, *, writes: bool = False) -> Any:
    """A route's dependency: only tokens made for this, whose owner's role allows it, get in.

    ``writes``: the route changes something by a permission that lets people read as well.
    """
    scope = tokens.scope_of(permission, writes=writes)

    def allowed(program: HolderHere) -> None:
        if not program.user.may(permission):
            raise NotAllowed
        if not tokens.reaches(program.token.scopes, scope):
            raise OutOfScope(scope)

    allowed.permission = permission  # type: ignore[attr-defined]  # read by the test that every route has one
    return Depends(allowed)
