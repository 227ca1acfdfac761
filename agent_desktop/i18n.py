"""Words, numbers and times in the reader's language.

English is the language of the code; a catalogue (``locale/<language>/*.po``, all files of the folder together)
turns it into another. They are read at start, so a text can be changed without building anything.
"""

from __future__ import annotations

import gettext
import io
import json
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, numbers
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from callcenter.texts import Said
from callcenter.texts import marked as marked

LOCALE = Path(__file__).parent / "locale"
STATIC = Path(__file__).parent / "static"
LANGUAGES = {"zh": "中文", "en": "English"}
_LOCALES = {"zh": "zh_Hans_CN", "en": "en_GB"}
_TAGS = {"zh": "zh-Hans", "en": "en"}


def read_catalogue(language: str) -> Catalog:
    """Every .po file of the language as one catalogue; the first file that has a message says it."""
    whole = Catalog(locale=_LOCALES[language])
    for path in sorted((LOCALE / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=_LOCALES[language]):
                if message.id and message.id not in whole:
                    whole[message.id] = message
    return whole


@cache
def translations(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    out = io.BytesIO()
    write_mo(out, read_catalogue(language))
    out.seek(0)
    return gettext.GNUTranslations(out)


def translate(language: str, text: str, /, **values: object) -> str:
    """The text in this language; ``%(name)s`` in it becomes the value of that name."""
    found = translations(language).gettext(text)
    return found % values if values else found


def read(language: str, text: object) -> object:
    """What was said, and all that is said in it, in this language; anything else as it is."""
    if not isinstance(text, Said):
        return text
    return translate(language, text.wording, **{name: read(language, value) for name, value in text.values.items()})


def language_tag(language: str) -> str:
    """What ``<html lang>`` says; the browser picks the shapes of Chinese characters by it."""
    return _TAGS[language]


def asked_language(accept: str, otherwise: str) -> str:
    """The first language of an Accept-Language header that we speak."""
    for part in accept.split(","):
        language = part.split(";")[0].strip().lower()[:2]
        if language in LANGUAGES:
            return language
    return otherwise


# Babel's own reader of scripts misses texts within `${…}` and beside a second string in the call.
_SCRIPT_TEXT = re.compile(r'(?<![\w.$])_\(\s*("(?:[^"\\\n]|\\.)*")')
_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)


def script_texts(folder: Path = STATIC / "js") -> set[str]:
    """Every text a script of ours asks for by ``_("…")``."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*.js")):
        found |= {json.loads(text) for text in _SCRIPT_TEXT.findall(_COMMENT.sub("", path.read_text(encoding="utf-8")))}
    return found


@cache
def texts(language: str) -> dict[str, str]:
    """The texts of the scripts in this language."""
    return {text: translate(language, text) for text in sorted(script_texts())}


@dataclass(frozen=True)
class Format:
    """How one language writes numbers and times, in the centre's time zone."""

    language: str
    zone: ZoneInfo

    @property
    def locale(self) -> Locale:
        return Locale.parse(_LOCALES[self.language])

    def local(self, at: datetime | date | None, form: str = "datetime") -> str:
        """A point in time where the centre is; form is time, seconds, date, day or datetime."""
        if at is None:
            return ""
        if not isinstance(at, datetime):
            return at.isoformat()
        pattern = {
            "time": "%H:%M",
            "seconds": "%H:%M:%S",
            "date": "%Y-%m-%d",
            "day": "%m-%d",
            "datetime": "%Y-%m-%d %H:%M",
        }[form]
        return at.astimezone(self.zone).strftime(pattern)  # a card has sixty of them; Babel takes ten times as long

    def roughly(self, span: timedelta | float | None) -> str:
        return roughly(self.language, span)

    def number(self, value: float | None, digits: int = 0) -> str:
        if value is None:
            return "–"
        pattern = "#,##0." + "0" * digits if digits else "#,##0"
        return numbers.format_decimal(value, pattern, locale=self.locale)

    def percent(self, share: float | None) -> str:
        """A share of 0 to 1, to one decimal."""
        return "–" if share is None else numbers.format_percent(share, "0.0%", locale=self.locale)


def duration(ms: float | None) -> str:
    """mm:ss, from an hour on h:mm:ss; cut off, not rounded: a clock never shows what has not passed."""
    if ms is None:
        return "–"
    minutes, seconds = divmod(int(ms // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def seconds(value: float | None) -> str:
    return duration(None if value is None else value * 1000)


_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")


def plain(text: str) -> str:
    """What came from outside, on one line and in reading order: no control characters, no turned direction."""
    return _CONTROL.sub(" ", text).strip()


def roughly(language: str, span: timedelta | float | None) -> str:
    """A span as people say it: 25 min, 3 h 20 min, 4 days; without its sign."""
    if span is None:
        return "–"
    minutes = int(abs(span.total_seconds() if isinstance(span, timedelta) else span) // 60)
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        days = round(hours / 24)
        return translate(language, "%(n)s days", n=days)
    if hours and rest and hours < 10:
        return translate(language, "%(h)s h %(n)s min", h=hours, n=rest)
    return translate(language, "%(n)s h", n=hours) if hours else translate(language, "%(n)s min", n=minutes)
