"""Articles, over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api import versions
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.api.versions import IfMatch
from agent_desktop.desktop import LARGEST_ID, DesktopHere, Id, Reading
from agent_desktop.knowledge import about
from callcenter.database import now
from ticketing import knowledge

router = APIRouter(prefix="/v1", tags=["knowledge"])

FOUND_AT_MOST = 1000


class Article(Shape):
    id: int
    language: str
    title: str
    faults: list[str]
    words: str
    body: str
    active: bool
    version: int
    changed_by: str
    changed_at: datetime


class Written(Shape):
    version: int
    title: str
    faults: list[str]
    words: str
    body: str
    active: bool
    by: str
    at: datetime


class NewArticle(Sent):
    language: Literal["zh", "en"] = "zh"
    title: str = Field(min_length=1, max_length=200)
    faults: list[str] = Field(default=[], max_length=50)
    words: str = Field("", max_length=400)
    body: str = Field(min_length=1, max_length=50_000)


class ChangedArticle(Sent):
    version: int = Field(ge=0, le=LARGEST_ID)
    title: str = Field(min_length=1, max_length=200)
    faults: list[str] = Field(default=[], max_length=50)
    words: str = Field("", max_length=400)
    body: str = Field(min_length=1, max_length=50_000)
    active: bool = True


class Solved(Sent):
    ticket_id: Reference | None = None
    call_id: str | None = Field(None, max_length=150)


class Use(Shape):
    article_id: int
    version: int
    ticket_id: int | None
    call_id: str | None
    by: str
    at: datetime


@router.get("/articles", dependencies=[right("knowledge")], summary="List or find articles")
def list_articles(
    request: Request,
    db: Reading,
    user: TokenUser,
    q: Annotated[str, Query(max_length=200, description="Words, pinyin or initials.")] = "",
    fault: Annotated[str, Query(max_length=40, description="A fault code.")] = "",
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Article]:
    found = knowledge.find(db, q, fault=fault, language=user.language, limit=FOUND_AT_MOST)
    return cut(request, Article, found, before, limit, lambda one: one.id)


@router.get("/articles/{article_id}", dependencies=[right("knowledge")], summary="One article")
def read_article(db: Reading, response: Response, article_id: Id) -> Article:
    article = knowledge.load(db, article_id)
    versions.tag(response, article.version)
    return Article.model_validate(article)


@router.get("/articles/{article_id}/versions", dependencies=[right("knowledge")], summary="As it was, newest first")
def list_versions(
    request: Request, db: Reading, article_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Written]:
    found = knowledge.versions(db, knowledge.load(db, article_id))
    return cut(request, Written, found, before, limit, lambda one: one.version)


@router.post("/articles", dependencies=[right("knowledge.write")], status_code=201, summary="Write an article")
def write_article(once: OnceHere, user: TokenUser, sent: NewArticle) -> Article:
    def written(db: Session) -> Article:
        return Article.model_validate(knowledge.write(db, **sent.model_dump(), by=user.login, now=now()))

    return once.do(written)


@router.put("/articles/{article_id}", dependencies=[right("knowledge.write")], summary="Change an article")
def change_article(
    desktop: DesktopHere,
    user: TokenUser,
    response: Response,
    article_id: Id,
    sent: ChangedArticle,
    if_match: IfMatch = "",
) -> Article:
    version = versions.looked_at(if_match)
    values = sent.model_dump() | ({} if version is None else {"version": version})
    with desktop.database.write() as db:
        article = knowledge.change(db, knowledge.load(db, article_id), **values, by=user.login, now=now())
        versions.tag(response, article.version)
        return Article.model_validate(article)


@router.post(
    "/articles/{article_id}/solved",
    dependencies=[right("knowledge"), right("tickets.write")],
    summary="This article solved a ticket, or a call",
)
def solved(once: OnceHere, user: TokenUser, article_id: Id, sent: Solved) -> Use:
    def said(db: Session) -> Use:
        article, kept_with = knowledge.load(db, article_id), about(db, user, sent.call_id, sent.ticket_id)
        return Use.model_validate(knowledge.solved(db, article, by=user.login, now=now(), **kept_with))

    return once.do(said)
