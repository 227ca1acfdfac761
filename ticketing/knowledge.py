"""Articles: written, found by fault and by words, and counted where they solved something."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, case, delete, func, literal, or_, select, update
from sqlalchemy.orm import Session

from callcenter.database import changed
from callcenter.errors import BadInput, CallCenterError, NotFound
from ticketing import pinyin
from ticketing.knowledge_rows import Article, ArticleUse, ArticleVersion
from ticketing.rows import IDS
from ticketing.text import clean, line

LANGUAGES = ("zh", "en")
PIECES = 16
_ASKING = frozenset({"怎么", "么办", "如何", "什么", "为什", "一直", "请问", "可以", "需要", "怎样", "么样"})
"""Pairs that are in every question and say nothing of what it is about."""
_LATIN = re.compile(r"[a-z0-9][a-z0-9\-.]*")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_FAULT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,39}")


class ArticleIncomplete(BadInput):
    """An article needs a title of up to 200 characters and a text of up to 50,000; fault codes have no spaces."""


class StaleArticle(CallCenterError):
    """Somebody changed this article while you had it open; yours was not saved over it, and is still in the form."""

    status = 409


# --- writing -------------------------------------------------------------------------------------------------------


def write(
    db: Session,
    *,
    title: str,
    body: str,
    language: str,
    by: str,
    now: datetime,
    faults: Sequence[str] = (),
    words: str = "",
) -> Article:
    """A new article, its first version."""
    article = Article(language=language, version=0, active=True, changed_by=by, changed_at=now)
    if language not in LANGUAGES:
        raise ArticleIncomplete
    _put(article, title, body, faults, words)
    article.version = 1
    db.add(article)
    db.flush()
    _keep(db, article)
    return article


def change(
    db: Session,
    article: Article,
    *,
    version: int,
    title: str,
    body: str,
    by: str,
    now: datetime,
    faults: Sequence[str] = (),
    words: str = "",
    active: bool = True,
) -> Article:
    """The next version, if nobody was faster: StaleArticle."""
    took = update(Article).where(Article.id == article.id, Article.version == version)
    if changed(db, took.values(version=Article.version + 1)) != 1:
        raise StaleArticle
    db.refresh(article)
    _put(article, title, body, faults, words)
    article.active, article.changed_by, article.changed_at = active, by, now
    db.flush()
    _keep(db, article)
    return article


def _put(article: Article, title: str, body: str, faults: Sequence[str], words: str) -> None:
    title, body, words = line(title), clean(body), line(words)
    codes = sorted({code.strip() for code in faults if code.strip()})
    wrong = [code for code in codes if not _FAULT.fullmatch(code)]
    if not title or len(title) > 200 or not body or len(body) > 50_000 or len(words) > 400 or wrong or len(codes) > 50:
        raise ArticleIncomplete
    article.title, article.body, article.words, article.faults = title, body, words, codes
    said = f"{title} {words}"
    spelt = [said, pinyin.full(said), pinyin.full(said).replace(" ", ""), pinyin.initials(title), *codes, body]
    article.found_by = "\n".join(spelt).lower()


def _keep(db: Session, article: Article) -> None:
    db.add(
        ArticleVersion(
            article_id=article.id,
            version=article.version,
            title=article.title,
            faults=article.faults,
            words=article.words,
            body=article.body,
            active=article.active,
            by=article.changed_by,
            at=article.changed_at,
        )
    )
    db.flush()


# --- finding -------------------------------------------------------------------------------------------------------


def load(db: Session, article_id: int) -> Article:
    article = db.get(Article, article_id) if article_id in IDS else None
    if article is None:
        raise NotFound("article %(article_id)s", article_id=article_id)
    return article


def versions(db: Session, article: Article) -> Sequence[ArticleVersion]:
    """The newest first."""
    mine = ArticleVersion.article_id == article.id
    return db.scalars(select(ArticleVersion).where(mine).order_by(ArticleVersion.version.desc())).all()


def find(
    db: Session, words: str, *, fault: str = "", language: str = "zh", limit: int = 20, also_ended: bool = False
) -> Sequence[Article]:
    """Those about the fault, or with any of the words in them, the likeliest first; without either, the newest.

    Chinese counts by pairs of characters, so a whole sentence finds what it is about; pinyin and initials count, too.
    A collection of articles has hundreds of rows, not millions: they are read from end to end.
    """
    rows = select(Article)
    if not also_ended:
        rows = rows.where(Article.active)
    scores: list[ColumnElement[int]] = []
    if fault:
        scores.append(case((Article.found_by.contains(f"\n{fault.lower()}\n", autoescape=True), 20), else_=0))
    for piece in pieces(words):
        inside = Article.found_by.contains(piece, autoescape=True)
        named = func.lower(Article.title + " " + Article.words).contains(piece, autoescape=True)
        scores.append(case((named, 4), (inside, 2), else_=0))
    if not scores:
        return db.scalars(rows.order_by(Article.changed_at.desc(), Article.id.desc()).limit(limit)).all()
    score = sum(scores[1:], scores[0])
    own = case((Article.language == language, 1), else_=0)
    matching = rows.where(score > literal(0)).order_by(own.desc(), score.desc(), Article.id)
    return db.scalars(matching.limit(limit)).all()


def pieces(words: str) -> list[str]:
    """What is looked for: Latin words as they are, Chinese in pairs of characters."""
    said = line(words).lower()[:200]
    found = [word for word in _LATIN.findall(said) if len(word) > 1]
    for run in _HAN.findall(said):
        found += [run] if len(run) == 1 else [run[at : at + 2] for at in range(len(run) - 1)]
    return [piece for piece in dict.fromkeys(found) if piece not in _ASKING][:PIECES]


# --- where it helped -----------------------------------------------------------------------------------------------


def solved(
    db: Session, article: Article, *, by: str, now: datetime, call_id: str | None = None, ticket_id: int | None = None
) -> ArticleUse:
    """This article solved it; said twice of one call or ticket, it counts once."""
    mine = ArticleUse.article_id == article.id
    same = [ArticleUse.call_id == call_id] if call_id else []
    same += [ArticleUse.ticket_id == ticket_id] if ticket_id else []
    if not same:
        raise BadInput("call or ticket")
    use = db.scalar(select(ArticleUse).where(mine, or_(*same)).limit(1))
    if use is None:
        use = ArticleUse(
            article_id=article.id, version=article.version, call_id=call_id, ticket_id=ticket_id, by=by, at=now
        )
        db.add(use)
    use.call_id, use.ticket_id = use.call_id or call_id, use.ticket_id or ticket_id
    db.flush()
    return use


def unsolved(db: Session, article_id: int, ticket_id: int) -> None:
    """It was another article after all."""
    db.execute(delete(ArticleUse).where(ArticleUse.article_id == article_id, ArticleUse.ticket_id == ticket_id))


def counts(db: Session, article_ids: Collection[int]) -> Mapping[int, int]:
    """How often each solved something."""
    rows = select(ArticleUse.article_id, func.count()).where(ArticleUse.article_id.in_(article_ids))
    return {row[0]: row[1] for row in db.execute(rows.group_by(ArticleUse.article_id))}


def used_for(db: Session, *, ticket_id: int, call_id: str | None) -> Sequence[tuple[Article, ArticleUse]]:
    """What solved this ticket, or the call it is from."""
    about = ArticleUse.ticket_id == ticket_id
    if call_id:
        about |= (ArticleUse.call_id == call_id) & ArticleUse.ticket_id.is_(None)
    rows = select(Article, ArticleUse).join(ArticleUse, ArticleUse.article_id == Article.id).where(about)
    return [(row[0], row[1]) for row in db.execute(rows.order_by(ArticleUse.id))]
