"""Everything a person reads exists in Chinese: templates, scripts, words in the code, every fault's sentence."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from agent_desktop import i18n
from agent_desktop.api import create_api
from callcenter.cli import app
from callcenter.errors import CallCenterError

ROOT = Path(__file__).parents[2]
ROOMS = ["callcenter", "config", "ticketing", "cti", "recordings", "ivr", "reports", "agent_desktop"]
KEYWORDS = ("_", "gettext", "ngettext", "marked", "said")
LEFT_OUT = {"callcenter.__main__"}  # it runs when it is imported
PLACES = re.compile(r"%\((\w+)\)[sd]|(?<!\w)\{(\w+)\}")


def messages_of_templates() -> Iterator[tuple[str, Any]]:
    for path in (ROOT / "agent_desktop" / "templates").rglob("*.html"):
        with path.open("rb") as file:
            for line, _call, message, _comments in babel_extract(
                file, KEYWORDS, [], {"encoding": "utf-8", "silent": "false"}
            ):
                yield f"{path.relative_to(ROOT)}:{line}", message


def messages_of_code() -> Iterator[tuple[str, Any]]:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    for text in _said(node):
                        if isinstance(text, ast.Constant) and isinstance(text.value, str):
                            yield f"{path.relative_to(ROOT)}:{node.lineno}", text.value


def _said(call: ast.Call) -> list[ast.expr]:
    """Where the text stands: ``translate`` is told the language first."""
    called = _called(call)
    return call.args[1:2] if called == "translate" else call.args[:1] if called in KEYWORDS else []


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def messages_of_scripts() -> Iterator[tuple[str, Any]]:
    for text in i18n.script_texts():
        yield "agent_desktop/static/js", text


def messages_of_the_api() -> Iterator[tuple[str, Any]]:
    """The description is drawn as a page, so it is text for people, too."""
    described = create_api(None).openapi()  # type: ignore[arg-type]  # nothing is asked of the desktop
    for path, methods in described["paths"].items():
        for operation in methods.values():
            yield f"/api{path}", operation["summary"]
            for one in operation.get("parameters", ()):
                yield f"/api{path} {one['name']}", one.get("description", "")
    for name, schema in described["components"]["schemas"].items():
        for field, one in schema.get("properties", {}).items():
            yield f"{name}.{field}", one.get("description", "")


def helps_of_commands(command: Any = None) -> Iterator[tuple[str, Any]]:
    command = command or typer.main.get_command(app)
    for one in (command, *command.params):
        yield f"callcenter {command.name}", " ".join(inspect.cleandoc(getattr(one, "help", None) or "").split("\n"))
    for below in getattr(command, "commands", {}).values():
        yield from helps_of_commands(below)


def faults() -> Iterator[tuple[str, Any]]:
    for room in ROOMS:
        package = importlib.import_module(room)
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            if found.name not in LEFT_OUT and ".migrations" not in found.name:
                importlib.import_module(found.name)
    for kind in kinds(CallCenterError):
        if kind.__module__.split(".")[0] in ROOMS:
            assert kind.__doc__, f"{kind.__module__}.{kind.__name__} has no sentence to say"
            sentence = inspect.cleandoc(kind.__doc__).split("\n\n")[0].replace("\n", " ")
            yield f"{kind.__module__}.{kind.__name__}", sentence


def details_of_faults() -> Iterator[tuple[str, Any]]:
    """What is said beside a fault's sentence. A detail that is put together where it is raised cannot be translated."""
    list(faults())  # imports them all
    shown = {kind.__name__ for kind in kinds(CallCenterError) if kind.status < 500}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and _called(node) in shown and node.args):
                    continue
                where, detail = f"{path.relative_to(ROOT)}:{node.lineno}", node.args[0]
                if isinstance(detail, ast.Constant) and isinstance(detail.value, str):
                    yield where, detail.value
                elif isinstance(detail, ast.JoinedStr):
                    fixed = "".join(part.value for part in detail.values if isinstance(part, ast.Constant))  # type: ignore[misc]
                    assert not re.search("[A-Za-z]", fixed), (
                        f'{where}: say ("… %(name)s …", name=value), not an f-string'
                    )


def kinds(of: type[CallCenterError]) -> Iterator[type[CallCenterError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


SOURCES = [
    messages_of_templates,
    messages_of_code,
    messages_of_scripts,
    messages_of_the_api,
    helps_of_commands,
    faults,
    details_of_faults,
]


@cache
def told(source: Callable[[], Iterator[tuple[str, Any]]]) -> list[tuple[str, Any]]:
    """Where, and what; looked for once, though two tests ask."""
    return list(source())


@cache
def chinese() -> dict[Any, Any]:
    return {message.id: message for message in i18n.read_catalogue("zh") if message.id}


def _parts(said: Any) -> list[str]:
    """One text; or the one of a single thing and the one of several."""
    return [part for part in (said if isinstance(said, tuple | list) else (said,)) if part]


def lacking(found: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Message → where it is asked for, of those that have no Chinese."""
    lacks: dict[str, str] = {}
    for where, message in found:
        parts = _parts(message)
        if not parts:
            continue
        known = chinese().get(tuple(parts) if len(parts) > 1 else parts[0]) or chinese().get(parts[0])
        texts = known.string if known is not None else ""
        if known is None or known.fuzzy or not (texts if isinstance(texts, str) else all(texts)):
            lacks[parts[0]] = where
    return lacks


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_everything_people_read_exists_in_chinese(source):
    lacks = lacking(told(source))
    assert not lacks, "\n".join(f"{where}: {text}" for text, where in sorted(lacks.items(), key=lambda one: one[1]))


def test_nothing_is_translated_that_nobody_says():
    asked = {part for source in SOURCES for _where, said in told(source) for part in _parts(said)}
    left = {_parts(message.id)[0] for message in chinese().values()} - asked
    assert left == set()


def test_a_translation_names_the_same_values_as_its_text():
    for message in chinese().values():
        texts = (message.string,) if isinstance(message.string, str) else message.string
        said = (message.id,) if isinstance(message.id, str) else message.id
        wanted = {place for text in said for place in PLACES.findall(text)}
        for text in texts:
            assert set(PLACES.findall(text)) == wanted, message.id


def test_no_two_files_say_one_text_differently():
    said: dict[Any, tuple[str, Any]] = {}
    for path in sorted((i18n.LOCALE / "zh").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_Hans_CN"):
                if message.id and message.id in said:
                    before, text = said[message.id]
                    assert text == message.string, f"{before} and {path.name} say {message.id!r} differently"
                said[message.id] = (path.name, message.string)


def test_chinese_numbers_and_times_are_written_where_the_centre_is():
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    form = i18n.Format("zh", ZoneInfo("Asia/Shanghai"))
    assert form.local(datetime(2026, 11, 21, 16, 30, tzinfo=UTC)) == "2026-11-22 00:30"
    assert form.number(1234567) == "1,234,567"
    assert form.percent(0.8) == "80.0%"
    assert form.percent(None) == "–"


@pytest.mark.parametrize(
    ("ms", "shown"), [(0, "00:00"), (59_999, "00:59"), (3_599_000, "59:59"), (3_600_000, "1:00:00"), (None, "–")]
)
def test_a_duration_never_shows_what_has_not_passed(ms, shown):
    assert i18n.duration(ms) == shown


def test_what_came_from_outside_is_shown_on_one_line_in_reading_order():
    assert i18n.plain("王芳\r\nBcc: x\u202egpj.exe") == "王芳 Bcc: x gpj.exe"
