"""What is known, as pages: articles and guides, read by all, written by supervisors and QA; and beside the form."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop.calls import load_call
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.i18n import LANGUAGES
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import CallCenterError
from config import people
from config.people import User
from ticketing import catalogue, guides, knowledge, tickets
from ticketing.knowledge_rows import Article, Guide

router = APIRouter()

BESIDE = 5
Short = Annotated[str, Field(max_length=500)]
Long = Annotated[str, Field(max_length=60_000)]
Line = Annotated[str, Form(max_length=500)]
Count = Annotated[int, Form(ge=0, le=LARGEST_ID)]
Asked = Annotated[str, Query(max_length=200)]


def article_here(db: Reading, article_id: Id) -> Article:
    return knowledge.load(db, article_id)


def guide_here(db: Reading, guide_id: Id) -> Guide:
    return guides.load(db, guide_id)


ArticleHere = Annotated[Article, Depends(article_here)]
GuideHere = Annotated[Guide, Depends(guide_here)]


# --- writing -------------------------------------------------------------------------------------------------------


class Written(BaseModel):
    """What the form of an article and that of a guide have in common."""

    title: Short = ""
    faults: Short = ""
    language: Short = "zh"
    version: int = Field(0, ge=0, le=LARGEST_ID)
    active: bool = False

    @classmethod
    def of(cls, row: Article | Guide) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields} | {"faults": " ".join(row.faults)})

    @property
    def kept(self) -> dict[str, Any]:
        codes = self.faults.replace(",", " ").replace("，", " ").split()
        return self.model_dump(exclude={"language", "version", "active"}) | {"faults": codes}


class WrittenArticle(Written):
    body: Long = ""
    words: Short = ""


class WrittenGuide(Written):
    text: Long = ""


@dataclass(frozen=True)
class Shelf:
    """Where what is known is kept, by its kind, and where it is shown and changed."""

    room: ModuleType
    path: str
    form: str


ARTICLES = Shelf(knowledge, "/knowledge", "knowledge/edit.html")
GUIDES = Shelf(guides, "/guides", "knowledge/guide_edit.html")


def _edit(
    page: Page, shelf: Shelf, number: int | None, typed: Written, fault: CallCenterError | None = None
) -> HTMLResponse:
    status = fault.status if fault else 200
    return page.render(
        shelf.form, status=status, number=number, typed=typed, fault=fault, path=shelf.path, languages_known=LANGUAGES
    )


def _write(page: Page, shelf: Shelf, typed: Written) -> Response:
    try:
        with page.database.write() as db:
            made = shelf.room.write(db, language=typed.language, by=page.user.login, now=now(), **typed.kept)
    except CallCenterError as fault:
        return _edit(page, shelf, None, typed, fault)
    return RedirectResponse(f"{shelf.path}/{made.id}", status_code=303)


def _change(page: Page, shelf: Shelf, number: int, typed: Written) -> Response:
    """What is refused stands in the form as it was typed, with the version that is there now."""
    done = {"version": typed.version, "active": typed.active, "by": page.user.login, "now": now()}
    try:
        with page.database.write() as db:
            shelf.room.change(db, shelf.room.load(db, number), **done, **typed.kept)
    except CallCenterError as fault:
        with page.database.read() as db:
            there = shelf.room.load(db, number)
        mine = typed.model_copy(update={"version": there.version, "language": there.language})
        return _edit(page, shelf, number, mine, fault)
    return RedirectResponse(f"{shelf.path}/{number}", status_code=303)


# --- articles ------------------------------------------------------------------------------------------------------


@router.get("/knowledge", dependencies=[allow("knowledge")])
def list_articles(page: PageHere, db: Reading, q: Asked = "", fault: Asked = "") -> HTMLResponse:
    writes = page.may("knowledge.write")
    found = knowledge.find(db, q, fault=fault, language=page.language, limit=100, also_ended=writes)
    return page.render(
        "knowledge/list.html",
        articles=found,
        counts=knowledge.counts(db, [one.id for one in found]),
        guides=guides.listed(db, language=page.language, also_ended=writes),
        titles=_fault_titles(db, page.language),
        names=people.names(db),
        q=q.strip(),
    )


def _fault_titles(db: Session, language: str) -> dict[str, str]:
    """What the codes of phenomena and faults are called; others, such as SPN 110, have no other name."""
    known = catalogue.current(db).dictionaries
    terms = [term for name in ("phenomenon", "fault_code") if name in known for term in known[name].terms]
    return {str(term.value): term.title(language) for term in terms}


@router.get("/knowledge/new", dependencies=[allow("knowledge.write")])
def new_article(page: PageHere) -> HTMLResponse:
    return _edit(page, ARTICLES, None, WrittenArticle(language=page.language))


@router.post("/knowledge/new", dependencies=[allow("knowledge.write")])
def write_article(page: PageHere, typed: Annotated[WrittenArticle, Form()]) -> Response:
    return _write(page, ARTICLES, typed)


@router.get("/knowledge/{article_id}", dependencies=[allow("knowledge")])
def show_article(page: PageHere, db: Reading, article: ArticleHere) -> HTMLResponse:
    return page.render(
        "knowledge/article.html",
        article=article,
        solved=knowledge.counts(db, [article.id]).get(article.id, 0),
        versions=knowledge.versions(db, article),
        titles=_fault_titles(db, page.language),
        names=people.names(db),
    )


@router.get("/knowledge/{article_id}/edit", dependencies=[allow("knowledge.write")])
def edit_article(page: PageHere, article: ArticleHere) -> HTMLResponse:
    return _edit(page, ARTICLES, article.id, WrittenArticle.of(article))


@router.post("/knowledge/{article_id}", dependencies=[allow("knowledge.write")])
def change_article(page: PageHere, article: ArticleHere, typed: Annotated[WrittenArticle, Form()]) -> Response:
    return _change(page, ARTICLES, article.id, typed)


# --- guides --------------------------------------------------------------------------------------------------------


@router.get("/guides/new", dependencies=[allow("knowledge.write")])
def new_guide(page: PageHere) -> HTMLResponse:
    return _edit(page, GUIDES, None, WrittenGuide(language=page.language))


@router.post("/guides/new", dependencies=[allow("knowledge.write")])
def write_guide(page: PageHere, typed: Annotated[WrittenGuide, Form()]) -> Response:
    return _write(page, GUIDES, typed)


@router.get("/guides/{guide_id}", dependencies=[allow("knowledge")])
def show_guide(page: PageHere, db: Reading, guide: GuideHere) -> HTMLResponse:
    titles = _fault_titles(db, page.language)
    return page.render("knowledge/guide.html", guide=guide, steps=list(guides.steps_of(guide).values()), titles=titles)


@router.get("/guides/{guide_id}/edit", dependencies=[allow("knowledge.write")])
def edit_guide(page: PageHere, guide: GuideHere) -> HTMLResponse:
    return _edit(page, GUIDES, guide.id, WrittenGuide.of(guide))


@router.post("/guides/{guide_id}", dependencies=[allow("knowledge.write")])
def change_guide(page: PageHere, guide: GuideHere, typed: Annotated[WrittenGuide, Form()]) -> Response:
    return _change(page, GUIDES, guide.id, typed)


# --- beside the form -----------------------------------------------------------------------------------------------


@router.get("/desk/knowledge", dependencies=[allow("desk"), allow("knowledge")])
def beside(page: PageHere, db: Reading, q: Asked = "", fault: Asked = "", call_id: Asked = "") -> HTMLResponse:
    """What fits the fault chosen and the words typed so far, and the guides for it."""
    if call_id:
        load_call(db, call_id, page.user)
    found = knowledge.find(db, q, fault=fault, language=page.language, limit=BESIDE)
    known = guides.listed(db, fault=fault, language=page.language)
    return page.render(
        "knowledge/beside.html",
        articles=found,
        counts=knowledge.counts(db, [one.id for one in found]),
        guides=[one for one in known if not fault or fault in one.faults or not one.faults][:BESIDE],
        asked=bool(q.strip() or fault),
        answered=guides.answered(db, call_id=call_id) if call_id else (),
    )


def about(db: Session, user: User, call_id: str | None, ticket_id: int | None) -> dict[str, Any]:
    """The call and the ticket something is kept with, if the user may see them."""
    return {
        "call_id": load_call(db, call_id, user).call_id if call_id else None,
        "ticket_id": tickets.load_ticket(db, ticket_id, user).id if ticket_id else None,
    }


@router.post("/desk/knowledge/{article_id}/solved", dependencies=[allow("desk"), allow("knowledge")])
def solved(page: PageHere, article: ArticleHere, call_id: Line = "", ticket_id: Count = 0) -> HTMLResponse:
    with page.database.write() as db:
        kept_with = about(db, page.user, call_id, ticket_id)
        knowledge.solved(db, article, by=page.user.login, now=now(), **kept_with)
        count = knowledge.counts(db, [article.id])[article.id]
    return page.render("knowledge/solved.html", article=article, count=count)


@router.get("/desk/guides/{guide_id}", dependencies=[allow("desk"), allow("knowledge")])
def begin_guide(page: PageHere, guide: GuideHere) -> HTMLResponse:
    first = next(iter(guides.steps_of(guide).values()))
    return page.render("knowledge/step.html", guide=guide, step=first, advice="")


@router.post("/desk/guides/{guide_id}", dependencies=[allow("desk"), allow("knowledge")])
def answer_guide(
    page: PageHere, guide: GuideHere, step: Line = "", way: Count = 0, call_id: Line = "", ticket_id: Count = 0
) -> HTMLResponse:
    """One answer, kept with the call; the next question, or the advice."""
    with page.database.write() as db:
        kept_with = about(db, page.user, call_id, ticket_id)
        chosen = guides.answer(db, guide, step, way, by=page.user.login, now=now(), **kept_with)
    following = guides.steps_of(guide).get(chosen.to)
    return page.render("knowledge/step.html", guide=guide, step=following, advice=chosen.advice)
