"""What is known, as pages: articles and guides, read by all, written by supervisors and QA; and beside the form."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from agent_desktop.calls import load_call
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.i18n import LANGUAGES
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import CallCenterError
from config.people import User
from ticketing import guides, knowledge, tickets
from ticketing.knowledge_rows import Article, Guide

router = APIRouter()

BESIDE = 5
Text = Annotated[str, Form(max_length=60_000)]
Line = Annotated[str, Form(max_length=500)]
Count = Annotated[int, Form(ge=0, le=LARGEST_ID)]
Asked = Annotated[str, Query(max_length=200)]


def article_here(db: Reading, article_id: Id) -> Article:
    return knowledge.load(db, article_id)


def guide_here(db: Reading, guide_id: Id) -> Guide:
    return guides.load(db, guide_id)


ArticleHere = Annotated[Article, Depends(article_here)]
GuideHere = Annotated[Guide, Depends(guide_here)]


def _codes(text: str) -> list[str]:
    return text.replace(",", " ").replace("，", " ").split()


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
        q=q.strip(),
    )


@router.get("/knowledge/new", dependencies=[allow("knowledge.write")])
def new_article(page: PageHere) -> HTMLResponse:
    return _form(page, None, {"title": "", "body": "", "faults": "", "words": "", "language": page.language})


@router.post("/knowledge/new", dependencies=[allow("knowledge.write")])
def write_article(
    page: PageHere, title: Line = "", body: Text = "", faults: Line = "", words: Line = "", language: Line = "zh"
) -> Response:
    typed = {"title": title, "body": body, "faults": faults, "words": words, "language": language}
    try:
        with page.database.write() as db:
            made = knowledge.write(
                db,
                title=title,
                body=body,
                language=language,
                faults=_codes(faults),
                words=words,
                by=page.user.login,
                now=now(),
            )
    except CallCenterError as fault:
        return _form(page, None, typed, fault)
    return RedirectResponse(f"/knowledge/{made.id}", status_code=303)


@router.get("/knowledge/{article_id}", dependencies=[allow("knowledge")])
def show_article(page: PageHere, db: Reading, article: ArticleHere) -> HTMLResponse:
    return page.render(
        "knowledge/article.html",
        article=article,
        solved=knowledge.counts(db, [article.id]).get(article.id, 0),
        versions=knowledge.versions(db, article),
    )


@router.get("/knowledge/{article_id}/edit", dependencies=[allow("knowledge.write")])
def edit_article(page: PageHere, article: ArticleHere) -> HTMLResponse:
    typed = {
        "title": article.title,
        "body": article.body,
        "faults": " ".join(article.faults),
        "words": article.words,
        "language": article.language,
        "version": article.version,
        "active": article.active,
    }
    return _form(page, article, typed)


@router.post("/knowledge/{article_id}", dependencies=[allow("knowledge.write")])
def change_article(
    page: PageHere,
    article: ArticleHere,
    version: Count = 0,
    title: Line = "",
    body: Text = "",
    faults: Line = "",
    words: Line = "",
    active: Annotated[bool, Form()] = False,
) -> Response:
    typed: dict[str, Any] = {"title": title, "body": body, "faults": faults, "words": words, "active": active}
    try:
        with page.database.write() as db:
            knowledge.change(
                db,
                knowledge.load(db, article.id),
                version=version,
                title=title,
                body=body,
                faults=_codes(faults),
                words=words,
                active=active,
                by=page.user.login,
                now=now(),
            )
    except CallCenterError as fault:
        with page.database.read() as db:
            article = knowledge.load(db, article.id)
        return _form(page, article, typed | {"version": article.version, "language": article.language}, fault)
    return RedirectResponse(f"/knowledge/{article.id}", status_code=303)


def _form(
    page: Page, article: Article | None, typed: dict[str, Any], fault: CallCenterError | None = None
) -> HTMLResponse:
    status = fault.status if fault else 200
    return page.render(
        "knowledge/edit.html", status=status, article=article, typed=typed, fault=fault, languages_known=LANGUAGES
    )


# --- guides --------------------------------------------------------------------------------------------------------


@router.get("/guides/new", dependencies=[allow("knowledge.write")])
def new_guide(page: PageHere) -> HTMLResponse:
    return _guide_form(page, None, {"title": "", "text": "", "faults": "", "language": page.language})


@router.post("/guides/new", dependencies=[allow("knowledge.write")])
def write_guide(
    page: PageHere, title: Line = "", text: Text = "", faults: Line = "", language: Line = "zh"
) -> Response:
    typed = {"title": title, "text": text, "faults": faults, "language": language}
    try:
        with page.database.write() as db:
            made = guides.write(
                db, title=title, text=text, language=language, faults=_codes(faults), by=page.user.login, now=now()
            )
    except CallCenterError as fault:
        return _guide_form(page, None, typed, fault)
    return RedirectResponse(f"/guides/{made.id}", status_code=303)


@router.get("/guides/{guide_id}", dependencies=[allow("knowledge")])
def show_guide(page: PageHere, guide: GuideHere) -> HTMLResponse:
    return page.render("knowledge/guide.html", guide=guide, steps=list(guides.steps_of(guide).values()))


@router.get("/guides/{guide_id}/edit", dependencies=[allow("knowledge.write")])
def edit_guide(page: PageHere, guide: GuideHere) -> HTMLResponse:
    typed = {
        "title": guide.title,
        "text": guide.text,
        "faults": " ".join(guide.faults),
        "language": guide.language,
        "version": guide.version,
        "active": guide.active,
    }
    return _guide_form(page, guide, typed)


@router.post("/guides/{guide_id}", dependencies=[allow("knowledge.write")])
def change_guide(
    page: PageHere,
    guide: GuideHere,
    version: Count = 0,
    title: Line = "",
    text: Text = "",
    faults: Line = "",
    active: Annotated[bool, Form()] = False,
) -> Response:
    typed: dict[str, Any] = {"title": title, "text": text, "faults": faults, "active": active}
    try:
        with page.database.write() as db:
            guides.change(
                db,
                guides.load(db, guide.id),
                version=version,
                title=title,
                text=text,
                faults=_codes(faults),
                active=active,
                by=page.user.login,
                now=now(),
            )
    except CallCenterError as fault:
        with page.database.read() as db:
            guide = guides.load(db, guide.id)
        return _guide_form(page, guide, typed | {"version": guide.version, "language": guide.language}, fault)
    return RedirectResponse(f"/guides/{guide.id}", status_code=303)


def _guide_form(
    page: Page, guide: Guide | None, typed: dict[str, Any], fault: CallCenterError | None = None
) -> HTMLResponse:
    status = fault.status if fault else 200
    return page.render(
        "knowledge/guide_edit.html", status=status, guide=guide, typed=typed, fault=fault, languages_known=LANGUAGES
    )


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
